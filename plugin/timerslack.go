package plugin

import (
	"fmt"
	"syscall"
	"time"
)

// timerSlack is how much later than it asked Linux may wake a thread up that
// sleeps for some time (PR_SET_TIMERSLACK(2const)); Linux's own is 50 µs.
//
// Go's runtime has a thread that watches, asleep for 20 µs at a time while
// anything runs. A line of a quiet container woke it up some 18 times, and that
// cost twice what was done for the line. Our own timers are of milliseconds.
const timerSlack = time.Millisecond

// relaxTimers sets the timer slack of every thread; those to come inherit it.
func relaxTimers() error {
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, uintptr(timerSlack),
		0); errno != 0 {
		return fmt.Errorf("set the timer slack: %w", errno)
	}
	return nil
}
