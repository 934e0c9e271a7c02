// Package spool manages the spool: the directory in which package capture writes
// text and from which package ship uploads it. A segment is one file of records.
// Its name says its state, a transition is one durable rename, and the directory
// itself is the queue, so recovery is a scan of the directory.
//
// Layout, below the spool's directory (see docs/layout.md):
//
//	.lock                     held by the one process that owns the spool
//	.reserve                  room that giving up may need on a full disk
//	.deleted/                 whose segments were deleted; see DeletedDir
//	web-1a2b3c4d5e6f/         one container
//	  .stream.json            a Stream
//	  web.log                 the active segment
//	  web.log-<time>-<seq>-<reason>               sealed
//	  web.log-<time>-<seq>-<reason>.gz            packed
//	  web.log-<time>-<seq>-<reason>.uploaded.gz   uploaded
//	  .web.log-<time>-<seq>-<reason>.json         its Meta
package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

const (
	dirMode  = 0o750
	fileMode = 0o640
)

// LockFile is what the one process that owns the spool holds locked.
const LockFile = ".lock"

// Options of a spool.
type Options struct {
	Key      *KeyTemplate
	Triage   Triage // finds errors in the text; nil: no text reports one
	UID, GID int    // owner and group of files and directories; -1 leaves them
	MaxDisk  int64  // bytes that the containers' files may have; 0 is no bound

	Log *slog.Logger // nil: nothing is logged
}

// Spool is an open spool directory. Its methods may be called from several
// goroutines; each segment belongs to one at a time: to its Writer until it is
// sealed, to ship from then on.
//
// The order of its locks, outermost first: making; a Writer's mu; mu. Seals are called with
// a Writer's mu held, so that they must not make room. Those of the records in DeletedDir come
// after making, and none of the others is taken while one of them is held.
type Spool struct {
	path    string
	mounted string // see mountRoot; when it was opened
	root    *os.Root
	lock    *durable.Held
	key     *KeyTemplate
	triage  Triage
	uid     int
	gid     int

	died    map[string]bool // by directory; see Died; filled before Recover
	log     *slog.Logger
	deleted deletedRecords

	seals   Seals // nil: nobody wants to know; set before the first
	maxDisk int64
	used    atomic.Int64 // bytes of the containers' files, as far as is known
	written atomic.Int64 // see Written

	makeRoom func(Need) error // MakeRoom, or what SetRoomMaker has set
	onPacked func(Segment)    // nil: nothing is called
	pressed  atomic.Int64     // see Pressed; nanoseconds since 1970

	making    sync.Mutex            // held while room is made, and while the reserve is used
	foundFull map[attempt]time.Time // when making found none, owned by making
	foundRoom time.Time             // when a write was refused and there was room, owned by making

	damaged  chan struct{} // see Damaged
	damageMu sync.Mutex
	damages  []Damage // owned by damageMu

	mu sync.Mutex
	// segments that are being packed, by directory and stem, owned by mu; closed at the end
	packs   map[string]chan struct{}
	writers map[string]*Writer // by directory, owned by mu
	held    map[string]bool    // by directory and stem, owned by mu; see Hold
	sealed  map[Reason]int64   // how many, owned by mu

	removed map[string]bool // segments that this process has removed, by directory and stem, owned by mu
}

