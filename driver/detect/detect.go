// Package detect decides whether a log line reports a server error: that the
// program, as an HTTP server, answered 5xx.
package detect

import "bytes"

// Match is what a line reports.
type Match struct {
	Status int // 500 to 599
}

// Detector looks at one line, without its newline. It keeps no state, may be
// used by many goroutines, and takes time linear in the line's length.
type Detector interface {
	Detect(line []byte) (Match, bool)
}

// Off finds nothing.
type Off struct{}

// Detect implements Detector.
func (Off) Detect([]byte) (Match, bool) { return Match{}, false }

// Classic is the filter of countless syslog-ng configurations, by bytes:
//
//	HTTP\/.{3,20}[[:space:]]5[[:digit:]]{2}[[:space:]]
//
// It knows access logs of the common format. It misses a status at the end of
// a line, and takes a response of 512 bytes for an error.
type Classic struct{}

var protocol = []byte("HTTP/")

// Detect implements Detector.
func (Classic) Detect(line []byte) (Match, bool) {
	for {
		i := bytes.Index(line, protocol)
		if i < 0 {
			return Match{}, false
		}
		line = line[i+len(protocol):]
		for at := 3; at <= 20 && at+5 <= len(line); at++ {
			if s := line[at : at+5]; space(s[0]) && s[1] == '5' && digit(s[2]) && digit(s[3]) && space(s[4]) {
				return Match{Status: 500 + int(s[2]-'0')*10 + int(s[3]-'0')}, true
			}
		}
	}
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
func space(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// MaxLine is how many bytes of a line a Joiner keeps; a Detector does not see
// what is beyond.
const MaxLine = 64 << 10

// Joiner puts the chunks of one source's lines together again. It keeps at
// most MaxLine bytes. The zero Joiner is ready; it belongs to one goroutine.
type Joiner struct {
	begun []byte
}

// Add takes the next chunk and says whether the line is complete. The line is
// valid until the next call. A chunk that is a whole line is not copied.
func (j *Joiner) Add(chunk []byte, more bool) (line []byte, complete bool) {
	if !more && len(j.begun) == 0 {
		return chunk, true
	}
	j.begun = append(j.begun, chunk[:min(len(chunk), MaxLine-len(j.begun))]...)
	if more {
		return nil, false
	}
	return j.Rest(), true
}

// Rest ends a line of which no further chunk will come, and returns what there
// is of it, nothing where none was begun.
func (j *Joiner) Rest() []byte {
	line := j.begun
	j.begun = nil
	return line
}
