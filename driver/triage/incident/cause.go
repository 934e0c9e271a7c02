package incident

import (
	"cmp"
	"time"

	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/internal/sum"
)

// An error and its cause are at most causesNear lines of the text apart, and, if the
// text has times, causesWithin. A scan keeps the latest causes and samples, because
// either of them may come first.
const (
	causesNear   = 64
	causesWithin = 2 * time.Second
	causesKept   = 8
)

// caused is a cause, where it is in the text.
type caused struct {
	find        cause.Find
	first, last int64 // numbers of its lines
	stamp       []byte
}

// spot is a place in one stream: that of the line looked at last.
type spot struct {
	line  int64
	stamp []byte // a cri record's time
}

// causes finds the causes of errors in a text, beside a Scanner's errors.
type causes struct {
	scanner *cause.Scanner
	streams [2]spot   // of the lines before the current one
	found   []*caused // the latest, oldest first
	samples []*sample // that the latest errors left, oldest first
}

func newCauses(r *Redactor) *causes {
	c := &causes{}
	c.scanner = cause.NewScanner(cause.Config{Found: c.add, Redact: r.Redact})
	return c
}

// look looks at a whole line of a program, which begins with the record head.
func (c *causes) look(l cause.Line, head []byte) {
	c.scanner.Add(l)
	s := &c.streams[l.Stream]
	s.line = l.Number
	s.stamp = append(s.stamp[:0], head[:min(len(head), len(stampLayout))]...)
}

// add takes a cause that is complete, and gives it to the errors before it.
func (c *causes) add(f *cause.Find) {
	s := &c.streams[f.Stream]
	found := &caused{find: *f, first: f.Line, last: max(f.Line, s.line), stamp: append([]byte(nil), s.stamp...)}
	c.found = keepLast(c.found, found)
	for _, sm := range c.samples {
		sm.offer(found)
	}
}

// sampled takes an error's sample, and offers it the causes before it.
func (c *causes) sampled(sm *sample) {
	for _, found := range c.found {
		sm.offer(found)
	}
	for _, known := range c.samples {
		if known == sm { // it is used again
			return
		}
	}
	c.samples = keepLast(c.samples, sm)
}

// keepLast appends to a list of at most causesKept, of which the first goes.
func keepLast[T any](list []T, last T) []T {
	if len(list) == causesKept {
		copy(list, list[1:])
		list = list[:causesKept-1]
	}
	return append(list, last)
}

// offer gives the sample a cause that is near enough, if it says more than the one that
// it has or is nearer.
func (sm *sample) offer(c *caused) {
	d := sm.distance(c)
	if d > causesNear {
		return
	}
	if at, err := time.Parse(stampLayout, string(c.stamp)); err == nil && sm.Time.Sub(at).Abs() > causesWithin {
		return
	}
	if was := sm.cause; was != nil {
		typed, before := c.find.Type != "", was.find.Type != ""
		if before && !typed || before == typed && sm.distance(was) <= d {
			return
		}
	}
	sm.cause = c
}

// distance is how many lines of the text are between an error and a cause.
func (sm *sample) distance(c *caused) int64 {
	return max(c.first-sm.Line, sm.Line-c.last, 0)
}

// causeOf returns a sample's cause, of which the trace is as long as other quotes.
func (sm *sample) causeOf() *cause.Cause {
	if sm.cause == nil {
		return nil
	}
	c := sm.cause.find.Cause()
	c.Stacktrace = cutMiddle([]byte(c.Stacktrace))
	return &c
}

// chooseCause returns the cause of the most frequent kind of error that has one. One
// without a type is only an error line, and stands behind the others.
func (in *Incident) chooseCause() *cause.Cause {
	errors := map[string]int64{}
	for _, f := range in.Fingerprints {
		errors[f.ID] = sum.Add(errors[f.ID], f.Errors)
	}
	var best *Sample
	for i := range in.Samples {
		s := &in.Samples[i]
		switch {
		case s.Cause == nil:
		case best == nil, best.Cause.Type == "" && s.Cause.Type != "":
			best = s
		case (best.Cause.Type == "") == (s.Cause.Type == "") && errors[s.Fingerprint] > errors[best.Fingerprint]:
			best = s
		}
	}
	if best == nil {
		return nil
	}
	return best.Cause
}

// KindOf identifies a failure: the first 16 hexadecimal digits of the SHA-256 of the app,
// the cause's type and its frame, each but the last with a NUL behind it. It is the same on
// all hosts, whatever was requested; "" for a cause without a type.
func KindOf(app, typ, frame string) string {
	if typ == "" {
		return ""
	}
	return identity([]byte(app + "\x00" + typ + "\x00" + frame))
}

// KindID returns the fingerprint's kind, or, if the log does not say what failed, its ID.
func (f *Fingerprint) KindID() string { return cmp.Or(f.Kind, f.ID) }

// spreadKinds gives the fingerprints without a kind that of a failure behind them: an app
// behind a proxy fails, and both print that they answered the request with that status.
func (in *Incident) spreadKinds() {
	for i := range in.Fingerprints {
		f := &in.Fingerprints[i]
		if f.Kind != "" || f.Route == "" {
			continue
		}
		for j := range in.Fingerprints {
			of := &in.Fingerprints[j]
			if of.Kind != "" && of.Route == f.Route && (of.Status == f.Status || of.Status == 0 || f.Status == 0) &&
				(of.Method == f.Method || of.Method == "" || f.Method == "") {
				f.Kind = of.Kind
				break
			}
		}
	}
}

// CauseOf returns the cause of the fingerprint's kind, nil if none is quoted.
func (in *Incident) CauseOf(f *Fingerprint) *cause.Cause {
	if f.Kind == "" {
		return nil
	}
	apps := map[string]string{} // of the kind's fingerprints
	for i := range in.Fingerprints {
		if of := &in.Fingerprints[i]; of.Kind == f.Kind {
			apps[of.ID] = of.App
		}
	}
	for i := range in.Samples {
		s := &in.Samples[i]
		app, of := apps[s.Fingerprint]
		if c := s.Cause; of && c != nil && KindOf(app, c.Type, c.Frame) == f.Kind {
			return c
		}
	}
	return nil
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
