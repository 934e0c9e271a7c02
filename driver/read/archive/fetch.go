package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/spool"
)

// inMemory is the largest object that is kept in memory until it is unpacked,
// in bytes. Larger ones are copied to a nameless temporary file: a connection
// that waits for its turn among hundreds would be cut.
const inMemory = 512 << 10

// maxObject is the largest object that is fetched if no listing has told its
// size: what S3 takes in one put.
const maxObject = 5 << 30

// Text opens a segment's text. Close it.
func (a *Archive) Text(ctx context.Context, s *Segment) (*spool.Text, error) {
	t, _, err := a.text(ctx, s)
	return t, err
}

// text opens a segment's text: if the segment is in the spool there, and what has
// left that since it was found, in the store. It returns what is known of the
// segment now: as much as before, or more.
func (a *Archive) text(ctx context.Context, s *Segment) (*spool.Text, *Segment, error) {
	if s.file != nil {
		return spool.NewText(io.NewSectionReader(s.file, 0, s.Size), s.Size, spool.Active, nil), s, nil
	}
	if s.File != "" {
		t, err := a.cfg.Spool.OpenText(s.spooled, s.meta)
		if err == nil || !errors.Is(err, os.ErrNotExist) || a.cfg.Store == nil || s.Key == "" {
			return t, s, err
		}
	}
	var f file
	described := *s
	err := retry(ctx, func() (err error) {
		f, err = a.fetch(ctx, &described)
		return err
	})
	if err != nil {
		return nil, &described, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, &described, errors.Join(err, f.Close())
	}
	var magic [2]byte
	state := spool.Sealed
	if n, _ := f.ReadAt(magic[:], 0); n == 2 && magic == [2]byte{0x1f, 0x8b} {
		state = spool.Uploaded
	}
	meta := s.meta
	if meta == nil && described.stripes != nil {
		meta = &spool.Meta{Bytes: described.Bytes, Index: described.stripes}
	}
	return spool.NewText(f, size, state, meta), &described, nil
}

// file is an object, here.
type file interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// memory is a small one.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// fetch copies an object to here.
func (a *Archive) fetch(ctx context.Context, s *Segment) (file, error) {
	body, attrs, err := a.cfg.Store.Get(ctx, s.Key)
	if err != nil {
		return nil, err
	}
	if !s.described {
		a.describe(s, attrs)
	}
	if f, ok := body.(*os.File); ok {
		return f, nil
	}
	defer body.Close()
	most := int64(maxObject)
	if s.File == "" && s.Size > 0 { // its size stood in the listing, and objects never change
		most = s.Size
	}
	if attrs.Size > most {
		return nil, fmt.Errorf("get %s: the store lists it with %d bytes and sends %d", s.Key, most, attrs.Size)
	}
	copied, err := a.duplicate(body, attrs.Size, most)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", s.Key, err)
	}
	return copied, nil
}

// duplicate copies a body to here, of so many bytes (negative: unknown) and never
// more than most.
func (a *Archive) duplicate(body io.Reader, size, most int64) (file, error) {
	var head bytes.Buffer
	if size >= 0 {
		head.Grow(int(min(size, inMemory)) + bytes.MinRead)
	}
	total, err := io.Copy(&head, io.LimitReader(body, min(most, inMemory)+1))
	if err != nil {
		return nil, fmt.Errorf("after %d bytes: %w", total, err)
	}
	if total <= inMemory || total > most {
		return memory{bytes.NewReader(head.Bytes())}, complete(total, size, most)
	}
	if a.cfg.CheckSpace != nil {
		needed := most // as much as may come
		if size >= 0 {
			needed = size
		}
		if err := a.cfg.CheckSpace(needed); err != nil {
			return nil, err
		}
	}
	f, err := nameless(cmp.Or(a.cfg.Temp, os.TempDir()))
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(f, io.MultiReader(&head, io.LimitReader(body, most+1-total)))
	if err == nil {
		err = complete(n, size, most)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("after %d bytes: %w", n, err), f.Close())
	}
	return f, nil
}

// complete returns an error unless total is all of an object.
func complete(total, size, most int64) error {
	switch {
	case total > most:
		return fmt.Errorf("the store sends more than the %d bytes that it lists", most)
	case size >= 0 && total != size:
		return fmt.Errorf("%d bytes of %d: %w", total, size, io.ErrUnexpectedEOF)
	}
	return nil
}

// nameless opens a temporary file that goes with its last reader, however the
// process ends.
func nameless(dir string) (*os.File, error) {
	if fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600); err == nil {
		return os.NewFile(uintptr(fd), dir+"/logfast"), nil
	}
	f, err := os.CreateTemp(dir, "logfast") // some file systems know no O_TMPFILE
	if err != nil {
		return nil, fmt.Errorf("a temporary file in %s for what is fetched (for a command, TMPDIR names another "+
			"directory): %w", dir, err)
	}
	return f, os.Remove(f.Name())
}
