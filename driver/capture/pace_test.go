package capture

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPace reads a pipe at given times and wants the pause that follows.
func TestPace(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	s := h.streams.find(func(s *stream) bool { return s.path == c.fifo })[0]
	var all atomic.Int64
	p, err := newPace(s.fifo, &all)
	if err != nil {
		t.Fatal(err)
	}
	now := t0
	next := func(after time.Duration, n int) time.Duration {
		now = now.Add(after)
		return p.next(n, now)
	}
	for _, tt := range []struct {
		what  string
		after time.Duration
		n     int
		want  time.Duration
	}{
		{"the first line", time.Hour, 200, 0},
		{"the next a moment later", 50 * time.Microsecond, 200, 8192 * time.Microsecond},
		{"nothing came in a turn", 40 * time.Millisecond, 0, turnEvery},
		{"nothing came for long", quietAfter, 0, 0},
		{"a line after a while", quietAfter + 1, 200, 0},
		{"one of ten a second", 100 * time.Millisecond, 200, 16384 * time.Millisecond},
		{"an eighth of the pipe in 2 ms", 2 * time.Millisecond, 8 << 10, 8 * time.Millisecond},
		{"a quarter of it: it grows", 2 * time.Millisecond, 16 << 10, 8 * time.Millisecond},
		{"half of a larger one: it grows", 2 * time.Millisecond, 64 << 10, 4 * time.Millisecond},
		{"as much as is read at once", time.Millisecond, peekSize, 0},
	} {
		if got := next(tt.after, tt.n); got != tt.want {
			t.Errorf("%s: pause %v, want %v", tt.what, got, tt.want)
		}
	}
	if p.capacity != 512<<10 || all.Load() != 448<<10 || !p.enlarged() {
		t.Errorf("the pipe holds %d, all were enlarged by %d", p.capacity, all.Load())
	}
	for range spareReads {
		next(40*time.Millisecond, 200)
	}
	if p.enlarged() {
		t.Errorf("the pipe holds %d after a second of next to nothing", p.capacity)
	}
	for range 3 {
		next(time.Millisecond, 64<<10)
	}
	all.Add(maxEnlarged)
	if next(time.Millisecond, 200<<10); p.capacity != 512<<10 {
		t.Errorf("the pipe holds %d, though all together have what they may", p.capacity)
	}
	p.shrink()
	if p.capacity != 64<<10 || all.Load() != maxEnlarged || p.enlarged() {
		t.Errorf("the pipe holds %d, all were enlarged by %d", p.capacity, all.Load())
	}
}

// TestABusyStreamsPipeGrowsAndShrinksAgain writes more than a pipe holds, and
// waits until that is over.
func TestABusyStreamsPipeGrowsAndShrinksAgain(t *testing.T) {
	h := newHost(t)
	c := h.start("web", map[string]string{"fsync": "never"})
	s := h.streams.find(func(s *stream) bool { return s.path == c.fifo })[0]
	capacity := func() int {
		n, err := s.fifo.Capacity()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := capacity(); n != dockersPipe {
		t.Fatalf("the pipe holds %d at first", n)
	}
	line := strings.Repeat("x", 4000)
	h.eventually("the pipe grows", func() bool {
		for range 100 {
			c.line(0, line)
		}
		return capacity() > dockersPipe
	})
	h.eventually("the pipe shrinks", func() bool { return capacity() == dockersPipe && h.enlarged.Load() == 0 })
}
