package incident

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/logfast/logfast/internal/sum"
)

// Part is one segment's share of an incident.
type Part struct {
	Container Container
	Object    Object
	Findings  *Findings // nil: its text reports no error and no loss, or nobody has looked

	// What was given up for room: one line stands in the place of the text.
	GivenUp               bool
	LostLines, LostErrors int64
}

// Build makes the event that tells of an incident that is closed and of which
// all parts are in the store. The same input makes the same event.
func Build(r *Record, parts []Part) *Event {
	in := Incident{
		ID: r.ID, Host: r.Host, Scope: r.Scope, Closed: r.Closed, First: r.First, Last: r.Last, Missing: r.Missing,
		Containers: []Container{}, Fingerprints: []Fingerprint{}, Samples: []Sample{}, Objects: []Object{},
	}
	var first, last time.Time
	prints := map[string]*Fingerprint{}
	for _, p := range parts {
		if !slices.ContainsFunc(in.Containers, func(c Container) bool { return c.ID == p.Container.ID }) {
			in.Containers = append(in.Containers, p.Container)
		}
		in.Objects = append(in.Objects, p.Object)
		in.Lines = sum.Add(in.Lines, p.Object.Lines)
		in.Bytes = sum.Add(in.Bytes, p.Object.Bytes)
		in.Lost = sum.Add(in.Lost, p.LostLines)
		f := p.Findings
		if f != nil {
			in.Lost = sum.Add(in.Lost, f.Lost)
		}
		if f == nil || f.Errors == 0 {
			in.add(0, sum.Add(p.Object.Errors, p.LostErrors)) // capture knew of them, and the text does not
			continue
		}
		for status, n := range f.ByStatus {
			code, _ := strconv.Atoi(status)
			in.add(code, n)
		}
		if first.IsZero() || f.First.Before(first) {
			first = f.First
		}
		if f.Last.After(last) {
			last = f.Last
		}
		in.Unlisted = sum.Add(in.Unlisted, f.Unlisted)
		for _, print := range f.Fingerprints {
			in.merge(prints, print)
		}
		for _, s := range f.Samples {
			s.Container = p.Container.Name
			if !p.GivenUp {
				s.Key = p.Object.Key
			} else { // the line is not there any more
				s.Line, s.Offset = 0, 0
			}
			in.Samples = append(in.Samples, s)
		}
	}
	if !first.IsZero() {
		in.First, in.Last = first, last
	}
	for _, p := range prints {
		in.Fingerprints = append(in.Fingerprints, *p)
	}
	slices.SortFunc(in.Fingerprints, func(a, b Fingerprint) int { return byErrors(&a, &b) })
	in.spreadKinds()
	for len(in.Fingerprints) > MaxFingerprints {
		last := len(in.Fingerprints) - 1
		in.Unlisted = sum.Add(in.Unlisted, in.Fingerprints[last].Errors)
		in.Fingerprints = in.Fingerprints[:last]
	}
	slices.SortFunc(in.Objects,
		func(a, b Object) int { return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Key, b.Key)) })
	in.Cause = in.chooseCause()
	in.chooseSamples()
	return envelope(TypeShipped, r.At, in)
}

// NewOpened makes the early notice of an incident: its first error.
func NewOpened(r *Record, c Container, l Line, redact *Redactor) *Event {
	s := NewSample(l, redact)
	in := Incident{
		ID: r.ID, Host: r.Host, Scope: r.Scope, First: r.First, Last: r.First,
		Containers: []Container{c}, Samples: []Sample{s}, Objects: []Object{},
		Fingerprints: []Fingerprint{{
			ID: s.Fingerprint, App: l.App, Method: clean([]byte(l.Method)),
			Route: redact.route(l.Routes, l.Method, l.Path), Status: l.Status,
			Errors: 1, First: r.First, Last: r.First,
		}},
	}
	in.add(s.Status, 1)
	e := envelope(TypeOpened, r.First, in)
	e.ID = EarlyID(in.ID)
	return e
}

// Line is an error as a detector finds it.
type Line struct {
	Time           time.Time
	Container, App string // names
	Stream         string // stdout or stderr
	Status         int
	Rule           string
	Method         string
	Path           []byte
	Text           []byte  // the whole line, up to detect.MaxLine bytes
	Cut            bool    // there was more
	Routes         *Routes // patterns of routes; nil: none
}

