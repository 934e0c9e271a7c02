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
	s.refresh(&q, segment.Sealed)
	for {
		j, at := q.next(time.Now(), false)
		if j == nil {
			select {
			case <-ctx.Done():
				return
			case <-s.sealed:
			case <-until(at):
			}
			s.refresh(&q, segment.Sealed)
			continue
		}
		_, err := s.cfg.Spool.Pack(j.seg, func(dst io.Writer, src io.Reader) error {
			return compress(dst, interruptible{ctx, src})
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			j.failed(time.Now())
			s.cfg.Log.Error("pack failed; will try again", "segment", j.seg.Path(), "attempt", j.attempts, "err", err)
			continue
		}
		q.done(j)
		notify(s.packed)
		select {
		case <-s.sealed: // what was sealed meanwhile may be urgent
			s.refresh(&q, segment.Sealed)
		default:
		}
	}
}
