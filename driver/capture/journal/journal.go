// Package journal remembers what outlives the process: which FIFOs are being read,
// for whom, and which batch each stream wrote last. It is a hidden directory of the
// spool with two files a stream, named after its FIFO: the [Entry], JSON that is
// replaced as a whole, and the [Cursor], numbers that are written in place.
//
// A stream is registered by [Journal.Add], found by the next process with
// [Journal.Load] and forgotten by [Journal.Remove]. What a process that is killed
// within one of them leaves stands at each.
package journal

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/internal/durable"
)

// Journal is the directory of the registered streams. Its methods may be called
// concurrently for different streams. For one stream, only [Journal.Ensure] may run
// beside another call.
type Journal struct {
	root  durable.Root
	spool *spool.Spool
	boot  string // the kernel's, of now; "" if it is not known
}

// The names of the files: the directory in the spool, and what follows [Name].
const (
	Dir          = ".streams"
	EntrySuffix  = ".json"
	CursorSuffix = ".cursor"
)

// Entry is a registered stream. It holds nothing secret.
type Entry struct {
	FIFO    string          `json:"fifo"`
	Boot    string          `json:"boot,omitempty"` // the kernel's boot id; an earlier version kept none
	Stream  spool.Stream    `json:"stream"`
	Options options.Options `json:"options"`
	Unknown bool            `json:"unknown,omitempty"` // its container is not known
}

// bootFile is where Linux tells one boot from another.
const bootFile = "/proc/sys/kernel/random/boot_id"

// Open opens the journal of a spool. boot is the file with the kernel's boot id;
// "" is Linux's own. Without a boot id all entries count as this boot's.
func Open(s *spool.Spool, boot string) (*Journal, error) {
	var root durable.Root
	err := s.WithRoom(spool.Need{Quick: true}, func() (err error) {
		root, err = s.State(Dir)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the registry of streams: %w", err)
	}
	id, err := os.ReadFile(cmp.Or(boot, bootFile))
	if err != nil {
		id = nil
	}
	return New(root, s, strings.TrimSpace(string(id))), nil
}

// New returns the journal in a directory that is open. Only [Journal.Load] needs
// the spool. boot is the kernel's boot id; "" if it is not known.
func New(root durable.Root, s *spool.Spool, boot string) *Journal {
	return &Journal{root: root, spool: s, boot: boot}
}

// Close closes the directory. Cursors stay open.
func (j *Journal) Close() error { return j.root.Close() }

// Made returns how often the directory was opened: once, and again each time after
// it was removed or replaced.
func (j *Journal) Made() (int, error) {
	if l, ok := j.root.(*durable.Lasting); ok {
		return l.Made()
	}
	return 1, nil // a test's
}

// Name is how the files of a stream begin: the FIFO's name, for people, and its
// path's sum, for certainty.
func Name(fifo string) string {
	return fmt.Sprintf("%s-%08x", spool.FileName(filepath.Base(fifo)), crc32.Checksum([]byte(fifo), castagnoli))
}

// Add registers a stream, durably, and returns its cursor.
//
//	create the cursor, take its room   killed before the entry is renamed: a cursor
//	                                   without an entry, which Load removes
//	write the entry, rename            killed after: Load returns the stream
func (j *Journal) Add(e *Entry) (*Cursor, error) {
	c, err := j.cursor(e.FIFO)
	if err != nil {
		return nil, err
	}
	if err = c.allocate(); err == nil {
		err = j.write(e)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close(), j.root.Remove(Name(e.FIFO)+CursorSuffix))
	}
	return c, nil
}

// cursor opens a stream's cursor, and creates it if there is none.
func (j *Journal) cursor(fifo string) (*Cursor, error) {
	f, err := durable.OpenRegular(j.root, Name(fifo)+CursorSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a stream's cursor: %w", err)
	}
	return &Cursor{file: f}, nil
}

// write writes the entry, or what is in its place.
func (j *Journal) write(e *Entry) error {
	e.Boot = j.boot
	data, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = durable.WriteFile(j.root, Name(e.FIFO)+EntrySuffix, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("register the stream: %w", err)
	}
	return nil
}

// Ensure writes the files of a registered stream anew if they were removed or
// replaced, and reports whether that was necessary. A stream whose cursor is
// closed has left the registry, or leaves it to the next process.
//
//	write the cursor, rename   killed before: the cursor is lost, as it was; resume
//	                           compares the text with the FIFO's head
//	write the entry            killed before: the stream is not known, as it was not
func (j *Journal) Ensure(e *Entry, c *Cursor) (renewed bool, err error) {
	c.mu.Lock() // so that the stream cannot leave meanwhile
	defer c.mu.Unlock()
	if c.closed || c.file == nil {
		return false, nil
	}
	name := Name(e.FIFO)
	if renewed, err = c.ensureLocked(j.root, name+CursorSuffix); err != nil {
		return renewed, fmt.Errorf("make a stream's cursor anew: %w", err)
	}
	if fi, err := j.root.Lstat(name + EntrySuffix); err == nil && fi.Mode().IsRegular() {
		return renewed, nil
	}
	return true, j.write(e)
}

