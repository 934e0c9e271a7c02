package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/wake"
)

// The active segment is a file with a name in a directory that others can reach:
// an operator removes it, a cleaner takes the directory, logrotate moves it away
// or truncates it. The writer holds the file open, so it notices, and mends:
//
//	removed, moved, replaced   the text is copied from the open file into a new one
//	                           with the name; what else has the name is moved away
//	truncated                  what is left stays; a line in the text and Meta.Lost
//	                           say what is missing
//	written to by others       their bytes belong to the text
//
// After the first two the segment is sealed, as Recover, and the next line begins
// another one. The copy has the same bytes at the same offsets, so that what a
// cursor says of the last batch is as true for it as for the file before.
//
// When it looks: the open file (one fstat) before each batch, at each seal and
// each Check; the file's name at each seal, each reading and each Check that
// asks for it. A look at the name takes three system calls more.

// Reasons of a Lost that is due to what others did to files of the spool.
const (
	FileRemoved   = "file removed"
	FileTruncated = "file truncated"
)

// Damage is what was found wrong with a container's files, and mended.
type Damage struct {
	Stream Stream
	Dir    string
	What   string       // what happened, for a log: "the active file was removed …"
	Sealed string       // path of the segment that was sealed because of it; "": none was
	Lost   *record.Lost // what could not be saved; nil: nothing
}

// Damaged is sent to after a Damage was noted; TakeDamages returns it then.
func (s *Spool) Damaged() <-chan struct{} { return s.damaged }

// TakeDamages returns what was noted since the last call.
func (s *Spool) TakeDamages() []Damage {
	s.damageMu.Lock()
	defer s.damageMu.Unlock()
	all := s.damages
	s.damages = nil
	return all
}

func (s *Spool) noteDamage(d Damage) {
	s.damageMu.Lock()
	s.damages = append(s.damages, d)
	s.damageMu.Unlock()
	wake.Up(s.damaged)
}

// Check looks whether the active segment is still the file that the writer
// writes to, and mends it if it is not. With names, or if there is new text, it
// looks at the file's name and at the directory's description as well.
func (w *Writer) Check(names bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	names = names || w.size != w.checked
	w.checked = w.size
	if err := w.mend(names); err != nil || w.file == nil || !names {
		return err
	}
	known := path.Join(w.dir, streamFile)
	if fi, err := w.spool.root.Lstat(known); err == nil && fi.Mode().IsRegular() {
		return nil
	}
	return w.spool.writeJSON(known, &w.stream)
}

// mend makes the active segment whole and seals it, if it is damaged.
func (w *Writer) mend(names bool) error {
	if err := w.restore(names); err != nil {
		return fmt.Errorf("save %s: %w", path.Join(w.dir, w.stream.ActiveName()), err)
	}
	if w.hurt == nil || w.file == nil {
		return nil
	}
	_, err := w.sealRestored(Recover)
	return err
}

// restore makes the active segment a file under its name, that has w.size bytes
// and is described by w.meta.
func (w *Writer) restore(names bool) error {
	if err := unix.Fstat(int(w.file.Fd()), &w.stat); err != nil || w.stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return err
	}
	if w.sealing != nil && w.renamed() {
		return nil
	}
	if w.stat.Size < w.size {
		if err := w.shrink(w.stat.Size); err != nil {
			return err
		}
	} else if w.stat.Size > w.size && !w.torn {
		if err := w.adopt(w.stat.Size); err != nil {
			return err
		}
	}
	gone := ""
	if w.stat.Nlink == 0 {
		gone = "the active file was removed"
	} else if names {
		var err error
		if gone, err = w.nameGone(); err != nil {
			return err
		}
	}
	if gone != "" {
		if err := w.save(gone); err != nil {
			return err
		}
	}
	return w.writeOwed()
}

// renamed reports whether an earlier try of the seal has renamed the file.
func (w *Writer) renamed() bool {
	_, err := w.spool.root.Lstat(path.Join(w.dir, w.stream.ActiveName()))
	return errors.Is(err, os.ErrNotExist) && w.spool.exists(w.dir, w.sealing.Name)
}

