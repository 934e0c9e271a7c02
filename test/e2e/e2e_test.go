//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/internal/await"
)

const serverError = `10.0.0.1 - - "GET /cart HTTP/1.1" 500 12` + "\n"

// randomSteps writes lines of awkward sizes and bytes to both streams, and
// returns what each stream gets.
func randomSteps(rnd *rand.Rand, streams int) (steps []step, want [2]string) {
	sizes := []int{0, 0, 1, 2, 100, 4095, 4096, 4097, 16383, 16384, 16385, 32767, 32768, 32769, 40000}
	for range 60 {
		size := sizes[rnd.IntN(len(sizes))]
		if rnd.IntN(2) == 0 {
			size = rnd.IntN(300)
		}
		b := make([]byte, size, size+2)
		for i := range b {
			for b[i] = byte(rnd.Uint32()); b[i] == '\n'; b[i] = byte(rnd.Uint32()) {
			}
		}
		if rnd.IntN(5) == 0 {
			b = append(b, '\r')
		}
		b = append(b, '\n')
		stream := rnd.IntN(streams)
		want[stream] += string(b)
		for len(b) > 0 { // in writes that do not respect lines
			n := 1 + rnd.IntN(len(b))
			part := [2][]byte{}
			part[stream] = b[:n]
			steps = append(steps, step{Stdout: part[0], Stderr: part[1], Pause: time.Duration(rnd.IntN(2)) * time.Millisecond})
			b = b[n:]
		}
	}
	last := "no newline at the end"
	want[0] += last
	return append(steps, out(last)), want
}

func TestEveryByteArrives(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	h, _ := enableS3(t)
	for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
		t.Run(format.String(), func(t *testing.T) {
			streams := 2
			if format == record.Raw {
				streams = 1 // it does not tell them apart
			}
			steps, want := randomSteps(rnd, streams)
			if format == record.Raw {
				want[0] = strings.TrimSuffix(want[0], "\n")
			}
			h := h.in(t)
			c := h.run(format.String(), steps, "format="+format.String(), "tag=the/app")
			c.wait()
			await.Until(t, "everything is shipped", c.shipped)
			for where, text := range map[string]string{"disk": c.onDisk(), "store": c.inStore()} {
				if d := cmp.Diff(want, written(t, format, text)); d != "" {
					t.Errorf("on %s: -want +got\n%.2000s", where, d)
				}
			}
			for _, o := range c.objects() {
				checkObject(t, c, o, format)
			}
		})
	}
}

// checkObject compares an object's key and metadata with docs/layout.md.
func checkObject(t *testing.T, c *container, o found, format record.Format) {
	t.Helper()
	sum := sha256.Sum256([]byte(o.text))
	for name, want := range map[string]string{
		"sha256": hex.EncodeToString(sum[:]), "bytes": fmt.Sprint(len(o.text)), "lines": fmt.Sprint(strings.Count(o.text, "\n")),
		"reason": "stop", "format": format.String(), "container-id": c.id, "image": image, "errors": "0",
	} {
		if got := o.attrs.Metadata[name]; got != want {
			t.Errorf("%s: %s is %q, want %q", o.key, name, got, want)
		}
	}
	first, err := time.Parse(time.RFC3339Nano, o.attrs.Metadata["first-time"])
	if err != nil {
		t.Errorf("%s: first-time: %v", o.key, err)
	}
	want := fmt.Sprintf("logs/dt=%s/host=web-1/app=the_app/%s-000001-%s-stop.log.gz",
		first.UTC().Format("2006-01-02"), first.UTC().Format("20060102T150405.000000Z"), c.id[:12])
	if o.key != want || o.attrs.ContentType != "application/gzip" {
		t.Errorf("key %s, want %s; content type %s", o.key, want, o.attrs.ContentType)
	}
	if last, err := time.Parse(time.RFC3339Nano, o.attrs.Metadata["last-time"]); err != nil || last.Before(first) {
		t.Errorf("%s: last-time %v, %v; first %v", o.key, last, err, first)
	}
}

