// Package cause finds in a log why a program failed: the exception of a traceback, the
// error field of a JSON line, the error line of a web server, the death of a process. It
// reports what a person would name, with the attribute names of OpenTelemetry's
// exception.*: the type, the message, the innermost frame of the application's own code,
// and the stack trace.
//
// Each family of formats is a file of its own with one entry in the table families
// (family.go). A family says which lines begin one of its causes, which lines follow, and
// what the cause is once the lines are complete.
//
// Of a chain of exceptions the root is reported: Java's last "Caused by", the exception
// that is the "direct cause" of Python's others, the innermost "--->" of .NET. An exception
// that Python raised "during handling" of another one is reported itself: the handler is
// what failed in the end. If the root has no frame of the application, the frame is that of
// the nearest exception around it that has one.
//
// A Scanner takes time linear in the log and a bounded amount of memory.
package cause

import (
	"bytes"

	"github.com/logfast/logfast/driver/triage/redact"
	"github.com/logfast/logfast/internal/show"
)

// What a Cause holds at most, in bytes.
const (
	MaxType       = 200
	MaxMessage    = 1 << 10
	MaxFrame      = 300
	MaxStacktrace = 8 << 10
)

// Cause says why a program failed. All of it is redacted, valid UTF-8 and bounded. Each
// field can be empty: a traceback that the log's end has cut off has no type, a plain line
// of the level ERROR has neither language nor type.
type Cause struct {
	// Language is a value of OpenTelemetry's telemetry.sdk.language, such as python,
	// java, nodejs, or go; or the program that failed: nginx, apache, haproxy. It is
	// "process" if the kernel or a shell reports the end of a process.
	Language string `json:"language"`
	// Type is the exception's type as the program prints it, such as
	// java.lang.IllegalStateException, or a name for the failure: panic, OOMKilled.
	Type string `json:"type"`
	// Message is the exception's message. It may have several lines.
	Message string `json:"message"`
	// Frame is the innermost frame of the application's own code, without a line
	// number: shop.pricing.mean_price, com.example.Shop.pay, handler (routes/users.js).
	// It is empty if only libraries are in the trace.
	Frame string `json:"frame"`
	// Stacktrace is the text from which the cause was read. If it is too long, its
	// middle is cut out.
	Stacktrace string `json:"stacktrace"`
}

// Config says how a log is scanned.
type Config struct {
	// Found is called for each cause, in the order of their ends. It is called within
	// Add and Close, which catch panics: it must not panic.
	Found func(*Find)
	// Redact takes secrets out of a whole text, without changing it; nil is redact.Text.
	Redact func([]byte) []byte
}

// cutEnd returns at most so many bytes of a text, the last of them an ellipsis if
// something is missing.
func cutEnd(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return show.WholeRunes(s[:most-len(ellipsis)]) + ellipsis
}

const ellipsis = "…"

// defaultRedact is what Config.Redact is if it is nil.
func defaultRedact(text []byte) []byte { return redact.Text(text) }

// withoutHalf returns a line that was cut at the longest that is looked at, without its
// last word: that may be half a secret, which no redaction finds.
func withoutHalf(line []byte) []byte {
	from := max(0, len(line)-halfWord)
	if i := bytes.LastIndexAny(line[from:], " \t"); i >= 0 {
		return line[:from+i]
	}
	return line[:from]
}

// halfWord is how much of a line that was cut is dropped if no space is in it.
const halfWord = 4 << 10
