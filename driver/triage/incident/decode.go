package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/cause"
)

// MaxEvent is the largest encoded Event that Decode takes, in bytes.
const MaxEvent = 8 << 20

// What Decode takes. Events that logfast makes are far below these bounds, which
// keep what an Event costs in memory within a few times MaxEvent.
const (
	maxElements = 32 << 10  // of all lists together
	maxMembers  = 2 << 10   // of one JSON object: labels, for example
	maxAll      = 400 << 10 // members of all JSON objects together
	maxName     = 4 << 10   // bytes in a name, route, label or status
	maxQuoted   = 64 << 10  // bytes in a quoted text
	maxCount    = 1 << 50   // bytes or lines of the objects, and the number of a line
)

// InvalidError says why something that was read from a store, or from the spool,
// is not an incident.
type InvalidError struct{ why string }

func (e *InvalidError) Error() string { return "not a valid incident: " + e.why }

// Invalid makes an InvalidError.
func Invalid(why string) error { return &InvalidError{why} }

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }

// Decode reads an Event that anybody may have written, and checks all of it:
// what it returns is safe to add up, to look for in the store, and to print after
// it was escaped. Unknown fields are ignored. The error is an *InvalidError.
func Decode(data []byte) (*Event, error) {
	if len(data) > MaxEvent {
		return nil, invalid("it has %d bytes, more than %d", len(data), MaxEvent)
	}
	if err := countJSON(data); err != nil {
		return nil, err
	}
	e := &Event{}
	if err := json.Unmarshal(data, e); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, invalid("%s is a JSON %s", wrong.Field, wrong.Value)
		}
		return nil, invalid("%v", err)
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, nil
}

// countJSON bounds how many values a JSON text has before memory is spent on them.
// It is right for texts that are JSON; others are found out by the decoder.
func countJSON(data []byte) error {
	var depth []int // members of the open objects; below 0, of an array
	elements, members, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth, members = append(depth, 1), members+1
		case c == '[':
			depth, elements = append(depth, -1), elements+1
		case (c == '}' || c == ']') && len(depth) > 0:
			depth = depth[:len(depth)-1]
		case c == ',' && len(depth) > 0 && depth[len(depth)-1] < 0:
			elements++
		case c == ',' && len(depth) > 0:
			depth[len(depth)-1]++
			members++
			if depth[len(depth)-1] > maxMembers {
				return invalid("a JSON object in it has more than %d members", maxMembers)
			}
		}
		if elements > maxElements || members > maxAll || len(depth) > 100 {
			return invalid("it has more than %d list elements, %d members, or 100 levels", maxElements, maxAll)
		}
	}
	return nil
}

var (
	idPattern          = regexp.MustCompile(`^\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}$`)
	fingerprintPattern = regexp.MustCompile(`^[0-9a-f]{1,64}$`)
	statusPattern      = regexp.MustCompile(`^\d{1,3}$`)
)

// IsID reports whether a text has the form of an incident's ID.
func IsID(s string) bool {
	_, err := TimeOf(s)
	return err == nil && idPattern.MatchString(s)
}

// checker keeps the first thing that is wrong.
type checker struct{ err error }

func (c *checker) is(ok bool, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = invalid(format, args...)
	}
}

func (c *checker) name(field, s string) {
	c.is(len(s) <= maxName, "%s has %d bytes, more than %d", field, len(s), maxName)
}

func (c *checker) count(field string, n int64) { c.is(n >= 0, "%s is %d, below 0", field, n) }

// size checks a count of what objects have, which is summed and looked for.
func (c *checker) size(field string, n int64) {
	c.is(n >= 0 && n <= maxCount, "%s is %d: not between 0 and %d", field, n, int64(maxCount))
}

func (c *checker) time(field string, at time.Time) {
	c.is(record.Sane(at), "%s is %s: not a time between 1970 and 2261", field, at.Format(time.RFC3339))
}

func (e *Event) check() error {
	in, c := &e.Data, &checker{}
	c.is(e.Type == TypeShipped || e.Type == TypeOpened, "its type is %.80q", e.Type)
	c.is(IsID(in.ID), "its id is %.80q: an id looks like 20261123T190301.123456Z-1a2b3c4d", in.ID)
	early := e.Type == TypeOpened && e.ID == EarlyID(in.ID) // a former version's has the incident's ID
	c.is(e.ID == in.ID || early, "it has two ids, %.80q and %.80q", e.ID, in.ID)
	for field, s := range map[string]string{
		"source": e.Source, "subject": e.Subject, "specversion": e.SpecVersion, "datacontenttype": e.DataContentType,
		"dataschema": e.DataSchema,
		"data.host":  in.Host, "data.scope": in.Scope, "data.closed": string(in.Closed),
	} {
		c.name(field, s)
	}
	c.time("time", e.Time)
	c.time("data.first", in.First)
	c.time("data.last", in.Last)
	c.size("data.lines", in.Lines)
	c.size("data.bytes", in.Bytes)
	c.count("data.errors", in.Errors)
	c.count("data.lost_lines", in.Lost)
	c.count("data.missing_objects", int64(in.Missing))
	c.count("data.unlisted_errors", in.Unlisted)
	c.cause("data.cause.", in.Cause)
	for status, n := range in.ByStatus {
		c.is(statusPattern.MatchString(status), "data.by_status has the status %.80q", status)
		c.count("data.by_status."+status, n)
	}
	for i := range in.Containers {
		c.container(i, &in.Containers[i])
	}
	for i := range in.Fingerprints {
		c.fingerprint(i, &in.Fingerprints[i])
	}
	lines := map[string]int64{}
	for i := range in.Objects {
		c.object(i, &in.Objects[i])
		lines[in.Objects[i].Key] = in.Objects[i].Lines
	}
	for i := range in.Samples {
		c.sample(i, &in.Samples[i], lines)
	}
	return c.err
}

