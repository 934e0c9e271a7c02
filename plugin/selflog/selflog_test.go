package selflog

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// output is what a log writes to: timers write too.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// lines takes what was written since the last call.
func lines(o *output) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSpace(o.b.String())
	o.b.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func TestRepeatsAreFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b output
		l := New(&b)
		web := l.With("container", "web")
		for range 5 {
			web.Error("cannot write", "err", "no space")
		}
		web.Error("cannot write", "err", "read-only")                      // another reason
		l.With("container", "db").Error("cannot write", "err", "no space") // another container
		web.Warn("cannot write", "err", "no space")                        // another level
		if got := lines(&b); len(got) != 4 {
			t.Fatalf("%q", got)
		}
		time.Sleep(window)
		synctest.Wait()
		got := lines(&b)
		if len(got) != 1 || !strings.Contains(got[0], `container=web err="no space" repeated=4`) || !strings.Contains(got[0], "level=ERROR") {
			t.Fatalf("%q", got)
		}
		// It goes on: said at the end of each minute. It ends: said again at once.
		web.Error("cannot write", "err", "no space")
		time.Sleep(window)
		synctest.Wait()
		if got := lines(&b); len(got) != 1 || !strings.Contains(got[0], "repeated=1") {
			t.Fatalf("%q", got)
		}
		time.Sleep(window)
		synctest.Wait()
		web.Error("cannot write", "err", "no space")
		if got := lines(&b); len(got) != 1 || strings.Contains(got[0], "repeated") {
			t.Fatalf("%q", got)
		}
		web.Error("cannot write", "err", "no space")
		l.Flush()
		if got := lines(&b); len(got) != 1 || !strings.Contains(got[0], "repeated=1") {
			t.Fatalf("at the end: %q", got)
		}
	})
}

// TestTriesOfOneThingAreFolded: an outage is one line a minute, whichever way its
// tries are told.
func TestTriesOfOneThingAreFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b output
		l := New(&b)
		for i := range 3 {
			l.With("attempt", i+1, "next", time.Second<<i).Error("upload failed", "err", "refused")
			l.Error("pack failed", "attempt", i+1, "next", time.Second<<i)
		}
		if got := lines(&b); len(got) != 2 {
			t.Fatalf("%q", got)
		}
		time.Sleep(window)
		synctest.Wait()
		got := strings.Join(lines(&b), "\n")
		for _, want := range []string{`"upload failed" attempt=3 next=4s err=refused repeated=2`, `"pack failed" attempt=3 next=4s repeated=2`} {
			if !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
		l.Flush()
	})
}

func TestMoreLinesThanAreRememberedAreSaidAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b output
		l := New(&b)
		for i := range maxFolded + 10 {
			l.Info("line", "n", i)
		}
		l.Info("line", "n", maxFolded+9)
		if got := len(lines(&b)); got != maxFolded+11 {
			t.Errorf("%d lines", got)
		}
		l.Flush()
	})
}

func TestTheLevelMayChange(t *testing.T) {
	var b output
	l := New(&b)
	l.Debug("one")
	l.Level.Set(slog.LevelDebug)
	l.Debug("two")
	if got := lines(&b); len(got) != 1 || !strings.Contains(got[0], "two") {
		t.Errorf("%q", got)
	}
	l.Flush()
}

// kept is a log with a file in a directory.
func kept(t *testing.T) (l *Log, dir string, open func() (f *File, ended bool)) {
	t.Helper()
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	l = New(new(output))
	return l, dir, func() (*File, bool) {
		f, ended, err := OpenFile(root, -1, -1, "has stopped")
		if err != nil {
			t.Fatal(err)
		}
		l.Keep(f)
		return f, ended
	}
}

func TestTheFileTellsHowTheProcessBeforeEnded(t *testing.T) {
	l, dir, open := kept(t)
	f, ended := open()
	if !ended {
		t.Error("there was none before")
	}
	l.Info("at work")
	f.Close()
	f, ended = open()
	if ended {
		t.Error("it did not say that it has stopped")
	}
	l.Info("has stopped")
	l.Keep(nil)
	l.Info("not kept")
	f.Close()
	if f, ended = open(); !ended {
		t.Error("it said that it has stopped")
	}
	f.Close()
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil || strings.Count(string(b), "\n") != 2 || strings.Contains(string(b), "not kept") {
		t.Errorf("%s %v", b, err)
	}
	if fi, err := os.Stat(filepath.Join(dir, FileName)); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
}

