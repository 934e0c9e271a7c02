//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/logfast/logfast/internal/await"
)

// jsonFileOptions are all that Docker documents for json-file, and the drivers' common
// ones, as daemon-wide log-opts give them to each container.
var jsonFileOptions = []string{
	"max-size=10k", "max-file=3", "compress=true", "tag={{.Name}}", "labels=team,zone", "labels-regex=^(stage|tier)$",
	"env=REGION", "env-regex=^(APP|DB)_", "mode=non-blocking", "max-buffer-size=4m",
}

// TestOptions_OfJSONFileStartContainers starts containers with every documented option of
// json-file, and with another driver's.
func TestOptions_OfJSONFileStartContainers(t *testing.T) {
	h := enable(t, "LOGFAST_KEY=logs/{label:team}/{env:APP_ENV}/{env:DB_PASSWORD}/{app}/{time}-{seq}.log.gz")
	flags := []string{"--label=team=blue", "--label=tier=gold", "--env=REGION=eu", "--env=APP_ENV=prod", "--env=DB_PASSWORD=hunter2"}
	for _, app := range []string{"web", "db"} {
		c := h.run(app, []step{out("one\n"), {Await: "end"}}, slices.Concat(jsonFileOptions, flags)...)
		other := h.run("other"+app, []step{out("two\n"), {Await: "end"}}, "awslogs-group=g", "tag={{.Command}}", "max-file=abc")
		status, _, _ := h.logfast("status")
		for _, want := range []string{
			"option max-size: it is 10000 bytes; allowed are 64KiB", "environment variables that look like secrets are not kept: DB_PASSWORD",
			"unknown option awslogs-group of the driver awslogs: set LOGFAST_STORE", "option tag={{.Command}}", `option max-file: "abc"`,
		} {
			if !strings.Contains(status, want) || strings.Contains(status, "hunter2") {
				t.Errorf("the status lacks %q, or has the password:\n%s", want, status)
			}
		}
		for _, c := range []*container{c, other} {
			c.allow("end")
			c.wait()
		}
		if got := docker(t, "logs", c.id); got != "one" {
			t.Errorf("docker logs: %q", got)
		}
		await.Until(t, "the line is in the store", c.shipped)
		line, _, _ := h.logfast("cat", "--no-spool", "--json", "--container", c.app)
		if want := `"labels":{"team":"blue","tier":"gold"},"env":{"APP_ENV":"prod","REGION":"eu"},"stream":"stdout","text":"one"`; !strings.Contains(line, want) {
			t.Errorf("cat: %s\nwant … %s", line, want)
		}
		if keys, _, _ := h.logfast("ls", "--json", "--container", c.app); !strings.Contains(keys, `"key":"logs/blue/prod/-/`+c.app+"/") {
			t.Errorf("ls: %s", keys)
		}
	}
}

// TestOptions_MaxFileBoundsTheCopiesOnTheHost writes far more than max-file and max-size
// leave on the host, and wants all of it in the store.
func TestOptions_MaxFileBoundsTheCopiesOnTheHost(t *testing.T) {
	h := enable(t)
	c := h.run("web", []step{{Count: 10_000, Line: strings.Repeat("x", 80)}, {Await: "end"}}, "max-size=100k", "max-file=3")
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(h.spool, c.app+"-*", c.app+".log*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	await.Until(t, "most objects are there", func() bool {
		text, _, _ := h.logfast("ls", "--no-spool", "--json", "--container", c.app)
		return strings.Count(text, "\n") >= 10
	})
	await.Until(t, "three files are left on the host", func() bool { return len(files()) <= 3 })
	c.allow("end")
	c.wait()
	await.Until(t, "all is in the store", c.shipped)
	await.Until(t, "three files are left on the host at the end", func() bool { return len(files()) <= 3 })
	text, _, _ := h.logfast("cat", "--output", "text", "--no-spool", "--container", c.app)
	if n := strings.Count(text, "\n"); n != 10_000 {
		t.Errorf("%d lines in the store", n)
	}
	if got := docker(t, "logs", c.id); !strings.HasSuffix(got, "x 9999") {
		t.Errorf("docker logs ends in %q", got[max(0, len(got)-200):])
	}
}

// TestOptions_DaemonWideOnesOfJSONFile has an engine of its own whose file names logfast as
// the default driver, with the log-opts that it had for json-file.
func TestOptions_DaemonWideOnesOfJSONFile(t *testing.T) {
	e := startEngine(t)
	h := enable(t)
	config := fmt.Sprintf(`{"log-driver": %q, "log-opts": {"max-size": "10k", "max-file": "3", "compress": "true",
		"labels": "team", "labels-regex": "^z", "env": "REGION", "env-regex": "^APP_", "tag": "{{.Name}}/{{.Command}}", "mode": "non-blocking"}}`, name)
	if err := os.WriteFile(e.path("config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	e.stop(syscall.SIGTERM)
	e.start()
	c := h.runDefault("web", []step{out("one\n"), {Await: "end"}}, "--label=team=blue", "--restart=always")
	await.Until(t, "the line is on disk", func() bool { return strings.Contains(c.onDisk(), "one") })
	e.stop(syscall.SIGTERM)
	e.start()
	await.Until(t, "the container runs again", func() bool { return strings.Count(c.onDisk(), "one") == 2 })
	if status, _, _ := h.logfast("status"); !strings.Contains(status, "option max-size: it is 10000 bytes") || !strings.Contains(status, ".Command is not a field of a tag") {
		t.Errorf("the status has no notices:\n%s", status)
	}
	c.allow("end")
}
