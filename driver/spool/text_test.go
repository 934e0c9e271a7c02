package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestText_EachState reads one text in each state of its segment: from its start,
// from its middle and, if its index is known, at any place.
func TestText_EachState(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(Stream{ID: strings.Repeat("1a", 32), Name: "web", Format: "cri"})
	want := appendLine(t, w, 0) + appendLine(t, w, 5)
	view, err := OpenView(path)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	check := func(state State, m *Meta, anywhere bool) {
		t.Helper()
		all, err := view.Segments(w.dir)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		text, err := view.OpenText(all[0], m)
		if err != nil || text.State != state {
			t.Fatalf("%+v, %v; want state %v", text, err, state)
		}
		defer text.Close()
		for _, from := range []int{0, 7, len(want)} {
			r, err := text.From(int64(from))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != want[from:] {
				t.Errorf("state %v from %d: %q, %v", state, from, got, err)
			}
		}
		at, size := text.At()
		if anywhere != (at != nil) {
			t.Fatalf("state %v: at any place: %v", state, at != nil)
		}
		if !anywhere {
			return
		}
		got := make([]byte, 9)
		if _, err := at.ReadAt(got, 5); err != nil || string(got) != want[5:14] || size != int64(len(want)) {
			t.Errorf("state %v at 5: %q, %v; %d bytes", state, got, err, size)
		}
	}
	check(Active, nil, true)
	seal(t, w, Error)
	seg := list(t, s)[0]
	sealed, err := s.Meta(seg)
	if err != nil {
		t.Fatal(err)
	}
	check(Sealed, sealed, true)
	if seg, err = s.Pack(seg, nil, nil); err != nil {
		t.Fatal(err)
	}
	check(Packed, sealed, true) // the index is newer than what the caller knows
	check(Packed, nil, true)
	m, err := s.Meta(seg)
	if err != nil {
		t.Fatal(err)
	}
	wrong := *m
	wrong.Index = []int64{0}
	check(Packed, &wrong, false)
	if err := s.Uploaded(seg); err != nil {
		t.Fatal(err)
	}
	check(Uploaded, m, true)
	if err := os.Remove(filepath.Join(path, w.dir, seg.Name.metaName())); err != nil {
		t.Fatal(err)
	}
	check(Uploaded, nil, false)
	gone := seg
	gone.Name.Seq++
	if _, err := view.OpenText(gone, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a segment that is not there: %v", err)
	}
}

// closed is a file that knows whether it was closed.
type closed struct {
	*bytes.Reader
	n int
}

func (c *closed) Close() error { c.n++; return nil }

func TestText_ClosesItsFile(t *testing.T) {
	f := &closed{Reader: bytes.NewReader([]byte("text"))}
	if NewText(f, 4, Sealed, nil).Close(); f.n != 1 {
		t.Errorf("closed %d times", f.n)
	}
	NewText(f.Reader, 4, Sealed, nil).Close() // which has nothing to close
}
