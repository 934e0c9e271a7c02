// Package fifo reads Docker's log FIFO in two steps: [Reader.Peek] copies what
// is in the pipe and leaves it there, [Reader.Consume] takes bytes out once
// they are safe elsewhere. What was peeked and not consumed survives the
// reader's death, because dockerd holds the pipe open.
//
// Peeking is tee(2) into a private pipe and a read of that; consuming is one
// read(2). Splicing to /dev/null would copy nothing, but looks for a fatal
// signal between the pipe's pages: killed there, a process would leave a
// batch consumed in part. A read of bytes that are there does not. Linux only.
package fifo

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrEmpty: the FIFO holds nothing beyond what the caller has seen, and the
// call was not to wait.
var ErrEmpty = errors.New("fifo: empty")

// Reader reads one FIFO. One goroutine calls its methods; Interrupt may be
// called from any.
type Reader struct {
	poller *Poller
	fd     int
	id     int32         // the poller's
	ready  chan struct{} // filled by the poller
	stop   chan struct{} // closed by Interrupt
	once   sync.Once     // of stop
}

// Open opens the FIFO at path for reading. It does not wait for a writer, and
// refuses anything that is not a FIFO.
func Open(p *Poller, path string) (*Reader, error) {
	fd, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open log FIFO %s: %w", path, err)
	}
	r := &Reader{poller: p, fd: fd, ready: make(chan struct{}, 1), stop: make(chan struct{})}
	if err = p.add(r); err != nil {
		return nil, errors.Join(fmt.Errorf("open log FIFO %s: %w", path, err), unix.Close(fd))
	}
	return r, nil
}

