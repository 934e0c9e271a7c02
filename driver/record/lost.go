package record

import (
	"fmt"
	"time"
)

// Lost is what is missing at one place of a text, and why.
type Lost struct {
	Lines  int64     `json:"lines"` // 0 where nobody can know
	Bytes  int64     `json:"bytes"`
	Reason string    `json:"reason"` // such as "disk full"
	From   time.Time `json:"from"`   // of the first line
	To     time.Time `json:"to"`     // of the last line
}

// Text is the line that stands where l is missing:
//
//	logfast: 12 lines (3456 bytes) lost, disk full, 2026-11-23T19:03:01.5Z–2026-11-23T19:03:07Z
func (l Lost) Text() []byte {
	return fmt.Appendf(nil, "logfast: %d lines (%d bytes) lost, %s, %s–%s",
		l.Lines, l.Bytes, l.Reason, l.From.UTC().Format(time.RFC3339Nano), l.To.UTC().Format(time.RFC3339Nano))
}
