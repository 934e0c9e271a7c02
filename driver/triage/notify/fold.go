package notify

import (
	"slices"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
)

// Folding. The first incident of its kind is sent at once. From then on, for an hour,
// incidents in which nothing is new (each of their kinds was sent within the hour) are
// collected. The end of the hour sends them in one message, which begins the next hour. So
// an outage that lasts is one message an hour, and one that comes back after a quiet hour
// is sent at once. A message of a kind takes along what was collected of it.
//
// All of it follows from the names of the files that were told and from what
// they hold, so a restart forgets nothing.

// window is how long what was told counts as told.
const window = time.Hour

// A target gets burst messages at once; while there were that many within the
// hour, one each spacing. That makes no more than ten in any hour. What comes
// meanwhile goes into the next one.
const (
	burst   = 5
	spacing = 10 * time.Minute
)

// plan is what a folding target's next message holds.
type plan struct {
	work []*entry  // empty: nothing yet
	fold []*entry  // early notices that need not be told
	next time.Time // when there may be something to tell; zero: not without another event
}

func (q *queue) plan(now time.Time) (p plan) {
	q.recent = slices.DeleteFunc(q.recent, func(e *entry) bool { return now.Sub(e.clock()) >= window })
	open := q.open(now)
	var later []*entry
	said := map[string]bool{} // kinds that the message tells of
	for _, e := range q.waiting {
		due, repeated := dueAt(e, open)
		switch {
		case e.typ == incident.TypeOpened &&
			(q.known[keyOf(e.id, incident.TypeShipped)] != nil || repeated && q.target.wants(incident.TypeShipped)):
			// The incident itself is there, or will be, and says more.
			p.fold = append(p.fold, e)
		case due.After(now):
			later = append(later, e)
			if p.next.IsZero() || due.Before(p.next) {
				p.next = due
			}
		default:
			p.work = append(p.work, e)
			for _, f := range e.kinds {
				said[kind(e, f)] = true
			}
		}
	}
	if len(p.work) == 0 {
		return p
	}
	if at := q.allowed(now); at.After(now) {
		p.work, p.next = nil, at
		return p
	}
	for _, e := range later {
		if said[kind(e, e.kind)] {
			p.work = append(p.work, e)
		}
	}
	return p
}

// kind is what folds: errors of one kind, early notices for themselves.
func kind(e *entry, of string) string { return e.typ + " " + of }

// tooNew reports a time that has not come yet: a clock was set back, and the
// time counts for nothing.
func tooNew(e *entry, now time.Time) bool { return e.clock().Sub(now) > time.Second }

// open tells when each kind was last told, of those told within the hour.
func (q *queue) open(now time.Time) map[string]time.Time {
	open := map[string]time.Time{}
	for _, e := range q.recent {
		if tooNew(e, now) {
			continue
		}
		for _, f := range e.kinds {
			if k := kind(e, f); e.clock().After(open[k]) {
				open[k] = e.clock()
			}
		}
	}
	return open
}

// dueAt is when an entry may be told: at once (zero) where something of it is
// new.
func dueAt(e *entry, open map[string]time.Time) (due time.Time, repeated bool) {
	for _, f := range e.kinds {
		if _, told := open[kind(e, f)]; !told {
			return time.Time{}, false
		}
	}
	if len(e.kinds) == 0 {
		return time.Time{}, false
	}
	return open[kind(e, e.kind)].Add(window), true
}

// allowed is when the next message may go out.
func (q *queue) allowed(now time.Time) time.Time {
	var sent []*entry // of the hour, one of each message: the entries of one share their time
	for _, e := range q.recent {
		if !tooNew(e, now) && (len(sent) == 0 || !sent[len(sent)-1].at.Equal(e.at)) {
			sent = append(sent, e)
		}
	}
	if n := len(sent); n >= burst {
		return sent[n-1].clock().Add(spacing)
	}
	return now
}
