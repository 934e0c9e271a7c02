//go:build e2e

// Package e2e shows logfast on a real Docker engine and a real S3 server. A
// machine without them fails the tests; nothing is skipped.
package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
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

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/s3"
	"github.com/logfast/logfast/driver/store/s3/s3test"
	"github.com/logfast/logfast/internal/await"
)

// name is what this run calls its plugin, its image and its containers.
var name = "logfast-e2e-" + strings.ToLower(rand.Text()[:8])

var pluginName, image = name + ":latest", name + ":image"

func TestMain(m *testing.M) {
	status, err := 1, prepare()
	if err == nil {
		status = m.Run()
	}
	for _, err := range []error{err, clean()} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// prepare makes the plugin of build/logfast and the image of emit and goserver.
func prepare() error {
	if out, err := exec.Command("../../scripts/create-plugin.sh", pluginName).CombinedOutput(); err != nil {
		return fmt.Errorf("create the plugin (run make build first): %w\n%s", err, out)
	}
	return prepareImage()
}

func prepareImage() error {
	dir, err := os.MkdirTemp("", "logfast-e2e")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs := []string{"emit", "goserver"}
	build := exec.Command("go", "build", "-o", dir, "./emit", "./goserver")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", programs, err, out)
	}
	var root bytes.Buffer
	w := tar.NewWriter(&root)
	for _, name := range programs {
		program, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(program))}); err != nil {
			return err
		}
		if _, err := w.Write(program); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	load := exec.Command("docker", "import", "--change", `CMD ["/emit"]`, "-", image)
	load.Stdin = &root
	if out, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("import the image: %w\n%s", err, out)
	}
	return nil
}

// clean removes everything that has this run's name, and says what stays.
func clean() error {
	run := func(args ...string) string {
		out, _ := tryDocker(args...)
		return out
	}
	for _, id := range strings.Fields(run("ps", "-aq", "--filter", "name="+name)) {
		run("rm", "-f", id)
	}
	run("plugin", "disable", "-f", pluginName)
	run("plugin", "rm", "-f", pluginName)
	run("image", "rm", "-f", image)
	for _, args := range [][]string{{"ps", "-aq", "--filter", "name=" + name}, {"plugin", "ls", "--format", "{{.Name}}"}, {"images", "--format", "{{.Repository}}"}} {
		if out := run(args...); strings.Contains(out, name) || args[0] == "ps" && out != "" {
			return fmt.Errorf("left behind: docker %v: %s", args, out)
		}
	}
	return nil
}

// docker runs the client and returns what it printed; the test fails where the
// client does.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryDocker(args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryDocker(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), errors.Join(err, ctx.Err())
}

// patience bounds every wait. What takes this long will not come.
var patience = scaled(60*time.Second, 5*time.Minute)

func init() { await.Patience = patience }

// long makes the chaos tests as long and as busy as "make chaos" wants them.
var long = os.Getenv("LOGFAST_TEST_LONG") != ""

// scaled is the quick value, or the one for "make chaos".
func scaled[T any](quick, full T) T {
	if long {
		return full
	}
	return quick
}

// host is an enabled plugin with a spool of its own.
type host struct {
	*testing.T
	spool, config string
	settings      []string    // other than the defaults
	store         store.Store // what the plugin ships to
}

// defaults are all settings that a test may change.
var defaults = map[string]string{
	"LOGFAST_STORE": "", "LOGFAST_KEY": "", "LOGFAST_OPTIONS": "", "LOGFAST_HOST": "web-1", "LOGFAST_OWNER": "", "LOGFAST_FORMAT": "cri",
	"LOGFAST_QUIET_PERIOD": "30s", "LOGFAST_MAX_DELAY": "5m", "LOGFAST_MAX_SIZE": "100MB", "LOGFAST_ON_FULL": "drop",
	"LOGFAST_METRICS": "", "LOGFAST_STALL": "", "LOGFAST_KEEP": "7d",
	"LOGFAST_NOTIFY": "", "LOGFAST_NOTIFY_ON": "shipped",
	"LOGFAST_ROTATE_ZONE": "Europe/Berlin", // which a plugin's root has no file of
	"AWS_ENDPOINT_URL_S3": "", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
}

