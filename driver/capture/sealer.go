package capture

import (
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/capture/events"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
)

// sealer seals active segments: when an operator asks, when the daily time or an
// event's end comes, and what streams have left active at their end. It makes room
// for that and for what streams write. What it starts by itself waits for the disk in
// jobs.
type sealer struct {
	cfg     *Config
	events  *events.Events
	jobs    *jobs
	streams readers
	dropped func(spool.GivenUp) // counts a segment that was dropped for room

	daily func(now time.Time) time.Time // the next daily time; a test has its own

	// Owned by Run.
	next  time.Time // the daily time
	tried time.Time // when what has been left was sealed last

	// mu guards left and the fields of its elements. It is held for steps in memory
	// only.
	mu   sync.Mutex
	left []*leftover // whose last segment could not be sealed at their end
}

// readers are the streams that a sealer seals. All methods may be called
// concurrently; none waits for the disk.
type readers interface {
	// find returns the streams for which want is true.
	find(want func(*stream) bool) []*stream
	// inScope returns the streams of a scope of the fast track.
	inScope(scope string) []*stream
	// unexpect is called once a leftover that was expected is sealed.
	unexpect(desc *spool.Stream)
}

// sealRetry is how soon a failed seal is tried again.
const sealRetry = 5 * time.Second

// leftover is a container that has ended and whose last segment is still active.
type leftover struct {
	desc     spool.Stream
	expected bool // its scopes wait for it
	busy     bool // it is being sealed
}

// begin notes when the daily time comes. It precedes the first start.
func (z *sealer) begin(now time.Time) { z.next = z.daily(now) }

// start begins the seals that are due at the time now, in jobs.
func (z *sealer) start(now time.Time) {
	z.startDue(now)
	if now.Sub(z.tried) >= sealRetry {
		z.tried = now
		z.startLeft()
	}
	if !now.Before(z.next) {
		z.startOlder(z.next)
	}
	z.next = z.daily(now) // also if it has not come: the clock may have been set back
}

// pause is how long start has nothing to do. The daily time is a time of the wall
// clock, all others are durations: a clock that is set does not make them longer or
// shorter.
func (z *sealer) pause() time.Duration {
	pause := min(time.Until(z.next), recheck)
	if next, some := z.events.Next(); some {
		pause = min(pause, time.Until(next))
	}
	if z.unsealed() > 0 {
		pause = min(pause, sealRetry)
	}
	return pause
}

// startDue seals the scopes whose fast track is over, and closes their incidents, in
// a job. What cannot be sealed or closed now is tried again.
func (z *sealer) startDue(now time.Time) {
	if due := z.events.Due(now); len(due) > 0 {
		z.jobs.start(func() { each(len(due), func(i int) { z.closeEvent(due[i]) }) })
	}
}

func (z *sealer) closeEvent(e *events.Event) {
	var failed atomic.Bool
	if e.Closed == incident.ClosedQuiet || e.Closed == incident.ClosedMaxDelay {
		streams := z.streams.inScope(e.Name)
		each(len(streams), func(i int) {
			if z.seal(streams[i], spool.Error) != nil {
				failed.Store(true)
			}
		})
	}
	if z.events.Finish(e, !failed.Load(), time.Now()) {
		z.cfg.Sealed()
	}
}

// startOlder seals, in a job, the segments that began before the daily time. What
// began after it was begun because the day changed in the lines themselves, or while
// the clock was ahead: that is sealed as well.
func (z *sealer) startOlder(daily time.Time) (done <-chan struct{}) {
	future := time.Now().Add(stepBack)
	older := z.streams.find(func(s *stream) bool {
		began := s.writer.Began()
		return began.Before(daily) || began.After(future)
	})
	return z.jobs.start(func() { each(len(older), func(i int) { _ = z.seal(older[i], spool.Schedule) }) })
}

// leave notes that a stream has ended and its last segment is still active. expected
// says that its scopes wait for it.
func (z *sealer) leave(desc spool.Stream, expected bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.left = append(z.left, &leftover{desc: desc, expected: expected})
}

