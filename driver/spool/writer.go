package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
)

// Batch is text that is written at once, and what is known of it.
type Batch struct {
	Text        []byte // whole records
	First, Last int64  // earliest in order and latest time of a record, nanoseconds since 1970
	Lines       int64  // newlines in Text
	Errors      int64  // lines that report a server error
	LastError   int64  // latest time of these, nanoseconds since 1970; 0: there is none

	// Before, if set, is called when the batch is about to be written at offset
	// of the active segment, whose first record is of the time began
	// (nanoseconds since 1970); its error keeps the batch from being written.
	Before func(began, offset int64) error

	// Failed, if set, is called once the batch of a failed write is no longer in
	// the file, before anything else happens to that: what Before noted is void.
	// It may be repeated, and called later, in any goroutine.
	Failed func() error

	// Event, if set, is called where Errors is not 0, once the batch is written:
	// it takes the event that the active segment belongs to by now, or "", and
	// returns the one that it belongs to. The writer is locked meanwhile.
	Event func(current string) string

	// Sync keeps Append from returning before the batch is on the disk itself.
	Sync bool
}

// Writer writes the active segment of one container. It makes the directory
// and the file with the first record, so that a stream without records leaves
// nothing. Whoever asks the spool for a container's writer gets the same one;
// its methods may be called from several goroutines.
type Writer struct {
	spool  *Spool
	stream Stream
	dir    string
	users  int // not yet closed, owned by spool.mu

	created atomic.Bool // the active segment's name is not on the disk itself

	mu      sync.Mutex   // owns what follows
	file    *os.File     // nil: no active segment
	size    int64        // bytes of whole records in file
	torn    bool         // the file may end in a part of a batch that failed
	undo    func() error // that batch's Failed
	dirty   bool         // file has text that is not synced
	meta    Meta         // of the active segment, so far
	sealing *Segment     // a seal that failed and must be repeated first
	seq     int          // of the last seal
	closed  bool         // the last user has gone
	owed    *record.Lost // is lost, and no line says it yet; nil: nothing
	hurt    *Damage      // was found and mended, and the segment is not sealed yet; nil: nothing
	checked int64        // size at the last Check
	stat    unix.Stat_t  // of the last look at file, here so that looking allocates nothing

	changed chan struct{} // closed and forgotten at the next change; nil: nobody waits for one

	shown struct{ began, size atomic.Int64 } // meta.First and size, for those that must not wait for mu
}

// Writer returns the writer of the stream's directory.
func (s *Spool) Writer(stream Stream) *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := stream.Dir()
	w := s.writers[dir]
	if w == nil {
		w = &Writer{spool: s, stream: stream, dir: dir}
		s.writers[dir] = w
	}
	w.users++
	return w
}

// Close gives the writer up. Its last user's Close seals the active segment,
// as Error where lines of it report errors and as Stop otherwise, and returns
// what Seal does. Where that fails, the segment stays active until the next
// writer of this directory, or Recover, seals it.
func (w *Writer) Close() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lastUser() {
		reason := Stop
		if w.meta.Errors > 0 {
			reason = Error
		}
		path, err := w.seal(reason)
		if !w.release() {
			return path, err // somebody came meanwhile and goes on
		}
		w.abandon("the active file was removed, and its text could not be saved before its container ended")
		if w.file != nil {
			err = errors.Join(err, w.file.Close())
			w.file = nil
		}
		w.announce()
		return path, err
	}
	w.release()
	return "", nil
}

func (w *Writer) lastUser() bool {
	w.spool.mu.Lock()
	defer w.spool.mu.Unlock()
	return w.users == 1
}

// release counts one user less and reports whether that was the last.
func (w *Writer) release() bool {
	w.spool.mu.Lock()
	defer w.spool.mu.Unlock()
	if w.users--; w.users > 0 {
		return false
	}
	delete(w.spool.writers, w.dir)
	w.closed = true
	return true
}

// Began is the time of the active segment's first line, zero where there is none.
// It never waits for the disk.
func (w *Writer) Began() time.Time {
	nano := w.shown.began.Load()
	if nano == 0 {
		return time.Time{}
	}
	return time.Unix(0, nano).UTC()
}

// Times returns the time of the active segment's first line and the latest time
// of a line in it, both zero if there is no active segment.
func (w *Writer) Times() (first, last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.meta.First, w.meta.Last
}

// Size is how many bytes the active segment has, 0 where there is none. It never
// waits for the disk.
func (w *Writer) Size() int64 { return w.shown.size.Load() }

// show lets Began and Size return what is now. The caller holds mu.
func (w *Writer) show() {
	began := int64(0)
	if !w.meta.First.IsZero() {
		began = w.meta.First.UnixNano()
	}
	w.shown.began.Store(began)
	w.shown.size.Store(w.size)
}

