package ship

import (
	"time"

	"github.com/logfast/logfast/internal/backoff"
)

// pace is every time that ship goes by. Tests have shorter ones.
type pace struct {
	first, max time.Duration // bounds of the pause between two attempts
	attempt    time.Duration // of a put, besides what its size takes
	slowest    int64         // line, in bytes a second
	prune      time.Duration // the longest time between two prunings
}

var usual = pace{first: time.Second, max: time.Minute, attempt: time.Minute, slowest: 128 << 10, prune: time.Hour}

// backoff returns the pause after so many failures in a row.
func (p pace) backoff(failures int) time.Duration {
	return backoff.Bounds{First: p.first, Max: p.max}.Pause(failures)
}

// attemptTime is how long one put may take: what a slow line needs, and no
// more, so that a connection that died silently is given up.
func (p pace) attemptTime(size int64) time.Duration {
	return p.attempt + time.Duration(size/p.slowest)*time.Second
}

// outage is what a loop knows of the health of what it needs: the store, or the
// disk. Its zero value is health. After a failure one thing at a time is tried,
// with growing pauses, until one succeeds.
type outage struct {
	failures  int
	notBefore time.Time
}

// failed counts a failure and returns the pause after it.
func (o *outage) failed(now time.Time, p pace) time.Duration {
	o.failures++
	pause := p.backoff(o.failures)
	o.notBefore = now.Add(pause)
	return pause
}

// rescan bounds how long a loop trusts its wake-ups. A directory that an
// operator restored from a backup is found this late.
const rescan = 5 * time.Minute

// until fires at the given time, and at the next rescan where that comes first
// or the time is zero.
func until(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return time.After(rescan)
	}
	return time.After(min(rescan, time.Until(at)))
}
