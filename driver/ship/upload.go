package ship

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/object"
	"github.com/logfast/logfast/driver/segment"
)

// uploads is how many puts are under way at once while the store answers.
const uploads = 4

// outage is what the uploader knows of the store's health. Its zero value is
// health. After a failure one put at a time is tried, with growing pauses,
// until one succeeds.
type outage struct {
	failures  int
	notBefore time.Time
}

// uploader is the loop that keeps puts under way. Its goroutine owns it.
type uploader struct {
	*Shipper
	queue   queue
	out     outage
	busy    int // puts under way
	results chan result
}

type result struct {
	job  *job
	took time.Duration
	err  error
}

// upload puts packed segments until ctx ends, urgent ones first.
func (s *Shipper) upload(ctx context.Context) {
	u := &uploader{Shipper: s, results: make(chan result)}
	s.refresh(&u.queue, segment.Packed)
	for {
		select {
		case <-ctx.Done():
			for ; u.busy > 0; u.busy-- {
				<-u.results // each put ends with ctx; the next life tries again
			}
			return
		case r := <-u.results:
			u.busy--
			u.settle(r)
		case <-s.packed:
			s.refresh(&u.queue, segment.Packed)
		case <-until(u.dispatch(ctx)):
			s.refresh(&u.queue, segment.Packed)
		}
	}
}

// dispatch starts as many puts as may be under way and returns when there may
// be another to start, zero where only a result or a segment can bring one.
func (u *uploader) dispatch(ctx context.Context) time.Time {
	for {
		limit := uploads
		if u.out.failures > 0 {
			limit = 1
		}
		now := time.Now()
		switch {
		case u.busy >= limit:
			return time.Time{}
		case u.out.notBefore.After(now):
			return u.out.notBefore
		}
		j, at := u.queue.next(now, u.out.failures > 0)
		if j == nil {
			return at
		}
		j.busy = true
		u.busy++
		go func() {
			err := u.put(ctx, j.seg)
			u.results <- result{j, time.Since(now), err}
		}()
	}
}

// settle takes a put's outcome into account.
func (u *uploader) settle(r result) {
	j := r.job
	j.busy = false
	log := u.cfg.Log.With("segment", j.seg.Path())
	if r.err == nil {
		if u.out.failures > 0 {
			log.Info("the store answers again", "failures", u.out.failures)
		}
		u.out = outage{}
		u.queue.done(j)
		log.Info("segment uploaded", "took", r.took.Round(time.Millisecond), "attempt", j.attempts+1)
		return
	}
	now := time.Now()
	j.failed(now)
	if errors.Is(r.err, errLocal) || errors.Is(r.err, object.ErrInvalid) {
		// The store is well; this segment waits for itself alone.
		log.Error("upload failed; will try again", "attempt", j.attempts, "err", r.err)
		return
	}
	u.out.failures++
	pause := backoff(u.out.failures)
	u.out.notBefore = now.Add(pause)
	log = log.With("attempt", j.attempts, "next", pause.Round(time.Millisecond), "err", r.err)
	if errors.Is(r.err, object.ErrBlocked) {
		log.Error("uploads are blocked until somebody changes something; the segments wait in the spool")
		return
	}
	log.Warn("upload failed; will try again")
}

// errLocal marks a failure that says nothing about the store.
var errLocal = errors.New("in the spool")

// attemptTime is how long one put may take: what a slow line needs, and no
// more, so that a connection that died silently is given up.
func attemptTime(size int64) time.Duration {
	const slowest = 128 << 10 // bytes a second
	return time.Minute + time.Duration(size/slowest)*time.Second
}

// put puts one packed segment and marks it uploaded. The same object results
// however often it is repeated.
func (s *Shipper) put(ctx context.Context, seg segment.Segment) error {
	m, err := s.cfg.Spool.Meta(seg)
	if err != nil {
		return errors.Join(errLocal, err)
	}
	f, err := s.cfg.Spool.OpenSegment(seg)
	if err != nil {
		return errors.Join(errLocal, err)
	}
	defer f.Close()
	attrs := object.Attributes{ContentType: "application/gzip", Metadata: m.Metadata()}
	if attrs.Size, attrs.SHA256, err = digest(f); err != nil {
		return errors.Join(errLocal, fmt.Errorf("read %s: %w", seg.Path(), err))
	}
	err = s.putObject(ctx, m.Key, f, attrs)
	if errors.Is(err, object.ErrExists) {
		// Somebody else's object has our key. It stays, ours gets another,
		// which is on disk before it is used.
		s.cfg.Log.Error("a foreign object has the segment's key; taking another", "segment", seg.Path(), "key", m.Key)
		m.Key = otherKey(m)
		if err := s.cfg.Spool.SaveMeta(seg, m); err != nil {
			return errors.Join(errLocal, err)
		}
		err = s.putObject(ctx, m.Key, f, attrs)
	}
	if err != nil {
		return err
	}
	if err := s.cfg.Spool.Uploaded(seg); err != nil {
		return errors.Join(errLocal, err)
	}
	return nil
}

func (s *Shipper) putObject(ctx context.Context, key string, f *os.File, attrs object.Attributes) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return errors.Join(errLocal, err)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime(attrs.Size))
	defer cancel()
	return s.cfg.Store.Put(ctx, key, f, attrs)
}

func digest(f *os.File) (size int64, sum [sha256.Size]byte, err error) {
	h := sha256.New()
	size, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return size, sum, err
}

// otherKey puts the container, the number and the text's sum into the name,
// before its extensions, so that no two segments can share it.
func otherKey(m *segment.Meta) string {
	dir, base := path.Split(m.Key)
	name, ext, dotted := strings.Cut(base, ".log")
	if dotted {
		ext = ".log" + ext
	}
	return fmt.Sprintf("%s%s-%s-%06d-%.16s%s", dir, name, segment.FileName(m.Stream.ShortID()), m.Seq, m.SHA256, ext)
}
