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
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)

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
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("it never came to be that %s", what)
		}
	}
}

const day = "2026-11-23T19:03:0"

func TestLinesAreTextAtOnceAndSealedAtTheEnd(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	c.line(1, "hello")
	text := day + "2.000000000Z stdout F hello\n"
	h.eventually("the line is in the file", func() bool { return c.files()["web.log"] == text })
	c.entry(&logdriver.LogEntry{Source: "stderr", TimeNano: t0.UnixNano(), Line: nil})
	c.chunk("stdout", "be", 1, false)
	c.chunk("stderr", "other ", 1, false)
	c.chunk("stdout", "gin", 2, true)
	c.line(2, "raw \xff\x00 bytes\r")
	h.Stop(c.fifo)
	c.want(map[string]string{"web.log-20261123T190302.000000Z-000001-stop": text +
		day + "1.000000000Z stderr F \n" +
		day + "1.000000000Z stdout P be\n" +
		day + "1.000000000Z stderr P other \n" +
		day + "1.000000000Z stdout F gin\n" +
		day + "3.000000000Z stdout F raw \xff\x00 bytes\r\n"})
	h.Stop(c.fifo) // again, and for what never was
	h.Stop("/no/such/fifo")
}

func TestStopDrainsAFullPipe(t *testing.T) {
	h := newHost(t)
	c := h.container("web", map[string]string{"format": "raw"})
	var want strings.Builder
	for i := range 1000 { // about 60 KB of frames, before anybody reads
		line := fmt.Sprintf("line %d %s", i, strings.Repeat("x", 20))
		c.line(0, line)
		want.WriteString(line + "\n")
	}
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatalf("a repeated start: %v", err)
	}
	h.Stop(c.fifo)
	if got := c.text(); got != want.String() {
		t.Fatalf("%d bytes of %d", len(got), want.Len())
	}
}

func TestAStreamWithoutLinesLeavesNothing(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	h.Stop(c.fifo)
	entries, err := os.ReadDir(h.dir)
	if err != nil || len(entries) != 3 || entries[0].Name() != ".incidents" || entries[1].Name() != ".lock" || entries[2].Name() != ".streams" {
		t.Fatalf("%v, %v", entries, err)
	}
	if len(h.sealed) != 0 {
		t.Fatal("something was sealed")
	}
}

const serverError = `"GET /cart HTTP/1.1" 500 12`

func TestAnErrorSealsAfterTheQuiet(t *testing.T) {
	h := newHost(t)
	c := h.start("web", map[string]string{"quiet-period": "100ms", "max-delay": "10s"})
	other := h.start("db", nil)
	other.line(0, "before")
	c.line(0, "before")
	c.line(1, serverError)
	<-h.sealed
	c.line(2, "after")
	h.Stop(c.fifo)
	h.Stop(other.fifo)
	c.want(map[string]string{
		"web.log-20261123T190301.000000Z-000001-error": day + "1.000000000Z stdout F before\n" + day + "2.000000000Z stdout F " + serverError + "\n",
		"web.log-20261123T190303.000000Z-000002-stop":  day + "3.000000000Z stdout F after\n",
	})
	other.want(map[string]string{"db.log-20261123T190301.000000Z-000001-stop": day + "1.000000000Z stdout F before\n"})
}

