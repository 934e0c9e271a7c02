package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/detect"
)

// batch moves the whole frames that are in the FIFO now: peek, write, consume.
// It returns how many bytes it took, fifo.ErrEmpty where there was no whole
// frame, and io.EOF where there will be none. Killed between write and consume,
// it leaves the frames in the FIFO though they are in the segment as well;
// resume tells by the cursor.
func (s *stream) batch() (int, error) {
	w := s.workspace()
	defer s.pool.put(w)
	if err := s.consume(w, 0); err != nil {
		return 0, err
	}
	data, err := s.fifo.Peek(w.peeked, s.seen)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		if err := s.lose(w, data); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	if err != nil {
		return 0, err
	}
	if err := s.move(w, data); errors.Is(err, errStopped) {
		return 0, err
	} else if err != nil {
		// The frames will come again. A long line that they continue is
		// detected by its end alone then.
		s.joiner = [2]detect.Joiner{}
		s.broken.report(s, err)
		if s.onFull == options.OnFullDrop && !passes(err) && s.broken.lasts(s.dropAfter) {
			s.writer.Abandon() // if its file is gone, and the disk takes no copy
			return s.discard(w, err)
		}
		return 0, err
	}
	return len(data), nil
}

// workspace borrows what a batch needs.
func (s *stream) workspace() *workspace {
	if s.costly {
		return s.pool.getCostly()
	}
	return s.pool.get()
}

// detect judges one line, in the lane if that may take long. It reports whether the
// line was judged: it is not if logfast stops first.
func (s *stream) detect(line []byte) (m detect.Match, found, judged bool) {
	if s.costly {
		if !s.lane.enter(&s.share, detect.Work(s.detector, len(line)), s.closing) {
			return m, false, false
		}
		defer s.lane.leave(&s.share)
	}
	defer s.survive(&m, &found)
	judged = true
	m, found = s.detector.Detect(line)
	return m, found, judged
}

// survive takes a line for none that reports an error if the detector panics on it.
// The line is written all the same, and the streams of others go on.
func (s *stream) survive(m *detect.Match, found *bool) {
	p := recover()
	if p == nil {
		return
	}
	*m, *found = detect.Match{}, false
	if now := time.Now(); now.Sub(s.saidPanic) >= repeatTrouble {
		s.saidPanic = now
		s.log.Error("detection failed on a line, which is written and not taken for an error; report this as a "+
			"defect of logfast",
			"container", s.desc.Name, "panic", p, "stack", string(debug.Stack()))
	}
}

// move writes and consumes the whole frames in data.
func (s *stream) move(w *workspace, data []byte) error {
	w.reset()
	if s.missing != nil {
		w.add(s.text, s.missing.mark())
	}
	done := 0    // bytes of data that w.text covers
	garbage := 0 // bytes before done that were no frames and have no mark yet
	var e frame.Entry
	var rec record.Record
	for {
		n, err := frame.Decode(data[done:], &e)
		known := false
		if err == nil {
			rec.Stream, known = record.ParseStream(e.Source)
		}
		if err != nil && !errors.Is(err, frame.ErrIncomplete) || err == nil && !known {
			skip := frame.Resync(data[done:])
			garbage += skip
			done += skip
			continue
		}
		if garbage > 0 {
			s.appendMark(w, garbage)
			garbage = 0
		}
		if err != nil {
			if err := s.flush(w, data[:done]); err != nil {
				return err
			}
			s.seen = len(data) - done
			return nil
		}
		rec.Time, rec.More, rec.Text = e.TimeNano, e.More(), e.Line
		s.latest = rec.Time
		divides := s.divides(w, &e) && !s.sealPostponed()
		if divides || int64(len(w.batch.Text)+len(rec.Text)) > s.limit {
			if err := s.flush(w, data[:done]); err != nil {
				return err
			}
			data, done = data[done:], 0
		}
		if divides {
			if err := s.owner.seal(s, spool.Schedule); spool.Full(err) && s.writer.Postpone() {
				s.postponeSeal(err)
			} else if err != nil {
				return err
			}
		}
		if line, ok := s.joiner[rec.Stream].Add(rec.Text, rec.More); ok {
			m, found, judged := s.detect(line)
			if !judged {
				return errors.Join(s.flush(w, data[:done]), errStopped) // the next process takes the rest
			}
			if found {
				if w.batch.Errors++; w.batch.Errors == 1 {
					s.first.Set(&rec, line, &m)
				}
				w.batch.LastError = max(w.batch.LastError, rec.Time)
			}
		}
		w.add(s.text, &rec)
		done += n
	}
}

// A clock that was set back by more than stepBack, or to an earlier day, begins a
// new segment. Less is a record that comes late: Docker stamps a line before it
// waits for the FIFO.
const (
	stepBack    = time.Hour
	lateAllowed = time.Minute // after midnight
)

