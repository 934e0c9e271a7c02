package spool

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Reason is why a segment was sealed; the last word of its name and its key.
type Reason string

// The reasons.
const (
	Error    Reason = "error"    // the fast track: a server error
	Schedule Reason = "schedule" // the daily time, or a new UTC day
	Size     Reason = "size"     // the size limit, or that the spool was full
	Stop     Reason = "stop"     // the container's end, or logfast's
	Manual   Reason = "manual"   // an operator asked for it
	Recover  Reason = "recover"  // found unsealed after a crash
)

// State is how far a segment has come. It shows in the file's name.
type State uint8

// The states, in the order of a segment's life. An active segment is written
// to; all others never change again.
const (
	Active   State = iota // web.log
	Sealed                // web.log-20261123T190301.123456Z-000042-error
	Packed                // web.log-20261123T190301.123456Z-000042-error.gz
	Uploaded              // web.log-20261123T190301.123456Z-000042-error.uploaded.gz
)

var suffixes = [...]string{Sealed: "", Packed: ".gz", Uploaded: ".uploaded.gz"}

// stateOf is the state that a file has if it is a segment.
func stateOf(file string) State {
	switch {
	case strings.HasSuffix(file, suffixes[Uploaded]):
		return Uploaded
	case strings.HasSuffix(file, suffixes[Packed]):
		return Packed
	}
	return Sealed
}

// Stamp is the layout of a time in names and keys: UTC, microseconds.
const Stamp = "20060102T150405.000000Z"

// Name is the name of a segment's file, from its seal on.
type Name struct {
	Active string    // the name while it was active: "web.log"
	Time   time.Time // of its first line, UTC, cut to microseconds
	Seq    int       // counts the seals of one directory, from 1
	Reason Reason
	State  State
}

// Stem is the name without what tells the state.
func (n Name) Stem() string {
	return fmt.Sprintf("%s-%s-%06d-%s", n.Active, n.Time.UTC().Format(Stamp), n.Seq, n.Reason)
}

// String is the file's name. Names of one directory sort in time order.
func (n Name) String() string { return n.Stem() + suffixes[n.State] }

// in returns the name in another state.
func (n Name) in(s State) Name {
	n.State = s
	return n
}

// metaName is the hidden file beside the segment that holds its Meta.
func (n Name) metaName() string { return "." + n.Stem() + metaSuffix }

const metaSuffix = ".json"

var namePattern = regexp.MustCompile(
	`^(.+\.log)-(\d{8}T\d{6}\.\d{6}Z)-(\d{6,18})-(error|schedule|size|stop|manual|recover)((?:\.uploaded)?\.gz)?$`)

// ParseName is the inverse of String; ok is false for the names of all other files.
func ParseName(s string) (n Name, ok bool) {
	m := namePattern.FindStringSubmatch(s)
	if m == nil || strings.HasPrefix(s, ".") {
		return Name{}, false
	}
	at, err := time.Parse(Stamp, m[2])
	if err != nil {
		return Name{}, false
	}
	seq, err := strconv.Atoi(m[3])
	if err != nil {
		return Name{}, false
	}
	n = Name{Active: m[1], Time: at, Seq: seq, Reason: Reason(m[4]), State: Sealed}
	for state, suffix := range suffixes {
		if m[5] == suffix && suffix != "" {
			n.State = State(state)
		}
	}
	return n, true
}

// FileName makes s fit for a part of a file's name or of a key: letters,
// digits, "_", "." and "-" stay, everything else becomes "_", a leading "."
// too; at most 128 bytes stay; of nothing it makes "-".
func FileName(s string) string {
	if s == "" {
		return "-"
	}
	b := []byte(s[:min(len(s), 128)])
	for i, c := range b {
		ok := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' ||
			c == '.' && i > 0
		if !ok {
			b[i] = '_'
		}
	}
	return string(b)
}