// TestAContainerSaysWhatAnErrorIs runs two containers with the same lines and
// options of their own.
func TestAContainerSaysWhatAnErrorIs(t *testing.T) {
	const answer, panicked = `{"method":"GET","path":"/healthz","status":503}`, "panic: boom"
	for name, tt := range map[string]struct {
		config map[string]string
		line   string
		error  bool
	}{
		"by default":          {nil, answer, true},
		"the classic filter":  {map[string]string{"detect": "classic"}, answer, false},
		"off":                 {map[string]string{"detect": "off"}, serverError, false},
		"another status":      {map[string]string{"status": "500,502"}, answer, false},
		"this status":         {map[string]string{"status": "503-504"}, answer, true},
		"a path":              {map[string]string{"exclude-path": "/healthz,/metrics"}, answer, false},
		"a pattern":           {map[string]string{"pattern": "^panic"}, panicked, true},
		"no signal":           {nil, panicked, false},
		"a signal":            {map[string]string{"signals": "python,go"}, panicked, true},
		"the default's is on": {map[string]string{"pattern": ""}, "by default", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostIn(t, t.TempDir(), func(c *Config, _ *spool.Options) {
				if tt.line == "by default" {
					c.Defaults.Detect.Pattern = "by default"
				}
			})
			neighbour := h.start("neighbour", map[string]string{"detect": "off", "pattern": ""})
			c := h.start("web", tt.config)
			for _, to := range []*container{c, neighbour} {
				to.line(0, tt.line)
				h.eventually("the line is there", func() bool { return len(to.files()) > 0 })
			}
			errors := func(c *container) int64 {
				return h.find(func(s *stream) bool { return s.desc.Name == c.info.Name() })[0].writer.Errors()
			}
			if n := errors(c); n != map[bool]int64{true: 1}[tt.error] {
				t.Errorf("%d errors", n)
			}
			if n := errors(neighbour); n != 0 {
				t.Errorf("the neighbour has %d errors", n)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	fast := func(config ...string) map[string]string {
		m := map[string]string{"quiet-period": "100ms"}
		for i := 0; i < len(config); i += 2 {
			m[config[i]] = config[i+1]
		}
		return m
	}
	for scope, want := range map[string][]string{
		"container": {"web"}, "group": {"web", "mate"}, "host": {"web", "mate", "stranger"},
	} {
		t.Run(scope, func(t *testing.T) {
			h := newHost(t)
			web := h.start("web", fast("fast-track-scope", scope, "group", "shop"))
			mate := h.container("mate", nil)
			mate.info.ContainerLabels = map[string]string{"com.docker.compose.project": "shop"}
			if err := h.Start(mate.fifo, mate.info); err != nil {
				t.Fatal(err)
			}
			stranger := h.start("stranger", map[string]string{"group": "elsewhere"})
			for _, c := range []*container{mate, stranger} {
				c.line(0, "words")
				h.eventually("the words are there", func() bool { return len(c.files()) > 0 })
			}
			web.line(0, serverError)
			for range want {
				<-h.sealed
			}
			for _, c := range []*container{web, mate, stranger} {
				reason := "-stop"
				if slices.Contains(want, c.info.Name()) {
					reason = "-error"
				}
				h.Stop(c.fifo)
				files := c.files()
				if len(files) != 1 {
					t.Fatalf("%s: %v", c.info.Name(), files)
				}
				for name := range files {
					if !strings.HasSuffix(name, reason) {
						t.Errorf("%s: %s, want %s", c.info.Name(), name, reason)
					}
				}
			}
		})
	}
}

func TestAnErrorThatTheEndCutsShort(t *testing.T) {
	for name, write := range map[string]func(c *container){
		"whole line": func(c *container) { c.line(0, serverError) },
		"across chunks": func(c *container) {
			c.chunk("stdout", serverError[:15], 1, false)
			c.chunk("stdout", serverError[15:], 2, true)
		},
		"without newline": func(c *container) { c.chunk("stdout", serverError, 1, false) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			c := h.start("web", nil)
			write(c)
			h.Stop(c.fifo)
			for name := range c.files() {
				if name != "web.log-20261123T190301.000000Z-000001-error" {
					t.Error(name)
				}
			}
			h.eventually("the end of the fast track for a container that has ended", func() bool {
				_, open := h.events.Next()
				return !open
			})
		})
	}
}

func TestTheSizeLimit(t *testing.T) {
	h := newHost(t)
	c := h.start("web", map[string]string{"max-size": "64KiB", "format": "raw"})
	var want strings.Builder
	for i := range 300 {
		line := fmt.Sprintf("%04d %s", i, strings.Repeat("x", 1018))
		c.line(0, line)
		want.WriteString(line + "\n")
	}
	h.Stop(c.fifo)
	files := c.files()
	for name, text := range files {
		if len(text) > 64<<10+1024 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
	if len(files) < 4 || c.text() != want.String() {
		t.Fatalf("%d files, %d bytes of %d", len(files), len(c.text()), want.Len())
	}
}

func TestASegmentDoesNotSpanTwoDays(t *testing.T) {
	h := newHost(t)
	c := h.container("web", nil)
	midnight := 5*3600 - 3*60 - 1
	c.line(0, "monday")
	c.line(midnight, "tuesday")
	c.line(midnight-1, "monday, late")
	c.line(midnight+1, "tuesday")
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	h.Stop(c.fifo)
	c.want(map[string]string{
		"web.log-20261123T190301.000000Z-000001-schedule": "2026-11-23T19:03:01.000000000Z stdout F monday\n",
		"web.log-20261124T000000.000000Z-000002-stop": "2026-11-24T00:00:00.000000000Z stdout F tuesday\n" +
			"2026-11-23T23:59:59.000000000Z stdout F monday, late\n" +
			"2026-11-24T00:00:01.000000000Z stdout F tuesday\n",
	})

	// The same when the day changes between two batches.
	c = h.start("db", nil)
	c.line(0, "monday")
	h.eventually("monday is there", func() bool { return c.files()["db.log"] != "" })
	c.line(midnight, "tuesday")
	h.Stop(c.fifo)
	if got := len(c.files()); got != 2 {
		t.Fatalf("%d segments: %v", got, c.files())
	}
}

func TestTheDailySealTakesWhatBeganBefore(t *testing.T) {
	h := newHost(t)
	old, young := h.start("old", nil), h.start("young", nil)
	old.line(0, "x")
	young.line(100, "x")
	for _, c := range []*container{old, young} {
		h.eventually("the line is there", func() bool { return len(c.files()) > 0 })
	}
	<-h.sealOlder(t0.Add(50 * time.Second))
	old.want(map[string]string{"old.log-20261123T190301.000000Z-000001-schedule": day + "1.000000000Z stdout F x\n"})
	young.want(map[string]string{"young.log": "2026-11-23T19:04:41.000000000Z stdout F x\n"})
}

func TestTheDailyTimeComes(t *testing.T) {
	h := newStillHost(t)
	c := h.start("web", nil)
	c.line(0, "x")
	h.eventually("the line is there", func() bool { return len(c.files()) > 0 })
	soon := time.Now().Add(20 * time.Millisecond)
	h.daily = func(now time.Time) time.Time {
		if soon.After(now) {
			return soon
		}
		return now.Add(20 * time.Millisecond)
	}
	h.run()
	<-h.sealed
	c.want(map[string]string{"web.log-20261123T190301.000000Z-000001-schedule": day + "1.000000000Z stdout F x\n"})
}

func TestSealOnDemand(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	h.Seal() // nothing to seal
	c.line(0, "x")
	h.eventually("the line is there", func() bool { return len(c.files()) > 0 })
	h.Seal()
	c.want(map[string]string{"web.log-20261123T190301.000000Z-000001-manual": day + "1.000000000Z stdout F x\n"})
}

func TestStreamsOfOneContainerShareItsSegment(t *testing.T) {
	h := newHost(t)
	running := h.start("web", nil)
	running.line(0, "one")
	h.eventually("one is there", func() bool { return len(running.files()) > 0 })
	reading := h.start("web", nil) // docker logs, say
	h.Stop(reading.fifo)
	running.line(1, "two")
	h.Stop(running.fifo)
	running.want(map[string]string{"web.log-20261123T190301.000000Z-000001-stop": day + "1.000000000Z stdout F one\n" + day + "2.000000000Z stdout F two\n"})
}

func TestGarbageInTheFIFO(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	c.line(0, "one")
	garbage := []byte("\xff\xff\xff\xffthis is no frame")
	two := frame.Append(nil, &frame.Entry{Source: []byte("stdout"), TimeNano: t0.Add(time.Second).UnixNano(), Line: []byte("two")})
	if _, err := c.w.Write(slices.Concat(garbage, two)); err != nil { // at once, or there may be two marks
		t.Fatal(err)
	}
	c.entry(&logdriver.LogEntry{Source: "elsewhere", Line: []byte("of no stream")})
	c.line(2, "three")
	h.Stop(c.fifo)
	lines := strings.Split(strings.TrimSpace(c.text()), "\n")
	var texts []string
	for _, l := range lines {
		_, text, _ := strings.Cut(l, " F ")
		text, _, _ = strings.Cut(text, "–") // the present follows
		texts = append(texts, text)
	}
	elsewhere := logdriver.LogEntry{Source: "elsewhere", Line: []byte("of no stream")}
	want := []string{
		"one", fmt.Sprintf("logfast: 0 lines (%d bytes) lost, not a log frame, 2026-11-23T19:03:01Z", len(garbage)),
		"two", fmt.Sprintf("logfast: 0 lines (%d bytes) lost, not a log frame, 2026-11-23T19:03:02Z", 4+elsewhere.Size()), "three",
	}
	if d := cmp.Diff(want, texts); d != "" {
		t.Fatalf("-want +got\n%s", d)
	}
}

func TestDockerdDies(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	c.line(0, "last")
	if _, err := c.w.Write([]byte{0, 0, 0, 99, 10, 6}); err != nil { // a torn frame
		t.Fatal(err)
	}
	c.w.Close()
	<-h.sealed
	text := c.text()
	if !strings.HasPrefix(text, day+"1.000000000Z stdout F last\n") || !strings.Contains(text, "logfast: 0 lines (6 bytes) lost, not a log frame") {
		t.Fatalf("%q", text)
	}
	h.eventually("the stream is forgotten", func() bool { return h.find(func(*stream) bool { return true }) == nil })
}

func TestLinesWaitForADiskThatRefuses(t *testing.T) {
	h := newHost(t)
	c := h.container("web", nil)
	obstacle := filepath.Join(h.dir, "web-"+c.info.ID())
	if err := os.WriteFile(obstacle, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	c.line(0, "one")
	c.line(1, "two")
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	h.Stop(c.fifo)
	if got := strings.Count(c.text(), "\n"); got != 2 {
		t.Fatalf("%d lines of 2: %v", got, c.files())
	}
}

func TestWhatIsWrittenIsSynced(t *testing.T) {
	h := newStillHost(t)
	for fsync, want := range map[string]struct{ listed, urgent bool }{"interval": {true, true}, "always": {}, "never": {}} {
		c := h.start(fsync, map[string]string{"fsync": fsync})
		s := h.find(func(s *stream) bool { return s.path == c.fifo })[0]
		c.line(0, "x")
		h.eventually("the line is listed for a sync, or need not be", func() bool {
			return len(c.files()) > 0 && s.dirty.Load() == want.listed
		})
		if len(h.syncer.urgent) != 0 {
			t.Errorf("%s: a plain line is urgent", fsync)
		}
		c.line(1, serverError)
		h.Stop(c.fifo)
		if urgent := len(h.syncer.urgent) != 0; urgent != want.urgent || len(h.syncer.list) > 1 {
			t.Errorf("%s: an error is urgent: %v, want %v; %d streams listed", fsync, urgent, want.urgent, len(h.syncer.list))
		}
		h.syncer = newSyncer()
	}
}

func TestTheSyncerSyncs(t *testing.T) {
	h := newStillHost(t)
	c := h.start("web", nil)
	s := h.find(func(s *stream) bool { return s.path == c.fifo })[0]
	c.line(0, serverError)
	h.eventually("the line is listed", func() bool { return s.dirty.Load() })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { h.syncer.run(ctx, func(_ *stream, err error) { t.Error(err) }) })
	h.eventually("the line is synced", func() bool { return !s.dirty.Load() })
	cancel()
	wg.Wait()
	h.Stop(c.fifo)
}

func TestStartRefuses(t *testing.T) {
	h := newHost(t)
	for name, tt := range map[string]struct {
		config map[string]string
		want   []string
	}{
		"unknown":    {map[string]string{"fromat": "cri"}, []string{`unknown option fromat; did you mean "format"?`}},
		"hopeless":   {map[string]string{"syslog-address": "udp://x"}, []string{"unknown option syslog-address"}},
		"format":     {map[string]string{"format": "json"}, []string{`option format: format "json": allowed are cri, syslog, raw`}},
		"scope":      {map[string]string{"fast-track-scope": "all"}, []string{`option fast-track-scope: scope "all": allowed are container, group, host`}},
		"group":      {map[string]string{"fast-track-scope": "group"}, []string{"add group=NAME"}},
		"duration":   {map[string]string{"quiet-period": "30"}, []string{`option quiet-period: duration "30": write a number with a unit, such as 30s or 5m`}},
		"too quiet":  {map[string]string{"quiet-period": "1ms"}, []string{"allowed are 100ms to 24h"}},
		"order":      {map[string]string{"quiet-period": "10m", "max-delay": "5m"}, []string{"maximum delay 5m0s: allowed are 10m0s"}},
		"size":       {map[string]string{"max-size": "1KB"}, []string{"allowed are 64KiB to 4.9GB"}},
		"no size":    {map[string]string{"max-size": "big"}, []string{`size "big": write a number with a unit`}},
		"fsync":      {map[string]string{"fsync": "yes"}, []string{`option fsync: fsync "yes": allowed are interval, always, never`}},
		"detect":     {map[string]string{"detect": "yes"}, []string{`option detect: "yes": allowed are auto, classic, off`}},
		"status":     {map[string]string{"status": "404"}, []string{`option status: "404": write statuses of 500 to 599`}},
		"pattern":    {map[string]string{"pattern": "x(y"}, []string{`option pattern: pattern "x(y", at byte 2: missing closing )`}},
		"path":       {map[string]string{"exclude-path": "healthz"}, []string{`option exclude-path: "healthz": a path begins with / or *`}},
		"signals":    {map[string]string{"signals": "perl"}, []string{`option signals: signal "perl": allowed are python, java, go`}},
		"tag":        {map[string]string{"tag": "{{.Nmae}}"}, []string{"option tag={{.Nmae}}", "{{.Name}}"}},
		"bad tag":    {map[string]string{"tag": "{{"}, []string{"option tag={{"}},
		"loop":       {map[string]string{"tag": "{{range 20000000}}xxxxxxxxxx{{end}}"}, []string{"a tag cannot do {{range 20000000}}", "{{.Name}}"}},
		"width":      {map[string]string{"tag": `{{printf "%1000000000d" 1}}`}, []string{"a tag does not call printf"}},
		"variable":   {map[string]string{"tag": "{{$a := .Name}}{{$a}}"}, []string{"a tag sets no variables"}},
		"recursion":  {map[string]string{"tag": `{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`}, []string{"a tag defines no templates"}},
		"itself":     {map[string]string{"tag": `{{template "tag" .}}`}, []string{"a tag cannot do"}},
		"with":       {map[string]string{"tag": `{{with .Name}}{{.}}{{end}}`}, []string{"a tag cannot do {{with .Name}}"}},
		"secret":     {map[string]string{"tag": "{{.Config}}"}, []string{".Config is not a field of a tag"}},
		"long tag":   {map[string]string{"tag": strings.Repeat("{{.FullID}}", 9)}, []string{"the app's name has more than 512 bytes"}},
		"tag text":   {map[string]string{"tag": strings.Repeat("x", 2000)}, []string{"the template has 2000 bytes; allowed are 1024"}},
		"long group": {map[string]string{"group": strings.Repeat("x", 513)}, []string{"option group: it has 513 bytes; allowed are 512"}},
		"repeats":    {map[string]string{"pattern": `(?:[ab]{900})*(?:xy?){900}`}, []string{"instructions; allowed are 2000", "smaller counts"}},
		"nested":     {map[string]string{"redact": `((a{30}){30}b){2}`, "exclude-path": `~(.{0,900}){1}x{900}`}, []string{"option redact: pattern", "option exclude-path: pattern"}},
		"paths":      {map[string]string{"exclude-path": strings.Repeat("/a,", 300) + "/a"}, []string{"301 paths in 902 bytes; allowed are 200 paths"}},
		"statuses":   {map[string]string{"status": strings.Repeat("500,", 300) + "500"}, []string{"allowed are 1024"}},
		"16 MB":      {map[string]string{"format": strings.Repeat("x", 16<<20)}, []string{"option format: it has 16777216 bytes; allowed are 16384"}},
		"several":    {map[string]string{"format": "x", "gruop": "y"}, []string{`format "x"`, `did you mean "group"?`}},
	} {
		c := h.container("web", tt.config)
		err := h.Start(c.fifo, c.info)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant … %s …", name, err, want)
			}
		}
	}
	many := map[string]string{}
	for i := range 100_000 {
		many[fmt.Sprint("o", i)] = ""
	}
	c := h.container("web", many)
	if err := h.Start(c.fifo, c.info); err == nil || len(err.Error()) > 2000 {
		t.Errorf("the error about 100,000 options: %.100v", err)
	}
	if err := h.Start("", options.Info{}); err == nil {
		t.Error("an empty request was taken")
	}
	if err := h.Start("/no/such/fifo", options.Info{ContainerID: "x"}); err == nil {
		t.Error("a FIFO that is not there was taken")
	}
	if got := h.find(func(*stream) bool { return true }); got != nil {
		t.Errorf("%d streams were started", len(got))
	}
}

func TestDockersOwnOptionsAreLeftToDocker(t *testing.T) {
	h := newHost(t)
	c := h.start("web", map[string]string{"mode": "non-blocking", "max-buffer-size": "4m", "cache-disabled": "true"})
	h.Stop(c.fifo)
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
