package incident

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/internal/sum"
)

// An error and its cause are at most causesNear lines of the text apart, and, if the
// text has times, causesWithin. A scan keeps the latest causes and errors, because
// either of them may come first.
const (
	causesNear   = 64
	causesWithin = 2 * time.Second
	causesKept   = 8
)

// maxKinds is how many kinds of failure a fingerprint tells apart.
const maxKinds = 16

// failure is an error until its cause is known.
type failure struct {
	line    int64
	time    int64 // nanoseconds since 1970; 0: unknown
	print   *print
	samples [2]*sample // that quote it; nil: none
	cause   *cause.Find
}

// causes finds the causes of errors in a text, beside a Scanner's errors.
type causes struct {
	app     string
	scanner *cause.Scanner
	found   []*cause.Find // the latest, oldest first
	open    []*failure    // the latest, oldest first
}

func newCauses(app string, r *Redactor) *causes {
	c := &causes{app: app}
	c.scanner = cause.NewScanner(cause.Config{Found: c.add, Redact: r.Redact})
	return c
}

// look looks at a whole line of a program. A panic of the cause package costs the
// causes, and not what else is found in the text.
func (c *causes) look(l cause.Line, format record.Format, head []byte) {
	if c.scanner == nil {
		return
	}
	defer c.survive()
	var r record.Record
	if err := record.Parse(format, head, &r); err == nil {
		l.Mark = r.Time
	}
	c.scanner.Add(l)
}

// close ends the text.
func (c *causes) close() {
	if c.scanner != nil {
		defer c.survive()
		c.scanner.Close()
	}
}

func (c *causes) survive() {
	if recover() != nil {
		c.scanner = nil
	}
}

// add takes a cause that is complete, and gives it to the errors before it.
func (c *causes) add(f *cause.Find) {
	c.found = append(c.found, f)
	if len(c.found) > causesKept {
		c.found = slices.Delete(c.found, 0, 1)
	}
	for _, of := range c.open {
		of.offer(f)
	}
}

// failed takes an error, and offers it the causes before it.
func (c *causes) failed(f failure) {
	var of *failure
	if len(c.open) < causesKept {
		of = &failure{}
	} else {
		of = c.open[0]
		c.end(of)
		c.open = slices.Delete(c.open, 0, 1)
	}
	*of = f
	c.open = append(c.open, of)
	for _, found := range c.found {
		of.offer(found)
	}
}

// reused says that a sample quotes another error from now on.
func (c *causes) reused(sm *sample) {
	for _, f := range c.open {
		for i, of := range f.samples {
			if of == sm {
				f.samples[i] = nil
			}
		}
	}
}

// end counts an error whose cause does not change any more.
func (c *causes) end(f *failure) {
	if f.cause == nil {
		return
	}
	kind := ""
	if f.print != nil {
		kind = kindOf(c.app, f.print.ID, f.cause)
		f.print.add(kind)
	}
	for _, sm := range f.samples {
		if sm != nil {
			sm.cause, sm.Kind = f.cause, kind
		}
	}
}

// endAll is end for all errors.
func (c *causes) endAll() {
	for _, f := range c.open {
		c.end(f)
	}
	c.open = nil
}

// offer gives the error a cause that is near enough, if it says more than the one that
// it has or is nearer.
func (f *failure) offer(c *cause.Find) {
	d := f.distance(c)
	if d > causesNear || f.time != 0 && c.LastMark != 0 &&
		min(abs(f.time-c.FirstMark), abs(f.time-c.LastMark)) > int64(causesWithin) {
		return
	}
	if was := f.cause; was != nil {
		typed, before := c.Type != "", was.Type != ""
		if before && !typed || before == typed && f.distance(was) <= d {
			return
		}
	}
	f.cause = c
}

// distance is how many lines of the text are between an error and a cause.
func (f *failure) distance(c *cause.Find) int64 { return max(c.Line-f.line, f.line-c.Last, 0) }

func abs(n int64) int64 { return max(n, -n) }

// add counts an error of a kind, if it has one.
func (p *print) add(kind string) {
	if kind == "" {
		return
	}
	for i := range p.Kinds {
		if p.Kinds[i].ID == kind {
			p.Kinds[i].Errors++
			return
		}
	}
	if len(p.Kinds) < maxKinds {
		p.Kinds = append(p.Kinds, Kind{ID: kind, Errors: 1})
	}
}

// generic are types that name no failure: of a cause without a frame they say nothing.
var generic = map[string]bool{
	"": true, "error": true, "exception": true, "panic": true, "fatal error": true, "runtimeerror": true,
}

// servers are the languages of programs that report the failures of others.
var servers = map[string]bool{"nginx": true, "apache": true, "haproxy": true}

// kindOf identifies a failure: the first 16 hexadecimal digits of the SHA-256 of the app,
// the cause's type and its frame, each but the last with a NUL behind it. It is the same on
// all hosts, whatever was requested. Without a frame the fingerprint stands in its place.
// It is "" if the cause says too little: an error line alone, a generic type without a
// frame, a proxy's report.
func kindOf(app, print string, f *cause.Find) string {
	switch {
	case f.Type == "", servers[f.Language], f.Frame == "" && generic[strings.ToLower(f.Type)]:
		return ""
	}
	return KindOf(app, f.Type, cmp.Or(f.Frame, print))
}

