package capture

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
)

// roster knows which streams there are: those that are read, and those of an earlier
// process that are still to be reattached. A stream goes from the second kind to the
// first in one step, so a scope whose containers run is never without a stream.
// Functions that it is given are called with mu held if nothing else is said: they
// must not wait.
type roster struct {
	ended  func(scope string) // called when a scope has no stream any more
	wakeUp func()             // called after that, without mu

	past counts // of streams that have ended, and of segments dropped then; has no lock

	// mu guards what follows, and the fields of pending that say so. It is held for
	// steps in memory only.
	mu      sync.Mutex
	read    map[string]*stream // by FIFO path
	pending []*pending         // to be reattached
	scopes  scopes             // of read and pending
	closed  bool               // no stream is added any more

	resumed int64 // streams that were reattached
}

func newRoster(ended func(scope string), wakeUp func()) *roster {
	return &roster{ended: ended, wakeUp: wakeUp, read: map[string]*stream{}, scopes: newScopes()}
}

// launch begins to read a stream and reports whether it did: not once the roster is
// closed.
func (r *roster) launch(s *stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.launchLocked(s)
}

func (r *roster) launchLocked(s *stream) bool {
	if r.closed {
		return false
	}
	r.read[s.path] = s
	r.scopes.add(s)
	go s.run()
	return true
}

// remove forgets a stream that has ended, and keeps its counts.
func (r *roster) remove(s *stream) {
	r.mu.Lock()
	delete(r.read, s.path)
	r.scopes.remove(s)
	r.past.fold(&s.counts)
	r.endScopesLocked(&s.desc)
	r.mu.Unlock()
	r.wakeUp()
}

// close keeps streams from being added.
func (r *roster) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// lookUp returns the stream that reads the FIFO at this path, nil if none does, and
// whether the roster is closed.
func (r *roster) lookUp(path string) (s *stream, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read[path], r.closed
}

// has reports whether the FIFO at this path is read, or is to be.
func (r *roster) has(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read[path] != nil || slices.ContainsFunc(r.pending, func(p *pending) bool { return p.has(path) })
}

// find returns the streams that are read and for which want is true, in the order of
// their directories.
func (r *roster) find(want func(*stream) bool) []*stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*stream
	for _, s := range r.read {
		if want(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, byDir)
	return found
}

// all returns the streams that are read, in the order of their directories.
func (r *roster) all() []*stream { return r.find(func(*stream) bool { return true }) }

// inScope returns the streams that a scope's seal takes.
func (r *roster) inScope(scope string) []*stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Keys(r.scopes.streams[scope]), byDir)
}

func byDir(a, b *stream) int { return strings.Compare(a.dir, b.dir) }

// endEmpty ends those of the scopes that have no stream.
func (r *roster) endEmpty(scopes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endEmptyLocked(scopes)
}

// endScopesLocked ends the scopes of a stream that have none by now: there is nothing
// left to wait for in them.
func (r *roster) endScopesLocked(desc *spool.Stream) {
	scopes := options.ScopesOf(desc)
	r.endEmptyLocked(scopes[:])
}

func (r *roster) endEmptyLocked(scopes []string) {
	for _, name := range scopes {
		if r.scopes.empty(name) {
			r.ended(name)
		}
	}
}

// expect adds streams that are registered and are to be reattached.
func (r *roster) expect(p *pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, p)
	for i := range p.entries {
		r.scopes.expect(&p.entries[i].Stream, 1)
	}
}

// unexpect notes that a stream that was expected will not be read, and ends what has
// waited for it.
func (r *roster) unexpect(desc *spool.Stream) {
	r.mu.Lock()
	r.unexpectLocked(desc)
	r.mu.Unlock()
	r.wakeUp()
}

func (r *roster) unexpectLocked(desc *spool.Stream) {
	r.scopes.expect(desc, -1)
	r.endScopesLocked(desc)
}

// stop notes that Docker has closed a FIFO, and reports whether its stream is pending.
func (r *roster) stop(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	some := false
	for _, p := range r.pending {
		if p.has(path) {
			p.stopped[path], some = true, true
		}
	}
	return some
}

// reattach calls start for each pending that want says and whose reattachment is not
// under way. It returns what is closed when all of these have ended; nothing if the
// roster is closed, because the next process reattaches them.
func (r *roster) reattach(want func(*pending) bool, start func(*pending)) (done []<-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	for _, p := range r.pending {
		if !want(p) {
			continue
		}
		if p.busy == nil {
			p.busy = make(chan struct{})
			start(p)
		}
		done = append(done, p.busy)
	}
	return done
}

// reattached ends a reattachment that has succeeded: streams are read from now on, and
// no stream is expected for what is gone. It returns which streams it has launched, and
// which it has refused because the roster is closed.
func (r *roster) reattached(p *pending, streams []*stream, gone []journal.Entry) (launched, refused []*stream) {
	r.mu.Lock()
	r.pending = slices.DeleteFunc(r.pending, func(other *pending) bool { return other == p })
	r.forgetLocked(p, gone)
	p.entries = nil
	for _, s := range streams {
		r.scopes.expect(&s.desc, -1)
		if !r.launchLocked(s) {
			refused = append(refused, s)
			continue
		}
		r.resumed++
		launched = append(launched, s)
		if p.stopped[s.path] {
			s.interrupt()
		}
	}
	r.endReattachmentLocked(p)
	r.mu.Unlock()
	r.wakeUp()
	return launched, refused
}

// notReattached ends a reattachment that has failed and is to be tried again at the time
// again, without what is gone.
func (r *roster) notReattached(p *pending, gone []journal.Entry, err error, again time.Time) {
	r.mu.Lock()
	if p.failed == nil {
		p.failed = &failure{since: time.Now()}
	}
	p.failed = &failure{p.failed.since, err}
	p.again = again
	r.forgetLocked(p, gone)
	r.endReattachmentLocked(p)
	r.mu.Unlock()
	r.wakeUp()
}

// forgetLocked removes what is gone from p and from its scopes.
func (r *roster) forgetLocked(p *pending, gone []journal.Entry) {
	for _, e := range gone {
		p.entries = slices.DeleteFunc(p.entries, func(other journal.Entry) bool { return other.FIFO == e.FIFO })
		r.unexpectLocked(&e.Stream)
	}
}

func (r *roster) endReattachmentLocked(p *pending) {
	close(p.busy)
	p.busy = nil
}

// again returns when the next reattachment is to be tried, if one is.
func (r *roster) again() (next time.Time, some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pending {
		if p.busy == nil && (!some || p.again.Before(next)) {
			next, some = p.again, true
		}
	}
	return next, some
}

// unread returns what was not reattached. Call it once the roster is closed and no
// reattachment is under way.
func (r *roster) unread() []*pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending
}

// snapshot returns the streams that are read and a Snapshot of the others: those that
// are pending, and the counts of all.
func (r *roster) snapshot() (read []*stream, s Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Reattached = r.resumed
	for _, p := range r.pending {
		for _, e := range p.entries {
			s.Streams = append(s.Streams, p.snapshotLocked(&e))
		}
	}
	r.past.addTo(&s.Total)
	for _, stream := range r.read {
		read = append(read, stream)
		stream.counts.addTo(&s.Total)
	}
	return read, s
}
