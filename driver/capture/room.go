package capture

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// roomTries bounds how often a batch that the disk refuses makes room.
const roomTries = 3

// append adds the batch to the active segment, and makes room for it where
// there is none. An active segment that cannot be sealed for want of room takes
// more lines than its limit: a seal needs a new file, and they do not.
func (s *stream) append(b *spool.Batch) error {
	if !s.spool.Room(len(b.Text)) {
		if err := s.owner.makeRoom(spool.Need{Bytes: len(b.Text)}); err != nil {
			return err
		}
	}
	limit := s.limit
	if s.sealPostponed() {
		limit = math.MaxInt64
	}
	var postponed error
	for try := 1; ; try++ {
		sealed, err := s.writer.Append(b, limit)
		if sealed != "" {
			s.owner.sealed(s.desc.Name, sealed, nil)
		}
		if err == nil && postponed != nil {
			s.postponeSeal(postponed)
		}
		if !spool.Full(err) {
			return err
		}
		roomErr := s.owner.makeRoom(spool.Need{Bytes: len(b.Text), Refused: err, Grow: s.writer.Size() > 0})
		if roomErr == nil && try < roomTries {
			continue
		}
		if postponed != nil || !s.writer.Postpone() {
			return errors.Join(err, roomErr)
		}
		postponed, limit = err, math.MaxInt64
	}
}

// sealPostponed reports whether the active segment is not to be sealed yet.
func (s *stream) sealPostponed() bool { return time.Now().Before(s.sealAgain) }

// postponeSeal notes that the active segment goes on without the seal that is due.
func (s *stream) postponeSeal(err error) {
	now := time.Now()
	s.sealAgain = now.Add(sealRetry)
	if now.Sub(s.saidPostponed) >= repeatTrouble {
		s.saidPostponed = now
		s.log.Warn("a segment cannot be sealed, because the disk is full or has no free inode; it takes further "+
			"lines, beyond its size or day, and will be sealed later",
			"container", s.desc.Name, "bytes", s.writer.Size(), "err", err)
	}
}

// repeatTrouble is how often lasting trouble is said again.
const repeatTrouble = time.Minute

// trouble is what keeps a stream from writing. Its run goroutine owns it.
type trouble struct {
	latest      atomic.Pointer[failure] // nil: there is none; anybody may look
	since, said time.Time
}

// failure is why a stream cannot write, and since when.
type failure struct {
	since time.Time
	err   error
}

// report notes that a batch could not be written, and says so, not too often.
func (t *trouble) report(s *stream, err error) {
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	}
	t.latest.Store(&failure{t.since, err})
	if now.Sub(t.said) < repeatTrouble {
		return
	}
	t.said = now
	s.log.Error("cannot write; the lines wait in the FIFO, and the container with them once that is full; with "+
		"on-full=drop they are discarded after a while",
		"container", s.desc.Name, "since", t.since, "err", err)
}

// lasts reports whether there has been trouble for so long.
func (t *trouble) lasts(long time.Duration) bool {
	return !t.since.IsZero() && time.Since(t.since) >= long
}

// over notes that a batch was written.
func (t *trouble) over(s *stream) {
	if t.since.IsZero() {
		return
	}
	s.log.Info("writes again", "container", s.desc.Name, "after", time.Since(t.since).Round(time.Millisecond))
	t.since, t.said = time.Time{}, time.Time{}
	t.latest.Store(nil)
}

// dropAfter is how long lines wait for a disk that takes nothing, with
// on-full=drop, until they are discarded. A container that waits in the middle of
// a write can hold locks of dockerd's, on which docker rm, docker inspect and even
// docker image rm wait then.
const dropAfter = 10 * time.Second

// passes reports whether an error says that the process or the host has no descriptor, thread
// or memory left. That is no fault of the disk, and others give such things back: the lines wait.
func passes(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// diskError is the reason of a Lost where the disk refuses, though it is not full.
const diskError = "disk error"

// missing is what a stream has discarded since it could write last.
type missing struct{ record.Lost }

// mark is the record that will stand in its place.
func (m *missing) mark() *record.Record {
	return &record.Record{Time: m.From.UnixNano(), Stream: record.Stderr, Text: m.Text()}
}

// discard takes the whole frames that are in the FIFO out of it, unwritten,
// because of an error that has lasted, and counts them. It returns how many bytes
// it took.
//
//	write what is missing into the cursor  killed here: the frames are counted, and come again
//	consume                                killed here: the next life writes the mark
func (s *stream) discard(w *workspace, because error) (int, error) {
	data, err := s.fifo.Peek(w.peeked, 0)
	if err != nil {
		return 0, err
	}
	lost := record.Lost{Reason: diskError}
	if spool.Full(because) || errors.Is(because, spool.ErrFull) {
		lost.Reason = spool.DiskFull
	}
	if s.missing != nil {
		lost = s.missing.Lost
	}
	before := lost
	done := 0
	var e frame.Entry
	for {
		n, err := frame.Decode(data[done:], &e)
		if errors.Is(err, frame.ErrIncomplete) {
			break
		}
		if err != nil {
			n = frame.Resync(data[done:])
			lost.Bytes += int64(n)
			done += n
			continue
		}
		at := time.Unix(0, e.TimeNano)
		if lost.From.IsZero() {
			lost.From = at
		}
		if at.After(lost.To) {
			lost.To = at
		}
		if !e.More() {
			lost.Lines++
		}
		lost.Bytes += int64(len(e.Line))
		done += n
	}
	if done == 0 {
		return 0, fifo.ErrEmpty
	}
	if lost.From.IsZero() { // nothing but garbage
		lost.From, lost.To = time.Now(), time.Now()
	}
	// Best effort on a disk that refuses; the counts are in memory as well.
	if err := s.cursor.SetMissing(&lost); err != nil {
		s.broken.report(s, err)
	}
	s.missing = &missing{lost}
	s.counts.lose(lost.Reason, lost.Lines-before.Lines, lost.Bytes-before.Bytes)
	if err := s.consume(w, done); err != nil {
		return 0, err
	}
	s.seen = len(data) - done
	return done, nil
}

// marked notes that the mark is written. Killed before, the next life writes it
// again: the loss is told twice then, not hidden.
func (s *stream) marked() {
	s.log.Error("lines were discarded while the disk took none; a line in their place says so",
		"container", s.desc.Name,
		"lines", s.missing.Lines, "bytes", s.missing.Bytes, "from", s.missing.From, "to", s.missing.To)
	s.missing = nil
	if err := s.cursor.SetMissing(&record.Lost{}); err != nil {
		s.log.Error("after a kill the same loss would be told again", "container", s.desc.Name, "err", err)
	}
}
