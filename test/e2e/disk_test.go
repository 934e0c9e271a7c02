//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/await"
)

// run runs a program of the machine; the test fails where it does.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// mount mounts a file system until the test ends, and returns a directory of it
// that may be a spool, as a disk of its own would have one.
func mount(t *testing.T, args ...string) (root, spool string) {
	t.Helper()
	root = t.TempDir()
	run(t, "mount", append(args, root)...)
	t.Cleanup(func() { run(t, "umount", root) })
	spool = filepath.Join(root, "spool")
	if err := os.Mkdir(spool, 0o755); err != nil {
		t.Fatal(err)
	}
	return root, spool
}

// fill writes into a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// waiting is how many bytes wait in the host's FIFOs.
func (h *host) waiting() (n int) {
	h.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/root/run/docker/logging/*", h.process()))
	if err != nil {
		h.Fatal(err)
	}
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			continue // gone since
		}
		in, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
		f.Close()
		if err != nil {
			h.Fatal(err)
		}
		n += in
	}
	return n
}

// fullFIFO is more than waits in a FIFO that is being read.
const fullFIFO = 48 << 10

// started runs a busy container and waits for its first lines.
func (h *host) started(app string, rate int, options ...string) *container {
	h.Helper()
	c := h.run(app, busy(rate), options...)
	await.Until(h.T, "the first lines are on disk", func() bool { return len(c.files()) > 0 })
	return c
}

// inStoreOnce waits until nothing is pending and fails unless the store has every
// line of the container once; of the copies on a full disk some have gone.
func (c *container) inStoreOnce() {
	c.Helper()
	await.Until(c.T, "everything is shipped", func() bool {
		return !slices.ContainsFunc(c.files(), func(s string) bool { return !strings.HasSuffix(s, ".uploaded.gz") })
	})
	got := audited(c.T, c.inStore())
	if d := cmp.Diff(audit{Lines: got.Lines, Ends: 1}, got); d != "" || got.Lines == 0 {
		c.Fatalf("-want +got\n%s", d)
	}
	c.Logf("%d lines, each once", got.Lines)
}

// TestAFullDiskMakesContainersWait: with on-full=block, while the disk takes
// nothing, the lines wait in the FIFO, and then the container waits; also when the
// plugin is killed meanwhile. When there is space again all lines are written, each
// once.
func TestAFullDiskMakesContainersWait(t *testing.T) {
	root, spool := mount(t, "-t", "tmpfs", "-o", "size=16m", "tmpfs")
	h, _ := enableS3On(t, spool, "LOGFAST_ON_FULL=block")
	c := h.started("web", 5_000, "max-size=256KiB")
	filler := filepath.Join(root, "filler")
	full := func() bool {
		fill(t, filler) // again: packing makes space
		return h.waiting() > fullFIFO
	}
	await.Until(t, "the lines wait in the FIFO", full)
	time.Sleep(scaled(time.Second, 10*time.Second)) // on a disk that stays full
	h.replace(syscall.SIGKILL)
	await.Until(t, "the lines wait in the FIFO again", full)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the lines wait no longer", func() bool { return h.waiting() < fullFIFO })
	c.allow("stop")
	c.wait()
	c.inStoreOnce()
}

// TestAReadOnlyDiskMakesContainersWait: a plugin that comes up on a spool that
// cannot be written says so to new containers. Those that run wait until the disk
// is writable and the plugin was enabled again.
func TestAReadOnlyDiskMakesContainersWait(t *testing.T) {
	root, spool := mount(t, "-t", "tmpfs", "-o", "size=64m", "tmpfs")
	h, _ := enableS3On(t, spool)
	c := h.started("web", 5_000)
	// The kernel refuses this while a file is open for writing.
	if out, err := exec.Command("mount", "-o", "remount,ro", root).CombinedOutput(); err == nil || !strings.Contains(string(out), "busy") {
		t.Fatalf("remounted read-only under a stream: %v, %s", err, out)
	}
	docker(t, "plugin", "disable", "-f", pluginName)
	run(t, "mount", "-o", "remount,ro", root)
	docker(t, "plugin", "enable", pluginName)
	out, err := tryDocker("run", "--rm", "--name", name+"-bad", "--network", "none", "--log-driver", pluginName, image)
	if err == nil || !strings.Contains(out, "read-only file system") {
		t.Errorf("a container starts on a read-only spool: %v, %s", err, out)
	}
	tryDocker("rm", "-f", name+"-bad")
	await.Until(t, "the lines wait in the FIFO", func() bool { return h.waiting() > fullFIFO })
	docker(t, "plugin", "disable", "-f", pluginName)
	run(t, "mount", "-o", "remount,rw", root)
	docker(t, "plugin", "enable", pluginName)
	await.Until(t, "the lines wait no longer", func() bool { return h.waiting() < fullFIFO })
	c.allow("stop")
	c.wait()
	t.Logf("%d lines, each once", c.wantEveryLine(1))
	h.wantNoStreams() // nor one of the container that did not start
}

// TestRoom_ContainersStartOnAFullDisk fills the disk on which an uploaded copy is: a new
// container starts, and its lines are captured, because the copy goes.
func TestRoom_ContainersStartOnAFullDisk(t *testing.T) {
	root, spool := mount(t, "-t", "tmpfs", "-o", "size=16m", "tmpfs")
	h, _ := enableS3On(t, spool, "LOGFAST_ON_FULL=block")
	old := h.started("old", 5_000)
	old.allow("stop")
	old.wait()
	old.inStoreOnce()
	reserve := filepath.Join(spool, ".reserve")
	if err := os.Remove(reserve); err != nil { // an earlier need has used it up
		t.Fatal(err)
	}
	fill(t, filepath.Join(root, "filler"))
	c := h.run("new", busy(100))
	await.Until(t, "the first lines are on disk", func() bool { return len(c.files()) > 0 })
	c.allow("stop")
	c.wait()
}
