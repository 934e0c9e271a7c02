package driver

import (
	"sync/atomic"
	"time"
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
		d.cfg.Log.Error("a segment was given up, because the spool is full; a line in its place says so",
			"segment", g.Segment.Path(), "lines", g.Lost.Lines, "bytes", g.Lost.Bytes, "from", g.Lost.From, "to", g.Lost.To)
	}
	if len(given) > 0 {
		d.cfg.Sealed() // there is a line to pack where a segment was
	}
	return err
}

// repeatTrouble is how often lasting trouble is said again.
const repeatTrouble = time.Minute

// trouble is what keeps a stream from writing. Its run goroutine owns it.
type trouble struct {
	now         atomic.Bool // there is some; anybody may look
	since, said time.Time
}

// report notes that a batch could not be written, and says so, not too often.
func (t *trouble) report(s *stream, err error) {
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
		t.now.Store(true)
	}
	if now.Sub(t.said) < repeatTrouble {
		return
	}
	t.said = now
	s.driver.cfg.Log.Error("cannot write; the lines wait in the FIFO, and the container with them once that is full",
		"container", s.desc.Name, "since", t.since, "err", err)
}

// over notes that a batch was written.
func (t *trouble) over(s *stream) {
	if t.since.IsZero() {
		return
	}
	s.driver.cfg.Log.Info("writes again", "container", s.desc.Name, "after", time.Since(t.since).Round(time.Millisecond))
	t.since, t.said = time.Time{}, time.Time{}
	t.now.Store(false)
}
