package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/store"
)

// lateStore is a store that may not be open yet: a setting of it is wrong, a file
// is missing, a directory cannot be made. Until it is open it refuses with
// store.ErrBlocked and the reason. Opening is tried again without end.
type lateStore struct {
	open   func(context.Context) (Store, func() error, error)
	opened chan struct{} // holds a token while somebody opens
	store  atomic.Pointer[openStore]
	failed atomic.Pointer[error] // why it is not open
}

type openStore struct {
	Store
	end func() error
}

func newLateStore(open func(context.Context) (Store, func() error, error)) *lateStore {
	return &lateStore{open: open, opened: make(chan struct{}, 1)}
}

// get returns the store, and opens it if that has not been done.
func (s *lateStore) get(ctx context.Context) (Store, error) {
	if at := s.store.Load(); at != nil {
		return at.Store, nil
	}
	select {
	case s.opened <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: the store is not open yet: %w", store.ErrBlocked, ctx.Err())
	}
	defer func() { <-s.opened }()
	if at := s.store.Load(); at != nil {
		return at.Store, nil
	}
	objects, end, err := s.open(ctx)
	if err != nil {
		if !errors.Is(err, store.ErrBlocked) {
			err = fmt.Errorf("%w: %w", store.ErrBlocked, err)
		}
		s.failed.Store(&err)
		return nil, err
	}
	s.store.Store(&openStore{objects, end})
	return objects, nil
}

// why returns why the store is not open, nil if it is or if nothing is known yet.
// It does not wait.
func (s *lateStore) why() error {
	if err := s.failed.Load(); err != nil && s.store.Load() == nil {
		return *err
	}
	return nil
}

// run opens the store, and tries again until that works or ctx ends.
func (s *lateStore) run(ctx context.Context, log *slog.Logger) {
	said := ""
	for {
		_, err := s.get(ctx)
		if err == nil {
			if said != "" {
				log.Info("the store is open")
			}
			return
		}
		if ctx.Err() != nil {
			return
		}
		if said != err.Error() {
			said = err.Error()
			log.Error("the store cannot be opened; segments wait in the spool; will try again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(workRetry):
		}
	}
}

func (s *lateStore) close() error {
	if at := s.store.Load(); at != nil {
		return at.end()
	}
	return nil
}

// Put implements store.Store.
func (s *lateStore) Put(ctx context.Context, key string, body io.ReadSeeker, attrs store.Attributes) error {
	store, err := s.get(ctx)
	if err != nil {
		return err
	}
	return store.Put(ctx, key, body, attrs)
}

// Get implements store.Store.
func (s *lateStore) Get(ctx context.Context, key string) (io.ReadCloser, store.Attributes, error) {
	objects, err := s.get(ctx)
	if err != nil {
		return nil, store.Attributes{}, err
	}
	return objects.Get(ctx, key)
}

// Head implements archive.Store.
func (s *lateStore) Head(ctx context.Context, key string) (store.Attributes, error) {
	objects, err := s.get(ctx)
	if err != nil {
		return store.Attributes{}, err
	}
	return objects.Head(ctx, key)
}

// List implements store.Store.
func (s *lateStore) List(ctx context.Context, prefix, after string) iter.Seq2[store.Entry, error] {
	objects, err := s.get(ctx)
	if err != nil {
		return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, err) }
	}
	return objects.List(ctx, prefix, after)
}

// Learned implements store.Learner. It does not wait. An operator without a store
// has learned nothing.
func (s *lateStore) Learned() []string {
	if s == nil {
		return nil
	}
	if at := s.store.Load(); at != nil {
		if learner, ok := at.Store.(store.Learner); ok {
			return learner.Learned()
		}
	}
	return nil
}
