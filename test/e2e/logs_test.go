//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/pkg/stdcopy"
	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/internal/await"
)

// The tests of docker logs. moby-logs.txt says which of moby's own tests they
// stand for.

// on makes a host of a subtest, with the same plugin.
func (h *host) on(t *testing.T) *host {
	return &host{T: t, spool: h.spool, config: h.config, store: h.store}
}

// logs runs docker logs and returns both streams. It fails where the client does.
func (c *container) logs(args ...string) (stdout, stderr string) {
	c.Helper()
	stdout, stderr, err := tryLogs(c.id, args...)
	if err != nil {
		c.Fatalf("docker logs %v: %v\n%s", args, err, stderr)
	}
	return stdout, stderr
}

func tryLogs(id string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", slices.Concat([]string{"logs"}, args, []string{id})...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = errors.Join(cmd.Run(), ctx.Err())
	return out.String(), errs.String(), err
}

func (c *container) wantLogs(stdout, stderr string, args ...string) {
	c.Helper()
	gotOut, gotErr := c.logs(args...)
	if gotOut != stdout || gotErr != stderr {
		c.Errorf("docker logs %v: %.300q and %.300q, want %.300q and %.300q", args, gotOut, gotErr, stdout, stderr)
	}
}

// stamps returns the times of a container's lines of stdout.
func (c *container) stamps() (all []time.Time) {
	c.Helper()
	stdout, _ := c.logs("-t")
	for line := range strings.Lines(stdout) {
		stamp, _, _ := strings.Cut(line, " ")
		// moby's RFC3339NanoFixed: nine digits, zeros too.
		at, err := time.Parse("2006-01-02T15:04:05.000000000Z07:00", stamp)
		if err != nil || line[29] != 'Z' {
			c.Fatalf("%q: %v", line, err)
		}
		all = append(all, at)
	}
	return all
}

// ask asks the engine's API, as a client that may choose streams.
func ask(t *testing.T, path string, query url.Values) (*http.Response, func()) {
	t.Helper()
	socket := "/var/run/docker.sock"
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		socket = strings.TrimPrefix(host, "unix://")
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	r, err := client.Get("http://docker" + path + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return r, func() { r.Body.Close(); client.CloseIdleConnections() }
}

func (c *container) api(tty bool, query url.Values) (stdout, stderr string) {
	c.Helper()
	r, done := ask(c.T, "/containers/"+c.id+"/logs", query)
	defer done()
	if r.StatusCode != http.StatusOK {
		c.Fatal(r.Status)
	}
	var out, errs bytes.Buffer
	var err error
	if tty {
		_, err = io.Copy(&out, r.Body)
	} else {
		_, err = stdcopy.StdCopy(&out, &errs, r.Body)
	}
	if err != nil {
		c.Fatal(err)
	}
	return out.String(), errs.String()
}

func TestDockerLogs(t *testing.T) {
	h := enable(t)
	quiet := h.run("quiet", []step{out("0 words\n"), {Await: "end"}, out("1 words\n")})
	watching := quiet.follow()
	started := time.Now()

	for name, test := range map[string]func(*host){
		"long lines come back whole":            testLongLines,
		"times have one shape":                  testTimes,
		"the streams stay apart":                testStreams,
		"a client chooses streams":              testChosenStreams,
		"tail":                                  testTail,
		"since":                                 testSince,
		"since in the future, followed":         testSinceFuture,
		"following a stopped container ends":    testFollowStopped,
		"a container without lines":             testNoLines,
		"all lives of a container":              testLives,
		"a slow client gets everything":         testSlowClient,
		"followers across seals, beside attach": testFollowers,
		"clients that go away leave nothing":    testClientsGone,
		"raw":                                   testRaw,
		"Docker keeps no second copy":           testNoCopy,
	} {
		t.Run(name, func(t *testing.T) { test(h.on(t)) })
	}

	// Docker's client of a plugin would have given up by now, had it a bound.
	time.Sleep(time.Until(started.Add(31 * time.Second)))
	quiet.allow("end")
	quiet.wait()
	if got := watching.end(); got != "0 words\n1 words\n" {
		t.Errorf("%q", got)
	}
}

// following is a docker logs -f that runs.
type following struct {
	*container
	cmd    *exec.Cmd
	stdout output
	stderr bytes.Buffer
}

// output is what a program has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (c *container) follow(args ...string) *following {
	c.Helper()
	f := &following{container: c}
	f.cmd = exec.Command("docker", slices.Concat([]string{"logs", "-f"}, args, []string{c.id})...)
	f.cmd.Stdout, f.cmd.Stderr = &f.stdout, &f.stderr
	if err := f.cmd.Start(); err != nil {
		c.Fatal(err)
	}
	return f
}

