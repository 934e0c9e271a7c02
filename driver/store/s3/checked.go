package s3

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/logfast/logfast/driver/store"
)

// checked reads an object and compares it with what is known of it. It reports
// a difference with the last byte, not after it: some readers do not ask for the
// end.
type checked struct {
	io.ReadCloser
	want store.Attributes
	sum  hash.Hash // nil: the SHA-256 is not known, or was compared
	read int64
}

func newChecked(body io.ReadCloser, want store.Attributes) *checked {
	c := &checked{ReadCloser: body, want: want}
	if want.SHA256 != [sha256.Size]byte{} {
		c.sum = sha256.New()
	}
	return c
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read += int64(n)
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	switch over := errors.Is(err, io.EOF); {
	case err != nil && !over:
		return n, fmt.Errorf("after %d bytes: %w", c.read, err)
	case c.want.Size >= 0 && c.read > c.want.Size:
		return n, fmt.Errorf("the object has more than the %d bytes that the server names: %w", c.want.Size,
			io.ErrUnexpectedEOF)
	case over && c.want.Size >= 0 && c.read < c.want.Size:
		return n, fmt.Errorf("the object ends after %d bytes of %d: %w", c.read, c.want.Size, io.ErrUnexpectedEOF)
	case (over || c.read == c.want.Size) && c.sum != nil:
		sum := [sha256.Size]byte(c.sum.Sum(nil))
		c.sum = nil
		if sum != c.want.SHA256 {
			return n, fmt.Errorf("the object's bytes have the SHA-256 %x, and %x was put: they were changed, or cut, "+
				"in the store or on the way", sum, c.want.SHA256)
		}
	}
	return n, err
}
