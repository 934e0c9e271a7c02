// Package detect decides whether a log line reports a server error: that the
// program, as an HTTP server, answered 5xx.
package detect

import "bytes"

// Match is what a line reports. Its slices are parts of the line, good for as
// long as that is.
type Match struct {
	Status int    // 500 to 599; 0 where a pattern or a signal matched without one
	Method []byte // of the request, nil where the line does not say
	Path   []byte // without host and query, nil where the line does not say
	Rule   string // which rule decided
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
				return Match{Status: 500 + int(s[2]-'0')*10 + int(s[3]-'0'), Rule: "classic"}, true
			}
		}
	}
}

// The statuses of a server error.
const (
	firstStatus = 500
	lastStatus  = 599
)
