package selflog

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// window is how long a line is not said again. What came meanwhile is one line
// at its end, with how often.
const window = time.Minute

// maxFolded bounds how many lines are remembered at once. More of them in a
// minute are said as they come.
const maxFolded = 512

// tries are attributes that differ between the tries of one thing; what is said
// of each is the same line. The one that is said in the end has the last's.
var tries = map[string]bool{"attempt": true, "next": true}

// fold is a slog.Handler that says a line with the same level, message and
// attributes, but for tries, once a window.
type fold struct {
	next slog.Handler
	with string // attributes and groups of WithAttrs and WithGroup, as text
	*folded
}

// folded is what all handlers of one log have in common.
type folded struct {
	mu    sync.Mutex
	lines map[string]*repeated // owned by mu
}

// repeated is a line that was said within the last window.
type repeated struct {
	handler slog.Handler
	last    slog.Record
	count   int // since it was said
	timer   *time.Timer
}

func newFold(next slog.Handler) *fold {
	return &fold{next: next, folded: &folded{lines: map[string]*repeated{}}}
}

// Enabled implements slog.Handler.
func (f *fold) Enabled(ctx context.Context, l slog.Level) bool { return f.next.Enabled(ctx, l) }

// WithAttrs implements slog.Handler.
func (f *fold) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := f.with
	for _, a := range attrs {
		if !tries[a.Key] {
			with += " " + a.String()
		}
	}
	return &fold{f.next.WithAttrs(attrs), with, f.folded}
}

// WithGroup implements slog.Handler.
func (f *fold) WithGroup(name string) slog.Handler {
	return &fold{f.next.WithGroup(name), f.with + " {" + name, f.folded}
}

// Handle implements slog.Handler.
func (f *fold) Handle(ctx context.Context, r slog.Record) error {
	key := f.key(&r)
	f.mu.Lock()
	if again := f.lines[key]; again != nil {
		again.handler, again.last = f.next, r.Clone()
		again.count++
		f.mu.Unlock()
		return nil
	}
	if len(f.lines) < maxFolded {
		f.lines[key] = &repeated{handler: f.next, timer: time.AfterFunc(window, func() { f.over(key) })}
	}
	f.mu.Unlock()
	return f.next.Handle(ctx, r)
}

func (f *fold) key(r *slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Level.String())
	b.WriteString(r.Message)
	b.WriteString(f.with)
	r.Attrs(func(a slog.Attr) bool {
		if !tries[a.Key] {
			b.WriteString(" " + a.String())
		}
		return true
	})
	return b.String()
}

// over ends a line's window. One that was repeated is said, and begins another.
func (f *folded) over(key string) {
	f.mu.Lock()
	again := f.lines[key]
	if again == nil {
		f.mu.Unlock()
		return
	}
	if again.count == 0 {
		delete(f.lines, key)
		f.mu.Unlock()
		return
	}
	line := again.take()
	again.timer.Reset(window)
	f.mu.Unlock()
	_ = again.handler.Handle(context.Background(), line) // as slog.Logger does
}

// take returns the line that says how often, and counts anew.
func (r *repeated) take() slog.Record {
	line := r.last
	line.AddAttrs(slog.Int("repeated", r.count))
	r.count = 0
	return line
}

// flush ends all windows.
func (f *folded) flush() {
	f.mu.Lock()
	lines := f.lines
	f.lines = map[string]*repeated{}
	f.mu.Unlock()
	for _, again := range lines {
		again.timer.Stop()
		if again.count > 0 {
			_ = again.handler.Handle(context.Background(), again.take())
		}
	}
}
