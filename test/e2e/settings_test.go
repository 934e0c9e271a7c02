//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/plugin/control"
)

// TestSettings_WrongOnesStopNoContainer makes settings and a line of the file of
// targets wrong beneath a running container, on the engine.
func TestSettings_WrongOnesStopNoContainer(t *testing.T) {
	h := enable(t, "LOGFAST_MAX_DELAY=2m")
	c := h.run("web", []step{out("one\n"), {Await: "more"}, {Line: "two", Until: "end"}})
	await.Until(t, "its first line is on disk", func() bool { return strings.Contains(c.onDisk(), "one") })
	await.Until(t, "the right settings are kept", func() bool {
		b, _ := os.ReadFile(filepath.Join(h.spool, ".settings.json"))
		return strings.Contains(string(b), "2m")
	})
	docker(t, "plugin", "disable", "-f", pluginName)
	notify := "htps://bot.example.com/hunter2hunter2\n"
	if err := os.WriteFile(filepath.Join(h.config, "notify"), []byte(notify), 0o600); err != nil {
		t.Fatal(err)
	}
	h.settings = []string{"LOGFAST_MAX_DELAY=never", "LOGFAST_FORMAT=json", "LOGFAST_STORE=gs://logs", "LOGFAST_OWNER=root", "LOGFAST_METRICS=80"}
	h.set()
	docker(t, "plugin", "enable", "--timeout", "0", pluginName)
	c.allow("more")
	await.Until(t, "4 MB of its later lines are on disk", func() bool { return len(c.onDisk()) > 4<<20 }) // more than a FIFO holds
	c.allow("end")
	other := h.run("db", []step{out("three\n")})
	other.wait()
	for _, want := range []struct {
		of   *container
		text string
	}{{c, "1 two 1"}, {other, "three"}} {
		if got := docker(t, "logs", want.of.id); !strings.Contains(got, want.text) {
			t.Errorf("docker logs of %s lacks %q: %.200s", want.of.app, want.text, got)
		}
	}
	text, _, status := h.logfast("status")
	for _, want := range []string{"LOGFAST_MAX_DELAY=never", "LOGFAST_MAX_DELAY=2m is in use", "LOGFAST_FORMAT=json", "LOGFAST_STORE=gs://logs", "/etc/logfast/notify: line 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the status lacks %q:\n%s", want, text)
		}
	}
	if status == 0 || strings.Contains(text, "hunter2") {
		t.Errorf("status %d:\n%s", status, text)
	}
	if text, _, status := h.logfast("check"); status == 0 || !strings.Contains(text, "line 1") || strings.Contains(text, "hunter2") {
		t.Errorf("check: status %d:\n%s", status, text)
	}
	if s := h.status(); s.Health != control.Unhealthy {
		t.Errorf("%s", s.Health)
	}
}

// TestOptions_HostileOnesCostTheirOwnContainersAlone has containers with options
// that are refused, and with a pattern that is as slow as one can be, on the engine.
func TestOptions_HostileOnesCostTheirOwnContainersAlone(t *testing.T) {
	h := enable(t, "LOGFAST_OPTIONS=strict")
	for _, option := range []string{"tag={{range 20000000}}xxxxxxxxxx{{end}}", `tag={{printf "%1000000000d" 1}}`, "pattern=(x?y){900}(x?y){900}", "redact=((a{30}){30}b?){1}c{900}d{900}"} {
		if text, err := tryDocker("run", "--rm", "--network", "none", "--log-driver", pluginName, "--log-opt", option, image); err == nil || !strings.Contains(text, "option") {
			t.Errorf("%s: %v\n%s", option, err, text)
		}
	}
	var slow []*container
	for i := range 8 {
		slow = append(slow, h.run(fmt.Sprintf("slow%d", i), []step{{Line: strings.Repeat("ab", 8000), Until: "end"}}, "pattern=(?:(.{0,20}){0,40})="))
	}
	await.Until(t, "the slow ones write", func() bool { return len(slow[7].onDisk()) > 0 })
	c := h.run("web", []step{out("one\n"), {Await: "more"}, out("two\n"), {Await: "end"}})
	await.Until(t, "the first line is on disk", func() bool { return strings.Contains(c.onDisk(), "one") })
	c.allow("more")
	await.Until(t, "the second line is on disk", func() bool { return strings.Contains(c.onDisk(), "two") })
	c.allow("end")
	for _, s := range slow {
		s.allow("end")
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.process()))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if kib, err := strconv.Atoi(string(m[1])); err != nil || kib > 256<<10 {
		t.Errorf("the plugin took %d KiB at its largest: %v", kib, err)
	}
	b, _ = json.Marshal(h.status())
	t.Logf("%s", b)
}