// divides reports whether a record must not go into the active segment: that began
// on an earlier UTC day, or the clock was set back since. A record that comes late,
// after one of the next day, stays with that, and so does one without a time. All
// chunks of a line have the time of its first: those that follow are no step back.
func (s *stream) divides(w *workspace, e *frame.Entry) bool {
	nano := e.TimeNano
	if !w.asked {
		w.asked = true
		first, last := s.writer.Times()
		switch {
		case !first.IsZero():
			w.began, w.latest = first.UnixNano(), last.UnixNano()
		case len(w.batch.Text) > 0: // a mark of loss
			w.began, w.latest = w.batch.First, w.batch.Last
		default:
			w.began, w.latest = nano, nano
		}
	}
	w.latest = max(w.latest, nano)
	switch day := dayOf(w.began); {
	case dayOf(nano) > max(day, w.day):
		return true
	case nano <= 0, e.Partial && e.Ordinal > 1:
		return false
	default:
		return w.latest-nano > int64(stepBack) || w.began-nano > int64(lateAllowed) && dayOf(nano) < day
	}
}

// dayOf counts UTC days since 1970.
func dayOf(nano int64) int64 { return nano / (24 * int64(time.Hour)) }

// flush writes w's text and consumes the frames that it came from.
func (s *stream) flush(w *workspace, frames []byte) error {
	if len(w.batch.Text) > 0 {
		if err := s.write(&w.batch, frames); err != nil {
			return err
		}
		s.counts.wrote(w)
	}
	w.reset()
	return s.consume(w, len(frames))
}

// write appends the batch to the active segment, and notes first which bytes
// of the FIFO it is made of.
func (s *stream) write(b *spool.Batch, frames []byte) error {
	var noted journal.Intent
	b.Before = func(began, offset int64) error {
		noted = journal.Intent{
			Began: began, Offset: offset, Text: int64(len(b.Text)),
			Frames: int64(len(frames)), Sum: journal.Sum(frames),
		}
		return s.cursor.Set(noted)
	}
	b.Failed = func() error {
		// A segment that is sealed without the batch must not be taken for one
		// that was sealed with it.
		void := journal.Intent{Began: noted.Began, Offset: noted.Offset}
		if noted.Offset == 0 {
			void.Began = 0
		}
		if err := s.cursor.Set(void); !errors.Is(err, os.ErrClosed) {
			return err
		}
		return nil
	}
	b.Lines = int64(bytes.Count(b.Text, newline))
	b.Sync = s.opts.Fsync == options.FsyncAlways
	b.Event = s.event
	if err := s.append(b); err != nil {
		return err
	}
	s.broken.over(s)
	if s.missing != nil {
		s.marked()
	}
	if b.Errors > 0 {
		s.owner.wakeUp()
	}
	if s.opts.Fsync == options.FsyncInterval {
		s.syncer.dirty(s, b.Errors > 0)
	}
	return nil
}

var newline = []byte("\n")

// consume takes n bytes that are written out of the FIFO, after those that an
// earlier call could not take.
func (s *stream) consume(w *workspace, n int) error {
	s.taken += n
	if s.taken == 0 {
		return nil
	}
	if err := s.moved.consume(s.fifo, w.peeked, s.taken); err != nil {
		return err
	}
	s.taken, s.seen = 0, 0
	return nil
}

// giveUpTorn ends a stopped stream whose FIFO ends within a frame.
func (s *stream) giveUpTorn() error {
	w := s.pool.get()
	defer s.pool.put(w)
	torn, err := s.fifo.Peek(w.peeked, 0)
	if err != nil {
		return err
	}
	return s.lose(w, torn)
}

// lose writes that a torn frame at the FIFO's end is lost, and consumes it.
func (s *stream) lose(w *workspace, torn []byte) error {
	w.reset()
	s.appendMark(w, len(torn))
	return s.flush(w, torn)
}

// appendMark adds the line that stands for n bytes that were no frame.
func (s *stream) appendMark(w *workspace, n int) {
	now := time.Now()
	from := now
	if s.latest != 0 {
		from = time.Unix(0, s.latest)
	}
	w.resyncs++
	w.garbage += int64(n)
	if now.Sub(s.saidLost) >= repeatTrouble {
		s.saidLost = now
		s.log.Error("bytes in the FIFO were no log frame; a line in their place says so", "container", s.desc.Name,
			"bytes", n, "bytes_so_far", s.counts.lost[0].bytes.Load()+w.garbage)
	}
	lost := record.Lost{Bytes: int64(n), Reason: notAFrame, From: from, To: now}
	w.add(s.text, &record.Record{Time: from.UnixNano(), Stream: record.Stderr, Text: lost.Text()})
}
