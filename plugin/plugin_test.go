package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/plugin/selflog"
)

// output collects the plugin's log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// served is a plugin that runs in this process, on a real socket.
type served struct {
	*testing.T
	spool string
	log   output
	hup   chan os.Signal
	stop  func()
	http  http.Client
}

func serve(t *testing.T, environ ...string) *served {
	t.Helper()
	return serveOn(t, t.TempDir(), environ...)
}

// serveOn is serve with a spool that was there before.
func serveOn(t *testing.T, spool string, environ ...string) *served {
	t.Helper()
	s := &served{T: t, spool: spool, hup: make(chan os.Signal)}
	socket := filepath.Join(t.TempDir(), "plugins", "logfast.sock")
	s.http = clientOf(socket)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	// A socket that a killed process left must not be in the way.
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		done <- run(ctx, "test", socket, append([]string{"LOGFAST_SPOOL=" + s.spool, "LOGFAST_HOST=web-1"}, environ...), s.hup, selflog.New(&s.log))
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		s.http.CloseIdleConnections()
	})
	t.Cleanup(s.stop)
	awaitSocket(t, socket)
	return s
}

func clientOf(socket string) http.Client {
	return http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
}

func awaitSocket(t *testing.T, socket string) {
	t.Helper()
	await.Until(t, "the plugin listens", func() bool {
		c, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// call posts a body and decodes the answer's Err.
func (s *served) call(method, body string) string {
	s.Helper()
	var answer struct{ Err string }
	if err := json.Unmarshal([]byte(s.post(method, body)), &answer); err != nil {
		s.Fatalf("%s: %v", method, err)
	}
	return answer.Err
}

func (s *served) post(method, body string) string {
	s.Helper()
	return s.postFor(http.StatusOK, method, body)
}

// postFor posts what must be answered with a status, and returns the body.
func (s *served) postFor(status int, method, body string) string {
	s.Helper()
	r, err := s.http.Post("http://plugin/"+method, "application/json", strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status {
		s.Fatalf("%s: %s %s %v", method, r.Status, b, err)
	}
	return string(b)
}

// request is what dockerd sends, made of Docker's own type.
func startRequest(t *testing.T, fifo string, info logger.Info) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"File": fifo, "Info": info})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func makeFIFO(t *testing.T) (path string, w *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return path, w
}

func find(t *testing.T, pattern ...string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestTheProtocol(t *testing.T) {
	const secret = "hunter2-the-secret"
	s := serve(t, "AWS_SECRET_ACCESS_KEY="+secret)
	if got := s.post("Plugin.Activate", ""); !strings.Contains(got, `"LogDriver"`) {
		t.Errorf("activate: %s", got)
	}
	if got := s.post("LogDriver.Capabilities", "{}"); strings.TrimSpace(got) != `{"Cap":{"ReadLogs":true}}` {
		t.Errorf("capabilities: %s", got)
	}
	fifo, w := makeFIFO(t)
	info := logger.Info{
		ContainerID: strings.Repeat("0123456789abcdef", 4), ContainerName: "/web",
		ContainerEnv: []string{"PASSWORD=" + secret, "REGION=eu"}, ContainerLabels: map[string]string{"token": secret}, ContainerArgs: []string{secret},
		Config: map[string]string{"format": "raw", "env-regex": ".", "labels-regex": ".", "tag": "{{.Name}}"},
	}
	if got := s.call("LogDriver.StartLogging", startRequest(t, fifo, info)); got != "" {
		t.Fatalf("start: %s", got)
	}
	if err := logdriver.NewLogEntryEncoder(w).Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: 1, Line: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := s.call("LogDriver.StopLogging", `{"File":"`+fifo+`"}`); got != "" {
			t.Fatalf("stop: %s", got)
		}
	}
	var object []string
	await.Until(t, "an object is in the store", func() bool {
		object = find(t, s.spool, "archive/logs/dt=1970-01-01/host=web-1/app=web/*.gz")
		return object != nil
	}, s.log.String)
	s.stop()
	err := filepath.WalkDir(s.spool, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds the secret, or %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.log.String(), secret) {
		t.Errorf("the log holds the secret:\n%s", s.log.String())
	}
}

func TestOddRequests(t *testing.T) {
	s := serve(t)
	for _, body := range []string{"", "{}", `{"File":"/no/such"}`, "not json", `{"File":7}`} {
		if got := s.call("LogDriver.StopLogging", body); got != "" {
			t.Errorf("stop with %q: %s; Docker would keep the plugin's reference", body, got)
		}
	}
	for body, want := range map[string]string{
		"":         "logfast: the request names no FIFO",
		"{}":       "logfast: the request names no FIFO",
		"not json": "logfast: invalid character",
		`{"File":"/no","Info":{"ContainerID":"x","Config":{"fromat":"cri"}}}`: `logfast: unknown option fromat; did you mean "format"?`,
	} {
		if got := s.call("LogDriver.StartLogging", body); !strings.HasPrefix(got, want) {
			t.Errorf("start with %q: %q, want %q …", body, got, want)
		}
	}
}

// cannotWorkOn is a spool on which logfast cannot work, until the test calls works
// or ends: the disk takes no directory for its registry.
func cannotWorkOn(t *testing.T) (spool string, works func()) {
	t.Helper()
	works = durable.Intercept(func(step durable.Step, do func() error) error {
		if step.Op == "mkdir" && step.Name == ".streams" {
			return unix.EIO
		}
		return do()
	})
	t.Cleanup(works)
	return t.TempDir(), works
}

func TestWhyItCannotWorkIsToldToWhoeverStartsAContainer(t *testing.T) {
	sp, _ := cannotWorkOn(t)
	s := serveOn(t, sp)
	fifo, _ := makeFIFO(t)
	got := s.call("LogDriver.StartLogging", startRequest(t, fifo, logger.Info{ContainerID: "x", ContainerName: "/x"}))
	if !strings.Contains(got, "open the registry of streams") {
		t.Errorf("%q", got)
	}
	if _, err := os.Lstat(fifo); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the FIFO of a container that did not start is left: %v", err)
	}
	if got := s.call("LogDriver.StopLogging", `{"File":"`+fifo+`"}`); got != "" {
		t.Errorf("stop: %s", got)
	}
	entries, _ := os.ReadDir(s.spool)
	for _, e := range entries {
		switch e.Name() {
		case spool.LockFile, selflog.FileName, settingsFile, ".streams":
		default:
			t.Errorf("something was started: %v", entries)
		}
	}
}

// TestStart_ALargeDescriptionIsRefused sends 20 MB of labels.
func TestStart_ALargeDescriptionIsRefused(t *testing.T) {
	s := serve(t)
	fifo, _ := makeFIFO(t)
	info := logger.Info{ContainerID: "x", ContainerName: "/x", ContainerLabels: map[string]string{"a": strings.Repeat("x", 20<<20)}}
	if got := s.call("LogDriver.StartLogging", startRequest(t, fifo, info)); !strings.Contains(got, "more than 16 MiB") {
		t.Errorf("%q", got)
	}
	s.write("web", "one") // the next one starts
}

func TestASpoolThatIsTakenIsSaid(t *testing.T) {
	first := serve(t)
	fifo, _ := makeFIFO(t)
	request := startRequest(t, fifo, logger.Info{ContainerID: "x", ContainerName: "/x"})
	if got := first.call("LogDriver.StartLogging", request); got != "" {
		t.Fatal(got)
	}
	second := serve(t, "LOGFAST_SPOOL="+first.spool)
	if got := second.call("LogDriver.StartLogging", request); !strings.Contains(got, "locked by another process") {
		t.Errorf("%q", got)
	}
}

// TestItWorksOnceItCan gives up the spool that another plugin waits for.
func TestItWorksOnceItCan(t *testing.T) {
	dir := t.TempDir()
	spool, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, "LOGFAST_SPOOL="+dir)
	var fifo string
	start := func() string { // as Docker does: each time with another FIFO
		fifo, _ = makeFIFO(t)
		return s.call("LogDriver.StartLogging", startRequest(t, fifo, logger.Info{ContainerID: "x", ContainerName: "/x"}))
	}
	if got := start(); !strings.Contains(got, "locked by another process") {
		t.Fatalf("%q", got)
	}
	if err := spool.Close(); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "it works", func() bool { return start() == "" })
	if got := s.call("LogDriver.StopLogging", `{"File":"`+fifo+`"}`); got != "" {
		t.Errorf("stop: %s", got)
	}
}

