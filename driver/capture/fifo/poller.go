package fifo

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/wake"
)

// Poller tells readers when their FIFOs have something for them.
//
// The FIFOs are not registered with the runtime's poller on purpose: that stays
// registered with a pipe and is woken by each write to it, whether anybody waits or
// not, and with a busy stream the wake-ups are what costs. The Poller has an epoll
// instance of its own, which is armed for a FIFO only while its reader waits
// (epoll(7), EPOLLONESHOT); a reader that lets the pipe fill for a while is not
// disturbed. The runtime's poller watches that instance. A thread in epoll_wait would
// take three times the processor time of a wake-up: the runtime does not know when it
// will return, and its monitor wakes up beside it.
type Poller struct {
	file  *os.File        // the epoll instance
	epoll int             // its descriptor
	conn  syscall.RawConn // of file
	done  chan struct{}   // closed when run has returned

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
	if err := unix.SetNonblock(epoll, true); err != nil { // os.NewFile takes that for a file to poll
		return nil, errors.Join(fmt.Errorf("fifo: epoll: %w", err), unix.Close(epoll))
	}
	file := os.NewFile(uintptr(epoll), "epoll")
	conn, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // it fails if the runtime's poller does not watch the file
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fifo: epoll: %w", err), file.Close())
	}
	p := &Poller{file: file, epoll: epoll, conn: conn, done: make(chan struct{}), readers: map[int32]*Reader{}}
	go p.run()
	return p, nil
}

func (p *Poller) run() {
	defer close(p.done)
	events := make([]unix.EpollEvent, 128)
	for {
		var n int
		var failed error
		err := p.conn.Read(func(uintptr) bool {
			n, failed = ignoringEINTR(func() (int, error) { return unix.EpollWait(p.epoll, events, 0) })
			return failed != nil || n > 0
		})
		if err != nil {
			return // Close closed the file
		}
		if failed != nil {
			panic(fmt.Sprintf("fifo: epoll_wait: %v", failed)) // a descriptor of ours is no more: a bug
		}
		p.mu.Lock()
		for _, e := range events[:n] {
			if r := p.readers[e.Fd]; r != nil {
				wake.Up(r.ready)
			}
		}
		p.mu.Unlock()
	}
}

// add lists a reader, not armed.
func (p *Poller) add(r *Reader) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = max(p.last+1, 0) // an id is used again only after two thousand million others
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
	err := p.file.Close()
	<-p.done
	return err
}
