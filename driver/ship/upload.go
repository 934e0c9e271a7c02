package ship

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/internal/wake"
)

// uploads is how many puts are under way at once while the store answers.
const uploads = 4

// uploader is the loop that keeps puts under way. Its goroutine owns it.
type uploader struct {
	*Shipper
	queue   queue
	out     outage    // of the store
	busy    int       // puts under way
	skewed  time.Time // when the store refused first because of the clocks, since it took something last
	results chan result
}

type result struct {
	job  *job
	from time.Time
	took time.Duration
	err  error
}

// upload puts packed segments until ctx ends, urgent ones first.
func (s *Shipper) upload(ctx context.Context) {
	u := &uploader{Shipper: s, results: make(chan result)}
	s.refresh(&u.queue, spool.Packed)
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
		case <-s.putAgain:
			u.out.notBefore = time.Time{}
			u.queue.hurry()
		case <-s.packed:
			for _, j := range s.takeOver() {
				u.queue.addReleased(j.seg, j.urgent, j.lost)
			}
		case <-until(u.dispatch(ctx)):
			s.refresh(&u.queue, spool.Packed)
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
		u.busy++
		go func() {
			err := u.put(ctx, j)
			u.results <- result{j, now, time.Since(now), err}
		}()
	}
}

// settle takes a put's outcome into account.
func (u *uploader) settle(r result) {
	j := r.job
	log := u.cfg.Log.With("segment", j.seg.Path())
	if r.err == nil {
		if u.out.failures > 0 {
			log.Info("the store answers again", "failures", u.out.failures)
		}
		u.out, u.skewed = outage{}, time.Time{}
		u.queue.done(j)
		u.moved()
		wake.Up(u.closed)
		u.count(ResultOK, j.object.Size)
		u.grown(j.seg, j.object.Meta)
		if u.cfg.Shipped != nil {
			u.cfg.Shipped(*j.object)
		}
		log.Info("segment uploaded", "took", r.took.Round(time.Millisecond), "attempt", j.attempts+1,
			"key", j.object.Meta.Key, "container", j.object.Meta.Stream.Name)
		return
	}
	if u.cfg.Spool.Gone(j.seg) {
		if j.object == nil { // else it is in the store
			u.lostIfGone(j)
		}
		u.queue.done(j)
		wake.Up(u.closed)
		return
	}
	now := time.Now()
	u.queue.retry(j, now, u.pace)
	if errors.Is(r.err, spool.ErrHeld) {
		return // somebody gives it up, or cannot
	}
	u.failed(r.err)
	if local(r.err) {
		u.count(ResultLocal, 0)
		// The store is well; this segment waits for itself alone.
		log.Error("upload failed; will try again", "attempt", j.attempts, "err", r.err)
		return
	}
	pause := u.out.failed(now, u.pace)
	if u.clockWasSet(&r, now) {
		u.count(ResultFailed, 0)
		log.Warn("the store refuses because its clock and this machine's differ; the next attempt goes by "+
			"the store's clock",
			"next", pause.Round(time.Millisecond), "err", r.err)
		return
	}
	u.refused(r.err)
	log = log.With("attempt", j.attempts, "next", pause.Round(time.Millisecond), "err", r.err)
	if errors.Is(r.err, store.ErrBlocked) {
		u.count(ResultBlocked, 0)
		log.Error("uploads are blocked until somebody changes something; the segments wait in the spool, and go " +
			"without a restart once it is right")
		return
	}
	u.count(ResultFailed, 0)
	log.Warn("upload failed; will try again")
}

// clockWasSet reports whether a refusal only tells that a clock was set: it is about
// the clocks, and no attempt that began after the first such refusal had it as well.
func (u *uploader) clockWasSet(r *result, now time.Time) bool {
	if !store.ClockSkew(r.err) {
		return false
	}
	if u.skewed.IsZero() {
		u.skewed = now
	}
	return !r.from.After(u.skewed)
}

// errLocal marks a failure that says nothing about the store.
var errLocal = errors.New("in the spool")

func inSpool(err error) error { return fmt.Errorf("%w: %w", errLocal, err) }

