package ship

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// thread is how the kernel schedules the calling thread.
type thread struct {
	policy uint32
	nice   int32
}

func this(t *testing.T) thread {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Error(err)
		return thread{}
	}
	return thread{attr.Policy, attr.Nice}
}

// TestPackingStandsBack looks at the thread that packs, and at those that come
// after it.
func TestPackingStandsBack(t *testing.T) {
	usually := this(t)
	for name, tt := range map[string]struct {
		yield func()
		want  thread
	}{
		"idle": {beIdle, thread{unix.SCHED_IDLE, usually.nice}},
		"nice": {beNice, thread{usually.policy, max(niceness, usually.nice)}},
	} {
		var packing thread
		politely(tt.yield, func() { packing = this(t) })
		if packing != tt.want {
			t.Errorf("%s: packing is scheduled as %+v, want %+v", name, packing, tt.want)
		}
	}
	for range 50 { // on whatever threads there are now
		done := make(chan thread)
		go func() { done <- this(t) }()
		if got := <-done; got != usually {
			t.Fatalf("other work is scheduled as %+v now, was %+v", got, usually)
		}
	}
}

// TestPackingComesForwardWhereTheMachineIsNeverIdle takes the time that a step
// took for what the processors had left for it.
func TestPackingComesForwardWhereTheMachineIsNeverIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c courtesy
		idle := 0
		step := func(takes time.Duration) {
			c.do(func() {
				if this(t).policy == unix.SCHED_IDLE {
					idle++
				}
				time.Sleep(takes) // the bubble's time
			})
		}
		for range 10 {
			step(starved / 2)
		}
		if idle != 10 {
			t.Fatalf("%d of 10 steps stood back on an idle machine", idle)
		}
		step(2 * starved)
		for range pressed {
			step(2 * starved)
		}
		if idle != 11 {
			t.Fatalf("%d steps stood back, want 11: those after a starved one press on", idle)
		}
		step(0)
		if idle != 12 {
			t.Fatal("packing does not stand back again")
		}
	})
}
