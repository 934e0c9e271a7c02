// Package record writes log lines as text and reads them back. A record is one
// line of a file: a line that a program wrote, or a chunk of one that was too
// long for Docker's buffer.
//
// Three formats:
//
//   - cri, the Kubernetes container runtime's: "<time> <stream> <tag> <text>".
//     time is RFC 3339 in UTC with nine digits of a second, stream is stdout or
//     stderr, tag is P where the line goes on in the stream's next record and F
//     where it ends. (Source: kubernetes/design-proposals-archive,
//     node/kubelet-cri-logging.md.)
//   - syslog, RFC 5424 without octet counting:
//     "<30>1 <time> <host> <app> <container id> <stream> - <text>". time has
//     six digits of a second; the priority is daemon.info (30) for stdout and
//     daemon.err (27) for stderr; stream ends in "+" where the line goes on.
//   - raw, the text alone. It keeps neither times nor streams, and chunks run
//     together as they do on a terminal.
package record

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Stream is which of a program's two outputs a record came from.
type Stream uint8

// The streams of a container.
const (
	Stdout Stream = iota
	Stderr
)

var streamNames = [...]string{"stdout", "stderr"}

func (s Stream) String() string { return streamNames[s] }

// ParseStream is the inverse of String. It does not allocate.
func ParseStream(b []byte) (Stream, bool) {
	switch string(b) {
	case "stdout":
		return Stdout, true
	case "stderr":
		return Stderr, true
	}
	return 0, false
}

// Format is how records look as text.
type Format uint8

// The formats of the package's documentation.
const (
	CRI Format = iota
	Syslog
	Raw
)

var formatNames = [...]string{"cri", "syslog", "raw"}

func (f Format) String() string { return formatNames[f] }

// Formats lists what ParseFormat takes.
func Formats() []string { return formatNames[:] }

// ParseFormat is the inverse of String.
func ParseFormat(s string) (Format, error) {
	for f, name := range formatNames {
		if s == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("format %q: allowed are %s", s, strings.Join(formatNames[:], ", "))
}

// Record is one line of a file.
type Record struct {
	Time   int64 // nanoseconds since 1970, UTC
	Stream Stream
	More   bool   // the program's line goes on in the stream's next record
	Text   []byte // without the newline
}

// Writer turns records into text. It belongs to one goroutine.
type Writer struct {
	format Format
	syslog string // host, app and container id, with a space on either side

	second int64 // of which stamp holds the text
	stamp  []byte
}

// NewWriter makes a writer. The names go into syslog records; what RFC 5424
// does not allow in them becomes "_", and an empty one "-".
func NewWriter(format Format, host, app, id string) *Writer {
	return &Writer{
		format: format,
		syslog: " " + syslogName(host, 255) + " " + syslogName(app, 48) + " " + syslogName(id, 128) + " ",
		second: -1 << 63,
	}
}

func syslogName(s string, most int) string {
	if s == "" {
		return "-"
	}
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}

// Append adds r as text to dst. A newline inside the text ends the record
// there: what follows becomes a record of its own, so that no program can
// write a record that is not its own. In the cri and syslog formats the text
// of the records, newlines between them, is the program's bytes.
func (w *Writer) Append(dst []byte, r *Record) []byte {
	if w.format == Raw {
		dst = append(dst, r.Text...)
		if !r.More {
			dst = append(dst, '\n')
		}
		return dst
	}
	text := r.Text
	for {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return w.appendLine(dst, r, text, r.More)
		}
		dst = w.appendLine(dst, r, text[:i], false)
		text = text[i+1:]
	}
}

func (w *Writer) appendLine(dst []byte, r *Record, text []byte, more bool) []byte {
	switch w.format {
	case Syslog:
		dst = append(dst, [...]string{"<30>1 ", "<27>1 "}[r.Stream]...)
		dst = w.appendTime(dst, r.Time, 6)
		dst = append(dst, w.syslog...)
		dst = append(dst, streamNames[r.Stream]...)
		if more {
			dst = append(dst, '+')
		}
		dst = append(dst, " - "...)
	default:
		dst = w.appendTime(dst, r.Time, 9)
		dst = append(dst, [...]string{" stdout ", " stderr "}[r.Stream]...)
		if more {
			dst = append(dst, "P "...)
		} else {
			dst = append(dst, "F "...)
		}
	}
	dst = append(dst, text...)
	return append(dst, '\n')
}

