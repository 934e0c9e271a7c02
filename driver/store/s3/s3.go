// Package s3 keeps objects in an S3 bucket, of AWS or of anything that speaks
// its protocol. It is the only package that knows AWS.
//
// What makes a put repeatable and an object immutable is "If-None-Match: *" on
// PutObject, which AWS honours. For a server that refuses or ignores it the store
// looks with a HEAD first; two writers at the same moment can overwrite each other
// there. [Store.Learned] says what a server cannot do.
package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/internal/limit"
)

// Options says which bucket, and how to put into it. Only Bucket is required.
//
// Credentials are not options. They come from where the SDK's default chain
// looks: AWS_ACCESS_KEY_ID and its like, a web identity token, the files that
// AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name, the container's and the
// instance's metadata service. A named file that is missing or empty counts for
// nothing, unless AWS_PROFILE asks for a profile in it.
type Options struct {
	// Bucket is a name, the alias of an access point, or the ARN of one (see
	// [CutARN]), whose region wins over Region.
	Bucket string
	Prefix string // goes before every key: empty or ending in "/"

	// Endpoint is the URL of an S3-compatible server, such as
	// "https://minio.example:9000". Empty means AWS, or what
	// AWS_ENDPOINT_URL_S3 says.
	Endpoint string
	// Region is the bucket's. Empty means what AWS_REGION or the
	// configuration file says, and "us-east-1" where an Endpoint is given.
	Region string
	// PathStyle puts the bucket's name into the path of a URL instead of
	// its host. Most servers but AWS want that.
	PathStyle bool

	// encryption at rest: "", "AES256", "aws:kms" or "aws:kms:dsse"; empty means the bucket's
	// default
	SSE          string
	SSEKMSKeyID  string // key for the kinds with "kms"; empty means the account's default key
	StorageClass string // such as "STANDARD_IA"; empty means the bucket's default
	ACL          string // canned ACL such as "bucket-owner-full-control"; empty sends none

	// CAFile names a file of PEM certificates: the only authorities that
	// are trusted then, as with AWS_CA_BUNDLE, over which it wins. Empty
	// means AWS_CA_BUNDLE, or else the authorities that the program trusts.
	CAFile string
}

// URL is the address of the object with this key; of no key, what stands before all of
// them.
func (o *Options) URL(key string) string { return "s3://" + o.Bucket + "/" + o.Prefix + key }

// Store is an [store.Store] in a bucket.
type Store struct {
	opts        Options
	client      *awss3.Client
	transport   *http.Transport
	credentials *chain
	learned     learned
	confirmed   atomic.Bool // whether a HEAD has shown an object that this store put
	pageSize    int32       // objects in one answer to List; 0 means the server's maximum, 1000
}

// Open returns the store in a bucket. It reads files and the environment, and
// asks nothing of the network: a wrong bucket shows at the first Put. Close
// ends it.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s := &Store{opts: opts}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("open the S3 store %s: %w", s.url(""), err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := s.opts.check(); err != nil {
		return err
	}
	load, err := s.loadOptions()
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return err
	}
	if cfg.Region = s.region(cfg.Region); cfg.Region == "" {
		return noRegion{}
	}
	s.credentials = &chain{found: direct(cfg), look: func(ctx context.Context) (aws.CredentialsProvider, error) {
		again, err := config.LoadDefaultConfig(ctx, load...)
		if err != nil {
			return nil, err
		}
		return direct(again), nil
	}}

	// The SDK's own transport, with its time limits; who configured
	// certificates gets them with it.
	buildable, _ := cfg.HTTPClient.(*awshttp.BuildableClient)
	s.transport = cmp.Or(buildable, boundedClient()).GetTransport()
	s.client = awss3.NewFromConfig(cfg, s.configure)
	return nil
}

// loadOptions says where the SDK takes region, credentials and certificates from.
func (s *Store) loadOptions() ([]func(*config.LoadOptions) error, error) {
	load := []func(*config.LoadOptions) error{
		// "auto" would ask the metadata service right here.
		config.WithDefaultsMode(aws.DefaultsModeLegacy),
		// What matters comes back as an error; the rest would go to stderr.
		config.WithLogger(logging.Nop{}),
		config.WithRegion(s.opts.Region),
		config.WithHTTPClient(boundedClient()),
		config.WithAPIOptions([]func(*middleware.Stack) error{bound}),
	}
	if s.opts.CAFile != "" {
		pem, err := limit.ReadFile(s.opts.CAFile, limit.CAFile)
		if err != nil {
			return nil, err
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the CA file %s holds no certificate in PEM", s.opts.CAFile)
		}
		load = append(load, func(o *config.LoadOptions) error {
			o.CustomCABundle = bytes.NewReader(pem)
			return nil
		})
	}
	return load, nil
}

