package events

import (
	"runtime/debug"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
)

// notice is the first error of an event.
type notice struct {
	event  *Event
	record incident.Record
	by     time.Time // when it closes at the latest
	stream spool.Stream
	first  FirstError
}

// FirstError is the first line of a batch that reports an error. The zero
// FirstError is one that is not known.
type FirstError struct {
	time   int64 // nanoseconds since 1970
	from   record.Stream
	text   []byte // the whole line: what is secret in it goes before it is cut
	cut    bool
	status int
	rule   string
	method string
	path   []byte
}

// Set makes f the line, which r is the end of and in which m was found.
func (f *FirstError) Set(r *record.Record, line []byte, m *detect.Match) {
	text, path := f.text[:0], f.path[:0]
	*f = FirstError{
		time: r.Time, from: r.Stream, status: m.Status, rule: m.Rule, method: string(m.Method),
		cut:  len(line) >= detect.MaxLine,
		text: append(text, line[:min(len(line), detect.MaxLine)]...), path: append(path, m.Path...),
	}
}

// Forget makes f an error that is not known, and keeps its buffers.
func (f *FirstError) Forget() { f.time = 0 }

// Notify calls expectSeal, and opened unless that is nil, for each event that has
// opened since the last call: its scope will be sealed at the latest at the time by.
//
//	mark the event   killed before: see Events; the event has another ID then
//	call opened      killed before: there is no notice before the event's end
func (v *Events) Notify(expectSeal func(scope string, by time.Time), opened func(*incident.Event)) {
	v.mu.Lock()
	notices := v.notices
	v.notices = nil
	v.mu.Unlock()
	for _, n := range notices {
		expectSeal(n.record.Name, n.by)
	}
	if opened == nil {
		return
	}
	for _, n := range notices {
		if err := v.cfg.Spool.WithRoom(spool.Need{Quick: true}, func() error { return v.mark(n.event) }); err != nil {
			v.cfg.Log.Error("an incident is told of, and would have another ID after a crash", "incident", n.record.ID,
				"err", err)
		}
		v.notify(&n, opened)
	}
}

// notify calls opened with a notice. One that cannot be made of its line must not
// keep back those of others.
func (v *Events) notify(n *notice, opened func(*incident.Event)) {
	defer func() {
		if p := recover(); p != nil {
			v.cfg.Log.Error("an early notice cannot be made; report this as a defect of logfast",
				"incident", n.record.ID, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	opened(n.build(v.cfg.Routes))
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
