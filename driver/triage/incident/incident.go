// Package incident defines the incident record that is stored and sent: one event
// of the fast track, from its first error to the seal, with what a person needs to
// act on it. It is a CloudEvent 1.0 in the structured JSON mode
// (https://github.com/cloudevents/spec, json-format.md), described by
// docs/schema/incident-v1.json.
package incident

import (
	"time"

	"github.com/logfast/logfast/driver/triage/cause"
)

// The types of an Event. The version at the end grows when a field changes its
// meaning or goes; a new field does not change it.
const (
	TypeShipped = "io.github.logfast.incident.v1"        // closed, its log is in the store
	TypeOpened  = "io.github.logfast.incident.opened.v1" // the early notice: the first error
)

// EarlyID returns the ID of an incident's early notice. It is not the incident's:
// a receiver may drop events whose source and ID it has seen.
func EarlyID(id string) string { return id + "-opened" }

// Event is the envelope: a CloudEvent.
type Event struct {
	SpecVersion     string    `json:"specversion"`     // "1.0"
	ID              string    `json:"id"`              // with Source, unique: Data.ID, or EarlyID of it
	Source          string    `json:"source"`          // "/logfast/" and the host
	Type            string    `json:"type"`            // TypeShipped or TypeOpened
	Subject         string    `json:"subject"`         // the app with most errors
	Time            time.Time `json:"time"`            // when it closed; of an early notice, the first error's
	DataContentType string    `json:"datacontenttype"` // "application/json"
	DataSchema      string    `json:"dataschema,omitempty"`
	Data            Incident  `json:"data"`
}

// Closed says why an incident ended.
type Closed string

// Why an incident ended.
const (
	ClosedQuiet    Closed = "quiet-period" // no further error for so long
	ClosedMaxDelay Closed = "max-delay"    // errors went on, this long after the first
	ClosedStop     Closed = "stop"         // its last container ended, or logfast was stopped
	ClosedRecover  Closed = "recover"      // a crash ended it; what is known was read from the text
)

// Incident is an outage as seen by one host.
type Incident struct {
	ID         string      `json:"id"` // <UTC time of the first error>-<random>, sorts by time
	Host       string      `json:"host"`
	Scope      string      `json:"scope"` // container, group or host
	Containers []Container `json:"containers"`

	First  time.Time `json:"first"`            // of the first error
	Last   time.Time `json:"last"`             // of the last error
	Closed Closed    `json:"closed,omitempty"` // empty while it is open

	Errors   int64            `json:"errors"`              // lines that report one
	ByStatus map[string]int64 `json:"by_status,omitempty"` // "502": 17; "0": found without a status
	Lines    int64            `json:"lines"`               // of the log objects
	Bytes    int64            `json:"bytes"`               // of their text
	Lost     int64            `json:"lost_lines,omitempty"`
	Missing  int              `json:"missing_objects,omitempty"` // segments that somebody removed before this was made

	Cause        *cause.Cause  `json:"cause,omitempty"` // of the most frequent kind of error that has one
	Fingerprints []Fingerprint `json:"fingerprints"`    // most errors first
	// of further fingerprints: at most MaxFingerprints are listed
	Unlisted int64    `json:"unlisted_errors,omitempty"`
	Samples  []Sample `json:"samples"` // at most MaxSamples, in the order of the time
	Objects  []Object `json:"objects"` // the logs, all in the store already
}

// Container is one whose lines are in the objects.
type Container struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Image  string            `json:"image,omitempty"`
	App    string            `json:"app"`
	Group  string            `json:"group,omitempty"` // the compose project, the swarm stack
	Labels map[string]string `json:"labels,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
}

// Fingerprint stands for errors of one app, method, route and status: where a failure
// was seen.
type Fingerprint struct {
	ID string `json:"id"` // 16 hexadecimal digits, the same on all hosts
	// what failed, most errors first, at most 16; empty if the log does not say
	Kinds  []Kind    `json:"kinds,omitempty"`
	App    string    `json:"app"`
	Method string    `json:"method,omitempty"`
	Route  string    `json:"route,omitempty"` // the path, with what varies replaced: /orders/{n}
	Status int       `json:"status"`          // 0: found without a status
	Errors int64     `json:"errors"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
}

// Kind is a failure, wherever it was seen: see KindOf.
type Kind struct {
	ID     string `json:"id"`     // 16 hexadecimal digits, the same on all hosts
	Errors int64  `json:"errors"` // of the fingerprint
}

// MaxSamples is how many lines an incident quotes.
const MaxSamples = 20

// MaxSample is how long a quoted text is, in bytes.
const MaxSample = 2 << 10

// Sample is a line that reports an error.
type Sample struct {
	Time        time.Time `json:"time"`
	Container   string    `json:"container"` // its name
	Stream      string    `json:"stream"`    // stdout or stderr
	Status      int       `json:"status"`
	Rule        string    `json:"rule"` // of the detector
	Fingerprint string    `json:"fingerprint"`
	Text        string    `json:"text"`              // redacted, at most MaxSample bytes
	Cut         bool      `json:"cut,omitempty"`     // there was more
	Context     string    `json:"context,omitempty"` // the traceback around it, redacted, at most MaxSample bytes
	// of what failed, if the log says so near the line; its trace has at most MaxSample bytes
	Cause *cause.Cause `json:"cause,omitempty"`
	Kind  string       `json:"kind,omitempty"` // of the cause, empty if that says too little
	// of the object with the line; empty where its text was given up, or is not there yet
	Key    string `json:"key"`
	Line   int64  `json:"line"`   // in the unpacked object, from 1; 0 without a key
	Offset int64  `json:"offset"` // of the line's first byte there
}

// Object is one log object.
type Object struct {
	Key       string    `json:"key"`       // below the store's prefix
	Container string    `json:"container"` // its name
	Reason    string    `json:"reason"`    // why its segment was sealed
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Lines     int64     `json:"lines"`
	Errors    int64     `json:"errors"`
	Bytes     int64     `json:"bytes"`  // of the text
	Size      int64     `json:"size"`   // of the object
	SHA256    string    `json:"sha256"` // of the object
}