// region is where the bucket is: as configured, as its ARN says, or any for a
// server that is not AWS; "" if it is not known.
func (s *Store) region(configured string) string {
	if region := cmp.Or(configured, arnRegion(s.opts.Bucket)); region != "" || s.opts.Endpoint == "" {
		return region
	}
	return "us-east-1"
}

// configure sets what the client does differently from the SDK's defaults.
func (s *Store) configure(o *awss3.Options) {
	o.Credentials = s.credentials
	o.HTTPSignerV4 = &signer{}
	o.HTTPClient = &http.Client{
		Transport: s.transport,
		// A redirect is an error to tell: the signature is not
		// valid elsewhere, and the credentials are not for there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	o.Retryer = aws.NopRetryer{}
	// No "Expect: 100-continue": some servers refuse it with 417, and its
	// use is lost, since requests of the SDK have no protocol version and
	// net/http waits for the answer only in version 1.1.
	o.ContinueHeaderThresholdBytes = -1
	// "When supported" would send checksums in a trailer, which many
	// servers refuse, and want them back. Put sends its own.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	isARN := strings.HasPrefix(s.opts.Bucket, "arn:") // which has no path style, and names its region
	o.UsePathStyle = s.opts.PathStyle && !isARN
	o.UseARNRegion = isARN
	o.AppID = "logfast"
	if s.opts.Endpoint != "" {
		o.BaseEndpoint = &s.opts.Endpoint
	}
}

// noRegion says that no region is set.
type noRegion struct{}

func (noRegion) Error() string {
	return "no region: neither AWS_REGION nor a configuration file names the bucket's region. " + noRegion{}.Remedy() +
		"."
}

// Remedy says what to set.
func (noRegion) Remedy() string {
	return "Set it: AWS_REGION=eu-central-1, or region in /etc/logfast/config; " +
		"with a store other than AWS, set AWS_ENDPOINT_URL_S3"
}

// Close closes the connections that are idle. The store stays usable.
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

func (o Options) check() error {
	if o.Bucket == "" {
		return errors.New("no bucket")
	}
	if bucket, prefix, isARN, err := CutARN(o.Bucket); isARN && (err != nil || bucket != o.Bucket || prefix != "") {
		return fmt.Errorf("the bucket %q: %w", o.Bucket, errARN)
	}
	if !slices.Contains(acls, o.ACL) {
		return fmt.Errorf("the ACL %q is not among those for logs: %s", o.ACL, strings.Join(acls[1:], ", "))
	}
	if o.Prefix != "" {
		name, ok := strings.CutSuffix(o.Prefix, "/")
		if !ok {
			return fmt.Errorf("the prefix %q does not end in a slash", o.Prefix)
		}
		if err := store.CheckKey(name); err != nil {
			return fmt.Errorf("the prefix %q: %w", o.Prefix, err)
		}
	}
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" ||
			u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			// Not repeated: it may hold a password.
			return errors.New("the endpoint is not a plain URL such as https://minio.example:9000")
		}
	}
	switch types.ServerSideEncryption(o.SSE) {
	case "", types.ServerSideEncryptionAes256:
		if o.SSEKMSKeyID != "" {
			return fmt.Errorf("a KMS key needs the encryption %q, not %q", types.ServerSideEncryptionAwsKms, o.SSE)
		}
	case types.ServerSideEncryptionAwsKms, types.ServerSideEncryptionAwsKmsDsse:
	default:
		return fmt.Errorf("unknown encryption %q", o.SSE)
	}
	return nil
}

// acls are the canned ACLs that an object may get: none that makes it public.
var acls = []string{"", "private", "bucket-owner-full-control", "bucket-owner-read", "aws-exec-read"}

// url is how errors name a key.
func (s *Store) url(key string) string { return s.opts.URL(key) }
