// Package triage finds server errors in the text that the spool holds. It
// connects the spool, which knows nothing of errors, with the packages that do:
// detect finds error lines, incident describes what failed.
package triage

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
)

// Triage implements spool.Triage. It never changes, so its methods may be
// called from several goroutines.
type Triage struct {
	detector detect.Detector
	routes   *incident.Routes
}

// New returns a Triage. It uses the detector for containers without options of
// their own, and routes, which may be nil, for the routes in incidents.
func New(detector detect.Detector, routes *incident.Routes) *Triage {
	return &Triage{detector: detector, routes: routes}
}

// detectorOf is for one reading of a text: the time that it may take is bounded,
// because other containers wait meanwhile.
func (t *Triage) detectorOf(of *spool.Stream) detect.Detector {
	if of.Detect == "" {
		return detect.Bounded(t.detector)
	}
	var o detect.Options
	if err := json.Unmarshal([]byte(of.Detect), &o); err != nil {
		return detect.Bounded(t.detector) // another version has written it
	}
	d, err := detect.New(o)
	if err != nil {
		return detect.Bounded(t.detector) // as above
	}
	return detect.Bounded(d)
}

// Errors implements spool.Triage.
func (t *Triage) Errors(of *spool.Stream) func(record.Stream, []byte, bool) bool {
	detector := t.detectorOf(of)
	var joiners [2]detect.Joiner
	return func(stream record.Stream, text []byte, more bool) bool {
		line, complete := joiners[stream].Add(text, more)
		if !complete {
			return false
		}
		_, found := detector.Detect(line)
		return found
	}
}

// Observe implements spool.Triage.
func (t *Triage) Observe(m *spool.Meta) spool.Observer {
	format, _ := record.ParseFormat(m.Stream.Format)
	return observer{incident.NewScanner(incident.ScanConfig{
		Format: format, Detect: t.detectorOf(&m.Stream), App: m.Stream.App, Routes: t.routes, Time: m.First,
		Redact: incident.RedactorOf(m.Stream.Redact), Causes: m.Errors > 0,
	})}
}

// observer is a scanner whose findings the spool stores.
type observer struct{ *incident.Scanner }

// Findings implements spool.Observer.
func (o observer) Findings() (spool.Value, error) {
	f := o.Scanner.Findings()
	if f.Errors == 0 && f.Lost == 0 {
		return "", nil
	}
	return encode(f)
}

// Needed implements spool.Triage.
func (t *Triage) Needed(spool *os.Root) func(event string) bool {
	root, err := spool.OpenRoot(incident.StateDir)
	if err != nil {
		return nil
	}
	dir := incident.NewDir(root)
	defer dir.Close() //nolint:errcheck // it was only read
	unbuilt, err := dir.Unbuilt()
	if err != nil || len(unbuilt) == 0 {
		return nil
	}
	return func(event string) bool { return unbuilt[event] }
}

// Findings returns what an observer has found in a segment's text, nil if it has
// found nothing. A description that another program has written can have
// findings that logfast would not write: then there is an error.
func Findings(m *spool.Meta) (*incident.Findings, error) {
	if m.Findings == "" {
		return nil, nil
	}
	f := &incident.Findings{}
	if err := json.Unmarshal([]byte(m.Findings), f); err != nil {
		return nil, fmt.Errorf("read the findings of %s: %w", m.Key, err)
	}
	if err := f.Check(); err != nil {
		return nil, fmt.Errorf("read the findings of %s: %w", m.Key, err)
	}
	return f, nil
}

// Options encodes a container's options of detection for its description. The
// zero Options, which stand for the plugin's own, are "".
func Options(o detect.Options) spool.Value {
	if o == (detect.Options{}) {
		return ""
	}
	v, err := encode(o)
	if err != nil {
		return "" // strings and numbers can always be encoded
	}
	return v
}

// Container is the stream as an incident shows it.
func Container(s *spool.Stream) incident.Container {
	return incident.Container{
		ID: s.ID, Name: s.Name, Image: s.Image, App: s.App, Group: s.Group, Labels: s.Labels, Env: s.Env,
	}
}

func encode(v any) (spool.Value, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode what was found in a text: %w", err)
	}
	return spool.Value(b), nil
}
