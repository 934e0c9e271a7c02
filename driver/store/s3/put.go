package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // it is what Content-MD5 is
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/logfast/logfast/driver/store"
)

// Put stores an object as [store.Store] says, in one PutObject, read from body
// once. More than 5 GiB are ErrInvalid. If the key is taken it needs the right to
// read (s3:GetObject) to see by what.
//
// A put counts once the server has proved that it holds the object ([Store.confirm]);
// what answers 200 and is no S3 server is ErrBlocked.
//
// A server may refuse a header, or ignore If-None-Match. Put finds that out with the
// first puts, does without from then on, and says so by [Store.Learned].
//
// A clock that is wrong by 15 minutes or more is ErrBlocked, once: the SDK
// learns the difference from the refusal and signs by the server's clock then.
func (s *Store) Put(ctx context.Context, key string, body io.ReadSeeker, attrs store.Attributes) error {
	if err := s.put(ctx, key, body, attrs); err != nil {
		return fmt.Errorf("put %s: %w", s.url(key), err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, key string, body io.ReadSeeker, attrs store.Attributes) error {
	if err := s.check(key, attrs); err != nil {
		return err
	}
	content, err := window(body, attrs.Size)
	if err != nil {
		return err
	}
	p := &upload{s: s, key: key, attrs: attrs, content: content}
	return p.run(ctx)
}

// upload is one call of Put.
type upload struct {
	s       *Store
	key     string
	attrs   store.Attributes
	content io.ReadSeeker
	md5     string // of the content in base64, once it was needed
}

// errTaken says that the server holds an object with this key.
var errTaken = errors.New("the key is taken")

// run puts the object. Until it is known that the server honours If-None-Match, two
// puts of a key at once could overwrite each other: then the second one waits for
// what the first has learned.
func (p *upload) run(ctx context.Context) error {
	if !p.s.learned.excludes() {
		unlock, err := p.s.learned.keys.LockContext(ctx, p.key)
		if err != nil {
			return err
		}
		defer unlock()
	}
	m := p.s.learned.current()
	out, err := p.try(ctx, m)
	for _, other := range manners(m, err) {
		again, otherErr := p.try(ctx, other)
		if otherErr == nil || errors.Is(otherErr, errTaken) || errors.Is(otherErr, errStored) {
			p.s.learned.adopt(other)
		}
		if otherErr == nil || !refusesHeader(otherErr) {
			m, out, err = other, again, otherErr
			break
		}
	}
	switch {
	case errors.Is(err, errTaken):
		if !m.lookFirst {
			p.s.learned.honours()
		}
		return p.reconcile(ctx, m)
	case errors.Is(err, errStored):
		return nil
	case err != nil:
		return p.s.explain(ctx, err)
	}
	return p.stored(ctx, m, out)
}

// stored confirms a put that was answered with success. If it is not known yet what
// the server makes of If-None-Match, it then puts the same bytes again, which must
// be refused. That waits for a put that a HEAD has shown: without the right to read
// nothing could be done about a server that overwrites.
func (p *upload) stored(ctx context.Context, m manner, out *awss3.PutObjectOutput) error {
	p.s.learned.sawVersion(out.VersionId)
	seen, err := p.s.confirm(ctx, p.key, p.attrs, p.content, out)
	if err != nil || !seen || m.lookFirst || !p.s.learned.probe() {
		return err
	}
	switch again, err := p.send(ctx, m); {
	case err == nil:
		p.s.learned.ignores()
		p.s.learned.sawVersion(again.VersionId)
	case newFailure(err).status == http.StatusPreconditionFailed:
		p.s.learned.honours()
	}
	return nil // the object is there, whatever came of that
}

// errStored says that a HEAD before the put has found the same object.
var errStored = errors.New("the object is stored already")

// try makes the put in one manner. An error is errTaken, errStored, or the SDK's.
func (p *upload) try(ctx context.Context, m manner) (*awss3.PutObjectOutput, error) {
	if m.lookFirst {
		if err := p.look(ctx); err != nil {
			return nil, err
		}
	}
	out, err := p.send(ctx, m)
	if err != nil && newFailure(err).status == http.StatusPreconditionFailed {
		return nil, errTaken
	}
	return out, err
}

// look returns nil if the key is free, as far as can be seen. Without the right to
// read it cannot be seen, and the put goes on.
func (p *upload) look(ctx context.Context) error {
	head, err := p.head(ctx)
	switch {
	case err == nil && p.same(head):
		return errStored
	case err == nil:
		return p.taken(head)
	}
	if f := newFailure(err); f.status == http.StatusNotFound || f.status == http.StatusForbidden {
		return nil
	}
	return err
}

// taken is the error for a key that another object has, which a HEAD shows. If the
// server keeps no metadata, an object without any may be anybody's.
func (p *upload) taken(head *awss3.HeadObjectOutput) error {
	if len(head.Metadata) == 0 && p.s.learned.unmarked() {
		return store.ErrExists
	}
	return &store.TakenError{By: attributes(head.ContentLength, head.ContentType, head.Metadata)}
}

// same reports whether the object that a HEAD shows is the one to put: by our
// metadata, or, in a store that keeps none, by its size and an ETag that is the MD5.
func (p *upload) same(head *awss3.HeadObjectOutput) bool {
	if digest := head.Metadata[digestName]; digest != "" {
		return digest == hex.EncodeToString(p.attrs.SHA256[:])
	}
	if aws.ToInt64(head.ContentLength) != p.attrs.Size || head.ETag == nil {
		return false
	}
	sum, err := p.sumMD5()
	binary, _ := base64.StdEncoding.DecodeString(sum)
	return err == nil && strings.EqualFold(strings.Trim(*head.ETag, `"`), hex.EncodeToString(binary))
}

func (p *upload) head(ctx context.Context) (*awss3.HeadObjectOutput, error) {
	return p.s.client.HeadObject(ctx, &awss3.HeadObjectInput{
		Bucket: &p.s.opts.Bucket,
		Key:    aws.String(p.s.opts.Prefix + p.key),
	})
}

// reconcile says whether the object that has the key already is the one to put.
//
// The server may say that a key is taken of which a HEAD finds nothing: another put
// was undone, or the bucket keeps versions and the latest is a delete marker, which
// some servers count as an object. Then the put is tried again, and at last without
// the condition.
func (p *upload) reconcile(ctx context.Context, m manner) error {
	for _, m := range []manner{m, {md5: m.md5, lookFirst: true}} {
		head, err := p.head(ctx)
		if err == nil {
			if p.same(head) {
				return nil
			}
			return p.taken(head)
		}
		if err = p.s.explain(ctx, err); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("the key is taken, and to see by what: %w", err)
		}
		out, err := p.try(ctx, m)
		switch {
		case err == nil:
			p.s.learned.sawVersion(out.VersionId)
			_, err := p.s.confirm(ctx, p.key, p.attrs, p.content, out)
			return err
		case errors.Is(err, errStored):
			return nil
		case !errors.Is(err, errTaken):
			return p.s.explain(ctx, err)
		}
	}
	return errors.New("the key was taken a moment ago and is free now")
}

// send makes one PutObject.
func (p *upload) send(ctx context.Context, m manner) (*awss3.PutObjectOutput, error) {
	if _, err := p.content.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	metadata := map[string]string{digestName: hex.EncodeToString(p.attrs.SHA256[:])}
	maps.Copy(metadata, p.attrs.Metadata)
	in := &awss3.PutObjectInput{
		Bucket:               &p.s.opts.Bucket,
		Key:                  aws.String(p.s.opts.Prefix + p.key),
		Body:                 p.content,
		ContentLength:        &p.attrs.Size,
		ContentType:          &p.attrs.ContentType,
		Metadata:             metadata,
		ACL:                  types.ObjectCannedACL(p.s.opts.ACL),
		ServerSideEncryption: types.ServerSideEncryption(p.s.opts.SSE),
		SSEKMSKeyId:          optional(p.s.opts.SSEKMSKeyID),
		StorageClass:         types.StorageClass(p.s.opts.StorageClass),
	}
	if m.md5 {
		sum, err := p.sumMD5()
		if err != nil {
			return nil, err
		}
		in.ContentMD5 = &sum
	} else {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(p.attrs.SHA256[:]))
	}
	if !m.lookFirst {
		in.IfNoneMatch = aws.String("*")
	}
	return p.s.client.PutObject(ctx, in, signPayload(p.attrs.SHA256))
}

