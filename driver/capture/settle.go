package capture

import (
	"context"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/capture/fifo"
)

// settleWait bounds how long a reader waits for what is in a FIFO.
const settleWait = time.Second

// Settle waits until what Docker has written for the container by now is in
// its segments, so that whoever reads them then misses nothing. Where the disk
// refuses, it gives up after a moment: the lines stay in the FIFO.
func (d *Driver) Settle(ctx context.Context, containerID string) {
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	for _, s := range d.streams.find(func(s *stream) bool { return s.desc.ID == containerID }) {
		s.moved.settle(ctx, s.fifo, s.done)
	}
}

// meter counts what a stream has consumed, so that others can wait for it.
type meter struct {
	// mu guards what follows. It is held while the FIFO is read or closed, so that
	// total and the FIFO's length are of the same moment.
	mu      sync.Mutex
	total   int64         // bytes
	closed  bool          // the FIFO is
	changed chan struct{} // closed and forgotten when total grows; nil: nothing waits
}

// consume takes n bytes out of the FIFO, whose text is written.
func (m *meter) consume(r *fifo.Reader, b *fifo.Buffer, n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := r.Consume(b, n); err != nil {
		return err
	}
	m.total += int64(n)
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
	return nil
}

// close closes the FIFO, so that nobody looks at it any more.
func (m *meter) close(r *fifo.Reader) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return r.Close()
}

// settle waits until what the FIFO holds now is consumed, or done is closed.
func (m *meter) settle(ctx context.Context, r *fifo.Reader, done <-chan struct{}) {
	for target := int64(-1); ; {
		m.mu.Lock()
		if target < 0 && !m.closed {
			n, err := r.Len()
			if err != nil {
				m.mu.Unlock()
				return
			}
			target = m.total + int64(n)
		}
		if m.closed || m.total >= target {
			m.mu.Unlock()
			return
		}
		if m.changed == nil {
			m.changed = make(chan struct{})
		}
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-done:
			return
		case <-ctx.Done():
			return
		}
	}
}
