package capture

import (
	"sync"
	"time"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/internal/wake"
)

// turns lets the pipes of streams that write steadily fill, and wakes all of these
// streams together. The lines are in the pipes meanwhile: nothing is held in the
// plugin. One goroutine with one timer serves all. It looks at each pipe every
// turnEvery, so that dockerd does not wait for one that fills faster than before.
type turns struct {
	ended sync.WaitGroup // of the goroutine, which runs while a stream waits

	// mu guards what follows. It is held for steps in memory and FIONREAD only.
	mu      sync.Mutex
	running bool // the goroutine is
	waiting map[*fifo.Reader]*turnWait
}

// A turn comes every turnEvery × turnTicks. An error's line waits for it, and its
// event starts then, within 50 ms.
const (
	turnEvery = 20 * time.Millisecond
	turnTicks = 2
)

// turnWait is a stream that waits for its turn.
type turnWait struct {
	seen   int           // bytes at the FIFO's head that are no reason to wake the stream
	full   int           // bytes that are one before its turn
	steady bool          // it found bytes in its last turn: its FIFO is not asked whether there are some
	lapse  time.Time     // when a stream without anything new is quiet
	ready  chan struct{} // with a buffer of one
}

// wait waits until it is the stream's turn: there are more than seen bytes in the FIFO
// then, or it was quiet until lapse. It returns before the turn if there are more than
// full bytes, and false if the FIFO was interrupted.
func (t *turns) wait(r *fifo.Reader, w *turnWait) bool {
	t.mu.Lock()
	if t.waiting == nil {
		t.waiting = map[*fifo.Reader]*turnWait{}
	}
	t.waiting[r] = w
	if !t.running {
		t.running = true
		t.ended.Go(t.run)
	}
	t.mu.Unlock()
	select {
	case <-w.ready:
		return true
	case <-r.Interrupted():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, r) // the FIFO may be closed from here on
	return false
}

// run wakes streams until none waits.
func (t *turns) run() {
	ticker := time.NewTicker(turnEvery)
	defer ticker.Stop()
	for n := 1; ; n++ {
		now := <-ticker.C
		if !t.look(n%turnTicks == 0, now) {
			return
		}
	}
}

// look wakes the streams whose turn it is, and reports whether others wait.
func (t *turns) look(turn bool, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for r, w := range t.waiting {
		if turn && w.steady || now.After(w.lapse) || w.filled(r, turn) {
			delete(t.waiting, r)
			wake.Up(w.ready)
		}
	}
	t.running = len(t.waiting) > 0
	return t.running
}

// filled reports whether the FIFO holds enough to wake the stream.
func (w *turnWait) filled(r *fifo.Reader, turn bool) bool {
	n, err := r.Len()
	return err != nil || n > w.full || turn && n > w.seen
}
