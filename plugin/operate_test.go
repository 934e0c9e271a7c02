package plugin

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"

	"github.com/logfast/logfast/driver/ship"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/plugin/control"
	"github.com/logfast/logfast/plugin/metrics"
)

func TestHealthSaysWhatIsWrong(t *testing.T) {
	now := time.Now()
	trouble := func(long time.Duration) []control.Stream {
		return []control.Stream{{Container: "db"}, {Container: "web", Trouble: "no space left", TroubleSince: now.Add(-long)}}
	}
	for name, tt := range map[string]struct {
		s    control.Status
		want control.Health
		says []string
	}{
		"idle":    {control.Status{}, control.Healthy, nil},
		"working": {control.Status{Pending: control.Pending{Segments: 5}, Uploads: control.Uploads{Stalled: 599}}, control.Healthy, nil},
		"no upload yet": {
			control.Status{Pending: control.Pending{Segments: 5}, Uploads: control.Uploads{Stalled: 2, LastError: "connection refused"}},
			control.Degraded, []string{"nothing can be uploaded at present, and 5 segments wait", "connection refused"},
		},
		"an error, and nothing to upload": {control.Status{Uploads: control.Uploads{LastError: "503"}}, control.Healthy, nil},
		"lost": {
			control.Status{Lost: []control.RecentLoss{{Container: "web-1a2b3c4d5e6f", Reason: "disk full", Lines: 7, Bytes: 70, Last: time.Unix(1, 0)}}},
			control.Degraded, []string{"lost: 7 lines, 70 bytes: 7 of web-1a2b3c4d5e6f, last at 1970-01-01T00:00:01Z (disk full)"},
		},
		"unknown": {
			control.Status{Streams: []control.Stream{{Container: "unknown", ID: "1a2b3c4d5e6f", Unknown: true}}},
			control.Unhealthy, []string{"1 running containers are not registered", "unknown-1a2b3c4d5e6f", "restart these containers"},
		},
		"stalled": {
			control.Status{Pending: control.Pending{Segments: 5}, Uploads: control.Uploads{Stalled: 600, LastError: "503 SlowDown"}},
			control.Unhealthy, []string{"nothing was uploaded for 10m0s", "5 segments", "503 SlowDown"},
		},
		"blocked": {
			control.Status{Pending: control.Pending{Segments: 5}, Uploads: control.Uploads{Stalled: 1, Blocked: "403 AccessDenied"}},
			control.Degraded, []string{"the store refuses, and 5 segments wait", "403 AccessDenied"},
		},
		"blocked for long": {
			control.Status{Pending: control.Pending{Segments: 5}, Uploads: control.Uploads{Stalled: 700, Blocked: "403 AccessDenied"}},
			control.Unhealthy, []string{"11m40s", "403 AccessDenied"},
		},
		"spool":        {control.Status{Uploads: control.Uploads{SpoolError: "EIO"}}, control.Degraded, []string{"the spool cannot be read: EIO"}},
		"unregistered": {control.Status{Streams: []control.Stream{{Unregistered: true}}}, control.Degraded, []string{"no room to register 1 containers"}},
		"a target that refuses": {
			control.Status{Targets: []control.Target{{Name: "webhook at bot", Failed: 3, Failing: 3, Refusal: "400", LastError: "400"}}},
			control.Degraded, []string{"webhook at bot takes no messages (3 attempts failed in a row): 400"},
		},
		"a target that failed once": {
			control.Status{Targets: []control.Target{{Failed: 1, Failing: 1, Refusal: "502", LastError: "502"}}}, control.Healthy, nil,
		},
		"no outbox": {
			control.Status{Targets: []control.Target{{Name: "webhook at bot", LastError: "the outbox is not open: EIO"}}},
			control.Degraded, []string{"webhook at bot gets no messages: the outbox is not open: EIO"},
		},
		"inodes":     {control.Status{Disk: control.Disk{Inodes: 1 << 20, InodesFree: 999}}, control.Degraded, []string{"999 of 1048576 inodes"}},
		"few inodes": {control.Status{Disk: control.Disk{Inodes: 200, InodesFree: 9}}, control.Degraded, []string{"9 of 200 inodes"}},
		"disk":       {control.Status{Now: now, Streams: trouble(time.Second)}, control.Degraded, []string{"takes nothing of 1 containers, of web for 1s: no space left"}},
		"disk, long": {control.Status{Now: now, Streams: trouble(10 * time.Second)}, control.Unhealthy, []string{"web for 10s"}},
		"both": {
			control.Status{Now: now, Streams: trouble(11 * time.Second), Uploads: control.Uploads{Blocked: "403"}},
			control.Unhealthy, []string{"the store refuses", "web for 11s"},
		},
		"stalled, and a disk for a moment": {
			control.Status{Now: now, Streams: trouble(time.Second), Uploads: control.Uploads{Stalled: 600}},
			control.Unhealthy, []string{"no error was seen", "web for 1s"},
		},
	} {
		got, reasons := judge(&tt.s, 10*time.Minute)
		all := strings.Join(reasons, "\n")
		if got != tt.want || tt.says == nil && all != "" {
			t.Errorf("%s: %s, want %s: %s", name, got, tt.want, all)
		}
		if len(tt.s.Lost) > 0 && !strings.HasPrefix(all, "lost") {
			t.Errorf("%s: a loss is not said first: %s", name, all)
		}
		for _, want := range tt.says {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q\nwant … %s …", name, all, want)
			}
		}
	}
}