// Open takes the directory at path, making it where it is missing, as this
// process's spool. It fails with durable.ErrLocked where another process has it.
func Open(dir string, o Options) (*Spool, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	lock, err := durable.Lock(root, LockFile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", dir, err), root.Close())
	}
	if o.Triage == nil {
		o.Triage = noTriage{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Spool{
		path: dir, mounted: mountRoot(dir), damaged: make(chan struct{}, 1), root: root, lock: lock,
		key: o.Key, triage: o.Triage, uid: o.UID, gid: o.GID, maxDisk: o.MaxDisk, log: o.Log,
		foundFull: map[attempt]time.Time{}, packs: map[string]chan struct{}{}, writers: map[string]*Writer{},
		held: map[string]bool{}, died: map[string]bool{}, sealed: map[Reason]int64{},
	}
	s.makeRoom = func(n Need) error {
		_, err := s.MakeRoom(n)
		return err
	}
	if err := s.deleted.load(s); err != nil {
		s.log.Warn("cannot read which lines were deleted: docker logs may not say that they are missing",
			"dir", DeletedDir, "err", err)
	}
	return s, nil
}

// Close gives the spool up. Its writers must be closed before.
func (s *Spool) Close() error { return errors.Join(s.deleted.close(), s.lock.Close(), s.root.Close()) }

func (s *Spool) own(name string) error {
	if s.uid < 0 && s.gid < 0 {
		return nil
	}
	return s.root.Lchown(name, s.uid, s.gid)
}

// ownDir makes a directory ours alone to write to, whoever made it. Its mode is
// set while it is this process's: another's would take CAP_FOWNER.
func (s *Spool) ownDir(name string) error {
	fi, err := s.root.Lstat(name)
	if err != nil {
		return err
	}
	uid := os.Geteuid()
	wrong, others := fi.Mode().Perm() != dirMode, int(fi.Sys().(*syscall.Stat_t).Uid) != uid
	if others && (wrong || s.uid < 0) {
		if err := s.root.Lchown(name, uid, os.Getegid()); err != nil {
			return err
		}
	}
	if wrong {
		if err := s.root.Chmod(name, dirMode); err != nil {
			return err
		}
	}
	return s.own(name)
}

// State opens the hidden directory below the spool in which whoever writes to
// it keeps what must outlive the process. It is made anew if somebody removes it.
func (s *Spool) State(name string) (durable.Root, error) {
	l, err := durable.OpenLasting(s.root, name, 0o700)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// ReadState reads a file of such a directory, without making it.
func (s *Spool) ReadState(dir, name string) ([]byte, error) {
	return durable.ReadFile(s.root, path.Join(dir, name))
}

// Seals is told of each seal, of a writer's or a recovery's segment. Its methods
// are called while the writer is locked, may be called from several goroutines
// and wait for the disk alone.
type Seals interface {
	// Sealing is called before what is known of the segment is written, and may
	// say to which event it belongs. Its error keeps the segment from being
	// sealed; it is called again then, when the seal is tried again.
	Sealing(seg Segment, m *Meta) error
	// Sealed is called once the segment is sealed.
	Sealed(seg Segment, m *Meta)
}

// Tell makes s tell whoever wants to know of each seal. It comes before the first.
func (s *Spool) Tell(seals Seals) { s.seals = seals }

// Segment is a sealed segment, in whatever state.
type Segment struct {
	Dir  string
	Name Name
}

// Path is the segment's file, from the spool's directory on.
func (g Segment) Path() string { return path.Join(g.Dir, g.Name.String()) }

// List returns the sealed, packed and uploaded segments, or those in the given
// states, sorted by time.
func (s *Spool) List(states ...State) ([]Segment, error) {
	var all []Segment
	err := s.dirs(func(dir string, entries []os.DirEntry) error {
		for _, e := range entries {
			if len(states) > 0 && !slices.Contains(states, stateOf(e.Name())) {
				continue // cheaper than to parse all names of a large spool
			}
			if n, ok := ParseName(e.Name()); ok && e.Type().IsRegular() {
				all = append(all, Segment{Dir: dir, Name: n})
			}
		}
		return nil
	})
	slices.SortFunc(all, byTime)
	return all, err
}

func byTime(a, b Segment) int {
	if c := a.Name.Time.Compare(b.Name.Time); c != 0 {
		return c
	}
	return strings.Compare(a.Path(), b.Path())
}

// dirs calls f for each directory of a container. It looks into no hidden one,
// follows no symbolic link and leaves alone what else is there: objects in a
// directory store below the spool may have names like a segment's.
func (s *Spool) dirs(f func(dir string, entries []os.DirEntry) error) error {
	top, err := s.readDir(".")
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range top {
		if !d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			continue
		}
		entries, err := s.readDir(d.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue // removed since
		}
		if err == nil && isContainerDir(d.Name(), entries) {
			err = f(d.Name(), entries)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func isContainerDir(name string, entries []os.DirEntry) bool {
	return containerDir.MatchString(name) ||
		slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == streamFile })
}

func (s *Spool) readDir(name string) ([]os.DirEntry, error) {
	d, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

// Recover brings the spool into order after a crash: active segments are cut
// to whole records and sealed, unfinished temporary files go, and transitions
// that were cut off are completed. The active segments of the directories for
// which resumed is true stay for their writers' Resume. No writer may be open.
func (s *Spool) Recover(resumed func(dir string) bool) error {
	err := s.dirs(func(dir string, entries []os.DirEntry) error {
		names := map[string]bool{}
		var active []string
		for _, e := range entries {
			name := e.Name()
			names[name] = e.Type().IsRegular()
			if names[name] && s.isActive(dir, name) {
				active = append(active, name)
			}
		}
		// What was left goes first: a seal may make files of the same names.
		var errs []error
		for name, regular := range names {
			if regular {
				errs = append(errs, s.recoverFile(dir, name, names))
			}
		}
		for _, name := range active {
			if !resumed(dir) {
				errs = append(errs, s.recoverActive(dir, name))
			}
		}
		if !resumed(dir) {
			errs = append(errs, s.removeUnused(dir)) // killed in Delete
		}
		return errors.Join(errs...)
	})
	s.died = map[string]bool{} // what becomes active from here on was written by this kernel
	return errors.Join(err, s.fillReserve(reserveFiles), s.Measure())
}

func (s *Spool) recoverFile(dir, name string, names map[string]bool) error {
	n, ok := ParseName(name)
	switch {
	case durable.IsTemp(name):
		err := durable.Unlink(s.root, path.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			return nil // a transition that was just completed has used it
		}
		return err
	case ok && n.State == Sealed && (names[n.in(Packed).String()] || names[n.in(Uploaded).String()]):
		seg := Segment{Dir: dir, Name: n}
		if m, err := s.Meta(seg); err == nil && m.givenUp() {
			// Killed while it was given up, before the packed text went.
			return s.finishGivingUp(Segment{Dir: dir, Name: n.in(Packed)})
		}
		// Killed between the rename that made it packed and the removal of
		// its text: the packed file is whole.
		return s.removePackedText(seg)
	case ok:
		return s.finishGivingUp(Segment{Dir: dir, Name: n})
	case !ok && strings.HasPrefix(name, ".") && name != streamFile:
		// Killed between writing what describes a seal and the seal itself,
		// or between removing a segment and what describes it.
		if n, ok := ParseName(strings.TrimSuffix(name[1:], metaSuffix)); ok && n.metaName() == name &&
			!names[n.String()] && !names[n.in(Packed).String()] && !names[n.in(Uploaded).String()] {
			err := durable.Unlink(s.root, path.Join(dir, name))
			if errors.Is(err, os.ErrNotExist) {
				return nil // another segment's line stands for this one, and it was just removed for that
			}
			return err
		}
	}
	return nil
}

// recoverActive seals what a crash left active.
func (s *Spool) recoverActive(dir, active string) error {
	file := path.Join(dir, active)
	size, err := s.cutTorn(file, s.died[dir])
	if err != nil {
		return fmt.Errorf("recover %s: %w", file, err)
	}
	if size == 0 {
		return durable.Remove(s.root, file)
	}
	seq, err := s.lastSeq(dir)
	if err != nil {
		return err
	}
	name := Name{Active: active, Seq: seq + 1, Reason: Recover, State: Active}
	m, err := s.describe(dir, name)
	if err != nil {
		return err
	}
	name.Time, name.State = m.First, Sealed
	return s.seal(Segment{Dir: dir, Name: name}, m)
}

// isActive reports whether a file of a directory is its container's active
// segment: a file that somebody has put beside it, or moved there, is not.
func (s *Spool) isActive(dir, name string) bool {
	base, isLog := strings.CutSuffix(name, ".log")
	if !isLog || strings.HasPrefix(name, ".") {
		return false
	}
	if i := strings.LastIndexByte(dir, '-'); i >= 0 && dir[:i] == base && containerDir.MatchString(dir) {
		return true
	}
	var of Stream
	return s.readJSON(path.Join(dir, streamFile), &of) == nil && of.ActiveName() == name &&
		(of.Dir() == dir || !s.saved(dir, name, &of))
}

// saved reports whether the active segment of a directory that somebody has
// given another name is there under the container's own as well: its writer has
// saved the text there.
func (s *Spool) saved(dir, name string, of *Stream) bool {
	m, err := s.describe(dir, Name{Active: name, State: Active})
	if err != nil {
		return false
	}
	entries, _ := s.readDir(of.Dir())
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		n, ok := ParseName(e.Name())
		return ok && n.Time.Equal(m.First.Truncate(time.Microsecond))
	})
}

// lastSeq returns the highest number in the directory, 0 where there is none.
func (s *Spool) lastSeq(dir string) (int, error) {
	entries, err := s.readDir(dir)
	if err != nil {
		return 0, err
	}
	last := 0
	for _, e := range entries {
		if n, ok := ParseName(e.Name()); ok {
			last = max(last, n.Seq)
		}
	}
	return last, nil
}

// newest returns when the last sealed segment of a directory began, zero if there
// is none.
func (s *Spool) newest(dir string) time.Time {
	entries, _ := s.readDir(dir) // without them nothing is known
	var last Name
	for _, e := range entries {
		if n, ok := ParseName(e.Name()); ok && n.Seq >= last.Seq {
			last = n
		}
	}
	if last.Seq == 0 {
		return time.Time{}
	}
	return last.Time.Add(time.Microsecond) // the name cuts what is less
}

// seal makes the active file the segment seg, whose bytes are synced:
//
//	write Meta        killed here: Recover removes it and seals anew
//	rename, fsync     killed here: the segment is sealed
//
// It may be repeated until it succeeds.
func (s *Spool) seal(seg Segment, m *Meta) error {
	active := path.Join(seg.Dir, seg.Name.Active)
	var err error
	if _, there := s.root.Lstat(active); errors.Is(there, os.ErrNotExist) && s.exists(seg.Dir, seg.Name) {
		// An earlier try has renamed it, and ship may have it by now: what it
		// has noted in the Meta must stay.
		err = durable.SyncDir(s.root, seg.Dir)
	} else {
		if s.seals != nil {
			err = s.seals.Sealing(seg, m)
		}
		if err == nil {
			err = s.SaveMeta(seg, m)
		}
		if err == nil {
			err = durable.Rename(s.root, active, seg.Path())
		}
	}
	if err != nil {
		return fmt.Errorf("seal %s: %w", seg.Path(), err)
	}
	if s.seals != nil {
		s.seals.Sealed(seg, m)
	}
	s.mu.Lock()
	s.sealed[seg.Name.Reason]++
	s.mu.Unlock()
	return nil
}

// Seals is how many segments were sealed since the spool was opened, by reason.
// Every reason is there, so that a zero is seen.
func (s *Spool) Seals() map[Reason]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	seals := map[Reason]int64{}
	for _, r := range []Reason{Error, Schedule, Size, Stop, Manual, Recover} {
		seals[r] = s.sealed[r]
	}
	return seals
}