func TestTTY(t *testing.T) {
	h, _ := enableS3(t)
	c := h.run("tty", []step{out("on a terminal\n")}, "-t")
	c.wait()
	await.Until(t, "everything is shipped", c.shipped)
	if got := written(t, record.CRI, c.inStore()); got[0] != "on a terminal\r\n" {
		t.Fatalf("%q", got)
	}
}

func TestAnErrorShipsWhileTheContainerRuns(t *testing.T) {
	h, _ := enableS3(t, "LOGFAST_QUIET_PERIOD=1s")
	c := h.run("web", []step{
		out("GET / HTTP/1.1\" 200 5120\nGET /x HTTP/1.1\" 404 9\n"), {Await: "go"}, out("before\n" + serverError + "around\n"),
		{Await: "on"}, out("after\n"), {Await: "end"},
	})
	await.Until(t, "the first lines are on disk", func() bool { return strings.Contains(c.onDisk(), "404") })
	if sealed := len(c.files()); sealed != 1 {
		t.Fatalf("a 200 or a 404 has sealed: %v", c.files())
	}
	c.allow("go")
	await.Until(t, "the error is in the store", func() bool { return c.ended("error") == 1 })
	c.allow("on")
	await.Until(t, "the next line is on disk", func() bool { return strings.Contains(c.onDisk(), "after") })
	c.allow("end")
	c.wait()
	await.Until(t, "everything is shipped", c.shipped)
	objects := c.objects()
	if len(objects) != 2 || !strings.HasSuffix(written(t, record.CRI, objects[0].text)[0], serverError+"around\n") || written(t, record.CRI, objects[1].text)[0] != "after\n" {
		t.Fatalf("%d objects: %+v", len(objects), objects)
	}
	if objects[0].attrs.Metadata["errors"] != "1" {
		t.Errorf("%v", objects[0].attrs.Metadata)
	}
}

func TestASteadyStreamOfErrorsShips(t *testing.T) {
	h, _ := enableS3(t, "LOGFAST_QUIET_PERIOD=1s", "LOGFAST_MAX_DELAY=2s")
	c := h.run("web", []step{{Count: 90, Rate: 10, Line: strings.TrimSpace(serverError)}, {Await: "end"}})
	await.Until(t, "the third error segment is in the store", func() bool { return c.ended("error") >= 3 })
	running := docker(t, "inspect", "-f", "{{.State.Running}}", c.id)
	c.allow("end")
	c.wait()
	if running != "true" {
		t.Error("they came with the end only")
	}
	await.Until(t, "everything is shipped", c.shipped)
	wantNumbers(t, "store", c.inStore(), 90)
}

func TestScopes(t *testing.T) {
	h, _ := enableS3(t, "LOGFAST_QUIET_PERIOD=1s")
	for scope, want := range map[string][]string{"group": {"web", "db"}, "host": {"web", "db", "other"}} {
		t.Run(scope, func(t *testing.T) {
			h := h.in(t)
			steps := []step{out("words\n"), {Await: "end"}}
			all := map[string]*container{
				"db":    h.run("db", steps, "group=shop"),
				"other": h.run("other", steps, "group=else"),
			}
			for _, c := range all {
				await.Until(t, "the words are on disk", func() bool { return len(c.files()) > 0 })
			}
			all["web"] = h.run("web", []step{out(serverError), {Await: "end"}}, "group=shop", "fast-track-scope="+scope)
			for _, name := range want {
				await.Until(t, name+"'s words are in the store", func() bool { return all[name].ended("error") == 1 })
			}
			for name, c := range all {
				c.allow("end")
				c.wait()
				await.Until(t, "everything is shipped", c.shipped)
				if sealed := c.ended("error") == 1; sealed != slices.Contains(want, name) {
					t.Errorf("%s sealed by the error: %v", name, sealed)
				}
			}
		})
	}
}

