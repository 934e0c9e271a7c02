package capture

import (
	"context"
	"sync"
	"time"

	"github.com/logfast/logfast/internal/wake"
)

// syncEvery is how long a line may wait for the disk itself with fsync=interval.
const syncEvery = time.Second

// syncer brings the text of streams to the disk itself, in goroutines of its own, so
// that no capture waits for a disk's cache, and no stream for another's sync that
// hangs.
type syncer struct {
	urgent chan struct{} // a listed stream has a server error
	jobs   jobs          // has its own lock

	// mu guards list. It is held for steps in memory only.
	mu   sync.Mutex
	list []*stream // with text to sync
}

func newSyncer() *syncer { return &syncer{urgent: make(chan struct{}, 1)} }

// dirty lists a stream that has written; at once where it must not wait.
func (y *syncer) dirty(s *stream, now bool) {
	if !s.dirty.Swap(true) {
		y.mu.Lock()
		y.list = append(y.list, s)
		y.mu.Unlock()
	}
	if now {
		s.hurry.Store(true)
		wake.Up(y.urgent)
	}
}

// run syncs until ctx ends. Without dirty streams it does nothing. What is being
// synced then ends by itself, in jobs.
func (y *syncer) run(ctx context.Context, report func(*stream, error)) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-y.urgent:
		}
		y.mu.Lock()
		list := y.list
		y.list = nil
		y.mu.Unlock()
		if len(list) == 0 {
			continue
		}
		y.jobs.start(func() {
			if len(list) > 1 {
				for _, s := range list {
					s.writer.StartSync()
				}
			}
			each(len(list), func(i int) { y.sync(list[i], report) })
		})
	}
}

// sync syncs one stream. It counts as dirty meanwhile, so that it is not listed
// again and one goroutine at most hangs on it.
func (y *syncer) sync(s *stream, report func(*stream, error)) {
	s.hurry.Store(false)
	err := s.writer.Sync()
	s.dirty.Store(false) // what is written from here on lists it again
	if err != nil {
		report(s, err)
	}
	if err != nil || s.writer.Dirty() {
		y.dirty(s, err == nil && s.hurry.Load())
	}
}
