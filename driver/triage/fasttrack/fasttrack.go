// Package fasttrack decides when errors are worth sealing a segment early. It
// is a state machine without a clock: its caller passes the time.
package fasttrack

import "time"

// Policy is how long an event stays open.
type Policy struct {
	Quiet    time.Duration // closes the event once no error has come for this long
	MaxDelay time.Duration // closes the event this long after its first error, whatever comes
}

// Due is an event whose time has come.
type Due struct {
	Scope    string
	MaxDelay bool // errors go on: it was open for that long
}

// Machine keeps the open events, one a scope. A scope is any name: of a
// container, of a group, of the host. The zero Machine is ready. It belongs
// to one goroutine, or to whoever holds its lock.
type Machine struct {
	events map[string]event
}

type event struct {
	first, last time.Time
	policy      Policy // of the last error
}

func (e event) due() time.Time {
	quiet, most := e.last.Add(e.policy.Quiet), e.first.Add(e.policy.MaxDelay)
	if most.Before(quiet) {
		return most
	}
	return quiet
}

// Error notes an error in scope at time now. It opens an event or prolongs the
// open one.
func (m *Machine) Error(scope string, p Policy, now time.Time) {
	if m.events == nil {
		m.events = map[string]event{}
	}
	e, open := m.events[scope]
	if !open {
		e.first = now
	}
	e.last, e.policy = now, p
	m.events[scope] = e
}

// Drop closes the scope's event, if one is open, without it becoming due: its
// segments have been sealed for another reason.
func (m *Machine) Drop(scope string) { delete(m.events, scope) }

// Open reports whether the scope has an open event.
func (m *Machine) Open(scope string) bool {
	_, open := m.events[scope]
	return open
}

// Due closes the events whose time has come by now and returns them.
func (m *Machine) Due(now time.Time) []Due {
	var due []Due
	for scope, e := range m.events {
		if at := e.due(); !at.After(now) {
			due = append(due, Due{Scope: scope, MaxDelay: at.Before(e.last.Add(e.policy.Quiet))})
			delete(m.events, scope)
		}
	}
	return due
}

// Event is an open event.
type Event struct {
	Scope       string
	First, Last time.Time // of its errors
	Due         time.Time // when it closes, unless another error comes
}

// Events returns the open events, in no order.
func (m *Machine) Events() []Event {
	var all []Event
	for scope, e := range m.events {
		all = append(all, Event{scope, e.first, e.last, e.due()})
	}
	return all
}

// Next returns when the earliest open event becomes due, if one is open.
func (m *Machine) Next() (next time.Time, open bool) {
	for _, e := range m.events {
		if due := e.due(); !open || due.Before(next) {
			next, open = due, true
		}
	}
	return next, open
}
