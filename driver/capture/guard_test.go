package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
)

// removeVisible is rm -rf of all in the spool that a shell's * names.
func removeVisible(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
	for _, name := range names {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

// removeAll is the same with the hidden files.
func removeAll(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// TestGuard_TheSpoolIsEmptiedUnderARunningContainer, with either option for a full
// disk: no line is lost, the container does not wait, and a process that is killed
// later is followed by one that takes the stream up.
func TestGuard_TheSpoolIsEmptiedUnderARunningContainer(t *testing.T) {
	for _, onFull := range []options.OnFull{options.OnFullDrop, options.OnFullBlock} {
		for how, remove := range map[string]func(string) error{"visible": removeVisible, "all": removeAll} {
			t.Run(fmt.Sprint(onFull, ", ", how), func(t *testing.T) {
				var log strings.Builder
				h := newHostIn(t, t.TempDir(), func(c *Config, _ *spool.Options) {
					c.OnFull, c.Log = onFull, slog.New(slog.NewTextHandler(&log, nil))
				})
				c := h.start("web", nil)
				var want strings.Builder
				write := func(from, to int) {
					for n := from; n < to; n++ {
						c.line(n, fmt.Sprint("line ", n))
						fmt.Fprintf(&want, day+"%d.000000000Z stdout F line %d\n", n+1, n)
					}
					h.eventually("the lines are written", func() bool { return h.Snapshot().Total.Lines == int64(to) })
				}
				write(0, 3)
				if err := remove(h.dir); err != nil {
					t.Fatal(err)
				}
				write(3, 5)
				h.look(true) // as Run does within seconds
				write(5, 6)
				if err := h.Seal(); err != nil {
					t.Error(err)
				}
				if got := c.text(); got != want.String() {
					t.Errorf("%s\nwant\n%s", got, want.String())
				}
				if s := h.Snapshot(); len(s.Streams) != 1 || s.Streams[0].Trouble != nil || s.Spool != nil || lost(s.Total, spool.FileRemoved).Bytes != 0 {
					t.Errorf("%+v", s)
				}
				if !strings.Contains(log.String(), "was removed; its text was saved") {
					t.Error(log.String())
				}
				write(6, 7)
				next := h.killed()
				if streams, err := next.journal.Load(nil); len(streams) != 1 || err != nil {
					t.Errorf("the next process knows the streams %+v, %v", streams, err)
				}
				if got := next.recovered(c); got != want.String() {
					t.Errorf("after a kill\n%s\nwant\n%s", got, want.String())
				}
			})
		}
	}
}

// TestGuard_AnIdleStreamsFilesAreSaved: nothing is written, and the file goes.
func TestGuard_AnIdleStreamsFilesAreSaved(t *testing.T) {
	h := newStillHost(t)
	c := h.start("web", nil)
	c.line(0, "one")
	h.eventually("the line is written", func() bool { return h.Snapshot().Total.Lines == 1 })
	if err := os.Remove(filepath.Join(h.dir, "web-"+c.info.ID(), "web.log")); err != nil {
		t.Fatal(err)
	}
	h.look(false)
	c.want(map[string]string{"web.log-20261123T190301.000000Z-000001-recover": day + "1.000000000Z stdout F one\n"})
}

// TestGuard_TheRegistryIsMadeAnew: each of its files, and all.
func TestGuard_TheRegistryIsMadeAnew(t *testing.T) {
	for how, remove := range map[string]func(dir, entry, cursor string) error{
		"entry":     func(_, entry, _ string) error { return os.Remove(entry) },
		"cursor":    func(_, _, cursor string) error { return os.Remove(cursor) },
		"directory": func(dir, _, _ string) error { return os.RemoveAll(dir) },
		"moved":     func(dir, _, _ string) error { return os.Rename(dir, dir+"-old") },
		"a FIFO":    func(_, _, cursor string) error { return errors.Join(os.Remove(cursor), unix.Mkfifo(cursor, 0o600)) },
		"a file":    func(dir, _, _ string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
	} {
		t.Run(how, func(t *testing.T) {
			h := newStillHost(t)
			c := h.container("web", nil)
			s := c.doomed()
			h.streams.read[c.fifo] = s
			c.line(0, "one")
			name := filepath.Join(h.dir, journal.Dir, journal.Name(c.fifo))
			if err := remove(filepath.Dir(name), name+journal.EntrySuffix, name+journal.CursorSuffix); err != nil {
				t.Fatal(err)
			}
			h.look(true)
			s.dies(t, h.dir, int64(len(lineOne))) // written, and not taken out of the FIFO
			delete(h.streams.read, c.fifo)
			if got := h.killed().recovered(c); got != lineOne {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestGuard_TheSpoolsDirectoryIsGone: it is said, and counted; with drop, the
// container does not wait for ever.
func TestGuard_TheSpoolsDirectoryIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	h := newHostIn(t, dir, func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullDrop })
	h.dropAfter = 10 * time.Millisecond
	c := h.start("web", nil)
	c.line(0, "one")
	h.eventually("the line is written", func() bool { return h.Snapshot().Total.Lines == 1 })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	h.look(true)
	if err := h.Snapshot().Spool; err == nil || !strings.Contains(err.Error(), "mkdir -p "+dir) {
		t.Errorf("%v", err)
	}
	h.eventually("what cannot be saved is counted", func() bool {
		c.line(1, "two")
		s := h.Snapshot()
		return lost(s.Total, spool.FileRemoved).Lines == 1 && lost(s.Total, diskError).Lines > 0
	})
}
