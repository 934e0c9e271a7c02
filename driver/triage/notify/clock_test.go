package notify

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/logfast/logfast/driver/triage/incident"
)

// stepped is the time t after the wall clock was set forward by d, whole seconds:
// its monotonic reading stays. The layout is that of package time.
func stepped(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	was := at
	(*struct{ wall uint64 })(unsafe.Pointer(&at)).wall += uint64(d/time.Second) << 30
	if at.Sub(was) != 0 || at.Unix()-was.Unix() != int64(d/time.Second) {
		t.Fatal("the layout of time.Time has changed")
	}
	return at
}

func oneWaiting(t *testing.T, age time.Duration) (*box, *queue) {
	t.Helper()
	var hook ear
	hook.refuse(func(context.Context, *message) error { return errDown })
	b := newBox(t, hook.target("webhook", false, both...))
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	b.add(event(1, incident.TypeShipped, "a"))
	if age != 0 { // as a process left it that went by another clock
		q := b.queues[0]
		old := *q.waiting[0]
		old.become(waiting, time.Now().Add(-age))
		if err := os.Rename(filepath.Join(b.dir, "webhook", old.file), filepath.Join(b.dir, "webhook", old.wanted())); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.open(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { b.Close() })
	return b, b.queues[0]
}

// TestWaiting_AStepOfTheClockDropsNothing sets the clock forward by two days, and
// back. What waits is measured by the monotonic clock.
func TestWaiting_AStepOfTheClockDropsNothing(t *testing.T) {
	for _, step := range []time.Duration{48 * time.Hour, -48 * time.Hour} {
		b, q := oneWaiting(t, 0)
		now := time.Now()
		for n := range 3 {
			now = stepped(t, now.Add(2*time.Hour), step)
			work, _ := q.take(now)
			if h := b.Health()[0]; len(work) != 1 || h.GivenUp != 0 {
				t.Fatalf("step %v, attempt %d: %d to tell, %+v", step, n+1, len(work), h)
			}
			q.settle(work, errDown, false)
			q.notBefore, work[0].notBefore = time.Time{}, time.Time{}
		}
		if q.take(time.Now().Add(25 * time.Hour)); b.Health()[0].GivenUp != 1 {
			t.Errorf("step %v: it waits for ever: %+v", step, b.Health()[0])
		}
	}
}

// TestWaiting_AnEarlierProcesssEventIsTriedFirst: its age may be the clock's fault.
func TestWaiting_AnEarlierProcesssEventIsTriedFirst(t *testing.T) {
	b, q := oneWaiting(t, 72*time.Hour)
	work, _ := q.take(time.Now())
	if len(work) != 1 || b.Health()[0].GivenUp != 0 {
		t.Fatalf("%d to tell, %+v", len(work), b.Health()[0])
	}
	q.settle(work, errDown, false)
	if q.take(time.Now()); b.Health()[0].GivenUp != 1 {
		t.Errorf("tried, and too old: %+v", b.Health()[0])
	}
}

// TestWaiting_SinceATimeOfTheFuture ages from the start of the process on.
func TestWaiting_SinceATimeOfTheFuture(t *testing.T) {
	b, q := oneWaiting(t, -4*365*24*time.Hour)
	work, _ := q.take(time.Now())
	if len(work) != 1 {
		t.Fatal("it is not told")
	}
	q.settle(work, errDown, false)
	if q.take(time.Now().Add(25 * time.Hour)); b.Health()[0].GivenUp != 1 {
		t.Errorf("it waits until its time has come: %+v", b.Health()[0])
	}
}
