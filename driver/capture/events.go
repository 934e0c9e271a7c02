package capture

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
)

// events are the fast track's events, each of which becomes one incident, and
// know which segments belong to them. A segment belongs to the event of its first
// error; one without errors to the event that is open in its container, its
// group or on the host when it is sealed. Until its last segment is sealed, an
// event that is over stays known, so that no seal escapes it.
//
// What outlives a crash is in incident.Dir:
//
//	killed before the first seal        nothing is known; the segment is sealed by
//	                                    the recovery, or its stream goes on: a new
//	                                    event, the only one
//	killed from MarkOpen to MarkClosed  load finds it and its segments; it goes on
//	                                    where a stream does, or closes
//	killed after MarkClosed             it is SHIP's
type events struct {
	dir    *incident.Dir
	host   string
	log    *slog.Logger
	spool  *spool.Spool
	routes *incident.Routes // patterns of routes; nil: none
	wakeUp func()           // the next time may have changed; must not wait

	mu      sync.Mutex          // is never held while another lock is taken, or the disk waited for
	track   fasttrack.Machine   // owned by mu
	open    map[string]*event   // by their scope's name, owned by mu
	known   map[string]*event   // those that segments can still join, by ID, owned by mu
	named   map[string][]*event // known, by their scope's name, owned by mu
	holding map[string]*event   // known, by a directory that is pending in them, owned by mu
	closing map[string]*event   // over, and not yet SHIP's, by ID, owned by mu
	notices []notice            // nobody has been told yet, owned by mu
	looks   int64               // how many events were looked at, for a test; owned by mu
}

// event is one event. Its fields are owned by events.mu, where nothing else is said.
type event struct {
	incident.Record
	pending map[string]bool          // directories with a segment that belongs to it and is not sealed
	joined  map[incident.Member]bool // Members, as a set
	again   time.Time                // when to try to finish it
	busy    bool                     // due has returned it, and finish was not called yet

	marking sync.Mutex // is held while the disk is waited for
	marked  bool       // owned by marking
}

// notice is the first error of an event.
type notice struct {
	event  *event
	record incident.Record
	by     time.Time // when it closes at the latest
	stream spool.Stream
	first  firstError
}

// firstError is the first line of a batch that reports an error. The zero
// firstError is one that nobody knows.
type firstError struct {
	time   int64 // nanoseconds since 1970
	from   record.Stream
	text   []byte // the whole line: what is secret in it goes before it is cut
	cut    bool
	status int
	rule   string
	method string
	path   []byte
}

func (f *firstError) set(r *record.Record, line []byte, m *detect.Match) {
	text, path := f.text[:0], f.path[:0]
	*f = firstError{
		time: r.Time, from: r.Stream, status: m.Status, rule: m.Rule, method: string(m.Method), cut: len(line) >= detect.MaxLine,
		text: append(text, line[:min(len(line), detect.MaxLine)]...), path: append(path, m.Path...),
	}
}

func openEvents(cfg *Config, wakeUp func()) *events {
	s, log := cfg.Spool, cfg.Log
	dir := incident.OpenDir(func() (durable.Root, error) { return s.State(incident.StateDir) })
	if err := s.WithRoom(spool.Need{Quick: true}, dir.Ready); err != nil {
		log.Error("incidents cannot be kept yet; will try again with each", "err", err)
	}
	v := &events{
		dir: dir, host: cfg.Host, log: log, spool: s, routes: cfg.Routes, wakeUp: wakeUp, open: map[string]*event{}, known: map[string]*event{},
		named: map[string][]*event{}, holding: map[string]*event{}, closing: map[string]*event{},
	}
	s.Tell(v)
	return v
}

func (v *events) close() error { return v.dir.Close() }

// note takes an error of a container into account, in whose directory the active
// segment belongs to the event current, and returns the event that it belongs to
// now. It is called while the segment's writer is locked, and never waits.
func (v *events) note(o *options.Options, desc *spool.Stream, current string, first *firstError) string {
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
			e = v.add(o.Scope, scope, at)
			v.open[scope] = e
			n := notice{event: e, record: e.Record, by: now.Add(o.Policy.MaxDelay), stream: *desc, first: *first}
			n.first.text, n.first.path = slices.Clone(first.text), slices.Clone(first.path)
			v.notices = append(v.notices, n)
		}
	}
	v.hold(e, desc.Dir())
	if e.Last = now.UTC(); e.Closed == "" {
		v.track.Error(e.Name, o.Policy, now)
	}
	return e.ID
}

// add makes an event known. The caller holds mu.
func (v *events) add(scope options.Scope, name string, first time.Time) *event {
	e := newEvent(&incident.Record{ID: incident.NewID(first), Host: v.host, Scope: string(cmp.Or(scope, options.ScopeContainer)), Name: name, First: first, Last: first})
	v.know(e)
	return e
}