func local(err error) bool {
	for _, own := range []error{errLocal, store.ErrInvalid, store.ErrExists} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// put puts one packed segment and marks it uploaded. The same object results
// however often it is repeated.
//
//	put the object            killed here: put again, which changes nothing
//	Spool.Uploaded
//
// and if another object has the key, once for each key that is taken:
//
//	write Meta with another   killed here: put under that key
//	put the object            killed here: put again, which changes nothing
//	Spool.Uploaded
//
// Meanwhile the segment is held: for want of room, somebody could put another
// text in its place.
func (s *Shipper) put(ctx context.Context, j *job) error {
	release, ok := s.cfg.Spool.Hold(j.seg)
	if !ok {
		return inSpool(spool.ErrHeld)
	}
	defer release()
	if j.object == nil {
		m, size, err := s.putSegment(ctx, j.seg)
		if err != nil {
			return err
		}
		// Kept: a disk that refuses the mark costs no second put.
		j.object = &Shipped{Segment: j.seg, Meta: m, Size: size, At: time.Now()}
	}
	if err := s.cfg.Spool.Uploaded(j.seg); err != nil {
		return inSpool(err)
	}
	return nil
}

func (s *Shipper) putSegment(ctx context.Context, seg spool.Segment) (*spool.Meta, int64, error) {
	f, err := s.cfg.Spool.OpenSegment(seg)
	if err != nil {
		return nil, 0, inSpool(err)
	}
	defer f.Close()
	m, err := s.meta(seg, f)
	if err != nil {
		return nil, 0, inSpool(err)
	}
	attrs := store.Attributes{ContentType: "application/gzip", Metadata: m.Metadata()}
	if attrs.Size, attrs.SHA256, err = digest(f); err != nil {
		return nil, 0, inSpool(fmt.Errorf("read %s: %w", seg.Path(), err))
	}
	if sum := hex.EncodeToString(attrs.SHA256[:]); m.SHA256Object != sum {
		return nil, 0, inSpool(fmt.Errorf("%s was changed since it was packed: it has %d bytes with the "+
			"SHA-256 %s, not %s. "+
			"It stays where it is and is not uploaded: put the right file there, or save what zcat still reads of it "+
			"and move it out of the spool",
			seg.Path(), attrs.Size, sum, m.SHA256Object))
	}
	for tried := 1; ; tried++ {
		err = s.putObject(ctx, m.Key, f, attrs)
		if !errors.Is(err, store.ErrExists) || tried == keysTried {
			return m, attrs.Size, err
		}
		// Another object has our key. It stays, ours gets another key, which
		// is on disk before it is used.
		taken := m.Key
		m.Key = spool.KeyBeside(m)
		if err := s.cfg.Spool.SaveMeta(seg, m); err != nil {
			return nil, 0, inSpool(err)
		}
		s.logTaken(seg, m, taken, err)
	}
}

// meta reads the segment's Meta, or makes it anew from the packed file f. It
// leaves f at its start.
func (s *Shipper) meta(seg spool.Segment, f *os.File) (*spool.Meta, error) {
	m, err := s.cfg.Spool.Meta(seg)
	if err == nil && m.SHA256Object == "" {
		err = fmt.Errorf("%s: %w: no sum of the packed file", seg.Path(), spool.ErrNoMeta)
	}
	if !errors.Is(err, spool.ErrNoMeta) {
		return m, err
	}
	s.cfg.Log.Error("a segment's description is made anew from its text", "segment", seg.Path(), "err", err)
	_, sum, err := digest(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", seg.Path(), err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := pack.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", seg.Path(), err)
	}
	if m, err = s.cfg.Spool.Restore(seg, text, sum); err != nil {
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return m, err
}

// putObject is one attempt, with its deadline.
func (s *Shipper) putObject(ctx context.Context, key string, f *os.File, attrs store.Attributes) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return inSpool(err)
	}
	deadline := s.pace.attemptTime(attrs.Size)
	attempt, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err := s.cfg.Store.Put(attempt, key, f, attrs)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("given up after %v for %d bytes: %w", deadline, attrs.Size, err)
	}
	return err
}

func digest(f *os.File) (size int64, sum [sha256.Size]byte, err error) {
	h := sha256.New()
	size, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return size, sum, err
}
