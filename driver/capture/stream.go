package capture

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/capture/events"
	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/detect"
)

// stream is one container's way from its FIFO to its segment. Its run
// goroutine owns every field that is not said to be another's.
type stream struct {
	*shared
	owner owner
	entry journal.Entry   // in the registry; never changes
	path  string          // of the FIFO; never changes
	dir   string          // of desc; never changes
	desc  spool.Stream    // never changes
	opts  options.Options // never changes
	since time.Time       // when this process took it up; never changes

	unknown  bool            // its container is not known, see unknownName; never changes
	detector detect.Detector // of opts; never changes
	costly   bool            // the detector has expressions that people have set; never changes
	share    share           // of the lane
	turn     turnWait        // of turns

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
func openStream(
	d *Driver, e *journal.Entry, r *fifo.Reader, register func(*journal.Entry) (*journal.Cursor, error),
) (*stream, error) {
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
		shared: &d.shared, owner: d, entry: *e, path: path, dir: desc.Dir(), desc: desc, unknown: e.Unknown, opts: opts,
		since: time.Now(), detector: detector, costly: detect.Costly(detector),
		fifo: r, cursor: cursor, limit: sizeLimit(opts.MaxSize, d.cfg.Spool.Budget()),
		text: record.NewWriter(opts.Format, desc.Host, desc.App, desc.ShortID()),
		turn: turnWait{ready: make(chan struct{}, 1)},
		done: make(chan struct{}), counts: counts{container: desc.Dir(), recent: &d.losses},
	}, nil
}

// event notes an error in the fast track, as a spool.Batch wants it.
func (s *stream) event(current string) string {
	return s.events.Note(&s.opts, &s.desc, current, &s.first)
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
	log := s.log.With("container", s.desc.Name, "id", s.desc.ShortID())
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
	path, sealErr := s.writer.Close()
	s.owner.sealed(s.desc.Name, path, sealErr)
	if s.missing != nil {
		s.log.Error("lines were lost, and no line could be written that says so", "container", s.desc.Name,
			"lines", s.missing.Lines, "bytes", s.missing.Bytes, "from", s.missing.From, "to", s.missing.To)
	}
	if err := errors.Join(s.moved.close(s.fifo), s.cursor.Close()); err != nil {
		s.log.Error("close stream", "container", s.desc.Name, "err", err)
	}
	s.owner.ended(s, sealErr)
}

// sizeLimit bounds a segment's text so that no segment is a large part of the
// spool's budget, in bytes: what is given up for room goes segment by segment.
func sizeLimit(maxSize, budget int64) int64 {
	if budget == 0 {
		return maxSize
	}
	return min(maxSize, budget/8)
}

// capture moves batches until the stream is stopped (errStopped) or its FIFO
// has ended (io.EOF).
func (s *stream) capture() error {
	pace, err := newPace(s.fifo, &s.enlarged)
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
		if pause = 0; !s.sleep(retry, timer) {
			return errStopped
		}
	}
}

// sleep waits for d. It returns false if the stream was stopped first.
func (s *stream) sleep(d time.Duration, timer *time.Timer) bool {
	timer.Reset(d)
	select {
	case <-timer.C:
		return true
	case <-s.fifo.Interrupted():
		return false
	}
}

// await waits until it is time for the next batch: for the stream's turn or the pause
// if there is one, for new bytes otherwise. errStopped if the stream was stopped first.
func (s *stream) await(p *pace, pause time.Duration, timer *time.Timer) error {
	switch {
	case pause >= turnEvery:
		s.turn.seen, s.turn.full, s.turn.lapse = s.seen, p.capacity/4, p.last.Add(quietAfter)
		s.turn.steady = p.steady
		if !s.turns.wait(s.fifo, &s.turn) {
			return errStopped
		}
		return nil
	case pause > 0:
		if !s.sleep(pause, timer) {
			return errStopped
		}
		return nil
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
			case <-s.closing:
				return err
			case <-time.After(drainRetry):
			}
		}
	}
}