func TestOtherReasonsToSeal(t *testing.T) {
	h, _ := enableS3(t)
	c := h.run("web", []step{out("0 first\n"), {Await: "go"}, {Count: 3000, Line: strings.Repeat("x", 60)}, {Await: "end"}, out(serverError)}, "max-size=64KiB")
	await.Until(t, "the first line is on disk", func() bool { return len(c.files()) > 0 })
	h.signal(syscall.SIGHUP)
	await.Until(t, "SIGHUP has sealed", func() bool { return c.ended("manual") == 1 })
	c.allow("go")
	await.Until(t, "the size limit has sealed", func() bool { return c.ended("size") >= 3 })
	c.allow("end")
	c.wait()
	await.Until(t, "everything is shipped", c.shipped)
	if c.ended("error") != 1 {
		t.Error("an error just before the end is not named so")
	}
	lines := numbers(t, c.inStore())
	if len(lines) != 3002 || lines[0] != "0" || lines[3000] != "2999" {
		t.Fatalf("%d lines", len(lines))
	}
	quiet := h.run("quiet", []step{out("words\n")})
	quiet.wait()
	await.Until(t, "everything is shipped", quiet.shipped)
	if quiet.ended("stop") != 1 {
		t.Errorf("%v", quiet.files())
	}
}

