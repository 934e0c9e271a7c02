package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // it is what S3's ETag is
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/logfast/logfast/driver/store"
)

// confirm returns nil when the server has proved that it holds the object: a
// status of 200 proves nothing, since every login page of a network answers that.
//
// Proof is the SHA-256 in the answer, an ETag that is the MD5 of the bytes, or a
// HEAD that shows the object's size and our metadata. The first put of a store
// is confirmed by a HEAD in any case. If the right to read is missing
// (s3:GetObject), what the answer to the put proves is enough.
//
// It also reports whether a HEAD has shown the object with our metadata.
func (s *Store) confirm(ctx context.Context, key string, attrs store.Attributes, content io.ReadSeeker,
	out *awss3.PutObjectOutput) (seen bool, err error) {
	proved, err := proof(attrs, content, out)
	if err != nil || proved && s.confirmed.Load() {
		return false, err
	}
	head, err := s.Head(ctx, key)
	if err != nil {
		return false, s.unseen(ctx, err, proved)
	}
	if wrong := differs(head, attrs, proved); wrong != "" {
		return false, fmt.Errorf("%w: %w", store.ErrBlocked,
			&notS3{"it answered the put with success, and a HEAD of the object shows " + wrong})
	}
	s.confirmed.Store(true)
	if head.SHA256 == [32]byte{} {
		s.learned.sawBare()
	}
	return head.SHA256 == attrs.SHA256, nil
}

// unseen says what it means for a put that the object could not be looked at.
func (s *Store) unseen(ctx context.Context, refused error, proved bool) error {
	switch {
	case ctx.Err() != nil && !proved:
		return refused
	case errors.Is(refused, store.ErrNotFound):
		return fmt.Errorf("%w: %w", store.ErrBlocked,
			&notS3{"it answered the put with success, and a HEAD finds no such object"})
	case proved:
		// Without the right to read, or while the server is busy. The latter
		// is asked again with the next put.
		if errors.Is(refused, store.ErrBlocked) {
			s.confirmed.Store(true)
		}
		return nil
	}
	return fmt.Errorf("the answer to the put has neither the object's checksum nor its MD5 as ETag, and a HEAD to "+
		"confirm it failed; "+
		"allow s3:GetObject, and check that the endpoint is an S3 server: %w", refused)
}

// proof reports whether the answer to a put proves that the server has the bytes
// of content. An answer that proves that it has others is an error.
func proof(attrs store.Attributes, content io.ReadSeeker, out *awss3.PutObjectOutput) (bool, error) {
	if sum := aws.ToString(out.ChecksumSHA256); sum != "" {
		if want := base64.StdEncoding.EncodeToString(attrs.SHA256[:]); sum != want {
			return false, fmt.Errorf("the server says that it stored bytes with the SHA-256 %s, not %s: they were "+
				"changed on the way, or the server is faulty",
				plain(sum, 60), want)
		}
		return true, nil
	}
	etag := strings.Trim(strings.TrimPrefix(aws.ToString(out.ETag), "W/"), `"`)
	if len(etag) != hex.EncodedLen(md5.Size) {
		return false, nil
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	h := md5.New() //nolint:gosec // likewise
	if _, err := io.Copy(h, content); err != nil {
		return false, err
	}
	// Another ETag of this length is no contradiction: with encryption by KMS
	// it is not the MD5.
	return strings.EqualFold(etag, hex.EncodeToString(h.Sum(nil))), nil
}

// differs says what a HEAD shows that is not the object that was put, or nothing.
// A server that keeps no metadata is believed if the put was proved otherwise.
func differs(head, attrs store.Attributes, proved bool) string {
	unknown := head.SHA256 == [32]byte{}
	switch {
	case head.Size >= 0 && head.Size != attrs.Size:
		return fmt.Sprintf("%d bytes, not %d", head.Size, attrs.Size)
	case unknown && !proved:
		return "none of its metadata, and there was neither checksum nor MD5"
	case !unknown && head.SHA256 != attrs.SHA256:
		return fmt.Sprintf("an object with the SHA-256 %x, not %x", head.SHA256, attrs.SHA256)
	}
	return ""
}
