// Package ship is SHIP: it takes sealed segments from the spool, packs them,
// puts them into the store and marks them uploaded. It knows nothing of
// containers; its queue is the spool's directory. Nothing it does, and no
// trouble it has, is felt by CAPTURE.
package ship

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/object"
	"github.com/logfast/logfast/driver/segment"
)

// Config is what a Shipper needs. All fields but Keep must be set.
type Config struct {
	Spool *segment.Spool
	Store object.Store
	Keep  time.Duration // how long an uploaded copy stays in the spool, from its first line on
	Log   *slog.Logger
}

// Shipper moves segments to the store. Make it with New; Run does the work.
type Shipper struct {
	cfg    Config
	sealed chan struct{} // a segment may have been sealed
	packed chan struct{} // a segment may have been packed
}

// New makes a Shipper.
func New(cfg Config) *Shipper {
	return &Shipper{cfg: cfg, sealed: make(chan struct{}, 1), packed: make(chan struct{}, 1)}
}

// Wake says that a segment was sealed. It never waits.
func (s *Shipper) Wake() { notify(s.sealed) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // the wake-up that is pending will see this too
	}
}

// Run packs and uploads until ctx ends, and returns once nothing of it is
// left running. What is unfinished then is found by the next Run.
func (s *Shipper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.pack(ctx) })
	wg.Go(func() { s.upload(ctx) })
	wg.Go(func() { s.prune(ctx) })
	wg.Wait()
}

// rescan bounds how long a loop trusts its wake-ups. A directory that an
// operator restored from a backup is found this late.
const rescan = 5 * time.Minute

// until fires at the given time, and at the next rescan where that comes first
// or the time is zero.
func until(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return time.After(rescan)
	}
	return time.After(min(rescan, time.Until(at)))
}

// refresh brings a queue up to date with the spool.
func (s *Shipper) refresh(q *queue, state segment.State) {
	all, err := s.cfg.Spool.List()
	if err != nil {
		s.cfg.Log.Error("list the spool", "err", err)
	}
	q.refresh(all, state, s.urgent)
}

// urgent reports whether a segment goes before others: it holds a server
// error, or a crash kept anybody from knowing.
func (s *Shipper) urgent(seg segment.Segment) bool {
	if r := seg.Name.Reason; r == segment.Error || r == segment.Recover {
		return true
	}
	m, err := s.cfg.Spool.Meta(seg)
	return err == nil && m.Errors > 0
}

// prune deletes uploaded segments whose time is over: at the start and then
// each hour, or as often as Keep where that is shorter, down to each minute.
func (s *Shipper) prune(ctx context.Context) {
	every := min(time.Hour, max(s.cfg.Keep, time.Minute))
	for tick := time.NewTicker(every); ; {
		all, err := s.cfg.Spool.List()
		if err != nil {
			s.cfg.Log.Error("list the spool", "err", err)
		}
		for _, seg := range all {
			if seg.Name.State != segment.Uploaded || time.Since(seg.Name.Time) < s.cfg.Keep {
				continue
			}
			if err := s.cfg.Spool.Delete(seg); err != nil {
				s.cfg.Log.Error("prune", "segment", seg.Path(), "err", err)
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}
