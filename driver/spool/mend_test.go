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
	"github.com/logfast/logfast/internal/durable/crashtest"
)

// vandal is a spool whose active file others change, and what must be in it.
type vandal struct {
	*testing.T
	path   string
	s      *Spool
	w      *Writer
	active string // path of the active file
	n      int    // lines so far
	want   strings.Builder
}

func newVandal(t *testing.T) *vandal {
	path := t.TempDir()
	s := openSpool(t, path)
	v := &vandal{T: t, path: path, s: s, w: s.Writer(web), active: filepath.Join(path, dir, "web.log")}
	v.lines(3)
	return v
}

func (v *vandal) lines(n int) {
	v.Helper()
	for range n {
		v.want.WriteString(appendLine(v.T, v.w, v.n))
		v.n++
	}
}

func (v *vandal) must(err error) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
}

// text returns the text of the spool's segments, in their order, and checks that
// each is truly described.
func (v *vandal) text() string {
	v.Helper()
	var text strings.Builder
	for _, seg := range list(v.T, v.s) {
		data, err := os.ReadFile(filepath.Join(v.path, seg.Path()))
		v.must(err)
		m, err := v.s.Meta(seg)
		v.must(err)
		if m.Bytes != int64(len(data)) || m.Lines != int64(strings.Count(string(data), "\n")) {
			v.Errorf("%s has %d bytes, %d lines; its description says %d and %d", seg.Path(), len(data), strings.Count(string(data), "\n"), m.Bytes, m.Lines)
		}
		text.Write(data)
	}
	return text.String()
}

// What takes the active file's name away, or puts something else there.
var removals = map[string]func(v *vandal) error{
	"removed":        func(v *vandal) error { return os.Remove(v.active) },
	"moved":          func(v *vandal) error { return os.Rename(v.active, filepath.Join(v.TempDir(), "mine.log")) },
	"moved within":   func(v *vandal) error { return os.Rename(v.active, v.active+".1") },
	"moved to a log": func(v *vandal) error { return os.Rename(v.active, filepath.Join(v.path, dir, "old.log")) },
	"logrotate's create": func(v *vandal) error {
		return errors.Join(os.Rename(v.active, v.active+".1"), os.WriteFile(v.active, nil, 0o640))
	},
	"replaced": func(v *vandal) error {
		return errors.Join(os.WriteFile(v.active+".new", []byte("edited\n"), 0o640), os.Rename(v.active+".new", v.active))
	},
	"a FIFO":      func(v *vandal) error { return errors.Join(os.Remove(v.active), unix.Mkfifo(v.active, 0o600)) },
	"a link":      func(v *vandal) error { return errors.Join(os.Remove(v.active), os.Symlink("/etc/passwd", v.active)) },
	"a directory": func(v *vandal) error { return errors.Join(os.Remove(v.active), os.MkdirAll(v.active+"/x", 0o700)) },
	"a socket": func(v *vandal) error {
		return errors.Join(os.Remove(v.active), unix.Mknod(v.active, unix.S_IFSOCK|0o600, 0))
	},
	"directory removed":   func(v *vandal) error { return os.RemoveAll(filepath.Dir(v.active)) },
	"directory moved":     func(v *vandal) error { return os.Rename(filepath.Dir(v.active), filepath.Join(v.path, "web-old")) },
	"directory moved out": func(v *vandal) error { return os.Rename(filepath.Dir(v.active), filepath.Join(v.TempDir(), "x")) },
	"directory replaced": func(v *vandal) error {
		return errors.Join(os.RemoveAll(filepath.Dir(v.active)), os.Mkdir(filepath.Dir(v.active), 0o755))
	},
	"directory a link": func(v *vandal) error {
		elsewhere := filepath.Join(v.TempDir(), "elsewhere")
		return errors.Join(os.Rename(filepath.Dir(v.active), elsewhere), os.Symlink(elsewhere, filepath.Dir(v.active)))
	},
	"directory a file": func(v *vandal) error {
		return errors.Join(os.RemoveAll(filepath.Dir(v.active)), os.WriteFile(filepath.Dir(v.active), []byte("x"), 0o600))
	},
	"a directory for its description": func(v *vandal) error {
		of := filepath.Join(v.path, dir, streamFile)
		return errors.Join(os.Remove(of), os.MkdirAll(of+"/x", 0o700), os.Remove(v.active))
	},
}

