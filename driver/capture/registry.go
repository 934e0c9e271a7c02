package capture

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/internal/durable"
)

// registry is what outlives the process: which FIFOs are being read, for whom,
// and which batch each stream wrote last. It is a hidden directory of the spool
// with two files a stream, named after its FIFO.
type registry struct {
	root  durable.Root
	spool *spool.Spool
	boot  string // the kernel's, of now; "" if it is not known

	lost func(dir string, l *record.Lost) // counts what bury finds to be lost; nil: nobody does
}

const (
	registryDir  = ".streams"
	entrySuffix  = ".json"
	cursorSuffix = ".cursor"
)

// entry is a registered stream. It holds nothing secret.
type entry struct {
	FIFO    string          `json:"fifo"`
	Boot    string          `json:"boot,omitempty"` // the kernel's boot id; an earlier version kept none
	Stream  spool.Stream    `json:"stream"`
	Options options.Options `json:"options"`
	Unknown bool            `json:"unknown,omitempty"` // see unknownName
}

// bootFile is where Linux tells one boot from another.
const bootFile = "/proc/sys/kernel/random/boot_id"

// openRegistry opens the registry of a spool. boot is the file with the kernel's
// boot id; "" is Linux's own.
func openRegistry(s *spool.Spool, boot string) (*registry, error) {
	var root durable.Root
	err := s.WithRoom(spool.Need{Quick: true}, func() (err error) {
		root, err = s.State(registryDir)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the registry of streams: %w", err)
	}
	id, err := os.ReadFile(cmp.Or(boot, bootFile))
	if err != nil {
		id = nil // all entries count as this boot's
	}
	return &registry{root: root, spool: s, boot: strings.TrimSpace(string(id))}, nil
}

func (r *registry) close() error { return r.root.Close() }

// made returns how often the directory was opened: once, and again each time that
// somebody has removed or replaced it.
func (r *registry) made() (int, error) {
	if l, ok := r.root.(*durable.Lasting); ok {
		return l.Made()
	}
	return 1, nil // a test's
}

// entryName is the FIFO's name, for people, and its path's sum, for certainty.
func entryName(fifo string) string {
	return fmt.Sprintf("%s-%08x", spool.FileName(filepath.Base(fifo)), crc32.Checksum([]byte(fifo), castagnoli))
}

// add registers a stream, durably, and returns its cursor.
func (r *registry) add(e *entry) (*cursor, error) {
	c, err := r.cursor(e.FIFO)
	if err != nil {
		return nil, err
	}
	if err = c.allocate(); err == nil {
		err = r.write(e)
	}
	if err != nil {
		return nil, errors.Join(err, c.close(), r.root.Remove(entryName(e.FIFO)+cursorSuffix))
	}
	return c, nil
}

func (r *registry) write(e *entry) error {
	e.Boot = r.boot
	data, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = durable.WriteFile(r.root, entryName(e.FIFO)+entrySuffix, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("register the stream: %w", err)
	}
	return nil
}

// ensure writes the files of a registered stream anew if somebody has removed or
// replaced them, and reports whether that was necessary. A stream whose cursor is
// closed has left the registry, or leaves it to the next process.
//
//	write the cursor, rename   killed before: the cursor is lost, as it was; resume
//	                           compares the text with the FIFO's head
//	write the entry            killed before: the stream is not known, as it was not
func (r *registry) ensure(e *entry, c *cursor) (renewed bool, err error) {
	c.mu.Lock() // so that the stream cannot leave meanwhile
	defer c.mu.Unlock()
	if c.closed || c.file == nil {
		return false, nil
	}
	name := entryName(e.FIFO)
	if renewed, err = c.ensureLocked(r.root, name+cursorSuffix); err != nil {
		return renewed, fmt.Errorf("make a stream's cursor anew: %w", err)
	}
	if fi, err := r.root.Lstat(name + entrySuffix); err == nil && fi.Mode().IsRegular() {
		return renewed, nil
	}
	return true, r.write(e)
}

// known returns the cursor of a stream that is registered. It writes nothing: the
// disk may be full, and a container must not go unheard for that.
func (r *registry) known(e *entry) (*cursor, error) { return r.cursor(e.FIFO) }

// remove forgets a stream. Killed between the two, load forgets the rest.
func (r *registry) remove(fifo string) error { return r.forget(entryName(fifo)) }

func (r *registry) forget(name string) error {
	err := durable.Remove(r.root, name+entrySuffix)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // the disk had no room to register it
	}
	if gone := r.root.Remove(name + cursorSuffix); !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// load returns the registered streams whose FIFO can hold something, and forgets
// the others:
//
//	dockerd has removed the FIFO, with what was in it
//	the machine was started again since: the FIFO is on the disk and survives,
//	empty (propagated mount)
//	no process has the FIFO open: the kernel has dropped what was in it
//
// The active segments of those are left to the spool's recovery. An entry that is
// damaged names no FIFO that could be read.
func (r *registry) load() (live []entry, err error) {
	d, err := r.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range names {
		base, isEntry := strings.CutSuffix(name, entrySuffix)
		orphan, isCursor := strings.CutSuffix(name, cursorSuffix)
		switch {
		case isCursor && !slices.Contains(names, orphan+entrySuffix):
			errs = append(errs, r.root.Remove(name)) // killed in add or in forget
		case durable.IsTemp(name):
			errs = append(errs, r.root.Remove(name))
		case isEntry:
			e, err := r.read(name)
			switch {
			case errors.Is(err, errDamaged):
				errs = append(errs, fmt.Errorf("%w; it is removed. If that container still runs, restart it", err), r.forget(base))
			case err != nil:
				errs = append(errs, err)
			case r.alive(&e):
				live = append(live, e)
			default:
				errs = append(errs, r.bury(&e), r.forget(base))
			}
		}
	}
	return live, errors.Join(errs...)
}

// alive reports whether a stream's FIFO can hold something. An entry without a
// boot id, of an earlier version, counts as this boot's.
func (r *registry) alive(e *entry) bool {
	if r.boot != "" && e.Boot != "" && e.Boot != r.boot {
		return false
	}
	if _, err := os.Lstat(e.FIFO); err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	abandoned, err := fifo.Abandoned(e.FIFO)
	return !abandoned || err != nil
}

// bury prepares the recovery of what a dead stream wrote, and removes its FIFO.
//
//	remove the FIFO    killed here: the next load finds it dead again
//	forget the entry   killed here: the recovery does not know that the kernel died
func (r *registry) bury(e *entry) error {
	var errs []error
	if e.Boot != r.boot || e.Boot == "" {
		errs = append(errs, r.spool.Died(&e.Stream))
	}
	if c, err := r.cursor(e.FIFO); err == nil {
		if lost, err := c.missing(); err == nil && lost != nil {
			if r.lost != nil {
				r.lost(e.Stream.Dir(), lost)
			}
			errs = append(errs, fmt.Errorf("%d lines (%d bytes) of container %s were discarded (%s) before logfast ended, and no line in the text says so",
				lost.Lines, lost.Bytes, e.Stream.Name, lost.Reason))
		}
		errs = append(errs, c.close())
	}
	fi, err := os.Lstat(e.FIFO)
	if err == nil && fi.Mode().Type() == os.ModeNamedPipe {
		err = os.Remove(e.FIFO)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, fmt.Errorf("remove an old FIFO: %w", err))
	}
	return errors.Join(errs...)
}

