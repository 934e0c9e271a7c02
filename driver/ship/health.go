package ship

import (
	"context"
	"errors"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

// Health is how ship is at one moment.
type Health struct {
	Pending    int           // segments that are sealed or packed: not in the store, or not known to be
	Bytes      int64         // of their files in the spool
	Oldest     time.Time     // time of the oldest one's first line; zero where none is pending
	LastUpload time.Time     // zero: none since the start
	Stalled    time.Duration // how long something has been pending and nothing was uploaded
	Blocked    error         // why the store refuses until somebody changes something; nil where it does not
	LastError  error         // of packing or uploading, since the last upload; nil where there was none
}

// progress is what Health tells besides what is in the spool.
type progress struct {
	last    time.Time // of the last upload
	still   time.Time // since when something is pending and nothing moves; zero: nothing is pending
	said    int       // how often the watchdog has said so
	blocked error
	err     error
}

// Health looks into the spool, which takes some ten microseconds a pending
// segment. The error says what of the spool could not be read.
func (s *Shipper) Health() (Health, error) {
	pending, err := s.pending()
	now := time.Now()
	s.mu.Lock()
	p := s.progress
	s.mu.Unlock()
	h := Health{Pending: len(pending), LastUpload: p.last, Blocked: p.blocked, LastError: p.err}
	if len(pending) > 0 {
		h.Oldest = pending[0].Name.Time
		if !p.still.IsZero() {
			h.Stalled = now.Sub(p.still)
		}
	}
	for _, seg := range pending {
		h.Bytes += s.cfg.Spool.Size(seg)
	}
	return h, err
}

// pending lists the segments that are sealed or packed. A listing of a directory can miss
// a file that is renamed meanwhile, so a segment that Pack renames just now has neither
// name in it. That nothing is pending, which ends what the watchdog counts, is true if a
// second listing says so: the segment has its new name by then.
func (s *Shipper) pending() ([]spool.Segment, error) {
	all, err := s.cfg.Spool.List(spool.Sealed, spool.Packed)
	if len(all) == 0 && err == nil {
		all, err = s.cfg.Spool.List(spool.Sealed, spool.Packed)
	}
	return all, err
}

// moved notes that a segment was uploaded.
func (s *Shipper) moved() {
	now := time.Now()
	s.mu.Lock()
	was := s.progress
	s.progress = progress{last: now, still: now}
	s.mu.Unlock()
	if was.said > 0 {
		s.cfg.Log.Info("uploads move again", "stalled", now.Sub(was.still).Round(time.Second))
	}
}

// failed notes what keeps segments from moving.
func (s *Shipper) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.err = err
}

// refused notes what the store's last failure says of the time until somebody
// changes something.
func (s *Shipper) refused(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.blocked = nil
	if errors.Is(err, store.ErrBlocked) {
		s.progress.blocked = err
	}
}

// DefaultStall is how long segments may be pending without one upload before
// ship says so: several whole attempts, ten of the longest pauses between two,
// so that it is no hiccup; and hours before a disk of ordinary size is full.
const DefaultStall = 10 * time.Minute

// longestSilence bounds the time between two sayings that nothing moves.
const longestSilence = 6 * time.Hour

// watch says when segments are pending and none was uploaded for a long time,
// for whatever reason: the store, the disk, or a fault in here. It says it
// again at twice the time, and so on.
func (s *Shipper) watch(ctx context.Context) {
	tick := time.NewTicker(max(s.cfg.Stall/10, time.Millisecond))
	defer tick.Stop()
	next := s.cfg.Stall
	for {
		h, err := s.Health()
		stalled, said := s.still(h.Pending > 0 || err != nil)
		if said == 0 {
			next = s.cfg.Stall
		}
		if stalled >= next {
			next += min(next, longestSilence)
			s.mu.Lock()
			s.progress.said++
			s.mu.Unlock()
			s.cfg.Log.Error("nothing moves to the store; the segments wait in the spool, and the disk fills",
				"for", stalled.Round(time.Second), "pending", h.Pending, "bytes", h.Bytes,
				"oldest", max(time.Since(h.Oldest), 0).Round(time.Second), "blocked", h.Blocked != nil, "err",
				errors.Join(h.LastError, err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// still returns how long something has been pending without an upload, and how
// often that was said.
func (s *Shipper) still(pending bool) (time.Duration, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.progress
	switch {
	case !pending:
		p.still, p.said, p.blocked, p.err = time.Time{}, 0, nil, nil
		return 0, 0
	case p.still.IsZero():
		p.still = time.Now()
	}
	return time.Since(p.still), p.said
}