// KindOf returns the ID of a kind: of a failure of this type in this frame.
func KindOf(app, typ, frame string) string {
	return identity([]byte(app + "\x00" + typ + "\x00" + frame))
}

// causeOf returns a sample's cause, of which the trace is as long as other quotes.
func (sm *sample) causeOf() *cause.Cause {
	if sm.cause == nil {
		return nil
	}
	c := sm.cause.Cause()
	c.Stacktrace = cutMiddle([]byte(c.Stacktrace))
	return &c
}

// ByKind divides the fingerprint's errors by kind, the most frequent first. Those without
// a kind count for the most frequent one. If the log does not say what failed, the
// fingerprint's ID is the kind of all.
func (f *Fingerprint) ByKind() []Kind {
	if len(f.Kinds) == 0 {
		return []Kind{{ID: f.ID, Errors: f.Errors}}
	}
	all := slices.Clone(f.Kinds)
	rest := f.Errors
	for _, k := range all {
		rest = max(0, rest-k.Errors)
	}
	all[0].Errors = sum.Add(all[0].Errors, rest)
	return all
}

// mergeKinds adds up kinds, the most frequent first.
func mergeKinds(a, b []Kind) []Kind {
	errors := map[string]int64{}
	for _, k := range slices.Concat(a, b) {
		errors[k.ID] = sum.Add(errors[k.ID], k.Errors)
	}
	var all []Kind
	for _, id := range slices.Sorted(maps.Keys(errors)) {
		all = append(all, Kind{ID: id, Errors: errors[id]})
	}
	slices.SortStableFunc(all, func(x, y Kind) int { return cmp.Compare(y.Errors, x.Errors) })
	return all[:min(len(all), maxKinds)]
}

// spreadKinds gives the fingerprints without a kind that of a failure behind them: an app
// behind a proxy of its group fails, and both print that they answered the request with
// that status.
func (in *Incident) spreadKinds() {
	groups := map[string]string{}
	for _, c := range in.Containers {
		groups[c.App] = c.Group
	}
	type place struct {
		group, route string
		status       int
	}
	of := func(f *Fingerprint, status int) place { return place{groups[f.App], f.Route, status} }
	failed := map[place][]*Fingerprint{}
	for i := range in.Fingerprints {
		if f := &in.Fingerprints[i]; len(f.Kinds) > 0 {
			for _, at := range []place{of(f, f.Status), of(f, 0)} {
				failed[at] = append(failed[at], f)
			}
		}
	}
	for i := range in.Fingerprints {
		f := &in.Fingerprints[i]
		if len(f.Kinds) > 0 || f.Route == "" || groups[f.App] == "" && in.Scope != "container" {
			continue
		}
		for _, behind := range failed[of(f, f.Status)] {
			if behind.Method == f.Method || behind.Method == "" || f.Method == "" {
				f.Kinds = []Kind{{ID: behind.Kinds[0].ID, Errors: f.Errors}}
				break
			}
		}
	}
}

// CauseOf returns the cause of a kind, and the fingerprint whose app has it; nil if none
// is quoted.
func (in *Incident) CauseOf(kind string) (*cause.Cause, *Fingerprint) {
	for i := range in.Samples {
		s := &in.Samples[i]
		if s.Cause == nil || s.Kind == "" || s.Kind != kind {
			continue
		}
		for j := range in.Fingerprints {
			if f := &in.Fingerprints[j]; f.ID == s.Fingerprint {
				return s.Cause, f
			}
		}
	}
	return nil, nil
}

// chooseCause returns the cause of the most frequent kind, nil if no sample has a cause. A
// cause without a kind stands behind the others, and an error line behind these.
func (in *Incident) chooseCause() *cause.Cause {
	errors := map[string]int64{}
	for _, f := range in.Fingerprints {
		for _, k := range f.Kinds {
			errors[k.ID] = sum.Add(errors[k.ID], k.Errors)
		}
	}
	weight := func(s *Sample) int64 {
		switch {
		case s.Kind != "":
			return 1 + errors[s.Kind]
		case s.Cause.Type != "":
			return 0
		}
		return -1
	}
	var best *Sample
	for i := range in.Samples {
		if s := &in.Samples[i]; s.Cause != nil && (best == nil || weight(s) > weight(best)) {
			best = s
		}
	}
	if best == nil {
		return nil
	}
	return best.Cause
}

// sameCause reports whether two causes are of one failure, whatever the request was.
func sameCause(a, b *cause.Cause) bool {
	return a.Language == b.Language && a.Type == b.Type && a.Frame == b.Frame &&
		(a.Type != "" || a.Message == b.Message)
}

// Shown returns the sample that shows most of what failed: the first with the incident's
// cause, else the first; nil if there is none.
func (in *Incident) Shown() *Sample {
	for i := range in.Samples {
		if s := &in.Samples[i]; in.Cause != nil && s.Cause != nil && sameCause(s.Cause, in.Cause) {
			return s
		}
	}
	if len(in.Samples) == 0 {
		return nil
	}
	return &in.Samples[0]
}