func TestTheHeadlineIsTakenFromSegmentsWithErrors(t *testing.T) {
	o := &operator{metrics: metrics.New(func() control.Status { return control.Status{} })}
	at := time.Now()
	for _, m := range []spool.Meta{
		{Errors: 1, LastError: at.Add(-31500 * time.Millisecond)},
		{Errors: 1, LastError: at.Add(time.Hour)}, // a clock that was set back
		{Errors: 1}, // a raw text, after a crash
		{Errors: 0},
	} {
		o.shipped(ship.Shipped{Meta: &m, At: at})
	}
	w := httptestGet(t, o.metrics.Handler())
	if !strings.Contains(w, "logfast_error_to_object_seconds_sum 31.5\n") || !strings.Contains(w, "logfast_error_to_object_seconds_count 2\n") {
		t.Error(w)
	}
}

// write starts a container and writes lines to it.
func (s *served) write(name string, lines ...string) (fifo string) {
	s.Helper()
	fifo, w := makeFIFO(s.T)
	info := logger.Info{ContainerID: (name + strings.Repeat("0123456789abcdef", 4))[:64], ContainerName: "/" + name}
	if got := s.call("LogDriver.StartLogging", startRequest(s.T, fifo, info)); got != "" {
		s.Fatal(got)
	}
	enc := logdriver.NewLogEntryEncoder(w)
	for _, line := range lines {
		if err := enc.Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: time.Now().UnixNano(), Line: []byte(line)}); err != nil {
			s.Fatal(err)
		}
	}
	return fifo
}

// TestFlushShipsWhatWasWrittenBefore does not wait for the lines to be on disk:
// that is what a flush has to do.
func TestFlushShipsWhatWasWrittenBefore(t *testing.T) {
	s := serve(t)
	s.write("web", "one", "two")
	s.write("db", "three")
	c := control.NewClient(s.spool)
	s.awaitControl(c)
	var shipped []string
	all := 0
	err := c.Flush(t.Context(), []string{"web"}, func(f control.Flush) {
		all += len(f.Sealed)
		if f.Shipped != nil {
			shipped = append(shipped, f.Shipped.Key)
		}
	})
	if err != nil || all != 1 || len(shipped) != 1 || !strings.Contains(shipped[0], "app=web/") {
		t.Fatalf("%v: %d sealed, shipped %v", err, all, shipped)
	}
	if _, err := os.Stat(filepath.Join(s.spool, "archive", shipped[0])); err != nil {
		t.Error(err)
	}
	if got := find(t, s.spool, "archive/logs/*/*/app=db/*"); got != nil {
		t.Errorf("another container's lines were shipped: %v", got)
	}
	if err := c.Flush(t.Context(), []string{"wbb"}, func(control.Flush) {}); err == nil || !strings.Contains(err.Error(), `no container "wbb"`) {
		t.Error(err)
	}
}