func TestSIGHUPSealsAndStoppingSealsTheRest(t *testing.T) {
	s := serve(t)
	fifo, w := makeFIFO(t)
	info := logger.Info{ContainerID: strings.Repeat("ab", 32), ContainerName: "/web"}
	if got := s.call("LogDriver.StartLogging", startRequest(t, fifo, info)); got != "" {
		t.Fatal(got)
	}
	enc := logdriver.NewLogEntryEncoder(w)
	line := func() {
		if err := enc.Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: 1, Line: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(pattern string) {
		t.Helper()
		await.Until(t, "there is "+pattern, func() bool { return find(t, s.spool, pattern) != nil }, s.log.String)
	}
	line()
	wait("web-*/web.log")
	s.hup <- unix.SIGHUP
	wait("archive/logs/*/*/*/*-manual.log.gz")
	line()
	wait("web-*/web.log")
	s.stop()
	if find(t, s.spool, "web-*/web.log") != nil || find(t, s.spool, "web-*/web.log-*-stop*") == nil {
		t.Fatalf("after the end: %v", find(t, s.spool, "web-*/*"))
	}
}

// TestKey_HasNoSecretOfALabel: a key shows the label that it names, unless that looks like a
// secret.
func TestKey_HasNoSecretOfALabel(t *testing.T) {
	s := serve(t, "LOGFAST_KEY={label:team}/{label:api-token}/{seq}", "LOGFAST_LABELS=api-token")
	fifo, w := makeFIFO(t)
	info := logger.Info{
		ContainerID: strings.Repeat("ab", 32), ContainerName: "/web",
		ContainerLabels: map[string]string{"team": "blue", "api-token": "hunter2"},
	}
	if got := s.call("LogDriver.StartLogging", startRequest(t, fifo, info)); got != "" {
		t.Fatal(got)
	}
	line := &logdriver.LogEntry{Source: "stdout", TimeNano: 1, Line: []byte("x")}
	if err := logdriver.NewLogEntryEncoder(w).Encode(line); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the line is in the spool", func() bool { return find(t, s.spool, "web-*/web.log") != nil }, s.log.String)
	s.hup <- unix.SIGHUP
	await.Until(t, "the object is in the store", func() bool { return find(t, s.spool, "archive/blue/*/[^.]*") != nil }, s.log.String)
	if got, want := find(t, s.spool, "archive/blue/*/[^.]*"), filepath.Join(s.spool, "archive/blue/-/000001"); !slices.Equal(got, []string{want}) {
		t.Errorf("the keys are %q, not %q", got, want)
	}
}

func TestInfoIsDockers(t *testing.T) {
	b, err := json.Marshal(logger.Info{
		Config: map[string]string{"a": "b"}, ContainerID: "id", ContainerName: "/name", ContainerImageID: "sha256:x",
		ContainerImageName: "image", ContainerLabels: map[string]string{"l": "m"}, ContainerEnv: []string{"e=f"}, DaemonName: "docker",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got options.Info
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Config["a"] != "b" || got.ContainerID != "id" || got.Name() != "name" || got.ImageFullID() != "sha256:x" ||
		got.ImageName() != "image" || got.ContainerLabels["l"] != "m" || !slices.Equal(got.ContainerEnv, []string{"e=f"}) || got.DaemonName != "docker" {
		t.Fatalf("%+v", got)
	}
}
