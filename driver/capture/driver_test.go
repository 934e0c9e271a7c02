package capture

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/durable"
)

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
				return h.streams.find(func(s *stream) bool { return s.desc.Name == c.info.Name() })[0].writer.Errors()
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
	<-h.sealer.startOlder(t0.Add(50 * time.Second))
	old.want(map[string]string{"old.log-20261123T190301.000000Z-000001-schedule": day + "1.000000000Z stdout F x\n"})
	young.want(map[string]string{"young.log": "2026-11-23T19:04:41.000000000Z stdout F x\n"})
}

func TestTheDailyTimeComes(t *testing.T) {
	h := newStillHost(t)
	c := h.start("web", nil)
	c.line(0, "x")
	h.eventually("the line is there", func() bool { return len(c.files()) > 0 })
	soon := time.Now().Add(20 * time.Millisecond)
	h.sealer.daily = func(now time.Time) time.Time {
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
	elsewhere := frame.Append(nil, &frame.Entry{Source: []byte("elsewhere"), Line: []byte("of no stream")})
	three := frame.Append(nil, &frame.Entry{Source: []byte("stdout"), TimeNano: t0.Add(2 * time.Second).UnixNano(), Line: []byte("three")})
	if _, err := c.w.Write(slices.Concat(elsewhere, three)); err != nil {
		t.Fatal(err)
	}
	h.Stop(c.fifo)
	lines := strings.Split(strings.TrimSpace(c.text()), "\n")
	var texts []string
	for _, l := range lines {
		_, text, _ := strings.Cut(l, " F ")
		text, _, _ = strings.Cut(text, "–") // the present follows
		texts = append(texts, text)
	}
	want := []string{
		"one", fmt.Sprintf("logfast: 0 lines (%d bytes) lost, not a log frame, 2026-11-23T19:03:01Z", len(garbage)),
		"two", fmt.Sprintf("logfast: 0 lines (%d bytes) lost, not a log frame, 2026-11-23T19:03:02Z", len(elsewhere)), "three",
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
	h.eventually("the stream is forgotten", func() bool { return h.streams.all() == nil })
}

func TestLinesWaitForADiskThatRefuses(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	stop := durable.Intercept(func(s durable.Step, do func() error) error {
		if s.Op == "mkdir" {
			return unix.EIO
		}
		return do()
	})
	t.Cleanup(stop)
	c.line(0, "one")
	c.line(1, "two")
	h.eventually("the disk refuses the lines", func() bool { return h.Snapshot().Streams[0].Trouble != nil })
	stop()
	h.Stop(c.fifo)
	if got := strings.Count(c.text(), "\n"); got != 2 {
		t.Fatalf("%d lines of 2: %v", got, c.files())
	}
}

// TestRetry_IsNoTurn has a disk that refuses: a stream tries again after a second, and
// not in its next turn. A timer never fires early, so load does not matter.
func TestRetry_IsNoTurn(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	attempts := make(chan time.Time, 100)
	stop := durable.Intercept(func(s durable.Step, do func() error) error {
		if s.Op == "mkdir" {
			attempts <- time.Now()
			return unix.EIO
		}
		return do()
	})
	t.Cleanup(stop)
	c.line(0, "one")
	before := <-attempts
	for range 2 {
		now := <-attempts
		if d := now.Sub(before); d < retry {
			t.Errorf("tried again after %v, want %v", d, retry)
		}
		before = now
	}
	stop()
	h.Stop(c.fifo)
}

func TestWhatIsWrittenIsSynced(t *testing.T) {
	h := newStillHost(t)
	for fsync, want := range map[string]struct{ listed, urgent bool }{"interval": {true, true}, "always": {}, "never": {}} {
		c := h.start(fsync, map[string]string{"fsync": fsync})
		s := h.streams.find(func(s *stream) bool { return s.path == c.fifo })[0]
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
	s := h.streams.find(func(s *stream) bool { return s.path == c.fifo })[0]
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
	h.cfg.Strict = true
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
	if got := h.streams.all(); got != nil {
		t.Errorf("%d streams were started", len(got))
	}
}

func TestDockersOwnOptionsAreLeftToDocker(t *testing.T) {
	h := newHost(t)
	c := h.start("web", map[string]string{"mode": "non-blocking", "max-buffer-size": "4m", "cache-disabled": "true"})
	h.Stop(c.fifo)
}
