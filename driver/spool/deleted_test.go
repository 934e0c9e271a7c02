package spool

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/internal/durable"
)

// openLogged is openSpool with a log.
func openLogged(t *testing.T, path string) (*Spool, *bytes.Buffer) {
	t.Helper()
	key, err := ParseKeyTemplate(DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := Open(path, Options{
		Key: key, Triage: testTriage{}, UID: -1, GID: -1, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, &log
}

// uploadedLines writes one segment a number, each with the line of that number, and marks
// them all uploaded.
func uploadedLines(t *testing.T, s *Spool, of Stream, numbers ...int) {
	t.Helper()
	w := s.Writer(of)
	for _, n := range numbers {
		appendLine(t, w, n)
		seal(t, w, Manual)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, seg := range list(t, s) {
		if seg.Name.State != Sealed {
			continue
		}
		packed, err := s.Pack(seg, nil, nil)
		if err == nil {
			err = s.Uploaded(packed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// deleteOldest deletes the n oldest segments.
func deleteOldest(t *testing.T, s *Spool, n int) {
	t.Helper()
	for _, seg := range list(t, s)[:n] {
		if err := s.Delete(seg); err != nil {
			t.Fatal(err)
		}
	}
}

func wantDeleted(t *testing.T, s *Spool, id string, first, last int) {
	t.Helper()
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	got, known := s.Deleted(id)
	if !known || !got.From.Equal(at(first)) || !got.To.Equal(at(last)) {
		t.Errorf("deleted: %v, %v; want %v to %v", got, known, at(first), at(last))
	}
}

func records(t *testing.T, spool string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(spool, DeletedDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// numbered is a container of its own.
func numbered(n int) Stream {
	of := web
	of.ID = strings.Repeat(string(rune('a'+n)), 64)
	return of
}

func TestDeleted_OutlivesTheProcess(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	uploadedLines(t, s, web, 1, 2, 3)
	deleteOldest(t, s, 2)
	if got, known := s.Deleted(web.ID); known {
		t.Errorf("%v though a segment is left, whose number says the same", got)
	}
	deleteOldest(t, s, 1)
	wantDeleted(t, s, web.ID, 3, 3)
	for _, n := range []int{4, 5} { // the numbers begin again each time
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openSpool(t, path)
		wantDeleted(t, s, web.ID, 3, n-1)
		uploadedLines(t, s, web, n)
		deleteOldest(t, s, 1)
		wantDeleted(t, s, web.ID, 3, n)
	}
	if got := records(t, path); len(got) != 1 {
		t.Errorf("records: %q", got)
	}
	if got, known := s.Deleted(numbered(0).ID); known {
		t.Errorf("of another container: %v", got)
	}
}

// TestDeleted_InAnyOrder deletes the last segment first, as when an incident still needs the
// first one.
func TestDeleted_InAnyOrder(t *testing.T) {
	s := openSpool(t, t.TempDir())
	uploadedLines(t, s, web, 1, 2)
	if err := s.Delete(list(t, s)[1]); err != nil {
		t.Fatal(err)
	}
	wantDeleted(t, s, web.ID, 2, 2)
	deleteOldest(t, s, 1)
	wantDeleted(t, s, web.ID, 1, 2)
}

func TestDeleted_ForRoom(t *testing.T) {
	s := openSpool(t, t.TempDir())
	s.maxDisk = 1
	uploadedLines(t, s, web, 1)
	if _, err := s.MakeRoom(Need{Bytes: 1}); err != nil {
		t.Fatal(err)
	}
	wantDeleted(t, s, web.ID, 1, 1)
}

func TestDeleted_NeverKeepsASegment(t *testing.T) {
	path := t.TempDir()
	s, log := openLogged(t, path)
	for n := range 3 {
		uploadedLines(t, s, numbered(n), n)
	}
	broken := errors.New("the disk is broken")
	stop := durable.Intercept(func(step durable.Step, do func() error) error {
		if step.Name == DeletedDir {
			return broken
		}
		return do()
	})
	t.Cleanup(stop)
	deleteOldest(t, s, 2)
	n := strings.Count(log.String(), "cannot record which lines were deleted")
	if n != 1 || !strings.Contains(log.String(), broken.Error()) {
		t.Errorf("%d warnings:\n%s", n, log)
	}
	stop()
	deleteOldest(t, s, 1)
	if len(list(t, s)) > 0 || len(records(t, path)) != 1 {
		t.Errorf("left: %v; records: %q", list(t, s), records(t, path))
	}
	wantDeleted(t, s, numbered(2).ID, 2, 2)
}

// TestDeleted_FullDisk has no room for a record until the segment is deleted.
func TestDeleted_FullDisk(t *testing.T) {
	s, log := openLogged(t, t.TempDir())
	uploadedLines(t, s, web, 1)
	removed := false
	t.Cleanup(durable.Intercept(func(step durable.Step, do func() error) error {
		removed = removed || step.Op == "remove"
		if !removed {
			return unix.ENOSPC
		}
		return do()
	}))
	deleteOldest(t, s, 1)
	wantDeleted(t, s, web.ID, 1, 1)
	if log.Len() > 0 {
		t.Errorf("it warns: %s", log)
	}
}

func TestDeleted_IsBounded(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	s.deleted.most = 3
	for _, n := range []int{2, 0, 1, 3, 4} { // the order of their ends counts, not that of the deletions
		uploadedLines(t, s, numbered(n), n)
		deleteOldest(t, s, 1)
	}
	for range 2 {
		for n := range 5 {
			if _, known := s.Deleted(numbered(n).ID); known != (n >= 2) {
				t.Errorf("container %d: %v", n, known)
			}
		}
		if got := records(t, path); len(got) != 3 {
			t.Errorf("records: %q", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openSpool(t, path)
	}
}

func TestDeleted_LeavesOtherFilesAlone(t *testing.T) {
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, DeletedDir), 0o700); err != nil {
		t.Fatal(err)
	}
	other := []string{"notes.txt", web.ID, web.ID + "-20261332T000000.000000000Z-20261123T190301.000000000Z"}
	for _, name := range other {
		if err := os.WriteFile(filepath.Join(path, DeletedDir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openSpool(t, path)
	if got, known := s.Deleted(web.ID); known {
		t.Error(got)
	}
	uploadedLines(t, s, web, 1)
	deleteOldest(t, s, 1)
	if got := records(t, path); len(got) != len(other)+1 {
		t.Errorf("%q", got)
	}
	// The directory is removed, and a file is put in its place.
	dir := filepath.Join(path, DeletedDir)
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	uploadedLines(t, s, web, 2)
	deleteOldest(t, s, 1)
	want := []string{web.ID + "-20261123T190302.123456789Z-20261123T190303.123456789Z"}
	if d := cmp.Diff(want, records(t, path)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if err := errors.Join(s.Close(), os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	openSpool(t, path)
}
