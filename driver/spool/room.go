package spool

import (
	"container/heap"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Need says for what room is made.
type Need struct {
	Bytes int // of the write

	// Refused is the error of a write that the file system refused (see Full). Without it
	// the budget has no room.
	Refused error

	Drop  bool // pending text may be dropped for it
	Quick bool // uploaded copies alone may go: the caller must not wait for packing

	// Grow says that the caller can go on without a new file. No text is dropped for inodes then.
	Grow bool
}

// Made says what MakeRoom did to text that is not in the store.
type Made struct {
	Dropped []GivenUp
	Sealed  []Segment // active segments that were sealed, so that they could be packed
}

// SetRoomMaker makes WithRoom call f instead of MakeRoom, for a caller that says whether
// text may be dropped, and counts it. It comes before the first write.
func (s *Spool) SetRoomMaker(f func(Need) error) { s.makeRoom = f }

// OnPacked makes MakeRoom call f for each segment that it has packed. f must not wait. It
// comes before the first write.
func (s *Spool) OnPacked(f func(Segment)) { s.onPacked = f }

// WithRoom calls f, which writes to the spool and may be repeated. When the disk is full, it
// makes room as the need says and calls f again, and then once more with the reserve. It must
// not be called while a Writer is locked, nor by what MakeRoom or WithRoom calls: see Spool
// for the lock order.
func (s *Spool) WithRoom(n Need, f func() error) error { return s.AfterFull(f(), n, f) }

// AfterFull is WithRoom after a first call of f that has returned err.
func (s *Spool) AfterFull(err error, n Need, f func() error) error {
	if !Full(err) {
		return err
	}
	n.Refused = err
	roomErr := s.makeRoom(n)
	if roomErr == nil {
		if err = f(); !Full(err) {
			return err
		}
	}
	if used := s.useReserve(func() { err = f() }); used && err == nil {
		return nil
	}
	return errors.Join(err, roomErr)
}

// packWait bounds how long MakeRoom waits for segments that the packer has under way.
const packWait = 5 * time.Second

// Pressed reports whether MakeRoom has needed packed text within the last second: packing
// must not stand back then.
func (s *Spool) Pressed() bool {
	return time.Since(time.Unix(0, s.pressed.Load())) < time.Second
}

// MakeRoom frees what the need asks for and a little more, so that it is not called again at
// once. The container that uses most always gives first, its oldest segments first. In this
// order MakeRoom
//
//	deletes uploaded copies of containers that use more than the average
//	packs sealed segments
//	deletes other uploaded copies
//	seals and packs the largest active segments
//	deletes copies of which an incident is still to be built
//	seals and packs what was written meanwhile, if text may be dropped
//	drops pending text, if the need allows it: of one container, segments with errors last
//
// The smallest containers, which together use less than a sixteenth, lose copies and text when
// that is not enough.
//
// For inodes, packing and sealing free nothing. Instead it merges the lines that stand for
// dropped segments; and where text may be dropped, it drops neighbouring segments of one
// container and leaves one line for them.
//
// It returns ErrFull if it could free nothing. Hold keeps a segment from being dropped.
func (s *Spool) MakeRoom(n Need) (Made, error) {
	s.making.Lock()
	defer s.making.Unlock()
	if n.Refused == nil && s.Room(n.Bytes) {
		return Made{}, nil // another stream has made it meanwhile
	}
	m := &maker{s: s, need: n, hung: map[*Writer]bool{}}
	if n.Refused != nil {
		short, err := s.shortage(n)
		if err != nil {
			return Made{}, err
		}
		m.inodes = short == inodes
		if short == nothing {
			if time.Since(s.foundRoom) > retrySoon {
				s.foundRoom = time.Now()
				return Made{}, nil
			}
			// The write was refused again, and nothing says why: text stays.
			n.Drop, n.Quick = false, true
			m.need = n
		}
	}
	tried := attempt{m.inodes, n.Drop && (!m.inodes || !n.Grow), n.Quick}
	if time.Since(s.foundFull[tried]) < lookAgain {
		return Made{}, ErrFull
	}
	var err error
	if m.owners, err = s.census(); err != nil {
		return Made{}, err
	}
	if n.Refused == nil && s.Room(n.Bytes) {
		return Made{}, nil
	}
	before := s.used.Load()
	m.target = s.maxDisk - int64(n.Bytes) - s.maxDisk/20
	if n.Refused != nil {
		m.target = before - max(int64(n.Bytes), reserveSize)
	}
	if m.inodes {
		m.freeInodes()
	} else {
		m.freeBytes()
	}
	if m.reserve {
		m.errs = append(m.errs, s.fillReserve(m.spareFiles()))
	}
	if m.freed > 0 || !m.inodes && s.used.Load() < before {
		return m.made, nil // what failed is tried again when this room is used up
	}
	s.foundFull[tried] = time.Now()
	return m.made, errors.Join(append(m.errs, ErrFull)...)
}

// retrySoon is how long a refusal that nothing explains is taken for one that has passed.
const retrySoon = 2 * time.Second

// attempt is a kind of MakeRoom that may find nothing.
type attempt struct{ inodes, drop, quick bool }

// maker is one MakeRoom.
type maker struct {
	s       *Spool
	need    Need
	inodes  bool  // they are short, not bytes
	target  int64 // bytes that may be used at the end
	freed   int   // files
	owners  []*usage
	reserve bool // was given back to the disk
	made    Made
	errs    []error

	waiting   []*kept          // sealed, and held by the packer
	hung      map[*Writer]bool // whose seal has taken too long
	packLimit int64            // bytes of a text that the disk had no room to pack; 0: none yet
}

func (m *maker) enough() bool {
	if m.inodes {
		return m.freed >= inodesWanted
	}
	return m.s.used.Load() <= m.target
}

// each calls f for segments until there is enough room: always for the next one of the owner
// that uses most at that moment.
func (m *maker) each(owners []*usage, next func(*usage) *kept, f func(*usage, *kept)) {
	h := &byWeight{owners: slices.Clone(owners), weight: m.weight}
	for _, o := range owners {
		o.next, o.later, o.errorsToo = 0, nil, false
	}
	heap.Init(h)
	for h.Len() > 0 && !m.enough() {
		o := h.owners[0]
		k := next(o)
		if k == nil {
			heap.Pop(h)
			continue
		}
		f(o, k)
		heap.Fix(h, 0)
	}
}

func (m *maker) freeBytes() {
	needed := m.s.needed()
	spare := oldest(func(k *kept) bool { return uploaded(k) && !needed(k.Segment) })
	large := m.large()
	drops := m.need.Drop && !m.need.Quick
	m.each(m.aboveAverage(), spare, m.deleteCopy)
	m.pack()
	m.each(large, spare, m.deleteCopy)
	m.sealLargest()
	m.each(large, oldest(uploaded), m.deleteCopy)
	if drops {
		m.packNew()
		m.dropOldest(large)
	}
	m.each(m.owners, spare, m.deleteCopy)
	m.each(m.owners, oldest(uploaded), m.deleteCopy)
	if drops {
		m.dropOldest(m.owners)
	}
}

// spared is which part of all is left to the owners that use least until nothing else can go.
const spared = 16

func (m *maker) deleteCopy(o *usage, k *kept) {
	if err := m.s.Delete(k.Segment); err != nil {
		m.errs = append(m.errs, err)
		return
	}
	m.took(o, k, 2) // its Meta is the other one
}

// took notes that a segment is gone, and how many files with it.
func (m *maker) took(o *usage, k *kept, files int) {
	k.gone = true
	o.bytes -= k.size
	o.files -= int64(files)
	m.freed += files
}

// freeReserve gives the reserve to the disk, for what making room must write.
func (m *maker) freeReserve() {
	if m.need.Refused != nil && !m.reserve {
		m.reserve = true
		_, err := m.s.freeReserve()
		m.errs = append(m.errs, err)
	}
}

// pack packs sealed segments. It waits a while for those that the packer has under way, which
// hurries then.
func (m *maker) pack() {
	if m.need.Quick || m.enough() {
		return
	}
	m.s.pressed.Store(time.Now().UnixNano())
	m.freeReserve()
	m.each(m.owners, oldest(func(k *kept) bool {
		if k.Name.State == Sealed && m.packLimit > 0 && k.size >= m.packLimit {
			k.failed = true
		}
		return k.Name.State == Sealed && !k.failed
	}), m.packOne)
	m.awaitPacker()
}

// awaitPacker waits a while for the segments that the packer has under way.
func (m *maker) awaitPacker() {
	waiting := m.waiting
	m.waiting = nil
	timeout := time.After(packWait)
	for _, k := range waiting {
		if m.enough() {
			return
		}
		m.s.pressed.Store(time.Now().UnixNano())
		select {
		case <-m.s.packingOf(k.Segment):
		case <-timeout:
			return
		}
		if packed := (Segment{Dir: k.Dir, Name: k.Name.in(Packed)}); m.s.Exists(packed) {
			k.Name = packed.Name
		}
	}
}

func (m *maker) packOne(o *usage, k *kept) {
	if mark, err := m.s.isMark(k.Segment); mark || err != nil {
		m.errs = append(m.errs, err)
		return // one line: nothing is gained
	}
	packed, err := m.s.Pack(k.Segment, nil, func(p *Packing) error { p.SetWorkers(packWorkers); return nil })
	switch {
	case errors.Is(err, ErrHeld):
		m.waiting = append(m.waiting, k)
	case err != nil:
		if Full(err) {
			k.failed, m.packLimit = true, k.size
		}
		m.errs = append(m.errs, err)
	default:
		was := k.size
		k.Segment, k.size, k.failed = packed, m.s.Size(packed), false
		o.bytes += k.size - was
		if m.s.onPacked != nil {
			m.s.onPacked(packed)
		}
	}
}

// packWorkers is how many processors MakeRoom packs with.
const packWorkers = 2

// sealLeast is how large an active segment is, in bytes, that is worth a seal for room: less
// is not much more than what describes it.
const sealLeast = 4 << 10

// sealLargest seals active segments, the largest first, and packs them.
func (m *maker) sealLargest() {
	if m.need.Quick || m.enough() {
		return
	}
	m.freeReserve()
	owners := map[string]*usage{}
	for _, o := range m.owners {
		owners[o.dir] = o
	}
	for _, w := range m.s.largestWriters() {
		if m.enough() || w.Size() < sealLeast {
			return
		}
		o := owners[w.dir]
		if o == nil || m.hung[w] {
			continue // it is new since the census, or would hang again
		}
		file, err := w.sealSoon()
		if errors.Is(err, errHangs) {
			m.errs = append(m.errs, err)
			m.hung[w] = true
			continue // another container's, perhaps; it may end later
		}
		if err != nil {
			m.errs = append(m.errs, err)
			return
		}
		name, ok := ParseName(path.Base(file))
		if !ok { // another stream of the container has sealed it
			continue
		}
		k := &kept{Segment: Segment{Dir: w.dir, Name: name}}
		k.size = m.s.Size(k.Segment)
		o.kept = append(o.kept, k)
		m.made.Sealed = append(m.made.Sealed, k.Segment)
		m.packOne(o, k)
	}
}

// sealWait is how long MakeRoom, on which others wait, waits for one seal.
const sealWait = 2 * time.Second

var errHangs = errors.New("the disk does not answer")

// sealSoon is Seal for a caller that must not wait for a disk that hangs. The seal goes on then.
func (w *Writer) sealSoon() (string, error) {
	type sealed struct {
		file string
		err  error
	}
	done := make(chan sealed, 1)
	go func() {
		file, err := w.Seal(Size)
		done <- sealed{file, err}
	}()
	select {
	case s := <-done:
		return s.file, s.err
	case <-time.After(sealWait):
		return "", fmt.Errorf("seal the active segment of %s: %w", w.dir, errHangs)
	}
}

// largestWriters returns the spool's writers, the one with the largest active segment first.
func (s *Spool) largestWriters() []*Writer {
	s.mu.Lock()
	var writers []*Writer
	for _, w := range s.writers {
		writers = append(writers, w)
	}
	s.mu.Unlock()
	sizes := make(map[*Writer]int64, len(writers))
	for _, w := range writers {
		sizes[w] = w.Size()
	}
	slices.SortFunc(writers, func(a, b *Writer) int {
		if c := sizes[b] - sizes[a]; c != 0 {
			return int(max(min(c, 1), -1))
		}
		return strings.Compare(a.dir, b.dir)
	})
	return writers
}

// dropOldest drops pending segments, of each owner those with errors last. Wherever that frees
// room to pack what could not be packed, it packs that first.
func (m *maker) dropOldest(owners []*usage) {
	if m.enough() {
		return
	}
	m.freeReserve()
	m.each(owners, m.nextToDrop, func(o *usage, k *kept) {
		if dropped, err := m.drop(o, k); err != nil {
			m.errs = append(m.errs, err)
		} else if dropped {
			m.packFailed()
		}
	})
}

// nextToDrop returns the next segment that has text to drop.
func (m *maker) nextToDrop(o *usage) *kept {
	pending := oldest(func(k *kept) bool { return !uploaded(k) })
	for k := pending(o); k != nil; k = pending(o) {
		meta, err := m.s.Meta(k.Segment)
		switch {
		case err != nil:
			m.errs = append(m.errs, err)
		case meta.dropped(): // there is none
		case meta.Errors > 0:
			o.later = append(o.later, k)
		default:
			return k
		}
	}
	if len(o.later) == 0 {
		return nil
	}
	k := o.later[0]
	o.later = o.later[1:]
	return k
}

// packFailed packs what had no room to be packed.
func (m *maker) packFailed() {
	for _, o := range m.owners {
		for _, k := range o.kept {
			if m.enough() {
				return
			}
			if k.failed && !k.gone && k.Name.State == Sealed {
				if m.packOne(o, k); k.failed {
					return // still
				}
			}
		}
	}
}

// drop puts a line in the place of a segment's text. It does nothing if the segment is held.
func (m *maker) drop(o *usage, k *kept) (dropped bool, err error) {
	release, ok := m.s.Hold(k.Segment)
	if !ok {
		return false, nil
	}
	defer release()
	meta, err := m.s.Meta(k.Segment)
	if err != nil {
		return false, err
	}
	lost, err := m.s.giveUp(k.Segment, meta)
	if err != nil {
		return false, fmt.Errorf("drop %s: %w", k.Path(), err)
	}
	m.made.Dropped = append(m.made.Dropped, GivenUp{k.Segment, lost})
	k.Name = k.Name.in(Sealed)
	was := k.size
	k.size, k.failed = m.s.Size(k.Segment), false
	o.bytes += k.size - was
	return true, nil
}
