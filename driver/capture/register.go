package capture

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/spool"
)

// register registers a new stream. On a disk that has no room for that, though uploaded copies
// were deleted, the stream gets a cursor without a file, so that its container starts, and Run
// registers it later.
func (d *Driver) register(e *journal.Entry) (*journal.Cursor, error) {
	var c *journal.Cursor
	err := d.cfg.Spool.WithRoom(spool.Need{Quick: true}, func() (err error) {
		c, err = d.journal.Add(e)
		return err
	})
	if spool.Full(err) {
		d.cfg.Log.Error("the disk has no room to register a container's stream; its lines are captured, but if logfast is killed before there is room, it will not find the stream again; will try again",
			"container", e.Stream.Name, "err", err)
		return &journal.Cursor{}, nil
	}
	return c, err
}

// registerLater notes that a stream is not registered.
func (d *Driver) registerLater(s *stream, e *journal.Entry) {
	if s.cursor.Registered() {
		return
	}
	d.mu.Lock()
	d.unregistered[s] = e
	d.mu.Unlock()
	d.wakeUp()
}

// startRegistering begins to register, in a job, what is not registered.
func (d *Driver) startRegistering() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.registering || len(d.unregistered) == 0 {
		return
	}
	d.registering = true
	d.jobs.start(func() {
		d.registerPending()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.registering = false
	})
}

// registerPending registers the streams that could not be registered when they started.
func (d *Driver) registerPending() {
	d.mu.Lock()
	pending := make(map[*stream]*journal.Entry, len(d.unregistered))
	for s, e := range d.unregistered {
		pending[s] = e
	}
	d.mu.Unlock()
	for s, e := range pending {
		var c *journal.Cursor
		err := d.cfg.Spool.WithRoom(spool.Need{Grow: true}, func() (err error) {
			c, err = d.journal.Add(e)
			return err
		})
		if err != nil {
			return // each of them needs the same
		}
		if err := d.attach(s, c); err != nil {
			d.cfg.Log.Error("register a stream; will try again", "container", e.Stream.Name, "err", err)
			return
		}
	}
}

// attach gives a stream that was registered its cursor's file. A stream that has ended
// meanwhile is forgotten again.
//
//	ended before journal.Add   removed here
//	ended since                 removed by finish
func (d *Driver) attach(s *stream, c *journal.Cursor) error {
	d.mu.Lock()
	_, pending := d.unregistered[s]
	d.mu.Unlock()
	if !pending {
		return errors.Join(c.Close(), d.journal.Remove(s.path))
	}
	if err := s.cursor.Attach(c); errors.Is(err, os.ErrClosed) {
		return c.Close()
	} else if err != nil {
		return errors.Join(err, c.Close())
	}
	d.cfg.Log.Info("stream registered", "container", s.desc.Name)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.unregistered, s)
	return nil
}

// endRegistration keeps a stream that ends from being registered.
func (d *Driver) endRegistration(s *stream) {
	d.mu.Lock()
	_, pending := d.unregistered[s]
	delete(d.unregistered, s)
	d.mu.Unlock()
	if pending && s.detach.Load() {
		d.cfg.Log.Error("a running container's stream could not be registered, because the disk is full; the next start of logfast will not find it, and the container waits once its pipe is full: restart the container then",
			"container", s.desc.Name)
	}
}

// explain says what to do about an error that keeps a container from being started.
func explain(err error) error {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return fmt.Errorf("%w: logfast needs three descriptors for each container and has none left; stop containers, or raise the limit of open files of containerd or dockerd and restart it", err)
	}
	return err
}