// enable configures the plugin anew and enables it, with a directory as store.
func enable(t *testing.T, settings ...string) *host {
	t.Helper()
	return enableOn(t, t.TempDir(), settings...)
}

// enableOn is enable with a spool directory of the caller's, such as the root of
// a small file system.
func enableOn(t *testing.T, spool string, settings ...string) *host {
	t.Helper()
	h := &host{T: t, spool: spool, config: t.TempDir(), settings: settings}
	h.set()
	docker(t, "plugin", "enable", "--timeout", "0", pluginName) // or docker logs -f ends after 30 s
	t.Cleanup(func() {
		if out, err := tryDocker("plugin", "disable", "-f", pluginName); err != nil && !strings.Contains(out, "already disabled") {
			t.Errorf("disable the plugin: %v\n%s", err, out)
		}
	})
	return h
}

// set sets everything that the plugin is to know of this host; it must be
// disabled.
func (h *host) set() {
	h.Helper()
	args := []string{"plugin", "set", pluginName, "logs.source=" + h.spool, "config.source=" + h.config}
	for name, value := range defaults {
		args = append(args, name+"="+value)
	}
	docker(h.T, append(args, h.settings...)...) // the last of a name wins
}

// enableS3 is enable with a bucket of an S3 server of its own, behind a proxy.
func enableS3(t *testing.T, settings ...string) (*host, *proxy) {
	t.Helper()
	return enableS3On(t, t.TempDir(), settings...)
}

func enableS3On(t *testing.T, spool string, settings ...string) (*host, *proxy) {
	t.Helper()
	server := s3test.Start(t)
	server.CreateBucket(t, "logs")
	server.SetEnv(t)
	p := newProxy(t, strings.TrimPrefix(server.Endpoint, "http://"))
	h := enableOn(t, spool, append([]string{"LOGFAST_STORE=s3://logs/prefix", "AWS_ENDPOINT_URL_S3=http://" + p.address}, settings...)...)
	h.credentials(server.AccessKey, server.SecretKey)
	store, err := s3.Open(t.Context(), s3.Options{Bucket: "logs", Prefix: "prefix/", Endpoint: server.Endpoint, Region: server.Region, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	h.store = store
	return h, p
}

func (h *host) credentials(id, secret string) {
	h.Helper()
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", id, secret)
	if err := os.WriteFile(filepath.Join(h.config, "credentials"), []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
}

// process is the plugin's process id on this machine: the one whose log
// directory is this host's spool.
func (h *host) process() int {
	h.Helper()
	pid := 0
	await.Until(h.T, "the plugin runs", func() bool {
		spool, err := os.Stat(h.spool)
		if err != nil {
			h.Fatal(err)
		}
		programs, _ := filepath.Glob("/proc/[0-9]*/exe")
		for _, path := range programs {
			if exe, err := os.Readlink(path); err != nil || !strings.HasSuffix(exe, "/logfast") {
				continue
			}
			logs, err := os.Stat(filepath.Join(filepath.Dir(path), "root/var/log/logfast"))
			if err == nil && os.SameFile(logs, spool) {
				_, err := fmt.Sscanf(path, "/proc/%d/", &pid)
				return err == nil
			}
		}
		return false
	})
	return pid
}

func (h *host) signal(sig syscall.Signal) {
	h.Helper()
	if err := syscall.Kill(h.process(), sig); err != nil {
		h.Fatal(err)
	}
}

// trial is how long after a plugin's start an engine looks whether it answers
// (moby plugin/manager_linux.go), and a little more. One that has died by then is
// not started again. The engine does not say when it has looked.
const trial = 4 * time.Second

// replace ends the plugin's process with a signal, waits until the engine has
// put another in its place, and returns how long the end took.
func (h *host) replace(sig syscall.Signal) time.Duration {
	h.Helper()
	old := h.process()
	began, err := os.Stat(fmt.Sprintf("/proc/%d", old))
	if err != nil {
		h.Fatal(err)
	}
	time.Sleep(time.Until(began.ModTime().Add(trial)))
	start := time.Now()
	if err := syscall.Kill(old, sig); err != nil {
		h.Fatal(err)
	}
	await.Until(h.T, "the plugin's process ends", func() bool { return gone(old) })
	took := time.Since(start)
	h.process()
	return took
}

// gone reports whether the process has ended, be it that nobody has asked for
// its status yet.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// step is emit's.
type step struct {
	Await          string
	Pause          time.Duration
	Stdout, Stderr []byte
	Count, Rate    int
	Line, Until    string
}

func out(s string) step { return step{Stdout: []byte(s)} }

// container is a running emit.
type container struct {
	*host
	id, app string
	script  string // directory
}

func (h *host) script(steps []step) string {
	h.Helper()
	dir := h.TempDir()
	data, err := json.Marshal(steps)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "steps.json"), data, 0o644)
	}
	if err != nil {
		h.Fatal(err)
	}
	return dir
}

