package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"path"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/spool/pack"
	"github.com/logfast/logfast/internal/durable"
)

// Packing is a text on its way into a packed file: a sealed segment's, or the
// beginning of an active one that is expected to be sealed soon. It belongs to
// one goroutine. It ends with Pack or Drop; a process that is killed leaves a
// temporary file, which Recover removes.
type Packing struct {
	spool  *Spool
	dir    string
	active *os.File // the writer's, to know its segment by; nil: sealed
	src    *os.File
	size   int64 // bytes of src that will not change
	done   int64 // bytes of src that are packed, or in out's hands
	temp   string
	dst    *os.File
	out    *pack.Writer
	text   hash.Hash // of what is done
	scan   Observer  // of what is done; nil: none is to be found
	packed hash.Hash // of what is in dst
	over   bool
}

// ActiveSize is how many bytes the active segment of a directory has, 0 where
// there is none.
func (s *Spool) ActiveSize(dir string) int64 {
	if w := s.writer(dir); w != nil {
		return w.Size()
	}
	return 0
}

func (s *Spool) writer(dir string) *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writers[dir]
}

// PackAhead returns a Packing of what the active segment of a directory has by
// now: ahead, brought up to date, where that is of this segment. active is false
// where there is none, or ahead is of one that has been sealed since: then
// ahead is returned as it was, for Pack.
func (s *Spool) PackAhead(dir string, ahead *Packing) (p *Packing, active bool, err error) {
	w := s.writer(dir)
	if w == nil {
		return ahead, false, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.file == nil || w.size == 0 || w.sealing != nil, ahead != nil && ahead.active != w.file:
		return ahead, false, nil
	case ahead == nil:
		name := path.Join(dir, w.stream.ActiveName())
		src, err := s.openRegular(name)
		if err != nil {
			return nil, false, err
		}
		if ahead, err = s.newPacking(dir, src,
			path.Join(dir, fmt.Sprintf(".%s-%06d.ahead.tmp", w.stream.ActiveName(), w.seq+1))); err != nil {
			return nil, false, err
		}
		ahead.active = w.file
		m := w.meta
		m.Stream = w.stream
		ahead.scan = s.triage.Observe(&m) // the errors may come later
	}
	ahead.size = w.size
	return ahead, true, nil
}

// startPacking returns a Packing of a sealed segment: ahead, where that is one
// of the same file.
func (s *Spool) startPacking(seg Segment, m *Meta, ahead *Packing) (*Packing, error) {
	src, err := s.OpenSegment(seg)
	if err != nil {
		return nil, err
	}
	fi, err := src.Stat()
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	if ahead != nil && !ahead.over && ahead.of(fi) && ahead.done <= fi.Size() {
		ahead.size = fi.Size()
		return ahead, src.Close()
	}
	p, err := s.newPacking(seg.Dir, src, path.Join(seg.Dir, "."+seg.Name.in(Packed).String()+".tmp"))
	if err != nil {
		return nil, err
	}
	p.size = fi.Size()
	if m.Errors > 0 || m.Event != "" && !m.dropped() { // what stands for a lost text has nothing to find
		p.scan = s.triage.Observe(m)
	}
	return p, nil
}

// newPacking owns src, also where it fails.
func (s *Spool) newPacking(dir string, src *os.File, temp string) (*Packing, error) {
	if err := durable.Unlink(s.root, temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, src.Close())
	}
	dst, err := s.create(temp)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	p := &Packing{spool: s, dir: dir, src: src, temp: temp, dst: dst, text: sha256.New(), packed: sha256.New()}
	p.out = pack.NewWriter(io.MultiWriter(dst, p.packed))
	return p, nil
}

// SetWorkers sets how many processors pack from now on; see [pack.Writer].
func (p *Packing) SetWorkers(n int) { p.out.SetWorkers(n) }

// Of reports whether it is the segment's text that is packed. It may be called
// on nil.
func (p *Packing) Of(seg Segment) bool {
	if p == nil || p.dir != seg.Dir {
		return false
	}
	fi, err := p.spool.root.Lstat(seg.Path())
	return err == nil && p.of(fi)
}