// Append writes the batch with one write(2). Where the active segment has
// lines already and would grow beyond limit bytes, it is sealed first and its
// path returned. When Append fails nothing of the batch is in the file, and
// the call may be repeated.
func (w *Writer) Append(b *Batch, limit int64) (sealed string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sealing != nil || w.size > 0 && w.size+int64(len(b.Text)) > limit {
		if sealed, err = w.seal(Size); err != nil {
			return "", err
		}
	}
	return sealed, w.append(b)
}

func (w *Writer) append(b *Batch) error {
	if w.file != nil {
		if err := w.mend(false); err != nil {
			return fmt.Errorf("append: %w", err)
		}
	}
	if w.file == nil {
		if err := w.create(); err != nil {
			return fmt.Errorf("open %s: %w", path.Join(w.dir, w.stream.ActiveName()), err)
		}
	}
	if err := errors.Join(w.cutTorn(), w.writeOwed()); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	if b.Before != nil {
		began := b.First
		if !w.meta.First.IsZero() {
			began = w.meta.First.UnixNano()
		}
		if err := b.Before(began, w.size); err != nil {
			return fmt.Errorf("append: %w", err)
		}
	}
	n, err := w.file.Write(b.Text)
	if err == nil && b.Sync {
		err = w.syncFile(w.file)
	}
	if err != nil {
		w.torn, w.undo = true, b.Failed
		return fmt.Errorf("append: %w", errors.Join(err, w.cutTorn()))
	}
	w.dirty = !b.Sync
	w.size += int64(n)
	w.spool.used.Add(int64(n))
	w.spool.written.Add(int64(n))
	w.meta.saw(time.Unix(0, b.First).UTC())
	w.meta.saw(time.Unix(0, b.Last).UTC())
	w.meta.Lines += b.Lines
	w.meta.Errors += b.Errors
	if b.LastError > 0 {
		w.meta.sawError(time.Unix(0, b.LastError).UTC())
	}
	if b.Errors > 0 && b.Event != nil {
		w.meta.Event = b.Event(w.meta.Event)
	}
	w.announce()
	return nil
}

// syncFile brings the active segment, and its name, to the disk itself.
func (w *Writer) syncFile(f *os.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if w.created.Swap(false) {
		if err := durable.SyncDir(w.spool.root, w.dir); err != nil {
			w.created.Store(true)
			return err
		}
	}
	return nil
}

// StartSync begins to bring what was appended so far to the disk, without
// waiting for it, so that the Syncs of many writers that follow find it under
// way, and have one commit of the file system's journal in common.
func (w *Writer) StartSync() {
	if !w.mu.TryLock() {
		return // it is being written, or its disk hangs
	}
	f, dirty := w.file, w.dirty
	w.mu.Unlock()
	if f == nil || !dirty {
		return
	}
	// Best effort: the Sync says what is wrong.
	if conn, err := f.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) {
			_ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
		})
	}
}

// Sync brings what was appended so far to the disk itself. Appends go on
// meanwhile. Without anything new it does nothing.
func (w *Writer) Sync() error {
	w.mu.Lock()
	f, dirty := w.file, w.dirty
	w.dirty = false
	w.mu.Unlock()
	if f == nil || !dirty {
		return nil
	}
	err := w.syncFile(f)
	if err == nil || errors.Is(err, os.ErrClosed) {
		return nil // closed: sealed meanwhile, which synced it
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirty = w.dirty || w.file == f
	return fmt.Errorf("sync %s: %w", path.Join(w.dir, w.stream.ActiveName()), err)
}

// Dirty reports whether text was appended that no Sync has brought to the disk.
func (w *Writer) Dirty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file != nil && w.dirty
}

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
		same := first.Equal(m.First) || w.stream.Format == record.Syslog.String() && first.Truncate(time.Microsecond).Equal(m.First)
		if size > 0 && end < offset && same {
			written = false // it is the batch's own, and a disk that failed has cut it
		}
		if began != 0 && (same || w.stream.Format == record.Raw.String() && first.Before(m.First) && s.newest(w.dir).Before(first)) {
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

// makeDir makes the directory and its description. What is no directory and has
// its name is moved away.
func (w *Writer) makeDir() error {
	s := w.spool
	if fi, err := s.root.Lstat(w.dir); err == nil && !fi.IsDir() {
		if _, err := durable.Displace(s.root, w.dir); err != nil {
			return err
		}
	}
	if err := durable.MkdirAll(s.root, w.dir, dirMode); err != nil {
		return err
	}
	if err := s.ownDir(w.dir); err != nil {
		return err
	}
	known := path.Join(w.dir, streamFile)
	var was Stream
	if err := s.readJSON(known, &was); err != nil || !was.equal(&w.stream) {
		return s.writeJSON(known, &w.stream)
	}
	return nil
}

// create makes the directory, its description and the active file.
func (w *Writer) create() error {
	s := w.spool
	if err := w.makeDir(); err != nil {
		return err
	}
	last, err := s.lastSeq(w.dir)
	if err != nil {
		return err
	}
	w.seq = max(w.seq, last)
	name := path.Join(w.dir, w.stream.ActiveName())
	f, err := s.create(name)
	if errors.Is(err, os.ErrExist) {
		if fi, lookErr := s.root.Lstat(name); lookErr == nil && !fi.Mode().IsRegular() {
			_, err = durable.Displace(s.root, name)
		} else if err = s.recoverActive(w.dir, w.stream.ActiveName()); err == nil {
			w.seq++ // a writer before this one could not seal it
		}
		if err == nil {
			f, err = s.create(name)
		}
	}
	if err != nil {
		return err
	}
	w.file, w.size, w.meta, w.hurt = f, 0, Meta{}, nil
	if w.owed != nil { // of a segment that is lost
		w.meta.Partly, w.meta.Lost = true, addLost(nil, *w.owed)
	}
	w.dirty = false
	w.created.Store(true)
	return nil
}

// AddError notes a server error in a line that is in the active segment
// already; event is a Batch's. Without a segment it does nothing.
func (w *Writer) AddError(event func(current string) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		w.meta.Errors++
		w.meta.sawError(w.meta.Last)
		w.meta.Event = event(w.meta.Event)
	}
}

