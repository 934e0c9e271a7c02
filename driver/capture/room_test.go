//go:build integration

package capture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
)

// newSmallHost is newHost on a file system of its own of so many bytes. It
// needs root.
func newSmallHost(t *testing.T, size int, change func(*Config, *spool.Options)) *host {
	t.Helper()
	return newHostOnTmpfs(t, fmt.Sprintf("size=%d", size), change)
}

// newHostOnTmpfs is newHost on a file system of its own that is mounted with these
// options. It needs root.
func newHostOnTmpfs(t *testing.T, mount string, change func(*Config, *spool.Options)) *host {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, mount); err != nil {
		t.Fatalf("mount a tmpfs with %s: %v", mount, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	h := newHostIn(t, dir, change)
	if err := h.Recover(); err != nil {
		t.Fatal(err)
	}
	h.run()
	return h
}

var lostLine = regexp.MustCompile(`logfast: (\d+) lines \(\d+ bytes\) lost, disk full, `)

// account returns how many lines of the container are there and how many are
// said to be lost, and fails where a number is missing without a word.
func (c *container) account() (there, lost int) {
	c.Helper()
	next := 0
	for line := range strings.Lines(c.text()) {
		_, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " F ")
		if m := lostLine.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			lost += n
			next += n
			continue
		}
		number, _, _ := strings.Cut(text, " ")
		if n, err := strconv.Atoi(number); err != nil || n != next {
			c.Fatalf("line %d is %.60q", next, text)
		}
		there++
		next++
	}
	return there, lost
}

const kilobyte = 1 << 10

var padding = strings.Repeat("x", kilobyte)

// TestAFullDiskGivesUpTheOldest shows drop: the container never waits, and the
// text says for each line that is missing that it is.
func TestAFullDiskGivesUpTheOldest(t *testing.T) {
	for name, budget := range map[string]int64{"by the budget": 2 << 20, "by the disk": 0} {
		t.Run(name, func(t *testing.T) {
			h := newSmallHost(t, 4<<20, func(c *Config, o *spool.Options) { c.OnFull, o.MaxDisk = options.OnFullDrop, budget })
			c := h.start("web", map[string]string{"max-size": "256KiB", "fsync": "never"})
			const lines = 10_000 // 10 MB
			for i := range lines {
				c.line(0, fmt.Sprint(i, " ", hexNoise(i, kilobyte)))
			}
			h.Stop(c.fifo)
			there, lost := c.account()
			if there+lost != lines || lost == 0 || there == 0 {
				t.Errorf("%d lines are there and %d are lost, of %d", there, lost, lines)
			}
		})
	}
}

// TestOnFullBlockLosesNothing shows block: what has no room waits in the FIFO.
func TestOnFullBlockLosesNothing(t *testing.T) {
	h := newSmallHost(t, 2<<20, func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullBlock })
	c := h.start("web", map[string]string{"fsync": "never"})
	c.write(0, linesBefore)
	filler := filepath.Join(h.dir, "filler")
	fillDisk(t, filler)
	c.write(linesBefore, linesAfter)
	c.awaitTrouble()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h.Stop(c.fifo)
	c.wantAll()
}

// TestADiskThatFailsLosesNothing breaks a real ext4 under a stream, as a dying
// device does, and repairs it, for which nobody may have it open.
func TestADiskThatFailsLosesNothing(t *testing.T) {
	for name, fail := range map[string]func(dir string) error{
		"EIO": func(dir string) error {
			d, err := os.Open(dir)
			if err != nil {
				return err
			}
			defer d.Close()
			return unix.IoctlSetPointerInt(int(d.Fd()), ext4Shutdown, 0)
		},
		"EROFS": func(dir string) error { // what ext4 does by itself after errors, whoever has files open
			return exec.Command("mount", "-o", "remount,abort,errors=remount-ro", dir).Run()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			image := filepath.Join(t.TempDir(), "disk")
			run(t, "truncate", "--size=16M", image)
			run(t, "mkfs.ext4", "-q", image)
			run(t, "mount", "-o", "loop", image, dir)
			mounted := true
			t.Cleanup(func() {
				if mounted {
					run(t, "umount", dir)
				}
			})
			drop := func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullDrop }
			h := newHostIn(t, dir, drop)
			c := h.start("web", map[string]string{"fsync": "always"}) // a broken disk forgets what was not synced
			c.write(0, linesBefore)
			if err := fail(dir); err != nil {
				t.Fatal(err)
			}
			c.write(linesBefore, linesAfter)
			c.awaitTrouble()
			h.once.Do(func() { // it cannot seal now, and says so
				if err := errors.Join(h.Close(), h.cfg.Spool.Close()); err != nil {
					t.Log(err)
				}
			})
			run(t, "umount", dir)
			mounted = false
			run(t, "mount", "-o", "loop", image, dir)
			mounted = true

			c.host = newHostIn(t, dir, drop)
			if err := c.Recover(); err != nil {
				t.Fatal(err)
			}
			c.Stop(c.fifo)
			c.wantAll()
			c.stop()
		})
	}
}

