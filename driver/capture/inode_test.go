//go:build integration

package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
)

// newHostWithFewInodes is newHost on a file system of its own that has room for bytes, and
// for so many files. It needs root.
func newHostWithFewInodes(t *testing.T, files int, change func(*Config, *spool.Options)) *host {
	t.Helper()
	return newHostOnTmpfs(t, fmt.Sprintf("size=256m,nr_inodes=%d", files), change)
}

// useInodes makes files until the file system has no inode left.
func useInodes(t *testing.T, dir string) (free func()) {
	t.Helper()
	fillers := filepath.Join(dir, "fillers")
	err := os.Mkdir(fillers, 0o700)
	for n := 0; err == nil; n++ {
		err = os.WriteFile(filepath.Join(fillers, fmt.Sprint(n)), nil, 0o600)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.RemoveAll(fillers); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInodes_NothingIsDroppedForLines uses up the inodes and has a container write many
// segments' worth of lines: no new file is needed for them, so nothing may be lost.
func TestInodes_NothingIsDroppedForLines(t *testing.T) {
	for _, onFull := range []options.OnFull{options.OnFullDrop, options.OnFullBlock} {
		t.Run(string(onFull), func(t *testing.T) {
			h := newHostWithFewInodes(t, 200, func(c *Config, _ *spool.Options) { c.OnFull = onFull })
			h.dropAfter = 0
			c := h.start("web", map[string]string{"max-size": "64KiB", "fsync": "never"})
			const before, after = 2000, 20_000 // 2 MB, in about 30 segments; and 20 MB
			for i := range before {
				c.line(0, fmt.Sprint(i, " ", padding))
			}
			h.eventually("the lines are there", func() bool { return h.Snapshot().Total.Lines == before })
			useInodes(t, h.dir)
			for i := range after {
				c.line(0, fmt.Sprint(before+i, " ", padding))
			}
			c.line(24*60*60, fmt.Sprint(before+after, " the next day")) // which must not wait either
			h.eventually("the last line is there", func() bool { return h.Snapshot().Total.Lines == before+after+1 })
			h.Stop(c.fifo)
			if there, lost := c.account(); there != before+after+1 || lost != 0 {
				t.Errorf("%d lines are there and %d are lost, of %d", there, lost, before+after+1)
			}
		})
	}
}

// TestInodes_APostponedSealIsMade frees the inodes again.
func TestInodes_APostponedSealIsMade(t *testing.T) {
	h := newHostWithFewInodes(t, 100, func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullBlock })
	c := h.start("web", map[string]string{"max-size": "64KiB", "fsync": "never"})
	c.line(0, fmt.Sprint(0, " ", padding))
	h.eventually("the line is there", func() bool { return c.text() != "" })
	free := useInodes(t, h.dir)
	const lines = 1000
	for i := range lines {
		c.line(0, fmt.Sprint(1+i, " ", padding))
	}
	h.eventually("the lines are there", func() bool { return h.Snapshot().Total.Lines == 1+lines })
	free()
	h.Stop(c.fifo)
	if there, lost := c.account(); there != 1+lines || lost != 0 {
		t.Errorf("%d lines are there and %d are lost", there, lost)
	}
	h.eventually("the segment is sealed", func() bool {
		h.sealer.sealLeft()
		return c.files()["web.log"] == ""
	})
}

// TestInodes_UploadedCopiesGoForANewContainer has copies, and no inode for the container.
func TestInodes_UploadedCopiesGoForANewContainer(t *testing.T) {
	h := newHostWithFewInodes(t, 100, func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullBlock })
	old := h.uploadedCopies("old", 10)
	useInodes(t, h.dir)
	c := h.start("web", nil)
	c.line(0, "hello")
	h.eventually("the line is there", func() bool { return strings.Contains(c.text(), "hello") })
	h.Stop(c.fifo)
	if len(old.files()) == 10 {
		t.Error("no copy was deleted")
	}
}

// uploadedCopies makes a container whose segments are all uploaded.
func (h *host) uploadedCopies(name string, count int) *container {
	h.Helper()
	c := h.start(name, nil)
	for i := range count {
		c.line(i, fmt.Sprint(i, " ", padding))
		h.eventually("the line is there", func() bool { return c.files()[name+".log"] != "" })
		if err := h.Seal(c.info.ContainerID); err != nil {
			h.Fatal(err)
		}
	}
	h.Stop(c.fifo)
	all, err := h.cfg.Spool.List(spool.Sealed)
	if err != nil {
		h.Fatal(err)
	}
	for _, seg := range all {
		packed, err := h.cfg.Spool.Pack(seg, nil, nil)
		if err == nil {
			err = h.cfg.Spool.Uploaded(packed)
		}
		if err != nil {
			h.Fatal(err)
		}
	}
	return c
}

