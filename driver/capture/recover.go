package capture

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/format/record"
)

// pending is the streams of one container that an earlier process has read and
// that are still to be reattached. They share a segment: all of them find out what
// of theirs is in it before one of them writes.
type pending struct {
	entries []journal.Entry         // the reattachment changes them, with roster.mu held
	opened  map[string]*fifo.Reader // by path; they keep what is in the FIFO; owned by the reattachment

	// roster.mu guards what follows.
	stopped map[string]bool // FIFOs that Docker has closed meanwhile
	failed  *failure        // why the last reattachment failed
	again   time.Time       // when it is tried next
	busy    chan struct{}   // closed at the end of the one that is under way; nil: none is
}

// newPending makes one without entries, whose reattachment the caller begins.
func newPending() *pending {
	return &pending{opened: map[string]*fifo.Reader{}, stopped: map[string]bool{}, busy: make(chan struct{})}
}

// snapshotLocked returns how the stream of one of p's entries is. The caller holds
// roster.mu.
func (p *pending) snapshotLocked(e *journal.Entry) StreamSnapshot {
	at := StreamSnapshot{
		Stream: e.Stream, Notices: e.Options.Notices, Counts: Counts{Lost: make([]Loss, len(LossReasons))},
		Trouble: errPending,
	}
	for i, reason := range LossReasons {
		at.Lost[i].Reason = reason
	}
	if p.failed != nil {
		at.Trouble, at.TroubleSince = p.failed.err, p.failed.since
	}
	return at
}

// Recover brings the spool into order and reattaches the streams of the process
// before this one, killed or stopped while their containers went on. Call it
// once, before Start. Its error says what was left as it is; all else works.
//
// All registered streams count for their scopes before the first of them is read,
// so that one that ends at once closes no incident of the others.
func (d *Driver) Recover() error {
	errs := []error{d.losses.load()} // before the registry's own losses are added
	entries, err := d.journal.Load(d.discardedBefore)
	errs = append(errs, err, d.events.Load())
	live := map[string]*pending{} // by directory
	for i := range entries {
		e := &entries[i]
		if wrong := e.Options.Repair(&e.Stream, &d.cfg.Defaults); wrong != nil {
			d.cfg.Log.Error("options of a running container are not understood; it is read all the same",
				"container", e.Stream.Name, "err", errors.Join(wrong...))
		}
		dir := e.Stream.Dir()
		if live[dir] == nil {
			live[dir] = newPending()
		}
		live[dir].entries = append(live[dir].entries, *e)
	}
	for _, p := range live {
		d.streams.expect(p)
	}
	errs = append(errs, d.cfg.Spool.Recover(func(dir string) bool { return live[dir] != nil }))
	d.events.Recovered(entries)
	for _, p := range live {
		errs = append(errs, d.reattach(p))
	}
	d.jobs.start(d.touch)
	return errors.Join(errs...)
}

// discardedBefore counts lines that a stream of an earlier process has discarded and
// could not mark. Its container has ended since.
func (d *Driver) discardedBefore(dir string, l *record.Lost) {
	d.losses.note(dir, l.Reason, l.Lines, l.Bytes, time.Now())
}

// reattachPending tries again to reattach those that want says, in jobs. It returns
// what is closed when these have ended.
func (d *Driver) reattachPending(want func(*pending) bool) (done []<-chan struct{}) {
	return d.streams.reattach(want, func(p *pending) {
		d.jobs.start(func() {
			if err := d.reattach(p); err != nil {
				d.cfg.Log.Error("a running container is not read; will try again", "err", err)
			}
		})
	})
}

// has reports whether one of the streams reads the FIFO at this path.
func (p *pending) has(path string) bool {
	return slices.ContainsFunc(p.entries, func(e journal.Entry) bool { return e.FIFO == path })
}

