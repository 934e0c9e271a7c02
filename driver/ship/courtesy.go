package ship

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// courtesy is how packing that is not urgent stands back. It runs where the
// processors are idle otherwise (SCHED_IDLE: any other thread that wakes up
// takes the processor from it at once), so that the host's own work does not
// notice it. On an idle machine it is not slower. On one that is never idle it
// would not come forward, and the disk would fill: then it asks for about a tenth
// of a processor for a while.
//
// Capture that is busy notices it all the same: it took 1.2 to 1.3 times as long
// on two processors, whatever the scheduler was told. So packing rests between its
// steps while that lasts, and catches up in the next lull; where much has come to
// wait by that, it packs as fast as capture writes.
type courtesy struct {
	pressing int
	written  func() int64 // bytes that were captured so far
	mark     int64        // of them when the step began
	began    time.Time    // the step
	debt     int64        // bytes that were captured and not packed, of those since the first step
}

const (
	// starved is how long a step takes that got next to nothing; usually it
	// takes a fiftieth of that.
	starved = time.Second
	// pressed is how many steps press on after one that was starved.
	pressed = 16
	// niceness gives a thread about a tenth of what another one gets.
	niceness = 10

	// busy is how fast capture writes, in bytes a second, when it is worth a rest:
	// a tenth of what one container can write.
	busy = 5 << 20
	// resting is how long a rest is, as a multiple of the step before.
	resting = 4
	// longestRest bounds it: a step may have got next to nothing.
	longestRest = 500 * time.Millisecond
	// patience is how many bytes may come to wait for packing by such rests.
	patience = 1 << 30
)

// do runs f, a step, on a thread of its own and waits for it.
func (c *courtesy) do(f func()) {
	written := c.written()
	if !c.began.IsZero() {
		c.debt = max(0, c.debt+written-c.mark-step)
	}
	c.began, c.mark = time.Now(), written
	if c.pressing > 0 {
		c.pressing--
		politely(beNice, f)
		return
	}
	politely(beIdle, f)
	if time.Since(c.began) > starved {
		c.pressing = pressed
	}
}

// rest returns how long to rest after a step, 0 where capture is not busy.
func (c *courtesy) rest() time.Duration {
	took, captured := time.Since(c.began), c.written()-c.mark
	rate := float64(captured) / took.Seconds()
	if rate < busy {
		return 0
	}
	rest := min(resting*took, longestRest)
	if c.debt > patience { // until capture has written as much as was packed
		rest = min(rest, time.Duration(float64(step-captured)/rate*float64(time.Second)))
	}
	return max(rest, 0)
}

// politely runs f on a thread of its own that yields first, and waits for it.
// The thread ends with f: it could not become as important as others again.
func politely(yield, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		yield()
		f()
	}()
	<-done
}

// beIdle makes the thread run only where no other wants to.
func beIdle() {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		beNice() // a kernel that refuses
	}
}

// beNice makes the thread less important. Where the kernel refuses, it is as
// important as all else.
func beNice() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness) }
