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
		c := courtesy{written: func() int64 { return 0 }}
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

// TestPackingRestsWhileCaptureIsBusy has capture write at a rate, in the bubble's
// time, and packs steps that take 20 ms each.
func TestPackingRestsWhileCaptureIsBusy(t *testing.T) {
	const (
		takes = 20 * time.Millisecond
		all   = resting * takes
	)
	for name, tt := range map[string]struct {
		rate  int64 // of capture, bytes a second
		debt  int64
		steps int
		want  time.Duration // rest after the last step
	}{
		"idle":                          {rate: 0, steps: 3, want: 0},
		"a little":                      {rate: busy - busy/10, steps: 3, want: 0},
		"busy":                          {rate: 50e6, steps: 3, want: all},
		"busy for long":                 {rate: 80e6, debt: patience, steps: 10, want: time.Duration(step*int64(time.Second)/80e6) - takes},
		"for long, faster than a step":  {rate: 500e6, debt: patience, steps: 3, want: 0},
		"for long, slower than packing": {rate: 10e6, debt: patience - 1, steps: 3, want: all},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := courtesy{debt: tt.debt, written: func() int64 { return int64(time.Since(began).Seconds() * float64(tt.rate)) }}
				var rest time.Duration
				for range tt.steps {
					time.Sleep(rest)
					c.do(func() { time.Sleep(takes) })
					rest = c.rest()
				}
				if (rest - tt.want).Abs() > time.Millisecond {
					t.Errorf("packing rests %v, want %v", rest, tt.want)
				}
			})
		})
	}
}
