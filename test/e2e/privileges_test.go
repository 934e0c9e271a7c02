//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// privileges are what docker plugin install asks the operator for, and no more.
// The table in docs/installing.md gives the reasons.
var privileges = []string{" - network: [host]", " - mount: [/etc/logfast]", " - mount: [/var/log/logfast]"}

// wantPrivileges fails unless the engine asks for exactly these.
func wantPrivileges(t *testing.T, ref string) {
	t.Helper()
	out, err := exec.Command("docker", "plugin", "install", "--alias", name+"-denied", "--disable", ref).CombinedOutput() // with nobody to say y
	var asked []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, " - ") {
			asked = append(asked, strings.TrimRight(line, "\n"))
		}
	}
	slices.Sort(asked)
	want := slices.Sorted(slices.Values(privileges))
	if err == nil || !slices.Equal(asked, want) {
		t.Errorf("%v: the engine asks for\n%s\nwant %q", err, out, want)
	}
}

// TestEachPrivilegeIsNeeded takes one after the other away, and sees what breaks.
// That propagatedMount is needed, TestUpgradedUnderLoad shows.
func TestEachPrivilegeIsNeeded(t *testing.T) {
	text, err := os.ReadFile("../../config.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		without func(config map[string]any)
		want    func(t *testing.T, proc string, spool string) // what is broken; proc is the plugin's directory in /proc
	}{
		{"network", func(config map[string]any) { config["network"] = map[string]any{"type": ""} }, func(t *testing.T, proc, _ string) {
			// A network of its own has a loopback and nothing else: neither S3 nor an
			// instance's metadata service can be reached.
			devices, err := os.ReadFile(filepath.Join(proc, "net/dev"))
			if n := strings.Count(string(devices), ":"); err != nil || n != 1 || !strings.Contains(string(devices), "lo:") {
				t.Errorf("%v: it has %d devices:\n%s", err, n, devices)
			}
		}},
		{"logs", func(config map[string]any) { dropMount(config, "logs") }, func(t *testing.T, proc, spool string) {
			// The files are in the plugin's root, which an upgrade replaces.
			inside, err := filepath.Glob(filepath.Join(proc, "root/var/log/logfast/*/*.log*"))
			entries, dirErr := os.ReadDir(spool)
			if err != nil || dirErr != nil || len(inside) == 0 || len(entries) > 0 {
				t.Errorf("in its root are %v, on the host %v; %v %v", inside, entries, err, dirErr)
			}
		}},
		{"config", func(config map[string]any) { dropMount(config, "config") }, func(t *testing.T, proc, _ string) {
			if _, err := os.Stat(filepath.Join(proc, "root/etc/logfast/credentials")); !os.IsNotExist(err) {
				t.Errorf("it has credentials: %v", err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var config map[string]any
			if err := json.Unmarshal(text, &config); err != nil {
				t.Fatal(err)
			}
			tt.without(config)
			changed, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			tree, plugin := filepath.Join(t.TempDir(), "tree"), name+"-without-"+tt.name
			run(t, "../../scripts/tree.sh", "../../build/logfast", tree)
			if err := os.WriteFile(filepath.Join(tree, "config.json"), changed, 0o644); err != nil {
				t.Fatal(err)
			}
			h := &host{T: t, spool: t.TempDir(), config: t.TempDir()}
			h.credentials("x", "x")
			docker(t, "plugin", "create", plugin, tree)
			t.Cleanup(func() { docker(t, "plugin", "rm", "-f", plugin) })
			args := []string{"plugin", "set", plugin, "AWS_EC2_METADATA_DISABLED=true"}
			for name, source := range map[string]string{"logs": h.spool, "config": h.config} {
				if tt.name != name {
					args = append(args, name+".source="+source)
				}
			}
			docker(t, args...)
			docker(t, "plugin", "enable", plugin)
			t.Cleanup(func() { docker(t, "plugin", "disable", "-f", plugin) })
			docker(t, "run", "--rm", "--name", plugin, "--network", "none", "--log-driver", plugin, "-v", h.script([]step{out("one\n")})+":/script:ro", image)
			tt.want(t, pluginProc(t, plugin), h.spool)
		})
	}
}

// dropMount takes a mount out of a plugin's configuration.
func dropMount(config map[string]any, name string) {
	config["mounts"] = slices.DeleteFunc(config["mounts"].([]any), func(m any) bool { return m.(map[string]any)["name"] == name })
}

// pluginProc is the directory in /proc of a plugin's process.
func pluginProc(t *testing.T, plugin string) string {
	t.Helper()
	id := docker(t, "plugin", "inspect", "-f", "{{.ID}}", plugin)
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		mounts, err := os.ReadFile(filepath.Join(dir, "mountinfo"))
		if err == nil && strings.HasSuffix(exe, "/logfast") && strings.Contains(string(mounts), id) {
			return dir
		}
	}
	t.Fatalf("the plugin %s does not run", plugin)
	return ""
}