func TestTheFileStaysSmall(t *testing.T) {
	l, dir, open := kept(t)
	f, _ := open()
	defer f.Close()
	const n = 3 * maxFile / 1000
	for i := range n {
		l.Info("line", "n", i, "text", strings.Repeat("x", 1000))
	}
	var all string
	for _, name := range []string{OldName, FileName} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(b) > maxFile {
			t.Fatalf("%s: %d bytes, %v", name, len(b), err)
		}
		all += string(b)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%d files", len(entries))
	}
	for i := n - 900; i < n; i++ { // the last ones, in order, whole
		at := strings.Index(all, fmt.Sprintf(" n=%d ", i))
		if at < 0 {
			t.Fatalf("line %d of %d is missing", i, n)
		}
		all = all[at:]
	}
	l.Flush()
}

func TestNothingIsWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("victim", filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, _, err := OpenFile(root, -1, -1, "")
	if err != nil {
		t.Fatal(err)
	}
	f.write([]byte("line\n"))
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, FileName)); string(text) != "line\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "victim")); err == nil {
		t.Error("it was written")
	}
}

// TestFile_AfterAPowerCut opens files that a power cut has left NUL bytes in.
func TestFile_AfterAPowerCut(t *testing.T) {
	nul := strings.Repeat("\x00", 700)
	for name, tt := range map[string]struct{ was, want string }{
		"NUL bytes at the end":        {"one\n" + nul, "one\n"},
		"half a line and NUL bytes":   {"one\ntw" + nul, "one\ntw\n"},
		"half a line":                 {"one\ntw", "one\ntw\n"},
		"NUL bytes of an earlier cut": {"one\ntw" + nul + "three\n", "one\ntw\nthree\n"},
		"NUL bytes alone":             {nul, ""},
		"nothing":                     {"", ""},
		"whole":                       {"one\n", "one\n"},
	} {
		t.Run(name, func(t *testing.T) {
			l, dir, open := kept(t)
			if err := os.WriteFile(filepath.Join(dir, FileName), []byte(tt.was), 0o640); err != nil {
				t.Fatal(err)
			}
			f, _ := open()
			l.Info("next")
			l.Keep(nil)
			f.Close()
			b, err := os.ReadFile(filepath.Join(dir, FileName))
			rest, ok := strings.CutPrefix(string(b), tt.want)
			if err != nil || !ok || strings.Count(rest, "\n") != 1 || !strings.Contains(rest, "msg=next") {
				t.Errorf("%q, want %q and a line, %v", b, tt.want, err)
			}
		})
	}
}

// TestFile_IsMadeAnew after somebody, or logrotate, has taken it away.
func TestFile_IsMadeAnew(t *testing.T) {
	for how, change := range map[string]func(name string) error{
		"removed":   os.Remove,
		"moved":     func(name string) error { return os.Rename(name, name+".2") },
		"truncated": func(name string) error { return os.Truncate(name, 0) },
	} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		f, _, err := OpenFile(root, -1, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.write([]byte("before\n"))
		if err := change(filepath.Join(dir, FileName)); err != nil {
			t.Fatal(err)
		}
		f.write([]byte("after\n"))
		if text, err := os.ReadFile(filepath.Join(dir, FileName)); string(text) != "after\n" {
			t.Errorf("%s: %q, %v", how, text, err)
		}
	}
}

func TestSplit_OnlyWarningsAndErrorsOnStderr(t *testing.T) {
	var stdout, stderr output
	l := NewSplit(&stdout, &stderr)
	l.Level.Set(slog.LevelDebug)
	l.Debug("a detail")
	l.Info("started level=ERROR")
	l.With("container", "web").Warn("late level=INFO")
	l.Error("failed")
	for name, test := range map[string]struct {
		got  []string
		want []string
	}{
		"stdout": {lines(&stdout), []string{"level=DEBUG", "level=INFO"}},
		"stderr": {lines(&stderr), []string{"level=WARN", "level=ERROR"}},
	} {
		if len(test.got) != len(test.want) {
			t.Fatalf("%s: %q", name, test.got)
		}
		for i, want := range test.want {
			if !strings.Contains(test.got[i], " "+want+" ") {
				t.Errorf("%s: %q, want %s", name, test.got[i], want)
			}
		}
	}
}
