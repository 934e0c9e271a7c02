package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/internal/durable"
)

var (
	t0  = time.Date(2026, 11, 23, 19, 3, 1, 123456789, time.UTC)
	web = Stream{ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "web", Image: "shop:7", Host: "web-1", App: "checkout", Format: "cri"}
)

const dir = "web-1a2b3c4d5e6f"

func openSpool(t *testing.T, path string) *Spool {
	t.Helper()
	key, err := ParseKeyTemplate(DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{Key: key, Triage: testTriage{}, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// line is a cri record, n seconds after t0.
func line(n int) (text string, nano int64) {
	at := t0.Add(time.Duration(n) * time.Second)
	return at.Format("2006-01-02T15:04:05.000000000Z07:00") + fmt.Sprintf(" stdout F line %d\n", n), at.UnixNano()
}

func appendLine(t *testing.T, w *Writer, n int) string {
	t.Helper()
	text, nano := line(n)
	if _, err := w.Append(&Batch{Text: []byte(text), First: nano, Last: nano, Lines: 1, Errors: 1}, 1<<20); err != nil {
		t.Fatal(err)
	}
	return text
}

func seal(t *testing.T, w *Writer, r Reason) {
	t.Helper()
	if _, err := w.Seal(r); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, s *Spool) []Segment {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// files lists everything below dir, directories with a slash.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir || d.Name() == LockFile {
			return err
		}
		if d.Name() == DeletedDir {
			return fs.SkipDir // see deleted_test.go
		}
		rel, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			rel += "/"
		}
		names = append(names, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestALifeOfASegment(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	if got := files(t, path); got != nil {
		t.Fatalf("before the first record: %v", got)
	}
	if p, err := w.Seal(Stop); p != "" || err != nil {
		t.Fatalf("sealing nothing: %q, %v", p, err)
	}

	text := appendLine(t, w, 0) + appendLine(t, w, 5)
	if got, _ := os.ReadFile(filepath.Join(path, dir, "web.log")); string(got) != text {
		t.Fatalf("active: %q", got)
	}
	seal(t, w, Error)
	stem := "web.log-20261123T190301.123456Z-000001-error"
	want := []string{dir + "/", dir + "/.stream.json", dir + "/." + stem + ".json", dir + "/" + stem}
	if d := cmp.Diff(want, files(t, path)); d != "" {
		t.Fatal(d)
	}

	seg := list(t, s)[0]
	seg, err := s.Pack(seg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Meta(seg)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	file, err := os.ReadFile(filepath.Join(path, seg.Path()))
	if err != nil {
		t.Fatal(err)
	}
	object := sha256.Sum256(file)
	if got := packtest.Unpack(t, file); got != text {
		t.Fatalf("packed: %q", got)
	}
	if d := cmp.Diff(&Meta{
		Key:    "logs/dt=2026-11-23/host=web-1/app=checkout/20261123T190301.123456Z-000001-1a2b3c4d5e6f-error.log.gz",
		Stream: web, Reason: Error, Seq: 1, First: t0, Last: t0.Add(5 * time.Second),
		Lines: 2, Bytes: int64(len(text)), Errors: 2, SHA256: hex.EncodeToString(sum[:]),
		SHA256Object: hex.EncodeToString(object[:]), Index: []int64{10},
	}, m); d != "" {
		t.Fatal(d)
	}
	if err := s.Delete(seg); err == nil {
		t.Fatal("deleted a segment that is not uploaded")
	}
	if err := s.Uploaded(seg); err != nil {
		t.Fatal(err)
	}
	seg = list(t, s)[0]
	if got := seg.Path(); got != dir+"/"+stem+".uploaded.gz" {
		t.Fatalf("uploaded: %s", got)
	}

	// The writer is open: the directory stays. Once it is closed, nothing does.
	text2 := appendLine(t, w, 10)
	if err := s.Delete(seg); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(path, dir, "web.log")); string(got) != text2 {
		t.Fatalf("active after the delete: %q", got)
	}
	seal(t, w, Stop)
	w.Close()
	seg, err = s.Pack(list(t, s)[0], nil, nil)
	if err == nil {
		err = s.Uploaded(seg)
	}
	if err == nil {
		err = s.Delete(list(t, s)[0])
	}
	if got := files(t, path); err != nil || got != nil {
		t.Fatalf("at the end: %v, %v", got, err)
	}
}

// TestASegmentIsListedWhileItsNameChanges gives a directory as readdir may: the segment
// is renamed behind it, so that neither name was read.
func TestASegmentIsListedWhileItsNameChanges(t *testing.T) {
	s := openSpool(t, t.TempDir())
	w := s.Writer(web)
	appendLine(t, w, 0)
	seal(t, w, Error)
	sealed := list(t, s)
	entries, err := s.readDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == sealed[0].Name.String() })
	if got := s.present(dir, entries); !slices.Equal(got, sealed) {
		t.Errorf("without its name: %v", got)
	}
	w.Close()
	packed, err := s.Pack(sealed[0], nil, nil)
	if err == nil {
		err = s.Uploaded(packed)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.All(); !slices.Equal(got, sealed) || err != nil {
		t.Errorf("uploaded: %v, %v", got, err)
	}
	if err := s.Delete(list(t, s)[0]); err != nil {
		t.Fatal(err)
	}
	if got := s.present(dir, entries); len(got) != 0 {
		t.Errorf("deleted: %v", got)
	}
}

func TestSealsInOneInstantKeepTheirOrder(t *testing.T) {
	s := openSpool(t, t.TempDir())
	w := s.Writer(web)
	for range 12 {
		appendLine(t, w, 0)
		seal(t, w, Size)
	}
	all := list(t, s)
	if len(all) != 12 {
		t.Fatalf("%d segments of 12", len(all))
	}
	var names []string
	for i, g := range all {
		if g.Name.Seq != i+1 {
			t.Fatalf("segment %d has number %d", i, g.Name.Seq)
		}
		names = append(names, g.Name.String())
	}
	if !slices.IsSorted(names) {
		t.Fatalf("names do not sort: %v", names)
	}
	// A later writer goes on counting.
	w.Close()
	w = s.Writer(web)
	appendLine(t, w, 1)
	seal(t, w, Stop)
	if last := list(t, s)[12].Name.Seq; last != 13 {
		t.Fatalf("the next life's first segment has number %d", last)
	}
}

func TestRecover(t *testing.T) {
	one, _ := line(1)
	two, _ := line(2)
	sealed := "web.log-20261123T190301.123456Z-000007-error"
	for name, tt := range map[string]struct {
		files map[string]string
		want  map[string]string // visible files alone
	}{
		"active": {
			map[string]string{"web.log": one + two},
			map[string]string{"web.log-20261123T190302.123456Z-000001-recover": one + two},
		},
		"active with a torn record, behind others": {
			map[string]string{"web.log": one + two + "2026-11-23T19:0", sealed: one},
			map[string]string{"web.log-20261123T190302.123456Z-000008-recover": one + two, sealed: one},
		},
		"a torn record alone":        {map[string]string{"web.log": "2026-11-23T19:0"}, map[string]string{}},
		"an empty active":            {map[string]string{"web.log": ""}, map[string]string{}},
		"killed before the seal":     {map[string]string{"web.log": one, "." + sealed + ".json": "{}"}, map[string]string{"web.log-20261123T190302.123456Z-000001-recover": one}},
		"killed while packing":       {map[string]string{sealed: one, "." + sealed + ".gz.tmp": "hal"}, map[string]string{sealed: one}},
		"killed after packing":       {map[string]string{sealed: one, sealed + ".gz": "packed"}, map[string]string{sealed + ".gz": "packed"}},
		"killed while deleting":      {map[string]string{"." + sealed + ".json": "{}"}, map[string]string{}},
		"files of others stay":       {map[string]string{"notes.txt": "mine", "web.log.1": "mine", ".vimrc": "mine"}, map[string]string{"notes.txt": "mine", "web.log.1": "mine", ".vimrc": "mine"}},
		"a long torn record is cut":  {map[string]string{"web.log": one + strings.Repeat("x", 100<<10)}, map[string]string{"web.log-20261123T190302.123456Z-000001-recover": one}},
		"lines that are no records":  {map[string]string{"web.log": "what\n" + one}, map[string]string{"web.log-20261123T190302.123456Z-000001-recover": "what\n" + one}},
		"uploaded stays as it was":   {map[string]string{sealed + ".uploaded.gz": "packed"}, map[string]string{sealed + ".uploaded.gz": "packed"}},
		"description of a live file": {map[string]string{sealed: one, "." + sealed + ".json": "{}"}, map[string]string{sealed: one}},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			s := openSpool(t, path)
			if err := os.Mkdir(filepath.Join(path, dir), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := s.writeJSON(dir+"/"+streamFile, web); err != nil {
				t.Fatal(err)
			}
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(path, dir, name), []byte(text), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second finds nothing to do
				if err := s.Recover(func(string) bool { return false }); err != nil {
					t.Fatal(err)
				}
				got := map[string]string{}
				for _, f := range files(t, path) {
					name := filepath.Base(f)
					if strings.HasPrefix(name, ".web") && strings.HasSuffix(name, ".tmp") {
						t.Errorf("left behind: %s", name)
					}
					if _, ours := tt.files[name]; !strings.HasSuffix(f, "/") && (name[0] != '.' || ours && name == ".vimrc") {
						b, _ := os.ReadFile(filepath.Join(path, f))
						got[name] = string(b)
					}
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Fatal(d)
				}
			}
			for _, g := range list(t, s) {
				if g.Name.State != Sealed {
					continue
				}
				if m, err := s.Meta(g); err != nil || !strings.Contains(m.Key, "app=checkout/") {
					t.Errorf("%s: %+v, %v", g.Path(), m, err)
				}
			}
		})
	}
}

