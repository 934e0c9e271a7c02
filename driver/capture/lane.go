package capture

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// lane is how streams with expressions of their own share the processors. One
// search may take tens of milliseconds, and a hundred streams that search at once
// would keep all others from running for as long as Go's scheduler needs to go
// round. So one processor is left to the others, and the stream that has used the
// least lately, and wants the least, comes first: a cheap expression waits for one search of an
// expensive one, not for all that are in line.
type lane struct {
	// mu guards what follows. It is held for steps in memory only.
	mu      sync.Mutex
	free    int // processors
	waiting []*turn
}

// turn is a stream that waits. Its channel is closed when it is its turn.
type turn struct {
	used float64 // seconds, with those that it wants
	now  chan struct{}
}

// share is what one stream has used. Its stream owns it.
type share struct {
	used  float64 // seconds, half of which are forgotten each second
	since time.Time
	began time.Time
}

func newLane() *lane { return &lane{free: max(runtime.GOMAXPROCS(0)-1, 1)} }

// perWork is what a unit of detect.Work takes, in seconds.
const perWork = 20e-9

// enter waits until the stream may do the work, of which detect.Work tells, or
// until quit is closed, and reports whether it may. leave ends that.
func (l *lane) enter(s *share, work int, quit <-chan struct{}) bool {
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		s.began = time.Now()
		return true
	}
	now := time.Now()
	s.used *= math.Exp2(-now.Sub(s.since).Seconds())
	s.since = now
	t := &turn{used: s.used + float64(work)*perWork, now: make(chan struct{})}
	l.waiting = append(l.waiting, t)
	l.mu.Unlock()
	select {
	case <-t.now:
		s.began = time.Now()
		return true
	case <-quit:
	}
	l.mu.Lock()
	at := slices.Index(l.waiting, t)
	if at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
	}
	l.mu.Unlock()
	if at < 0 { // its turn came meanwhile
		s.began = time.Now()
		l.leave(s)
	}
	return false
}

func (l *lane) leave(s *share) {
	now := time.Now()
	s.used = s.used*math.Exp2(-now.Sub(s.since).Seconds()) + now.Sub(s.began).Seconds()
	s.since = now
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.free++
		return
	}
	next := 0
	for i, t := range l.waiting {
		if t.used < l.waiting[next].used {
			next = i
		}
	}
	close(l.waiting[next].now)
	l.waiting = slices.Delete(l.waiting, next, next+1)
}
