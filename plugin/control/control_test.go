package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/internal/refused"
)

// serveIn runs a server on the socket of a spool until the test ends.
func serveIn(t *testing.T, spool string, s *Server) (stop func()) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(spool, Dir), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(spool, Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	l, err := Listen(root)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// still is a server that has nothing to do.
func still() *Server {
	return &Server{
		Status: func() Status {
			return Status{Version: "1.2.3", Streams: []Stream{{Container: "web", Counts: Counts{Lines: 7}}}}
		},
		Health:  func() (Health, []string) { return Healthy, nil },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "logfast_lines_total 7\n") }),
		Level:   func(string) error { return nil },
		Flush:   func(context.Context, []string, func(Flush)) error { return nil },
		Check: func(context.Context) []Finding {
			return []Finding{{Check: "disk", Result: Warn, Detail: "d", Remedy: "r"}}
		},
		TestTargets: func(_ context.Context, target string) ([]Tested, error) {
			if target == "nobody" {
				return nil, errors.New("no target \"nobody\"")
			}
			took := Tested{Target: target, Kind: "webhook", Answer: "204 No Content"}
			return []Tested{took, {Target: "mail", Error: "550"}}, nil
		},
	}
}

func TestTargets_GoThroughTheSocket(t *testing.T) {
	spool := t.TempDir()
	c := NewClient(spool)
	if _, err := c.TestTargets(t.Context(), ""); !errors.Is(err, ErrNoPlugin) {
		t.Errorf("without a plugin: %v", err)
	}
	serveIn(t, spool, still())
	all, err := c.TestTargets(t.Context(), "webhook-1a2b3c at bot")
	if err != nil || len(all) != 2 || all[0].Target != "webhook-1a2b3c at bot" || all[0].Answer != "204 No Content" ||
		Refused(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := c.TestTargets(t.Context(), "nobody"); err == nil || err.Error() != `no target "nobody"` {
		t.Errorf("%v", err)
	}
}

func TestTheClientGetsWhatTheServerSays(t *testing.T) {
	// A path beyond what Linux takes for a socket.
	spool := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	s := still()
	level := ""
	s.Level = func(l string) error {
		if level = l; l == "loud" {
			return errors.New("allowed are debug, info, warn, error")
		}
		return nil
	}
	serveIn(t, spool, s)
	c := NewClient(spool)
	status, err := c.Status(t.Context())
	if err != nil || status.Version != "1.2.3" || len(status.Streams) != 1 || status.Streams[0].Lines != 7 {
		t.Errorf("%+v, %v", status, err)
	}
	findings, err := c.Check(t.Context())
	if err != nil || !cmp.Equal(findings, s.Check(t.Context())) {
		t.Errorf("%+v, %v", findings, err)
	}
	if err := c.Level(t.Context(), "debug"); err != nil || level != "debug" {
		t.Errorf("level %q, %v", level, err)
	}
	if err := c.Level(t.Context(), "loud"); err == nil || err.Error() != "allowed are debug, info, warn, error" {
		t.Errorf("%v", err)
	}
	if code, text, err := c.Text(t.Context(), "/metrics"); code != 200 || text != "logfast_lines_total 7\n" || err != nil {
		t.Errorf("%d %q %v", code, text, err)
	}
	if err := c.get(t.Context(), "/nothing", nil); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("%v", err)
	}
}

func TestFlushTellsEachStep(t *testing.T) {
	spool := t.TempDir()
	s := still()
	steps := []Flush{{Sealed: []Segment{{Key: "a"}, {Key: "b"}}}, {Waiting: "403"}, {Shipped: &Segment{Key: "a", Bytes: 9}}, {Gone: &Segment{Key: "b"}}}
	var asked []string
	var end error
	s.Flush = func(_ context.Context, containers []string, tell func(Flush)) error {
		asked = containers
		for _, f := range steps {
			tell(f)
		}
		return end
	}
	serveIn(t, spool, s)
	var got []Flush
	err := NewClient(spool).Flush(t.Context(), []string{"web", "db"}, func(f Flush) { got = append(got, f) })
	if err != nil || !cmp.Equal(asked, []string{"web", "db"}) {
		t.Fatalf("asked %v, %v", asked, err)
	}
	if d := cmp.Diff(steps, got); d != "" {
		t.Error(d)
	}
	end = errors.New("no container \"x\"")
	if err := NewClient(spool).Flush(t.Context(), nil, func(Flush) {}); err == nil || err.Error() != end.Error() {
		t.Errorf("%v, want %v", err, end)
	}
}

