package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/backoff"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/wake"
)

// What waits is bounded: a target that is dead for longer, or is told more, has
// the oldest events given up.
const (
	maxAge     = 24 * time.Hour
	maxWaiting = 1000
	maxBytes   = 64 << 20
)

// The memory of what was told is bounded too. Whoever adds repeats itself
// within minutes of a start, not after a week.
const (
	maxMemory = 7 * 24 * time.Hour
	maxKept   = 10_000
)

// pauses are those between two attempts.
var pauses = backoff.Bounds{First: time.Second, Max: maxPause}

const (
	maxPause = 5 * time.Minute
	maxAfter = time.Hour // of what a receiver may ask for
)

// queue is one target's part of the outbox.
type queue struct {
	target *Target
	dir    durable.Root
	store  string
	log    *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex        // held while the disk works, never while the network does
	known   map[string]*entry // by key; all that the directory has; owned by mu, as is all below
	waiting []*entry          // in the order in which they were added
	bytes   int64             // of the files of those
	recent  []*entry          // told within the hour, in the order of time
	unsaved []*entry          // whose files do not say what became of them
	halfway map[string]string // by key: the files of adds that failed, and may be there

	failures  int // attempts since the last that succeeded
	notBefore time.Time
	gaveUp    int // events given up that were not said yet
	said      time.Time
	counts    TargetHealth
}

func openQueue(cfg Config, t *Target) (*queue, error) {
	dir, err := durable.OpenLasting(cfg.Dir, t.dir, 0o700)
	if err != nil {
		return nil, err
	}
	q := &queue{
		target: t, dir: dir, store: cfg.Store, log: cfg.Log.With("target", t.Name),
		wake: make(chan struct{}, 1), known: map[string]*entry{}, halfway: map[string]string{},
		counts: TargetHealth{Name: t.Name, Kind: t.Kind},
	}
	all, err := load(dir)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	now := time.Now()
	for _, e := range all {
		q.known[e.key] = e
		e.loaded(now)
		if e.state != waiting && (e.state != told || !t.folds || now.Sub(e.at) >= window) {
			continue
		}
		event, _, err := read(dir, e)
		switch {
		case err != nil && e.state == waiting:
			q.log.Error("an event in the outbox cannot be read, and is given up", "file", e.file, "err", err)
			q.giveUp(now, e)
		case err != nil: // what it told within the hour is not known any more: it may be told again
		case e.state == told:
			e.brief = briefOf(event)
			q.recent = append(q.recent, e)
		default:
			e.brief = briefOf(event)
			q.waiting = append(q.waiting, e)
			q.bytes += e.size
		}
	}
	return q, nil
}

