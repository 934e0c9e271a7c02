package capture

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// pending is the streams of one container that an earlier process has read and
// that are still to be reattached. They share a segment: all of them find out what
// of theirs is in it before one of them writes.
type pending struct {
	entries []journal.Entry         // owned by the reattachment
	opened  map[string]*fifo.Reader // by path; they keep what is in the FIFO; owned by the reattachment

	stopped map[string]bool // FIFOs that Docker has closed meanwhile, owned by Driver.mu
	failed  *failure        // why the last reattachment failed, owned by Driver.mu
	again   time.Time       // when it is tried next, owned by Driver.mu
	busy    chan struct{}   // closed at the end of the one that is under way; nil: none is; owned by Driver.mu
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
	d.mu.Lock()
	for i := range entries {
		e := &entries[i]
		if wrong := e.Options.Repair(&e.Stream, &d.cfg.Defaults); wrong != nil {
			d.cfg.Log.Error("options of a running container are not understood; it is read all the same",
				"container", e.Stream.Name, "err", errors.Join(wrong...))
		}
		dir := e.Stream.Dir()
		if live[dir] == nil {
			live[dir] = &pending{opened: map[string]*fifo.Reader{}, stopped: map[string]bool{}}
			d.pending = append(d.pending, live[dir])
		}
		live[dir].entries = append(live[dir].entries, *e)
		d.scopes.expect(&e.Stream, 1)
	}
	d.mu.Unlock()
	errs = append(errs, d.cfg.Spool.Recover(func(dir string) bool { return live[dir] != nil }))
	d.events.Recovered(entries)
	for _, p := range live {
		d.mu.Lock()
		p.busy = make(chan struct{})
		d.mu.Unlock()
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil // the next process reattaches them
	}
	for _, p := range d.pending {
		if !want(p) {
			continue
		}
		if p.busy == nil {
			p.busy = make(chan struct{})
			d.jobs.start(func() {
				if err := d.reattach(p); err != nil {
					d.cfg.Log.Error("a running container is not read; will try again", "err", err)
				}
			})
		}
		done = append(done, p.busy)
	}
	return done
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
	d.mu.Lock()
	defer d.mu.Unlock()
	close(p.busy)
	p.busy = nil
	if err != nil {
		if p.failed == nil {
			p.failed = &failure{since: time.Now()}
		}
		p.failed = &failure{p.failed.since, err}
		p.again = time.Now().Add(retry)
	} else {
		d.pending = slices.DeleteFunc(d.pending, func(other *pending) bool { return other == p })
		p.entries = nil
	}
	for i, e := range gone {
		p.entries = slices.DeleteFunc(p.entries, func(other journal.Entry) bool { return other.FIFO == e.FIFO })
		// Another stream of the container, if there is one, seals their segment.
		d.leaveLocked(e.Stream, i == len(gone)-1 && len(streams) == 0 && len(p.entries) == 0)
	}
	for _, s := range streams {
		d.scopes.expect(&s.desc, -1)
		if !d.launchLocked(s) { // the next process reattaches it
			closeErr := s.abandon()
			err = errors.Join(err, closeErr)
			continue
		}
		d.reattached.Add(1)
		if p.stopped[s.path] {
			s.interrupt()
		}
		d.cfg.Log.Info("stream resumed", "container", s.desc.Name, "id", s.desc.ShortID())
	}
	d.wakeUp()
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
	d.mu.Lock()
	some := false
	for _, p := range d.pending {
		if p.has(path) {
			p.stopped[path], some = true, true
		}
	}
	d.mu.Unlock()
	if !some {
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
	timeout := time.After(stopWait)
	for _, done := range d.reattachPending(want) {
		select {
		case <-done:
		case <-timeout:
			return false
		}
	}
	return true
}

// leaveLocked notes that a stream has ended without its process: its FIFO has
// gone. Where it was the container's last, what is left active is to be sealed,
// and its scopes wait for that.
func (d *Driver) leaveLocked(desc spool.Stream, last bool) {
	if last {
		d.sealer.leave(desc, true)
		return
	}
	d.unexpectLocked(&desc)
}

// unexpectLocked notes that a stream that was registered will not be read, and
// ends what has waited for it.
func (d *Driver) unexpectLocked(desc *spool.Stream) {
	d.scopes.expect(desc, -1)
	d.endScopesLocked(desc)
}

// endScopesLocked ends the events of the scopes of a stream that are empty by now:
// there is nothing left to wait for in them.
func (d *Driver) endScopesLocked(desc *spool.Stream) {
	for _, name := range options.ScopesOf(desc) {
		if d.scopes.empty(name) {
			d.events.Ended(name)
		}
	}
}
