package spool

import (
	"errors"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/format/record"
)

// ErrFull: the spool has no room, and nothing in it may be given up.
var ErrFull = errors.New("the spool is full")

// DiskFull is the reason of a Lost that is due to the budget or the disk.
const DiskFull = "disk full"

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
func (s *Spool) Used() int64 { return max(0, s.used.Load()) }

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
	_, err := s.census()
	return err
}
