package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// ServerTime asks the bucket's server what time it is, to a second. Any answer
// tells it, a refusal too; the error says that there was none.
func (s *Store) ServerTime(ctx context.Context) (time.Time, error) {
	out, err := s.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &s.opts.Bucket})
	if err == nil {
		if at, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
			return at, nil
		}
		return time.Time{}, errors.New("the server does not say what time it is")
	}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		if at, parseErr := http.ParseTime(answer.Response.Header.Get("Date")); parseErr == nil {
			return at, nil
		}
	}
	if answer != nil { // to a HEAD there is no text; that of another answer says more
		if _, listErr := s.client.ListObjectsV2(ctx,
			&awss3.ListObjectsV2Input{Bucket: &s.opts.Bucket, MaxKeys: aws.Int32(1)}); listErr != nil {
			err = listErr
		}
	}
	return time.Time{}, fmt.Errorf("ask %s for the time: %w", s.url(""), s.explain(ctx, err))
}

// Credentials tells where the credentials come from, the access key's id, and
// when they are over; zero: never.
func (s *Store) Credentials(ctx context.Context) (source, id string, expires time.Time, err error) {
	c, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return "", "", time.Time{}, s.explain(ctx, err)
	}
	if c.CanExpire {
		expires = c.Expires
	}
	return c.Source, c.AccessKeyID, expires, nil
}

// Delete removes an object as [store.Deleter] says.
func (s *Store) Delete(ctx context.Context, key string) error {
	out, err := s.client.DeleteObject(ctx,
		&awss3.DeleteObjectInput{Bucket: &s.opts.Bucket, Key: aws.String(s.opts.Prefix + key)})
	if err != nil {
		return fmt.Errorf("delete %s: %w", s.url(key), s.explain(ctx, err))
	}
	s.learned.sawVersion(out.VersionId) // of the delete marker
	return nil
}
