// Package events keeps the open incidents of the fast track. An error that capture
// detects opens an event for its scope, further errors keep it open, and time or the
// end of the scope's containers ends it: capture seals the scope's segments then, and
// hands the event to package ship as an incident.
//
// Capture calls [Events.Note] for each error, [Events.Due] when [Events.Next] says,
// and [Events.Finish] once it has sealed. The spool calls [Events.Sealing] and
// [Events.Sealed] around each seal.
package events

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
)

// Events are the fast track's events, each of which becomes one incident, and
// know which segments belong to them. A segment belongs to the event of its first
// error; one without errors to the event that is open in its container, its
// group or on the host when it is sealed. Until its last segment is sealed, an
// event that is over stays known, so that no seal escapes it.
//
// What outlives a crash is in incident.Dir:
//
//	killed before the first seal        nothing is known; the segment is sealed by
//	                                    the recovery, or its stream resumes: a new
//	                                    event, the only one
//	killed from MarkOpen to MarkClosed  Load finds it and its segments; it resumes
//	                                    if a stream does, or closes
//	killed after MarkClosed             package ship has it
//
// All methods may be called concurrently. Lock order: Event.marking → Events.mu.
// Spool locks are held when Note, Sealing and Sealed are called.
type Events struct {
	cfg Config
	dir *incident.Dir

	// mu guards what follows, and the fields of each Event that say nothing else. It
	// is held for steps in memory only: no other lock is taken and no disk waited for.
	mu      sync.Mutex
	track   fasttrack.Machine
	open    map[string]*Event   // by their scope's name
	known   map[string]*Event   // those that segments can still join, by ID
	named   map[string][]*Event // known, by their scope's name
	holding map[string]*Event   // known, by a directory that is pending in them
	closing map[string]*Event   // over, and not yet handed to package ship, by ID
	notices []notice            // not yet sent
	looks   int64               // see Looks
}

// Config is what Events need. All fields but Routes must be set.
type Config struct {
	Spool  *spool.Spool
	Host   string // this host's name
	Log    *slog.Logger
	Routes *incident.Routes // patterns of routes, for early notices; nil: none
	WakeUp func()           // is called when the next time may have changed; must not wait
}

// Event is one event. Events.mu guards its fields if nothing else is said. Once
// [Events.Due] has returned it, its record changes in Members alone.
type Event struct {
	incident.Record
	pending map[string]bool          // directories with a segment that belongs to it and is not sealed
	joined  map[incident.Member]bool // Members, as a set
	again   time.Time                // when to try to finish it
	busy    bool                     // Due has returned it, and Finish was not called yet

	// marking guards marked. It is held while the marker is written, so that two
	// seals write it once and both wait for it.
	marking sync.Mutex
	marked  bool
}

// retry is how soon an event that could not be finished is tried again.
const retry = 5 * time.Second

// Open opens the events of a spool, which calls them at each seal from then on.
// Without room for the directory it goes on: each incident tries again.
func Open(cfg Config) *Events {
	s := cfg.Spool
	dir := incident.OpenDir(func() (durable.Root, error) { return s.State(incident.StateDir) })
	if err := s.WithRoom(spool.Need{Quick: true}, dir.Ready); err != nil {
		cfg.Log.Error("incidents cannot be kept yet; will try again with each", "err", err)
	}
	v := &Events{
		cfg: cfg, dir: dir, open: map[string]*Event{}, known: map[string]*Event{},
		named: map[string][]*Event{}, holding: map[string]*Event{}, closing: map[string]*Event{},
	}
	s.Tell(v)
	return v
}

// Close closes the directory of the incidents.
func (v *Events) Close() error { return v.dir.Close() }

// Note takes an error of a container into account, in whose directory the active
// segment belongs to the event current, and returns the event that it belongs to
// now. It is called while the segment's writer is locked, and never waits.
func (v *Events) Note(o *options.Options, desc *spool.Stream, current string, first *FirstError) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	e := v.known[current]
	if e == nil {
		scope := o.ScopeName(desc)
		if e = v.open[scope]; e == nil {
			at := now.UTC()
			if first.time != 0 {
				at = time.Unix(0, first.time).UTC()
			}
			e = v.addLocked(o.Scope, scope, at)
			v.open[scope] = e
			n := notice{event: e, record: e.Record, by: now.Add(o.Policy.MaxDelay), stream: *desc, first: *first}
			n.first.text, n.first.path = slices.Clone(first.text), slices.Clone(first.path)
			v.notices = append(v.notices, n)
		}
	}
	v.holdLocked(e, desc.Dir())
	if e.Last = now.UTC(); e.Closed == "" {
		v.track.Error(e.Name, o.Policy, now)
	}
	return e.ID
}