// open returns a descriptor to read the FIFO at path with, once it has knocked.
func open(path string) (fd int, err error) {
	fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = errors.New("it is not a FIFO")
	}
	if err == nil {
		err = knock(path)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// knock opens the FIFO for writing and closes it. A pipe tells a reader that
// its last writer has gone only where there was one since the reader came; now
// there was.
func knock(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// Abandoned reports whether no process has the FIFO at path open for writing and
// nothing is in it, which another reader could keep there. It takes nothing out.
func Abandoned(path string) (bool, error) {
	written, bytes, err := Look(path)
	return err == nil && !written && bytes == 0, err
}

// Look reports whether the FIFO at path has a writer, and how many bytes are in it.
// It takes nothing out of it. There must be no reader that waits for its last
// writer's end.
func Look(path string) (written bool, bytes int, err error) {
	fd, err := open(path)
	if err != nil {
		return false, 0, fmt.Errorf("look at log FIFO %s: %w", path, err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing is written by it
	gone, err := hungUp(fd)
	if err == nil {
		bytes, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
	}
	if err != nil {
		return false, 0, fmt.Errorf("look at log FIFO %s: %w", path, err)
	}
	return !gone, bytes, nil
}

// Close gives the FIFO up. What it holds stays for the next reader as long as
// a writer keeps it open.
func (r *Reader) Close() error { return errors.Join(r.poller.remove(r), unix.Close(r.fd)) }

// ErrInterrupted: Interrupt was called.
var ErrInterrupted = errors.New("fifo: interrupted")

// Interrupt makes a waiting Wait, and every later one, return ErrInterrupted.
// Peek goes on working.
func (r *Reader) Interrupt() { r.once.Do(func() { close(r.stop) }) }

// Interrupted is closed by Interrupt.
func (r *Reader) Interrupted() <-chan struct{} { return r.stop }

// Len is how many bytes the FIFO holds.
func (r *Reader) Len() (int, error) { return unix.IoctlGetInt(r.fd, unix.TIOCINQ) }

// Wait waits until the FIFO holds more than seen bytes or its last writer has
// closed it, and returns true; it returns false when that has not come by the
// time that timeout gives, if that is not nil. A caller that has peeked an
// incomplete frame of n bytes passes n, so that it is not woken for the same
// bytes again.
func (r *Reader) Wait(seen int, timeout <-chan time.Time) (ready bool, err error) {
	select {
	case <-r.ready: // of an earlier wait that did not need it
	default:
	}
	if seen == 0 {
		return r.waitAny(timeout)
	}
	return r.waitMore(seen, timeout)
}

// waitAny is Wait if nothing was seen. It asks the pipe nothing: epoll says at once if
// there are bytes, or no writer. A wake-up of an earlier wait may make it return early.
func (r *Reader) waitAny(timeout <-chan time.Time) (bool, error) {
	select {
	case <-r.stop:
		return false, ErrInterrupted
	default:
	}
	if err := r.poller.arm(r, false); err != nil {
		return false, err
	}
	select {
	case <-r.ready:
		return true, nil
	case <-r.stop:
		return false, ErrInterrupted
	case <-timeout:
		return false, nil
	}
}

// waitMore is Wait if bytes were seen, for which epoll would wake it at once.
func (r *Reader) waitMore(seen int, timeout <-chan time.Time) (ready bool, err error) {
	armed := false
	defer func() {
		if armed { // else each write would wake the poller
			err = errors.Join(err, r.poller.disarm(r))
		}
	}()
	for {
		select {
		case <-r.stop:
			return false, ErrInterrupted
		default:
		}
		if ready, err := readable(r.fd, seen); ready || err != nil {
			return ready, err
		}
		if !armed {
			if err := r.poller.arm(r, true); err != nil {
				return false, err
			}
			armed = true
		}
		select {
		case <-r.ready:
		case <-r.stop:
		case <-timeout:
			return false, nil
		}
	}
}

// readable reports whether the pipe holds more than seen bytes, or never will.
func readable(fd, seen int) (bool, error) {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return false, fmt.Errorf("fifo: FIONREAD: %w", err)
	}
	if n > seen {
		return true, nil
	}
	return hungUp(fd)
}

// Capacity is how many bytes the pipe can hold.
func (r *Reader) Capacity() (int, error) {
	n, err := unix.FcntlInt(uintptr(r.fd), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return 0, fmt.Errorf("fifo: F_GETPIPE_SZ: %w", err)
	}
	return n, nil
}

// Resize makes the pipe hold n bytes, or more, and returns how many it holds.
// The kernel refuses more than /proc/sys/fs/pipe-max-size, more than the user
// may have in all (pipe-user-pages-soft), and less than what is in the pipe.
func (r *Reader) Resize(n int) (int, error) {
	n, err := unix.FcntlInt(uintptr(r.fd), unix.F_SETPIPE_SZ, n)
	if err != nil {
		return 0, fmt.Errorf("fifo: F_SETPIPE_SZ: %w", err)
	}
	return n, nil
}

// hungUp reports whether the pipe has no writer.
func hungUp(fd int) (bool, error) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(p, 0); err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("fifo: poll: %w", err)
	}
	return p[0].Revents&unix.POLLHUP != 0, nil
}

// Peek copies into b what the FIFO holds now, without waiting, and returns it;
// the bytes stay in the FIFO. They are valid until b is used again. It returns
// ErrEmpty where nothing beyond the first seen bytes is there, io.EOF where
// nothing is left and no writer, and io.ErrUnexpectedEOF where no writer is
// left to add to the first seen bytes.
func (r *Reader) Peek(b *Buffer, seen int) ([]byte, error) { return b.peekNew(r.fd, seen) }

// Consume removes the first n bytes from the FIFO. They must have been peeked
// with b, and what Peek returned stays valid. All of them go at once: a process
// that is killed meanwhile has consumed all or none.
func (r *Reader) Consume(b *Buffer, n int) error {
	got, err := ignoringEINTR(func() (int, error) { return unix.Read(r.fd, b.trash[:n]) })
	if err != nil || got != n {
		return fmt.Errorf("fifo: consume: %d of %d bytes: %w", got, n, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return nil
}

// Buffer is what a Peek copies into. It may serve many readers, one at a time.
type Buffer struct {
	r, w  int // a private pipe, empty between calls
	data  []byte
	trash []byte // what is consumed goes here; its pages are there, see NewBuffer
}

// NewBuffer makes a buffer that holds up to size bytes a Peek.
func NewBuffer(size int) (*Buffer, error) {
	// A pipe counts pages, and a FIFO's pages are not full where one frame did
	// not fit behind another: tee takes fewer bytes than the pipe's size.
	p, err := privatePipe(min(4*size, maxPipe))
	if err != nil {
		return nil, fmt.Errorf("fifo: private pipe: %w", err)
	}
	b := &Buffer{r: p[0], w: p[1], data: make([]byte, size), trash: make([]byte, size)}
	// A page that had to be brought in first would be a place to be killed at.
	for i := range b.trash {
		b.trash[i] = 0xff
	}
	return b, nil
}

// pipeUser is nobody's user id: it owns nothing but private pipes. Linux bounds
// the pages of all pipes of a user (pipe-user-pages-soft, 64 MiB), and dockerd's
// FIFOs are root's: a thousand containers exceed that, and then root gets no
// pipe of a useful size any more.
const pipeUser = 2_147_483_000

// privatePipe makes a pipe that holds size bytes. As root, it makes it in
// pipeUser's name, on a thread that ends with that name.
func privatePipe(size int) (p [2]int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if unix.Getuid() == 0 {
			runtime.LockOSThread() // for ever: the thread ends with this goroutine
			// The thread's alone, not the process's as unix.Setresuid does. It
			// keeps root's effective id, and with it the right to do all else.
			// Where it is refused, root's own pages have to do.
			_, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, pipeUser, ^uintptr(0), ^uintptr(0))
		}
		if err = unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
			return
		}
		if _, err = unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, size); err != nil {
			err = errors.Join(fmt.Errorf("make it hold %d bytes: %w", size, err), unix.Close(p[0]), unix.Close(p[1]))
		}
	}()
	<-done
	return p, err
}

// maxPipe is what Linux allows a process without privileges, in bytes.
const maxPipe = 1 << 20

// Close frees the buffer's pipe.
func (b *Buffer) Close() error { return errors.Join(unix.Close(b.r), unix.Close(b.w)) }

func (b *Buffer) peekNew(fd, seen int) ([]byte, error) {
	for gone := false; ; {
		data, err := b.peek(fd)
		switch {
		case err != nil || len(data) > seen:
			return data, err
		case gone && len(data) == 0:
			return nil, io.EOF
		case gone:
			return data, io.ErrUnexpectedEOF
		}
		// Once the writer is gone, one more look sees all that it left.
		if gone, err = hungUp(fd); err != nil {
			return nil, err
		}
		if !gone {
			return nil, ErrEmpty
		}
	}
}

// peek returns no bytes and no error where the pipe is empty, with or without
// a writer.
func (b *Buffer) peek(fd int) ([]byte, error) {
	teed, err := ignoringEINTR(func() (int, error) {
		n, err := unix.Tee(fd, b.w, len(b.data), unix.SPLICE_F_NONBLOCK)
		return int(n), err
	})
	if errors.Is(err, unix.EAGAIN) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fifo: tee: %w", err)
	}
	for got := 0; got < teed; {
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(b.r, b.data[got:teed]) })
		if err != nil || n == 0 {
			return nil, fmt.Errorf("fifo: read private pipe: %d of %d bytes: %w", got, teed,
				errors.Join(err, io.ErrUnexpectedEOF))
		}
		got += n
	}
	return b.data[:teed], nil
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
