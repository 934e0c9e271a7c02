package capture

import (
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/capture/events"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
)

// owner is what a stream wants of what started it. All methods may be called
// concurrently.
type owner interface {
	// makeRoom makes room in the spool, as [spool.Spool.MakeRoom] does. It waits for
	// the disk and for packing.
	makeRoom(n spool.Need) error
	// seal seals the stream's active segment, on a disk that may be full. It waits for
	// the disk, and what its error says is in the log.
	seal(s *stream, reason spool.Reason) error
	// sealed is called after each other seal; path is empty if there was nothing to
	// seal. It does not wait.
	sealed(container, path string, err error)
	// ended is the last call: the stream has closed all that it has. err is why its
	// last segment is still active, nil if it is sealed.
	ended(s *stream, err error)
	// wakeUp is called when an error may have changed the fast track's next time. It
	// does not wait.
	wakeUp()
}

// shared is what all streams use. It does not change once the first one runs, and
// what has state has locks of its own.
type shared struct {
	spool  *spool.Spool
	log    *slog.Logger
	events *events.Events
	pool   *pool
	lane   *lane
	syncer *syncer
	turns  turns

	onFull    options.OnFull
	dropAfter time.Duration // see the constant; a test has its own
	closing   chan struct{} // closed by Driver.Close
	enlarged  atomic.Int64  // see pace
}

func (d *Driver) makeRoom(n spool.Need) error { return d.sealer.makeRoom(n) }

func (d *Driver) seal(s *stream, reason spool.Reason) error { return d.sealer.seal(s, reason) }

func (d *Driver) sealed(container, path string, err error) { d.sealer.sealed(container, path, err) }

// ended is the last step of a stream. If it was the last of a scope, there is nothing
// left to wait for in that.
//
//	unregister   killed before: the next process finds the stream and what it has
//	             left in its FIFO, or finds it dead
func (d *Driver) ended(s *stream, err error) {
	detach := s.detach.Load()
	if err != nil && !detach {
		d.sealer.leave(s.desc, false)
	}
	d.registrar.end(s)
	if !detach {
		if err := d.journal.Remove(s.path); err != nil {
			d.cfg.Log.Error("close stream", "container", s.desc.Name, "err", err)
		}
	}
	d.streams.remove(s)
}

// Seal seals the active segments of the containers with these ids now, or of
// all where there is none, because an operator asked for it. What the error says
// is in the log as well.
func (d *Driver) Seal(ids ...string) error {
	d.sealer.sealLeft()
	streams := d.streams.find(func(s *stream) bool { return len(ids) == 0 || slices.Contains(ids, s.desc.ID) })
	errs := make([]error, len(streams))
	each(len(streams), func(i int) { errs[i] = d.sealer.seal(streams[i], spool.Manual) })
	return errors.Join(errs...)
}