// Known returns the cursor of a stream that is registered. It writes nothing: the
// disk may be full, and the container is read all the same.
func (j *Journal) Known(e *Entry) (*Cursor, error) { return j.cursor(e.FIFO) }

// Remove forgets a stream.
func (j *Journal) Remove(fifo string) error { return j.forget(Name(fifo)) }

// forget removes the files of a stream.
//
//	remove the entry    killed here: a cursor without an entry, which Load removes
//	remove the cursor
func (j *Journal) forget(name string) error {
	err := durable.Remove(j.root, name+EntrySuffix)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // the disk had no room to register it
	}
	if gone := j.root.Remove(name + CursorSuffix); !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// Load returns the registered streams whose FIFO can hold something, and forgets
// the others. It calls lost, unless that is nil, for each stream that had discarded
// lines before it ended, with its directory. The others are those for which:
//
//	dockerd has removed the FIFO, with what was in it
//	the machine was started again since: the FIFO is on the disk and survives,
//	empty (propagated mount)
//	no process has the FIFO open: the kernel has dropped what was in it
//
// The active segments of those are left to the spool's recovery. An entry that is
// damaged names no FIFO that could be read. Files that a kill has left are removed.
func (j *Journal) Load(lost func(dir string, l *record.Lost)) (live []Entry, err error) {
	d, err := j.root.Open(".")
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
		base, isEntry := strings.CutSuffix(name, EntrySuffix)
		orphan, isCursor := strings.CutSuffix(name, CursorSuffix)
		switch {
		case isCursor && !slices.Contains(names, orphan+EntrySuffix):
			errs = append(errs, j.root.Remove(name)) // killed in Add or in forget
		case durable.IsTemp(name):
			errs = append(errs, j.root.Remove(name))
		case isEntry:
			e, err := j.read(name)
			switch {
			case errors.Is(err, errDamaged):
				errs = append(errs, fmt.Errorf("%w; it is removed. If that container still runs, restart it", err),
					j.forget(base))
			case err != nil:
				errs = append(errs, err)
			case j.alive(&e):
				live = append(live, e)
			default:
				errs = append(errs, j.bury(&e, lost), j.forget(base))
			}
		}
	}
	return live, errors.Join(errs...)
}

// alive reports whether a stream's FIFO can hold something. An entry without a
// boot id, of an earlier version, counts as this boot's.
func (j *Journal) alive(e *Entry) bool {
	if j.boot != "" && e.Boot != "" && e.Boot != j.boot {
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
//	remove the FIFO    killed here: the next Load finds the stream dead again, and
//	                   reports its loss again
//	forget the entry   killed here: the recovery does not know that the kernel died,
//	                   which the spool has in memory alone
func (j *Journal) bury(e *Entry, report func(dir string, l *record.Lost)) error {
	var errs []error
	if e.Boot != j.boot || e.Boot == "" {
		errs = append(errs, j.spool.Died(&e.Stream))
	}
	if c, err := j.cursor(e.FIFO); err == nil {
		if lost, err := c.Missing(); err == nil && lost != nil {
			if report != nil {
				report(e.Stream.Dir(), lost)
			}
			errs = append(errs, fmt.Errorf("%d lines (%d bytes) of container %s were discarded (%s) before logfast "+
				"ended, and no line in the text says so",
				lost.Lines, lost.Bytes, e.Stream.Name, lost.Reason))
		}
		errs = append(errs, c.Close())
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

// Touch makes the files of the streams look young, so that what cleans by age
// takes none of them: a container may write nothing for months.
func (j *Journal) Touch(now time.Time) error {
	d, err := j.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	errs := []error{err}
	for _, name := range append(names, ".") {
		if err := j.root.Chtimes(name, now, now); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// errDamaged: a registered stream's file does not say which FIFO it is.
var errDamaged = errors.New("it is damaged")

func (j *Journal) read(name string) (e Entry, err error) {
	data, err := durable.ReadFile(j.root, name)
	if err != nil {
		return e, err
	}
	// A value that has another type in another version is left out: see options.Options.Repair.
	if err = json.Unmarshal(data, &e); errors.As(err, new(*json.UnmarshalTypeError)) {
		err = nil
	}
	if err == nil && (e.FIFO == "" || e.Stream.ID == "") {
		err = errors.New("it names no FIFO or no container")
	}
	if err != nil {
		return e, fmt.Errorf("registered stream %s: %w: %w", name, errDamaged, err)
	}
	// an earlier version has not kept them there
	e.Stream.Detect, e.Stream.Scope = triage.Options(e.Options.Detect), string(e.Options.Scope)
	return e, nil
}