// touch makes the files of the streams look young, so that what cleans by age
// takes none of them: a container may write nothing for months.
func (r *registry) touch(now time.Time) error {
	d, err := r.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	errs := []error{err}
	for _, name := range append(names, ".") {
		if err := r.root.Chtimes(name, now, now); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// errDamaged: a registered stream's file does not say which FIFO it is.
var errDamaged = errors.New("it is damaged")

func (r *registry) read(name string) (e entry, err error) {
	data, err := durable.ReadFile(r.root, name)
	if err != nil {
		return e, err
	}
	// A value that has another type in another version is left out: see sound.
	if err = json.Unmarshal(data, &e); errors.As(err, new(*json.UnmarshalTypeError)) {
		err = nil
	}
	if err == nil && (e.FIFO == "" || e.Stream.ID == "") {
		err = errors.New("it names no FIFO or no container")
	}
	if err != nil {
		return e, fmt.Errorf("registered stream %s: %w: %w", name, errDamaged, err)
	}
	e.Stream.Detect, e.Stream.Scope = triage.Options(e.Options.Detect), string(e.Options.Scope) // an earlier version has not kept them there
	return e, nil
}

// intent is a batch that is about to be written, or was: where its text goes
// and which bytes of the FIFO it comes from. After a crash it tells what of the
// FIFO's head is in the segment already.
type intent struct {
	began  int64  // time of the active segment's first record, nanoseconds since 1970; 0 in a new segment
	offset int64  // of the text in the active segment
	text   int64  // bytes
	frames int64  // bytes at the FIFO's head
	sum    uint32 // CRC-32C of the frames, which hold times in nanoseconds
}

// cursor keeps a stream's last intent in a file. It is written in place and
// not synced: it must outlive this process, but not the kernel. With the kernel
// what was in the FIFO is gone as well, and load forgets the stream.
//
// A stream that is not registered has a cursor without a file, which attach gives it later.
type cursor struct {
	mu     sync.Mutex                        // is held while the file is written, in which no other lock is taken
	file   *os.File                          // owned by mu; nil: there is none yet
	image  [missingAt + 4 + missingMost]byte // of the file, owned by mu
	size   int                               // of image, bytes; owned by mu
	closed bool                              // owned by mu
}

// A cursor file: five numbers and the sum of all before, little-endian.
const cursorSize = 8 + 8 + 8 + 8 + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (r *registry) cursor(fifo string) (*cursor, error) {
	f, err := durable.OpenRegular(r.root, entryName(fifo)+cursorSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a stream's cursor: %w", err)
	}
	return &cursor{file: f}, nil
}

func (c *cursor) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// allocate takes the room of the whole file from the disk, so that no later write needs any.
func (c *cursor) allocate() error {
	err := unix.Fallocate(int(c.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, int64(len(c.image)))
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

func (c *cursor) registered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file != nil
}

// attach gives c, which has no file, that of another cursor.
func (c *cursor) attach(to *cursor) error {
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
func (c *cursor) write(b []byte, at int) error {
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
func (c *cursor) ensureLocked(root durable.Root, name string) (renewed bool, err error) {
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

// set replaces the intent, with one write(2) within a page: a process that is
// killed meanwhile has written all or none.
func (c *cursor) set(i intent) error {
	b := make([]byte, 0, cursorSize)
	b = binary.LittleEndian.AppendUint64(b, uint64(i.began))
	b = binary.LittleEndian.AppendUint64(b, uint64(i.offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(i.text))
	b = binary.LittleEndian.AppendUint64(b, uint64(i.frames))
	b = binary.LittleEndian.AppendUint32(b, i.sum)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if err := c.write(b, 0); err != nil {
		return fmt.Errorf("note what is to be written: %w", err)
	}
	return nil
}

// nothing reports whether a file holds nothing yet: a power cut leaves NUL bytes.
func nothing(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// get returns the last intent; ok is false where there is none.
func (c *cursor) get() (i intent, ok bool, err error) {
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
	return intent{
		began:  int64(binary.LittleEndian.Uint64(b)),
		offset: int64(binary.LittleEndian.Uint64(b[8:])),
		text:   int64(binary.LittleEndian.Uint64(b[16:])),
		frames: int64(binary.LittleEndian.Uint64(b[24:])),
		sum:    binary.LittleEndian.Uint32(b[32:]),
	}, true, nil
}

// Behind its intent a cursor keeps what the stream has discarded and not marked:
// a sum and a record.Lost as JSON, in the same page. Without any it ends before.
const missingAt, missingMost = 64, 512

// setMissing replaces what is missing; nothing is where it has no bytes.
func (c *cursor) setMissing(l *record.Lost) error {
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

// missing returns what setMissing has noted, nil where that is nothing.
func (c *cursor) missing() (*record.Lost, error) {
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