// TestMend_NothingIsLost takes the active file away, in each way, at each moment.
func TestMend_NothingIsLost(t *testing.T) {
	for how, remove := range removals {
		for when, notice := range map[string]func(v *vandal){
			"by the next lines": func(v *vandal) { v.lines(2) },
			"by a check":        func(v *vandal) { v.must(v.w.Check(true)) },
			"by a reader": func(v *vandal) {
				f, _, err := v.s.Watch(web.ID).Open()
				v.must(err)
				if f != nil {
					f.Close()
				}
			},
			"by the seal": func(v *vandal) {},
		} {
			t.Run(how+", noticed "+when, func(t *testing.T) {
				v := newVandal(t)
				v.must(remove(v))
				notice(v)
				v.lines(2)
				seal(t, v.w, Stop)
				v.lines(1)
				seal(t, v.w, Stop)
				if got := v.text(); got != v.want.String() {
					t.Errorf("%s\nwant\n%s", got, v.want.String())
				}
				// The next process finds nothing that it would take for another segment.
				before := len(list(t, v.s))
				v.must(v.s.Recover(func(string) bool { return false }))
				if got := v.text(); got != v.want.String() {
					t.Errorf("after a recovery, %d segments and now %d:\n%s", before, len(list(t, v.s)), got)
				}
			})
		}
	}
}