// addLocked makes an event known.
func (v *Events) addLocked(scope options.Scope, name string, first time.Time) *Event {
	e := newEvent(&incident.Record{
		ID: incident.NewID(first), Host: v.cfg.Host, Scope: string(cmp.Or(scope, options.ScopeContainer)), Name: name,
		First: first, Last: first,
	})
	v.knowLocked(e)
	return e
}

func newEvent(r *incident.Record) *Event {
	return &Event{Record: *r, pending: map[string]bool{}, joined: map[incident.Member]bool{}}
}

// knowLocked makes an event one that segments can join.
func (v *Events) knowLocked(e *Event) {
	v.known[e.ID] = e
	v.named[e.Name] = append(v.named[e.Name], e)
}

// forgetLocked is the reverse: nothing joins it any more.
func (v *Events) forgetLocked(e *Event) {
	delete(v.known, e.ID)
	v.named[e.Name] = slices.DeleteFunc(v.named[e.Name], func(other *Event) bool { return other == e })
	if len(v.named[e.Name]) == 0 {
		delete(v.named, e.Name)
	}
}

// holdLocked notes that a directory has a segment that belongs to the event and is not
// sealed yet.
func (v *Events) holdLocked(e *Event, dir string) {
	e.pending[dir] = true
	v.holding[dir] = e
}

// overLocked notes that the event is over.
func (v *Events) overLocked(e *Event, because incident.Closed) {
	e.Closed, e.At = because, time.Now().UTC()
	if v.open[e.Name] == e {
		delete(v.open, e.Name)
		v.track.Drop(e.Name)
	}
	v.closing[e.ID] = e
}

// Ended notes that the containers of a scope have all ended.
func (v *Events) Ended(scope string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looks++
	if e := v.open[scope]; e != nil {
		v.overLocked(e, incident.ClosedStop)
	}
}

// Scopes returns the names of the scopes that have an open event.
func (v *Events) Scopes() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.open))
}

// Due returns the events that are over and are to be sealed and finished now. The
// caller calls Finish for each: until then Due does not return it again.
func (v *Events) Due(now time.Time) []*Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range v.track.Due(now) {
		because := incident.ClosedQuiet
		if d.MaxDelay {
			because = incident.ClosedMaxDelay
		}
		if e := v.open[d.Scope]; e != nil {
			v.overLocked(e, because)
		}
	}
	var due []*Event
	for _, e := range v.closing {
		v.looks++
		if !e.busy && !e.again.After(now) {
			e.busy = true
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *Event) int { return strings.Compare(a.ID, b.ID) })
	return due
}

// Next returns when Due will return something, if it will.
func (v *Events) Next() (next time.Time, some bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next, some = v.track.Next()
	for _, e := range v.closing {
		if !e.busy && (!some || e.again.Before(next)) {
			next, some = e.again, true
		}
	}
	return next, some
}

// Snapshot lists the events that are open.
func (v *Events) Snapshot() []fasttrack.Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.track.Events()
}

// Finish hands an event that is over to package ship and reports whether it could. It
// cannot as long as one of its segments is not sealed, or the disk refuses.
func (v *Events) Finish(e *Event, sealed bool, now time.Time) bool {
	v.mu.Lock()
	ready := sealed && len(e.pending) == 0
	if ready {
		v.forgetLocked(e)
	} else {
		e.again, e.busy = now.Add(retry), false
	}
	r := e.Record
	v.mu.Unlock()
	if !ready {
		return false
	}
	err := v.hand(&r)
	v.mu.Lock()
	defer v.mu.Unlock()
	e.busy = false
	if err != nil {
		v.cfg.Log.Error("an incident cannot be closed; will try again", "incident", e.ID, "err", err)
		e.again = now.Add(retry)
		return false
	}
	delete(v.closing, e.ID)
	return true
}

func (v *Events) hand(r *incident.Record) error {
	if len(r.Members) == 0 {
		return v.dir.Drop(r.ID) // a marker to which no segment belongs
	}
	v.cfg.Log.Info("incident closed", "incident", r.ID, "scope", r.Name, "because", r.Closed,
		"segments", len(r.Members))
	return v.cfg.Spool.WithRoom(spool.Need{Grow: true}, func() error { return v.dir.MarkClosed(r) })
}

// Looks returns how many events were looked at: a test wants their number not to
// grow with that of the containers.
func (v *Events) Looks() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.looks
}
