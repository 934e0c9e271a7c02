package driver

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/fifo"
	"github.com/logfast/logfast/driver/frame"
	"github.com/logfast/logfast/driver/record"
	"github.com/logfast/logfast/driver/segment"
)

// sizeLimit bounds a segment's text so that no segment is a large part of the
// spool's budget, in bytes: what is given up for room goes segment by segment.
func sizeLimit(maxSize, budget int64) int64 {
	if budget == 0 {
		return maxSize
	}
	return min(maxSize, budget/8)
}

// makeRoom frees size bytes in the spool, by the budget or, where the disk
// refused, on the disk. It waits for the disk and for nothing else.
func (d *Driver) makeRoom(size int, diskFull bool) error {
	given, err := d.cfg.Spool.MakeRoom(size, diskFull, d.cfg.OnFull == OnFullDrop)
	for _, g := range given {
		d.countGivenUp(g)
		d.cfg.Log.Error("a segment was given up, because the spool is full; a line in its place says so",
			"segment", g.Segment.Path(), "lines", g.Lost.Lines, "bytes", g.Lost.Bytes, "from", g.Lost.From, "to", g.Lost.To)
	}
	if len(given) > 0 {
		d.cfg.Sealed() // there is a line to pack where a segment was
	}
	if errors.Is(err, segment.ErrFull) {
		d.jobs.start(func() { d.sealLargest(int64(size)) }) // the segment of another container may hang
	}
	return err
}

// sealLargest seals the largest active segments where nothing else in the spool
// can make room for size bytes: SHIP packs them then, or they can be given up.
// A thousand streams that wait for room make it do so once a second.
func (d *Driver) sealLargest(size int64) {
	d.mu.Lock()
	now := time.Now()
	if now.Sub(d.pressed) < retry {
		d.mu.Unlock()
		return
	}
	d.pressed = now
	d.mu.Unlock()
	type active struct {
		*stream
		size int64
	}
	var all []active
	for _, s := range d.find(func(*stream) bool { return true }) {
		if n := s.writer.Size(); n > 0 {
			all = append(all, active{s, n})
		}
	}
	slices.SortStableFunc(all, func(a, b active) int { return cmp.Compare(b.size, a.size) })
	need := size + d.cfg.Spool.Budget()/20
	d.cfg.Spool.UseReserve(func() {
		for _, a := range all {
			path, err := a.writer.Seal(segment.Size)
			d.sealed(a.desc.Name, path, err)
			if err != nil {
				return
			}
			if path != "" { // else another stream of the container had it
				need -= a.size
			}
			if need <= 0 {
				return
			}
		}
	})
}

// repeatTrouble is how often lasting trouble is said again.
const repeatTrouble = time.Minute

// trouble is what keeps a stream from writing. Its run goroutine owns it.
type trouble struct {
	latest      atomic.Pointer[failure] // nil: there is none; anybody may look
	since, said time.Time
}

// failure is why a stream cannot write, and since when.
type failure struct {
	since time.Time
	err   error
}

// report notes that a batch could not be written, and says so, not too often.
func (t *trouble) report(s *stream, err error) {
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	}
	t.latest.Store(&failure{t.since, err})
	if now.Sub(t.said) < repeatTrouble {
		return
	}
	t.said = now
	s.driver.cfg.Log.Error("cannot write; the lines wait in the FIFO, and the container with them once that is full; with on-full=drop they are discarded after a while",
		"container", s.desc.Name, "since", t.since, "err", err)
}

// lasts reports whether there has been trouble for so long.
func (t *trouble) lasts(long time.Duration) bool {
	return !t.since.IsZero() && time.Since(t.since) >= long
}

// over notes that a batch was written.
func (t *trouble) over(s *stream) {
	if t.since.IsZero() {
		return
	}
	s.driver.cfg.Log.Info("writes again", "container", s.desc.Name, "after", time.Since(t.since).Round(time.Millisecond))
	t.since, t.said = time.Time{}, time.Time{}
	t.latest.Store(nil)
}

// dropAfter is how long lines wait for a disk that takes nothing, with
// on-full=drop, until they are discarded. A container that waits in the middle of
// a write can hold locks of dockerd's, on which docker rm, docker inspect and even
// docker image rm wait then.
const dropAfter = 10 * time.Second

// diskError is the reason of a Lost where the disk refuses, though it is not full.
const diskError = "disk error"

// missing is what a stream has discarded since it could write last.
type missing struct{ record.Lost }

// mark is the record that will stand in its place.
func (m *missing) mark() *record.Record {
	return &record.Record{Time: m.From.UnixNano(), Stream: record.Stderr, Text: m.Text()}
}

// discard takes the whole frames that are in the FIFO out of it, unwritten,
// because of an error that has lasted, and counts them. It returns how many bytes
// it took.
//
//	write what is missing into the cursor  killed here: the frames are counted, and come again
//	consume                                killed here: the next life writes the mark
func (s *stream) discard(w *workspace, because error) (int, error) {
	data, err := s.fifo.Peek(w.peeked, 0)
	if err != nil {
		return 0, err
	}
	lost := record.Lost{Reason: diskError}
	if segment.Full(because) || errors.Is(because, segment.ErrFull) {
		lost.Reason = segment.DiskFull
	}
	if s.missing != nil {
		lost = s.missing.Lost
	}
	before := lost
	done := 0
	var e frame.Entry
	for {
		n, err := frame.Decode(data[done:], &e)
		if errors.Is(err, frame.ErrIncomplete) {
			break
		}
		if err != nil {
			n = frame.Resync(data[done:])
			lost.Bytes += int64(n)
			done += n
			continue
		}
		at := time.Unix(0, e.TimeNano)
		if lost.From.IsZero() {
			lost.From = at
		}
		if at.After(lost.To) {
			lost.To = at
		}
		if !e.More() {
			lost.Lines++
		}
		lost.Bytes += int64(len(e.Line))
		done += n
	}
	if done == 0 {
		return 0, fifo.ErrEmpty
	}
	if lost.From.IsZero() { // nothing but garbage
		lost.From, lost.To = time.Now(), time.Now()
	}
	// Best effort on a disk that refuses; the counts are in memory as well.
	if err := s.cursor.setMissing(&lost); err != nil {
		s.broken.report(s, err)
	}
	s.missing = &missing{lost}
	s.counts.lose(lost.Reason, lost.Lines-before.Lines, lost.Bytes-before.Bytes)
	if err := s.consume(w, done); err != nil {
		return 0, err
	}
	s.seen = len(data) - done
	return done, nil
}

// marked notes that the mark is written. Killed before, the next life writes it
// again: the loss is told twice then, not hidden.
func (s *stream) marked() {
	s.driver.cfg.Log.Error("lines were discarded while the disk took none; a line in their place says so", "container", s.desc.Name,
		"lines", s.missing.Lines, "bytes", s.missing.Bytes, "from", s.missing.From, "to", s.missing.To)
	s.missing = nil
	if err := s.cursor.setMissing(&record.Lost{}); err != nil {
		s.driver.cfg.Log.Error("after a kill the same loss would be told again", "container", s.desc.Name, "err", err)
	}
}
