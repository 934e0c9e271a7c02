// Package ship packs sealed segments, uploads them to the store, builds incidents
// and deletes old copies. It knows nothing of containers; its queue is the spool's
// directory. A store that is slow or fails never delays package capture.
package ship

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/wake"
)

// Config is what a Shipper needs. All fields but Keep, Stall, Incidents, Announce and Shipped must be set.
type Config struct {
	Spool *spool.Spool
	Store store.Store
	Keep  time.Duration // how long an uploaded copy stays in the spool, from its first line on
	Stall time.Duration // see [DefaultStall], which zero stands for
	Log   *slog.Logger

	Incidents *incident.Dir // the spool's; nil: there are none

	// Announce, if set, is told of each incident that is in the store. When it
	// returns nil, what it makes of that is durable. It may be called again with
	// the same event; after an error it is.
	Announce func(*incident.Event) error

	// Removed, if set, is told of each segment that somebody has removed from the
	// spool before it was in the store: what is lost with it. It must not wait.
	Removed func(dir string, lost record.Lost)

	// Shipped, if set, is told of each segment that is in the store and marked
	// so. It must not wait.
	Shipped func(Shipped)
}

// Shipper moves segments to the store. Make it with New; Run does the work.
type Shipper struct {
	cfg    Config
	pace   pace
	sealed chan struct{} // a segment may have been sealed
	packed chan struct{} // handover holds something
	soon   chan struct{} // expected holds something
	closed chan struct{} // an incident may have been closed, or a segment of one uploaded
	grew   chan struct{} // untrimmed holds something

	packAgain, putAgain chan struct{} // see Retry

	taken takenKeys

	mu       sync.Mutex
	handover []*job               // packed, for the uploader to take; owned by mu
	expected map[string]time.Time // what Soon said, by directory; owned by mu
	progress progress             // owned by mu
	counts   Counts               // owned by mu

	untrimmed map[string]bool // directories in which a segment was uploaded; owned by mu
}

// New makes a Shipper.
func New(cfg Config) *Shipper {
	if cfg.Stall == 0 {
		cfg.Stall = DefaultStall
	}
	s := &Shipper{
		cfg: cfg, pace: usual,
		sealed: make(chan struct{}, 1), packed: make(chan struct{}, 1), soon: make(chan struct{}, 1),
		closed:    make(chan struct{}, 1),
		grew:      make(chan struct{}, 1),
		packAgain: make(chan struct{}, 1), putAgain: make(chan struct{}, 1),
	}
	cfg.Spool.OnPacked(func(seg spool.Segment) {
		urgent, text := s.lookAt(seg)
		s.handOver(&job{seg: seg, urgent: urgent, lost: text})
	})
	return s
}

// Wake says that a segment was sealed, or an incident closed. It never waits.
func (s *Shipper) Wake() {
	wake.Up(s.sealed)
	wake.Up(s.closed)
}

// Retry ends every pause after a failure: whoever calls it knows, or hopes, that
// what was wrong is right now. It never waits.
func (s *Shipper) Retry() {
	wake.Up(s.packAgain)
	wake.Up(s.putAgain)
}

// Run packs and uploads until ctx ends, and returns once nothing of it is
// left running. What is unfinished then is found by the next Run.
func (s *Shipper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.pack(ctx) })
	wg.Go(func() { s.upload(ctx) })
	wg.Go(func() { s.prune(ctx) })
	wg.Go(func() { s.watch(ctx) })
	if s.cfg.Incidents != nil {
		wg.Go(func() { s.incidents(ctx) })
	}
	wg.Wait()
}

// refresh brings a queue up to date with the spool. What could not be listed
// stays in the queue as it was.
func (s *Shipper) refresh(q *queue, state spool.State) {
	all, err := s.cfg.Spool.List(state)
	if err != nil {
		s.cfg.Log.Error("list the spool", "err", err)
		s.failed(err)
		for _, seg := range all {
			urgent, text := s.lookAt(seg)
			q.add(seg, urgent, text)
		}
		return
	}
	for _, j := range q.refresh(all, s.lookAt) {
		s.lostIfGone(j)
	}
}

