package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/capture/events"
	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/detect"
)

// stream is one container's way from its FIFO to its segment. Its run
// goroutine owns every field that is not said to be another's.
type stream struct {
	driver *Driver
	entry  journal.Entry   // in the registry; never changes
	path   string          // of the FIFO; never changes
	dir    string          // of desc; never changes
	desc   spool.Stream    // never changes
	opts   options.Options // never changes
	since  time.Time       // when this process took it up; never changes

	unknown  bool            // its container is not known, see unknownName; never changes
	detector detect.Detector // of opts; never changes
	costly   bool            // the detector has expressions that people have set; never changes
	share    share           // of the lane

	fifo    *fifo.Reader
	text    *record.Writer
	joiner  [2]detect.Joiner // by record.Stream
	limit   int64            // of a segment's text, bytes
	seen    int              // bytes at the FIFO's head that are no whole frame yet
	taken   int              // bytes at the FIFO's head that are written but not consumed
	latest  int64            // time of the record decoded last, nanoseconds since 1970
	cursor  *journal.Cursor
	broken  trouble
	missing *missing // lines that were discarded and have no mark yet; nil: none
	moved   meter    // has its own lock
	counts  counts   // anybody may read

	sealAgain     time.Time // when a seal that was postponed is due again
	saidPostponed time.Time // when that was logged last

	saidLost  time.Time         // when losses were logged last
	saidPanic time.Time         // when a panic of the detector was logged last
	first     events.FirstError // of the batch, where that has errors

	dirty  atomic.Bool   // is in the syncer's list, or being synced
	hurry  atomic.Bool   // an error came since its last sync began
	detach atomic.Bool   // the container goes on: another life will read the FIFO
	done   chan struct{} // closed when run returns

	handOver atomic.Bool // another stream of this process will read the FIFO

	writer *spool.Writer // has its own lock
}

// newStream opens the FIFO and registers the stream, with the registry's add or,
// where it is registered already, known. The stream's writer is left to the caller.
func newStream(d *Driver, e *journal.Entry, register func(*journal.Entry) (*journal.Cursor, error)) (*stream, error) {
	r, err := fifo.Open(d.poller, e.FIFO)
	if err != nil {
		return nil, err
	}
	s, err := openStream(d, e, r, register)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}

// openStream is newStream with a FIFO that is open, and stays so on an error.
func openStream(d *Driver, e *journal.Entry, r *fifo.Reader, register func(*journal.Entry) (*journal.Cursor, error)) (*stream, error) {
	path, desc, opts := e.FIFO, e.Stream, e.Options
	detector, err := detect.New(opts.Detect)
	if err != nil {
		return nil, err
	}
	cursor, err := register(e)
	if err != nil {
		return nil, err
	}
	return &stream{
		driver: d, entry: *e, path: path, dir: desc.Dir(), desc: desc, unknown: e.Unknown, opts: opts,
		since: time.Now(), detector: detector, costly: detect.Costly(detector),
		fifo: r, cursor: cursor, limit: sizeLimit(opts.MaxSize, d.cfg.Spool.Budget()),
		text: record.NewWriter(opts.Format, desc.Host, desc.App, desc.ShortID()),
		done: make(chan struct{}), counts: counts{container: desc.Dir(), recent: &d.losses},
	}, nil
}

// resume takes up where a process that was killed, or stopped, left off. The
// batch that it wrote last may still be at the FIFO's head:
//
//	killed before the write, or within it   the text goes, the frames come again
//	killed before consuming                 the text stays, the frames go
//	killed after consuming                  the frames at the head are others
func (s *stream) resume() error {
	if lost, err := s.cursor.Missing(); err != nil {
		s.driver.cfg.Log.Error("resume: lines were lost, and it is not known how many", "container", s.desc.Name, "err", err)
	} else if lost != nil {
		s.missing = &missing{*lost}
	}
	last, ok, err := s.cursor.Get()
	if err != nil {
		s.driver.cfg.Log.Error("resume: lines may be doubled", "container", s.desc.Name, "err", err)
	}
	w := s.driver.pool.get()
	defer s.driver.pool.put(w)
	head, err := s.fifo.Peek(w.peeked, 0)
	if err != nil && !errors.Is(err, fifo.ErrEmpty) && !errors.Is(err, io.EOF) {
		return err
	}
	if done, err := s.recognise(w, head, last); err != nil {
		return err
	} else if done > 0 {
		if err := s.fifo.Consume(w.peeked, done); err != nil {
			return err
		}
		head, last = head[done:], journal.Intent{Began: last.Began}
	}
	began := last.Began
	if !ok || !last.At(head) {
		last = journal.Intent{}
	}
	written, err := s.writer.Resume(began, last.Offset, last.Text)
	if err != nil {
		return err
	}
	switch {
	case !written:
		// What is in doubt is known now. Killed before this, it is found out
		// again; later, another stream's text may stand where the batch was to be.
		if last.Offset == 0 {
			began = 0
		}
		if err := s.cursor.Set(journal.Intent{Began: began, Offset: last.Offset}); err != nil {
			return err
		}
	case last.Frames > 0:
		if err := s.fifo.Consume(w.peeked, int(last.Frames)); err != nil {
			return err
		}
	}
	s.first.Forget()
	s.writer.Rejoin(s.event) // its event was open, or nobody knew of it
	s.driver.wakeUp()
	return nil
}

