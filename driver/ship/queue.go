package ship

import (
	"math/rand/v2"
	"time"

	"github.com/logfast/logfast/driver/segment"
)

// job is one segment that waits for one step.
type job struct {
	seg       segment.Segment
	urgent    bool
	busy      bool      // somebody works on it
	attempts  int       // failed ones
	notBefore time.Time // of the next attempt
}

// queue holds the segments of one state. It belongs to one goroutine.
type queue struct {
	jobs map[string]*job // by the segment's path
}

// refresh makes the queue hold what the spool holds in this state, and keeps
// what it knows of segments that it had.
func (q *queue) refresh(all []segment.Segment, state segment.State, urgent func(segment.Segment) bool) {
	was := q.jobs
	q.jobs = map[string]*job{}
	for _, seg := range all {
		if seg.Name.State != state {
			continue
		}
		path := seg.Path()
		if j := was[path]; j != nil {
			q.jobs[path] = j
			continue
		}
		q.jobs[path] = &job{seg: seg, urgent: urgent(seg)}
	}
}

// next returns the job to do at time now, or when there may be one: zero where
// only a refresh can bring one. When probing, what was tried least goes first,
// so that one segment that always fails cannot hide that others would succeed.
func (q *queue) next(now time.Time, probing bool) (best *job, wait time.Time) {
	for _, j := range q.jobs {
		switch {
		case j.busy:
		case j.notBefore.After(now):
			if wait.IsZero() || j.notBefore.Before(wait) {
				wait = j.notBefore
			}
		case best == nil || before(j, best, probing):
			best = j
		}
	}
	return best, wait
}

func before(a, b *job, probing bool) bool {
	if probing && a.attempts != b.attempts {
		return a.attempts < b.attempts
	}
	if a.urgent != b.urgent {
		return a.urgent
	}
	if c := a.seg.Name.Time.Compare(b.seg.Name.Time); c != 0 {
		return c < 0
	}
	return a.seg.Path() < b.seg.Path()
}

func (q *queue) done(j *job) { delete(q.jobs, j.seg.Path()) }

func (j *job) failed(now time.Time) {
	j.attempts++
	j.notBefore = now.Add(backoff(j.attempts))
}

// Bounds of the time between two attempts.
const (
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// backoff doubles with each failure, up to maxBackoff; between half and all of
// that, by chance, so that hosts that failed together do not return together.
func backoff(failures int) time.Duration {
	d := maxBackoff
	if failures < 7 {
		d = min(d, firstBackoff<<(failures-1))
	}
	return d/2 + rand.N(d/2+1)
}
