package spool

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"
)

// usage is what one container uses: its directory, as a census found it or as it has become since.
type usage struct {
	dir          string
	bytes, files int64
	kept         []*kept // by time

	next      int     // of kept; each owns it, and what follows
	later     []*kept // what has errors, to be dropped last
	errorsToo bool
}

// kept is a segment, as the census found it or as it has become since.
type kept struct {
	Segment
	size   int64
	gone   bool
	failed bool // to be packed: the disk has no room
}

// census looks through the spool, which is what Measure does, and returns what is there.
func (s *Spool) census() ([]*usage, error) {
	var owners []*usage
	var used int64
	err := s.dirs(func(dir string, entries []os.DirEntry) error {
		o := &usage{dir: dir, files: int64(len(entries))}
		for _, e := range entries {
			fi, err := e.Info()
			if errors.Is(err, os.ErrNotExist) {
				continue // on its way through its states
			}
			if err != nil {
				return err
			}
			o.bytes += fi.Size()
			if n, ok := ParseName(e.Name()); ok && fi.Mode().IsRegular() {
				o.kept = append(o.kept, &kept{Segment: Segment{Dir: dir, Name: n}, size: fi.Size()})
			}
		}
		slices.SortFunc(o.kept, func(a, b *kept) int {
			if c := a.Name.Time.Compare(b.Name.Time); c != 0 {
				return c
			}
			return strings.Compare(a.Name.String(), b.Name.String())
		})
		used += o.bytes
		owners = append(owners, o)
		return nil
	})
	s.used.Store(used)
	return owners, err
}

// weight is how much of what is short an owner uses.
func (m *maker) weight(o *usage) int64 {
	if m.inodes {
		return o.files
	}
	return o.bytes
}

// oldest makes a next for each: the oldest segment that is wanted.
func oldest(want func(*kept) bool) func(*usage) *kept {
	return func(o *usage) *kept {
		for o.next < len(o.kept) {
			k := o.kept[o.next]
			o.next++
			if !k.gone && want(k) {
				return k
			}
		}
		return nil
	}
}

func uploaded(k *kept) bool { return k.Name.State == Uploaded }

// total is what all owners use of what is short.
func (m *maker) total() (total int64) {
	for _, o := range m.owners {
		total += m.weight(o)
	}
	return total
}

// aboveAverage returns the owners that use at least their share.
func (m *maker) aboveAverage() []*usage {
	total := m.total()
	return slices.DeleteFunc(slices.Clone(m.owners), func(o *usage) bool {
		return m.weight(o)*int64(len(m.owners)) < total
	})
}

// large returns the owners that are not spared: without the smallest ones, which together use
// less than a sixteenth. To take from these would cost them all that they have, and free little.
func (m *maker) large() []*usage {
	all := slices.Clone(m.owners)
	slices.SortFunc(all, func(a, b *usage) int {
		return cmp.Or(cmp.Compare(m.weight(a), m.weight(b)), strings.Compare(a.dir, b.dir))
	})
	left := m.total() / spared
	for i, o := range all {
		if left -= m.weight(o); left < 0 {
			return all[i:]
		}
	}
	return nil
}

// needed returns a function that reports whether an incident is still to be made
// of a segment.
func (s *Spool) needed() func(Segment) bool {
	needed := s.triage.Needed(s.root)
	if needed == nil {
		return func(Segment) bool { return false }
	}
	return func(seg Segment) bool {
		m, err := s.Look(seg)
		return err == nil && needed(m.Event)
	}
}

// byWeight is a heap of owners, the one that uses most first, as container/heap wants it.
type byWeight struct {
	owners []*usage
	weight func(*usage) int64
}

func (h *byWeight) Len() int { return len(h.owners) }

func (h *byWeight) Less(i, k int) bool {
	if a, b := h.weight(h.owners[i]), h.weight(h.owners[k]); a != b {
		return a > b
	}
	return h.owners[i].dir < h.owners[k].dir
}

func (h *byWeight) Swap(i, k int) { h.owners[i], h.owners[k] = h.owners[k], h.owners[i] }

func (h *byWeight) Push(o any) { h.owners = append(h.owners, o.(*usage)) }

func (h *byWeight) Pop() any {
	last := h.owners[len(h.owners)-1]
	h.owners = h.owners[:len(h.owners)-1]
	return last
}