// nameGone says what became of the name, "" if it is the open file's.
func (w *Writer) nameGone() (string, error) {
	named, err := w.spool.root.Lstat(path.Join(w.dir, w.stream.ActiveName()))
	if err != nil {
		for _, passing := range []error{unix.EIO, unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
			if errors.Is(err, passing) {
				return "", err
			}
		}
		return "the active file, or its directory, was moved away", nil
	}
	open, err := w.file.Stat()
	if err != nil || os.SameFile(named, open) {
		return "", err
	}
	return "the active file was replaced by another one", nil
}

// save copies the text into a new file with the segment's name.
//
//	mkdirat …, write .stream.json    killed here: the text is gone with the process
//	[rename what has the name]       killed here: the same
//	openat(O_EXCL) write             killed here: Recover, or Resume, finds as much
//	                                 of the text as was copied, and cuts a torn record
//	                                 off it; no line is there twice
//	seal                             as every seal
//
// The bytes are in the page cache as soon as they are written: only a kill within
// the copy itself can lose a part of them.
func (w *Writer) save(what string) error {
	s := w.spool
	if err := w.makeDir(); err != nil {
		return err
	}
	name := path.Join(w.dir, w.stream.ActiveName())
	if err := s.clear(name); err != nil {
		return err
	}
	f, err := s.create(name)
	if err != nil {
		return err
	}
	err = durable.Do("write", name, func() error {
		n, err := io.Copy(f, io.NewSectionReader(w.file, 0, w.size))
		if err == nil && n < w.size {
			err = io.ErrUnexpectedEOF // truncated meanwhile: the next try sees it
		}
		return err
	})
	if err != nil {
		return errors.Join(err, f.Close(), durable.Unlink(s.root, name))
	}
	w.file.Close() // what was written to it is in the new one
	w.file, w.dirty = f, true
	w.created.Store(true)
	if w.hurt == nil {
		w.hurt = &Damage{Stream: w.stream, Dir: w.dir}
	}
	w.hurt.What = what + "; its text was saved"
	return nil
}

// clear makes a name free for a new file. An empty file goes, as logrotate makes
// one; anything else is moved away.
func (s *Spool) clear(name string) error {
	fi, err := s.root.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && fi.Mode().IsRegular() && fi.Size() == 0 {
		return durable.Unlink(s.root, name)
	}
	_, err = durable.Displace(s.root, name)
	return err
}

// shrink takes note that the file has no more than size bytes. Killed before the
// line that says so is written, nothing says it.
func (w *Writer) shrink(size int64) error {
	was := w.meta
	m := &Meta{}
	size, err := w.cutRecord(size)
	if err != nil {
		return err
	}
	format, _ := record.ParseFormat(w.stream.Format)
	if err := m.scan(io.NewSectionReader(w.file, 0, size), format, w.spool.triage.Errors(&w.stream)); err != nil {
		return err
	}
	lost := record.Lost{
		Lines: max(0, was.Lines-m.Lines), Bytes: w.size - size, Reason: FileTruncated, From: was.First, To: was.Last,
	}
	switch {
	case m.First.IsZero():
	case m.First.Equal(was.First):
		lost.From = m.Last // the end is missing
	default:
		lost.To = m.First
	}
	w.spool.used.Add(size - w.size)
	w.size = size
	w.meta.Lines, w.meta.Errors, w.meta.LastError = m.Lines, min(m.Errors, was.Errors), m.LastError
	if w.sealing == nil { // else the name and the key have the time already
		w.meta.First, w.meta.Last = m.First, m.Last
		if m.First.IsZero() && size > 0 { // a raw text does not tell
			w.meta.First, w.meta.Last = was.First, was.Last
		}
	}
	w.lose(lost, was.Errors-w.meta.Errors)
	w.hurt = &Damage{Stream: w.stream, Dir: w.dir, What: "the active file was truncated", Lost: &lost}
	return nil
}

// cutRecord cuts a record off that is not whole, and returns the file's size.
func (w *Writer) cutRecord(size int64) (int64, error) {
	if size == 0 || w.stream.Format == record.Raw.String() {
		return size, nil
	}
	t := torn{text: w.file, block: make([]byte, maxRecord)}
	end, err := t.wholeRecords(size)
	if err != nil || end == size {
		return end, err
	}
	return end, w.file.Truncate(end)
}

