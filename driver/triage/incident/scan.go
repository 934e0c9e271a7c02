package incident

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/internal/sum"
)

// Findings are what a scan of one segment's text has found. They are kept with
// the segment: samples and routes are redacted.
type Findings struct {
	Errors       int64            `json:"errors"`
	ByStatus     map[string]int64 `json:"by_status,omitempty"`
	First        time.Time        `json:"first,omitzero"` // of the first line that reports an error
	Last         time.Time        `json:"last,omitzero"`
	Fingerprints []Fingerprint    `json:"fingerprints,omitempty"` // most errors first
	Unlisted     int64            `json:"unlisted_errors,omitempty"`
	Lost         int64            `json:"lost_lines,omitempty"` // that lines of ours tell of
	Samples      []Sample         `json:"samples,omitempty"`    // in the order of the text; without Container and Key
}

// MaxFingerprints bounds how many kinds of errors a scan, and an incident, tells
// apart. The errors of further ones are counted together.
const MaxFingerprints = 256

// kept is how many fingerprints have a sample while the scan goes on: nobody
// knows before its end which of them are frequent.
const kept = 64

// maxRecord bounds a line of the text that is looked at, in bytes: the longest
// line that a detector sees, and room for what stands before it.
const maxRecord = detect.MaxLine + 4<<10

// ScanConfig says how a text is read.
type ScanConfig struct {
	Format record.Format
	Detect detect.Detector
	App    string    // for the fingerprints
	Redact *Redactor // nil: what is redacted by default
	Routes *Routes   // patterns of routes; nil: none
	Time   time.Time // of the lines of a raw text, which keeps none
	Causes bool      // look for causes as well, which takes longer than looking for errors
}

// Scanner finds the errors in a segment's text, which is written to it in
// pieces of any size: it sees the text while that is packed, and nothing reads the text
// a second time. It takes time linear in the text, little more than the
// detector's, and a bounded amount of memory. It belongs to one goroutine.
type Scanner struct {
	cfg ScanConfig

	lines  *record.Pieces
	lanes  [2]lane
	causes *causes // nil: they are not looked for

	statuses [101]int64 // of 500 to 599, and at the end without a status
	findings Findings
	prints   map[string]*print // by what is hashed
	sampled  int               // prints with a sample
	key      []byte            // room for a print's key
	first    *sample
	last     sample // its buffer is used again and again, for the whole line
}

// lane is one of the container's two streams.
type lane struct {
	joiner  detect.Joiner
	begun   bool  // a long line has begun
	line    int64 // of its first record
	offset  int64
	n       int64  // lines so far
	trace   tracer // has the last lines
	samples []*sample
}

// sample is a Sample as long as it may be replaced.
type sample struct {
	Sample
	lane  *lane
	n     int64  // number of the line in its lane
	text  []byte // the whole line until it is redacted
	clean bool   // it is redacted, and cut to be the Sample's
	trace *trace
	cause *cause.Find
}

// print is a Fingerprint that is being counted.
type print struct {
	Fingerprint
	sample *sample
}

// NewScanner makes a scanner for one text.
func NewScanner(cfg ScanConfig) *Scanner {
	s := &Scanner{cfg: cfg, lines: record.NewPieces(maxRecord), prints: map[string]*print{}}
	if cfg.Causes {
		s.causes = newCauses(cfg.App, cfg.Redact)
	}
	return s
}

// Write takes the text's next piece. It never fails.
func (s *Scanner) Write(p []byte) (int, error) {
	s.lines.Add(p)
	for s.lines.Next() {
		s.record(s.lines.Text)
	}
	for i := range s.lanes {
		s.lanes[i].trace.keep() // p is the caller's again
	}
	return len(p), nil
}

// record looks at one line of the text.
func (s *Scanner) record(line []byte) {
	r, ok := record.Split(s.cfg.Format, line)
	if !ok {
		return
	}
	l := &s.lanes[r.Stream]
	if !l.begun {
		l.begun, l.line, l.offset = true, s.lines.Number, s.lines.Offset
	}
	if text, complete := l.joiner.Add(r.Text, r.More); complete {
		s.look(l, r.Stream, line, text)
	}
}

