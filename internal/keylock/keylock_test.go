package keylock

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestLock_OneAtATime(t *testing.T) {
	var l Locks
	var wg sync.WaitGroup
	n := 0
	for range 100 {
		wg.Go(func() {
			defer l.Lock("a")()
			n++ // the race detector sees two at once
		})
	}
	wg.Wait()
	if n != 100 || l.Held("a") || len(l.held) != 0 {
		t.Errorf("%d of 100, held %v, kept %v", n, l.Held("a"), l.held)
	}
}

func TestLock_OtherKeysDoNotWait(t *testing.T) {
	var l Locks
	unlock := l.Lock("a")
	l.Lock("b")()
	if !l.Held("a") || l.Held("b") {
		t.Error("a is held, and b is not")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.LockContext(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	unlock()
	l.Lock("a")()
}
