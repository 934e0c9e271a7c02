package capture

import (
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

// unknownHost is a host whose spool has lost its registry. Its containers' FIFOs
// are in one directory, as dockerd's are.
func unknownHost(t *testing.T, sp, fifos string) *host {
	t.Helper()
	h := newHostIn(t, sp, func(c *Config, _ *spool.Options) { c.FIFOs = fifos })
	if err := h.Recover(); err != nil {
		t.Fatal(err)
	}
	return h
}

// dockersFIFO makes a FIFO with a name such as Docker gives, and opens it as dockerd does.
func (c *container) dockersFIFO(fifos string) *container {
	c.Helper()
	path := filepath.Join(fifos, strings.Repeat("ab12", 16))
	if err := os.Rename(c.fifo, path); err != nil {
		c.Fatal(err)
	}
	c.fifo = path
	return c
}

// unknownText is what is kept of the container whose FIFO is unknown.
func (h *host) unknownText() string {
	h.Helper()
	c := container{host: h, info: options.Info{ContainerID: "ab12ab12ab12"}}
	return c.text()
}

func (h *host) adoptNow(at time.Time) {
	h.Helper()
	h.unknown.mu.Lock()
	h.unknown.next = time.Time{}
	h.unknown.mu.Unlock()
	<-h.startAdoptUnknown(at)
}

// TestUnknown_ARunningContainerIsRead loses the registry under a container that
// writes, kills the process that has adopted it, and stops the container.
func TestUnknown_ARunningContainerIsRead(t *testing.T) {
	fifos := t.TempDir()
	h := unknownHost(t, t.TempDir(), fifos)
	c := h.container("web", nil).dockersFIFO(fifos)
	c.line(0, "one")
	h.adoptNow(time.Now())
	h.eventually("the line is kept", func() bool { return h.unknownText() == lineOne })
	all := h.Snapshot().Streams
	if len(all) != 1 || !all[0].Unknown || all[0].Name != "unknown" || all[0].Dir() != "unknown-ab12ab12ab12" {
		t.Errorf("%+v", all)
	}
	h.stop() // the stream stays registered
	c.line(1, "two, and longer")

	h = unknownHost(t, h.dir, fifos)
	h.adoptNow(time.Now())
	if all := h.Snapshot().Streams; len(all) != 1 || !all[0].Unknown {
		t.Errorf("after a restart: %+v", all)
	}
	h.Stop(c.fifo)
	if got := h.unknownText(); got != lineOne+lineTwo {
		t.Errorf("%q", got)
	}
	if left, err := filepath.Glob(filepath.Join(h.dir, journal.Dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("still registered: %v, %v", left, err)
	}
}

// TestUnknown_AStartingContainerIsNotTaken has a FIFO that Docker has made and not
// started yet, one that no engine holds, and files that are no FIFOs.
func TestUnknown_AStartingContainerIsNotTaken(t *testing.T) {
	fifos := t.TempDir()
	if err := os.WriteFile(filepath.Join(fifos, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(fifos, strings.Repeat("0", 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	h := unknownHost(t, t.TempDir(), fifos)
	c := h.container("web", nil).dockersFIFO(fifos)
	now := time.Now()
	for _, at := range []time.Time{now, now.Add(claimWait - time.Second)} {
		if h.adoptNow(at); len(h.Snapshot().Streams) != 0 {
			t.Fatalf("after %v: %+v", at.Sub(now), h.Snapshot().Streams)
		}
	}
	if h.adoptNow(now.Add(claimWait)); len(h.Snapshot().Streams) != 1 {
		t.Fatalf("a silent container is not read: %+v", h.Snapshot().Streams)
	}
	// Docker starts it at last, and takes it over with what was written meanwhile.
	c.line(0, "one")
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	c.line(1, "two, and longer")
	if all := h.Snapshot().Streams; len(all) != 1 || all[0].Unknown || all[0].Name != "web" {
		t.Errorf("%+v", all)
	}
	h.Stop(c.fifo)
	if got := h.unknownText() + c.text(); got != lineOne+lineTwo {
		t.Errorf("%q", got)
	}
	if left, err := filepath.Glob(filepath.Join(h.dir, journal.Dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("still registered: %v, %v", left, err)
	}
}

// TestUnknown_ADamagedRegistration is that of a container whose entry no version
// can read: it is read as unknown.
func TestUnknown_ADamagedRegistration(t *testing.T) {
	fifos := t.TempDir()
	h := newStillHost(t)
	c := h.container("web", nil).dockersFIFO(fifos)
	c.line(0, "one")
	if err := os.WriteFile(filepath.Join(h.dir, journal.Dir, journal.Name(c.fifo)+journal.EntrySuffix), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = newHostIn(t, h.dir, func(c *Config, _ *spool.Options) { c.FIFOs = fifos })
	if err := h.Recover(); err == nil {
		t.Error("a damaged registration was not mentioned")
	}
	h.adoptNow(time.Now())
	h.Stop(c.fifo)
	if got := h.unknownText(); got != lineOne {
		t.Errorf("%q", got)
	}
}

// TestRegistry_FilesStayYoung has a registered stream that writes nothing.
func TestRegistry_FilesStayYoung(t *testing.T) {
	h := newStillHost(t)
	h.start("web", nil)
	old := time.Now().Add(-90 * 24 * time.Hour)
	files, err := filepath.Glob(filepath.Join(h.dir, journal.Dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range append(files, filepath.Join(h.dir, journal.Dir)) {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	h.touch()
	for _, name := range append(files, filepath.Join(h.dir, journal.Dir)) {
		if fi, err := os.Stat(name); err != nil || time.Since(fi.ModTime()) > time.Hour {
			t.Errorf("%s is of %v, %v", name, fi.ModTime(), err)
		}
	}
}
