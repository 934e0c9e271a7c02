//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/await"
)

// object reads one object of the store, whole.
func (h *host) object(key string) []byte {
	h.Helper()
	body, _, err := h.store.Get(context.Background(), key)
	if err != nil {
		h.Fatalf("%s: %v", key, err)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		h.Fatalf("%s: %v", key, err)
	}
	return data
}

// incidents returns the incidents in the store, in the order of their time.
func (h *host) incidents() (all []*incident.Event) {
	h.Helper()
	for entry, err := range h.store.List(context.Background(), incident.Prefix, "") {
		if err != nil {
			h.Fatal(err)
		}
		e := &incident.Event{}
		if err := json.Unmarshal(h.object(entry.Key), e); err != nil {
			h.Fatalf("%s: %v", entry.Key, err)
		}
		if want := incident.Key(e.ID, "web-1"); entry.Key != want {
			h.Errorf("the incident is %s, want %s", entry.Key, want)
		}
		all = append(all, e)
	}
	return all
}

// incident waits for the n-th incident and holds it against the schema and the
// objects that it names.
func (h *host) incident(n int) *incident.Incident {
	h.Helper()
	await.Until(h.T, "the incident is in the store", func() bool { return len(h.incidents()) >= n })
	all := h.incidents()
	if len(all) != n {
		h.Fatalf("%d incidents, want %d", len(all), n)
	}
	e := all[n-1]
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("../../docs/schema/incident-v1.json")
	if err != nil {
		h.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(h.object(incident.Key(e.ID, "web-1"))))
	if err != nil {
		h.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		h.Errorf("the incident is not what the schema says: %v", err)
	}
	texts := map[string]string{}
	for _, o := range e.Data.Objects {
		data := h.object(o.Key)
		sum := sha256.Sum256(data)
		texts[o.Key] = string(unpack(h.T, data))
		if int64(len(data)) != o.Size || hex.EncodeToString(sum[:]) != o.SHA256 || int64(len(texts[o.Key])) != o.Bytes || int64(strings.Count(texts[o.Key], "\n")) != o.Lines {
			h.Errorf("%s is not what the incident says: %+v", o.Key, o)
		}
	}
	for _, s := range e.Data.Samples {
		text := texts[s.Key]
		if int64(len(text)) <= s.Offset {
			h.Errorf("a sample is in %q at %d, which has %d bytes", s.Key, s.Offset, len(text))
			continue
		}
		line, _, _ := strings.Cut(text[s.Offset:], "\n")
		var r record.Record
		if err := record.Parse(record.CRI, []byte(line), &r); err != nil {
			h.Errorf("at %d of %s is %q: %v", s.Offset, s.Key, line, err)
			continue
		}
		var redact *incident.Redactor
		if got := string(redact.Redact(r.Text)); got != s.Text || int64(strings.Count(text[:s.Offset], "\n"))+1 != s.Line || r.Time != s.Time.UnixNano() || r.Stream.String() != s.Stream {
			h.Errorf("in line %d of %s is %q, and not the sample %+v", s.Line, s.Key, line, s)
		}
	}
	return &e.Data
}

// serve starts a container of an image's program. Options are as run's.
func (h *host) serve(app, image string, options []string, command ...string) *container {
	h.Helper()
	c := &container{host: h, app: name + "-" + app}
	args := append([]string{"run", "-d", "--name", c.app, "--log-driver", pluginName}, options...)
	c.id = docker(h.T, append(append(args, image), command...)...)
	h.removeLater(c.id)
	return c
}

// webImage is the demo's: nginx, gunicorn and Django of Debian's packages.
func webImage(t *testing.T) string {
	t.Helper()
	web := name + ":web"
	build := exec.Command("../../demo/image.sh", web)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("demo/image.sh: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := tryDocker("image", "rm", "-f", web); err != nil {
			t.Errorf("remove the image: %v\n%s", err, out)
		}
	})
	return web
}

func route(in *incident.Incident, app, method, path string, status int) (n int64) {
	for _, f := range in.Fingerprints {
		if f.App == app && f.Method == method && f.Route == path && f.Status == status {
			n += f.Errors
		}
	}
	return n
}

