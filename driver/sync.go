package driver

import (
	"context"
	"sync"
	"time"
)

// syncEvery is how long a line may wait for the disk itself with fsync=interval.
const syncEvery = time.Second

// syncer brings the text of streams to the disk itself, in a goroutine of its
// own, so that no capture waits for a disk's cache.
type syncer struct {
	urgent chan struct{} // a listed stream has a server error

	mu   sync.Mutex
	list []*stream // with text to sync, owned by mu
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
		select {
		case y.urgent <- struct{}{}:
		default:
		}
	}
}

// run syncs until ctx ends. Without dirty streams it does nothing.
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
		if len(list) > 1 {
			for _, s := range list {
				s.writer.StartSync()
			}
		}
		for _, s := range list {
			s.dirty.Store(false) // what is written from here on lists it again
			if err := s.writer.Sync(); err != nil {
				report(s, err)
				y.dirty(s, false)
			}
		}
	}
}
