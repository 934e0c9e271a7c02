// Package keylock has a lock for each key. It keeps nothing of keys that are free.
package keylock

import (
	"context"
	"sync"
)

// Locks are the keys that are held. The zero Locks are ready. The methods may be
// called from several goroutines.
type Locks struct {
	mu   sync.Mutex               // guards held; it is held for steps in memory only
	held map[string]chan struct{} // by key; closed when the key is released
}

// Lock waits until the caller alone holds the key, until it calls unlock. Other keys
// do not wait.
func (l *Locks) Lock(key string) (unlock func()) {
	unlock, _ = l.LockContext(context.Background(), key)
	return unlock
}

// LockContext is Lock that gives the context's error if that ends first.
func (l *Locks) LockContext(ctx context.Context, key string) (unlock func(), err error) {
	for {
		l.mu.Lock()
		other := l.held[key]
		if other == nil {
			own := make(chan struct{})
			if l.held == nil {
				l.held = map[string]chan struct{}{}
			}
			l.held[key] = own
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.held, key)
				l.mu.Unlock()
				close(own)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Held reports whether a key is held.
func (l *Locks) Held(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[key] != nil
}
