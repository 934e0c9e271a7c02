package capture

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/format/record"
)

// resume takes up where a process that was killed, or stopped, left off. The
// batch that it wrote last may still be at the FIFO's head:
//
//	killed before the write, or within it   the text goes, the frames come again
//	killed before consuming                 the text stays, the frames go
//	killed after consuming                  the frames at the head are others
func (s *stream) resume() error {
	if lost, err := s.cursor.Missing(); err != nil {
		s.log.Error("resume: lines were lost, and it is not known how many", "container", s.desc.Name, "err", err)
	} else if lost != nil {
		s.missing = &missing{*lost}
	}
	last, ok, err := s.cursor.Get()
	if err != nil {
		s.log.Error("resume: lines may be doubled", "container", s.desc.Name, "err", err)
	}
	w := s.pool.get()
	defer s.pool.put(w)
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
	s.owner.wakeUp()
	return nil
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
			s.log.Info("resume: the last lines are written already, says their text", "container", s.desc.Name,
				"bytes", end.text)
			return end.frames, nil
		}
	}
	return 0, nil
}
