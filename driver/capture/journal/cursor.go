package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
)

// Intent is a batch that is about to be written, or was: where its text goes
// and which bytes of the FIFO it comes from. After a crash it says what of the
// FIFO's head is in the segment already.
type Intent struct {
	Began  int64  // time of the active segment's first record, nanoseconds since 1970; 0 in a new segment
	Offset int64  // of the text in the active segment
	Text   int64  // bytes
	Frames int64  // bytes at the FIFO's head
	Sum    uint32 // of the frames, which hold times in nanoseconds, see Sum
}

// Sum is the CRC-32C of a batch's frames.
func Sum(frames []byte) uint32 { return crc32.Checksum(frames, castagnoli) }

// At reports whether the batch's frames are those at the FIFO's head.
func (i *Intent) At(head []byte) bool {
	return int64(len(head)) >= i.Frames && Sum(head[:i.Frames]) == i.Sum
}

// Cursor keeps a stream's last intent in a file. It is written in place and
// not synced: it must outlive this process, but not the kernel. With the kernel
// what was in the FIFO is gone as well, and [Journal.Load] forgets the stream.
//
// The zero Cursor has no file. It is that of a stream that is not registered, and
// [Cursor.Attach] gives it a file later. Get reads the file and comes before all
// writes; the other methods may be called concurrently.
type Cursor struct {
	// mu guards what follows. It is held while the file is written or made anew, so
	// that the file and image do not differ. No other lock is taken meanwhile.
	mu     sync.Mutex
	file   *os.File                          // nil: there is none yet
	image  [missingAt + 4 + missingMost]byte // of the file
	size   int                               // of image, bytes
	closed bool
}

// A cursor file: five numbers and the sum of all before, little-endian.
const cursorSize = 8 + 8 + 8 + 8 + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Close closes the file. What is written from then on is refused.
func (c *Cursor) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// allocate takes the room of the whole file from the disk, so that no later write needs any.
func (c *Cursor) allocate() error {
	err := unix.Fallocate(int(c.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, int64(len(c.image)))
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// Registered reports whether the stream is registered: the cursor has a file.
func (c *Cursor) Registered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file != nil
}

// Attach gives c, which has no file, that of another cursor. It returns
// [os.ErrClosed] if c was closed.
//
//	write what c holds   killed here, or before: the entry is there and its cursor is
//	                     empty; resume compares the text with the FIFO's head
func (c *Cursor) Attach(to *Cursor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return os.ErrClosed
	}
	if _, err := to.file.WriteAt(c.image[:c.size], 0); err != nil {
		return err
	}
	c.file = to.file
	return nil
}

// write replaces bytes of the file.
func (c *Cursor) write(b []byte, at int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return os.ErrClosed
	case c.file != nil:
		if _, err := c.file.WriteAt(b, int64(at)); err != nil {
			return err
		}
	}
	copy(c.image[at:], b)
	c.size = max(c.size, at+len(b))
	return nil
}

// ensureLocked makes the file anew, with the same bytes, if the name is not the
// open file's any more.
func (c *Cursor) ensureLocked(root durable.Root, name string) (renewed bool, err error) {
	open, err := c.file.Stat()
	if err != nil {
		return false, err
	}
	if named, err := root.Lstat(name); err == nil && os.SameFile(named, open) {
		return false, nil
	}
	var b [missingAt + 4 + missingMost]byte
	n, err := c.file.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return true, err
	}
	if err := durable.WriteFile(root, name, b[:n], 0o600); err != nil {
		return true, err
	}
	f, err := durable.OpenRegular(root, name, os.O_RDWR, 0)
	if err != nil {
		return true, err
	}
	c.file.Close() // all of it is in the new one
	c.file = f
	return true, nil
}

// Set replaces the intent, with one write(2) within a page: a process that is
// killed meanwhile has written all or none.
func (c *Cursor) Set(i Intent) error {
	b := make([]byte, 0, cursorSize)
	b = binary.LittleEndian.AppendUint64(b, uint64(i.Began))
	b = binary.LittleEndian.AppendUint64(b, uint64(i.Offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(i.Text))
	b = binary.LittleEndian.AppendUint64(b, uint64(i.Frames))
	b = binary.LittleEndian.AppendUint32(b, i.Sum)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if err := c.write(b, 0); err != nil {
		return fmt.Errorf("note what is to be written: %w", err)
	}
	return nil
}

// nothing reports whether a file holds nothing yet: a power cut leaves NUL bytes.
func nothing(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// Get returns the last intent; ok is false if there is none.
func (c *Cursor) Get() (i Intent, ok bool, err error) {
	var buf [cursorSize]byte
	n, err := c.file.ReadAt(buf[:], 0)
	if n == 0 && errors.Is(err, io.EOF) {
		return i, false, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return i, false, fmt.Errorf("read a stream's cursor: %w", err)
	}
	b := buf[:]
	if nothing(b[:n]) {
		return i, false, nil
	}
	if n < cursorSize || binary.LittleEndian.Uint32(b[cursorSize-4:]) != crc32.Checksum(b[:cursorSize-4], castagnoli) {
		return i, false, errors.New("read a stream's cursor: it is damaged")
	}
	return Intent{
		Began:  int64(binary.LittleEndian.Uint64(b)),
		Offset: int64(binary.LittleEndian.Uint64(b[8:])),
		Text:   int64(binary.LittleEndian.Uint64(b[16:])),
		Frames: int64(binary.LittleEndian.Uint64(b[24:])),
		Sum:    binary.LittleEndian.Uint32(b[32:]),
	}, true, nil
}

// Behind its intent a cursor keeps what the stream has discarded and not marked:
// a sum and a record.Lost as JSON, in the same page. Without any it ends before.
const missingAt, missingMost = 64, 512

// SetMissing replaces what is missing; nothing is if it has no bytes.
func (c *Cursor) SetMissing(l *record.Lost) error {
	data := []byte{}
	if l.Bytes > 0 {
		var err error
		if data, err = json.Marshal(l); err != nil {
			return err
		}
	}
	var b [4 + missingMost]byte // all of it, so that nothing of a longer one stays
	if len(data) > missingMost {
		return errors.New("note what is missing: it is too long")
	}
	copy(b[4:], data)
	binary.LittleEndian.PutUint32(b[:], crc32.Checksum(b[4:], castagnoli))
	if err := c.write(b[:], missingAt); err != nil {
		return fmt.Errorf("note what is missing: %w", err)
	}
	return nil
}

// Missing returns what SetMissing has noted, nil if that is nothing.
func (c *Cursor) Missing() (*record.Lost, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b [4 + missingMost]byte
	if n, err := c.file.ReadAt(b[:], missingAt); n == 0 && errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read what is missing: %w", err)
	}
	if nothing(b[:]) {
		return nil, nil
	}
	if binary.LittleEndian.Uint32(b[:]) != crc32.Checksum(b[4:], castagnoli) {
		return nil, errors.New("read what is missing: it is damaged")
	}
	data := bytes.TrimRight(b[4:], "\x00")
	if len(data) == 0 {
		return nil, nil
	}
	l := &record.Lost{}
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("read what is missing: %w", err)
	}
	return l, nil
}
