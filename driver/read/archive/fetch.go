package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
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

// Text opens a segment's text, unpacked, for one reading from its start. Close it.
func (a *Archive) Text(ctx context.Context, s *Segment) (io.ReadCloser, error) {
	r, _, err := a.text(ctx, s)
	return r, err
}

// text opens a segment's text, unpacked, and returns what is known of the
// segment now: as much as before, or more.
func (a *Archive) text(ctx context.Context, s *Segment) (io.ReadCloser, *Segment, error) {
	packed, s, err := a.open(ctx, s)
	if err != nil {
		return nil, s, err
	}
	r := bufio.NewReaderSize(packed, 64<<10)
	if magic, _ := r.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return closing{r, packed}, s, nil
	}
	z, err := gzip.NewReader(r) // which reads all members, one after another
	if err != nil {
		return nil, s, errors.Join(err, packed.Close())
	}
	return closing{z, packed}, s, nil
}

// closing closes what is below a reader.
type closing struct {
	io.Reader
	io.Closer
}

// open opens a segment as it is stored: where it is in the spool there, and
// what has left that since it was found, in the store.
func (a *Archive) open(ctx context.Context, s *Segment) (io.ReadCloser, *Segment, error) {
	if s.file != nil {
		return io.NopCloser(io.NewSectionReader(s.file, 0, s.Size)), s, nil
	}
	if s.File != "" {
		f, state, err := a.cfg.Spool.Open(s.spooled)
		switch {
		case err == nil && state == spool.Active:
			body, err := bounded(f)
			return body, s, err
		case err == nil:
			return f, s, nil
		case !errors.Is(err, os.ErrNotExist) || a.cfg.Store == nil || s.Key == "":
			return nil, s, err
		}
	}
	var body io.ReadCloser
	described := *s
	err := retry(ctx, func() (err error) {
		body, err = a.fetch(ctx, &described)
		return err
	})
	return body, &described, err
}

// bounded is a file up to the end that it has now.
func bounded(f *os.File) (io.ReadCloser, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return closing{io.LimitReader(f, fi.Size()), f}, nil
}

// fetch copies an object to here.
func (a *Archive) fetch(ctx context.Context, s *Segment) (io.ReadCloser, error) {
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
func (a *Archive) duplicate(body io.Reader, size, most int64) (io.ReadCloser, error) {
	var head bytes.Buffer
	if size >= 0 {
		head.Grow(int(min(size, inMemory)) + bytes.MinRead)
	}
	total, err := io.Copy(&head, io.LimitReader(body, min(most, inMemory)+1))
	if err != nil {
		return nil, fmt.Errorf("after %d bytes: %w", total, err)
	}
	if total <= inMemory || total > most {
		return io.NopCloser(bytes.NewReader(head.Bytes())), complete(total, size, most)
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
		return nil, fmt.Errorf("a temporary file in %s for what is fetched (for a command, TMPDIR names another directory): %w", dir, err)
	}
	return f, os.Remove(f.Name())
}