// ext4Shutdown is EXT4_IOC_SHUTDOWN; with the flag 0 it writes back first what
// it has.
const ext4Shutdown = 0x8004587d

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// What comes after the disk is broken fits into the FIFO.
const linesBefore, linesAfter = 10, 40

// write writes numbered lines, and waits until they are on disk where that is
// to be expected.
func (c *container) write(from, count int) {
	c.Helper()
	for i := range count {
		c.line(0, fmt.Sprint(from+i, " ", padding))
	}
	if from == 0 {
		// Only when they are synced, too, are they taken out of the FIFO: it has no room for all.
		c.eventually("the first lines are on disk", func() bool {
			left, err := unix.IoctlGetInt(int(c.w.Fd()), unix.TIOCINQ)
			return err == nil && left == 0 && strings.Count(c.text(), "\n") == count
		})
	}
}

func (c *container) awaitTrouble() {
	c.Helper()
	s := c.streams.find(func(s *stream) bool { return s.path == c.fifo })[0]
	c.eventually("the stream has trouble", func() bool { return s.broken.latest.Load() != nil })
}

func (c *container) wantAll() {
	c.Helper()
	if there, lost := c.account(); there != linesBefore+linesAfter || lost != 0 {
		c.Errorf("%d lines are there and %d are lost, of %d", there, lost, linesBefore+linesAfter)
	}
}

// TestDropDoesNotHoldAContainerForEver fills the disk with a file that nobody
// may delete for room: after a while the lines are discarded, counted and, once
// there is room, marked.
func TestDropDoesNotHoldAContainerForEver(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed=", killed), func(t *testing.T) {
			h := newSmallHost(t, 2<<20, func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullDrop })
			h.dropAfter = 0
			c := h.start("web", map[string]string{"fsync": "never"})
			c.write(0, linesBefore)
			h.Seal() // so that the next line needs a file
			filler := filepath.Join(h.dir, "filler")
			fillDisk(t, filler)
			const discarded = 500 // more than the FIFO takes: the container would wait
			c.write(linesBefore, discarded)
			s := h.streams.find(func(s *stream) bool { return s.path == c.fifo })[0]
			h.eventually("all of them are discarded", func() bool { n, err := s.fifo.Len(); return n == 0 && err == nil })
			if killed {
				h.stop() // as far as the spool can tell; the stream stays registered
				c.host = newHostIn(t, h.dir, func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullDrop })
				t.Cleanup(c.stop)
				if err := c.Recover(); err != nil {
					t.Log(err)
				}
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			c.write(linesBefore+discarded, linesAfter)
			c.Stop(c.fifo)
			there, lost := c.account()
			if there+lost != linesBefore+discarded+linesAfter || there < linesAfter || lost <= linesBefore {
				t.Errorf("%d lines are there and %d are lost, of %d", there, lost, linesBefore+discarded+linesAfter)
			}
			// One for the sealed segment, which went first, and one for what came
			// then; a few more where the room that a drop has made took some lines in between.
			if n := len(lostLine.FindAllString(c.text(), -1)); n < 2 || n > 5 {
				t.Errorf("%d marks", n)
			}
		})
	}
}

// fillDisk makes a file of all the room that is left.
func fillDisk(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}