// TestResume kills a writer at each point of a batch of two lines, which began
// behind one line that is safe.
func TestResume(t *testing.T) {
	one, _ := line(0)
	batch := func() string { a, _ := line(1); b, _ := line(2); return a + b }()
	offset, size := int64(len(one)), int64(len(batch))
	for name, tt := range map[string]struct {
		file         string // of the active segment; "-": there is none
		offset, size int64
		began        int64 // 0: not known
		written      bool
		want         string // of the active segment then, "-" likewise
	}{
		"before the write":              {one, offset, size, 0, false, one},
		"within the write":              {one + batch[:10], offset, size, 0, false, one},
		"within its second line":        {one + batch[:size-3], offset, size, 0, false, one},
		"after the write":               {one + batch, offset, size, 0, true, one + batch},
		"nothing in doubt":              {one + batch, 0, 0, 0, true, one + batch},
		"another stream wrote since":    {one + batch + one, offset, size, 0, true, one + batch + one},
		"sealed since":                  {"-", offset, size, 0, true, "-"},
		"sealed since, and begun again": {"", offset, size, 0, true, ""},
		"within the first write":        {batch[:10], 0, size, 0, false, ""},
		"before the first write":        {"", 0, size, 0, false, ""},
		"after the first write":         {batch, 0, size, 0, true, batch},
		"cut by a disk that failed":     {one, offset + size, size, t0.UnixNano(), false, one},
		"another segment, as short":     {one, offset + size, size, t0.UnixNano() - 1, true, one},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			s := openSpool(t, path)
			w := s.Writer(web)
			active := filepath.Join(path, dir, "web.log")
			if err := os.Mkdir(filepath.Join(path, dir), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := s.writeJSON(dir+"/"+streamFile, web); err != nil {
				t.Fatal(err)
			}
			if tt.file != "-" {
				if err := os.WriteFile(active, []byte(tt.file), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Recover(func(d string) bool { return d == dir }); err != nil {
				t.Fatal(err)
			}
			written, err := w.Resume(tt.began, tt.offset, tt.size)
			if err != nil || written != tt.written {
				t.Fatalf("%v, %v; want %v", written, err, tt.written)
			}
			got, err := os.ReadFile(active)
			if errors.Is(err, os.ErrNotExist) {
				got = []byte("-")
			}
			if string(got) != tt.want {
				t.Fatalf("the segment is now %q", got)
			}
			next := appendLine(t, w, 3)
			seal(t, w, Stop)
			all := list(t, s)
			m, err := s.Meta(all[0])
			if err != nil || len(all) != 1 || m.Bytes != int64(len(strings.TrimPrefix(tt.want, "-")+next)) || m.Lines != int64(strings.Count(tt.want+next, "\n")) {
				t.Fatalf("%d segments, %+v, %v", len(all), m, err)
			}
		})
	}
}

func TestResumeKeepsWhenARawSegmentBegan(t *testing.T) {
	s := openSpool(t, t.TempDir())
	raw := web
	raw.Format = "raw"
	w := s.Writer(raw)
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var noted int64
	b := Batch{Text: []byte("text\n"), First: began.UnixNano(), Last: began.UnixNano(), Lines: 1}
	b.Before = func(began, _ int64) error { noted = began; return nil }
	for range 2 {
		if _, err := w.Append(&b, 1<<20); err != nil {
			t.Fatal(err)
		}
		if noted != began.UnixNano() {
			t.Fatalf("began at %d", noted)
		}
		b.First += int64(time.Hour)
	}
	// The process dies: the writer is not closed.
	w.file = nil
	if _, err := w.Resume(noted, 0, 0); err != nil {
		t.Fatal(err)
	}
	if got := w.Began(); !got.Equal(began) {
		t.Errorf("the segment began at %v, want %v", got, began)
	}
}

// TestRecoverCutsNoRawText has a long line of which the last chunk is to come:
// in raw text that looks like a torn record, and is not.
func TestRecoverCutsNoRawText(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	raw := web
	raw.Format = "raw"
	w := s.Writer(raw)
	const text = "whole\nbegun"
	if _, err := w.Append(&Batch{Text: []byte(text), First: t0.UnixNano(), Last: t0.UnixNano(), Lines: 1}, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(path, list(t, s)[0].Path()))
	if err != nil || string(got) != text {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestRecoverCountsTheErrors(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	text := "2026-11-23T19:03:01Z stdout F \"GET / HTTP/1.1\" 500 1\n" +
		"2026-11-23T19:03:01Z stdout P \"GET / HT\n2026-11-23T19:03:01Z stderr F 200\n2026-11-23T19:03:01Z stdout F TP/1.1\" 502 1\n"
	if _, err := w.Append(&Batch{Text: []byte(text), First: 1, Last: 1, Lines: 4}, 1<<20); err != nil {
		t.Fatal(err)
	}
	w.file.Close()
	delete(s.writers, dir) // the process is gone
	if err := s.Recover(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Meta(list(t, s)[0]); err != nil || m.Errors != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestRecoverCountsTheLines(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	text := appendLine(t, w, 0)
	long := "2026-11-23T19:03:02.000000000Z stdout F " + strings.Repeat("y", 200<<10) + "\n"
	if _, err := w.Append(&Batch{Text: []byte(long), First: t0.UnixNano(), Last: t0.UnixNano(), Lines: 1}, 1<<20); err != nil {
		t.Fatal(err)
	}
	text += long + appendLine(t, w, 9)
	w.file.Close()
	delete(s.writers, dir) // the process is gone
	if err := s.Recover(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	m, err := s.Meta(list(t, s)[0])
	if err != nil || m.Lines != 3 || m.Bytes != int64(len(text)) || !m.First.Equal(t0) || !m.Last.Equal(t0.Add(9*time.Second)) || !m.Stream.equal(&web) {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestAFailedAppendLeavesNothingAndCanBeRepeated(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	text := appendLine(t, w, 0)
	// A file that cannot be written to stands in for a full disk.
	good := w.file
	bad, err := os.Open(filepath.Join(path, dir, "web.log"))
	if err != nil {
		t.Fatal(err)
	}
	w.file = bad
	more, nano := line(1)
	b := &Batch{Text: []byte(more), First: nano, Last: nano, Lines: 1}
	if _, err := w.Append(b, 1<<20); err == nil {
		t.Fatal("wrote to a file that is open for reading")
	}
	bad.Close()
	w.file = good
	// What a short write left is cut before the next one.
	if _, err := good.WriteString("torn"); err != nil {
		t.Fatal(err)
	}
	w.torn = true
	if _, err := w.Append(b, 1<<20); err != nil {
		t.Fatal(err)
	}
	seal(t, w, Stop)
	seg := list(t, s)[0]
	got, _ := os.ReadFile(filepath.Join(path, seg.Path()))
	m, err := s.Meta(seg)
	if string(got) != text+more || err != nil || m.Lines != 2 {
		t.Fatalf("%q, %+v, %v", got, m, err)
	}
}

func TestAFailedBatchIsVoidBeforeItsSegmentIsSealed(t *testing.T) {
	for _, lines := range []int{0, 1} {
		path := t.TempDir()
		s := openSpool(t, path)
		w := s.Writer(web)
		for n := range lines {
			appendLine(t, w, n)
		}
		noted := false
		text, nano := line(1)
		b := &Batch{Text: []byte(text), First: nano, Last: nano, Lines: 1}
		good, active := (*os.File)(nil), filepath.Join(path, dir, "web.log")
		b.Before = func(int64, int64) error {
			noted, good = true, w.file
			var err error
			w.file, err = os.Open(active) // it can neither be written nor cut
			return err
		}
		b.Failed = func() error {
			if _, err := os.Lstat(active); err != nil {
				t.Errorf("void once it is sealed: %v", err)
			}
			noted = false
			return nil
		}
		if _, err := w.Append(b, 1<<20); err == nil || !noted {
			t.Fatalf("%v, noted: %v", err, noted)
		}
		w.file.Close()
		w.file = good
		seal(t, w, Stop)
		if noted {
			t.Error("it still counts as written")
		}
		if all := list(t, s); len(all) != lines {
			t.Errorf("%d lines, sealed as %v", lines, all)
		}
		if _, err := os.Lstat(active); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("an active segment is left: %v", err)
		}
	}
}

func TestAFailedSealIsRepeatedUnderTheSameName(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	text := appendLine(t, w, 0)
	// The disk does not take what describes the seal.
	full := errors.New("disk full")
	stop := durable.Intercept(func(step durable.Step, do func() error) error {
		if step.Op == "write" {
			return full
		}
		return do()
	})
	_, err := w.Seal(Error)
	if stop(); !errors.Is(err, full) {
		t.Fatalf("sealed without its description: %v", err)
	}
	next := appendLine(t, w, 1) // finishes the seal first
	seg := list(t, s)
	if len(seg) != 1 || seg[0].Name.Reason != Error {
		t.Fatalf("%v", seg)
	}
	got, _ := os.ReadFile(filepath.Join(path, seg[0].Path()))
	active, _ := os.ReadFile(filepath.Join(path, dir, "web.log"))
	if string(got) != text || string(active) != next {
		t.Fatalf("sealed %q, active %q", got, active)
	}
}

func TestSync(t *testing.T) {
	s := openSpool(t, t.TempDir())
	w := s.Writer(web)
	if err := w.Sync(); err != nil {
		t.Fatalf("without a segment: %v", err)
	}
	appendLine(t, w, 0)
	if !w.dirty || !w.created.Load() {
		t.Fatal("what was appended counts as synced")
	}
	if err := w.Sync(); err != nil || w.dirty || w.created.Load() {
		t.Fatalf("after a sync: %v, dirty %v, created %v", err, w.dirty, w.created.Load())
	}
	text, nano := line(1)
	b := &Batch{Text: []byte(text), First: nano, Last: nano, Lines: 1, Sync: true}
	if _, err := w.Append(b, 1<<20); err != nil || w.dirty {
		t.Fatalf("after an append with Sync: %v, dirty %v", err, w.dirty)
	}

	// A pipe can be written to, but not synced: both kinds of sync must say so.
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer pipe.Close()
	good, size := w.file, w.size
	w.file = pipe
	if _, err := w.Append(b, 1<<20); err == nil || w.size != size || w.meta.Lines != 2 {
		t.Fatalf("an append that could not be synced: %v, size %d, %d lines", err, w.size, w.meta.Lines)
	}
	w.dirty = true
	if err := w.Sync(); err == nil || !w.dirty {
		t.Fatalf("a sync that failed: %v, dirty %v", err, w.dirty)
	}
	w.file = good
	if err := w.Sync(); err != nil || w.dirty {
		t.Fatalf("the next sync: %v, dirty %v", err, w.dirty)
	}
}

func TestPackFailureKeepsTheText(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	text := appendLine(t, w, 0)
	seal(t, w, Stop)
	seg := list(t, s)[0]
	full := errors.New("disk full")
	stop := durable.Intercept(func(step durable.Step, do func() error) error {
		if err := do(); err != nil || step.Op != "fsync" {
			return err
		}
		return full
	})
	defer stop()
	if _, err := s.Pack(seg, nil, nil); !errors.Is(err, full) {
		t.Fatalf("Pack: %v", err)
	}
	if got, _ := os.ReadFile(filepath.Join(path, seg.Path())); string(got) != text {
		t.Fatalf("the text is now %q", got)
	}
	if got := files(t, path); len(got) != 4 {
		t.Fatalf("left behind: %v", got)
	}
}

func TestOneOwnerASpool(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	if _, err := Open(path, Options{Key: s.key}); !errors.Is(err, durable.ErrLocked) {
		t.Fatalf("a second owner: %v", err)
	}
}

func TestNothingIsWrittenThroughAPlantedLink(t *testing.T) {
	path, outside := t.TempDir(), t.TempDir()
	s := openSpool(t, path)
	if err := os.Symlink(outside, filepath.Join(path, dir)); err != nil {
		t.Fatal(err)
	}
	w := s.Writer(web)
	text, nano := line(0)
	b := &Batch{Text: []byte(text), First: nano, Last: nano, Lines: 1}
	if _, err := w.Append(b, 1<<20); err != nil {
		t.Error(err)
	}
	if got := files(t, outside); got != nil {
		t.Errorf("outside: %v", got)
	}
	seal(t, w, Size)
	precious := filepath.Join(outside, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, filepath.Join(path, dir, "web.log")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(b, 1<<20); err != nil {
		t.Error(err)
	}
	if err := s.Recover(func(string) bool { return false }); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(precious); string(got) != "precious" {
		t.Errorf("outside: %q", got)
	}
}

func TestOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, as which logfast runs in its plugin")
	}
	path := t.TempDir()
	key, _ := ParseKeyTemplate(DefaultKey)
	s, err := Open(path, Options{Key: key, UID: 1234, GID: 4321})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := s.Writer(web)
	appendLine(t, w, 0)
	seal(t, w, Stop)
	if _, err := s.Pack(list(t, s)[0], nil, nil); err != nil {
		t.Fatal(err)
	}
	appendLine(t, w, 1)
	for _, f := range files(t, path) {
		fi, err := os.Stat(filepath.Join(path, f))
		if err != nil {
			t.Fatal(err)
		}
		want := os.FileMode(fileMode)
		if fi.IsDir() {
			want = dirMode
		}
		if uid, gid := owner(fi); uid != 1234 || gid != 4321 || fi.Mode().Perm() != want {
			t.Errorf("%s: %d:%d %v", f, uid, gid, fi.Mode())
		}
	}
}

func TestNames(t *testing.T) {
	for _, state := range []State{Sealed, Packed, Uploaded} {
		for _, reason := range []Reason{Error, Schedule, Size, Stop, Manual, Recover} {
			want := Name{Active: "a.log-b.log", Time: t0.Truncate(time.Microsecond), Seq: 1234567, Reason: reason, State: state}
			if got, ok := ParseName(want.String()); !ok || got != want {
				t.Errorf("%s: %+v, %v", want, got, ok)
			}
		}
	}
	for _, s := range []string{
		"web.log", "web.log.1", "web.log-20261123", "web.log-20261123T190301.123456Z-000001-error.gz.tmp",
		".web.log-20261123T190301.123456Z-000001-error", "web.log-20261123T190301.123456Z-000001-error.uploaded",
		"web.log-20261123T190301.123456Z-000001-other", "web.log-20261323T190301.123456Z-000001-error",
	} {
		if n, ok := ParseName(s); ok {
			t.Errorf("%q parsed as %+v", s, n)
		}
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"web": "web", "": "-", "..": "_.", "../../etc/passwd": "_._.._etc_passwd", ".hidden": "_hidden",
		"a\x00b\nc": "a_b_c", "naïve": "na__ve", "a=b": "a_b", strings.Repeat("x", 4096): strings.Repeat("x", 128),
	} {
		if got := FileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestKeyTemplate(t *testing.T) {
	m := &Meta{Stream: web, Reason: Size, Seq: 42, First: t0}
	for template, want := range map[string]string{
		DefaultKey:                  "logs/dt=2026-11-23/host=web-1/app=checkout/20261123T190301.123456Z-000042-1a2b3c4d5e6f-size.log.gz",
		"{app}.log-{unix}.gz":       "checkout.log-1795460581.gz",
		"{group}/{name}-{seq}.gz":   "-/web-000042.gz",
		"x{time}":                   "x20261123T190301.123456Z",
		"{reason}/{seq}":            "size/000042",
		"{dt}/{dt}/{time}-{reason}": "2026-11-23/2026-11-23/20261123T190301.123456Z-size",
	} {
		k, err := ParseKeyTemplate(template)
		if err != nil {
			t.Errorf("%q: %v", template, err)
			continue
		}
		if got := k.Render(m); got != want {
			t.Errorf("%q: %q, want %q", template, got, want)
		}
	}
	for template, want := range map[string]string{
		"{tiem}":         `unknown placeholder {tiem}; did you mean "time"?`,
		"{label:}{seq}":  "unknown placeholder {label:}",
		"{lable:a}{seq}": "{label:NAME}, {env:NAME}",
		"{time":          "a { without its }",
		"time}":          "a } without its {",
		"{app}/{host}":   "needs {time}, {unix} or {seq}",
		"":               "needs {time}, {unix} or {seq}",
		"/{time}":        "may not be empty",
		"a//{time}":      "may not be empty",
		"a/../{time}":    `begin with "."`,
		"{time}/":        "may not be empty",
		".hidden{time}":  `begin with "."`,
		"a\n/{time}":     "no control characters",
		"a\xff/{time}":   "must be UTF-8",

		strings.Repeat("{name}", 8) + "{time}": "more than 960",
	} {
		if _, err := ParseKeyTemplate(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want … %s …", template, err, want)
		}
	}
}

func TestMetadataIsPrintable(t *testing.T) {
	m := &Meta{Stream: Stream{ID: "x\n", Image: "évil\r\nx: y" + strings.Repeat("z", 9999)}}
	total := 0
	for name, value := range m.Metadata() {
		total += len(name) + len(value)
		for _, c := range []byte(value) {
			if c < ' ' || c > '~' {
				t.Errorf("%s: %q", name, value)
			}
		}
	}
	if total > 2048 {
		t.Errorf("%d bytes of metadata; S3 takes 2048", total)
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("web.log-20261123T190301.123456Z-000001-error.uploaded.gz")
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseName(s)
		if ok && n.String() != s {
			t.Fatalf("%q reads as %q", s, n)
		}
	})
}
