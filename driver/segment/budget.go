package segment

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/incident"
	"github.com/logfast/logfast/driver/record"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/sum"
)

// ErrFull: the spool has no room, and nothing in it may be given up.
var ErrFull = errors.New("the spool is full")

// DiskFull is the reason of a Lost that is due to the budget or the disk.
const DiskFull = "disk full"

// reserveFile holds room for what giving up itself must write: on a full disk
// it goes first.
const (
	reserveFile = ".reserve"
	reserveSize = 256 << 10
)

// lookAgain is how long a full spool counts as full without a look, so that a
// thousand streams that wait for room do not look a thousand times.
const lookAgain = time.Second / 2

// GivenUp is a segment whose text was given up for room.
type GivenUp struct {
	Segment Segment
	Lost    record.Lost
}

// Room reports whether size more bytes fit into the budget.
func (s *Spool) Room(size int) bool {
	return s.maxDisk == 0 || s.used.Load()+int64(size) <= s.maxDisk
}

// Used is how many bytes the files of all containers have, as far as is known
// without looking.
func (s *Spool) Used() int64 { return s.used.Load() }

// Written is how many bytes its writers have appended since it was opened: what
// it grows by from one look to the next is how busy they are.
func (s *Spool) Written() int64 { return s.written.Load() }

// Budget is how many bytes the files of all containers may have; 0 is no bound.
func (s *Spool) Budget() int64 { return s.maxDisk }

