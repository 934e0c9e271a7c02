package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/internal/show"
)

// maxObject is the most bytes that one PutObject may bring:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const maxObject = 5 << 30

// digestName is the metadata in which an object's SHA-256 is, in hexadecimal.
// The checksum that the server keeps would do, but reading that takes the right
// to decrypt, and many servers keep none.
const digestName = "sha256-object"

func (s *Store) check(key string, attrs store.Attributes) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	if err := attrs.Check(); err != nil {
		return err
	}
	if n := len(s.opts.Prefix) + len(key); n > store.MaxKey {
		return fmt.Errorf("%w: prefix and key have %d bytes, more than %d", store.ErrInvalid, n, store.MaxKey)
	}
	if _, taken := attrs.Metadata[digestName]; taken {
		return fmt.Errorf("%w: the metadata %s is the store's own", store.ErrInvalid, digestName)
	}
	if attrs.Size > maxObject {
		return fmt.Errorf("%w: it has %d bytes, and S3 takes at most %d (5 GiB) at once", store.ErrInvalid, attrs.Size,
			int64(maxObject))
	}
	return nil
}

// Get opens an object as [store.Store] says. Reading it ends with ctx. Where
// the credentials may not list the bucket, S3 says of an object that does not
// exist that access is denied: ErrBlocked.
//
// The reader checks what it reads against the size and the SHA-256 that the
// server tells; bytes that are missing, left over or changed are an error. The
// size is -1 if the server does not tell it, neither here nor to a HEAD.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, store.Attributes, error) {
	if store.CheckKey(key) != nil {
		return nil, store.Attributes{}, fmt.Errorf("get %s: %w", s.url(key), store.ErrNotFound)
	}
	out, err := s.client.GetObject(ctx, &awss3.GetObjectInput{
		Bucket: &s.opts.Bucket,
		Key:    aws.String(s.opts.Prefix + key),
	})
	if err != nil {
		return nil, store.Attributes{}, fmt.Errorf("get %s: %w", s.url(key), s.archived(key, s.explain(ctx, err)))
	}
	attrs := attributes(out.ContentLength, out.ContentType, out.Metadata)
	if attrs.Size < 0 {
		if head, err := s.Head(ctx, key); err == nil {
			attrs.Size = head.Size
		}
	}
	return newChecked(out.Body, attrs), attrs, nil
}

// archived adds to an error that says so how the object is restored.
func (s *Store) archived(key string, err error) error {
	if !errors.Is(err, store.ErrArchived) {
		return err
	}
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrArchived,
		&archivedError{failure: f, command: "aws s3api restore-object --bucket " + show.Shell(s.opts.Bucket) +
			" --key " + show.Shell(s.opts.Prefix+
			key) + ` --restore-request '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'`})
}

// archivedError says that an object is in a storage class that cannot be read at
// once, such as Glacier.
type archivedError struct {
	*failure
	command string // that restores it
}

func (e *archivedError) Error() string {
	return fmt.Sprintf("%s (HTTP %d). %s.", e.code, e.status, e.Remedy())
}

// Remedy is the command that restores the object.
func (e *archivedError) Remedy() string {
	return "The store has moved the object to an archive storage class: restore it first, which takes minutes to " +
		"hours, and read it then: " + e.command
}

// attributes makes them of what S3 says of an object; metadata is the caller's to
// give away.
func attributes(size *int64, contentType *string, metadata map[string]string) store.Attributes {
	attrs := store.Attributes{Size: -1, ContentType: aws.ToString(contentType), Metadata: metadata}
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
