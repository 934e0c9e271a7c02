package s3

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/logfast/logfast/driver/store"
)

// maxEmpty is how many pages of a listing in a row may bring no key.
const maxEmpty = 100

// List lists objects as [store.Store] says, a thousand at a request. Keys that
// break the rules, such as the "folders" that some tools make, are left out.
//
// The listing must be in order, as S3 promises of all but directory buckets:
// keys that do not increase, or a page that brings nothing new and says that more
// follows, end it with an error. A listing that never ends could not be told
// from one that does.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		l := &listing{prefix: s.opts.Prefix}
		if after != "" {
			l.after = s.opts.Prefix + after
		}
		for more := true; more; {
			page, err := s.client.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{
				Bucket:            &s.opts.Bucket,
				Prefix:            aws.String(s.opts.Prefix + prefix),
				StartAfter:        optional(l.after),
				ContinuationToken: optional(l.token),
				MaxKeys:           optional(s.pageSize),
			})
			if err != nil {
				yield(store.Entry{}, fmt.Errorf("list %s: %w", s.url(prefix), s.explain(ctx, err)))
				return
			}
			entries, again, err := l.read(page)
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Entry{}, fmt.Errorf("list %s: %w", s.url(prefix), err))
				return
			}
			more = again
		}
	}
}

// listing is how far a listing has come.
type listing struct {
	prefix string
	after  string // the last key, with the store's prefix
	token  string // of the next page, if the last one had no key
	empty  int    // pages in a row without a key
}

// read reads one page, and reports whether more follow. With an error it returns
// what was in order before that.
func (l *listing) read(page *awss3.ListObjectsV2Output) (entries []store.Entry, more bool, err error) {
	began := l.after
	for _, found := range page.Contents {
		entry, err := l.entry(found)
		if err != nil {
			return entries, false, err
		}
		if store.CheckKey(entry.Key) == nil {
			entries = append(entries, entry)
		}
	}
	if !aws.ToBool(page.IsTruncated) {
		return entries, false, nil
	}
	if l.after != began {
		l.token, l.empty = "", 0
		return entries, true, nil
	}
	next := aws.ToString(page.NextContinuationToken)
	if len(page.Contents) == 0 && next == "" {
		return entries, false, nil // some servers say so of a page that happens to be full
	}
	if l.empty++; next == "" || next == l.token || l.empty == maxEmpty {
		return entries, false, fmt.Errorf("after the key %q the server says again and again that more keys follow, "+
			"and names none: the listing would never end. "+
			"Check the endpoint, or ask its operator whether the server honours start-after and "+
			"continuation-token", plain(l.after, store.MaxKey))
	}
	l.token = next
	return entries, true, nil
}

// entry reads what is listed of one object. It fails if the listing is out of
// order.
func (l *listing) entry(found types.Object) (store.Entry, error) {
	key := aws.ToString(found.Key)
	switch {
	case !strings.HasPrefix(key, l.prefix):
		return store.Entry{}, fmt.Errorf("the server lists the key %q, which does not begin with %q as asked: it "+
			"does not answer like S3. Check the endpoint",
			plain(key, store.MaxKey), l.prefix)
	case key <= l.after && l.after != "":
		return store.Entry{}, fmt.Errorf("the server lists the key %q after %q: the listing repeats itself or is not "+
			"in order, and would be incomplete or without end. "+
			"Check that the server honours start-after, and that the bucket is no S3 directory bucket", plain(key,
			store.MaxKey), plain(l.after, store.MaxKey))
	case aws.ToInt64(found.Size) < 0:
		return store.Entry{}, fmt.Errorf("the server lists the key %q with %d bytes", plain(key, store.MaxKey),
			*found.Size)
	}
	l.after = key
	return store.Entry{
		Key:      key[len(l.prefix):],
		Size:     aws.ToInt64(found.Size),
		Modified: aws.ToTime(found.LastModified),
	}, nil
}
