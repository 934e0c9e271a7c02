// Package archive reads what logfast wrote: the segments of many containers and
// hosts, in a store and in a spool together, as one text in the order of time. A
// segment that is in both is read once.
//
// Segments are found by their keys as far as the key template allows, and
// otherwise by the metadata of the objects. Several segments are fetched and
// unpacked at once, a little ahead of the reader. Memory grows with the number of
// containers whose segments overlap in time, not with how much they wrote.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

// Store is what is read of a store.Store; its errors are that package's. The
// methods may be called from several goroutines and do not retry.
type Store interface {
	// Get is as a store.Store's. A body that is an *os.File is read where
	// it is; of any other a copy is made first.
	Get(ctx context.Context, key string) (io.ReadCloser, store.Attributes, error)
	// Head returns an object's attributes without its bytes.
	Head(ctx context.Context, key string) (store.Attributes, error)
	// List is as a store.Store's.
	List(ctx context.Context, prefix, after string) iter.Seq2[store.Entry, error]
}

// Config is where an archive is. One of Store and Spool must be set.
type Config struct {
	Store Store              // nil: none
	Spool *spool.View        // nil: none
	Key   *spool.KeyTemplate // of the store's keys
	// Warn is told, once for each, of what could not be read and is left out.
	// It may be called from several goroutines, one at a time.
	Warn func(error)
	// Temp is the directory of nameless copies of large objects, which go with their
	// last reader. Default: os.TempDir().
	Temp string
	// CheckSpace returns an error if Temp has too little space for a copy of so many
	// bytes. It may be called from several goroutines. Default: a write fails.
	CheckSpace func(bytes int64) error
}

// Archive reads. Its methods may be called from several goroutines.
type Archive struct {
	cfg      Config
	keys     *spool.KeyReader
	progress Progress
	failed   atomic.Bool

	seeking sync.Mutex // held to find a place in a text, which takes the memory of a stripe

	warning sync.Mutex
	said    map[string]bool // owned by warning
}

// New makes an Archive.
func New(cfg Config) *Archive {
	return &Archive{cfg: cfg, keys: cfg.Key.Reader(), said: map[string]bool{}}
}

// Progress counts what has been done so far.
type Progress struct {
	Listed   atomic.Int64 // keys that the store has named
	Asked    atomic.Int64 // objects whose attributes were read
	Segments atomic.Int64 // segments to be read
	Read     atomic.Int64 // segments that have been
	Bytes    atomic.Int64 // of their text
}

// Progress returns the counters, which change while something is going on.
func (a *Archive) Progress() *Progress { return &a.progress }

// Failed reports whether something could not be read.
func (a *Archive) Failed() bool { return a.failed.Load() }

// warn notes that what could not be read.
func (a *Archive) warn(what string, err error) {
	a.failed.Store(true)
	a.note(what, err)
}

// note tells of something once.
func (a *Archive) note(what string, err error) {
	a.warning.Lock()
	defer a.warning.Unlock()
	if !a.said[what] && a.cfg.Warn != nil {
		a.said[what] = true
		a.cfg.Warn(fmt.Errorf("%s: %w", what, err))
	}
}

// attempts and pause say how often, and after which time, what may pass is
// tried again; the pause doubles.
const (
	attempts = 4
	pause    = 200 * time.Millisecond
)

// retry calls f until it succeeds, fails for good, or has failed too often.
func retry(ctx context.Context, f func() error) error {
	wait := pause
	for n := 1; ; n++ {
		err := f()
		if err == nil || ctx.Err() != nil || n == attempts || lasting(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// lasting reports whether to try again is of no use.
func lasting(err error) bool {
	for _, final := range []error{store.ErrNotFound, store.ErrBlocked, store.ErrArchived, store.ErrInvalid} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// together calls f for each of n things, at most limit at once, and waits. It
// begins nothing new once one has failed, and returns the first error.
func together(ctx context.Context, n, limit int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, limit) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