func newEvent(r *incident.Record) *event {
	return &event{Record: *r, pending: map[string]bool{}, joined: map[incident.Member]bool{}}
}

// know makes an event one that segments can join. The caller holds mu.
func (v *events) know(e *event) {
	v.known[e.ID] = e
	v.named[e.Name] = append(v.named[e.Name], e)
}

// unknow is the reverse: nothing joins it any more. The caller holds mu.
func (v *events) unknow(e *event) {
	delete(v.known, e.ID)
	v.named[e.Name] = slices.DeleteFunc(v.named[e.Name], func(other *event) bool { return other == e })
	if len(v.named[e.Name]) == 0 {
		delete(v.named, e.Name)
	}
}

// hold notes that a directory has a segment that belongs to the event and is not
// sealed yet. The caller holds mu.
func (v *events) hold(e *event, dir string) {
	e.pending[dir] = true
	v.holding[dir] = e
}

// Sealing implements spool.Seals: it says to which event the segment belongs,
// and makes sure that a crash does not forget that.
func (v *events) Sealing(seg spool.Segment, m *spool.Meta) error {
	v.mu.Lock()
	e := v.known[m.Event]
	if e == nil && m.Event == "" {
		if e = v.eventOf(seg.Dir, &m.Stream); e == nil && m.Errors > 0 {
			// A crash has forgotten its event: it has a new one, that is over, and
			// that other segments of its scope join.
			scope := options.Scope(m.Stream.Scope)
			e = v.add(scope, (&options.Options{Scope: scope}).ScopeName(&m.Stream), m.First.UTC())
			e.Last = m.Last.UTC()
			v.over(e, incident.ClosedRecover)
		}
	}
	if e == nil {
		v.mu.Unlock()
		return nil
	}
	v.hold(e, seg.Dir)
	m.Event = e.ID
	v.mu.Unlock()
	return v.mark(e)
}

// eventOf returns the event to which a segment belongs that is sealed in dir and
// names none. The caller holds mu.
func (v *events) eventOf(dir string, of *spool.Stream) *event {
	if e := v.holding[dir]; e != nil {
		return e // its writer has ended, or died, and another one seals it
	}
	scopes := options.ScopesOf(of)
	for _, name := range slices.Backward(scopes[:]) { // the narrowest first
		var best *event
		for _, e := range v.named[name] {
			v.looks++
			if best == nil || e.ID > best.ID {
				best = e
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// mark notes durably that there is the event.
func (v *events) mark(e *event) error {
	e.marking.Lock()
	defer e.marking.Unlock()
	if e.marked {
		return nil
	}
	v.mu.Lock()
	r := e.Record
	v.mu.Unlock()
	r.Members = nil
	err := v.dir.MarkOpen(&r)
	e.marked = err == nil
	return err
}

// Sealed implements spool.Seals.
func (v *events) Sealed(seg spool.Segment, m *spool.Meta) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.known[m.Event]
	if e == nil {
		return
	}
	delete(e.pending, seg.Dir)
	if v.holding[seg.Dir] == e {
		delete(v.holding, seg.Dir)
	}
	e.join(seg)
	if e.Closed != "" {
		e.again = time.Time{}
		v.wakeUp()
	}
}

func (e *event) join(seg spool.Segment) {
	member := incident.Member{Dir: seg.Dir, Stem: seg.Name.Stem()}
	if !e.joined[member] {
		e.joined[member] = true
		e.Members = append(e.Members, member)
	}
}

// over notes that the event is over. The caller holds mu.
func (v *events) over(e *event, because incident.Closed) {
	e.Closed, e.At = because, time.Now().UTC()
	if v.open[e.Name] == e {
		delete(v.open, e.Name)
		v.track.Drop(e.Name)
	}
	v.closing[e.ID] = e
}

// ended notes that the containers of a scope have all ended.
func (v *events) ended(scope string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looks++
	if e := v.open[scope]; e != nil {
		v.over(e, incident.ClosedStop)
	}
}

// scopes returns the names of the scopes that have an open event.
func (v *events) scopes() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.open))
}

// due returns the events that are over and are to be sealed and finished now. The
// caller calls finish for each: until then due does not return it again.
func (v *events) due(now time.Time) []*event {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range v.track.Due(now) {
		because := incident.ClosedQuiet
		if d.MaxDelay {
			because = incident.ClosedMaxDelay
		}
		if e := v.open[d.Scope]; e != nil {
			v.over(e, because)
		}
	}
	var due []*event
	for _, e := range v.closing {
		v.looks++
		if !e.busy && !e.again.After(now) {
			e.busy = true
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *event) int { return strings.Compare(a.ID, b.ID) })
	return due
}

// next returns when due will return something, if it will.
func (v *events) next() (next time.Time, some bool) {
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

// snapshot lists the events that are open.
func (v *events) snapshot() []fasttrack.Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.track.Events()
}