// end waits for the client's end and returns what it printed on stdout.
func (f *following) end() string {
	f.Helper()
	timer := time.AfterFunc(patience, func() { f.cmd.Process.Kill() })
	defer timer.Stop()
	if err := f.cmd.Wait(); err != nil {
		f.Errorf("docker logs -f: %v, %s", err, f.stderr.String())
	}
	return f.stdout.String()
}

func testLongLines(h *host) {
	for _, size := range []int{32767, 32768, 33000} {
		c := h.run(fmt.Sprint("long", size), []step{out(strings.Repeat("=", size) + "\n")})
		c.wait()
		c.wantLogs(strings.Repeat("=", size)+"\n", "")
	}
}

func testTimes(h *host) {
	c := h.run("times", []step{out(strings.Repeat("=\n", 100))})
	c.wait()
	if got := c.stamps(); len(got) != 100 || !slices.IsSortedFunc(got, time.Time.Compare) {
		h.Errorf("%d times: %v", len(got), got)
	}
}

func testStreams(h *host) {
	c := h.run("stderr", []step{{Stderr: []byte("stderr_log\n")}})
	c.wait()
	c.wantLogs("", "stderr_log\n")
	tty := h.run("tty", []step{{Stderr: []byte("stderr_log\n")}}, "-t")
	tty.wait()
	tty.wantLogs("stderr_log\r\n", "")
}

func testChosenStreams(h *host) {
	steps := []step{out("this is fine"), {Pause: 50 * time.Millisecond, Stderr: []byte("accidents happen")}}
	for _, tty := range []bool{false, true} {
		var c *container
		if tty {
			c = h.run("chosen-tty", steps, "-t")
		} else {
			c = h.run("chosen", steps)
		}
		c.wait()
		for _, chosen := range []string{"stdout stderr", "stdout", "stderr"} {
			query := url.Values{}
			for _, s := range strings.Fields(chosen) {
				query.Set(s, "1")
			}
			want := [2]string{}
			if query.Has("stdout") {
				want[0] = "this is fine"
			}
			if query.Has("stderr") {
				want[1] = "accidents happen"
			}
			if tty && query.Has("stdout") {
				want = [2]string{"this is fineaccidents happen", ""}
			} else if tty {
				want = [2]string{}
			}
			stdout, stderr := c.api(tty, query)
			if d := cmp.Diff(want, [2]string{stdout, stderr}); d != "" {
				h.Errorf("tty %v, %s: %s", tty, chosen, d)
			}
		}
	}
}

func testTail(h *host) {
	c := h.run("tail", []step{{Count: 100, Line: "="}})
	c.wait()
	for tail, want := range map[string]int{"0": 0, "5": 5, "99": 99, "100": 100, "101": 100, "all": 100, "-1": 100, "random": 100} {
		c.wantLogs(countedFrom(100-want, 100), "", "--tail", tail)
	}
}