// run starts a container named after app; options are --log-opts, and flags of
// docker run where they begin with a dash.
func (h *host) run(app string, steps []step, options ...string) *container {
	h.Helper()
	c := &container{host: h, app: name + "-" + app, script: h.script(steps)}
	args := []string{"run", "-d", "--name", c.app, "--network", "none", "--log-driver", pluginName, "-v", c.script + ":/script:ro"}
	for _, o := range options {
		if strings.HasPrefix(o, "-") {
			args = append(args, o)
			continue
		}
		args = append(args, "--log-opt", o)
	}
	c.id = docker(h.T, append(args, image)...)
	h.removeLater(c.id)
	return c
}

// in is the same host for a subtest.
func (h *host) in(t *testing.T) *host {
	other := *h
	other.T = t
	return &other
}

// runPlain is run with Docker's json-file in the plugin's place.
func (h *host) runPlain(app string, steps []step) *container {
	h.Helper()
	c := &container{host: h, app: name + "-" + app, script: h.script(steps)}
	c.id = docker(h.T, "run", "-d", "--name", c.app, "--network", "none", "--log-driver", "json-file", "-v", c.script+":/script:ro", image)
	h.removeLater(c.id)
	return c
}

// removeLater removes the container at the test's end. Nobody can stop one
// whose plugin is disabled, so that is enabled first.
func (h *host) removeLater(id string) {
	h.Cleanup(func() {
		tryDocker("plugin", "enable", pluginName)
		if h.Failed() {
			stop := make(chan struct{})
			defer close(stop)
			go drainFIFOs(stop)
		}
		docker(h.T, "rm", "-f", id)
	})
}

// drainFIFOs throws away what waits in the log FIFOs of the engine, for which a
// test that has failed may have left no reader: dockerd would hold the locks of a
// container whose lines it cannot write, and half of its API with them.
func drainFIFOs(stop <-chan struct{}) {
	fifo := regexp.MustCompile(`/[0-9a-f]{64}( \(deleted\))?$`)
	buf := make([]byte, 64<<10)
	for {
		paths, _ := filepath.Glob("/proc/[0-9]*/fd/*")
		for _, path := range paths {
			target, err := os.Readlink(path)
			if fi, statErr := os.Stat(path); err != nil || statErr != nil || !fifo.MatchString(target) || fi.Mode()&os.ModeNamedPipe == 0 {
				continue
			}
			if fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
				for n := 1; n > 0; {
					n, _ = unix.Read(fd, buf)
				}
				unix.Close(fd)
			}
		}
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// allow makes the file that a step awaits.
func (c *container) allow(file string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.script, file), nil, 0o644); err != nil {
		c.Fatal(err)
	}
}

// wait waits for the container's end.
func (c *container) wait() {
	c.Helper()
	if status := docker(c.T, "wait", c.id); status != "0" {
		c.Fatalf("%s ended with %s", c.app, status)
	}
}

func (c *container) dir() string { return filepath.Join(c.spool, c.app+"-"+c.id[:12]) }

// files lists the container's visible files in the order of their records.
func (c *container) files() []string {
	c.Helper()
	var sealed, active []string
	entries, err := os.ReadDir(c.dir())
	if err != nil && !os.IsNotExist(err) {
		c.Fatal(err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, ".log"):
			active = append(active, name)
		default:
			sealed = append(sealed, name)
		}
	}
	return append(sealed, active...)
}

