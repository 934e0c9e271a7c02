package record

import (
	"bytes"
	"fmt"
	"strconv"
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
	return fmt.Appendf(nil, lostBegin+"%d lines (%d bytes) lost, %s, %s–%s",
		l.Lines, l.Bytes, l.Reason, l.From.UTC().Format(time.RFC3339Nano), l.To.UTC().Format(time.RFC3339Nano))
}

const lostBegin = "logfast: "

// LostLines returns how many lines a line that Text made stands for, 0 for any
// other line.
func LostLines(text []byte) int64 {
	rest, ok := bytes.CutPrefix(text, []byte(lostBegin))
	if !ok {
		return 0
	}
	number, rest, ok := bytes.Cut(rest, []byte(" lines ("))
	if _, rest, lost := bytes.Cut(rest, []byte(" bytes) lost, ")); !ok || !lost || len(rest) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