func (c *checker) container(i int, of *Container) {
	at := fmt.Sprintf("data.containers[%d].", i)
	c.is(len(of.ID) <= 128 && strings.Trim(of.ID, "0123456789abcdef") == "", "%sid is %.80q", at, of.ID)
	c.name(at+"name", of.Name)
	c.name(at+"image", of.Image)
	c.name(at+"app", of.App)
	c.name(at+"group", of.Group)
	for field, values := range map[string]map[string]string{"labels": of.Labels, "env": of.Env} {
		for name, value := range values {
			c.name(at+field, name)
			c.is(len(value) <= maxQuoted, "%s%s has a value of %d bytes, more than %d", at, field, len(value),
				maxQuoted)
		}
	}
}

func (c *checker) fingerprint(i int, of *Fingerprint) {
	at := fmt.Sprintf("data.fingerprints[%d].", i)
	c.is(fingerprintPattern.MatchString(of.ID), "%sid is %.80q", at, of.ID)
	c.is(len(of.Kinds) <= maxElements, "%skinds has %d elements, more than %d", at, len(of.Kinds), maxElements)
	for _, k := range of.Kinds {
		c.is(fingerprintPattern.MatchString(k.ID), "%skinds has the id %.80q", at, k.ID)
		c.count(at+"kinds.errors", k.Errors)
	}
	c.name(at+"app", of.App)
	c.name(at+"method", of.Method)
	c.name(at+"route", of.Route)
	c.is(of.Status >= 0 && of.Status <= 999, "%sstatus is %d", at, of.Status)
	c.count(at+"errors", of.Errors)
	c.time(at+"first", of.First)
	c.time(at+"last", of.Last)
}

func (c *checker) object(i int, of *Object) {
	at := fmt.Sprintf("data.objects[%d].", i)
	c.key(at+"key", of.Key)
	c.name(at+"container", of.Container)
	c.name(at+"reason", of.Reason)
	c.name(at+"sha256", of.SHA256)
	c.size(at+"lines", of.Lines)
	c.size(at+"bytes", of.Bytes)
	c.size(at+"size", of.Size)
	c.count(at+"errors", of.Errors)
	c.time(at+"first", of.First)
	c.time(at+"last", of.Last)
}

// sample checks a quoted line; lines are those of the objects.
func (c *checker) sample(i int, of *Sample, lines map[string]int64) {
	at := fmt.Sprintf("data.samples[%d].", i)
	c.name(at+"container", of.Container)
	c.name(at+"stream", of.Stream)
	c.name(at+"rule", of.Rule)
	c.name(at+"fingerprint", of.Fingerprint)
	c.is(of.Status >= 0 && of.Status <= 999, "%sstatus is %d", at, of.Status)
	c.time(at+"time", of.Time)
	c.is(len(of.Text) <= maxQuoted, "%stext has %d bytes, more than %d", at, len(of.Text), maxQuoted)
	c.is(len(of.Context) <= maxQuoted, "%scontext has %d bytes, more than %d", at, len(of.Context), maxQuoted)
	c.cause(at+"cause.", of.Cause)
	c.is(of.Kind == "" || fingerprintPattern.MatchString(of.Kind), "%skind is %.80q", at, of.Kind)
	c.size(at+"offset", of.Offset)
	if of.Key == "" { // its text was discarded, or is not in the store yet
		c.size(at+"line", of.Line)
		return
	}
	c.key(at+"key", of.Key)
	last, listed := lines[of.Key]
	if last++; !listed { // a raw text may end without a newline
		last = maxCount
	}
	c.is(of.Line >= 1 && of.Line <= last, "%sline is %d: not between 1 and %d", at, of.Line, last)
}

func (c *checker) cause(at string, of *cause.Cause) {
	if of == nil {
		return
	}
	c.name(at+"language", of.Language)
	c.name(at+"type", of.Type)
	c.name(at+"frame", of.Frame)
	c.is(len(of.Message) <= maxQuoted, "%smessage has %d bytes, more than %d", at, len(of.Message), maxQuoted)
	c.is(len(of.Stacktrace) <= maxQuoted, "%sstacktrace has %d bytes, more than %d", at, len(of.Stacktrace), maxQuoted)
}

// key checks that a key is one that a store can have, so that it leads nowhere else.
func (c *checker) key(field, key string) {
	if err := store.CheckKey(key); err != nil {
		c.is(false, "%s is %.80q: %v", field, key, err)
	}
}

// Check says why findings that were read from a file are not ones that logfast
// wrote. It may be called on nil.
func (f *Findings) Check() error {
	if f == nil {
		return nil
	}
	c := &checker{}
	c.is(len(f.Fingerprints) <= maxElements && len(f.Samples) <= maxElements && len(f.ByStatus) <= maxMembers,
		"its findings have more than %d elements", maxElements)
	c.count("errors", f.Errors)
	c.count("unlisted_errors", f.Unlisted)
	c.count("lost_lines", f.Lost)
	c.time("first", f.First)
	c.time("last", f.Last)
	for status, n := range f.ByStatus {
		c.is(statusPattern.MatchString(status), "by_status has the status %.80q", status)
		c.count("by_status."+status, n)
	}
	for i := range f.Fingerprints {
		c.fingerprint(i, &f.Fingerprints[i])
	}
	for i := range f.Samples {
		c.sample(i, &f.Samples[i], nil) // without a key
	}
	return c.err
}
