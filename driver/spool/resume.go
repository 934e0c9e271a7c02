package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
)

// Resume goes on with the active segment that an earlier process left, if there
// is one. That process tried last to write size bytes at offset; a size of 0
// says that no batch is in doubt. Resume returns whether all of these bytes are
// in the spool; where not, none of them is. began is the time of the segment's
// first record (nanoseconds since 1970), or 0 where that is not known. It counts
// for a raw segment alone, whose text does not tell it, and only if it is later than
// what was sealed before: a power cut may leave the note of an earlier segment.
//
// Each stream of the container calls it, in any order, before one of them
// appends. It may be repeated in a later life with the same answer, until the
// caller has noted that no batch is in doubt: that is why an empty segment stays,
// for the next seal to remove. One that is missing was sealed.
func (w *Writer) Resume(began, offset, size int64) (written bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.spool
	f, end := w.file, w.size
	if f == nil { // no other stream of the container has resumed it
		name := path.Join(w.dir, w.stream.ActiveName())
		f, err = durable.OpenRegular(s.root, name, os.O_RDWR|os.O_APPEND, 0)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, durable.ErrNotRegular) {
			return true, nil // sealed since, with the batch in it
		}
		if err != nil {
			return false, err
		}
		defer func() {
			if w.file == nil {
				err = errors.Join(err, f.Close())
			}
		}()
		_ = s.ensureStream(w.dir, &w.stream) // best effort: the disk may be full
		if end, err = s.cutTorn(name, false); err != nil {
			return false, err
		}
	}
	// A smaller file was begun after the batch's was sealed; a larger one has
	// later batches, of another stream.
	written = size == 0 || end < offset || end >= offset+size
	if written && w.file != nil {
		return true, nil
	}
	if !written {
		end = offset
		if err := f.Truncate(end); err != nil {
			return false, err
		}
	}
	m := &Meta{}
	if end > 0 {
		if m, err = s.describeAs(&w.stream, w.dir, Name{Active: w.stream.ActiveName(), State: Active}); err != nil {
			return false, err
		}
		first := time.Unix(0, began).UTC()
		same := first.Equal(m.First) ||
			w.stream.Format == record.Syslog.String() && first.Truncate(time.Microsecond).Equal(m.First)
		if size > 0 && end < offset && same {
			written = false // it is the batch's own, and a disk that failed has cut it
		}
		if began != 0 &&
			(same || w.stream.Format == record.Raw.String() && first.Before(m.First) && s.newest(w.dir).Before(first)) {
			m.First = first
		}
	}
	if w.seq, err = s.lastSeq(w.dir); err != nil {
		return false, err
	}
	w.file, w.size, w.meta = f, end, *m
	w.show()
	w.dirty = end > 0
	w.created.Store(true) // it may be killed before the name was synced
	return written, nil
}

// Tail returns up to n bytes from the end of the active segment that an earlier
// process left, once a torn record at its end is cut off, or nil where it has no
// more than known bytes. Call it before Resume.
func (w *Writer) Tail(n int, known int64) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.spool
	name := path.Join(w.dir, w.stream.ActiveName())
	f, err := durable.OpenRegular(s.root, name, os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, durable.ErrNotRegular) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := s.cutTorn(name, false)
	if err != nil || size <= known {
		return nil, err
	}
	tail := make([]byte, min(size, int64(n)))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return tail, nil
}

// Errors is how many lines of the active segment report a server error.
func (w *Writer) Errors() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.meta.Errors
}

// cutTorn removes what a failed write left behind. Killed before it has undone
// what the batch's Before noted, it leaves the segment active, for Resume to cut.
func (w *Writer) cutTorn() error {
	if !w.torn {
		return nil
	}
	if err := w.file.Truncate(w.size); err != nil {
		return fmt.Errorf("remove a torn record: %w", err)
	}
	if w.undo != nil {
		if err := w.undo(); err != nil {
			return fmt.Errorf("remove a torn record: %w", err)
		}
	}
	w.torn, w.undo = false, nil
	return nil
}
