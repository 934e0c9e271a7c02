package spool

import (
	"errors"
	"fmt"
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
