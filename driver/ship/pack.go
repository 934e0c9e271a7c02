package ship

import (
	"context"
	"errors"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/segment"
)

// level is where klauspost's gzip stops to gain much on access logs with
// varied lines: about a twentieth larger than gzip -9, in a tenth of its time
// (docs/performance.md).
const level = 6

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

// niceness is how far packing stands back where the processors are busy: such
// a thread gets about a tenth of what another one gets, so that capture and the
// host's own work hardly notice it. On an idle machine it is not slower.
const niceness = 10

// politely runs f on a thread of its own that stands back, and waits for it.
// The thread ends with f: it could not become as important as others again.
func politely(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		// Where the kernel refuses, f is as important as all else.
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness)
		f()
	}()
	<-done
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
			case <-s.packAgain:
				out = outage{}
				q.hurry()
			case <-until(wait):
			}
			s.refresh(&q, segment.Sealed)
			continue
		}
		seg, err := s.packOne(ctx, j)
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

// packOne packs one segment, at once where it is urgent.
func (s *Shipper) packOne(ctx context.Context, j *job) (seg segment.Segment, err error) {
	pack := func() {
		seg, err = s.cfg.Spool.Pack(j.seg, func(dst io.Writer, src io.Reader) error {
			return compress(dst, interruptible{ctx, src})
		})
	}
	if j.urgent {
		pack()
	} else {
		politely(pack)
	}
	return seg, err
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
