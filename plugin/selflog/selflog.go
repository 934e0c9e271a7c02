// Package selflog is logfast's own log: text lines on stderr, which Docker
// copies to the daemon's log, and the same lines in a small file that outlives
// the plugin. What repeats is folded.
package selflog

import (
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

// New makes a log that writes to stderr alone.
func New(stderr io.Writer) *Log {
	l := &Log{Level: new(slog.LevelVar), out: &tee{stderr: stderr}}
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

// tee writes to stderr, and to a file where there is one.
type tee struct {
	mu     sync.Mutex
	stderr io.Writer
	file   *File // owned by mu
}

// Write fails where stderr does. The file does what it can.
func (t *tee) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file != nil {
		t.file.write(p)
	}
	return t.stderr.Write(p)
}