// lose notes in the Meta what the text has no more, and has a line written in its
// place.
func (w *Writer) lose(lost record.Lost, errs int64) {
	w.meta.Partly, w.meta.LostErrors = true, w.meta.LostErrors+errs
	w.meta.Lost = addLost(w.meta.Lost, lost)
	w.owed = addLost(w.owed, lost)
}

// addLost returns what both say.
func addLost(a *record.Lost, b record.Lost) *record.Lost {
	if a == nil {
		return &b
	}
	sum := *a
	sum.Lines, sum.Bytes, sum.Reason = sum.Lines+b.Lines, sum.Bytes+b.Bytes, b.Reason
	if b.From.Before(sum.From) {
		sum.From = b.From
	}
	if b.To.After(sum.To) {
		sum.To = b.To
	}
	return &sum
}

// Owe has a line written before the container's next one, that says what was lost.
func (w *Writer) Owe(lost record.Lost) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed = addLost(w.owed, lost)
}

// writeOwed writes the line that says what was lost.
func (w *Writer) writeOwed() error {
	if w.owed == nil {
		return nil
	}
	if err := w.cutTorn(); err != nil {
		return err
	}
	at := w.owed.From
	if !w.meta.Last.IsZero() && at.Before(w.meta.First) {
		at = w.meta.First // the segment keeps the time that its cursor knows
	}
	text := lostRecord(&w.stream, at, w.owed)
	n, err := w.file.Write(text)
	if err != nil {
		w.torn, w.undo = true, nil
		return errors.Join(err, w.cutTorn())
	}
	w.owed = nil
	w.size += int64(n)
	w.spool.used.Add(int64(n))
	w.meta.saw(at.UTC())
	w.meta.Lines++
	w.dirty = true
	return nil
}

// adopt takes note that others have written to the file, which has size bytes.
func (w *Writer) adopt(size int64) error {
	more := io.NewSectionReader(w.file, w.size, size-w.size)
	m := &Meta{}
	if err := m.scan(more, record.Raw, w.spool.triage.Errors(&Stream{})); err != nil {
		return err
	}
	var last [1]byte
	if _, err := w.file.ReadAt(last[:], size-1); err != nil {
		return err
	}
	if last[0] != '\n' && w.stream.Format != record.Raw.String() {
		if _, err := w.file.Write([]byte("\n")); err != nil { // the next record begins a line
			return err
		}
		m.Lines, size = m.Lines+1, size+1
	}
	w.spool.used.Add(size - w.size)
	w.size = size
	w.meta.Lines += m.Lines
	if w.meta.First.IsZero() {
		w.meta.saw(time.Now().UTC())
	}
	w.spool.noteDamage(Damage{
		Stream: w.stream, Dir: w.dir,
		What: "another program has written to the active file; its bytes stay in the text",
	})
	return nil
}

// Abandon forgets an active segment that nothing can be saved of, because the
// file has no name any more and the disk takes no copy. What is lost is counted,
// and a line of the next segment says it. It reports whether there was one.
func (w *Writer) Abandon() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.abandon("the active file was removed, and its text cannot be saved")
}

func (w *Writer) abandon(what string) bool {
	if w.file == nil || unix.Fstat(int(w.file.Fd()), &w.stat) != nil || w.stat.Nlink > 0 {
		return false
	}
	lost := record.Lost{Lines: w.meta.Lines, Bytes: w.size, Reason: FileRemoved, From: w.meta.First, To: w.meta.Last}
	w.file.Close() // it takes what was written to it along
	w.spool.used.Add(-w.size)
	w.file, w.size, w.meta, w.sealing, w.hurt = nil, 0, Meta{}, nil, nil
	w.torn, w.undo = false, nil
	if lost.Bytes > 0 {
		w.owed = addLost(w.owed, lost)
		w.spool.noteDamage(Damage{Stream: w.stream, Dir: w.dir, What: what, Lost: &lost})
	}
	w.announce()
	return true
}