// unsealed returns how many containers have ended and are not sealed.
func (z *sealer) unsealed() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return len(z.left)
}

// sealLeft seals what streams have left active at their end, as their end would
// have. What cannot be sealed now is tried again.
func (z *sealer) sealLeft() { <-z.startLeft() }

// startLeft does that in a job, at whose end it closes what it returns.
func (z *sealer) startLeft() <-chan struct{} {
	var left []*leftover
	z.mu.Lock()
	for _, l := range z.left {
		if !l.busy {
			l.busy = true
			left = append(left, l)
		}
	}
	z.mu.Unlock()
	return z.jobs.start(func() { each(len(left), func(i int) { z.sealLeftover(left[i]) }) })
}

func (z *sealer) sealLeftover(l *leftover) {
	var path string
	err := z.cfg.Spool.WithRoom(spool.Need{Grow: true}, func() (err error) {
		w := z.cfg.Spool.Writer(l.desc)
		_, err = w.Tail(0, math.MaxInt64) // which cuts what a process that was killed has torn
		if err == nil {
			_, err = w.Resume(0, 0, 0) // a stream of the container's next life may have it by now
		}
		var closeErr error
		path, closeErr = w.Close()
		return errors.Join(err, closeErr)
	})
	if err != nil {
		z.cfg.Log.Warn("the last segment of a container cannot be sealed yet", "container", l.desc.Name, "err", err)
	} else {
		z.sealed(l.desc.Name, path, nil)
	}
	z.mu.Lock()
	l.busy = false
	if err == nil {
		z.left = slices.DeleteFunc(z.left, func(other *leftover) bool { return other == l })
	}
	z.mu.Unlock()
	if err == nil && l.expected {
		z.streams.unexpect(&l.desc)
	}
}

// expect says which segments an event's end will seal.
func (z *sealer) expect(scope string, by time.Time) {
	if z.cfg.Soon == nil {
		return
	}
	for _, s := range z.streams.inScope(scope) {
		z.cfg.Soon(s.dir, by)
	}
}

// seal seals a stream's active segment, on a disk that may be full: what
// describes a segment needs room as well. What its error says is in the log.
func (z *sealer) seal(s *stream, reason spool.Reason) error {
	var path string
	err := z.cfg.Spool.WithRoom(spool.Need{Grow: true}, func() (err error) {
		path, err = s.writer.Seal(reason)
		return err
	})
	z.sealed(s.desc.Name, path, err)
	return err
}

// sealed notifies package ship, and logs how a seal ended; path is empty if there
// was nothing to seal.
func (z *sealer) sealed(container, path string, err error) {
	switch {
	case err != nil:
		z.cfg.Log.Error("seal failed; the segment stays active and will be sealed later", "container", container,
			"err", err)
	case path != "":
		z.cfg.Log.Info("segment sealed", "container", container, "segment", path)
		z.cfg.Sealed()
	}
}

// makeRoom makes room in the spool, and counts and logs what that cost. It waits for
// the disk and for packing, not for the store.
func (z *sealer) makeRoom(n spool.Need) error {
	n.Drop = z.cfg.OnFull == options.OnFullDrop
	made, err := z.cfg.Spool.MakeRoom(n)
	for _, g := range made.Dropped {
		z.dropped(g)
		z.cfg.Log.Error("a segment was dropped, because the spool is full; a line in its place says so",
			"segment", g.Segment.Path(), "lines", g.Lost.Lines, "bytes", g.Lost.Bytes, "from", g.Lost.From, "to",
			g.Lost.To)
	}
	for _, seg := range made.Sealed {
		z.cfg.Log.Info("segment sealed, because the spool is full", "segment", seg.Path())
		z.cfg.Sealed()
	}
	if len(made.Dropped) > 0 {
		z.cfg.Sealed() // there is a line to pack where a segment was
	}
	return err
}