func (p *upload) sumMD5() (string, error) {
	if p.md5 != "" {
		return p.md5, nil
	}
	h := md5.New() //nolint:gosec // likewise
	if _, err := p.content.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := io.Copy(h, p.content); err != nil {
		return "", err
	}
	p.md5 = base64.StdEncoding.EncodeToString(h.Sum(nil))
	_, err := p.content.Seek(0, io.SeekStart)
	return p.md5, err
}

// manners are the other ways of a put that are worth trying after it was refused as
// m; none if it was not, or if the refusal is about something else.
func manners(m manner, refused error) []manner {
	if refused == nil || errors.Is(refused, errTaken) || !refusesHeader(refused) {
		return nil
	}
	f := newFailure(refused)
	sum, look, both := m, m, m
	sum.md5, look.lookFirst, both.md5, both.lookFirst = true, true, true, true
	all := []manner{sum, look, both}
	if aboutCondition(strings.ToLower(f.message)) && !aboutChecksum(strings.ToLower(f.message)) {
		all = []manner{look, sum, both}
	}
	all = slices.DeleteFunc(all, func(other manner) bool { return other == m })
	return slices.Compact(all)
}

// refusesHeader reports whether a refusal of a put may be about one of its headers.
// Servers say so with many codes; those that mean something else are excluded.
func refusesHeader(err error) bool {
	f := newFailure(err)
	switch f.status {
	case http.StatusNotImplemented:
		return true
	case http.StatusBadRequest:
		if f.code == "MissingContentMD5" || f.code == "InvalidDigest" {
			return true
		}
		return remedyOf[f.code] == "" && !slices.Contains(notAboutHeaders, f.code) &&
			f.scheme() == "" && !errors.Is(f.kind(), store.ErrInvalid)
	}
	return false
}

// notAboutHeaders are codes of a refusal with 400 that no other header helps, and
// that have no remedy.
var notAboutHeaders = []string{
	"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "IncompleteBody", "RequestTimeout",
	"RequestHeaderSectionTooLarge", "InvalidURI", "KMS.ThrottlingException", "EntityTooSmall",
	"MissingRequestBodyError",
}
