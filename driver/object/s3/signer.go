package s3

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signer signs requests as the SDK's does, which keeps the key that it derived
// from a secret, by day and access key id: it would go on signing with a secret
// that was corrected. This one forgets the key with the secret.
type signer struct {
	mu     sync.Mutex
	secret string     // owned by mu
	signer *v4.Signer // owned by mu; of this secret
}

func (s *signer) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, at time.Time, options ...func(*v4.SignerOptions)) error {
	s.mu.Lock()
	if s.signer == nil || s.secret != c.SecretAccessKey {
		s.secret = c.SecretAccessKey
		s.signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3 wants it
	}
	current := s.signer
	s.mu.Unlock()
	return current.SignHTTP(ctx, c, r, payloadHash, service, region, at, options...)
}