// finish hands an event that is over to SHIP and reports whether it could. It
// cannot as long as one of its segments is not sealed, or the disk refuses.
func (v *events) finish(e *event, sealed bool, now time.Time) bool {
	v.mu.Lock()
	ready := sealed && len(e.pending) == 0
	if ready {
		v.unknow(e)
	} else {
		e.again, e.busy = now.Add(sealRetry), false
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
		v.log.Error("an incident cannot be closed; will try again", "incident", e.ID, "err", err)
		e.again = now.Add(sealRetry)
		return false
	}
	delete(v.closing, e.ID)
	return true
}

func (v *events) hand(r *incident.Record) error {
	if len(r.Members) == 0 {
		return v.dir.Drop(r.ID) // a marker without anything to tell of
	}
	v.log.Info("incident closed", "incident", r.ID, "scope", r.Name, "because", r.Closed, "segments", len(r.Members))
	return v.spool.WithRoom(spool.Need{Grow: true}, func() error { return v.dir.MarkClosed(r) })
}

// load makes known what an earlier process has left open.
func (v *events) load(s *spool.Spool) error {
	err := v.dir.Clean()
	entries, listErr := v.dir.List()
	errs := []error{err, listErr}
	left := map[string]*event{}
	for _, entry := range entries {
		if entry.State != incident.Open {
			continue
		}
		r, err := v.dir.Record(entry)
		if err != nil {
			// It holds less than the segments that name it. Whose it is, is not known:
			// it takes every segment whose event is not known either.
			errs = append(errs, err)
			at, _ := incident.TimeOf(entry.ID)
			r = &incident.Record{ID: entry.ID, Host: v.host, Scope: string(options.ScopeHost), Name: string(options.ScopeHost), First: at, Last: at}
		}
		r.Closed, r.At, r.Members = "", time.Time{}, nil
		left[r.ID] = newEvent(r)
		left[r.ID].marked = true
	}
	if len(left) == 0 {
		return errors.Join(errs...)
	}
	all, err := s.All()
	errs = append(errs, err)
	for _, seg := range all {
		if m, err := s.Look(seg); err == nil && left[m.Event] != nil {
			left[m.Event].join(seg)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range left {
		v.know(e)
	}
	return errors.Join(errs...)
}

// recovered decides, after a recovery, which of the events that were left open
// go on, because streams of their scope do, and closes the others. Of two events of
// one scope the later one goes on: the earlier was over when the process ended.
func (v *events) recovered(streams []journal.Entry) {
	policies := map[string]fasttrack.Policy{}
	for _, own := range []bool{false, true} { // the policy of those whose errors count in the scope is better
		for _, s := range streams {
			for _, name := range options.ScopesOf(&s.Stream) {
				if !own || name == s.Options.ScopeName(&s.Stream) {
					policies[name] = s.Options.Policy
				}
			}
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	ids := slices.Sorted(maps.Keys(v.known))
	for _, id := range slices.Backward(ids) {
		e := v.known[id]
		if e.Closed != "" || v.open[e.Name] == e {
			continue
		}
		policy, some := policies[e.Name]
		if !some || v.open[e.Name] != nil {
			v.over(e, incident.ClosedRecover)
			continue
		}
		v.open[e.Name] = e
		v.track.Error(e.Name, policy, time.Now())
	}
}

// tell calls opened for each event of which nobody has been told. The event is
// on the disk by then, so that it keeps its ID. Killed between the two, it is
// not told of before its end.
func (v *events) tell(soon func(scope string, by time.Time), opened func(*incident.Event)) {
	v.mu.Lock()
	notices := v.notices
	v.notices = nil
	v.mu.Unlock()
	for _, n := range notices {
		soon(n.record.Name, n.by)
	}
	if opened == nil {
		return
	}
	for _, n := range notices {
		if err := v.spool.WithRoom(spool.Need{Quick: true}, func() error { return v.mark(n.event) }); err != nil {
			v.log.Error("an incident is told of, and would have another ID after a crash", "incident", n.record.ID, "err", err)
		}
		v.notify(&n, opened)
	}
}

// notify calls opened with a notice. One that cannot be made of its line must not
// keep back those of others.
func (v *events) notify(n *notice, opened func(*incident.Event)) {
	defer func() {
		if p := recover(); p != nil {
			v.log.Error("an early notice cannot be made; report this as a defect of logfast", "incident", n.record.ID, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	opened(n.build(v.routes))
}

func (n *notice) build(routes *incident.Routes) *incident.Event {
	redact := incident.RedactorOf(n.stream.Redact)
	f := &n.first
	at := n.record.First
	return incident.NewOpened(&n.record, triage.Container(&n.stream), incident.Line{
		Time: at, Container: n.stream.Name, App: n.stream.App, Stream: f.from.String(), Status: f.status, Rule: f.rule,
		Method: f.method, Path: f.path, Text: f.text, Cut: f.cut, Routes: routes,
	}, redact)
}
