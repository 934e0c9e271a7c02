//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/logfast/logfast/internal/await"
)

// archive is an unpacked release: the scripts beside the plugin's tree.
type archive struct{ dir string }

func makeArchive(t *testing.T, version string) archive {
	t.Helper()
	a := archive{filepath.Dir(makeTree(t, version))}
	for _, script := range []string{"install.sh", "lib.sh"} {
		text, err := os.ReadFile("../../scripts/" + script)
		if err == nil {
			err = os.WriteFile(filepath.Join(a.dir, script), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// edit replaces a part of the plugin's config.json.
func (a archive) edit(t *testing.T, old, now string) {
	t.Helper()
	path := filepath.Join(a.dir, "plugin/config.json")
	text, err := os.ReadFile(path)
	if err == nil && !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %s", path, old)
	}
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), old, now, 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// install runs the archive's install.sh for the plugin of this run.
func (a archive) install(args ...string) (string, error) {
	out, err := exec.Command(filepath.Join(a.dir, "install.sh"), append([]string{"--name", name}, args...)...).CombinedOutput()
	return string(out), err
}

func (a archive) mustInstall(t *testing.T, args ...string) string {
	t.Helper()
	out, err := a.install(args...)
	if err != nil {
		t.Fatalf("install.sh %v: %v\n%s", args, err, out)
	}
	return out
}

// settings returns the variables and the sources of mounts that a plugin has.
func settings(t *testing.T, plugin string) []string {
	t.Helper()
	const format = "{{range .Settings.Env}}{{println .}}{{end}}{{range .Config.Mounts}}{{.Name}}.source={{.Source}}{{println}}{{end}}"
	all := strings.Split(docker(t, "plugin", "inspect", "-f", format, plugin), "\n")
	slices.Sort(all)
	return all
}

func wantSettings(t *testing.T, plugin string, want ...string) {
	t.Helper()
	got := settings(t, plugin)
	for _, setting := range want {
		if !slices.Contains(got, setting) {
			t.Errorf("%s has not %s, but %q", plugin, setting, got)
		}
	}
}

// wantNumbered fails unless the first lines of a container's text have the numbers
// 0 to n-1, each once. It returns n. The text may have another last line.
func wantNumbered(t *testing.T, text string) (n int) {
	t.Helper()
	n = strings.Count(text, "\n") - 1
	if n < 100 {
		t.Fatalf("there are only %d lines: %.200s", n, text)
	}
	for i := range n {
		if strings.Count(text, fmt.Sprintf(" %d x %d\n", i, i)) != 1 {
			t.Fatalf("line %d of %d is not there once", i, n)
		}
	}
	return n
}

// extraVariable is an env entry of config.json, to go before LOGFAST_STORE's.
const extraVariable = `{"name": "LOGFAST_EXTRA", "settable": ["value"]}, {
      "name": "LOGFAST_STORE"`

// TestInstall_UpgradesToATree has install.sh of one release archive upgrade the
// plugin of another, under a container that writes steadily, without a registry.
// The settings stay and each line is there once. An upgrade that fails ends with
// the plugin that was there.
func TestInstall_UpgradesToATree(t *testing.T) {
	e := startBareEngine(t)
	if err := prepareImage(); err != nil {
		t.Fatal(err)
	}
	h := &host{T: t, spool: filepath.Join(t.TempDir(), "logs"), config: filepath.Join(t.TempDir(), "config")}
	first, second, broken := makeArchive(t, "0.1.0"), makeArchive(t, "0.2.0"), makeArchive(t, "0.3.0")
	first.edit(t, `{
      "name": "LOGFAST_STORE"`, extraVariable)
	broken.edit(t, `"plugin"`, `"plugins"`) // the program ends at once
	kept := []string{
		"logs.source=" + h.spool, "config.source=" + h.config,
		"LOGFAST_FORMAT=syslog", "LOGFAST_KEY={app} {unix}.gz", "AWS_EC2_METADATA_DISABLED=true",
	}
	first.mustInstall(t, append([]string{"--apply", "--no-check", "LOGFAST_EXTRA=x"}, kept...)...)
	wantSettings(t, name, append(kept, "LOGFAST_EXTRA=x")...)
	// A dockerd that has restarted changes the sources that it mounts, and no longer
	// the ones that it shows as settings.
	e.stop(syscall.SIGTERM)
	e.start()
	h.spool = filepath.Join(t.TempDir(), "others")
	kept[0] = "logs.source=" + h.spool
	first.mustInstall(t, "--apply", "--no-check", kept[0])
	wantSettings(t, name, append(kept, "LOGFAST_EXTRA=x")...)
	stopped := h.run("stopped", []step{{Rate: 100, Line: "x", Until: "never"}})
	c := h.run("web", []step{{Rate: 1000, Line: "x", Until: "stop"}})
	await.Until(t, "the container's lines are on disk", func() bool { return len(c.files()) > 0 })

	before := settings(t, name)
	out := second.mustInstall(t, "LOGFAST_STALL=20m")
	if !strings.Contains(out, "plugin-tree serve") || !slices.Equal(before, settings(t, name)) || h.version() != "0.1.0" {
		t.Fatalf("without --apply:\n%s", out)
	}
	out, err := second.install("--apply", "LOGFAST_STROE=s3://logs")
	if err == nil || !strings.Contains(out, `did you mean "LOGFAST_STORE"?`) || h.version() != "0.1.0" {
		t.Fatalf("a misspelt variable: %v\n%s", err, out)
	}
	out = second.mustInstall(t, "--apply", "LOGFAST_STALL=20m")
	if h.version() != "0.2.0" || !strings.Contains(out, "0.2.0 has no setting LOGFAST_EXTRA any more") {
		t.Fatalf("version %s runs:\n%s", h.version(), out)
	}
	wantSettings(t, name, append(kept, "LOGFAST_STALL=20m", "LOGFAST_EXTRA=")...)
	if out := second.mustInstall(t, "--apply"); !strings.Contains(out, "there is nothing to do") {
		t.Errorf("the same again:\n%s", out)
	}

	out, err = broken.install("--apply", "LOGFAST_STALL=30m", "LOGFAST_REDACT=secret")
	if err == nil || !strings.Contains(out, "the plugin is as it was, with its settings") || h.version() != "0.2.0" {
		t.Fatalf("an upgrade to a plugin that does not start: %v\n%s", err, out)
	}
	wantSettings(t, name, append(kept, "LOGFAST_STALL=20m", "LOGFAST_REDACT=")...)

	lines := len(strings.Split(docker(t, "logs", c.id), "\n"))
	await.Until(t, "docker logs shows more", func() bool { return strings.Count(docker(t, "logs", c.id), "\n") > lines })
	docker(t, "stop", "-t", "1", stopped.id) // does not hang
	docker(t, "logs", stopped.id)
	wantNumbered(t, stopped.onDisk())
	c.allow("stop")
	c.wait()
	text := c.onDisk()
	n := wantNumbered(t, text)
	if !strings.HasPrefix(text, "<") || !strings.Contains(text, fmt.Sprintf(" %d end %d\n", n, n)) {
		t.Fatalf("the setting format=syslog or the last line is lost: %.80s … %.80s", text, text[max(0, len(text)-80):])
	}
	h.wantNoStreams()
}

// TestCreatePlugin_KeepsSettings: "make plugin" on a name that there is keeps its
// settings, and replaces nothing that containers log to; "make enable" keeps its
// directories.
func TestCreatePlugin_KeepsSettings(t *testing.T) {
	plugin := name + "-made"
	t.Cleanup(func() {
		tryDocker("plugin", "disable", "-f", plugin)
		docker(t, "plugin", "rm", plugin)
	})
	a := makeArchive(t, "0.1.0")
	a.edit(t, `{
      "name": "LOGFAST_STORE"`, extraVariable)
	docker(t, "plugin", "create", plugin, filepath.Join(a.dir, "plugin"))
	h := &host{T: t, spool: t.TempDir(), config: t.TempDir()}
	kept := []string{"logs.source=" + h.spool, "config.source=" + h.config, "LOGFAST_STALL=17m", "LOGFAST_KEY={app} {unix}.gz"}
	docker(t, append([]string{"plugin", "set", plugin, "LOGFAST_EXTRA=x"}, kept...)...)
	create := func() (string, error) {
		out, err := exec.Command("../../scripts/create-plugin.sh", plugin).CombinedOutput()
		return string(out), err
	}

	out, err := create()
	if err != nil || !strings.Contains(out, "has no setting LOGFAST_EXTRA any more") || !strings.Contains(out, "it was not enabled, and is not") {
		t.Fatalf("%v\n%s", err, out)
	}
	wantSettings(t, plugin, kept...)
	if got := settings(t, plugin); slices.Contains(got, "LOGFAST_EXTRA=x") {
		t.Errorf("%q", got)
	}

	// make enable keeps the directories, but for those that are named.
	enable := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("make", append([]string{"-s", "-C", "../..", "enable", "PLUGIN=" + plugin}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("make enable %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	enable()
	wantSettings(t, plugin, kept...)
	if out := enable(); !strings.Contains(out, "is enabled already") {
		t.Error(out)
	}
	docker(t, "plugin", "disable", plugin)
	logs := filepath.Join(t.TempDir(), "logs")
	enable("LOGS=" + logs)
	kept[0] = "logs.source=" + logs
	wantSettings(t, plugin, kept...)

	if out, err := create(); err != nil || !strings.Contains(out, "it is enabled again") {
		t.Fatalf("%v\n%s", err, out)
	}
	wantSettings(t, plugin, kept...)

	// While a container logs to it nothing is changed, be it disabled.
	c := docker(t, "run", "-d", "--name", name+"-user", "--network", "none", "--log-driver", plugin,
		"-v", h.script([]step{{Await: "never"}})+":/script:ro", image)
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			tryDocker("plugin", "enable", plugin)
			docker(t, "rm", "-f", c)
		}
	})
	state := func() string { return docker(t, "plugin", "inspect", "-f", "{{.ID}} {{.Enabled}}", plugin) }
	for _, flags := range [][]string{nil, {"disable", "-f"}} {
		if flags != nil {
			docker(t, append(append([]string{"plugin"}, flags...), plugin)...)
		}
		before := state()
		if out, err := create(); err == nil || !strings.Contains(out, "scripts/install.sh --apply --name "+plugin) || state() != before {
			t.Errorf("%v, %s → %s\n%s", err, before, state(), out)
		}
	}
	docker(t, "plugin", "enable", plugin)
	docker(t, "rm", "-f", c)
	stopped = true
}