// NewSample quotes a line that is in no object yet.
func NewSample(l Line, redact *Redactor) Sample {
	s := Sample{
		Time: l.Time, Container: l.Container, Stream: l.Stream, Status: l.Status, Rule: l.Rule,
		Fingerprint: identity(appendIdentity(nil, l.App, l.Method, l.Routes.Of(l.Method, l.Path), l.Status)),
	}
	s.Text, s.Cut = cutEnd(redact.line(l.Text), l.Cut)
	return s
}

// Schema is the URL of the JSON Schema of Event.Data. It is published in every
// incident, so it does not change when the code moves.
const Schema = "https://github.com/logfast/logfast/blob/main/docs/schema/incident-v1.json#/$defs/incident"

func envelope(kind string, at time.Time, in Incident) *Event {
	return &Event{
		SpecVersion: "1.0", ID: in.ID, Source: "/logfast/" + plain(in.Host), Type: kind, Subject: in.subject(),
		Time: at.UTC(), DataContentType: "application/json", DataSchema: Schema, Data: in,
	}
}

// subject is the app with most errors.
func (in *Incident) subject() string {
	errors := map[string]int64{}
	for _, p := range in.Fingerprints {
		errors[p.App] = sum.Add(errors[p.App], p.Errors)
	}
	best := ""
	for app, n := range errors {
		if best == "" || n > errors[best] || n == errors[best] && app < best {
			best = app
		}
	}
	if best == "" && len(in.Containers) > 0 {
		best = in.Containers[0].App
	}
	return best
}

func (in *Incident) add(status int, n int64) {
	if n <= 0 {
		return
	}
	in.Errors = sum.Add(in.Errors, n)
	if in.ByStatus == nil {
		in.ByStatus = map[string]int64{}
	}
	in.ByStatus[strconv.Itoa(status)] = sum.Add(in.ByStatus[strconv.Itoa(status)], n)
}

func (in *Incident) merge(prints map[string]*Fingerprint, p Fingerprint) {
	was := prints[p.ID]
	if was == nil {
		prints[p.ID] = &p
		return
	}
	was.Errors = sum.Add(was.Errors, p.Errors)
	was.Kinds = mergeKinds(was.Kinds, p.Kinds)
	if p.First.Before(was.First) {
		was.First = p.First
	}
	if p.Last.After(was.Last) {
		was.Last = p.Last
	}
}

// chooseSamples keeps the first, the last and the one with the cause, then one a
// fingerprint, frequent ones first, then what there is room for.
func (in *Incident) chooseSamples() {
	all := in.Samples
	slices.SortStableFunc(all, func(a, b Sample) int { return a.Time.Compare(b.Time) })
	if len(all) <= MaxSamples {
		return
	}
	chosen := map[int]bool{0: true, len(all) - 1: true}
	has := map[string]bool{all[0].Fingerprint: true, all[len(all)-1].Fingerprint: true}
	if i := slices.IndexFunc(all, func(s Sample) bool { return s.Cause != nil && s.Cause == in.Cause }); i >= 0 {
		chosen[i], has[all[i].Fingerprint] = true, true
	}
	for _, p := range in.Fingerprints {
		i := slices.IndexFunc(all, func(s Sample) bool { return s.Fingerprint == p.ID })
		if i >= 0 && !has[p.ID] && len(chosen) < MaxSamples {
			chosen[i], has[p.ID] = true, true
		}
	}
	for i := range all {
		if len(chosen) < MaxSamples {
			chosen[i] = true
		}
	}
	in.Samples = make([]Sample, 0, MaxSamples)
	for i := range all {
		if chosen[i] {
			in.Samples = append(in.Samples, all[i])
		}
	}
}

// Prefix begins the keys of all incidents, below the store's prefix.
const Prefix = "incidents/"

// Key is the key of an incident's object, below the store's prefix:
//
//	incidents/dt=2026-11-23/host=web-1/20261123T190301.123456Z-1a2b3c4d.json
//
// The day is that of the first error, so that whoever has the ID knows it.
func Key(id, host string) string {
	day := "0000-00-00"
	if at, err := TimeOf(id); err == nil {
		day = at.Format("2006-01-02")
	}
	return Prefix + "dt=" + day + "/host=" + plain(host) + "/" + id + ".json"
}

// plain makes a host's name fit for a key and a URI reference, as a segment's
// key has it.
func plain(s string) string {
	if s == "" {
		return "-"
	}
	b := []byte(s[:min(len(s), 128)])
	for i, c := range b {
		if !letter(c) && !digit(c) && c != '_' && c != '-' && (c != '.' || i == 0) {
			b[i] = '_'
		}
	}
	return string(b)
}
