package detect

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/logfast/logfast/internal/suggest"
)

// Signals are signs of a failing program that are no server's answer: the
// first line of a traceback. None counts unless it is asked for.
type Signals uint8

// The signals.
const (
	// SignalPython is "Traceback (most recent call last):".
	SignalPython Signals = 1 << iota
	// SignalJava is `Exception in thread "main" …`, or a line that begins with
	// the full name of an exception: "java.lang.IllegalStateException: …".
	SignalJava
	// SignalGo is "panic: …", "fatal error: …" and net/http's "http: panic
	// serving …".
	SignalGo
)

var signalNames = []string{"python", "java", "go"}

// ParseSignals reads a list of signals, "python,java,go", or "off".
func ParseSignals(s string) (Signals, error) {
	var set Signals
	if s == "off" {
		return 0, nil
	}
	var errs []error
	for _, name := range strings.Split(s, ",") {
		name = strings.TrimSpace(name)
		i := slices.Index(signalNames, name)
		if i < 0 {
			errs = append(errs, fmt.Errorf("signal %q: allowed are python, java, go, or off alone%s", name, suggest.Nearest(name, signalNames)))
			continue
		}
		set |= 1 << i
	}
	return set, errors.Join(errs...)
}

var (
	pythonHead = []byte("Traceback (most recent call last):")
	javaThread = []byte(`Exception in thread "`)
	goHeads    = [...][]byte{[]byte("panic: "), []byte("fatal error: ")}
	goServing  = []byte("http: panic serving ")
)

// detect looks at the beginning of a line; Python's and net/http's may have a
// logger's prefix.
func (s Signals) detect(line []byte) (Match, bool) {
	if s&SignalPython != 0 && bytes.HasSuffix(bytes.TrimRight(line, " \t\r"), pythonHead) {
		return Match{Rule: "python-traceback"}, true
	}
	if s&SignalJava != 0 && (bytes.HasPrefix(line, javaThread) || javaException(line)) {
		return Match{Rule: "java-exception"}, true
	}
	if s&SignalGo != 0 {
		for _, head := range goHeads {
			if bytes.HasPrefix(line, head) {
				return Match{Rule: "go-panic"}, true
			}
		}
		if bytes.Contains(line, goServing) {
			return Match{Rule: "go-panic"}, true
		}
	}
	return Match{}, false
}

// javaException reports whether a line begins with a qualified class name that
// ends in Exception or Error, and then ends or goes on with a colon.
func javaException(line []byte) bool {
	i := 0
	for i < len(line) && (alnum(line[i]) || line[i] == '.' || line[i] == '_' || line[i] == '$') {
		i++
	}
	name := line[:i]
	if bytes.IndexByte(name, '.') <= 0 || !letter(name[0]) || i < len(line) && line[i] != ':' {
		return false
	}
	return bytes.HasSuffix(name, []byte("Exception")) || bytes.HasSuffix(name, []byte("Error"))
}
