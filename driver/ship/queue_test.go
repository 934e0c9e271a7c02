package ship

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

func backlog(n int) []spool.Segment {
	all := make([]spool.Segment, n)
	for i := range all {
		all[i] = spool.Segment{Dir: "web-1a2b3c4d5e6f", Name: spool.Name{
			Active: "web.log", Time: time.Unix(int64(i*7919%n), 0), Seq: i + 1, Reason: spool.Size, State: spool.Packed,
		}}
	}
	return all
}

func TestAQueueOfManyTakesFewComparisons(t *testing.T) {
	const n = 10_000
	var q queue
	q.refresh(backlog(n), func(spool.Segment) (bool, record.Lost) { return false, record.Lost{} })
	if j, _ := q.next(time.Unix(0, 0), false); j == nil {
		t.Fatal("nothing to do")
	} else {
		q.retry(j, time.Unix(0, 0), usual)
	}
	comparisons := 0
	was := q.ready.before
	q.ready.before = func(a, b *job) bool { comparisons++; return was(a, b) }
	last, done := time.Time{}, 0
	for now := time.Unix(0, 0); ; done++ {
		j, at := q.next(now, false)
		if j == nil && at.IsZero() {
			break
		}
		if j == nil { // the one that failed
			now = at
			done--
			continue
		}
		if j.attempts == 0 && j.seg.Name.Time.Before(last) {
			t.Fatalf("%v after %v", j.seg.Name.Time, last)
		}
		last = j.seg.Name.Time
		q.done(j)
	}
	if done != n || len(q.jobs) != 0 {
		t.Errorf("%d done, %d left", done, len(q.jobs))
	}
	if most := 3 * n * bits.Len(n); comparisons > most {
		t.Errorf("%d comparisons for %d segments, more than %d", comparisons, n, most)
	}
}

// TestAQueueTakesASegmentThatWasHeld: the uploader found it in the spool before Pack had
// let it go, and is told of it before or after its attempt has failed.
func TestAQueueTakesASegmentThatWasHeld(t *testing.T) {
	for name, told := range map[string]func(q *queue, j *job, now time.Time){
		"before": func(q *queue, j *job, now time.Time) {
			q.addReleased(j.seg, false, record.Lost{})
			q.retry(j, now, usual)
		},
		"after": func(q *queue, j *job, now time.Time) {
			q.retry(j, now, usual)
			q.addReleased(j.seg, false, record.Lost{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var q queue
			now := time.Unix(1000, 0)
			q.add(backlog(1)[0], false, record.Lost{})
			held, _ := q.next(now, false)
			told(&q, held, now)
			j, at := q.next(now, false)
			if j != held || len(q.jobs) != 1 {
				t.Fatalf("%v, next at %v of %v", j, at, q.jobs)
			}
			q.retry(j, now, usual)
			q.add(held.seg, false, record.Lost{}) // a listing found it again
			if j, at := q.next(now, false); j != nil || !at.After(now) {
				t.Errorf("a failure of its own is tried again at once: %v, %v", j, at)
			}
		})
	}
}

func TestARefreshKeepsWhatIsKnownAndDropsWhatIsGone(t *testing.T) {
	var q queue
	all := backlog(4)
	calm := func(spool.Segment) (bool, record.Lost) { return false, record.Lost{} }
	now := time.Unix(1000, 0)
	q.refresh(all, calm)
	failed, _ := q.next(now, false)
	busy, _ := q.next(now, false)
	q.retry(failed, now, usual)
	q.refresh(all[:1], func(spool.Segment) (bool, record.Lost) {
		t.Error("asked again about one that it has")
		return false, record.Lost{}
	})
	if len(q.jobs) != 1 {
		t.Fatalf("%d jobs", len(q.jobs))
	}
	q.retry(busy, now, usual) // it was under way when it went
	q.refresh(all[:1], calm)
	later := now.Add(time.Hour)
	seen := map[string]int{}
	for j, _ := q.next(later, true); j != nil; j, _ = q.next(later, true) {
		seen[j.seg.Path()] = j.attempts
		q.done(j)
	}
	want := 0
	if failed.seg == all[0] || busy.seg == all[0] {
		want = 1
	}
	if len(seen) != 1 || seen[all[0].Path()] != want || len(q.jobs) != 0 {
		t.Errorf("seen %v, want %s alone with %d failures; %d left", seen, all[0].Path(), want, len(q.jobs))
	}
}

func TestWhenProbingTheLeastTriedGoesFirst(t *testing.T) {
	var q queue
	all := backlog(3)
	q.refresh(all, func(g spool.Segment) (bool, record.Lost) { return g.Name.Seq == 3, record.Lost{} })
	now := time.Unix(0, 0)
	first, _ := q.next(now, true)
	if first.seg.Name.Seq != 3 {
		t.Fatalf("first %v, want the urgent one", first.seg)
	}
	q.retry(first, now, usual)
	now = now.Add(time.Hour)
	for range 2 {
		j, _ := q.next(now, true)
		if j == nil || j == first {
			t.Fatalf("%v, want one that was not tried", j)
		}
		q.done(j)
	}
	if j, _ := q.next(now, true); j != first {
		t.Errorf("%v, want the urgent one at last", j)
	}
	q.retry(first, now, usual)
	q.add(all[0], false, record.Lost{})
	if j, _ := q.next(now.Add(time.Hour), false); j != first {
		t.Errorf("%v, want the urgent one once nobody probes", j)
	}
}

// BenchmarkBacklog ships n segments that were waiting; what one costs must not
// grow with n.
func BenchmarkBacklog(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				x := newBench(b, 24000*time.Hour)
				for i := range n {
					x.seal(fmt.Sprint("c", i%50), i, spool.Size)
				}
				b.StartTimer()
				x.drain(n)
				b.StopTimer()
				if left, _ := filepath.Glob(filepath.Join(x.dir, "*", "*.uploaded.gz")); len(left) != n {
					b.Fatalf("%d of %d", len(left), n)
				}
				os.RemoveAll(x.dir)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/segment")
		})
	}
}