// TestFlushEndsWithWhoeverAsked shows that the server's context ends with the
// client's, and that a server that ends says so to the client.
func TestFlushEndsWithWhoeverAsked(t *testing.T) {
	spool := t.TempDir()
	s := still()
	began, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	s.Flush = func(ctx context.Context, _ []string, _ func(Flush)) error {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}
	stop := serveIn(t, spool, s)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if err := NewClient(spool).Flush(ctx, nil, func(Flush) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-ended
	go func() { <-began; stop() }()
	if err := NewClient(spool).Flush(t.Context(), nil, func(Flush) {}); err == nil || !strings.Contains(err.Error(), "the plugin has ended meanwhile") {
		t.Errorf("%v", err)
	}
	<-ended
}

func TestHealth(t *testing.T) {
	spool := t.TempDir()
	s := still()
	health := Degraded
	s.Health = func() (Health, []string) { return health, []string{"the store refuses: 403"} }
	serveIn(t, spool, s)
	for _, tt := range []struct {
		health Health
		code   int
	}{{Degraded, 200}, {Unhealthy, 503}} {
		health = tt.health
		code, text, err := NewClient(spool).Text(t.Context(), "/healthz")
		if code != tt.code || text != string(tt.health)+"\nthe store refuses: 403\n" || err != nil {
			t.Errorf("%d %q %v", code, text, err)
		}
	}
}

// TestTheSocketIsRootsAloneAndReplaced makes it over what a killed process left.
func TestTheSocketIsRootsAloneAndReplaced(t *testing.T) {
	spool := t.TempDir()
	stop := serveIn(t, spool, still())
	stop()
	if _, err := NewClient(spool).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no plugin is at work in "+spool) {
		t.Errorf("a stale socket: %v", err)
	}
	serveIn(t, spool, still())
	if _, err := NewClient(spool).Status(t.Context()); err != nil {
		t.Error(err)
	}
	fi, err := os.Lstat(filepath.Join(spool, Dir, Socket))
	if err != nil || fi.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	spool := t.TempDir()
	for _, tt := range []struct{ spool, want string }{
		{filepath.Join(spool, "none"), "there is no spool at " + spool + "/none: where the plugin's logs.source was set to another directory, name that: --spool DIRECTORY"},
		{spool, "docker plugin enable --timeout 0 logfast"},
	} {
		if _, err := NewClient(tt.spool).Status(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v\nwant … %s …", err, tt.want)
		}
	}
}

// Root in a domain that SELinux refuses needs another domain, not sudo.
func TestClient_SaysWhoRefusesTheSocket(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{"sys/fs/selinux/enforce": "1", "proc/self/attr/current": "root:auditadm_r:auditadm_t:s0\x00"} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		uid        int
		want, none string
	}{
		{1000, "is for root alone: type sudo before the command", "SELinux"},
		{0, "root in the domain auditadm_t: see the denial with ausearch -m avc -ts recent", "type sudo"},
	} {
		c := NewClient("/spool")
		c.self = refused.Process{UID: tt.uid, Root: root}
		for _, e := range []error{
			&os.PathError{Op: "open", Path: "/spool/.control", Err: syscall.EACCES},
			&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)},
		} {
			err := c.explain(t.Context(), e)
			if !strings.HasPrefix(err.Error(), "connect to /spool/.control/logfast.sock: ") ||
				!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), tt.none) {
				t.Errorf("user %d, %v: %v", tt.uid, e, err)
			}
		}
	}
}

func TestResolve(t *testing.T) {
	web, old, db := Container{"web", "1a2b3c"}, Container{"web", "99aa00"}, Container{"db", "1a2f00"}
	known := []Container{web, old, db}
	for _, tt := range []struct {
		asked []string
		want  []Container
		err   string
	}{
		{nil, nil, ""},
		{[]string{"db"}, []Container{db}, ""},
		{[]string{"/db", "1a2f"}, []Container{db}, ""},
		{[]string{"web"}, []Container{web, old}, ""},
		{[]string{"99"}, []Container{old}, ""},
		{[]string{"1a2b3c"}, []Container{web}, ""},
		{[]string{"1a2"}, nil, "type more of it"},
		{[]string{"db", "wep"}, nil, `did you mean "web"?`},
		{[]string{""}, nil, `no container ""`},
	} {
		got, err := Resolve(tt.asked, known)
		if d := cmp.Diff(tt.want, got); d != "" || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %v, want … %q …\n%s", tt.asked, err, tt.err, d)
		}
	}
	if _, err := Resolve([]string{"web"}, nil); err == nil || !strings.Contains(err.Error(), "none writes to logfast") {
		t.Error(err)
	}
}