// TestInodes_DroppingFreesThem has pending segments of one container and no inode for another
// one: with drop, neighbours go, and one line stands for them.
func TestInodes_DroppingFreesThem(t *testing.T) {
	for _, onFull := range []options.OnFull{options.OnFullDrop, options.OnFullBlock} {
		t.Run(string(onFull), func(t *testing.T) {
			h := newHostWithFewInodes(t, 200, func(c *Config, _ *spool.Options) { c.OnFull = onFull })
			old := h.container("old", map[string]string{"fsync": "never"})
			if err := h.Start(old.fifo, old.info); err != nil {
				t.Fatal(err)
			}
			const count = 40
			for i := range count {
				old.line(0, fmt.Sprint(i, " ", padding))
				h.eventually("the line is there", func() bool { return old.files()["old.log"] != "" })
				if err := h.Seal(old.info.ContainerID); err != nil {
					t.Fatal(err)
				}
			}
			h.Stop(old.fifo)
			useInodes(t, h.dir)
			c := h.start("web", nil)
			c.line(0, "hello")
			if onFull == options.OnFullDrop {
				h.eventually("the line is there", func() bool { return strings.Contains(c.text(), "hello") })
			} else {
				c.awaitTrouble()
			}
			there, lost := old.account()
			if there+lost != count {
				t.Errorf("%d lines are there and %d are lost, of %d", there, lost, count)
			}
			if drops := onFull == options.OnFullDrop; drops != (lost > 0) || there == 0 {
				t.Errorf("%d lines are lost, %d are there", lost, there)
			}
			if n := len(lostLine.FindAllString(old.text(), -1)); lost > 0 && n >= lost {
				t.Errorf("%d lines stand for %d: that frees no inode", n, lost)
			}
		})
	}
}

// TestRoom_AFullDiskStartsContainers fills a disk on which an uploaded copy is, and one on
// which nothing can be deleted.
func TestRoom_AFullDiskStartsContainers(t *testing.T) {
	for _, onFull := range []options.OnFull{options.OnFullDrop, options.OnFullBlock} {
		for _, copies := range []int{0, 3} {
			t.Run(fmt.Sprint(onFull, " copies=", copies), func(t *testing.T) {
				h := newSmallHost(t, 2<<20, func(c *Config, _ *spool.Options) { c.OnFull = onFull })
				h.dropAfter = time.Hour
				if copies > 0 {
					h.uploadedCopies("old", copies)
				}
				if err := os.Remove(filepath.Join(h.dir, ".reserve")); err != nil { // an earlier need has used it up
					t.Fatal(err)
				}
				filler := filepath.Join(h.dir, "filler")
				fillDisk(t, filler)
				c := h.container("web", nil)
				if err := h.Start(c.fifo, c.info); err != nil {
					t.Fatalf("the container does not start: %v", err)
				}
				c.line(0, "hello")
				if copies == 0 {
					if s := h.Snapshot().Streams[0]; !s.Unregistered {
						t.Error("nothing says that the stream is not registered")
					}
					c.awaitTrouble()
					if err := os.Remove(filler); err != nil {
						t.Fatal(err)
					}
				}
				h.eventually("the line is there", func() bool { return strings.Contains(c.text(), "hello") })
				h.eventually("the stream is registered", func() bool { return !h.Snapshot().Streams[0].Unregistered })
				if live, err := h.journal.Load(nil); err != nil || len(live) != 1 || live[0].FIFO != c.fifo {
					t.Errorf("registered are %v, %v", live, err)
				}
				h.Stop(c.fifo)
				if live, err := h.journal.Load(nil); err != nil || len(live) != 0 {
					t.Errorf("still registered are %v, %v", live, err)
				}
			})
		}
	}
}

// TestRegister_AKillAfterALateRegistrationDoublesNothing registers a stream after its first
// batch, and has the next life take it up.
func TestRegister_AKillAfterALateRegistrationDoublesNothing(t *testing.T) {
	h := newSmallHost(t, 2<<20, func(c *Config, _ *spool.Options) { c.OnFull = options.OnFullBlock })
	warm := h.start("web", nil) // so that the next line needs no new file
	warm.line(0, "0 warm")
	h.eventually("the line is there", func() bool { return warm.text() != "" })
	if err := os.Remove(filepath.Join(h.dir, ".reserve")); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(h.dir, "filler")
	fillDisk(t, filler)
	c := h.container("web", nil)
	c.info.ContainerID = warm.info.ContainerID
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	c.line(1, "1 short")
	h.eventually("the line is there", func() bool { return strings.Contains(c.text(), "1 short") })
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h.eventually("the streams are registered", func() bool {
		for _, s := range h.Snapshot().Streams {
			if s.Unregistered {
				return false
			}
		}
		return true
	})
	h.stop()
	c.host = newHostIn(t, h.dir, func(*Config, *spool.Options) {})
	t.Cleanup(c.stop)
	if err := c.Recover(); err != nil {
		t.Fatal(err)
	}
	c.line(2, "2 later")
	c.Stop(c.fifo)
	c.Stop(warm.fifo)
	if got := strings.Count(c.text(), "\n"); got != 3 {
		t.Errorf("%d lines, want 3: %s", got, c.text())
	}
}
