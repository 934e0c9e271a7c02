package capture

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/internal/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)

const day = "2026-11-23T19:03:0"

// host is a driver with a spool, and plays dockerd.
type host struct {
	*testing.T
	*Driver
	dir    string // of the spool
	sealed chan struct{}
	once   sync.Once // of stop
}

// newHost makes a host whose driver runs.
func newHost(t *testing.T) *host {
	t.Helper()
	h := newStillHost(t)
	h.run()
	return h
}

// run runs the driver until the test ends.
func (h *host) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { h.Driver.Run(ctx) })
	h.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// newStillHost makes one whose driver does nothing by itself.
func newStillHost(t *testing.T) *host {
	t.Helper()
	return newHostIn(t, t.TempDir(), func(*Config, *spool.Options) {})
}

// newHostIn is newStillHost in a given directory, configured otherwise.
func newHostIn(t *testing.T, dir string, change func(*Config, *spool.Options)) *host {
	t.Helper()
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{T: t, dir: dir, sealed: make(chan struct{}, 1000)}
	cfg := Config{
		Host: "web-1",
		Defaults: options.Options{
			Scope: options.ScopeContainer, MaxSize: 1 << 20, Fsync: options.FsyncInterval,
			Policy: fasttrack.Policy{Quiet: time.Hour, MaxDelay: time.Hour},
		},
		Sealed: func() { h.sealed <- struct{}{} },
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	o := spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1}
	change(&cfg, &o)
	spool, err := spool.Open(h.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Spool = spool
	if h.Driver, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.stop)
	return h
}

// stop ends the driver and gives up the spool; a second call does nothing.
func (h *host) stop() {
	h.once.Do(func() {
		if err := h.Close(); err != nil {
			h.Error(err)
		}
		if err := h.cfg.Spool.Close(); err != nil {
			h.Error(err)
		}
	})
}

// container is dockerd's side of one container's FIFO.
type container struct {
	*host
	fifo string
	w    *os.File
	enc  logdriver.LogEntryEncoder
	info options.Info
}

// container makes a FIFO as dockerd does, without starting the stream.
func (h *host) container(name string, config map[string]string) *container {
	h.Helper()
	path := filepath.Join(h.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o700); err != nil {
		h.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { w.Close() })
	id := fmt.Sprintf("%x%064d", name, 0)[:64]
	return &container{host: h, fifo: path, w: w, enc: logdriver.NewLogEntryEncoder(w), info: options.Info{
		Config: config, ContainerID: id, ContainerName: "/" + name, ContainerImageName: "image:1",
	}}
}

func (h *host) start(name string, config map[string]string) *container {
	h.Helper()
	c := h.container(name, config)
	if err := h.Start(c.fifo, c.info); err != nil {
		h.Fatal(err)
	}
	return c
}

func (c *container) entry(e *logdriver.LogEntry) {
	c.Helper()
	if err := c.enc.Encode(e); err != nil {
		c.Fatal(err)
	}
}

// line writes a line of stdout, at seconds after t0.
func (c *container) line(second int, text string) {
	c.Helper()
	c.entry(&logdriver.LogEntry{Source: "stdout", TimeNano: t0.Add(time.Duration(second) * time.Second).UnixNano(), Line: []byte(text)})
}

// chunk writes a chunk of a long line.
func (c *container) chunk(source, text string, ordinal int32, last bool) {
	c.Helper()
	c.entry(&logdriver.LogEntry{
		Source: source, TimeNano: t0.UnixNano(), Line: []byte(text), Partial: true,
		PartialLogMetadata: &logdriver.PartialLogEntryMetadata{Id: "x", Ordinal: ordinal, Last: last},
	})
}

// files returns the text of the container's visible files by name.
func (c *container) files() map[string]string {
	c.Helper()
	dirs, err := filepath.Glob(filepath.Join(c.dir, "*-"+c.info.ID(), "[^.]*"))
	if err != nil {
		c.Fatal(err)
	}
	got := map[string]string{}
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was sealed since, or deleted
		}
		if err != nil {
			c.Fatal(err)
		}
		got[filepath.Base(path)] = string(b)
	}
	return got
}

func (c *container) want(want map[string]string) {
	c.Helper()
	if d := cmp.Diff(want, c.files()); d != "" {
		c.Fatalf("-want +got\n%s", d)
	}
}

// text returns what the container's files hold, packed or not, in the order of their names.
func (c *container) text() string {
	c.Helper()
	files := c.files()
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		if !strings.HasSuffix(name, ".gz") {
			b.WriteString(files[name])
			continue
		}
		packed, err := gzip.NewReader(strings.NewReader(files[name]))
		if err == nil {
			_, err = io.Copy(&b, packed)
		}
		if err != nil {
			c.Fatalf("%s: %v", name, err)
		}
	}
	return b.String()
}

// eventually waits until ok; what it waits for happens in another goroutine
// that gives no other sign.
func (h *host) eventually(what string, ok func() bool) {
	h.Helper()
	await.Until(h, what, ok)
}

// BenchmarkCapture moves frames of 130-byte lines from a real FIFO to a file.
func BenchmarkCapture(b *testing.B) {
	key, _ := spool.ParseKeyTemplate(spool.DefaultKey)
	spool, err := spool.Open(b.TempDir(), spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer spool.Close()
	d, err := New(Config{
		Spool: spool, Sealed: func() {}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Defaults: options.Options{Scope: options.ScopeContainer, MaxSize: options.MaxMaxSize, Policy: fasttrack.Policy{Quiet: time.Hour, MaxDelay: time.Hour}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	path := filepath.Join(b.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o700); err != nil {
		b.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	var frame bytes.Buffer
	entry := &logdriver.LogEntry{Source: "stdout", TimeNano: t0.UnixNano(), Line: bytes.Repeat([]byte("x"), 130)}
	if err := logdriver.NewLogEntryEncoder(&frame).Encode(entry); err != nil {
		b.Fatal(err)
	}
	const lines = 300 // fit into the pipe
	frames := bytes.Repeat(frame.Bytes(), lines)
	if err := d.Start(path, options.Info{ContainerID: "bench", ContainerName: "/bench"}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(lines * 130)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Write(frames); err != nil {
			b.Fatal(err)
		}
	}
	d.Stop(path)
}
