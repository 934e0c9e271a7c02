package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/logfast/logfast/driver/store"
)

// Head returns an object's attributes as Get would, without its bytes. It needs
// the same right, s3:GetObject.
func (s *Store) Head(ctx context.Context, key string) (store.Attributes, error) {
	if store.CheckKey(key) != nil {
		return store.Attributes{}, fmt.Errorf("head %s: %w", s.url(key), store.ErrNotFound)
	}
	out, err := s.client.HeadObject(ctx, &awss3.HeadObjectInput{
		Bucket: &s.opts.Bucket,
		Key:    aws.String(s.opts.Prefix + key),
	})
	if err != nil {
		return store.Attributes{}, fmt.Errorf("head %s: %w", s.url(key), s.explain(ctx, err))
	}
	return attributes(out.ContentLength, out.ContentType, out.Metadata), nil
}