func testSince(h *host) {
	c := h.run("since", []step{out("log1\n"), {Pause: 20 * time.Millisecond}, out("log2\n"), {Pause: 20 * time.Millisecond}, out("log3\n")})
	c.wait()
	at := c.stamps()
	stamp := func(t time.Time) string { return t.Format(time.RFC3339Nano) }
	c.wantLogs("log3\n", "", "--since", stamp(at[1].Add(1)))
	c.wantLogs("log2\nlog3\n", "", "--since", stamp(at[1]))
	c.wantLogs("log1\nlog2\n", "", "--until", stamp(at[1]))
	c.wantLogs("log1\n", "", "--until", stamp(at[1].Add(-1)))
	c.wantLogs("log2\n", "", "--since", stamp(at[1]), "--until", stamp(at[1]))
	c.wantLogs("log3\n", "", "--since", stamp(at[1]), "--tail", "1")
	c.wantLogs("", "", "--until", stamp(at[1]), "--tail", "1")
	c.wantLogs("log1\nlog2\nlog3\n", "", "--since=0")
	c.wantLogs("log1\nlog2\nlog3\n", "", "--since=10m", "--until=0")
	c.wantLogs("", "", "--until=10m")
	c.wantLogs("", "", fmt.Sprintf("--since=%d", time.Now().Unix()+1000))
	if _, stderr, err := tryLogs(c.id, "--since=2006-01-02T15:04:0Z"); err == nil || !strings.Contains(stderr, `cannot parse "0Z" as "05"`) {
		h.Errorf("%v, %s", err, stderr)
	}
}

func testSinceFuture(h *host) {
	c := h.run("future", []step{{Count: 10, Rate: 10, Line: "log"}})
	await.Until(h.T, "the first line is there", func() bool { stdout, _ := c.logs(); return stdout != "" })
	since := c.stamps()[0].Add(450 * time.Millisecond)
	got := c.follow("-t", "--since", since.Format(time.RFC3339Nano)).end()
	if lines := strings.Count(got, "\n"); lines < 3 || lines > 7 || !strings.HasSuffix(got, " 9 log 9\n") {
		h.Errorf("%q", got)
	}
	for line := range strings.Lines(got) {
		if at, err := time.Parse(time.RFC3339Nano, strings.Fields(line)[0]); err != nil || at.Before(since) {
			h.Errorf("%q: %v; since %v", line, err, since)
		}
	}
}

func testFollowStopped(h *host) {
	c := h.run("stopped", []step{out("hello\n")})
	c.wait()
	if got := c.follow().end(); got != "hello\n" {
		h.Errorf("%q", got)
	}
}

func testNoLines(h *host) {
	c := h.run("nothing", []step{{Await: "end"}})
	c.wantLogs("", "", "--tail", "2")
	if stdout, stderr := c.api(false, url.Values{"stdout": {"1"}, "tail": {"2"}}); stdout+stderr != "" {
		h.Errorf("%q %q", stdout, stderr)
	}
	f := c.follow()
	c.allow("end")
	c.wait()
	if got := f.end(); got != "" {
		h.Errorf("%q", got)
	}
	c.wantLogs("", "")
	if _, err := os.Stat(c.dir()); !os.IsNotExist(err) {
		h.Errorf("a directory: %v", err)
	}
}

func testLives(h *host) {
	c := h.run("lives", []step{out("hello\n"), {Stderr: []byte("oh\n")}, out("no newline")})
	c.wait()
	c.wantLogs("hello\nno newline", "oh\n")
	docker(h.T, "start", "-a", c.id)
	c.wantLogs(strings.Repeat("hello\nno newline", 2), strings.Repeat("oh\n", 2))
	docker(h.T, "rename", c.id, c.app+"-renamed") // its segments lie in two directories now
	docker(h.T, "start", "-a", c.id)
	c.wantLogs(strings.Repeat("hello\nno newline", 3), strings.Repeat("oh\n", 3))
	docker(h.T, "rename", c.id, c.app)
	docker(h.T, "start", "-a", c.id)
	c.wantLogs(strings.Repeat("hello\nno newline", 4), strings.Repeat("oh\n", 4))
	c.wantLogs("no newline", "", "--tail", "1")
}

func testSlowClient(h *host) {
	c := h.run("slow", []step{{Await: "go"}, out(strings.Repeat("X\n", 75_000))})
	cmd := exec.Command("docker", "logs", "-f", c.id)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		h.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	c.allow("go")
	buf, n := make([]byte, 10), 0
	for range 10 { // one read of ten bytes each 50 ms: the test's input
		got, err := stdout.Read(buf)
		if err != nil {
			h.Fatal(err)
		}
		n += got
		time.Sleep(50 * time.Millisecond)
	}
	c.wait() // the container did not wait for its reader
	rest, err := io.Copy(io.Discard, stdout)
	if err != nil || n+int(rest) != 150_000 {
		h.Errorf("%d bytes, %v", n+int(rest), err)
	}
	if err := cmd.Wait(); err != nil {
		h.Error(err)
	}
}

