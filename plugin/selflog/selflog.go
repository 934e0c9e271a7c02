// Package selflog is logfast's own log: text lines on stdout and stderr, which
// Docker copies to the daemon's log as info and as errors, and the same lines in a
// small file that outlives the plugin. What repeats is folded.
package selflog

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
)

// Log is where the lines go. Make it with New; Close it last.
type Log struct {
	*slog.Logger
	Level *slog.LevelVar // may be set at any time

	fold *fold
	out  *tee
}

// New makes a log that writes all lines to stderr.
func New(stderr io.Writer) *Log { return NewSplit(stderr, stderr) }

// NewSplit makes a log that writes lines below WARN to stdout and the others to
// stderr. Docker logs what a plugin writes to stderr as errors.
func NewSplit(stdout, stderr io.Writer) *Log {
	l := &Log{Level: new(slog.LevelVar), out: &tee{stdout: stdout, stderr: stderr}}
	l.fold = newFold(slog.NewTextHandler(l.out, &slog.HandlerOptions{Level: l.Level}))
	l.Logger = slog.New(l.fold)
	return l
}

// Keep writes what follows into f as well. nil ends that; f is not closed.
func (l *Log) Keep(f *File) {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	l.out.file = f
}

// Flush says now how often what is being folded was repeated.
func (l *Log) Flush() { l.fold.flush() }

// tee writes to stdout or stderr by the line's level, and to a file if there is one.
type tee struct {
	mu     sync.Mutex
	stdout io.Writer
	stderr io.Writer
	file   *File // owned by mu
}

// Write fails if the stream does. The file does what it can.
func (t *tee) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file != nil {
		t.file.write(p)
	}
	if quiet(p) {
		return t.stdout.Write(p)
	}
	return t.stderr.Write(p)
}

// quiet reports whether the level of a line of slog.TextHandler is below WARN. The
// level is the first field after the time.
func quiet(line []byte) bool {
	_, rest, _ := bytes.Cut(line, []byte(" "))
	return bytes.HasPrefix(rest, []byte("level=INFO")) || bytes.HasPrefix(rest, []byte("level=DEBUG"))
}
