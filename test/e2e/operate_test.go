//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/plugin/control"
)

// logfast runs the host's program, the one that is in the plugin too.
func (h *host) logfast(args ...string) (stdout, stderr string, status int) {
	h.Helper()
	program, err := filepath.Abs("../../build/logfast")
	if err != nil {
		h.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := exec.CommandContext(h.Context(), program, args...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LOGFAST_SPOOL=" + h.spool}
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

func (h *host) status() (s control.Status) {
	h.Helper()
	out, errs, _ := h.logfast("status", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		h.Fatalf("status: %v\n%s%s", err, out, errs)
	}
	return s
}

// get asks the control socket, as curl --unix-socket does.
func (h *host) get(path string) (int, string) {
	h.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(h.spool, ".control", "logfast.sock"))
	}}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://logfast" + path)
	if err != nil {
		h.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		h.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// TestOperating has one plugin with one container, and does with it what an
// operator does, with the host's program on the real engine.
func TestOperating(t *testing.T) {
	h, p := enableS3(t, "LOGFAST_METRICS=127.0.0.1:"+freePort(t), "LOGFAST_STALL=2s")
	c := h.run("web", []step{out("one\ntwo\n" + serverError), {Await: "more"}, out("three\n"), {Await: "end"}, out("four\n")})
	await.Until(t, "its lines are on disk", func() bool { return strings.Count(c.onDisk(), "\n") == 3 })

	t.Run("status", func(t *testing.T) {
		h, c := h.in(t), c.in(t)
		s := h.status()
		i := slices.IndexFunc(s.Streams, func(s control.Stream) bool { return s.Container == c.app })
		if i < 0 || s.Streams[i].Lines != 3 || s.Streams[i].Errors != 1 || s.Streams[i].ID != c.id[:12] || s.Streams[i].LostBytes() != 0 {
			t.Fatalf("%+v", s)
		}
		if s.Health != control.Healthy || len(s.Events) != 1 || s.Host != "web-1" || s.Store != "s3://logs/prefix/" || s.Version == "" {
			t.Errorf("%+v", s)
		}
		text, errs, status := h.logfast("status")
		if status != 0 || errs != "" || !regexp.MustCompile(c.app+` +`+c.id[:12]+` +\d.* 3 `).MatchString(text) || !strings.Contains(text, "pending   nothing") {
			t.Errorf("status %d\n%s%s", status, text, errs)
		}
	})
	t.Run("flush", func(t *testing.T) {
		h, c := h.in(t), c.in(t)
		keys, errs, status := h.logfast("flush", c.app)
		objects := c.objects()
		if status != 0 || len(objects) != 1 || keys != objects[0].key+"\n" || !strings.HasSuffix(objects[0].key, "-manual.log.gz") {
			t.Fatalf("status %d, printed %q and %s; in the store: %v", status, keys, errs, objects)
		}
		// What is written right before it is in it, by the id's beginning too.
		c.allow("more")
		await.Until(t, "the line is written", func() bool { return strings.Contains(docker(t, "logs", c.id), "three") })
		out, errs, status := h.logfast("flush", "--json", c.id[:7])
		var seg control.Segment
		if err := json.Unmarshal([]byte(out), &seg); err != nil || status != 0 {
			t.Fatalf("%v: status %d, %s%s", err, status, out, errs)
		}
		objects = c.objects()
		if len(objects) != 2 || seg.Key != objects[1].key || !strings.Contains(objects[1].text, "three") || seg.Object != "s3://logs/prefix/"+seg.Key {
			t.Fatalf("%+v\n%+v", seg, objects)
		}
		out, errs, status = h.logfast("flush")
		if status != 0 || out != "" || !strings.Contains(errs, "nothing was written") {
			t.Errorf("an empty flush: status %d, %s%s", status, out, errs)
		}
		out, errs, status = h.logfast("flush", c.app+"x")
		if status != 1 || out != "" || !strings.Contains(errs, fmt.Sprintf("did you mean %q?", c.app)) {
			t.Errorf("an unknown container: status %d, %s%s", status, out, errs)
		}
	})
	t.Run("metrics", func(t *testing.T) {
		h, c := h.in(t), c.in(t)
		status, text := h.get("/metrics")
		for _, want := range []string{
			fmt.Sprintf("logfast_stream_lines_total{container=%q,id=%q} 4", c.app, c.id[:12]), "logfast_lines_total 4", "logfast_errors_detected_total 1",
			`logfast_seals_total{reason="manual"} 2`, `logfast_upload_attempts_total{result="ok"} 2`, "logfast_error_to_object_seconds_count 1",
			`logfast_lost_lines_total{reason="disk full"} 0`, "logfast_streams 1", "logfast_pending_segments 0",
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("no %s", want)
			}
		}
		if status != http.StatusOK || t.Failed() {
			t.Errorf("status %d\n%s", status, text)
		}
		address := strings.TrimPrefix(h.settings[len(h.settings)-2], "LOGFAST_METRICS=")
		for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/status": 404, "/flush": 404} {
			r, err := http.Get("http://" + address + path)
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != want {
				t.Errorf("TCP: %s answers %d, want %d", path, r.StatusCode, want)
			}
		}
	})
	t.Run("log", func(t *testing.T) {
		h := h.in(t)
		if out, errs, status := h.logfast("log-level", "debug"); status != 0 {
			t.Fatalf("status %d: %s%s", status, out, errs)
		}
		if out, _, _ := h.logfast("log-level"); out != "debug\n" {
			t.Errorf("the level is %q", out)
		}
		kept, err := os.ReadFile(filepath.Join(h.spool, ".logfast.log"))
		if err != nil || !bytes.Contains(kept, []byte("log level set")) || !bytes.Contains(kept, []byte("segment uploaded")) {
			t.Errorf("kept in the spool: %v\n%s", err, kept)
		}
	})
	t.Run("health", func(t *testing.T) {
		h := h.in(t)
		if status, text := h.get("/healthz"); status != http.StatusOK || text != "ok\n" {
			t.Fatalf("%d %s", status, text)
		}
		p.set(true)
		defer p.set(false)
		c.allow("end")
		c.wait()
		await.Until(t, "it is unhealthy", func() bool { status, _ := h.get("/healthz"); return status == http.StatusServiceUnavailable })
		out, errs, status := h.logfast("status")
		if status != 1 || !strings.Contains(errs, "nothing was uploaded for") || !strings.Contains(out, "unhealthy") {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
		// A flush that cannot end in time says why.
		out, errs, status = h.logfast("flush", "--timeout", "1500ms", c.app)
		if status != 1 || out != "" || !strings.Contains(errs, "0 of 1 segments were in the store after 1.5s") {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
		p.set(false)
		if out, errs, status := h.logfast("flush"); status != 0 || !strings.HasSuffix(out, "-stop.log.gz\n") {
			t.Errorf("flush afterwards: status %d\n%s%s", status, out, errs)
		}
		if status, text := h.get("/healthz"); status != http.StatusOK {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("check", func(t *testing.T) { checkOnTheEngine(h.in(t), p) })
	t.Run("nobody", func(t *testing.T) {
		h := h.in(t)
		docker(t, "plugin", "disable", "-f", pluginName)
		_, errs, status := h.logfast("status")
		if status != 1 || !strings.Contains(errs, "no plugin is at work in "+h.spool) {
			t.Errorf("status %d: %s", status, errs)
		}
	})
}

// in is the same container for a subtest.
func (c *container) in(t *testing.T) *container {
	other := *c
	other.host = c.host.in(t)
	return &other
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// checkOnTheEngine lets the plugin check itself, and then the host's program
// check settings that are wrong.
func checkOnTheEngine(h *host, p *proxy) {
	h.Helper()
	text, errs, status := h.logfast("check")
	for _, want := range []string{"ok    configuration", "ok    spool", "ok    credentials", "ok    clock", "ok    put            s3://logs/prefix/logfast-check.txt", "ok    get", "ok    list", "ok    delete", "ok    key"} {
		if !strings.Contains(text, want) {
			h.Errorf("no %q", want)
		}
	}
	if status != 0 || errs != "" || h.Failed() {
		h.Errorf("status %d\n%s%s", status, text, errs)
	}
	file := filepath.Join(h.TempDir(), "env")
	for _, tt := range []struct {
		name, store, credentials string
		want                     []string
	}{
		{"good", "s3://logs/prefix", "credentials", nil},
		{"wrong bucket", "s3://losg/prefix", "credentials", []string{"FAIL  put", "NoSuchBucket", "LOGFAST_STORE=s3://BUCKET/PREFIX"}},
		{"wrong key", "s3://logs/prefix", "wrong", []string{"FAIL  put", "Check the secret access key in /etc/logfast/credentials"}},
		{"no key", "s3://logs/prefix", "none", []string{"FAIL  credentials", "aws_access_key_id and aws_secret_access_key into the credentials file, /etc/logfast/credentials"}},
	} {
		good, err := os.ReadFile(filepath.Join(h.config, "credentials"))
		if err != nil {
			h.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.config, "wrong"), regexp.MustCompile(`secret_access_key = .*`).ReplaceAll(good, []byte("secret_access_key = no")), 0o600); err != nil {
			h.Fatal(err)
		}
		env := fmt.Sprintf("# %s\nLOGFAST_STORE=%s\nLOGFAST_SPOOL=%s\nAWS_ENDPOINT_URL_S3=http://%s\nAWS_REGION=us-east-1\nAWS_EC2_METADATA_DISABLED=true\nAWS_SHARED_CREDENTIALS_FILE=%s\n",
			tt.name, tt.store, h.spool, p.address, filepath.Join(h.config, tt.credentials))
		if err := os.WriteFile(file, []byte(env), 0o600); err != nil {
			h.Fatal(err)
		}
		text, errs, status := h.logfast("check", "--config", file)
		wantStatus := 0
		if tt.want != nil {
			wantStatus = 1
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				h.Errorf("%s: no %q", tt.name, want)
			}
		}
		if status != wantStatus || h.Failed() {
			h.Errorf("%s: status %d\n%s%s", tt.name, status, text, errs)
		}
	}
}
