package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/logfast/logfast/driver/object"
)

// maxObject is the most bytes that one PutObject may bring:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const maxObject = 5 << 30

// digestName is the metadata in which an object's SHA-256 is, in hexadecimal.
// The checksum that the server keeps would do, but reading that takes the right
// to decrypt, and many servers keep none.
const digestName = "sha256-object"

// Put stores an object as [object.Store] says, in one PutObject, read from body
// once. More than 5 GiB are ErrInvalid. Where the key is taken it needs the
// right to read (s3:GetObject) to see by what.
//
// A put counts once the server has proved that it holds the object ([Store.confirm]);
// what answers 200 and is no S3 server is ErrBlocked.
//
// A clock that is wrong by 15 minutes or more is ErrBlocked, once: the SDK
// learns the difference from the refusal and signs by the server's clock then.
func (s *Store) Put(ctx context.Context, key string, body io.ReadSeeker, attrs object.Attributes) error {
	if err := s.put(ctx, key, body, attrs); err != nil {
		return fmt.Errorf("put %s: %w", s.url(key), err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, key string, body io.ReadSeeker, attrs object.Attributes) error {
	if err := s.check(key, attrs); err != nil {
		return err
	}
	content, err := window(body, attrs.Size)
	if err != nil {
		return err
	}
	metadata := map[string]string{digestName: hex.EncodeToString(attrs.SHA256[:])}
	maps.Copy(metadata, attrs.Metadata)
	out, err := s.client.PutObject(ctx, &awss3.PutObjectInput{
		Bucket:               &s.opts.Bucket,
		Key:                  aws.String(s.opts.Prefix + key),
		Body:                 content,
		ContentLength:        &attrs.Size,
		ContentType:          &attrs.ContentType,
		Metadata:             metadata,
		ChecksumSHA256:       aws.String(base64.StdEncoding.EncodeToString(attrs.SHA256[:])),
		IfNoneMatch:          aws.String("*"),
		ServerSideEncryption: types.ServerSideEncryption(s.opts.SSE),
		SSEKMSKeyId:          optional(s.opts.SSEKMSKeyID),
		StorageClass:         types.StorageClass(s.opts.StorageClass),
	}, signPayload(attrs.SHA256))
	if err == nil {
		return s.confirm(ctx, key, attrs, content, out)
	}
	if newFailure(err).status == http.StatusPreconditionFailed {
		return s.settle(ctx, key, attrs)
	}
	return s.explain(ctx, err)
}

func (s *Store) check(key string, attrs object.Attributes) error {
	if err := object.CheckKey(key); err != nil {
		return err
	}
	if err := attrs.Check(); err != nil {
		return err
	}
	if n := len(s.opts.Prefix) + len(key); n > object.MaxKey {
		return fmt.Errorf("%w: prefix and key have %d bytes, more than %d", object.ErrInvalid, n, object.MaxKey)
	}
	if _, taken := attrs.Metadata[digestName]; taken {
		return fmt.Errorf("%w: the metadata %s is the store's own", object.ErrInvalid, digestName)
	}
	if attrs.Size > maxObject {
		return fmt.Errorf("%w: it has %d bytes, and S3 takes at most %d (5 GiB) at once", object.ErrInvalid, attrs.Size, int64(maxObject))
	}
	return nil
}

// settle says whether the object that has the key already is the one to put.
func (s *Store) settle(ctx context.Context, key string, attrs object.Attributes) error {
	head, err := s.client.HeadObject(ctx, &awss3.HeadObjectInput{
		Bucket: &s.opts.Bucket,
		Key:    aws.String(s.opts.Prefix + key),
	})
	if err != nil {
		err = s.explain(ctx, err)
		if errors.Is(err, object.ErrNotFound) {
			return errors.New("the key was taken a moment ago and is free now")
		}
		return fmt.Errorf("the key is taken, and to see by what: %w", err)
	}
	if head.Metadata[digestName] == hex.EncodeToString(attrs.SHA256[:]) {
		return nil
	}
	return object.ErrExists
}

// Get opens an object as [object.Store] says. Reading it ends with ctx. Where
// the credentials may not list the bucket, S3 says of an object that does not
// exist that access is denied: ErrBlocked.
//
// The reader checks what it reads against the size and the SHA-256 that the
// server tells; bytes that are missing, left over or changed are an error. The
// size is -1 if the server does not tell it, neither here nor to a HEAD.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, object.Attributes, error) {
	if object.CheckKey(key) != nil {
		return nil, object.Attributes{}, fmt.Errorf("get %s: %w", s.url(key), object.ErrNotFound)
	}
	out, err := s.client.GetObject(ctx, &awss3.GetObjectInput{
		Bucket: &s.opts.Bucket,
		Key:    aws.String(s.opts.Prefix + key),
	})
	if err != nil {
		return nil, object.Attributes{}, fmt.Errorf("get %s: %w", s.url(key), s.explain(ctx, err))
	}
	attrs := attributes(out.ContentLength, out.ContentType, out.Metadata)
	if attrs.Size < 0 {
		if head, err := s.Head(ctx, key); err == nil {
			attrs.Size = head.Size
		}
	}
	return newChecked(out.Body, attrs), attrs, nil
}

// attributes makes them of what S3 says of an object; metadata is the caller's to
// give away.
func attributes(size *int64, contentType *string, metadata map[string]string) object.Attributes {
	attrs := object.Attributes{Size: -1, ContentType: aws.ToString(contentType), Metadata: metadata}
	if size != nil {
		attrs.Size = *size
	}
	if digest, err := hex.DecodeString(metadata[digestName]); err == nil && len(digest) == len(attrs.SHA256) {
		attrs.SHA256 = [32]byte(digest)
	}
	delete(metadata, digestName)
	return attrs
}

// window is the size bytes of body from its current position, as a reader that
// the SDK may rewind and whose length it sees.
func window(body io.ReadSeeker, size int64) (io.ReadSeeker, error) {
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	at, ok := body.(io.ReaderAt)
	if !ok {
		at = seekingReaderAt{body}
	}
	return io.NewSectionReader(at, start, size), nil
}

// seekingReaderAt is an io.ReaderAt for one goroutine.
type seekingReaderAt struct{ io.ReadSeeker }

func (r seekingReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if _, err := r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	return io.ReadFull(r, p)
}

// signPayload makes the signature cover the body by the digest that is known
// already. The SDK would read the body twice over http, and leave it out of the
// signature over https.
func signPayload(digest [32]byte) func(*awss3.Options) {
	return awss3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("SignPayload", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(digest[:])), in)
		}), middleware.After)
	})
}

// optional is nil for a zero value, which the SDK leaves out.
func optional[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}
