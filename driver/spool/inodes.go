package spool

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// shortOf is what a file system that refuses a write has no more of.
type shortOf int

const (
	nothing shortOf = iota // it has room again
	blocks
	inodes
)

// inodesWanted is how many files MakeRoom removes when inodes are short, if it can.
const inodesWanted = 2*reserveFiles + 16

// probeFile is made and removed at once, to learn whether a file can be made.
const probeFile = ".probe.tmp"

// shortage says what is short after a write was refused. A quota does not show in the numbers
// of the file system, so that only a file that can be made says that inodes are left; a file
// system that makes inodes of free blocks, such as XFS, may refuse a file for want of blocks.
func (s *Spool) shortage(n Need) (shortOf, error) {
	err := durable.Do("create", probeFile, func() error {
		_ = s.root.Remove(probeFile) // of a kill, or another's
		f, err := s.root.OpenFile(probeFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			err = errors.Join(f.Close(), s.root.Remove(probeFile))
		}
		return err
	})
	if err != nil && !Full(err) {
		return nothing, err
	}
	free, statErr := s.freeBytes()
	roomy := statErr == nil && free >= int64(n.Bytes)+2*reserveSize
	switch {
	case err != nil && roomy:
		return inodes, nil
	case err == nil && roomy && !errors.Is(n.Refused, unix.EDQUOT):
		return nothing, nil // freed since
	}
	return blocks, nil
}

// freeBytes is how many bytes of the file system are free for this process.
func (s *Spool) freeBytes() (int64, error) {
	fs, err := s.statfs()
	if err != nil {
		return 0, err
	}
	free := fs.Bavail
	if os.Geteuid() == 0 {
		free = fs.Bfree
	}
	return int64(free) * fs.Bsize, nil
}

// CheckCopy returns an error if a temporary copy of so many bytes, for a reader, would
// take more than half of the free space: writers need the rest.
func (s *Spool) CheckCopy(bytes int64) error {
	free, err := s.freeBytes()
	if err == nil && bytes > free/2 {
		err = fmt.Errorf("a copy of %d bytes would take more than half of the %d bytes that are free on the "+
			"spool's disk: "+
			"free some, or read it with logfast cat on another machine", bytes, free)
	}
	return err
}

func (s *Spool) statfs() (fs unix.Statfs_t, err error) {
	dir, err := s.root.Open(".")
	if err != nil {
		return fs, err
	}
	defer dir.Close()
	return fs, unix.Fstatfs(int(dir.Fd()), &fs)
}

// freeInodes makes room for files.
func (m *maker) freeInodes() {
	needed := m.s.needed()
	spare := oldest(func(k *kept) bool { return uploaded(k) && !needed(k.Segment) })
	large := m.large()
	m.each(m.aboveAverage(), spare, m.deleteCopy)
	m.each(large, spare, m.deleteCopy)
	m.each(large, oldest(uploaded), m.deleteCopy)
	if !m.need.Quick && !m.enough() {
		m.freeReserve()
		m.each(m.owners, nextToMerge, func(o *usage, k *kept) { m.merge(o, k, isDropped) })
		if m.need.Drop && !m.need.Grow {
			m.each(large, nextToMerge, func(o *usage, k *kept) {
				m.merge(o, k, func(meta *Meta) bool { return o.errorsToo || meta.Errors == 0 })
			})
		}
	}
	m.each(m.owners, spare, m.deleteCopy)
	m.each(m.owners, oldest(uploaded), m.deleteCopy)
}

func isDropped(m *Meta) bool { return m.dropped() }

// nextToMerge returns the next pending segment; once without, and then with errors.
func nextToMerge(o *usage) *kept {
	pending := oldest(func(k *kept) bool { return !uploaded(k) })
	k := pending(o)
	if k == nil && !o.errorsToo {
		o.next, o.errorsToo = 0, true
		k = pending(o)
	}
	return k
}

// merge lets one line stand for a segment and for the one that follows it in its directory,
// where both are wanted: it drops the text that either has, and removes the files of the
// second. It changes nothing where it could not do the latter.
func (m *maker) merge(o *usage, k *kept, want func(*Meta) bool) {
	next := o.following(k)
	if next == nil || uploaded(next) {
		return
	}
	into, err := m.s.Meta(k.Segment)
	meta, nextErr := m.s.Meta(next.Segment)
	if err = errors.Join(err, nextErr); err != nil {
		m.errs = append(m.errs, err)
		return
	}
	if into.Event != meta.Event || !want(into) || !want(meta) {
		return
	}
	release, ok := m.s.Hold(next.Segment)
	if !ok {
		return
	}
	defer release()
	if !into.dropped() {
		if dropped, err := m.drop(o, k); !dropped {
			m.errs = append(m.errs, err)
			return
		}
	}
	if err := m.absorb(o, k, next); err != nil {
		m.errs = append(m.errs, err)
	}
	if next.gone {
		o.next-- // its new neighbour may join it as well
	}
}

// spareFiles is how many files the reserve may have again: when inodes are short, what was
// freed is first for the caller.
func (m *maker) spareFiles() int {
	if !m.inodes {
		return reserveFiles
	}
	return max(0, min(m.freed-reserveFiles, reserveFiles))
}

// following returns the segment after k that is still there.
func (o *usage) following(k *kept) *kept {
	found := false
	for _, other := range o.kept {
		if found && !other.gone {
			return other
		}
		found = found || other == k
	}
	return nil
}

// absorb lets the line of into, which has no text any more, stand for gone as well. The caller holds gone.
func (m *maker) absorb(o *usage, into, gone *kept) error {
	s := m.s
	release, ok := s.Hold(into.Segment)
	if !ok {
		return nil
	}
	defer release()
	meta, err := s.Meta(into.Segment)
	if err != nil {
		return err
	}
	of, err := s.Meta(gone.Segment)
	if err != nil {
		return err
	}
	g := meta.absorb(of, gone.Name.Stem())
	if _, err := s.giveUp(into.Segment, meta); err != nil {
		return err
	}
	into.Name = into.Name.in(Sealed)
	if !of.dropped() {
		m.made.Dropped = append(m.made.Dropped, GivenUp{gone.Segment, g})
	}
	if err := s.remove(gone.Segment); err != nil {
		return err
	}
	m.took(o, gone, 2)
	return nil
}

// mostRemoved bounds how many removed segments are remembered.
const mostRemoved = 100_000

// noteRemoved notes that this process removes a segment, so that nobody takes it for
// one that another program has removed; see Present.
func (s *Spool) noteRemoved(seg Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed == nil || len(s.removed) >= mostRemoved {
		s.removed = map[string]bool{}
	}
	s.removed[path.Join(seg.Dir, seg.Name.Stem())] = true
}

// remove removes a segment for which another one's line stands.
func (s *Spool) remove(seg Segment) error {
	s.noteRemoved(seg)
	for state := Sealed; state <= Packed; state++ {
		seg.Name.State = state
		size, _ := s.sizeOf(seg) // 0 where there is none
		err := durable.Unlink(s.root, seg.Path())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		s.used.Add(-size)
	}
	err := durable.Unlink(s.root, path.Join(seg.Dir, seg.Name.metaName()))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
