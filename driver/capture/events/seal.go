package events

import (
	"slices"
	"time"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
)

// Sealing implements spool.Seals: it says to which event the segment belongs,
// and makes sure that a crash does not forget that.
func (v *Events) Sealing(seg spool.Segment, m *spool.Meta) error {
	v.mu.Lock()
	e := v.known[m.Event]
	if e == nil && m.Event == "" {
		if e = v.eventOfLocked(seg.Dir, &m.Stream); e == nil && m.Errors > 0 {
			// A crash has forgotten its event: it has a new one, that is over, and
			// that other segments of its scope join.
			scope := options.Scope(m.Stream.Scope)
			e = v.addLocked(scope, (&options.Options{Scope: scope}).ScopeName(&m.Stream), m.First.UTC())
			e.Last = m.Last.UTC()
			v.overLocked(e, incident.ClosedRecover)
		}
	}
	if e == nil {
		v.mu.Unlock()
		return nil
	}
	v.holdLocked(e, seg.Dir)
	m.Event = e.ID
	v.mu.Unlock()
	return v.mark(e)
}

// eventOfLocked returns the event to which a segment belongs that is sealed in dir
// and names none.
func (v *Events) eventOfLocked(dir string, of *spool.Stream) *Event {
	if e := v.holding[dir]; e != nil {
		return e // its writer has ended, or died, and another one seals it
	}
	scopes := options.ScopesOf(of)
	for _, name := range slices.Backward(scopes[:]) { // the narrowest first
		var best *Event
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
//
//	MarkOpen   killed before: see Events; killed after: Load finds the event
func (v *Events) mark(e *Event) error {
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

// Sealed implements spool.Seals: the segment has joined its event.
func (v *Events) Sealed(seg spool.Segment, m *spool.Meta) {
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
		v.cfg.WakeUp()
	}
}

func (e *Event) join(seg spool.Segment) {
	member := incident.Member{Dir: seg.Dir, Stem: seg.Name.Stem()}
	if !e.joined[member] {
		e.joined[member] = true
		e.Members = append(e.Members, member)
	}
}