// writes reports whether the streams write into this directory.
func (p *pending) writes(dir string) bool {
	return slices.ContainsFunc(p.entries, func(e journal.Entry) bool { return e.Stream.Dir() == dir })
}

// reattach opens the FIFOs of a container, finds out what of theirs is in its
// segment, and begins to read. The caller has set busy, which it clears. Where one
// cannot be opened, Run tries again with all.
func (d *Driver) reattach(p *pending) error {
	streams, gone, err := d.reopen(p)
	for _, s := range streams {
		s.writer = d.cfg.Spool.Writer(s.desc)
		if err := s.resume(); err != nil {
			d.cfg.Log.Error("resume: lines may be doubled", "container", s.desc.Name, "err", err)
		}
	}
	if err != nil {
		d.streams.notReattached(p, gone, err, time.Now().Add(retry))
		return err
	}
	if len(streams) == 0 && len(gone) > 0 {
		// The container has ended. Its active segment is to be sealed, and its scopes wait
		// for that.
		last := len(gone) - 1
		d.sealer.leave(gone[last].Stream, true)
		gone = gone[:last]
	}
	launched, refused := d.streams.reattached(p, streams, gone)
	for _, s := range launched {
		d.cfg.Log.Info("stream resumed", "container", s.desc.Name, "id", s.desc.ShortID())
	}
	for _, s := range refused { // the next process reattaches them
		err = errors.Join(err, s.abandon())
	}
	return err
}

// reopen opens what is pending, all or nothing. It returns those whose FIFO has
// gone besides: dockerd has removed it since. A FIFO that is open already stays so
// when another one cannot be opened, or a cursor: then Docker may end the
// container, and what it has written last is still there.
func (d *Driver) reopen(p *pending) (streams []*stream, gone []journal.Entry, err error) {
	for _, e := range p.entries {
		if p.opened[e.FIFO] != nil {
			continue
		}
		r, openErr := fifo.Open(d.poller, e.FIFO)
		if _, there := os.Lstat(e.FIFO); openErr != nil && errors.Is(there, os.ErrNotExist) {
			if removeErr := d.journal.Remove(e.FIFO); removeErr != nil {
				d.cfg.Log.Error("a stream that has ended is still registered", "container", e.Stream.Name,
					"err", removeErr)
			}
			gone = append(gone, e)
			continue
		}
		if openErr != nil {
			err = errors.Join(err, fmt.Errorf("reattach the stream of %s: %w", e.Stream.Name, openErr))
			continue
		}
		p.opened[e.FIFO] = r
	}
	if err != nil {
		return nil, gone, err
	}
	for _, e := range p.entries {
		r := p.opened[e.FIFO]
		if r == nil {
			continue // gone
		}
		s, openErr := openStream(d, &e, r, d.journal.Known)
		if openErr != nil {
			err = errors.Join(err, fmt.Errorf("reattach the stream of %s: %w", e.Stream.Name, openErr))
			continue
		}
		streams = append(streams, s)
	}
	if err != nil {
		for _, s := range streams {
			err = errors.Join(err, s.cursor.Close())
		}
		return nil, gone, err
	}
	return streams, gone, nil
}

// stopPending ends a stream that Docker has closed while it is pending: it is
// reattached, which drains and seals it, or will be as soon as that is possible.
func (d *Driver) stopPending(path string) {
	if !d.streams.stop(path) {
		return
	}
	if !d.awaitPending(func(p *pending) bool { return p.stopped[path] }) {
		d.cfg.Log.Error("a container has ended whose stream is not reattached: the disk does not answer; will go "+
			"on when it does", "fifo", path)
	}
}

// awaitPending tries to reattach those that want says, and waits for that, not for
// ever. It reports whether the disk has answered.
func (d *Driver) awaitPending(want func(*pending) bool) bool {
	timeout := time.After(d.stopWait)
	for _, done := range d.reattachPending(want) {
		select {
		case <-done:
		case <-timeout:
			return false
		}
	}
	return true
}
