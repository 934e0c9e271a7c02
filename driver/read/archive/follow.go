package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

// How often a follower looks: soon where something has just come, and ever less
// often where nothing does. A store's answer costs money.
const (
	spoolSoon, spoolLate = 50 * time.Millisecond, time.Second
	storeSoon, storeLate = 5 * time.Second, 30 * time.Second
)

// Follow calls f for the lines that come after those of the list, until ctx ends
// or f fails. The spool's come as they are written, the store's with their
// objects. What comes between two looks is in the order of time.
func (l *List) Follow(ctx context.Context, q Query, sel Selection, f func(*Line) error) error {
	w := &follower{
		a: l.a, q: q, sel: sel, f: f, keys: l.keys, dirs: map[string]*followed{}, from: time.Now().Add(-24 * time.Hour),
	}
	w.q.Since = time.Time{} // what comes now is late enough
	if l.since.After(w.from) {
		w.from = l.since
	}
	defer w.close()
	for dir, known := range l.stems {
		w.dirs[dir] = &followed{known: known}
	}
	for _, s := range l.Segments {
		if s.Active {
			d := w.dirs[s.spooled.Dir]
			d.take(w, s, s.file, s.Size)
			s.file = nil // the follower's now
		}
	}
	err := w.run(ctx)
	var out *outputError
	if errors.As(err, &out) {
		return out.error
	}
	return err
}

// follower looks again and again. It belongs to one goroutine.
type follower struct {
	a     *Archive
	q     Query
	sel   Selection
	f     func(*Line) error
	keys  map[string]bool // objects that are no news
	dirs  map[string]*followed
	from  time.Time // objects of segments that ended before this are not looked for
	lines []Line    // that have come and are not given out yet
	size  int       // bytes of lines
	came  bool      // something has, since it was looked at last
}

// maxKept is how much text a follower keeps, in bytes, to bring it into the order
// of time. A follower that has more to tell gives it out in parts.
const maxKept = 8 << 20

// followed is one directory of the spool.
type followed struct {
	known map[string]bool // stems of sealed segments that are read
	seg   *Segment        // the active one; nil: none
	file  *os.File
	seq   int // its number once it is sealed; 0: unknown
	at    int64
	scan  *scanner
	err   error // of giving lines out
}

func (w *follower) close() {
	for _, d := range w.dirs {
		if d.file != nil {
			d.file.Close() // nothing was written to it
		}
	}
}