// appendTime adds RFC 3339 in UTC with six or nine digits of a second. The text
// of a second is made once and used for all its records.
func (w *Writer) appendTime(dst []byte, nano int64, digits int) []byte {
	second, frac := nano/1e9, nano%1e9
	if frac < 0 {
		second, frac = second-1, frac+1e9
	}
	if second != w.second {
		w.second = second
		w.stamp = time.Unix(second, 0).UTC().AppendFormat(w.stamp[:0], "2006-01-02T15:04:05.")
	}
	dst = append(dst, w.stamp...)
	n := uint32(frac)
	milli, micro, rest := n/1e6, n/1e3%1e3, n%1e3
	dst = append(dst, thousand[3*milli:3*milli+3]...)
	dst = append(dst, thousand[3*micro:3*micro+3]...)
	if digits > 6 {
		dst = append(dst, thousand[3*rest:3*rest+3]...)
	}
	return append(dst, 'Z')
}

// thousand is the digits of 000 to 999.
var thousand = func() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "%03d", i)
	}
	return b.String()
}()

// ErrSyntax: a line is not a record of the format.
var ErrSyntax = errors.New("not a record")

// Parse reads one line of a file, without its newline, into r. The text
// aliases line. It returns ErrSyntax where the line is no record of the format.
// A raw line has the time 0 and counts as stdout.
func Parse(format Format, line []byte, r *Record) error {
	switch format {
	case Raw:
		*r = Record{Text: line}
		return nil
	case Syslog:
		return parseSyslog(line, r)
	}
	stamp, rest, _ := bytes.Cut(line, space)
	stream, rest, _ := bytes.Cut(rest, space)
	tag, text, ok := bytes.Cut(rest, space)
	if !ok || len(tag) != 1 || tag[0] != 'F' && tag[0] != 'P' {
		return ErrSyntax
	}
	return r.set(stamp, stream, tag[0] == 'P', text)
}

var space = []byte(" ")

// Split is Parse for whoever reads many lines and needs the time of few: it
// leaves that out, and takes a fraction of Parse's time. ok is false where the
// line is no record; of one with a time that cannot be, Parse alone says so.
func Split(format Format, line []byte) (r Record, ok bool) {
	const stamp = len("2006-01-02T15:04:05.000000000Z")
	const text = stamp + len(" stdout F ")
	switch {
	case format == Raw:
		return Record{Text: line}, true
	case format == CRI && len(line) >= text && line[stamp] == ' ' && line[text-3] == ' ' && line[text-1] == ' ':
		tag := line[text-2]
		stream, known := ParseStream(line[stamp+1 : text-3])
		if known && (tag == 'F' || tag == 'P') {
			return Record{Stream: stream, More: tag == 'P', Text: line[text:]}, true
		}
	}
	err := Parse(format, line, &r)
	return r, err == nil
}

func parseSyslog(line []byte, r *Record) error {
	fields := bytes.SplitN(line, space, 8)
	if len(fields) != 8 || len(fields[0]) != len("<30>1") || string(fields[6]) != "-" {
		return ErrSyntax
	}
	stream, more := bytes.CutSuffix(fields[5], []byte("+"))
	return r.set(fields[1], stream, more, fields[7])
}

// inRange reports whether nanoseconds since 1970 of a time fit into 64 bits, which
// those of all records that logfast writes do.
func inRange(second int64) bool {
	const most = math.MaxInt64/1_000_000_000 - 1
	return -most <= second && second <= most
}

func (r *Record) set(stamp, stream []byte, more bool, text []byte) error {
	s, ok := ParseStream(stream)
	if !ok {
		return ErrSyntax
	}
	t, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil || !inRange(t.Unix()) {
		return ErrSyntax
	}
	*r = Record{Time: t.UnixNano(), Stream: s, More: more, Text: text}
	return nil
}

// Sane reports whether a time that was read can be a log's: it is zero, which
// stands for unknown, or between the years 1970 and 2261, so that nanoseconds since
// 1970 fit into 64 bits.
func Sane(at time.Time) bool {
	return at.IsZero() || at.Unix() >= 0 && at.Unix() < latest
}

// latest is the beginning of the year 2262, in seconds since 1970.
const latest = 9214646400