// Rejoin calls event, a Batch's, where lines of the active segment, which an
// earlier process has written, report errors.
func (w *Writer) Rejoin(event func(current string) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.meta.Errors > 0 {
		w.meta.Event = event(w.meta.Event)
	}
}

// Seal ends the active segment and returns its path in the spool, or "" where
// there was none. When it fails the segment stays the writer's; the next Seal
// or Append tries again, with the same name.
//
//	fsync             killed here: Recover seals it
//	Spool.seal
func (w *Writer) Seal(reason Reason) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seal(reason)
}

func (w *Writer) seal(reason Reason) (string, error) {
	if w.file == nil {
		return "", nil
	}
	if err := w.restore(true); err != nil {
		return "", fmt.Errorf("seal %s: save the text: %w", path.Join(w.dir, w.stream.ActiveName()), err)
	}
	return w.sealRestored(reason)
}

// sealRestored is seal for a file that restore has just looked at.
func (w *Writer) sealRestored(reason Reason) (string, error) {
	if w.size == 0 {
		return "", w.discard()
	}
	if w.sealing == nil {
		w.meta.Reason, w.meta.Seq, w.meta.Stream = reason, w.seq+1, w.stream
		w.meta.Key = w.spool.key.Render(&w.meta)
		w.sealing = &Segment{Dir: w.dir, Name: Name{
			Active: w.stream.ActiveName(), Time: w.meta.First, Seq: w.meta.Seq, Reason: reason, State: Sealed,
		}}
	}
	w.meta.Bytes = w.size // by now: it may have been mended since the last try
	if err := errors.Join(w.cutTorn(), durable.Sync(w.file, path.Join(w.dir, w.stream.ActiveName()))); err != nil {
		return "", fmt.Errorf("seal %s: %w", w.sealing.Path(), err)
	}
	if err := w.spool.seal(*w.sealing, &w.meta); err != nil {
		return "", err
	}
	sealed := w.sealing.Path()
	if w.hurt != nil {
		w.hurt.Sealed = sealed
		w.spool.noteDamage(*w.hurt)
		w.hurt = nil
	}
	err := w.file.Close()
	w.file, w.size, w.meta, w.sealing, w.seq = nil, 0, Meta{}, nil, w.meta.Seq
	w.announce()
	return sealed, err
}

// Postpone lets the writer go on with an active segment whose seal has failed because the disk
// has no room for it: a seal needs a file, and lines do not. The next seal tries anew. It
// reports whether there is such a segment.
func (w *Writer) Postpone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil || w.size == 0 {
		return false
	}
	if w.sealing == nil {
		return true
	}
	if _, err := w.spool.root.Lstat(path.Join(w.dir, w.stream.ActiveName())); err != nil {
		return false // it is renamed, or that is not known: the seal must be completed
	}
	// Best effort: what describes the seal that was not made is removed by Recover as well.
	_ = durable.Unlink(w.spool.root, path.Join(w.dir, w.sealing.Name.metaName()))
	w.sealing = nil
	return true
}

// discard removes an active segment into which no batch got. Where it cannot,
// the next create does.
func (w *Writer) discard() error {
	if err := w.cutTorn(); err != nil {
		return err
	}
	err := errors.Join(w.file.Close(), durable.Remove(w.spool.root, path.Join(w.dir, w.stream.ActiveName())))
	w.file, w.meta, w.hurt = nil, Meta{}, nil
	w.announce()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove an empty segment: %w", err)
	}
	return nil
}
