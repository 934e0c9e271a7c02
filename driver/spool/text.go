package spool

import (
	"errors"
	"io"

	"github.com/logfast/logfast/driver/spool/pack"
)

// Text is the text of a segment, unpacked, wherever the segment is kept. It
// belongs to one goroutine. Close it.
type Text struct {
	State State // Packed or later: the file is packed

	file    io.ReaderAt
	size    int64      // of the file
	stripes *pack.Text // nil: the file is not packed, or its index is not known
}

// NewText returns the text in a file of so many bytes, which Close closes if it
// is an io.Closer. If the file is packed, m may have its index.
func NewText(file io.ReaderAt, size int64, state State, m *Meta) *Text {
	t := &Text{State: state, file: file, size: size}
	if state >= Packed && m != nil && m.Index != nil {
		if stripes, err := pack.NewText(file, size, m.Index, m.Bytes); err == nil {
			t.stripes = stripes
		}
	}
	return t
}

// OpenText opens the text of a segment of Segments, in whatever state it is by
// now; m is what is known about it. The text of an active segment ends where its
// file ends now. os.ErrNotExist: the segment was pruned.
func (s *Spool) OpenText(seg Segment, m *Meta) (*Text, error) {
	f, state, err := s.OpenForReading(seg)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if state >= Packed && (m == nil || m.Index == nil) { // it was not packed yet
		if now, err := s.Look(seg); err == nil {
			m = now
		}
	}
	return NewText(f, fi.Size(), state, m), nil
}

// At returns the text for reading at any place, and its size. It is nil if the
// text can be read from its start alone: a packed file without its index.
func (t *Text) At() (text io.ReaderAt, size int64) {
	switch {
	case t.stripes != nil:
		return t.stripes, t.stripes.Size()
	case t.State >= Packed:
		return nil, 0
	}
	return t.file, t.size
}

// From returns a reader of the text from an offset on. What is before that is
// unpacked if the index is not known, and else up to a stripe of it.
func (t *Text) From(offset int64) (io.Reader, error) {
	packed := io.NewSectionReader(t.file, 0, t.size)
	switch {
	case t.State < Packed:
		_, err := packed.Seek(offset, io.SeekStart)
		return packed, err
	case t.stripes != nil && offset > 0:
		return t.stripes.From(offset)
	}
	r, err := pack.NewReader(packed)
	if err == nil {
		_, err = io.CopyN(io.Discard, r, offset)
	}
	return r, err
}

// Close closes the file, to which nothing was written.
func (t *Text) Close() {
	if c, ok := t.file.(io.Closer); ok {
		_ = c.Close()
	}
}
