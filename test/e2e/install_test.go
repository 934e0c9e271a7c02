//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/logfast/logfast/internal/await"
)

// script runs a script of scripts/ and returns what it printed.
func script(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("../../scripts/"+args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// runDefault starts a container without naming a logging driver.
func (h *host) runDefault(app string, steps []step, flags ...string) *container {
	h.Helper()
	c := &container{host: h, app: name + "-" + app, script: h.script(steps)}
	args := append([]string{"run", "-d", "--name", c.app, "--network", "none", "-v", c.script + ":/script:ro"}, flags...)
	c.id = docker(h.T, append(args, image)...)
	h.removeLater(c.id)
	return c
}

// TestInstalledUpgradedAndUninstalled is the README's way on an engine that has
// never seen logfast: from a registry, as the default, one version on and back
// under a running container, and off again.
func TestInstalledUpgradedAndUninstalled(t *testing.T) {
	e := startBareEngine(t)
	r := startRegistry(t)
	first, second := r.push("0.1.0"), r.push("0.2.0")
	wantPrivileges(t, first)
	if err := prepareImage(); err != nil {
		t.Fatal(err)
	}
	before := "{\n  \"log-driver\": \"json-file\",\n  \"log-opts\": {\"max-file\": \"3\"},\n  \"max-concurrent-uploads\": 4\n}\n"
	if err := os.WriteFile(e.path("config.json"), []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &host{T: t, spool: filepath.Join(t.TempDir(), "logs"), config: filepath.Join(t.TempDir(), "config")}
	args := []string{
		"install.sh", "--name", name, "--default", "--daemon-json", e.path("config.json"), "--from", strings.TrimSuffix(first, "-amd64"),
		"logs.source=" + h.spool, "config.source=" + h.config, "LOGFAST_FORMAT=syslog", "AWS_EC2_METADATA_DISABLED=true",
	}
	t.Logf("install.sh would do:\n%s", script(t, args...))
	if out := docker(t, "plugin", "ls", "-q"); out != "" {
		t.Fatalf("without --apply there is the plugin %s", out)
	}
	script(t, append([]string{args[0], "--apply"}, args[1:]...)...)
	if got := docker(t, "info", "-f", "{{.LoggingDriver}}"); got != "json-file" {
		t.Fatalf("the engine has %s before it was restarted", got)
	}
	e.stop(syscall.SIGTERM)
	e.start()
	if got := docker(t, "info", "-f", "{{.LoggingDriver}}"); got != name {
		t.Fatalf("the engine's logging driver is %s", got)
	}
	if got := h.version(); got != "0.1.0" {
		t.Fatalf("version %s runs", got)
	}

	c := h.runDefault("web", []step{{Rate: 1000, Line: "x", Until: "stop"}})
	for _, next := range []struct{ ref, version string }{{second, "0.2.0"}, {first, "0.1.0"}} {
		await.Until(t, "the container's lines are on disk", func() bool { return len(c.files()) > 0 })
		script(t, "install.sh", "--apply", "--name", name, "--from", next.ref)
		if got := h.version(); got != next.version { // also: the directories are set again
			t.Fatalf("version %s runs, want %s", got, next.version)
		}
	}
	c.allow("stop")
	c.wait()
	await.Until(t, "everything is shipped", c.shipped)
	text := c.onDisk()
	if !strings.HasPrefix(text, "<") {
		t.Errorf("the setting format=syslog is lost: %.80s", text)
	}
	n := strings.Count(text, "\n")
	for i := range n - 1 { // the last line has another text
		if strings.Count(text, fmt.Sprintf(" %d x %d\n", i, i)) != 1 {
			t.Fatalf("line %d of %d is not there once", i, n)
		}
	}
	if !strings.Contains(text, fmt.Sprintf(" %d end %d\n", n-1, n-1)) {
		t.Fatalf("the last word is not there: %.200s", text[max(0, len(text)-200):])
	}

	// Off again: first the engine's default, then the containers, then the plugin.
	uninstall := []string{"../../scripts/uninstall.sh", "--apply", "--name", name, "--daemon-json", e.path("config.json")}
	refused := func(want string) {
		t.Helper()
		if out, err := exec.Command(uninstall[0], uninstall[1:]...).CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v\n%s\nwant %q", err, out, want)
		}
	}
	refused("restart it, then run this again")
	if now, err := os.ReadFile(e.path("config.json")); err != nil || string(now) != before {
		t.Fatalf("%v: daemon.json is now\n%s", err, now)
	}
	e.stop(syscall.SIGTERM)
	e.start()
	refused("these containers log to " + name + " and could not start without it: /" + c.app)
	docker(t, "rm", c.id)
	run(t, uninstall[0], uninstall[1:]...)
	if out := docker(t, "plugin", "ls", "-q"); out != "" {
		t.Fatalf("the plugin %s is left", out)
	}
	if out := docker(t, "info", "-f", "{{.LoggingDriver}}"); out != "json-file" {
		t.Fatalf("the engine logs to %s", out)
	}
}

// TestTheEngineAlwaysBoots: with logfast as the daemon-wide default and nothing
// else in daemon.json the engine starts, whatever has become of the plugin.
// Containers that name another driver start; the others do once what is said to
// do is done. docs/installing.md has this as a table.
func TestTheEngineAlwaysBoots(t *testing.T) {
	e := startEngine(t)
	config := func(text string) {
		t.Helper()
		if err := os.WriteFile(e.path("config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config(fmt.Sprintf(`{"log-driver": %q}`, name))
	spool := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(spool, 0o750); err != nil {
		t.Fatal(err)
	}
	// Nobody listens at the store's address, in any of the cases.
	h := enableOn(t, spool, "LOGFAST_STORE=s3://logs", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")
	e.stop(syscall.SIGTERM)
	e.start()
	c := h.runDefault("web", []step{{Stdout: []byte("one\n"), Rate: 10, Line: "x", Until: "stop"}}, "--restart=always")
	reboot := func(t *testing.T, during func()) {
		t.Helper()
		e.stop(syscall.SIGTERM)
		if during != nil {
			during()
		}
		e.start()
	}
	running := func() bool { return docker(t, "inspect", "-f", "{{.State.Running}}", c.id) == "true" }
	t.Run("its log has the plugin's levels", e.wantLevels)
	lives := 0
	wantLife := func(t *testing.T) {
		t.Helper()
		lives++
		await.Until(t, "the container runs and its line is on disk", func() bool { return running() && strings.Count(c.onDisk(), "one") == lives })
	}
	wantLife(t)
	wantDown := func(t *testing.T) {
		t.Helper()
		if running() {
			t.Fatal("the container runs without its logging driver")
		}
		if out, err := tryDocker("start", c.id); err == nil || !strings.Contains(out, "logging driver") && !strings.Contains(out, name) {
			t.Fatalf("docker start: %v\n%s", err, out)
		} else {
			t.Logf("docker start says: %s", out)
		}
		docker(t, "run", "--rm", "--name", name+"-other", "--network", "none", "--log-driver", "json-file", "-v", h.script(nil)+":/script:ro", image)
	}

	t.Run("S3 cannot be reached", func(t *testing.T) {
		reboot(t, nil)
		wantLife(t)
	})
	t.Run("the plugin is disabled", func(t *testing.T) {
		docker(t, "plugin", "disable", "-f", name)
		// A stopped plugin's containers are stopped by the engine all the same.
		reboot(t, nil)
		wantDown(t)
		docker(t, "plugin", "enable", "--timeout", "0", name)
		docker(t, "start", c.id)
		wantLife(t)
	})
	t.Run("a mount is gone, and made again by the unit's drop-in", func(t *testing.T) {
		reboot(t, func() {
			if err := os.Rename(spool, spool+".away"); err != nil {
				t.Fatal(err)
			}
			run(t, "mkdir", "-p", spool, h.config) // scripts/install.sh has systemd do this
		})
		await.Until(t, "the container runs and its line is on disk", func() bool { return running() && strings.Count(c.onDisk(), "one") == 1 })
		lives = 1
	})
	t.Run("a mount is gone", func(t *testing.T) {
		e.stop(syscall.SIGTERM)
		if err := os.RemoveAll(spool); err != nil {
			t.Fatal(err)
		}
		e.launch()
		answers := func() bool {
			_, err := tryDocker("version")
			return err == nil
		}
		panicked := false
		await.Until(t, "the engine answers or ends", func() bool {
			select {
			case <-e.dockerd.exited:
				panicked = true
			default:
			}
			return panicked || answers()
		})
		// Docker 20.10 panics when it starts a container whose logging driver is an
		// enabled plugin that did not start: the reason for the drop-in.
		t.Logf("an engine that finds the directory gone ends: %t", panicked)
		if err := os.Mkdir(spool, 0o750); err != nil { // the way out
			t.Fatal(err)
		}
		if panicked {
			e.start()
		} else {
			tryDocker("plugin", "disable", "-f", name)
			docker(t, "plugin", "enable", "--timeout", "0", name)
			docker(t, "start", c.id)
		}
		await.Until(t, "the container runs and its line is on disk", func() bool { return running() && strings.Count(c.onDisk(), "one") == 1 })
	})
	t.Run("the plugin is missing", func(t *testing.T) {
		docker(t, "stop", c.id)
		docker(t, "plugin", "disable", "-f", name)
		docker(t, "plugin", "rm", name)
		reboot(t, nil)
		wantDown(t)

		// With log-opts in the file the engine itself does not start.
		e.stop(syscall.SIGTERM)
		config(fmt.Sprintf(`{"log-driver": %q, "log-opts": {"format": "cri"}}`, name))
		e.wantNoStart("correct docs/installing.md")
		config(fmt.Sprintf(`{"log-driver": %q}`, name))
		e.start()

		script(t, "create-plugin.sh", name)
		h.set()
		docker(t, "plugin", "enable", "--timeout", "0", name)
		docker(t, "start", c.id)
		wantLife(t)
	})
	t.Run("a driver in the file and on the command line", func(t *testing.T) {
		e.stop(syscall.SIGTERM)
		e.flags = []string{"--log-driver=json-file"}
		e.wantNoStart("scripts/install.sh need not refuse")
		e.flags = nil
		e.start()
	})
}

// wantNoStart fails unless dockerd ends instead of starting.
func (e *engine) wantNoStart(otherwise string) {
	e.Helper()
	e.launch()
	select {
	case <-e.dockerd.exited:
	case <-time.After(patience):
		e.Errorf("the engine starts: %s", otherwise)
		e.stop(syscall.SIGTERM)
	}
}
