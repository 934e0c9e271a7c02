package ship

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/logfast/logfast/driver/segment"
)

// level is where klauspost's gzip stops to gain on log lines.
const level = 3

// compress writes src to dst as gzip. The header has no time and no name, so
// the same text gives the same bytes.
func compress(dst io.Writer, src io.Reader) error {
	z, err := gzip.NewWriterLevel(dst, level)
	if err != nil {
		return err
	}
	z.ModTime = time.Unix(0, 0) // "no time"; its zero value would be written as one in 2042
	_, err = io.Copy(z, src)
	return errors.Join(err, z.Close())
}

// interruptible makes a long read end with ctx.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// pack packs one segment after another until ctx ends, whether or not the
// store can be reached: packed segments take less of the disk.
func (s *Shipper) pack(ctx context.Context) {
	var q queue
	var out outage // of the disk: it is full, as a rule
	s.refresh(&q, segment.Sealed)
	for {
		var j *job
		now, wait := time.Now(), out.notBefore
		if !wait.After(now) {
			j, wait = q.next(now, out.failures > 0)
		}
		if j == nil {
			select {
			case <-ctx.Done():
				return
			case <-s.sealed:
			case <-until(wait):
			}
			s.refresh(&q, segment.Sealed)
			continue
		}
		seg, err := s.cfg.Spool.Pack(j.seg, func(dst io.Writer, src io.Reader) error {
			return compress(dst, interruptible{ctx, src})
		})
		if ctx.Err() != nil {
			return
		}
		if packed := asPacked(j.seg); err != nil && !s.cfg.Spool.Exists(j.seg) && s.cfg.Spool.Exists(packed) {
			seg, err = packed, nil // only the removal of its text failed, and did not
		}
		if err != nil && !s.cfg.Spool.Exists(j.seg) {
			s.cfg.Log.Warn("segment is gone; somebody removed it", "segment", j.seg.Path(), "err", err)
			q.done(j)
			continue
		}
		if errors.Is(err, segment.ErrHeld) {
			q.retry(j, time.Now(), s.pace) // somebody gives it up, or cannot
			continue
		}
		if err != nil {
			s.failed(err)
			now := time.Now()
			q.retry(j, now, s.pace)
			pause := out.failed(now, s.pace)
			s.cfg.Log.Error("pack failed; will try again", "segment", j.seg.Path(), "attempt", j.attempts, "next", pause.Round(time.Millisecond), "err", err)
			continue
		}
		out = outage{}
		q.done(j)
		s.handOver(&job{seg: seg, urgent: j.urgent})
		select {
		case <-s.sealed: // what was sealed meanwhile may be urgent
			s.refresh(&q, segment.Sealed)
		default:
		}
	}
}

func asPacked(seg segment.Segment) segment.Segment {
	seg.Name.State = segment.Packed
	return seg
}

// handOver gives a packed segment to the uploader, which need not search the
// spool for it.
func (s *Shipper) handOver(j *job) {
	s.mu.Lock()
	s.handover = append(s.handover, j)
	s.mu.Unlock()
	notify(s.packed)
}

func (s *Shipper) takeOver() []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.handover
	s.handover = nil
	return taken
}
