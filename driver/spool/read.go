package spool

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/logfast/logfast/internal/durable"
)

// Reading a spool changes nothing in it, takes no segment from its owner and
// holds no writer up for longer than it takes to open a file.

// announce wakes whoever waits for the writer's next change. The caller holds
// mu. Without anybody who waits it costs two stores.
func (w *Writer) announce() {
	w.show()
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// Watch looks at a container's writer without being one of its users: neither
// the writer nor its directory stays for it.
type Watch struct{ w *Writer }

// Watch returns a watch on the writer of the container with this id, nil where
// there is none.
func (s *Spool) Watch(id string) *Watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.writers {
		if w.stream.ID == id {
			return &Watch{w}
		}
	}
	return nil
}

// Dir is the directory that the writer writes to.
func (v *Watch) Dir() string { return v.w.dir }

// Tip is what a writer had written at one moment.
type Tip struct {
	Seq     int             // of the active segment, or of the next where there is none
	Size    int64           // bytes of whole records in the active segment; 0: there is none
	Meta    Meta            // of the active segment, so far
	Changed <-chan struct{} // closed when any of this has changed
	Closed  bool            // nothing will change any more
}

// Tip returns what the writer has written by now.
func (v *Watch) Tip() Tip {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	return v.w.tip()
}

func (w *Writer) tip() Tip {
	t := Tip{Seq: w.seq + 1, Closed: w.closed}
	if w.file != nil {
		t.Size, t.Meta = w.size, w.meta
		t.Meta.Stream = w.stream
	}
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	t.Changed = w.changed
	return t
}

// Open opens the active segment for reading; the file is nil where there is
// none. The file stays readable whatever becomes of its name; of its bytes
// those beyond Tip.Size may be taken back.
func (v *Watch) Open() (*os.File, Tip, error) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	if v.w.file == nil {
		return nil, v.w.tip(), nil
	}
	if err := v.w.mend(true); err != nil {
		// The disk takes no copy now; the text can be read all the same.
		f, openErr := os.Open(fmt.Sprintf("/proc/self/fd/%d", v.w.file.Fd()))
		if openErr != nil {
			return nil, v.w.tip(), errors.Join(err, openErr)
		}
		return f, v.w.tip(), nil
	}
	t := v.w.tip()
	if t.Size == 0 {
		return nil, t, nil
	}
	f, err := v.w.spool.openRegular(path.Join(v.w.dir, v.w.stream.ActiveName()))
	return f, t, err
}

// Dirs returns the directories of the container with this id, in no order.
// There are several where it was renamed between two of its lives.
func (s *Spool) Dirs(id string) ([]string, error) {
	top, err := s.readDir(".")
	if err != nil {
		return nil, err
	}
	container := Stream{ID: id}
	suffix := "-" + FileName(container.ShortID())
	var dirs []string
	for _, d := range top {
		if !d.IsDir() || strings.HasPrefix(d.Name(), ".") || !strings.HasSuffix(d.Name(), suffix) {
			continue
		}
		var of Stream
		if err := s.readJSON(path.Join(d.Name(), streamFile), &of); err == nil && of.ID != id {
			continue // another's whose id begins alike
		}
		dirs = append(dirs, d.Name())
	}
	return dirs, nil
}

// Segments returns the segments of a directory in the order of their records,
// all as Sealed: which state they have may change at any moment. The last may be one in the state
// Active: a file that no writer has open and
// that could not be sealed; the writer's own active segment is not among them.
func (s *Spool) Segments(dir string) ([]Segment, error) {
	entries, err := s.readDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := s.present(dir, entries)
	active := ""
	for _, e := range entries {
		if e.Type().IsRegular() && s.isActive(dir, e.Name()) {
			active = e.Name()
		}
	}
	slices.SortFunc(all, func(a, b Segment) int { return a.Name.Seq - b.Name.Seq })
	if active != "" && !s.writing(dir) {
		seq := 1
		if len(all) > 0 {
			seq = all[len(all)-1].Name.Seq + 1
		}
		all = append(all, Segment{Dir: dir, Name: Name{Active: active, Seq: seq, State: Active}})
	}
	return all, nil
}

