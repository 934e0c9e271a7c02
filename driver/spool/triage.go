package spool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/logfast/logfast/driver/format/record"
)

// Triage answers what the spool does not know itself: which text reports a server
// error, and which segments an incident still needs. Its methods may be called
// from several goroutines.
type Triage interface {
	// Errors returns a function that takes the records of one text of the stream,
	// in their order. It reports whether a record completes a line that reports
	// an error; more is set if the line goes on in the next record.
	Errors(of *Stream) func(stream record.Stream, text []byte, more bool) bool

	// Observe returns an observer of the text that m describes; m need not be
	// complete yet.
	Observe(m *Meta) Observer

	// Needed returns a function that reports whether an incident is still to be
	// made of the segments of an event; nil if none is to be made of any. State is
	// the spool's directory.
	Needed(state *os.Root) func(event string) bool
}

// Observer sees the text of a segment, from its start, while it is packed. It
// belongs to one goroutine.
type Observer interface {
	// Write takes the next bytes of the text. It does not fail.
	io.Writer

	// Findings ends the text. It returns what was found, "" if nothing was.
	Findings() (Value, error)
}

// Value is a JSON value that the spool stores for others, without spaces; "" is none.
type Value string

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(v), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(b []byte) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return fmt.Errorf("read a JSON value: %w", err)
	}
	if *v = Value(compact.String()); *v == "null" {
		*v = ""
	}
	return nil
}

// noTriage finds nothing and needs nothing.
type noTriage struct{}

func (noTriage) Errors(*Stream) func(record.Stream, []byte, bool) bool {
	return func(record.Stream, []byte, bool) bool { return false }
}
func (noTriage) Observe(*Meta) Observer                  { return blind{} }
func (noTriage) Needed(*os.Root) func(event string) bool { return nil }

// blind is an Observer that finds nothing.
type blind struct{}

func (blind) Write(b []byte) (int, error) { return len(b), nil }
func (blind) Findings() (Value, error)    { return "", nil }

// Observe reads the text of a segment once more, and returns what an Observer finds in
// it. It is for findings that were damaged since the segment was packed. An Observer that
// panics is an error.
func (s *Spool) Observe(seg Segment, m *Meta) (findings Value, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("find the errors of %s: panic: %v", seg.Path(), cause)
		}
	}()
	text, err := s.OpenText(seg, m)
	if err != nil {
		return "", err
	}
	defer text.Close()
	from, err := text.From(0)
	if err != nil {
		return "", err
	}
	observer := s.triage.Observe(m)
	if _, err := io.Copy(observer, from); err != nil {
		return "", fmt.Errorf("read the text of %s: %w", seg.Path(), err)
	}
	return observer.Findings()
}