// TestTheLogIsKeptAndItsLevelSet reads what a process leaves in the spool.
func TestTheLogIsKeptAndItsLevelSet(t *testing.T) {
	s := serve(t)
	c := control.NewClient(s.spool)
	s.awaitControl(c)
	if err := c.Level(t.Context(), "error"); err != nil {
		t.Fatal(err)
	}
	if status, err := c.Status(t.Context()); err != nil || status.LogLevel != "error" {
		t.Errorf("%+v %v", status, err)
	}
	if err := c.Level(t.Context(), "loud"); err == nil || !strings.Contains(err.Error(), "debug, info, warn, error") {
		t.Error(err)
	}
	if err := c.Level(t.Context(), "info"); err != nil {
		t.Fatal(err)
	}
	s.stop()
	b, err := os.ReadFile(filepath.Join(s.spool, ".logfast.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if !strings.Contains(lines[0], "logfast is ready") || !strings.Contains(lines[len(lines)-1], hasStopped) || strings.Count(string(b), "log level set") != 2 {
		t.Errorf("%s", b)
	}
}

// TestWhyItCannotWorkIsKeptToo reads the spool of a plugin that cannot work,
// and of one that can afterwards: the reason is there, and nobody died.
func TestWhyItCannotWorkIsKeptToo(t *testing.T) {
	spool, works := cannotWorkOn(t)
	s := serveOn(t, spool)
	kept := filepath.Join(s.spool, ".logfast.log")
	await.Until(t, "the reason is kept", func() bool {
		b, _ := os.ReadFile(kept)
		return strings.Contains(string(b), cannotWork) && strings.Contains(string(b), "registry of streams")
	})
	if _, err := control.NewClient(s.spool).Status(t.Context()); err == nil || !strings.Contains(err.Error(), cannotWork) || !strings.Contains(err.Error(), "registry of streams") {
		t.Errorf("logfast status does not say why: %v", err)
	}
	s.stop()
	works()
	again := serve(t, "LOGFAST_SPOOL="+s.spool)
	again.awaitControl(control.NewClient(s.spool))
	again.stop()
	if b, err := os.ReadFile(kept); err != nil || strings.Contains(string(b), "did not end by itself") || strings.Count(string(b), cannotWork) != 1 {
		t.Errorf("%v\n%s", err, b)
	}
}

// TestEachEventOfALifeIsLoggedOnce follows one container from its start to its
// object.
func TestEachEventOfALifeIsLoggedOnce(t *testing.T) {
	s := serve(t)
	fifo := s.write("web", "one")
	if got := s.call("LogDriver.StopLogging", `{"File":"`+fifo+`"}`); got != "" {
		t.Fatal(got)
	}
	await.Until(t, "it is uploaded", func() bool { return strings.Contains(s.log.String(), "segment uploaded") })
	s.stop()
	for event, attrs := range map[string][]string{
		"logfast is ready": {"version=test", "host=web-1"}, "stream started": {"container=web", "id=web012345678"},
		"segment sealed": {"container=web", "segment=web-web012345678/web.log-"}, "segment uploaded": {"container=web", `key="logs/dt=`, "segment=web-web012345678/"},
		"stream stopped": {"container=web", "lines=1"}, hasStopped: nil,
	} {
		n := 0
		for line := range strings.Lines(s.log.String()) {
			if !strings.Contains(line, event) {
				continue
			}
			n++
			for _, want := range attrs {
				if !strings.Contains(line, want) {
					t.Errorf("no %s in %s", want, line)
				}
			}
		}
		if n != 1 {
			t.Errorf("%q is said %d times", event, n)
		}
	}
	if t.Failed() {
		t.Log(s.log.String())
	}
}

// TestMetricsOverTCPWaitForTheirPort takes the port first: logfast works all the
// same, and says what is wrong.
func TestMetricsOverTCPWaitForTheirPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := serve(t, "LOGFAST_METRICS="+l.Addr().String())
	s.write("web", "one")
	await.Until(t, "the log says why", func() bool {
		return strings.Contains(s.log.String(), "metrics are not served over TCP")
	}, s.log.String)
}

func (s *served) awaitControl(c *control.Client) {
	s.Helper()
	var err error
	await.Until(s, "the control socket answers", func() bool {
		_, err = c.Status(s.Context())
		return err == nil
	}, func() string { return err.Error() })
}