// All returns each segment of the spool once, but for the active ones, sorted by
// time and as Sealed: which state they have may change at any moment.
func (s *Spool) All() ([]Segment, error) {
	var all []Segment
	err := s.dirs(func(dir string, entries []os.DirEntry) error {
		all = append(all, s.present(dir, entries)...)
		return nil
	})
	slices.SortFunc(all, byTime)
	return all, err
}

// present returns the segments of a directory's entries, each once and as Sealed. A
// directory is not read at one moment: a segment that is being packed is there twice,
// and one whose name changes meanwhile may be there under neither. Its description stays.
func (s *Spool) present(dir string, entries []os.DirEntry) []Segment {
	var all []Segment
	found := map[string]bool{}
	add := func(n Name) {
		all, found[n.Stem()] = append(all, Segment{Dir: dir, Name: n.in(Sealed)}), true
	}
	for _, e := range entries {
		if n, ok := ParseName(e.Name()); ok && e.Type().IsRegular() && !found[n.Stem()] {
			add(n)
		}
	}
	for _, e := range entries {
		n, ok := ParseName(strings.TrimPrefix(strings.TrimSuffix(e.Name(), metaSuffix), "."))
		if ok && n.metaName() == e.Name() && !found[n.Stem()] && s.exists(dir, n) {
			add(n)
		}
	}
	return all
}

// exists reports whether the segment is there, in whatever state. It looks in
// the order of a segment's life, so that none escapes it.
func (s *Spool) exists(dir string, n Name) bool {
	for state := Sealed; state <= Uploaded; state++ {
		if fi, err := s.root.Lstat(path.Join(dir, n.in(state).String())); err == nil && fi.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// writing reports whether a writer has an active segment in dir.
func (s *Spool) writing(dir string) bool {
	s.mu.Lock()
	w := s.writers[dir]
	s.mu.Unlock()
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file != nil
}

// OpenForReading opens a segment of Segments in whatever state it is by now and
// returns which that is. os.ErrNotExist: it was pruned.
func (s *Spool) OpenForReading(seg Segment) (*os.File, State, error) {
	if seg.Name.State == Active {
		f, err := s.openRegular(path.Join(seg.Dir, seg.Name.Active))
		return f, Active, err
	}
	// A segment whose text is given up becomes Sealed again: look twice.
	for again := true; ; again = false {
		for state := Sealed; state <= Uploaded; state++ {
			f, err := s.openRegular(Segment{Dir: seg.Dir, Name: seg.Name.in(state)}.Path())
			if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, durable.ErrNotRegular) {
				return f, state, err
			}
		}
		if !again {
			return nil, Uploaded, fmt.Errorf("open %s: %w", seg.Path(), os.ErrNotExist)
		}
	}
}

// openRegular opens a file for reading, if it is one: no symbolic link, FIFO
// or device that somebody has put there.
func (s *Spool) openRegular(name string) (*os.File, error) {
	return durable.OpenRegular(s.root, name, os.O_RDONLY, 0)
}

// Look returns what is kept about a segment. Other than Meta it mends nothing,
// and an error means that no more is known than the name says; the format is
// then the one of the directory's last stream.
func (s *Spool) Look(seg Segment) (*Meta, error) {
	m := &Meta{}
	if seg.Name.State != Active {
		if err := s.readJSON(path.Join(seg.Dir, seg.Name.metaName()), m); err == nil && m.check(seg.Name) == nil {
			return m, nil
		}
	}
	*m = Meta{}
	err := s.readJSON(path.Join(seg.Dir, streamFile), &m.Stream)
	if wrong := m.Stream.check(); err == nil && wrong != nil {
		m.Stream, err = Stream{}, wrong
	}
	return m, errors.Join(fmt.Errorf("segment %s: nothing is kept about it", seg.Path()), err)
}

// Present reports whether the segment's file is there, in whatever state, or this
// process has removed it: uploaded, or with a line of another segment in its place.
func (s *Spool) Present(seg Segment) bool {
	for range 2 { // a segment whose text is dropped becomes Sealed again, behind the first look
		if s.exists(seg.Dir, seg.Name) {
			return true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed[path.Join(seg.Dir, seg.Name.Stem())]
}