// TestMend_TheFileThatWasMovedAwayStaysAsItWas: an operator's copy does not grow.
func TestMend_TheFileThatWasMovedAwayStaysAsItWas(t *testing.T) {
	v := newVandal(t)
	moved := filepath.Join(t.TempDir(), "mine.log")
	v.must(os.Rename(v.active, moved))
	v.must(v.w.Check(true))
	before := v.want.String()
	v.lines(2)
	if got, err := os.ReadFile(moved); string(got) != before {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := os.ReadFile(v.active); before+string(got) != v.want.String() {
		t.Errorf("%q, %v", got, err)
	}
	damages := v.s.TakeDamages()
	if len(damages) != 1 || damages[0].Sealed == "" || damages[0].Lost != nil {
		t.Errorf("%+v", damages)
	}
}

// TestMend_EachWindow fails each step of saving the text, done or not; then the
// writer goes on, or the process dies and the next one recovers.
func TestMend_EachWindow(t *testing.T) {
	steps := mendWith(t, crashtest.None, func(*vandal) {})
	if len(steps) < 8 {
		t.Fatalf("%q", steps)
	}
	crashtest.Each(t, steps, func(t *testing.T, f crashtest.Fault) {
		mendWith(t, f, func(v *vandal) {
			if f.Dies {
				// The file is gone with the process: what was copied is there, once.
				v.must(v.s.Close())
				v.s = openSpool(t, v.path)
				v.must(v.s.Recover(func(string) bool { return false }))
				if got := v.text(); got != "" && got != v.want.String() {
					t.Errorf("%s\nwant nothing, or\n%s", got, v.want.String())
				}
				return
			}
			v.lines(1)
			seal(t, v.w, Stop)
			if got := v.text(); got != v.want.String() {
				t.Errorf("%s\nwant\n%s", got, v.want.String())
			}
		})
	})
}

// mendWith takes the active file away and has the writer save its text, with a
// fault. It returns the steps.
func mendWith(t *testing.T, f crashtest.Fault, then func(*vandal)) []string {
	v := newVandal(t)
	v.must(os.RemoveAll(filepath.Dir(v.active)))
	p := &crashtest.Process{Fault: f}
	stop := durable.Intercept(p.Step)
	err := v.w.Check(true)
	stop()
	if f != crashtest.None && !errors.Is(err, crashtest.ErrPower) {
		t.Fatalf("%v", err)
	}
	then(v)
	return p.Steps()
}

// TestMend_Truncated truncates the active file as logrotate's copytruncate does.
func TestMend_Truncated(t *testing.T) {
	for _, test := range []struct {
		name       string
		size       int64 // that is left
		lines      int64 // that are lost
		errs       int64
		then, text string // what stays before the mark
	}{
		{name: "to nothing", size: 0, lines: 3},
		{name: "within a line", size: 60, lines: 2},
		{name: "after a line", size: 47, lines: 2},
	} {
		for when, notice := range map[string]func(v *vandal){
			"lines": func(v *vandal) { v.lines(1) },
			"check": func(v *vandal) { v.must(v.w.Check(false)) },
			"seal":  func(*vandal) {},
		} {
			t.Run(test.name+", "+when, func(t *testing.T) {
				v := newVandal(t)
				before := v.want.String()
				v.must(os.Truncate(v.active, test.size))
				v.want.Reset()
				notice(v)
				v.lines(1)
				after := v.want.String()
				seal(t, v.w, Stop)
				kept := ""
				if test.size > 0 {
					kept = before[:strings.Index(before, "\n")+1]
				}
				got := v.text()
				mark := fmt.Sprintf("logfast: %d lines (%d bytes) lost, file truncated, ", test.lines, len(before)-len(kept))
				rest, ok := strings.CutPrefix(got, kept)
				line, rest, _ := strings.Cut(rest, "\n")
				if !ok || !strings.Contains(line, mark) || rest != after {
					t.Errorf("%q\nwant %q, a line with %q, %q", got, kept, mark, after)
				}
				m, err := v.s.Meta(list(t, v.s)[0])
				if err != nil || m.Lost == nil || m.Lost.Lines != test.lines || m.Lost.Bytes != int64(len(before)-len(kept)) || !m.Partly {
					t.Errorf("%+v, %v", m, err)
				}
				if m.Errors+m.LostErrors < 3 {
					t.Errorf("%d errors, %d lost ones", m.Errors, m.LostErrors)
				}
				damages := v.s.TakeDamages()
				if len(damages) != 1 || damages[0].Lost == nil || damages[0].Lost.Lines != test.lines {
					t.Errorf("%+v", damages)
				}
				if used := v.s.Used(); used != int64(len(got)) {
					t.Errorf("used: %d of %d bytes", used, len(got))
				}
			})
		}
	}
}

// TestMend_ATruncatedSegmentCanBeGivenUp: for want of room, as any other.
func TestMend_ATruncatedSegmentGoesItsWay(t *testing.T) {
	v := newVandal(t)
	v.must(os.Truncate(v.active, 47))
	seal(t, v.w, Stop)
	seg := list(t, v.s)[0]
	text := v.text()
	v.must(v.s.Recover(func(string) bool { return false }))
	if got := v.text(); got != text {
		t.Errorf("after a recovery %q, before %q", got, text)
	}
	m, err := v.s.Meta(seg)
	v.must(err)
	given := *m
	lost, err := v.s.giveUp(seg, &given)
	if err != nil || lost.Lines != m.Lost.Lines+m.Lines || given.Partly {
		t.Errorf("%+v, %v", lost, err)
	}
	v.text()
	if seg, err = v.s.Pack(seg, nil, nil); err != nil {
		t.Fatal(err)
	}
	if m, err = v.s.Meta(seg); err != nil || m.Lost == nil || m.Lost.Lines != lost.Lines {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestMend_OthersWriteToo: what another program appends stays, and tears no record.
func TestMend_OthersWriteToo(t *testing.T) {
	v := newVandal(t)
	f, err := os.OpenFile(v.active, os.O_WRONLY|os.O_APPEND, 0)
	v.must(err)
	_, err = f.WriteString("a note\nand half a one")
	v.must(errors.Join(err, f.Close()))
	v.want.WriteString("a note\nand half a one\n")
	v.lines(1)
	seal(t, v.w, Stop)
	if got := v.text(); got != v.want.String() {
		t.Errorf("%q\nwant\n%q", got, v.want.String())
	}
}

// TestMend_WhatCannotBeSavedIsCountedAndMarked removes a file of a disk that takes
// no copy.
func TestMend_WhatCannotBeSavedIsCountedAndMarked(t *testing.T) {
	v := newVandal(t)
	v.must(os.Remove(v.active))
	stop := durable.Intercept(func(s durable.Step, do func() error) error {
		if s.Op == "create" {
			return unix.ENOSPC
		}
		return do()
	})
	text, nano := line(9)
	b := &Batch{Text: []byte(text), First: nano, Last: nano, Lines: 1}
	if _, err := v.w.Append(b, 1<<20); !Full(err) {
		t.Fatal(err)
	}
	stop()
	if !v.w.Abandon() || v.w.Abandon() {
		t.Fatal("abandoned more or less than once")
	}
	_, err := v.w.Append(b, 1<<20)
	v.must(err)
	seal(t, v.w, Stop)
	mark := fmt.Sprintf("logfast: 3 lines (%d bytes) lost, file removed, ", v.want.Len())
	if first, rest, _ := strings.Cut(v.text(), "\n"); !strings.Contains(first, mark) || rest != text {
		t.Errorf("%q, %q", first, rest)
	}
	if d := v.s.TakeDamages(); len(d) != 1 || d[0].Lost.Lines != 3 {
		t.Errorf("%+v", d)
	}
}

// TestSpool_UsedIsNeverNegative: a cleaner has taken the descriptions, or all.
func TestSpool_UsedIsNeverNegative(t *testing.T) {
	v := newVandal(t)
	seal(t, v.w, Stop)
	v.must(os.Remove(filepath.Join(v.path, dir, streamFile)))
	v.must(v.s.Measure())
	if used := v.s.Used(); used < int64(v.want.Len()) {
		t.Errorf("%d bytes used, the segment has %d", used, v.want.Len())
	}
	v.lines(1)
	v.must(os.RemoveAll(filepath.Dir(v.active)))
	v.must(v.s.Measure())
	if used := v.s.Used(); used != 0 {
		t.Errorf("%d bytes used of nothing", used)
	}
	v.must(v.w.Check(true))
	if used := v.s.Used(); used < 0 {
		t.Errorf("%d bytes used", used)
	}
}

// TestSpool_AnotherOwnerIsKeptAwayThoughTheLockWasRemoved, and an earlier version,
// which knows of the file alone.
func TestSpool_AnotherOwnerIsKeptAwayThoughTheLockWasRemoved(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	for range 2 {
		if err := os.Remove(filepath.Join(path, LockFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Options{Key: s.key}); !errors.Is(err, durable.ErrLocked) {
			t.Fatalf("a second owner: %v", err)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(path, LockFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			t.Errorf("the file can be locked: %v", err)
		}
		f.Close()
	}
}

// TestSpool_ItsDirectoryWasReplaced says what to do.
func TestSpool_ItsDirectoryWasReplaced(t *testing.T) {
	for how, replace := range map[string]func(path string) error{
		"removed":  os.RemoveAll,
		"moved":    func(path string) error { return os.Rename(path, path+"-old") },
		"replaced": func(path string) error { return errors.Join(os.Rename(path, path+"-old"), os.Mkdir(path, 0o755)) },
	} {
		t.Run(how, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spool")
			s := openSpool(t, path)
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			if err := replace(path); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(); err == nil || !strings.Contains(err.Error(), "docker plugin disable -f logfast") {
				t.Errorf("%v", err)
			}
		})
	}
}
