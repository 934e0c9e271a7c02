package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/spool"
)

// registrar registers streams, and tries again with those that the disk had no room
// to register. Such a stream has a cursor without a file meanwhile.
type registrar struct {
	journal *journal.Journal
	spool   *spool.Spool
	log     *slog.Logger
	jobs    *jobs
	wakeUp  func() // pending may have changed; must not wait

	// mu guards what follows. It is held for steps in memory only.
	mu      sync.Mutex
	waiting map[*stream]*journal.Entry // not registered yet
	busy    bool                       // a job registers them
}

// add registers a new stream. On a disk that has no room for that, though uploaded
// copies were deleted, the stream gets a cursor without a file, so that its container
// starts, and Run registers it later.
func (r *registrar) add(e *journal.Entry) (*journal.Cursor, error) {
	var c *journal.Cursor
	err := r.spool.WithRoom(spool.Need{Quick: true}, func() (err error) {
		c, err = r.journal.Add(e)
		return err
	})
	if spool.Full(err) {
		r.log.Error("the disk has no room to register a container's stream; its lines are captured, but if logfast "+
			"is killed before there is room, it will not find the stream again; will try again",
			"container", e.Stream.Name, "err", err)
		return &journal.Cursor{}, nil
	}
	return c, err
}

// later notes that a stream is not registered, if it is not.
func (r *registrar) later(s *stream, e *journal.Entry) {
	if s.cursor.Registered() {
		return
	}
	r.mu.Lock()
	r.waiting[s] = e
	r.mu.Unlock()
	r.wakeUp()
}

// pending reports whether streams are not registered.
func (r *registrar) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) > 0
}

// start begins to register, in a job, what is not registered.
func (r *registrar) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy || len(r.waiting) == 0 {
		return
	}
	r.busy = true
	r.jobs.start(func() {
		r.registerWaiting()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.busy = false
	})
}

// registerWaiting registers the streams that could not be registered when they started.
func (r *registrar) registerWaiting() {
	r.mu.Lock()
	waiting := maps.Clone(r.waiting)
	r.mu.Unlock()
	for s, e := range waiting {
		var c *journal.Cursor
		err := r.spool.WithRoom(spool.Need{Grow: true}, func() (err error) {
			c, err = r.journal.Add(e)
			return err
		})
		if err != nil {
			return // each of them needs the same
		}
		if err := r.attach(s, c); err != nil {
			r.log.Error("register a stream; will try again", "container", e.Stream.Name, "err", err)
			return
		}
	}
}

// attach gives a stream that was registered its cursor's file. A stream that has ended
// meanwhile is forgotten again.
//
//	ended before journal.Add   removed here
//	ended since                removed by Driver.ended
func (r *registrar) attach(s *stream, c *journal.Cursor) error {
	r.mu.Lock()
	waiting := r.waiting[s] != nil
	r.mu.Unlock()
	if !waiting {
		return errors.Join(c.Close(), r.journal.Remove(s.path))
	}
	if err := s.cursor.Attach(c); errors.Is(err, os.ErrClosed) {
		r.registered(s) // it is ending, and its entry is on disk
		return c.Close()
	} else if err != nil {
		return errors.Join(err, c.Close())
	}
	r.log.Info("stream registered", "container", s.desc.Name)
	r.registered(s)
	return nil
}

// registered notes that a stream waits no more.
func (r *registrar) registered(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, s)
}

// end keeps a stream that ends from being registered.
func (r *registrar) end(s *stream) {
	r.mu.Lock()
	waiting := r.waiting[s] != nil
	delete(r.waiting, s)
	r.mu.Unlock()
	if waiting && s.detach.Load() {
		r.log.Error("a running container's stream could not be registered, because the disk is full; the next start "+
			"of logfast will not find it, and the container waits once its pipe is full: restart the container then",
			"container", s.desc.Name)
	}
}

// explain says what to do about an error that keeps a container from being started.
func explain(err error) error {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return fmt.Errorf("%w: logfast needs three descriptors for each container and has none left; stop "+
			"containers, or raise the limit of open files of containerd or dockerd and restart it", err)
	}
	return err
}