func (w *follower) run(ctx context.Context) error {
	spool, store := spoolSoon, storeSoon
	var ended *outputError
	asked := time.Now()
	for {
		if w.a.cfg.Spool != nil {
			if err := w.lookAtSpool(ctx); errors.As(err, &ended) {
				return ended
			} else if err != nil {
				w.a.note("the spool", err)
			}
		}
		spool = pace(spool, w.came || len(w.lines) > 0, spoolSoon, spoolLate)
		w.came = false
		if err := w.give(); err != nil {
			return err
		}
		if w.a.cfg.Store != nil && time.Since(asked) >= store {
			if err := w.lookAtStore(ctx); errors.As(err, &ended) {
				return ended
			} else if err != nil && ctx.Err() == nil {
				w.a.note("the store", err)
			}
			asked = time.Now()
			store = pace(store, w.came || len(w.lines) > 0, storeSoon, storeLate)
			w.came = false
			if err := w.give(); err != nil {
				return err
			}
		}
		wait := spool
		if w.a.cfg.Spool == nil {
			wait = store
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func pace(now time.Duration, came bool, soon, late time.Duration) time.Duration {
	if came {
		return soon
	}
	return min(now*3/2, late)
}

// give gives out what has come.
func (w *follower) give() error {
	w.came = w.came || len(w.lines) > 0
	sortLines(w.lines)
	for i := range w.lines {
		if err := w.f(&w.lines[i]); err != nil {
			return &outputError{err}
		}
	}
	clear(w.lines)
	w.lines, w.size = w.lines[:0], 0
	return nil
}

// keep copies a line for give, which it calls when there is much.
func (w *follower) keep(line *Line) error {
	kept := *line
	kept.Raw, kept.Text = slices.Clone(line.Raw), slices.Clone(line.Text)
	w.lines = append(w.lines, kept)
	if w.size += len(line.Raw) + len(line.Text) + lineSize; w.size > maxKept {
		return w.give()
	}
	return nil
}

// lineSize is what a line takes besides its text, in bytes, about.
const lineSize = 128

func (w *follower) lookAtSpool(ctx context.Context) error {
	dirs, err := w.a.cfg.Spool.Dirs()
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		d := w.dirs[dir]
		if d == nil {
			d = &followed{known: map[string]bool{}}
			w.dirs[dir] = d
		}
		if err := w.directory(ctx, dir, d); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// directory reads what is new in a directory. The active segment stays open, so
// that its end can be read whatever becomes of its name.
func (w *follower) directory(ctx context.Context, dir string, d *followed) error {
	unlinked := d.unlinked() // before the names are looked at
	segments, err := w.a.cfg.Spool.Segments(dir)
	if err != nil {
		return err
	}
	if err := d.grown(); err != nil {
		return err
	}
	for _, seg := range segments {
		if seg.Name.State == spool.Active || d.known[seg.Name.Stem()] {
			continue
		}
		d.known[seg.Name.Stem()] = true
		if d.seg != nil && (d.seq == 0 || d.seq == seg.Name.Seq) {
			if err := d.ended(); err != nil {
				return err
			}
			continue
		}
		m, err := w.a.cfg.Spool.Look(seg)
		if s := fromSpool(seg, m, err == nil); w.q.judge(s) != no {
			if err := w.a.Read(ctx, []*Segment{s}, w.sel, w.keep); err != nil {
				return err
			}
		}
	}
	if d.seg != nil && unlinked {
		// Sealed, packed, uploaded and deleted between two looks.
		if err := d.ended(); err != nil {
			return err
		}
	}
	if d.seg != nil || len(segments) == 0 || segments[len(segments)-1].Name.State != spool.Active {
		return nil
	}
	return w.begin(segments, d)
}

// begin takes up a new active segment, unless it was sealed while it was opened:
// the next look will see.
func (w *follower) begin(segments []spool.Segment, d *followed) error {
	seg := segments[len(segments)-1]
	m, _ := w.a.cfg.Spool.Look(seg) // never complete
	s := fromSpool(seg, m, false)
	if w.q.judge(s) == no {
		return nil
	}
	f, _, err := w.a.cfg.Spool.Open(seg)
	if err != nil {
		return err
	}
	again, err := w.a.cfg.Spool.Segments(seg.Dir)
	if err != nil || highest(again) != highest(segments) {
		return errors.Join(err, f.Close())
	}
	s.First = firstTime(f, s.Stream.Format)
	if s.First.IsZero() {
		s.First = time.Now()
	}
	d.take(w, s, f, 0)
	if sealed := highest(segments); sealed > 0 {
		d.seq = sealed + 1
	}
	return d.grown()
}

// take follows an active segment from a place on.
func (d *followed) take(w *follower, s *Segment, f *os.File, from int64) {
	d.seg, d.file, d.at, d.seq = s, f, from, 0
	d.scan = &scanner{
		sel: &w.sel, seg: s, size: blockSize, later: from > 0,
		fresh: func() *batch { return &batch{} },
		read:  func(int) {},
		send: func(_ context.Context, b *batch, _ bool) bool {
			d.err = errors.Join(d.err, w.drain(s, b))
			return true
		},
	}
	d.scan.begin(context.Background())
}

// unlinked reports whether the segment's file has no name any more.
func (d *followed) unlinked() bool {
	if d.seg == nil {
		return false
	}
	fi, err := d.file.Stat()
	if err != nil {
		return false
	}
	stat, ok := fi.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}

// grown reads what the active segment has now, up to its last whole record.
func (d *followed) grown() error {
	if d.seg == nil {
		return nil
	}
	fi, err := d.file.Stat()
	if err != nil {
		return err
	}
	if fi.Size() < d.at {
		d.at = fi.Size() // a failed write was taken back
	}
	more := fi.Size() - d.at
	lines := record.NewLines(io.NewSectionReader(d.file, d.at, more), make([]byte, min(blockSize, more)), maxLine)
	for lines.NextBlock() && (lines.Ends || len(lines.Text) == maxLine) {
		b := lines.Line()
		d.scan.sniff(b)
		d.scan.records(b)
		d.scan.flush(context.Background(), true)
		if d.err != nil {
			return d.err
		}
		d.at += int64(len(b))
	}
	return lines.Err()
}

// ended reads what is left of a segment that is sealed.
func (d *followed) ended() error {
	err := d.grown()
	if fi, statErr := d.file.Stat(); err == nil && statErr == nil && fi.Size() > d.at {
		rest := make([]byte, min(maxLine, fi.Size()-d.at))
		if n, readErr := d.file.ReadAt(rest, d.at); readErr == nil || errors.Is(readErr, io.EOF) {
			d.scan.sniff(rest[:n])
			d.scan.torn(rest[:n])
		}
	}
	d.scan.rest()
	d.scan.flush(context.Background(), true)
	err = errors.Join(err, d.err, d.file.Close())
	d.seg, d.file = nil, nil
	return err
}

// drain takes the lines that a scanner has found.
func (w *follower) drain(of *Segment, b *batch) error {
	for _, r := range b.refs {
		if r.match || w.sel.All {
			if err := w.keep(&Line{Segment: of, Time: time.Unix(0, r.time), Stream: r.stream,
				Raw: b.buf[r.raw:r.rawEnd], Text: b.buf[r.text:r.textEnd], Match: r.match}); err != nil {
				return err
			}
		}
	}
	return nil
}

// outputError is an error of the function that lines are given to: it ends the
// follower.
type outputError struct{ error }

func (e *outputError) Unwrap() error { return e.error }

// lookAtStore reads the objects that are new, but for those of containers that
// the spool has: these were read there.
func (w *follower) lookAtStore(ctx context.Context) error {
	q := w.q
	q.Since = w.from
	var fresh []*Segment
	for _, prefix := range w.a.prefixes(&q, time.Now()) {
		err := w.a.entries(ctx, prefix, func(e store.Entry) bool {
			if !w.keys[e.Key] && !strings.HasPrefix(e.Key, incidents) {
				fresh = append(fresh, fromKey(w.a.keys, e))
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	fresh = slices.DeleteFunc(fresh, func(s *Segment) bool { return w.q.judge(s) == no })
	if len(fresh) == 0 {
		return nil
	}
	if err := w.a.ask(ctx, fresh); err != nil {
		return fmt.Errorf("look at new objects: %w", err)
	}
	if w.a.cfg.Spool != nil {
		if err := w.lookAtSpool(ctx); err != nil {
			return err
		}
	}
	var wanted []*Segment
	for _, s := range fresh {
		w.keys[s.Key] = true
		if !s.foreign && !s.gone && !w.local(s) && w.q.judge(s) != no {
			wanted = append(wanted, s)
		}
	}
	sortByTime(wanted)
	if err := w.give(); err != nil {
		return err
	}
	w.came = w.came || len(wanted) > 0
	return w.a.Read(ctx, wanted, w.sel, func(line *Line) error { // they are in the order of time
		if err := w.f(line); err != nil {
			return &outputError{err}
		}
		return nil
	})
}

// local reports whether the spool has the segment's container.
func (w *follower) local(s *Segment) bool {
	if s.Stream.ID == "" {
		return false
	}
	for dir := range w.dirs {
		if strings.HasSuffix(path.Base(dir), "-"+s.Stream.ShortID()) {
			return true
		}
	}
	return false
}
