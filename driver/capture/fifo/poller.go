package fifo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/wake"
)

// Poller tells readers when their FIFOs have something for them. One thread
// waits for all.
//
// It is not the runtime's poller on purpose: that stays registered with a pipe
// and is woken by each write to it, whether anybody waits or not, and with a
// busy stream the wake-ups are what costs. This one is armed for a FIFO only
// while its reader waits (epoll(7), EPOLLONESHOT); a reader that lets the pipe
// fill for a while is not disturbed.
type Poller struct {
	epoll, quit int           // descriptors; quit is an eventfd that ends run
	done        chan struct{} // closed when run has returned

	mu      sync.Mutex
	readers map[int32]*Reader // by id, owned by mu
	last    int32             // id given last, owned by mu
}

// NewPoller starts a poller. Close ends it, after its readers' Close.
func NewPoller() (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fifo: epoll: %w", err)
	}
	quit, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, quit, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: quitID})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fifo: eventfd: %w", err), unix.Close(epoll))
	}
	p := &Poller{epoll: epoll, quit: quit, done: make(chan struct{}), readers: map[int32]*Reader{}, last: quitID}
	go p.run()
	return p, nil
}

// quitID is what epoll says for the quit descriptor. Readers have other ids;
// an id is used again only after two thousand million others.
const quitID = 0

func (p *Poller) run() {
	defer close(p.done)
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := ignoringEINTR(func() (int, error) { return unix.EpollWait(p.epoll, events, -1) })
		if err != nil {
			panic(fmt.Sprintf("fifo: epoll_wait: %v", err)) // a descriptor of ours is no more: a bug
		}
		for _, e := range events[:n] {
			if e.Fd == quitID {
				return
			}
			p.mu.Lock()
			r := p.readers[e.Fd]
			p.mu.Unlock()
			if r != nil {
				wake.Up(r.ready)
			}
		}
	}
}

// add lists a reader, not armed.
func (p *Poller) add(r *Reader) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = max(p.last+1, quitID+1)
	r.id = p.last
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, r.fd,
		&unix.EpollEvent{Events: unix.EPOLLONESHOT, Fd: r.id}); err != nil {
		return fmt.Errorf("fifo: epoll: %w", err)
	}
	p.readers[r.id] = r
	return nil
}

// arm makes the next event of the reader's FIFO fill its ready channel: at once
// where there is something, or, with edge, at each write from now on.
func (p *Poller) arm(r *Reader, edge bool) error {
	events := uint32(unix.EPOLLIN | unix.EPOLLONESHOT)
	if edge {
		events = unix.EPOLLIN | unix.EPOLLET
	}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, r.fd, &unix.EpollEvent{Events: events, Fd: r.id}); err != nil {
		return fmt.Errorf("fifo: epoll: %w", err)
	}
	return nil
}

// disarm ends what arm began with edge.
func (p *Poller) disarm(r *Reader) error {
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, r.fd,
		&unix.EpollEvent{Events: unix.EPOLLONESHOT, Fd: r.id}); err != nil {
		return fmt.Errorf("fifo: epoll: %w", err)
	}
	return nil
}

func (p *Poller) remove(r *Reader) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.readers, r.id)
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, r.fd, nil)
}

// Close ends the poller.
func (p *Poller) Close() error {
	one := binary.NativeEndian.AppendUint64(nil, 1)
	if _, err := unix.Write(p.quit, one); err != nil {
		return fmt.Errorf("fifo: eventfd: %w", err)
	}
	<-p.done
	return errors.Join(unix.Close(p.epoll), unix.Close(p.quit))
}
