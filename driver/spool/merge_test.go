package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// noInodes makes every step fail that makes a file where there was none, beyond what the
// reserve has given back, as a file system without free inodes does.
func noInodes(t *testing.T, s *Spool) (lift func()) {
	t.Helper()
	return durable.Intercept(func(step durable.Step, do func() error) error {
		if step.Op == "create" && step.Name == probeFile {
			return &os.PathError{Op: "open", Path: step.Name, Err: unix.ENOSPC}
		}
		return do()
	})
}

// TestMerge_OneLineStandsForNeighbours has no inode and pending segments of two containers: of
// the one with more files, neighbours go, without errors first, and one line stands for them.
func TestMerge_OneLineStandsForNeighbours(t *testing.T) {
	s := openSpool(t, t.TempDir())
	w, other := s.Writer(web), s.Writer(Stream{ID: strings.Repeat("b", 64), Name: "db", Host: "web-1", App: "db", Format: "cri"})
	fill(t, s, w, 0, 1, Packed)
	for i := 1; i < 40; i++ {
		fill(t, s, w, i, 0, []State{Sealed, Packed}[i%2])
	}
	fill(t, s, other, 50, 0, Packed)
	defer noInodes(t, s)()
	files := func() int {
		all, err := filepath.Glob(filepath.Join(s.root.Name(), "*", "*"))
		hidden, hiddenErr := filepath.Glob(filepath.Join(s.root.Name(), "*", ".*"))
		if err = errors.Join(err, hiddenErr); err != nil {
			t.Fatal(err)
		}
		return len(all) + len(hidden)
	}
	before := files()
	for _, grow := range []bool{true, false} {
		made, err := s.MakeRoom(Need{Refused: unix.ENOSPC, Drop: true, Grow: grow})
		freed := before - files()
		if grow {
			if !errors.Is(err, ErrFull) || len(made.Dropped) > 0 || freed != 0 {
				t.Errorf("for lines that need no inode: dropped %d, %v", len(made.Dropped), err)
			}
			continue
		}
		if err != nil || freed < inodesWanted || len(made.Dropped) > freed/2+1 {
			t.Errorf("dropped %d segments for %d files, %v", len(made.Dropped), freed, err)
		}
		for _, g := range made.Dropped {
			if g.Segment.Dir != w.dir || g.Segment.Name.Time.Equal(t0.UTC()) {
				t.Errorf("dropped %s", g.Segment.Path())
			}
		}
	}
	lines, marks := int64(0), 0
	for _, seg := range list(t, s) {
		m, err := s.Meta(seg)
		if err != nil {
			t.Fatal(err)
		}
		if lines += m.Lines; m.Lost != nil {
			lines += m.Lost.Lines - 1
			marks++
		}
	}
	if lines != 41 || marks != 1 {
		t.Errorf("%d lines are there or marked by %d marks, want 41 by 1", lines, marks)
	}
}

// TestMerge_AKillInItLosesNoCount kills it after each step, and recovers.
func TestMerge_AKillInItLosesNoCount(t *testing.T) {
	killed := errors.New("killed")
	for at, last := 0, false; !last; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			path := t.TempDir()
			s := openSpool(t, path)
			w := s.Writer(web)
			for i := range 3 {
				fill(t, s, w, i, 0, []State{Sealed, Packed}[i%2])
			}
			steps := 0
			stop := durable.Intercept(func(step durable.Step, do func() error) error {
				if step.Name == probeFile {
					return &os.PathError{Op: "open", Path: step.Name, Err: unix.ENOSPC}
				}
				if steps++; steps > at {
					return killed
				}
				return do()
			})
			if _, err := s.MakeRoom(Need{Refused: unix.ENOSPC, Drop: true}); err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			stop()
			last = steps <= at
			s.Close()
			s = openSpool(t, path)
			if err := s.Recover(func(string) bool { return false }); err != nil {
				t.Fatal(err)
			}
			lines := int64(0)
			for _, seg := range list(t, s) {
				m, err := s.Meta(seg)
				if err != nil {
					t.Fatal(err)
				}
				if lines += m.Lines; m.Lost != nil {
					lines += m.Lost.Lines - 1
				}
				if text, err := s.root.ReadFile(seg.Path()); err != nil || seg.Name.State == Sealed && int64(len(text)) != m.Bytes {
					t.Errorf("%s has %d bytes, and is said to have %d; %v", seg.Path(), len(text), m.Bytes, err)
				}
			}
			if lines != 3 {
				t.Errorf("%d lines are there or marked, want 3", lines)
			}
			if last && len(list(t, s)) != 1 {
				t.Errorf("%v are left, want one", list(t, s))
			}
		})
	}
}