// countedFrom is what a step with a Line of "=" prints, from number first on.
func countedFrom(first, n int) string {
	var b strings.Builder
	for i := first; i < n; i++ {
		fmt.Fprintf(&b, "%d = %d\n", i, i)
	}
	return b.String()
}

func testFollowers(h *host) {
	const lines = 20_000
	c := h.run("followed", []step{{Await: "go"}, {Count: lines, Rate: 10_000, Line: "="}, {Await: "end"}, out("the end\n")}, "max-size=64KiB")
	var all []*following
	for range 6 {
		all = append(all, c.follow())
	}
	var attached, events output
	began := time.Now()
	attach := exec.Command("docker", "attach", "--no-stdin", c.id)
	attach.Stdout = &attached
	if err := attach.Start(); err != nil {
		h.Fatal(err)
	}
	watch := exec.Command("docker", "events", "--since", began.Format(time.RFC3339Nano), "--filter", "event=attach", "--filter", "container="+c.id)
	watch.Stdout = &events
	if err := watch.Start(); err != nil {
		h.Fatal(err)
	}
	await.Until(h.T, "docker attach is attached", func() bool { return events.String() != "" })
	if err := watch.Process.Kill(); err != nil {
		h.Error(err)
	}
	_ = watch.Wait() // it was killed
	c.allow("go")
	await.Until(h.T, "segments are uploaded", func() bool {
		uploaded, err := filepath.Glob(filepath.Join(c.dir(), "*.uploaded.gz"))
		return err == nil && len(uploaded) > 2
	})
	late := c.follow("--tail", "5")
	h.signal(syscall.SIGHUP)
	await.Until(h.T, "a late follower follows", func() bool { return late.stdout.String() != "" })
	c.allow("end")
	c.wait()
	want := countedFrom(0, lines) + "the end\n"
	for i, f := range all {
		if got := f.end(); got != want {
			h.Errorf("follower %d: %d bytes of %d", i, len(got), len(want))
		}
	}
	if got := late.end(); strings.Count(got, "\n") < 6 || !strings.HasSuffix(want, got) {
		h.Errorf("late follower: %d bytes, %.50q", len(got), got)
	}
	if err := attach.Wait(); err != nil || attached.String() != want {
		h.Errorf("attach: %v, %d bytes of %d", err, len(attached.String()), len(want))
	}
	c.wantLogs(want, "")
	c.wantLogs(countedFrom(lines-6999, lines)+"the end\n", "", "--tail", "7000")
}

// open counts the plugin's open files.
func (h *host) open() int {
	h.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.process()))
	if err != nil {
		h.Fatal(err)
	}
	return len(all)
}

func testClientsGone(h *host) {
	busy := h.run("busy", []step{{Count: 100_000, Rate: 100, Line: "="}})
	silent := h.run("silent", []step{out("0 =\n"), {Await: "end"}})
	for _, c := range []*container{busy, silent} {
		await.Until(h.T, "it has a line", func() bool { stdout, _ := c.logs(); return stdout != "" })
	}
	before := h.open()
	var clients []*following
	for range 8 {
		clients = append(clients, busy.follow(), silent.follow())
	}
	await.Until(h.T, "they are all there", func() bool { return h.open() >= before+len(clients) })
	for _, f := range clients {
		f.cmd.Process.Kill()
		f.cmd.Wait()
	}
	// Docker's client keeps two connections for later.
	await.Until(h.T, "they are all gone", func() bool { return h.open() <= before+2 })
}

