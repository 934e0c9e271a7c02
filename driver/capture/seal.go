package capture

import (
	"errors"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/capture/events"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
)

// Seal seals the active segments of the containers with these ids now, or of
// all where there is none, because an operator asked for it. What the error says
// is in the log as well.
func (d *Driver) Seal(ids ...string) error {
	d.sealLeft()
	streams := d.find(func(s *stream) bool { return len(ids) == 0 || slices.Contains(ids, s.desc.ID) })
	errs := make([]error, len(streams))
	each(len(streams), func(i int) { errs[i] = d.sealWithRoom(streams[i], spool.Manual) })
	return errors.Join(errs...)
}

// sealWithRoom seals a stream's active segment, on a disk that may be full: what
// describes a segment needs room as well. What its error says is in the log.
func (d *Driver) sealWithRoom(s *stream, reason spool.Reason) error {
	var path string
	err := d.cfg.Spool.WithRoom(spool.Need{Grow: true}, func() (err error) {
		path, err = s.writer.Seal(reason)
		return err
	})
	d.sealed(s.desc.Name, path, err)
	return err
}

// sealed tells SHIP, and the log, how a seal ended; path is empty where there
// was nothing to seal.
func (d *Driver) sealed(container, path string, err error) {
	switch {
	case err != nil:
		d.cfg.Log.Error("seal failed; the segment stays active and will be sealed later", "container", container, "err", err)
	case path != "":
		d.cfg.Log.Info("segment sealed", "container", container, "segment", path)
		d.cfg.Sealed()
	}
}

// leave notes that a stream has ended and its last segment is still active.
func (d *Driver) leave(desc spool.Stream) {
	d.mu.Lock()
	d.left = append(d.left, &leftover{desc: desc})
	d.mu.Unlock()
	d.wakeUp()
}

// sealLeft seals what streams have left active at their end, as their end would
// have. What cannot be sealed now is tried again.
func (d *Driver) sealLeft() { <-d.startSealLeft() }

// startSealLeft does that in a job, at whose end it closes what it returns.
func (d *Driver) startSealLeft() <-chan struct{} {
	var left []*leftover
	d.mu.Lock()
	for _, l := range d.left {
		if !l.busy {
			l.busy = true
			left = append(left, l)
		}
	}
	d.mu.Unlock()
	return d.jobs.start(func() { each(len(left), func(i int) { d.sealLeftover(left[i]) }) })
}

func (d *Driver) sealLeftover(l *leftover) {
	var path string
	err := d.cfg.Spool.WithRoom(spool.Need{Grow: true}, func() (err error) {
		w := d.cfg.Spool.Writer(l.desc)
		_, err = w.Tail(0, math.MaxInt64) // which cuts what a process that was killed has torn
		if err == nil {
			_, err = w.Resume(0, 0, 0) // a stream of the container's next life may have it by now
		}
		var closeErr error
		path, closeErr = w.Close()
		return errors.Join(err, closeErr)
	})
	if err != nil {
		d.cfg.Log.Warn("the last segment of a container cannot be sealed yet", "container", l.desc.Name, "err", err)
	} else {
		d.sealed(l.desc.Name, path, nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l.busy = false
	if err != nil {
		return
	}
	d.left = slices.DeleteFunc(d.left, func(other *leftover) bool { return other == l })
	if l.expected {
		d.unexpectLocked(&l.desc)
		d.wakeUp()
	}
}

// inScope returns the streams that a scope's seal takes.
func (d *Driver) inScope(scope string) []*stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Keys(d.scopes.streams[scope]), byDir)
}

// soon says which segments an event's end will seal.
func (d *Driver) soon(scope string, by time.Time) {
	if d.cfg.Soon == nil {
		return
	}
	for _, s := range d.inScope(scope) {
		d.cfg.Soon(s.dir, by)
	}
}

// sealDue seals the scopes whose fast track is over, and closes their incidents, in
// a job. What cannot be sealed or closed now is tried again.
func (d *Driver) sealDue(now time.Time) {
	if due := d.events.Due(now); len(due) > 0 {
		d.jobs.start(func() { each(len(due), func(i int) { d.closeEvent(due[i]) }) })
	}
}

func (d *Driver) closeEvent(e *events.Event) {
	var failed atomic.Bool
	if e.Closed == incident.ClosedQuiet || e.Closed == incident.ClosedMaxDelay {
		streams := d.inScope(e.Name)
		each(len(streams), func(i int) {
			if d.sealWithRoom(streams[i], spool.Error) != nil {
				failed.Store(true)
			}
		})
	}
	if d.events.Finish(e, !failed.Load(), time.Now()) {
		d.cfg.Sealed()
	}
}

// sealOlder seals, in a job, the segments that began before the daily time. What
// began after it was begun because the day changed in the lines themselves, or while
// the clock was ahead: that is sealed as well.
func (d *Driver) sealOlder(daily time.Time) (done <-chan struct{}) {
	future := time.Now().Add(stepBack)
	older := d.find(func(s *stream) bool {
		began := s.writer.Began()
		return began.Before(daily) || began.After(future)
	})
	return d.jobs.start(func() { each(len(older), func(i int) { _ = d.sealWithRoom(older[i], spool.Schedule) }) })
}

// leftover is a container that has ended and whose last segment is still active.
type leftover struct {
	desc     spool.Stream
	expected bool // its scopes wait for it
	busy     bool // it is being sealed; owned by Driver.mu
}