// lostIfGone counts a segment that is not in the spool any more in any state: it
// is reported once, and not tried again.
func (s *Shipper) lostIfGone(j *job) {
	if s.cfg.Spool.Present(j.seg) {
		return
	}
	s.cfg.Log.Error("a segment was removed from the spool before it was in the store; its lines are lost, unless the "+
		"one who removed it has them",
		"segment", j.seg.Path(), "lines", j.lost.Lines, "bytes", j.lost.Bytes, "from", j.lost.From, "to", j.lost.To)
	if s.cfg.Removed != nil {
		s.cfg.Removed(j.seg.Dir, j.lost)
	}
}

// lookAt reports whether a segment goes before others, because it holds a server
// error, or a crash kept anybody from knowing; and what is lost if it is removed.
func (s *Shipper) lookAt(seg spool.Segment) (urgent bool, text record.Lost) {
	text = record.Lost{Reason: spool.FileRemoved, From: seg.Name.Time, To: seg.Name.Time}
	urgent = seg.Name.Reason == spool.Error || seg.Name.Reason == spool.Recover
	look := s.cfg.Spool.Meta
	if urgent {
		look = s.cfg.Spool.Look // which makes nothing anew
	}
	m, err := look(seg)
	if err != nil {
		return urgent, text
	}
	text.Lines, text.Bytes, text.From, text.To = m.Lines, m.Bytes, m.First, m.Last
	return urgent || m.Errors > 0, text
}

// prune deletes uploaded segments whose time is over: at the start and then
// each hour, or as often as Keep where that is shorter, down to each minute. It
// also deletes those for which their container's max-file leaves no place.
func (s *Shipper) prune(ctx context.Context) {
	tick := time.NewTicker(min(s.pace.prune, max(s.cfg.Keep, time.Minute)))
	defer tick.Stop()
	var again []spool.Segment // half deleted, as it may be: not listed any more
	for {
		all, err := s.cfg.Spool.List(spool.Uploaded)
		if err != nil {
			s.cfg.Log.Error("list the spool", "err", err)
		}
		dirs := dirsOf(all)
		needed := s.pruneIncidents()
		all, again = slices.Concat(again, s.over(all, time.Now())), nil
		for _, seg := range all {
			if ctx.Err() != nil {
				return
			}
			if needed(seg) {
				continue
			}
			if err := s.cfg.Spool.Delete(seg); err != nil && !errors.Is(err, spool.ErrHeld) {
				s.cfg.Log.Error("prune; will try again", "segment", seg.Path(), "err", err)
				again = append(again, seg)
			}
		}
		s.trim(dirs)
		if !s.trimUntil(ctx, tick.C) {
			return
		}
	}
}

// trimUntil trims directories that grow, until the next tick. It returns false if ctx
// ended before.
func (s *Shipper) trimUntil(ctx context.Context, tick <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick:
			return true
		case <-s.grew:
			s.trim(s.takeGrown())
		}
	}
}

// over returns those of the uploaded segments, sorted by time, whose time is over.
// A segment of the future, of a clock that was ahead, counts from when it was seen.
func (s *Shipper) over(all []spool.Segment, now time.Time) (over []spool.Segment) {
	first := func(is func(spool.Segment) bool) int {
		return sort.Search(len(all), func(i int) bool { return is(all[i]) })
	}
	over = slices.Clone(all[:first(func(g spool.Segment) bool { return now.Sub(g.Name.Time) < s.cfg.Keep })])
	for _, g := range all[first(func(g spool.Segment) bool { return g.Name.Time.After(now) }):] {
		if now.Sub(s.cfg.Spool.There(g, now)) >= s.cfg.Keep {
			over = append(over, g)
		}
	}
	return over
}
