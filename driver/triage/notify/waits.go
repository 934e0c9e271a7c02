package notify

import (
	"errors"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
)

// The reasons for which an event waits.
const (
	WaitNext    = "next"    // the target's next message holds it
	WaitRate    = "rate"    // the bound of messages per hour holds it
	WaitFolded  = "folded"  // its kind was sent within the hour
	WaitRefused = "refused" // the target answered with an error
	WaitFailed  = "failed"  // the target did not answer, or the message could not be sent
)

// Wait counts the events that wait for one reason.
type Wait struct {
	Why    string // one of the constants above
	Events int
	Until  time.Time // when logfast sends the first of them; zero: as soon as it can
	Err    error     // of the last attempt, for WaitRefused and WaitFailed; no secret
}

// waitsLocked says why each waiting event waits, one entry a reason.
func (q *queue) waitsLocked(now time.Time) (all []Wait) {
	add := func(why string, until time.Time, err error) {
		for i := range all {
			if w := &all[i]; w.Why == why {
				w.Events++
				if until.Before(w.Until) {
					w.Until, w.Err = until, err
				}
				return
			}
		}
		all = append(all, Wait{Why: why, Events: 1, Until: until, Err: err})
	}
	var open map[string]time.Time
	var allowed time.Time
	if q.target.folds {
		open, allowed = q.open(now), q.allowed(now)
	}
	for _, e := range q.waiting {
		due, err, pause := time.Time{}, q.counts.LastError, q.notBefore
		overtaken := e.typ == incident.TypeOpened && q.known[keyOf(e.id, incident.TypeShipped)] != nil
		if q.target.folds && !overtaken {
			due, _ = dueAt(e, open)
		} else if e.err != nil && e.notBefore.After(now) {
			err, pause = e.err, e.notBefore
		}
		switch {
		case e.sending:
			add(WaitNext, time.Time{}, nil)
		case due.After(now):
			add(WaitFolded, due, nil)
		case err != nil && pause.After(now):
			add(whyOf(err), pause, err)
		case allowed.After(now):
			add(WaitRate, allowed, nil)
		default:
			add(WaitNext, time.Time{}, nil)
		}
	}
	return all
}

// whyOf distinguishes a target that refuses from one that does not answer.
func whyOf(err error) string {
	if r := (refusal{}); errors.As(err, &r) {
		return WaitRefused
	}
	return WaitFailed
}

// failingLocked is how many attempts have failed since the last that succeeded, of
// the whole target or of the event that fails most often. If nothing waits any more,
// there is nothing left to fail: what waited was given up.
func (q *queue) failingLocked() (n int, err error) {
	if len(q.waiting) == 0 {
		return 0, nil
	}
	n, err = q.failures, q.counts.LastError
	for _, e := range q.waiting {
		if e.failures > n || e.failures == n && err == nil {
			n, err = e.failures, e.err
		}
	}
	return n, err
}