// Full reports whether an error says that the disk, or somebody's share of it,
// is full.
func Full(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// MakeRoom frees size bytes and a little more, so that it is not needed again
// at once: within the budget, or, where the disk itself is full, below what is
// used now. It deletes uploaded segments, oldest first. Where that is
// not enough and giveUp is true it gives up pending segments: oldest first,
// those without errors before those with. It returns what it gave up, and
// ErrFull where it could free nothing.
//
// Somebody who holds a segment (Hold) keeps it from being given up.
func (s *Spool) MakeRoom(size int, diskFull, giveUp bool) ([]GivenUp, error) {
	s.making.Lock()
	defer s.making.Unlock()
	if !diskFull && s.Room(size) {
		return nil, nil // another stream has made it meanwhile
	}
	if time.Since(s.foundFull) < lookAgain {
		return nil, ErrFull
	}
	if err := s.Measure(); err != nil {
		return nil, err
	}
	target := s.maxDisk - int64(size) - s.maxDisk/20
	if diskFull {
		target = s.used.Load() - max(int64(size), reserveSize)
	} else if s.Room(size) {
		return nil, nil
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	before := s.used.Load()
	var errs []error
	needed := s.needed()
	for _, last := range []bool{false, true} { // a copy that is needed goes after others, but before a text that is nowhere else
		for _, seg := range all {
			if s.used.Load() > target && seg.Name.State == Uploaded && needed(seg) == last {
				errs = append(errs, s.Delete(seg))
			}
		}
	}
	var given []GivenUp
	if giveUp && s.used.Load() > target {
		errs = append(errs, s.freeReserve())
		var err error
		given, err = s.giveUpUntil(target, all)
		errs = append(errs, err, s.fillReserve())
	}
	if s.used.Load() < before {
		return given, nil // what failed is tried again when this room is used up
	}
	s.foundFull = time.Now()
	return given, errors.Join(append(errs, ErrFull)...)
}

// giveUpUntil gives up pending segments until no more than target bytes are used.
func (s *Spool) giveUpUntil(target int64, all []Segment) (given []GivenUp, err error) {
	pending := slices.DeleteFunc(all, func(seg Segment) bool { return seg.Name.State == Uploaded })
	metas := make(map[Segment]*Meta, len(pending))
	var errs []error
	pending = slices.DeleteFunc(pending, func(seg Segment) bool {
		m, err := s.Meta(seg)
		errs = append(errs, err)
		metas[seg] = m
		return err != nil || m.Lost != nil
	})
	slices.SortStableFunc(pending, func(a, b Segment) int { return boolToInt(metas[a].Errors > 0) - boolToInt(metas[b].Errors > 0) })
	for _, seg := range pending {
		if s.used.Load() <= target {
			break
		}
		release, ok := s.Hold(seg)
		if !ok {
			continue
		}
		lost, err := s.giveUp(seg, metas[seg])
		release()
		if err != nil {
			errs = append(errs, fmt.Errorf("give up %s: %w", seg.Path(), err))
			continue
		}
		given = append(given, GivenUp{seg, lost})
	}
	return given, errors.Join(errs...)
}

// needed tells the segments of which an incident will be made.
func (s *Spool) needed() func(Segment) bool {
	none := func(Segment) bool { return false }
	root, err := s.root.OpenRoot(incident.StateDir)
	if err != nil {
		return none
	}
	dir := incident.NewDir(root)
	unbuilt, err := dir.Unbuilt()
	if err = errors.Join(err, dir.Close()); err != nil || len(unbuilt) == 0 {
		return none
	}
	return func(seg Segment) bool {
		m, err := s.Look(seg)
		return err == nil && unbuilt[m.Event]
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// giveUp puts one line in the place of a pending segment's text, which says
// what is missing there; the segment goes the way of all others from there on.
//
//	write Meta with Lost             killed here: Recover goes on
//	write the line, rename to sealed killed here: Recover removes the packed text
//	remove the packed text
func (s *Spool) giveUp(seg Segment, m *Meta) (record.Lost, error) {
	size, err := s.sizeOf(seg)
	if err != nil {
		return record.Lost{}, err
	}
	if m.Lost == nil {
		m.Lost = &record.Lost{Lines: m.Lines, Bytes: m.Bytes, Reason: DiskFull, From: m.First, To: m.Last}
	}
	text := m.lostText()
	m.LostErrors = sum.Add(m.LostErrors, m.Errors)
	m.Lines, m.Bytes, m.Errors, m.SHA256, m.SHA256Object, m.Index = 1, int64(len(text)), 0, "", "", nil
	m.LastError = time.Time{}
	if err := s.SaveMeta(seg, m); err != nil {
		return *m.Lost, err
	}
	sealed := Segment{Dir: seg.Dir, Name: seg.Name.in(Sealed)}
	if err := durable.WriteFile(s.root, sealed.Path(), text, fileMode); err != nil {
		return *m.Lost, err
	}
	s.used.Add(int64(len(text)) - size)
	if err := s.own(sealed.Path()); err != nil {
		return *m.Lost, err
	}
	err = durable.Remove(s.root, Segment{Dir: seg.Dir, Name: seg.Name.in(Packed)}.Path())
	if errors.Is(err, os.ErrNotExist) {
		err = nil // it was not packed
	}
	return *m.Lost, err
}

// givenUp says that the text is the one line, and what is packed is not.
func (m *Meta) givenUp() bool { return m.Lost != nil && m.SHA256 == "" }

// lostText is the record that stands for a text that was given up.
func (m *Meta) lostText() []byte {
	format, _ := record.ParseFormat(m.Stream.Format)
	w := record.NewWriter(format, m.Stream.Host, m.Stream.App, m.Stream.ShortID())
	return w.Append(nil, &record.Record{Time: m.First.UnixNano(), Stream: record.Stderr, Text: m.Lost.Text()})
}

// finishGivingUp completes a giveUp that was cut off. What is packed since has
// its sum in the Meta; what is not has the size that the Meta says.
func (s *Spool) finishGivingUp(seg Segment) error {
	if seg.Name.State != Sealed && seg.Name.State != Packed {
		return nil
	}
	m, err := s.Meta(seg)
	if err != nil || m.Lost == nil {
		return nil //nolint:nilerr // whoever needs the Meta says what is wrong with it
	}
	size, err := s.sizeOf(seg)
	if errors.Is(err, os.ErrNotExist) {
		return nil // another name of it was completed
	}
	if err != nil || seg.Name.State == Packed && m.SHA256 != "" || seg.Name.State == Sealed && size == m.Bytes {
		return err
	}
	_, err = s.giveUp(seg, m)
	return err
}

// Hold keeps a pending segment from being given up until release is called. It
// returns false where that is under way already, or somebody else holds it.
func (s *Spool) Hold(seg Segment) (release func(), ok bool) {
	stem := path.Join(seg.Dir, seg.Name.Stem())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[stem] {
		return nil, false
	}
	s.held[stem] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.held, stem)
	}, true
}

func (s *Spool) sizeOf(seg Segment) (int64, error) {
	fi, err := s.root.Lstat(seg.Path())
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// Measure looks how many bytes the containers' files have.
func (s *Spool) Measure() error {
	var used int64
	err := s.dirs(func(_ string, entries []os.DirEntry) error {
		if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == streamFile }) {
			return nil // such as the archive, which is a store
		}
		for _, e := range entries {
			fi, err := e.Info()
			if errors.Is(err, os.ErrNotExist) {
				continue // on its way through its states
			}
			if err != nil {
				return err
			}
			used += fi.Size()
		}
		return nil
	})
	s.used.Store(used)
	return err
}

// UseReserve calls f while the reserved room is the disk's: for what f must
// write so that room can be made then.
func (s *Spool) UseReserve(f func()) {
	s.making.Lock()
	defer s.making.Unlock()
	_ = s.freeReserve() // f says what is wrong
	f()
	_ = s.fillReserve() // as far as there is room; MakeRoom does it again
}

// freeReserve gives the reserved room back to the disk.
func (s *Spool) freeReserve() error {
	if err := s.root.Remove(reserveFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// fillReserve reserves room on the disk, as far as there is any.
func (s *Spool) fillReserve() error {
	f, err := s.root.OpenFile(reserveFile, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.Fallocate(int(f.Fd()), 0, 0, reserveSize)
	if Full(err) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil // then giving up needs room of its own
	}
	return err
}