// event notes an error in the fast track, as a spool.Batch wants it.
func (s *stream) event(current string) string {
	return s.driver.events.Note(&s.opts, &s.desc, current, &s.first)
}

// recognise returns how many bytes at the FIFO's head, whole frames, are the end
// of the active segment's text already, where the cursor cannot know that: the
// file is longer than all that it tells of. So it is after a disk has failed that
// kept the text and lost the cursor. Records bear nanoseconds, but raw ones none.
func (s *stream) recognise(w *workspace, head []byte, last journal.Intent) (int, error) {
	if s.opts.Format == record.Raw || len(head) == 0 {
		return 0, nil
	}
	tail, err := s.writer.Tail(keepText, last.Offset+last.Text)
	if tail == nil || err != nil {
		return 0, err
	}
	type boundary struct{ frames, text int }
	var ends []boundary
	var e frame.Entry
	w.reset()
	for done := 0; ; {
		n, err := frame.Decode(head[done:], &e)
		from, known := record.ParseStream(e.Source)
		if err != nil || !known {
			break
		}
		done += n
		w.add(s.text, &record.Record{Time: e.TimeNano, Stream: from, More: e.More(), Text: e.Line})
		ends = append(ends, boundary{done, len(w.batch.Text)})
	}
	for _, end := range slices.Backward(ends) {
		if bytes.HasSuffix(tail, w.batch.Text[:end.text]) {
			s.driver.cfg.Log.Info("resume: the last lines are written already, says their text", "container", s.desc.Name, "bytes", end.text)
			return end.frames, nil
		}
	}
	return 0, nil
}

// abandon closes what a stream has that will not run, but for the FIFO.
func (s *stream) abandon() error {
	_, err := s.writer.Close()
	return errors.Join(err, s.cursor.Close())
}

// interrupt makes run drain the FIFO and return. It may be called repeatedly.
func (s *stream) interrupt() { s.fifo.Interrupt() }

// retry is how long a stream waits after its disk refused a batch. The bytes
// stay in the FIFO meanwhile; when that is full, the container waits.
const retry = time.Second

// drainRetry is the same for a stream that was stopped.
const drainRetry = 100 * time.Millisecond

// run reads until it is interrupted or dockerd has closed the FIFO, then
// drains what is left and seals. A stream that another life will take up is not
// drained: its container may write faster than an end would come.
func (s *stream) run() {
	defer close(s.done)
	log := s.driver.cfg.Log.With("container", s.desc.Name, "id", s.desc.ShortID())
	err := s.capture()
	if errors.Is(err, errStopped) && !s.detach.Load() && !s.handOver.Load() {
		err = s.drain()
	}
	switch {
	case errors.Is(err, io.EOF):
		// dockerd is gone, or left the FIFO behind. Nobody will open it again.
		if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			log.Error("remove an old FIFO", "err", err)
		}
	case err != nil && !errors.Is(err, errStopped):
		log.Error("stream ends with lines left in its FIFO", "err", err)
	}
	s.finish()
	log.Info("stream stopped", "lines", s.counts.lines.Load(), "bytes_no_frame", s.counts.lost[0].bytes.Load())
}

// finish seals what the stream wrote and closes it.
func (s *stream) finish() {
	for i := range s.joiner { // a last line without a newline
		line := s.joiner[i].Rest()
		if m, found, _ := s.detect(line); found {
			s.first.Set(&record.Record{Time: s.latest, Stream: record.Stream(i)}, line, &m)
			s.writer.AddError(s.event)
			s.counts.errors.Add(1)
		}
	}
	path, err := s.writer.Close()
	s.driver.sealed(s.desc.Name, path, err)
	if err != nil && !s.detach.Load() {
		s.driver.leave(s.desc)
	}
	if s.missing != nil {
		s.driver.cfg.Log.Error("lines were lost, and no line could be written that says so", "container", s.desc.Name,
			"lines", s.missing.Lines, "bytes", s.missing.Bytes, "from", s.missing.From, "to", s.missing.To)
	}
	s.driver.endRegistration(s)
	err = errors.Join(s.moved.close(s.fifo), s.cursor.Close())
	if !s.detach.Load() {
		err = errors.Join(err, s.driver.journal.Remove(s.path))
	}
	if err != nil {
		s.driver.cfg.Log.Error("close stream", "container", s.desc.Name, "err", err)
	}
	s.driver.forget(s)
}