// onDisk returns the text of all the container's files. It must not be
// writing, and nothing of it be on its way to the store.
func (c *container) onDisk() string {
	c.Helper()
	var text strings.Builder
	for _, name := range c.files() {
		data, err := os.ReadFile(filepath.Join(c.dir(), name))
		if err != nil {
			c.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			data = unpack(c.T, data)
		}
		text.Write(data)
	}
	return text.String()
}

// shipped reports whether all of the container's segments are uploaded.
func (c *container) shipped() bool {
	c.Helper()
	files := c.files()
	return len(files) > 0 && !slices.ContainsFunc(files, func(s string) bool { return !strings.HasSuffix(s, ".uploaded.gz") })
}

// found is an object with its text.
type found struct {
	key   string
	attrs store.Attributes
	text  string
}

// objects returns the container's objects in the store, in key order.
func (c *container) objects() []found {
	c.Helper()
	var all []found
	for entry, err := range c.store.List(context.Background(), "", "") {
		if err != nil {
			c.Fatal(err)
		}
		if !strings.Contains(entry.Key, c.id[:12]) {
			continue
		}
		body, attrs, err := c.store.Get(context.Background(), entry.Key)
		if err != nil {
			c.Fatal(err)
		}
		data, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			c.Fatal(err)
		}
		all = append(all, found{entry.Key, attrs, string(unpack(c.T, data))})
	}
	return all
}

// inStore returns the text of all the container's objects.
func (c *container) inStore() string {
	c.Helper()
	var text strings.Builder
	for _, o := range c.objects() {
		text.WriteString(o.text)
	}
	return text.String()
}

// ended counts the objects that were sealed for a reason.
func (c *container) ended(reason string) (n int) {
	c.Helper()
	for _, o := range c.objects() {
		if strings.HasSuffix(o.key, "-"+reason+".log.gz") {
			n++
		}
	}
	return n
}

func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// written puts the records of a text together to what each stream wrote.
func written(t *testing.T, format record.Format, text string) (streams [2]string) {
	t.Helper()
	if format == record.Raw {
		return [2]string{text}
	}
	var both [2]strings.Builder
	for line := range strings.Lines(text) {
		var r record.Record
		if err := record.Parse(format, []byte(strings.TrimSuffix(line, "\n")), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		both[r.Stream].Write(r.Text)
		if !r.More {
			both[r.Stream].WriteByte('\n')
		}
	}
	return [2]string{both[0].String(), both[1].String()}
}

// numbers returns the first word of each line of stdout.
func numbers(t *testing.T, text string) (all []string) {
	t.Helper()
	for line := range strings.Lines(written(t, record.CRI, text)[0]) {
		number, _, _ := strings.Cut(line, " ")
		all = append(all, number)
	}
	return all
}

// wantNumbers fails unless the text's lines count from 0 to n-1.
func wantNumbers(t *testing.T, where, text string, n int) {
	t.Helper()
	got := numbers(t, text)
	for i, number := range got {
		if number != fmt.Sprint(i) {
			t.Fatalf("%s: line %d has number %s; before it %v", where, i, number, got[max(0, i-3):i])
		}
	}
	if len(got) != n {
		t.Fatalf("%s: %d lines of %d", where, len(got), n)
	}
}

// proxy stands between the plugin and the S3 server, and can be cut.
type proxy struct {
	address string
	target  string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), target: target}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.join(from) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.set(true)
		wg.Wait()
	})
	return p
}

func (p *proxy) join(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer to.Close()
	p.mu.Lock()
	p.conns = append(p.conns, from, to)
	cut := p.cut
	p.mu.Unlock()
	if cut {
		return
	}
	done := make(chan struct{}, 2)
	go func() { io.Copy(to, from); done <- struct{}{} }()
	go func() { io.Copy(from, to); done <- struct{}{} }()
	<-done
	from.Close()
	to.Close()
	<-done
}

// set cuts every connection, and all that come, or lets them through.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
