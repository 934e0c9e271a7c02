package s3

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signer signs requests as the SDK's does, except for two things. The SDK's keeps
// the key that it derived from a secret, by day and access key ID: it would go on
// signing with a secret that was corrected. This one forgets the key with the
// secret. And it signs only the headers that a signature needs ([signed]), because
// servers and proxies rewrite others on the way.
type signer struct {
	mu     sync.Mutex
	secret string     // guarded by mu
	signer *v4.Signer // guarded by mu; of this secret
}

// SignHTTP adds the signature to r.
func (s *signer) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string,
	at time.Time, options ...func(*v4.SignerOptions),
) error {
	s.mu.Lock()
	if s.signer == nil || s.secret != c.SecretAccessKey {
		s.secret = c.SecretAccessKey
		s.signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3 wants it
	}
	current := s.signer
	s.mu.Unlock()
	unsigned := http.Header{}
	for name, values := range r.Header {
		if !signed(name) {
			unsigned[name] = values
			delete(r.Header, name)
		}
	}
	err := current.SignHTTP(ctx, c, r, payloadHash, service, region, at, options...)
	maps.Copy(r.Header, unsigned)
	return err
}

// signed reports whether a header belongs into the signature: those that say what
// is stored and under which condition, and all of Amazon's, which S3 requires
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
// Google Cloud Storage rewrites Accept-Encoding before it checks the signature;
// proxies rewrite Connection, Expect, User-Agent and the like.
func signed(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "if-") ||
		name == "content-type" || name == "content-md5" || name == "content-length" || name == "range"
}
