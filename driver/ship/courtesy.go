package ship

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// courtesy is how packing that is not urgent stands back. It runs where the
// processors are idle otherwise (SCHED_IDLE: any other thread that wakes up
// takes the processor from it at once), so that capture and the host's own work
// do not notice it. On an idle machine it is not slower. On one that is never
// idle it would not come forward, and the disk would fill: then it asks for
// about a tenth of a processor for a while.
type courtesy struct{ pressing int }

const (
	// starved is how long a step takes that got next to nothing; usually it
	// takes a fiftieth of that.
	starved = time.Second
	// pressed is how many steps press on after one that was starved.
	pressed = 16
	// niceness gives a thread about a tenth of what another one gets.
	niceness = 10
)

// do runs f on a thread of its own and waits for it.
func (c *courtesy) do(f func()) {
	if c.pressing > 0 {
		c.pressing--
		politely(beNice, f)
		return
	}
	began := time.Now()
	politely(beIdle, f)
	if time.Since(began) > starved {
		c.pressing = pressed
	}
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
