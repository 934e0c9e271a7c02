package capture

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/internal/await"
)

// TestTurns_Look has streams wait whose pipes hold so much, and looks once.
func TestTurns_Look(t *testing.T) {
	poller, err := fifo.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { poller.Close() })
	now := time.Now()
	for _, tt := range []struct {
		what        string
		holds       int
		wait        turnWait
		early, turn bool // whether it is woken before its turn, and at its turn
	}{
		{"nothing", 0, turnWait{full: 100}, false, false},
		{"nothing, but there always is something", 0, turnWait{full: 100, steady: true}, false, true},
		{"a line", 10, turnWait{full: 100}, false, true},
		{"what was seen of a frame", 10, turnWait{full: 100, seen: 10}, false, false},
		{"more than was seen of a frame", 11, turnWait{full: 100, seen: 10}, false, true},
		{"as much as is waited for", 100, turnWait{full: 100}, false, true},
		{"more than that", 101, turnWait{full: 100}, true, true},
		{"nothing for so long", 0, turnWait{full: 100, lapse: now.Add(-1)}, true, true},
	} {
		for _, turn := range []bool{false, true} {
			r, write := openFIFO(t, poller)
			write(tt.holds)
			w := tt.wait
			w.ready = make(chan struct{}, 1)
			if w.lapse.IsZero() {
				w.lapse = now.Add(time.Hour)
			}
			all := turns{running: true, waiting: map[*fifo.Reader]*turnWait{r: &w}}
			left := all.look(turn, now)
			want := tt.early
			if turn {
				want = tt.turn
			}
			if woken := len(w.ready) == 1; woken != want || left == woken {
				t.Errorf("%s, turn %v: woken %v, want %v; others wait: %v", tt.what, turn, woken, want, left)
			}
		}
	}
}

// TestTurns_Wait waits for a turn, and for one that another goroutine ends.
func TestTurns_Wait(t *testing.T) {
	poller, err := fifo.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { poller.Close() })
	r, write := openFIFO(t, poller)
	var all turns
	w := &turnWait{full: 100, lapse: time.Now().Add(time.Hour), ready: make(chan struct{}, 1)}
	write(1)
	if !all.wait(r, w) {
		t.Error("interrupted in its turn")
	}
	w.seen = 1 // nothing new: it waits
	r.Interrupt()
	if all.wait(r, w) {
		t.Error("not interrupted")
	}
	if len(all.waiting) > 0 {
		t.Error("an interrupted stream waits: its FIFO may be closed")
	}
	all.ended.Wait()
}

// TestTurns_OneGoroutine has a stream wait while the goroutine runs that another one
// started, which was interrupted: no second one starts, which would wake the stream.
func TestTurns_OneGoroutine(t *testing.T) {
	poller, err := fifo.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { poller.Close() })
	r, write := openFIFO(t, poller)
	write(1)
	all := turns{running: true}
	waits := func() bool {
		all.mu.Lock()
		defer all.mu.Unlock()
		return all.waiting[r] != nil
	}
	woken := make(chan bool)
	go func() {
		woken <- all.wait(r, &turnWait{full: 100, lapse: time.Now().Add(time.Hour), ready: make(chan struct{}, 1)})
	}()
	await.Until(t, "the stream waits", waits)
	all.ended.Wait() // of a second goroutine, once it has woken the stream
	if !waits() {
		t.Error("woken by a second goroutine")
	}
	if all.look(true, time.Now()) || all.running {
		t.Error("the goroutine is said to run, though no stream waits")
	}
	if !<-woken {
		t.Error("interrupted")
	}
}

// openFIFO makes a FIFO, and returns its reader and what writes n bytes to it.
func openFIFO(t *testing.T, p *fifo.Poller) (r *fifo.Reader, write func(n int)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := fifo.Open(p, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return r, func(n int) {
		if _, err := unix.Write(fd, make([]byte, n)); n > 0 && err != nil {
			t.Fatal(err)
		}
	}
}