// add makes the event durable, unless the target knows it or does not want it.
//
//	write the event   killed within: the temporary file goes at the next start
func (q *queue) add(e *incident.Event, body []byte) error {
	if !q.target.wants(e.Type) {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	key := keyOf(e.Data.ID, e.Type)
	if q.known[key] != nil {
		return nil
	}
	added := &entry{key: key, brief: briefOf(e), size: int64(len(body))}
	added.become(waiting, time.Now())
	added.file = added.wanted()
	if file, ok := q.halfway[key]; ok {
		added, _ = parseEntry(file) // the same file again, not a second one
		added.brief, added.size = briefOf(e), int64(len(body))
		added.loaded(time.Now())
	}
	if err := durable.WriteFile(q.dir, added.file, body, fileMode); err != nil {
		q.halfway[key] = added.file
		return err
	}
	delete(q.halfway, key)
	q.known[key] = added
	q.waiting = append(q.waiting, added)
	q.bytes += added.size
	q.bound(time.Now())
	wake.Up(q.wake)
	return nil
}

// run tells what waits, one message at a time, until ctx ends.
func (q *queue) run(ctx context.Context) {
	for {
		work, at := q.take(time.Now())
		if len(work) > 0 {
			q.settle(work, q.deliver(ctx, work), ctx.Err() != nil)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		var timer <-chan time.Time
		if !at.IsZero() {
			timer = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer:
		}
	}
}

// take returns what is to be told now, in one message, or when to look again:
// zero where only another event can bring something.
func (q *queue) take(now time.Time) (work []*entry, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bound(now)
	again := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if len(q.waiting) > 0 {
		again(now.Add(max(maxAge-now.Sub(q.waiting[0].clock()), time.Minute))) // over, and not tried yet: look again
	}
	if len(q.unsaved) > 0 {
		if q.save(nil); len(q.unsaved) > 0 {
			again(now.Add(maxPause / 10))
		}
	}
	if q.gaveUp > 0 {
		if quiet := q.said.Add(time.Minute); now.Before(quiet) {
			again(quiet)
		} else {
			q.log.Error("events were given up: too many wait, or for too long", "events", q.gaveUp,
				"waiting", len(q.waiting), "err", q.counts.LastError)
			q.gaveUp, q.said = 0, now
		}
	}
	if now.Before(q.notBefore) {
		again(q.notBefore)
		return nil, at
	}
	if !q.target.folds {
		e, next := q.single(now)
		if e == nil {
			again(next)
			return nil, at
		}
		work = []*entry{e}
	} else {
		p := q.plan(now)
		if len(p.fold) > 0 {
			q.counts.Folded += int64(len(p.fold))
			q.finish(folded, now, p.fold...)
		}
		if work = p.work; len(work) == 0 {
			again(p.next)
			return nil, at
		}
	}
	for _, e := range work {
		e.sending = true
	}
	return work, time.Time{}
}

// single chooses the next event of a target that gets each by itself: what waits
// longest. One that was refused has a pause of its own, so it holds no other.
func (q *queue) single(now time.Time) (e *entry, at time.Time) {
	for _, e := range q.waiting {
		if !now.Before(e.notBefore) {
			return e, at
		}
		if at.IsZero() || e.notBefore.Before(at) {
			at = e.notBefore
		}
	}
	return nil, at
}

// deliver makes one attempt. A panic is a failed attempt: one message must not end
// the process, which other containers need.
func (q *queue) deliver(ctx context.Context, work []*entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the message cannot be made; report this as a defect of logfast: panic: %v", p)
		}
	}()
	m, err := q.compose(work)
	if err != nil {
		return err
	}
	return q.target.sender.send(ctx, m)
}

// unreadable says that an event's file does not hold it any more.
type unreadable struct {
	entry *entry
	error
}

func (u unreadable) Unwrap() error { return u.error }

// settle takes an attempt's outcome into account. One that was cut short is
// none.
func (q *queue) settle(work []*entry, err error, cut bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, e := range work {
		e.sending = false
		e.tried = e.tried || !cut
	}
	if err == nil {
		if q.failures > 0 {
			q.log.Info("the target takes messages again", "failures", q.failures)
		}
		q.failures, q.notBefore = 0, time.Time{}
		if !q.target.folds {
			q.notBefore = now.Add(webhookGap)
		}
		q.counts.Messages++
		q.counts.Told += int64(len(work))
		q.counts.Folded += int64(len(work) - 1)
		q.counts.LastTold, q.counts.LastError = now, nil
		at := now
		if n := len(q.recent); n > 0 {
			next := q.recent[n-1].at.Add(time.Millisecond) // a message is known by its time
			if ahead := next.Sub(now.Truncate(time.Millisecond)); ahead > 0 && ahead <= time.Second {
				at = now.Add(ahead)
			}
		}
		q.finish(told, at, work...)
		if q.target.folds {
			q.recent = append(q.recent, work...)
		}
		return
	}
	if cut {
		return
	}
	if u := (unreadable{}); errors.As(err, &u) {
		q.log.Error("an event in the outbox cannot be read, and is given up", "file", u.entry.file, "err", u.error)
		q.giveUp(now, u.entry)
		return
	}
	q.counts.Failed++
	q.counts.LastError = err
	var r refusal
	errors.As(err, &r)
	if r.gone {
		q.log.Error("the receiver says that it is gone for good; take it out of LOGFAST_NOTIFY", "err", err)
		q.giveUp(now, work...)
		return
	}
	q.failures++
	pause := max(pauses.Pause(q.failures), min(r.after, maxAfter))
	q.notBefore = now.Add(pause)
	if !q.target.folds {
		e := work[0]
		e.failures++
		e.err = err
		e.notBefore = now.Add(max(pauses.Pause(e.failures), pause))
		if q.failures < e.failures { // others went through since: it is this one
			q.notBefore = now.Add(webhookGap)
		}
	}
	q.log.Warn("an incident could not be told; will try again", "incident", work[0].id, "events", len(work),
		"attempt", q.failures, "next", pause.Round(time.Millisecond), "err", err)
}