func testRaw(h *host) {
	c := h.run("raw", []step{out("one\n"), {Pause: 50 * time.Millisecond, Stderr: []byte("two\n")}, out("three")}, "format=raw")
	c.wait()
	c.wantLogs("one\ntwo\nthree", "")
	c.wantLogs("two\nthree", "", "--tail", "2")
	c.wantLogs("one\ntwo\nthree", "", "--since", "10m")
	at := c.stamps()
	_, stderr, err := tryLogs(c.id, "--since", at[0].Add(time.Millisecond).Format(time.RFC3339Nano))
	if err == nil || !strings.Contains(stderr, "format=raw keeps no times, so --since and --until cannot divide this container's lines") {
		h.Errorf("%v, %s", err, stderr)
	}
}

func testNoCopy(h *host) {
	c := h.run("nocopy", []step{out("hello world\n")}, "cache-disabled=false")
	c.wait()
	c.wantLogs("hello world\n", "")
	root := docker(h.T, "info", "--format", "{{.DockerRootDir}}")
	if copies, err := filepath.Glob(filepath.Join(root, "containers", c.id, "container-cached*")); err != nil || len(copies) > 0 {
		h.Errorf("%v, %v", copies, err)
	}
	if _, err := os.Stat(filepath.Join(root, "containers", c.id)); err != nil {
		h.Error(err)
	}
}

func TestLogsAfterThePluginWasKilled(t *testing.T) {
	h := enable(t)
	c := h.run("killed", []step{out("before\n"), {Await: "go"}, out("after\n"), {Await: "end"}}, "max-size=64KiB")
	await.Until(h.T, "the first line is there", func() bool { stdout, _ := c.logs(); return stdout == "before\n" })
	h.signal(syscall.SIGKILL)
	c.allow("go")
	h.process() // it is back
	await.Until(h.T, "both lines are there", func() bool { stdout, _, err := tryLogs(c.id); return err == nil && stdout == "before\nafter\n" })
	c.allow("end")
	c.wait()
	c.wantLogs("before\nafter\n", "")
}

// enableWithoutCopies is enable with copies that are deleted when the plugin starts next.
func enableWithoutCopies(t *testing.T) *host {
	t.Helper()
	return enable(t, "LOGFAST_KEEP=0s")
}

func TestLogsSayWhatWasPruned(t *testing.T) {
	h := enableWithoutCopies(t)
	steps := []step{out("first\n"), {Await: "go"}, out("second\n"), {Await: "end"}}
	c, fetched := h.run("pruned", steps), h.run("fetched", steps, "read-archive=true")
	both := []*container{c, fetched}
	all := func(ok func(c *container) bool) func() bool {
		return func() bool { return ok(c) && ok(fetched) }
	}
	await.Until(t, "the first line is there", all(func(c *container) bool { return len(c.files()) == 1 }))
	h.signal(syscall.SIGHUP)
	await.Until(t, "it is uploaded", all((*container).shipped))
	for _, c := range both {
		c.allow("go")
	}
	await.Until(t, "the second line is there", all(func(c *container) bool { stdout, _ := c.logs(); return strings.HasSuffix(stdout, "second\n") }))
	h.replace(syscall.SIGKILL) // the next life prunes
	await.Until(t, "the first is pruned", all(func(c *container) bool { return len(c.files()) == 1 }))
	fetched.wantLogs("first\nsecond\n", "")
	fetched.wantLogs("first\nsecond\n", "", "--tail", "2")
	fetched.wantLogs("second\n", "", "--tail", "1")
	stdout, stderr, err := tryLogs(c.id)
	if err != nil || stdout != "second\n" || !strings.HasPrefix(stderr, "logfast: lines before ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("%q, %q, %v", stdout, stderr, err)
	}
	c.wantLogs("second\n", "", "--tail", "1")
	for _, c := range both {
		c.allow("end")
		c.wait()
	}
	// Of a container that has ended, nothing is left here in the end.
	await.Until(t, "the rest is uploaded", fetched.shipped)
	h.replace(syscall.SIGKILL)
	await.Until(t, "all is pruned", func() bool { return len(fetched.files()) == 0 })
	fetched.wantLogs("first\nsecond\n", "")
}