// look looks at a whole line of a program.
func (s *Scanner) look(l *lane, from record.Stream, line, text []byte) {
	l.begun = false
	l.n++
	if t := l.trace.add(s.cfg.Redact, l.n, text); t != nil {
		for _, was := range l.samples {
			if was.trace == nil && was.n >= t.first-tracesNear && was.lane == l {
				was.trace = t
				t.wanted = t.wanted || was != &s.last
			}
		}
		t.seen = s.lines.Number
		t.stamp = append(t.stamp[:0], line[:min(len(line), len(stampLayout))]...)
	}
	if s.causes != nil {
		s.causes.look(cause.Line{
			Stream: from, Text: text, Number: l.line, Offset: l.offset, End: s.lines.Offset + int64(len(line)),
		}, s.cfg.Format, line)
	}
	if m, found := s.cfg.Detect.Detect(text); found {
		s.found(l, from, line, text, &m)
	}
	if lost := record.LostLines(text); lost > 0 {
		s.findings.Lost = sum.Add(s.findings.Lost, lost) // a program may print any number
	}
}

func (s *Scanner) found(l *lane, from record.Stream, line, text []byte, m *detect.Match) {
	at := s.cfg.Time
	var r record.Record
	if err := record.Parse(s.cfg.Format, line, &r); err == nil && r.Time != 0 {
		at = time.Unix(0, r.Time).UTC()
	}
	f := &s.findings
	f.Errors++
	if m.Status < 500 || m.Status > 599 {
		s.statuses[100]++
	} else {
		s.statuses[m.Status-500]++
	}
	if f.First.IsZero() || at.Before(f.First) {
		f.First = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
	p := s.print(m)
	fill := func(sm *sample) {
		*sm = sample{
			Sample: Sample{
				Time: at, Stream: from.String(), Status: m.Status, Rule: m.Rule, Cut: len(text) >= detect.MaxLine,
				Line: l.line, Offset: l.offset,
			},
			lane: l, n: l.n, text: append(sm.text[:0], text...),
			trace: s.traceBefore(l, at),
		}
		if p != nil {
			sm.Fingerprint = p.ID
		}
	}
	if s.causes != nil {
		s.causes.reused(&s.last)
	}
	fill(&s.last)
	failed := failure{line: l.line, time: r.Time, print: p, samples: [2]*sample{&s.last}}
	l.samples = append(l.samples[:0], &s.last)
	isNew := p != nil && p.sample == nil && s.sampled < kept
	if isNew || s.first == nil {
		sm := &sample{}
		fill(sm)
		sm.redact(s.cfg.Redact) // 64 whole lines are too many to keep
		if sm.trace != nil {
			sm.trace.wanted = true
		}
		l.samples = append(l.samples, sm)
		failed.samples[1] = sm
		if s.first == nil {
			s.first = sm
		}
		if isNew {
			p.sample = sm
			s.sampled++
		}
	}
	if s.causes != nil {
		s.causes.failed(failed)
	}
	if p == nil {
		f.Unlisted++
		return
	}
	p.Errors++
	if at.Before(p.First) || p.First.IsZero() {
		p.First = at
	}
	if at.After(p.Last) {
		p.Last = at
	}
}

// print returns the fingerprint of a match, nil where there are too many.
func (s *Scanner) print(m *detect.Match) *print {
	route := s.cfg.Routes.Of(string(m.Method), m.Path)
	s.key = appendIdentity(s.key[:0], s.cfg.App, string(m.Method), route, m.Status)
	p := s.prints[string(s.key)]
	if p == nil && len(s.prints) < MaxFingerprints {
		p = &print{Fingerprint: Fingerprint{
			ID: identity(s.key), App: s.cfg.App, Method: clean(m.Method),
			Route: s.cfg.Redact.route(s.cfg.Routes, string(m.Method), m.Path), Status: m.Status,
		}}
		s.prints[string(s.key)] = p
	}
	return p
}

// traceBefore returns the traceback that a program printed just before: in the
// lines before on the same stream, or within the second before on the other.
func (s *Scanner) traceBefore(l *lane, at time.Time) *trace {
	if t := l.trace.last; t != nil && l.n-t.end <= tracesNear {
		return t
	}
	for i := range s.lanes {
		other := &s.lanes[i]
		t := other.trace.last
		if other == l || t == nil || s.lines.Number-t.seen > tracesElsewhere {
			continue
		}
		stamp, err := time.Parse(stampLayout, string(t.stamp))
		if err == nil && at.Sub(stamp) <= time.Second {
			return t
		}
	}
	return nil
}

// stampLayout is a cri record's time.
const stampLayout = "2006-01-02T15:04:05.000000000Z"

// Findings ends the scan and returns what it has found.
func (s *Scanner) Findings() *Findings {
	if s.lines.Rest() { // a raw text may end without a newline
		s.record(s.lines.Text)
	}
	for i := range s.lanes {
		l := &s.lanes[i]
		if rest := l.joiner.Rest(); len(rest) > 0 { // a last line without a newline
			s.look(l, record.Stream(i), nil, rest)
		}
	}
	if s.causes != nil {
		s.causes.close()
		s.causes.endAll()
	}
	f := &s.findings
	for i, n := range s.statuses {
		if n == 0 {
			continue
		}
		if f.ByStatus == nil {
			f.ByStatus = map[string]int64{}
		}
		status := 500 + i
		if i == 100 {
			status = 0
		}
		f.ByStatus[strconv.Itoa(status)] = n
	}
	prints := make([]*print, 0, len(s.prints))
	for _, p := range s.prints {
		prints = append(prints, p)
	}
	slices.SortFunc(prints, func(a, b *print) int { return byErrors(&a.Fingerprint, &b.Fingerprint) })
	for _, p := range prints {
		p.Kinds = mergeKinds(p.Kinds, nil)
		f.Fingerprints = append(f.Fingerprints, p.Fingerprint)
	}
	s.choose(prints)
	return f
}

// choose takes the samples: the first, the last and one a fingerprint, the
// frequent ones before others.
func (s *Scanner) choose(prints []*print) {
	if s.first == nil {
		return
	}
	chosen := []*sample{s.first}
	if s.last.Offset != s.first.Offset {
		chosen = append(chosen, &s.last)
	}
	for _, p := range prints {
		if len(chosen) == MaxSamples {
			break
		}
		if p.sample != nil && p.sample != s.first && p.sample.Offset != s.last.Offset {
			chosen = append(chosen, p.sample)
		}
	}
	slices.SortFunc(chosen, func(a, b *sample) int { return cmp.Compare(a.Offset, b.Offset) })
	for _, sm := range chosen {
		sm.redact(s.cfg.Redact)
		if sm.trace != nil {
			sm.Context = sm.trace.quote(s.cfg.Redact)
		}
		sm.Cause = sm.causeOf()
		s.findings.Samples = append(s.findings.Samples, sm.Sample)
	}
}

// redact makes the Sample's text of the whole line.
func (sm *sample) redact(r *Redactor) {
	if sm.clean {
		return
	}
	sm.clean = true
	sm.Text, sm.Cut = cutEnd(r.line(sm.text), sm.Cut)
	sm.text = nil
}

// byErrors puts the fingerprint with more errors first.
func byErrors(a, b *Fingerprint) int {
	return cmp.Or(cmp.Compare(b.Errors, a.Errors), a.First.Compare(b.First), cmp.Compare(a.ID, b.ID))
}

// cutEnd makes a text that JSON can hold of at most MaxSample bytes, and says
// whether there was more.
func cutEnd(text []byte, cut bool) (string, bool) {
	s := string(bytes.ToValidUTF8(text, []byte("�")))
	if len(s) <= MaxSample {
		return s, cut
	}
	return show.WholeRunes(s[:MaxSample]), true
}

// cutMiddle is cutEnd for a traceback, of which both ends say most.
func cutMiddle(text []byte) string {
	return show.Middle(string(bytes.ToValidUTF8(text, []byte("�"))), MaxSample)
}