// finish ends the waiting of entries. Where the disk does not take that, it is
// so in memory, and the disk is asked again.
func (q *queue) finish(s state, now time.Time, all ...*entry) {
	for _, e := range all {
		if e.state == waiting {
			q.bytes -= e.size
		}
		e.become(s, now)
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(e *entry) bool { return e.state != waiting })
	q.save(all)
}

func (q *queue) save(all []*entry) {
	left, err := save(q.dir, append(q.unsaved, all...))
	q.unsaved = left
	if err != nil {
		q.log.Error("the outbox's disk does not take what was told; it would be told again after a restart",
			"events", len(left), "err", err)
	}
}

func (q *queue) giveUp(now time.Time, all ...*entry) {
	q.counts.GivenUp += int64(len(all))
	q.gaveUp += len(all)
	q.finish(givenUp, now, all...)
}

// bound gives up what waits for too long, and the oldest where too many wait. An
// event of an earlier process is tried first: its age is as right as the clock.
func (q *queue) bound(now time.Time) {
	var drop []*entry
	n, bytes := len(q.waiting), q.bytes
	for _, e := range q.waiting {
		over := n > maxWaiting || bytes > maxBytes
		if !over && now.Sub(e.clock()) < maxAge {
			break
		}
		if !e.sending && (over || e.tried) {
			drop = append(drop, e)
			n, bytes = n-1, bytes-e.size
		}
	}
	if len(drop) > 0 {
		q.giveUp(now, drop...)
	}
}

func (q *queue) health() TargetHealth {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.counts
	h.Waiting = len(q.waiting)
	if h.Waiting > 0 {
		h.Oldest = q.waiting[0].at
	}
	h.Waits = q.waitsLocked(time.Now())
	h.Failing, h.FailingErr = q.failingLocked()
	return h
}

// forget removes what the target was told long ago. What was told longer ago
// than the hour needs its name alone.
func (q *queue) forget(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var kept []*entry
	for _, e := range q.known {
		if e.state != waiting && e.file == e.wanted() {
			kept = append(kept, e)
		}
	}
	slices.SortFunc(kept, func(a, b *entry) int { return a.clock().Compare(b.clock()) })
	for i, e := range kept {
		if e.at.Sub(now) > window { // the clock was ahead: it counts from now on
			e.become(e.state, now)
			q.save([]*entry{e})
			continue
		}
		switch {
		case now.Sub(e.clock()) >= maxMemory || len(kept)-i > maxKept:
			if err := durable.Unlink(q.dir, e.file); err != nil && !errors.Is(err, os.ErrNotExist) {
				q.log.Warn("prune the outbox", "err", err)
				continue
			}
			delete(q.known, e.key)
		case now.Sub(e.clock()) >= window && e.size > 0:
			if f, err := durable.OpenRegular(q.dir, e.file, os.O_WRONLY|os.O_TRUNC, 0); err == nil && f.Close() == nil {
				e.size, e.brief = 0, brief{}
			}
		}
	}
}

// prune forgets each hour. Not at once: who adds may repeat what it had added
// before a long pause.
func (o *Outbox) prune(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, q := range o.queues {
				q.forget(now)
			}
			o.pruneOthers(now)
		}
	}
}

// pruneOthers removes what is left of targets that are no longer configured,
// once it is old: one that comes back before that goes on where it was.
func (o *Outbox) pruneOthers(now time.Time) {
	top, err := o.dir.Open(".")
	if err != nil {
		return
	}
	defer top.Close()
	dirs, _ := top.ReadDir(-1)
	for _, d := range dirs {
		if !d.IsDir() || slices.ContainsFunc(o.queues, func(q *queue) bool { return q.target.dir == d.Name() }) {
			continue
		}
		sub, err := o.dir.OpenFile(d.Name(), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		files, _ := sub.ReadDir(-1)
		sub.Close()
		for _, f := range files {
			if e, ok := parseEntry(f.Name()); ok && now.Sub(e.at) >= maxMemory || durable.IsTemp(f.Name()) {
				durable.Unlink(o.dir, path.Join(d.Name(), f.Name())) //nolint:errcheck // the next time
			}
		}
		durable.Unlink(o.dir, d.Name()) //nolint:errcheck // it is not empty yet
	}
}