// TestLogs_SayWhatWasPrunedAfterARestart deletes all that there is of a container that has
// ended, and of containers that run and print nothing more, and restarts the plugin.
func TestLogs_SayWhatWasPrunedAfterARestart(t *testing.T) {
	h := enableWithoutCopies(t)
	waits := []step{out("first\n"), {Await: "go"}, out("second\n"), {Await: "end"}}
	ended := h.run("ended", []step{out("first\n")})
	running, fetched := h.run("running", waits), h.run("fetched", waits, "read-archive=true")
	never := h.run("never", []step{{Await: "end"}})
	ended.wait()
	printed := []*container{ended, running, fetched}
	each := func(ok func(c *container) bool) func() bool {
		return func() bool { return !slices.ContainsFunc(printed, func(c *container) bool { return !ok(c) }) }
	}
	await.Until(t, "the first lines are there", each(func(c *container) bool { return len(c.files()) == 1 }))
	h.signal(syscall.SIGHUP)
	await.Until(t, "they are uploaded", each((*container).shipped))
	for range 2 { // the first start deletes, the second one finds nothing
		docker(t, "plugin", "disable", "-f", pluginName)
		docker(t, "plugin", "enable", "--timeout", "0", pluginName)
		await.Until(t, "they are pruned", each(func(c *container) bool { return len(c.files()) == 0 }))
	}
	notice := regexp.MustCompile(
		`^logfast: lines before \S+ are no longer on this host; what was uploaded is in the store\n$`)
	for _, c := range []*container{ended, running} {
		if stdout, stderr := c.logs(); stdout != "" || !notice.MatchString(stderr) {
			t.Errorf("%s: %q, %q", c.app, stdout, stderr)
		}
	}
	fetched.wantLogs("first\n", "")
	never.wantLogs("", "")
	running.allow("go")
	fetched.allow("go")
	await.Until(t, "the running ones go on", func() bool {
		stdout, _ := running.logs()
		last, _ := fetched.logs("--tail", "1")
		return stdout == "second\n" && last == "second\n"
	})
	if _, stderr := running.logs(); !notice.MatchString(stderr) {
		t.Errorf("%q", stderr)
	}
	running.wantLogs("second\n", "", "--tail", "1")
	fetched.wantLogs("first\nsecond\n", "")
	for _, c := range []*container{running, fetched, never} {
		c.allow("end")
		c.wait()
	}
}

// TestLogsReadLargeObjects: docker logs with read-archive=true reads objects that are
// too large to be kept in memory. The plugin's root has no /tmp to copy them to.
func TestLogsReadLargeObjects(t *testing.T) {
	h, _ := enableS3(t, "LOGFAST_KEEP=0s")
	const least = 512 << 10 // package archive copies objects above this
	random := rand.NewChaCha8([32]byte{})
	var steps []step
	var want strings.Builder
	for range 4 { // MiB
		var part strings.Builder
		noise := make([]byte, 2<<10)
		for range 256 {
			random.Read(noise)
			fmt.Fprintf(&part, "%x\n", noise)
		}
		steps = append(steps, out(part.String()))
		want.WriteString(part.String())
	}
	c := h.run("large", steps, "read-archive=true")
	c.wait()
	await.Until(t, "everything is uploaded", c.shipped)
	h.replace(syscall.SIGKILL) // the next life prunes
	await.Until(t, "all is pruned", func() bool { return len(c.files()) == 0 })
	objects := c.objects()
	if len(objects) == 0 {
		t.Fatal("no object")
	}
	for _, o := range objects {
		if o.attrs.Size <= least {
			t.Fatalf("%s has %d bytes, not more than %d", o.key, o.attrs.Size, least)
		}
	}
	stdout, stderr := c.logs()
	if stdout != want.String() || stderr != "" {
		t.Errorf("%d bytes (%d lines) of %d; on stderr %.2000q", len(stdout), strings.Count(stdout, "\n"), want.Len(), stderr)
	}
	wantTail := want.String()[want.Len()-3*(4<<10+1):]
	if stdout, stderr := c.logs("--tail", "3"); stdout != wantTail || stderr != "" {
		t.Errorf("--tail 3: %d bytes of %d; on stderr %.2000q", len(stdout), len(wantTail), stderr)
	}
}
