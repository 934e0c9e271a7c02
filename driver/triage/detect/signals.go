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
// line of a traceback or a crash that stands in it once. None counts unless it is asked for.
type Signals uint16

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
	// SignalNode is "Node.js v20.11.0", the last line of an uncaught exception,
	// and older versions' UnhandledPromiseRejectionWarning.
	SignalNode
	// SignalPHP is "PHP Fatal error: …" and "PHP Parse error: …".
	SignalPHP
	// SignalRuby is "app.rb:3:in `run': … (RuntimeError)".
	SignalRuby
	// SignalRust is "thread 'main' panicked at …".
	SignalRust
	// SignalDotnet is "Unhandled exception. System.…".
	SignalDotnet
	// SignalElixir is "** (RuntimeError) …".
	SignalElixir
	// SignalRuntime is what ends a program from outside: the kernel's OOM killer,
	// a segmentation fault, a heap's limit, gunicorn's WORKER TIMEOUT.
	SignalRuntime
)

var signalNames = []string{"python", "java", "go", "node", "php", "ruby", "rust", "dotnet", "elixir", "runtime"}

// ParseSignals reads a list of signals, such as "python,node", or "off".
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
			errs = append(errs, fmt.Errorf("signal %q: allowed are %s, or off alone%s", name,
				strings.Join(signalNames, ", "), suggest.Nearest(name, signalNames)))
			continue
		}
		set |= 1 << i
	}
	return set, errors.Join(errs...)
}

var (
	pythonHead = []byte("Traceback (most recent call last):")
	javaThread = []byte(`Exception in thread "`)
	goHeads    = texts("panic: ", "fatal error: ")
	goServing  = []byte("http: panic serving ")

	nodeRejection = []byte("UnhandledPromiseRejectionWarning: ")
	nodeAdvice    = []byte("UnhandledPromiseRejectionWarning: Unhandled promise rejection") // its second line
	phpHeads      = texts("PHP Fatal error: ", "PHP Parse error: ")
	rubyFrames    = texts(":in `", ":in '")
	rustPanicked  = []byte("' panicked at ")
	dotnetHeads   = texts("Unhandled exception. ", "Unhandled Exception: ")
	runtimeWords  = texts("ut of memory: Kill", "segfault at ", "egmentation fault", "egmentation Fault",
		"WORKER TIMEOUT (pid:",
		"JavaScript heap out of memory", "java.lang.OutOfMemoryError: ")
	javaCause = []byte("Caused by: ")
)

// detect looks for the one line of a failure that counts. A logger's prefix may
// stand before those of Python, net/http, PHP and Rust.
func (s Signals) detect(line []byte) (Match, bool) {
	rule := ""
	has := func(signal Signals, found func([]byte) bool, name string) {
		if rule == "" && s&signal != 0 && found(line) {
			rule = name
		}
	}
	has(SignalPython, pythonTraceback, "python-traceback")
	if rule == "" && s&SignalJava != 0 && (bytes.HasPrefix(line, javaThread) || javaException(line, s != SignalJava)) {
		rule = "java-exception"
	}
	has(SignalGo, goPanic, "go-panic")
	has(SignalNode, nodeCrash, "node-exception")
	has(SignalPHP, func(b []byte) bool { return hasAny(b, phpHeads) }, "php-fatal")
	has(SignalRuby, rubyException, "ruby-exception")
	has(SignalRust, rustPanic, "rust-panic")
	has(SignalDotnet, func(b []byte) bool { return beginsAny(b, dotnetHeads) }, "dotnet-exception")
	has(SignalElixir, elixirException, "elixir-exception")
	has(SignalRuntime, func(b []byte) bool { return hasAny(b, runtimeWords) && !bytes.HasPrefix(b, javaCause) },
		"runtime")
	return Match{Rule: rule}, rule != ""
}

func beginsAny(b []byte, words [][]byte) bool {
	for _, word := range words {
		if bytes.HasPrefix(b, word) {
			return true
		}
	}
	return false
}

func pythonTraceback(line []byte) bool {
	return bytes.HasSuffix(bytes.TrimRight(line, " \t\r"), pythonHead)
}

func goPanic(line []byte) bool {
	return beginsAny(line, goHeads) || bytes.Contains(line, goServing)
}

func nodeCrash(line []byte) bool {
	if version, ok := bytes.CutPrefix(line, []byte("Node.js v")); ok {
		return all(bytes.TrimRight(version, " \r"), func(c byte) bool { return digit(c) || c == '.' })
	}
	return bytes.Contains(line, nodeRejection) && !bytes.Contains(line, nodeAdvice)
}

// rubyException reports whether a line is an exception that ended a program: the
// frames behind it begin with a tab.
func rubyException(line []byte) bool {
	line = bytes.TrimRight(line, " \r")
	if len(line) == 0 || space(line[0]) ||
		!bytes.HasSuffix(line, []byte("Error)")) && !bytes.HasSuffix(line, []byte("Exception)")) {
		return false
	}
	return hasAny(line, rubyFrames) && bytes.Contains(line, []byte(".rb:"))
}

func rustPanic(line []byte) bool {
	return bytes.Contains(line, rustPanicked) && bytes.Contains(line, []byte("thread '"))
}

// elixirException reports whether a line begins with "** (Module.Error) ".
func elixirException(line []byte) bool {
	name, ok := bytes.CutPrefix(line, []byte("** ("))
	if !ok || len(name) == 0 || !upper(name[0]) {
		return false
	}
	end := bytes.IndexByte(name, ')')
	return end > 0 && bytes.HasSuffix(name[:end], []byte("Error"))
}

// javaRoots begin Java's packages. Python's exceptions have names with dots too
// ("redis.exceptions.ConnectionError: …"), and so have .NET's.
var javaRoots = words("java-roots")

// javaException reports whether a line begins with a qualified class name that
// ends in Exception or Error, and then ends or goes on with a colon. If other
// signals are asked for too, the package must be one of Java's, so that no
// failure counts twice.
func javaException(line []byte, strict bool) bool {
	i := 0
	for i < len(line) && (alnum(line[i]) || line[i] == '.' || line[i] == '_' || line[i] == '$') {
		i++
	}
	name := line[:i]
	dot := bytes.IndexByte(name, '.')
	if dot <= 0 || !letter(name[0]) || i < len(line) && line[i] != ':' {
		return false
	}
	if strict && !slices.Contains(javaRoots, string(name[:dot])) {
		return false
	}
	return bytes.HasSuffix(name, []byte("Exception")) || bytes.HasSuffix(name, []byte("Error"))
}