// tree lists everything below the spool, but for the registry's own moments.
func tree(t *testing.T, h *host) (all []string) {
	t.Helper()
	err := filepath.WalkDir(h.spool, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReadingAStoppedContainerLeavesNothing(t *testing.T) {
	h, _ := enableS3(t)
	c := h.run("web", []step{out("words\n")})
	c.wait()
	for range 9 {
		docker(t, "start", c.id)
		c.wait()
	}
	await.Until(t, "everything is shipped", c.shipped)
	if got := written(t, record.CRI, c.inStore())[0]; got != strings.Repeat("words\n", 10) {
		t.Fatalf("after ten lives: %q", got)
	}
	before, objects := tree(t, h), len(c.objects())
	for range 3 {
		if got := docker(t, "logs", c.id); got != strings.TrimSpace(strings.Repeat("words\n", 10)) {
			t.Fatalf("docker logs: %q", got)
		}
	}
	// The engine stops the stream after it has answered the client.
	await.Until(t, "docker logs has left nothing", func() bool { return slices.Equal(before, tree(t, h)) })
	if len(c.objects()) != objects {
		t.Fatalf("%d objects, %d before", len(c.objects()), objects)
	}
	docker(t, "rm", c.id)
	docker(t, "plugin", "disable", pluginName) // not -f: nobody may hold it
	docker(t, "plugin", "enable", pluginName)
}

func TestBadInputIsExplained(t *testing.T) {
	enable(t, "LOGFAST_QUIET_PERIOD=1s")
	try := func(want string, args ...string) {
		t.Helper()
		args = slices.Concat([]string{"run", "--rm", "--name", name + "-bad", "--network", "none", "--log-driver", pluginName}, args, []string{image})
		if out, err := tryDocker(args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v: %v, %s\nwant … %s …", args, err, out, want)
		}
		tryDocker("rm", "-f", name+"-bad")
	}
	try(`unknown option fromat; did you mean "format"?`, "--log-opt", "fromat=cri")
	try("allowed are cri, syslog, raw", "--log-opt", "format=json")
	try("add group=NAME", "--log-opt", "fast-track-scope=group")
	if out, err := tryDocker("plugin", "set", pluginName, "LOGFAST_QUEIT=1s"); err == nil {
		t.Errorf("a variable that does not exist was set: %s", out)
	}
}

func TestS3TroubleNeverReachesAContainer(t *testing.T) {
	h, p := enableS3(t)
	p.set(true)
	const lines = 60_000
	c := h.run("web", []step{{Count: lines, Line: strings.Repeat("x", 80)}}, "max-size=1MB")
	c.wait()
	if c.shipped() {
		t.Fatal("shipped through a proxy that is cut")
	}
	p.set(false)
	await.Until(t, "everything is shipped, without a restart", c.shipped)
	wantNumbers(t, "disk", c.onDisk(), lines)
	wantNumbers(t, "store", c.inStore(), lines)
}

func TestWrongCredentialsAreCorrectedWithoutARestart(t *testing.T) {
	h, _ := enableS3(t)
	good, err := os.ReadFile(filepath.Join(h.config, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	h.credentials("nobody", "wrong")
	c := h.run("web", []step{out("0 words\n")})
	c.wait()
	await.Until(t, "the segment is packed", func() bool { f := c.files(); return len(f) == 1 && strings.HasSuffix(f[0], "stop.gz") })
	if err := os.WriteFile(filepath.Join(h.config, "credentials"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "everything is shipped", c.shipped)
	wantNumbers(t, "store", c.inStore(), 1)
}

func TestTheDefaultStoreAndWhoMayRead(t *testing.T) {
	const secret = "hunter2-the-secret"
	h := enable(t, "LOGFAST_OWNER=1234:4321", "AWS_SECRET_ACCESS_KEY="+secret)
	t.Cleanup(func() { // a setting that enable does not know
		tryDocker("plugin", "disable", "-f", pluginName)
		docker(t, "plugin", "set", pluginName, "AWS_SECRET_ACCESS_KEY=")
		docker(t, "plugin", "enable", pluginName)
	})
	var err error
	if h.store, err = store.OpenDir(filepath.Join(h.spool, "archive"), store.DirOptions{UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	script := h.script([]step{out("0 words\n"), {Await: "end"}})
	id := docker(t, "run", "-d", "--name", name+"-secret", "--network", "none", "--log-driver", pluginName, "-v", script+":/script:ro",
		"-e", "PASSWORD="+secret, "--label", "token="+secret, image)
	h.removeLater(id)
	c := &container{host: h, app: name + "-secret", id: id, script: script}
	active := "" // its owner is set before its first line is written
	await.Until(t, "the line is on disk", func() bool {
		files := c.files()
		if len(files) != 1 {
			return false
		}
		active = filepath.Join(c.dir(), files[0])
		fi, err := os.Stat(active)
		return err == nil && fi.Size() > 0
	})
	for path, want := range map[string]fs.FileMode{c.dir(): fs.ModeDir | 0o750, active: 0o640} {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := fi.Sys().(*syscall.Stat_t); fi.Mode() != want || st.Uid != 1234 || st.Gid != 4321 {
			t.Errorf("%s: %v %d:%d", path, fi.Mode(), st.Uid, st.Gid)
		}
	}
	c.allow("end")
	c.wait()
	await.Until(t, "everything is shipped", c.shipped)
	wantNumbers(t, "store", c.inStore(), 1)
	for _, path := range tree(t, h) {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), secret) {
			t.Errorf("%s holds the secret", path)
		}
	}
}

func TestPendingSegmentsSurviveThePlugin(t *testing.T) {
	h, p := enableS3(t)
	p.set(true)
	c := h.run("web", []step{out("0 words\n")})
	c.wait()
	h.signal(syscall.SIGKILL)
	h.process() // it is back
	docker(t, "plugin", "disable", pluginName)
	p.set(false)
	docker(t, "plugin", "enable", pluginName)
	await.Until(t, "everything is shipped", c.shipped)
	wantNumbers(t, "store", c.inStore(), 1)
}

// TestDemo shows what the README promises first.
func TestDemo(t *testing.T) {
	demo := exec.Command("make", "demo")
	demo.Dir = "../.."
	out, err := demo.CombinedOutput()
	if err != nil {
		t.Fatalf("make demo: %v\n%s", err, out)
	}
	for _, want := range []string{`-error\.log\.gz`, `stderr F ZeroDivisionError: division by zero`, `GET /checkout HTTP/1\.\d" 500`, `all gone`} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("the demo's output has no %s:\n%s", want, out)
		}
	}
	for _, args := range [][]string{{"ps", "-a"}, {"plugin", "ls"}, {"images"}} {
		if left := docker(t, args...); strings.Contains(left, "logfast-demo") {
			t.Errorf("the demo left %s", left)
		}
	}
}
