package ship

import (
	"container/heap"
	"slices"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// job is one segment that waits for one step.
type job struct {
	seg       spool.Segment
	urgent    bool
	gone      bool        // no longer the queue's
	busy      bool        // it is under way, from next until done or retry
	released  bool        // by whoever held its segment, while it was under way
	lost      record.Lost // what is lost if its file is, as far as is known
	object    *Shipped    // of the object that is in the store; nil: it is not
	attempts  int         // failed ones
	notBefore time.Time   // of the next attempt
}

// queue holds the segments of one state. It belongs to one goroutine. Each
// operation but refresh takes logarithmic time: after a long outage there are
// many thousands.
type queue struct {
	jobs    map[string]*job // by the segment's path; those under way too
	ready   jobs            // by rank
	waiting jobs            // by notBefore
	probing bool            // how ready is ordered
}

// refresh makes the queue hold these segments, and keeps what it knows of those
// that it had.
// It returns those that have left the spool's list by somebody else's doing.
func (q *queue) refresh(all []spool.Segment, look func(spool.Segment) (urgent bool, text record.Lost)) (gone []*job) {
	was := q.jobs
	q.jobs = make(map[string]*job, len(all))
	for _, seg := range all {
		path := seg.Path()
		if j := was[path]; j != nil {
			q.jobs[path] = j
			delete(was, path)
			continue
		}
		urgent, text := look(seg)
		q.add(seg, urgent, text)
	}
	for _, j := range was {
		j.gone = true // next, or retry, drops it
		if !j.busy {
			gone = append(gone, j)
		}
	}
	return gone
}

// addReleased is add for a segment that Pack has just released. If the queue has the
// segment already, its next attempt starts at once: the last one may have found it held.
func (q *queue) addReleased(seg spool.Segment, urgent bool, text record.Lost) {
	j := q.jobs[seg.Path()]
	if j == nil {
		q.add(seg, urgent, text)
		return
	}
	j.released = j.busy
	if i := slices.Index(q.waiting.list, j); i >= 0 {
		j.notBefore = time.Time{}
		heap.Fix(&q.waiting, i)
	}
}

// add puts a segment in, unless it is there.
func (q *queue) add(seg spool.Segment, urgent bool, text record.Lost) {
	path := seg.Path()
	if q.jobs[path] != nil {
		return
	}
	if q.jobs == nil {
		q.jobs = map[string]*job{}
	}
	j := &job{seg: seg, urgent: urgent, lost: text}
	q.jobs[path] = j
	q.push(&q.ready, j)
}

// next takes the job to do at time now, which ends with done or retry, or
// returns when there may be one: zero where only a refresh can bring one. When
// probing, what was tried least goes first, so that one segment that always
// fails cannot hide that others would succeed.
func (q *queue) next(now time.Time, probing bool) (best *job, wait time.Time) {
	if q.ready.before == nil || q.probing != probing {
		q.probing = probing
		q.ready.before = func(a, b *job) bool { return before(a, b, probing) }
		heap.Init(&q.ready)
	}
	for q.waiting.Len() > 0 && !q.waiting.list[0].notBefore.After(now) {
		q.push(&q.ready, heap.Pop(&q.waiting).(*job))
	}
	for q.ready.Len() > 0 {
		if j := heap.Pop(&q.ready).(*job); !j.gone {
			j.busy = true
			return j, time.Time{}
		}
	}
	if q.waiting.Len() > 0 {
		wait = q.waiting.list[0].notBefore
	}
	return nil, wait
}

// hasUrgent reports whether a job goes before the one that is being done.
func (q *queue) hasUrgent() bool {
	for q.ready.Len() > 0 && q.ready.before != nil && q.ready.list[0].gone {
		heap.Pop(&q.ready)
	}
	return q.ready.Len() > 0 && q.ready.before != nil && q.ready.list[0].urgent
}

// urgent is next for such a job: nil where none is urgent.
func (q *queue) urgent() *job {
	if !q.hasUrgent() {
		return nil
	}
	j := heap.Pop(&q.ready).(*job)
	j.busy = true
	return j
}

// done takes a job that next gave out for good.
func (q *queue) done(j *job) {
	if !j.gone {
		delete(q.jobs, j.seg.Path())
	}
}

// retry takes back a job that failed, for after a pause.
func (q *queue) retry(j *job, now time.Time, p pace) {
	j.attempts++
	j.notBefore = now.Add(p.backoff(j.attempts))
	if j.released {
		j.notBefore = now
	}
	j.busy, j.released = false, false
	if q.waiting.before == nil {
		q.waiting.before = func(a, b *job) bool { return a.notBefore.Before(b.notBefore) }
	}
	q.push(&q.waiting, j)
}

// hurry ends the pauses of all jobs that wait for one to be over.
func (q *queue) hurry() {
	for _, j := range q.waiting.list {
		j.notBefore = time.Time{}
		q.push(&q.ready, j)
	}
	q.waiting.list = nil
}

func (q *queue) push(h *jobs, j *job) {
	if h.before == nil { // next orders them
		h.list = append(h.list, j)
		return
	}
	heap.Push(h, j)
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

// jobs is a heap, as container/heap wants it.
type jobs struct {
	list   []*job
	before func(a, b *job) bool
}

func (h *jobs) Len() int           { return len(h.list) }
func (h *jobs) Less(i, k int) bool { return h.before(h.list[i], h.list[k]) }
func (h *jobs) Swap(i, k int)      { h.list[i], h.list[k] = h.list[k], h.list[i] }
func (h *jobs) Push(j any)         { h.list = append(h.list, j.(*job)) }

func (h *jobs) Pop() any {
	last := h.list[len(h.list)-1]
	h.list[len(h.list)-1] = nil
	h.list = h.list[:len(h.list)-1]
	return last
}