func TestIncidentsOfRealServers(t *testing.T) {
	web := webImage(t)
	h, _ := enableS3(t, "LOGFAST_QUIET_PERIOD=3s", "LOGFAST_LABELS=team")
	group := []string{"--log-opt", "fast-track-scope=group", "--log-opt", "group=shop", "--label", "team=red", "--label", "secret=x"}
	django := h.serve("django", web, append([]string{"--network", "none"}, group...), "serve", "django")
	nginx := h.serve("nginx", web, append([]string{"--network", "container:" + django.id}, group...), "serve", "nginx")
	docker(t, "exec", nginx.id, "python3", "client.py", "wait", "8000", "8080")

	// Django raises, gunicorn and nginx answer 500: one outage of the group.
	docker(t, "exec", nginx.id, "python3", "client.py", "get", "8080", "/", "/checkout?password=hunter2", "/orders/1", "/checkout")
	in := h.incident(1)
	if route(in, nginx.app, "GET", "/checkout", 500) != 2 || route(in, django.app, "GET", "/checkout", 500) != 2 || in.Closed != incident.ClosedQuiet || in.Scope != "group" {
		t.Errorf("%+v", in)
	}
	if len(in.Containers) != 2 || in.Containers[0].Labels["team"] != "red" || len(in.Containers[0].Labels) != 1 || in.Containers[0].Group != "shop" {
		t.Errorf("%+v", in.Containers)
	}
	event := h.object(incident.Key(in.ID, "web-1"))
	if bytes.Contains(event, []byte("hunter2")) || !bytes.Contains(event, []byte("password=[redacted]")) {
		t.Errorf("the password is quoted: %s", event)
	}
	traces := 0
	for _, s := range in.Samples {
		if strings.HasPrefix(s.Context, "Traceback (most recent call last):") && strings.HasSuffix(s.Context, "ZeroDivisionError: division by zero") {
			traces++
		}
	}
	if traces == 0 {
		t.Errorf("no sample has its traceback: %s", event)
	}
	if c := in.Cause; c == nil || c.Language != "python" || c.Type != "ZeroDivisionError" || c.Frame != "shop.pricing.mean_price" {
		t.Errorf("the cause is %+v", c)
	}
	kinds := map[string]bool{}
	for i := range in.Fingerprints {
		kinds[in.Fingerprints[i].ByKind()[0].ID] = true
	}
	if len(kinds) != 1 {
		t.Errorf("the exception, gunicorn's and nginx's answer are of %d kinds: %s", len(kinds), event)
	}
	h.tellBot(web, event, in)

	// Django is stopped, and nginx answers 502: another one.
	docker(t, "stop", "-t", "5", django.id)
	docker(t, "exec", nginx.id, "python3", "client.py", "get", "8080", "/orders/1", "/orders/2", "/orders/3")
	in = h.incident(2)
	if route(in, nginx.app, "GET", "/orders/{n}", 502) != 3 || in.ByStatus["502"] < 3 || len(in.Containers) != 1 {
		t.Errorf("%+v", in)
	}
}

// TestAnIncidentOfAGoServer: JSON lines, and a panic that counts because it is
// asked for.
func TestAnIncidentOfAGoServer(t *testing.T) {
	h, _ := enableS3(t, "LOGFAST_QUIET_PERIOD=2s")
	golang := h.serve("go", image, []string{"--network", "none", "--log-opt", "signals=go"}, "/goserver")
	in := h.incident(1)
	if route(in, golang.app, "GET", "/users/{n}", 503) != 2 || in.ByStatus["0"] != 1 || in.Errors != 3 || in.Scope != "container" {
		t.Errorf("%+v", in)
	}
	event := h.object(incident.Key(in.ID, "web-1"))
	if bytes.Contains(event, []byte("of-a-token")) || !bytes.Contains(event, []byte("out of stock")) || !bytes.Contains(event, []byte("main.main.func")) {
		t.Errorf("the token is quoted, or the panic is not: %s", event)
	}
	if c := in.Cause; c == nil || c.Language != "go" || c.Type == "" || !strings.HasPrefix(c.Frame, "main.main.func") {
		t.Errorf("the cause is %+v", c)
	}
}

// tellBot gives the incident to the example bot, which says what it is about in
// three lines.
func (h *host) tellBot(web string, event []byte, in *incident.Incident) {
	h.Helper()
	bot, err := filepath.Abs("../../examples/incident-bot/bot.py")
	if err != nil {
		h.Fatal(err)
	}
	store := h.TempDir()
	if err := os.WriteFile(filepath.Join(store, in.ID+".json"), event, 0o644); err != nil {
		h.Fatal(err)
	}
	said := ""
	for _, args := range [][]string{{"-i", web, "python3", "/bot.py"}, {"-v", store + ":/store:ro", web, "python3", "/bot.py", "/store"}} {
		run := exec.Command("docker", append([]string{"run", "--rm", "--name", name + "-bot", "--network", "none", "-v", bot + ":/bot.py:ro"}, args...)...)
		run.Stdin = bytes.NewReader(event)
		out, err := run.CombinedOutput()
		if err != nil {
			h.Fatalf("%v: %v\n%s", args, err, out)
		}
		if said != "" && said != string(out) {
			h.Errorf("from its input it says %q, from a directory %q", said, out)
		}
		said = string(out)
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "on web-1: ") || !strings.Contains(lines[0], "/checkout") ||
		!strings.Contains(lines[1], in.ID) || !strings.Contains(lines[1], "quiet-period") || !strings.Contains(lines[2], in.Samples[0].Key) {
		h.Errorf("the bot says %q", said)
	}
}

// TestAKillMakesNoSecondIncident kills the plugin twice within one outage: once
// when nothing of it is sealed, and once when a part of it is.
func TestAKillMakesNoSecondIncident(t *testing.T) {
	h, _ := enableS3(t, "LOGFAST_QUIET_PERIOD=12s")
	fail := "10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] \"GET /pay HTTP/1.1\" 503 12\n"
	c := h.run("web", []step{out(fail), {Await: "two", Stdout: []byte(fail)}, {Await: "three", Stdout: []byte(fail)}, {Await: "end"}})
	await.Until(t, "the first error is on disk", func() bool { return strings.Count(c.onDisk(), " 503 ") == 1 })
	h.replace(syscall.SIGKILL)
	c.allow("two")
	await.Until(t, "the second error is on disk", func() bool { return strings.Count(c.onDisk(), " 503 ") == 2 })
	h.signal(syscall.SIGHUP)
	await.Until(t, "an operator's seal is in the store", func() bool { return c.ended("manual") == 1 })
	h.replace(syscall.SIGKILL)
	c.allow("three")
	in := h.incident(1)
	if in.Errors != 3 || in.ByStatus["503"] != 3 || len(in.Objects) != 2 || in.Closed != incident.ClosedQuiet {
		t.Errorf("%+v", in)
	}
	c.allow("end")
	c.wait()
	await.Until(t, "everything is shipped", c.shipped)
	if all := h.incidents(); len(all) != 1 {
		t.Errorf("%d incidents of one outage", len(all))
	}
}
