package capture

import (
	"sync"
	"sync/atomic"
	"time"
)

// jobs are the goroutines that wait for the disk in place of Run and of the
// answers to Docker, so that one file whose disk hangs delays nothing else.
type jobs struct {
	// mu guards what follows. It is held for steps in memory only.
	mu      sync.Mutex
	running int
	none    chan struct{} // closed when running becomes 0; nil: nothing waits for that
}

// start runs f in a goroutine of its own and returns what is closed at its end.
func (j *jobs) start(f func()) (done <-chan struct{}) {
	j.mu.Lock()
	j.running++
	j.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.running--; j.running == 0 && j.none != nil {
			close(j.none)
			j.none = nil
		}
	}()
	return ended
}

// wait waits until no job runs, not longer than atMost, and returns how many run.
func (j *jobs) wait(atMost time.Duration) int {
	timeout := time.After(atMost)
	for {
		j.mu.Lock()
		running := j.running
		if running == 0 {
			j.mu.Unlock()
			return 0
		}
		if j.none == nil {
			j.none = make(chan struct{})
		}
		none := j.none
		j.mu.Unlock()
		select {
		case <-none:
		case <-timeout:
			return running
		}
	}
}

// Lanes are how many calls of each wait for the disk at one time: some, so that a
// thousand segments share the commits of the file system's journal, and few enough
// that not each of them needs a thread. A call that takes longer than laneWait
// gives its lane to the next one.
const (
	maxLanes = 16
	laneWait = 250 * time.Millisecond
)

// each calls f with 0 to n-1, some at one time where there are many, and returns
// when all calls have. One that hangs delays no other.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var lane func()
	lane = func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			spawned := make(chan struct{})
			late := time.AfterFunc(laneWait, func() {
				wg.Go(lane)
				close(spawned)
			})
			f(i)
			if !late.Stop() {
				<-spawned
			}
		}
	}
	for range min(n, 1+n/maxLanes, maxLanes) {
		wg.Go(lane)
	}
	wg.Wait()
}