// capture moves batches until the stream is stopped (errStopped) or its FIFO
// has ended (io.EOF).
func (s *stream) capture() error {
	pace, err := newPace(s.fifo, &s.driver.enlarged)
	if err != nil {
		return err
	}
	defer pace.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for pause := time.Duration(0); ; {
		if err := s.await(&pace, pause, timer); err != nil {
			return err
		}
		n, err := s.batch()
		if err == nil || errors.Is(err, fifo.ErrEmpty) {
			pause = pace.next(n, time.Now())
			continue
		}
		if errors.Is(err, io.EOF) || errors.Is(err, errStopped) {
			return err
		}
		s.broken.report(s, err)
		pause = retry
	}
}

// await waits until it is time for the next batch: for the pause where there is
// one, for new bytes otherwise. errStopped where the stream was stopped first.
func (s *stream) await(p *pace, pause time.Duration, timer *time.Timer) error {
	if pause > 0 {
		timer.Reset(pause)
		select {
		case <-timer.C:
			return nil
		case <-s.fifo.Interrupted():
			return errStopped
		}
	}
	ready, err := false, error(nil)
	if p.enlarged() {
		timer.Reset(shrinkAfter)
		if ready, err = s.fifo.Wait(s.seen, timer.C); !ready && err == nil {
			p.shrink()
		}
	}
	if !ready && err == nil {
		_, err = s.fifo.Wait(s.seen, nil)
	}
	if errors.Is(err, fifo.ErrInterrupted) {
		return errStopped
	}
	return err
}

// drain moves what is left in the FIFO. Docker has been answered by then if
// that takes longer than stopWait: the bytes stay in the pipe as long as this
// stream holds it open, so a disk that refuses is tried until it takes them, or
// until logfast itself stops.
func (s *stream) drain() error {
	for {
		_, err := s.batch()
		switch {
		case err == nil:
		case errors.Is(err, fifo.ErrEmpty) && s.seen == 0, errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, fifo.ErrEmpty):
			return s.giveUpTorn()
		case errors.Is(err, errStopped):
			return err
		default:
			s.broken.report(s, err)
			select {
			case <-s.driver.closing:
				return err
			case <-time.After(drainRetry):
			}
		}
	}
}

// batch moves the whole frames that are in the FIFO now: peek, write, consume.
// It returns how many bytes it took, fifo.ErrEmpty where there was no whole
// frame, and io.EOF where there will be none. Killed between write and consume,
// it leaves the frames in the FIFO though they are in the segment as well;
// resume tells by the cursor.
func (s *stream) batch() (int, error) {
	w := s.workspace()
	defer s.driver.pool.put(w)
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
		if s.driver.cfg.OnFull == options.OnFullDrop && !passes(err) && s.broken.lasts(s.driver.dropAfter) {
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
		return s.driver.pool.getCostly()
	}
	return s.driver.pool.get()
}

// detect judges one line, in the lane if that may take long. It reports whether the
// line was judged: it is not if logfast stops first.
func (s *stream) detect(line []byte) (m detect.Match, found, judged bool) {
	if s.costly {
		if !s.driver.lane.enter(&s.share, detect.Work(s.detector, len(line)), s.driver.closing) {
			return m, false, false
		}
		defer s.driver.lane.leave(&s.share)
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
		s.driver.cfg.Log.Error("detection failed on a line, which is written and not taken for an error; report this as a defect of logfast",
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
			if err := s.driver.sealWithRoom(s, spool.Schedule); spool.Full(err) && s.writer.Postpone() {
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
		s.driver.wakeUp()
	}
	if s.opts.Fsync == options.FsyncInterval {
		s.driver.syncer.dirty(s, b.Errors > 0)
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
	w := s.driver.pool.get()
	defer s.driver.pool.put(w)
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
		s.driver.cfg.Log.Error("bytes in the FIFO were no log frame; a line in their place says so", "container", s.desc.Name, "bytes", n, "bytes_so_far", s.counts.lost[0].bytes.Load()+w.garbage)
	}
	lost := record.Lost{Bytes: int64(n), Reason: notAFrame, From: from, To: now}
	w.add(s.text, &record.Record{Time: from.UnixNano(), Stream: record.Stderr, Text: lost.Text()})
}