func httptestGet(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	defer server.Close()
	r, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func found(all []control.Finding, check string) control.Finding {
	for _, f := range all {
		if f.Check == check {
			return f
		}
	}
	return control.Finding{}
}

func TestCheckFindsWhatIsWrongAndSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		environ []string
		check   string
		result  control.Result
		detail  string
		remedy  string
	}{
		"configuration": {[]string{"LOGFAST_FORMAT=json"}, "configuration", control.Fail, "LOGFAST_FORMAT=json", "docker plugin set logfast NAME=value"},
		"no spool":      {[]string{"LOGFAST_SPOOL=" + dir + "/none"}, "spool", control.Fail, "no such file", "Make the directory"},
		"a file":        {[]string{"LOGFAST_SPOOL=" + file}, "spool", control.Fail, "not a directory", "dmesg"},
		"read-only":     {[]string{"LOGFAST_SPOOL=/proc/self/task"}, "spool", control.Fail, "", ""},
		"no bound":      {[]string{"LOGFAST_MAX_DISK=0"}, "disk", control.Warn, "LOGFAST_MAX_DISK=0", "LOGFAST_MAX_DISK=10GB"},
		"large budget":  {[]string{"LOGFAST_MAX_DISK=900PB"}, "disk", control.Warn, "more than the disk has", "LOGFAST_MAX_DISK="},
		"secrets":       {[]string{"AWS_SECRET_ACCESS_KEY=hunter2"}, "secrets", control.Warn, "docker plugin inspect shows", "/etc/logfast/credentials"},
		"open metrics":  {[]string{"LOGFAST_METRICS=0.0.0.0:9323"}, "metrics", control.Warn, "0.0.0.0:9323", "127.0.0.1"},
		"no region":     {[]string{"LOGFAST_STORE=s3://logs"}, "store", control.Fail, "no region", "AWS_REGION="},
		"nobody":        {[]string{"LOGFAST_STORE=s3://logs", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1"}, "store", control.Fail, "connection refused", "AWS_ENDPOINT_URL_S3="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", "id")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			t.Setenv("AWS_REGION", "")
			all := Check(t.Context(), append([]string{"LOGFAST_SPOOL=" + t.TempDir()}, tt.environ...), true)
			f := found(all, tt.check)
			if f.Result != tt.result || !strings.Contains(f.Detail, tt.detail) || !strings.Contains(f.Remedy, tt.remedy) || f.Remedy == "" {
				t.Errorf("%+v\nof %+v", f, all)
			}
			if b, _ := json.Marshal(all); strings.Contains(string(b), "hunter2") {
				t.Error("a secret is repeated")
			}
		})
	}
}

func TestACheckOfADirectoryStoreLeavesNothing(t *testing.T) {
	spool := t.TempDir()
	environ := []string{"LOGFAST_SPOOL=" + spool, "LOGFAST_HOST=web-1"}
	for range 2 {
		all := Check(t.Context(), environ, true)
		if control.Failed(all) {
			t.Fatalf("%+v", all)
		}
		for _, check := range []string{"put", "get", "list", "delete"} {
			if found(all, check).Result != control.OK {
				t.Errorf("%+v", found(all, check))
			}
		}
		if key := found(all, "key"); !strings.Contains(key.Detail, "file://"+spool+"/archive/logs/dt=") || !strings.Contains(key.Detail, "/host=web-1/app=shop-web/") {
			t.Error(key.Detail)
		}
	}
	if got := find(t, spool, "archive", "[^.]*"); got != nil {
		t.Errorf("left: %v", got)
	}
	if got := find(t, spool, ".check*"); got != nil {
		t.Errorf("left: %v", got)
	}
}

func TestAClockThatIsWrongIsFound(t *testing.T) {
	for skew, want := range map[time.Duration]control.Result{
		time.Second: control.OK, -29 * time.Second: control.OK, 31 * time.Second: control.Warn, -14 * time.Minute: control.Warn,
		16 * time.Minute: control.Fail, -16 * time.Minute: control.Fail,
	} {
		var c checker
		if c.clock(skew); c.all[0].Result != want {
			t.Errorf("%v: %+v, want %s", skew, c.all[0], want)
		}
	}
}

func TestLevelNames(t *testing.T) {
	for text, want := range map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError} {
		l, err := parseLevel(text)
		if err != nil || l != want || levelName(l) != text {
			t.Errorf("%s: %v %v", text, l, err)
		}
	}
}