func (p *Packing) of(fi os.FileInfo) bool {
	was, err := p.src.Stat()
	return err == nil && os.SameFile(was, fi)
}

// Left is how many bytes are not packed yet.
func (p *Packing) Left() int64 { return p.size - p.done }

// Step packs up to n bytes more and reports whether some are left. After an
// error the Packing is of no use.
func (p *Packing) Step(n int64) (more bool, err error) {
	if n = min(n, p.Left()); n <= 0 {
		return false, nil
	}
	read := io.MultiWriter(p.out, p.text)
	if p.scan != nil {
		read = io.MultiWriter(read, scanning{p})
	}
	got, err := io.Copy(read, io.NewSectionReader(p.src, p.done, n))
	p.done += got
	if err == nil && got < n {
		err = fmt.Errorf("the text ends at %d bytes, not %d: %w", p.done, p.size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		p.over = true
		return false, err
	}
	// Best effort, so that the fsync at the end has less to wait for.
	_ = unix.SyncFileRange(int(p.dst.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	return p.Left() > 0, nil
}

// finish makes the file durable, but for its name, and fills in what Meta says
// of it.
func (p *Packing) finish(m *Meta, run func(*Packing) error) error {
	err := durable.Do("write", p.temp, func() error {
		if run != nil {
			if err := run(p); err != nil {
				return err
			}
		}
		if _, err := p.Step(p.Left()); err != nil {
			return err
		}
		return p.out.Close()
	})
	if err != nil {
		return err
	}
	if err := durable.Sync(p.dst, p.temp); err != nil {
		return err
	}
	m.SHA256, m.SHA256Object = hex.EncodeToString(p.text.Sum(nil)), hex.EncodeToString(p.packed.Sum(nil))
	m.Index = p.out.Index()
	if p.scan != nil {
		p.guard(func() { p.found(m) })
	}
	return nil
}

// found notes what the observer of the whole text has found.
func (p *Packing) found(m *Meta) {
	findings, err := p.scan.Findings()
	if err != nil {
		slog.Error("the errors of a segment cannot be recorded, and its incident lacks them", "directory", p.dir,
			"err", err)
		return
	}
	m.Findings = findings
}

// scanning is a Packing's observer as a writer.
type scanning struct{ *Packing }

// Write implements io.Writer. It never fails.
func (s scanning) Write(b []byte) (int, error) {
	if s.scan != nil {
		s.guard(func() { s.scan.Write(b) }) //nolint:errcheck // it never fails
	}
	return len(b), nil
}

// guard has f look for errors in the text. If that panics, nothing is known of the
// segment's errors, and it is packed all the same: others wait for the packer.
func (p *Packing) guard(f func()) {
	defer func() {
		if cause := recover(); cause != nil {
			p.scan = nil
			slog.Error("the errors of a segment cannot be found, and its incident lacks them; report this as a "+
				"defect of logfast",
				"directory", p.dir, "panic", cause, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// commit gives the file its name. The text goes after it, so nothing else must
// have got the temporary one.
func (p *Packing) commit(packed Segment) error {
	ours, err := p.dst.Stat()
	if err != nil {
		return err
	}
	if there, err := p.spool.root.Lstat(p.temp); err != nil || !os.SameFile(ours, there) {
		return errors.Join(fmt.Errorf("%s is another file than the one that was written", p.temp), err)
	}
	if err := durable.Rename(p.spool.root, p.temp, packed.Path()); err != nil {
		return err
	}
	p.over = true
	return errors.Join(p.src.Close(), p.dst.Close())
}

// Drop gives the packed text up. It may be called on nil, and after Pack.
func (p *Packing) Drop() error {
	if p == nil || p.dst == nil {
		return nil
	}
	err := errors.Join(ignoreClosed(p.src.Close()), ignoreClosed(p.dst.Close()))
	p.dst = nil
	if gone := durable.Unlink(p.spool.root, p.temp); !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
