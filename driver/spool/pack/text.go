package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// Text is the text of a packed file, to be read at any place. It keeps the
// stripe that it unpacked last, and belongs to one goroutine. It finds out that
// a stripe has the wrong length, but not that its bytes are wrong: the file's
// checksum is of the whole.
type Text struct {
	packed io.ReaderAt
	end    int64 // of the last stripe
	index  []int64
	size   int64 // of the text

	stripe int // whose text is in data
	data   []byte
}

// ErrIndex: the index is not this file's.
var ErrIndex = errors.New("the index does not fit the packed file")

// NewText returns the text of size bytes that the packed file, which has
// packedSize bytes, unpacks to; index is what the Writer's Index returned.
func NewText(packed io.ReaderAt, packedSize int64, index []int64, size int64) (*Text, error) {
	t := &Text{packed: packed, end: packedSize - int64(len(final)) - 8, index: index, size: size, stripe: -1}
	if want := (size + StripeSize - 1) / StripeSize; int64(len(index)) != want {
		return nil, fmt.Errorf("%w: %d stripes, not %d", ErrIndex, len(index), want)
	}
	from := int64(len(header))
	for i, at := range index {
		if i == 0 && at != from || at < from || at >= t.end {
			return nil, fmt.Errorf("%w: stripe %d begins at %d", ErrIndex, i, at)
		}
		from = at + 1
	}
	return t, nil
}

// Size is how many bytes the text has.
func (t *Text) Size() int64 { return t.size }

// ReadAt implements io.ReaderAt.
func (t *Text) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d", off)
	}
	for n < len(p) {
		if off >= t.size {
			return n, io.EOF
		}
		if err := t.load(int(off / StripeSize)); err != nil {
			return n, err
		}
		got := copy(p[n:], t.data[off%StripeSize:])
		n, off = n+got, off+int64(got)
	}
	return n, nil
}

// From returns a reader of the text from an offset on. It unpacks what it reads,
// and what is before that in the same stripe. It keeps no stripe.
func (t *Text) From(offset int64) (io.Reader, error) {
	t.stripe, t.data = -1, nil
	if offset >= t.size {
		return bytes.NewReader(nil), nil
	}
	from := t.index[offset/StripeSize]
	z := flate.NewReader(io.NewSectionReader(t.packed, from, t.end+int64(len(final))-from))
	if _, err := io.CopyN(io.Discard, z, offset%StripeSize); err != nil {
		return nil, fmt.Errorf("unpack stripe %d: %w", offset/StripeSize, err)
	}
	return io.LimitReader(z, t.size-offset), nil
}

// NewReader returns what a packed text unpacks to, from its start. It reads all
// members of the file, and finds out if bytes are wrong.
func NewReader(packed io.Reader) (io.Reader, error) { return gzip.NewReader(packed) }

// load unpacks a stripe.
func (t *Text) load(stripe int) error {
	if t.stripe == stripe {
		return nil
	}
	from, to := t.index[stripe], t.end
	if stripe+1 < len(t.index) {
		to = t.index[stripe+1]
	}
	length := min(StripeSize, t.size-int64(stripe)*StripeSize)
	if int64(cap(t.data)) < length {
		t.data = make([]byte, length)
	}
	t.stripe, t.data = -1, t.data[:length]
	z := flate.NewReader(io.NewSectionReader(t.packed, from, to-from))
	if _, err := io.ReadFull(z, t.data); err != nil {
		return fmt.Errorf("unpack stripe %d: %w", stripe, err)
	}
	// It has no end of its own: the next byte is beyond what it has.
	var more [1]byte
	if n, err := z.Read(more[:]); n > 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: stripe %d is longer", ErrIndex, stripe)
	}
	t.stripe = stripe
	return nil
}
