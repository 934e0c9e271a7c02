//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/await"
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

// variant is a plugin of the same program with another configuration.
type variant struct {
	*host
	name string
}

// changedTree is what docker plugin create takes of the program, with its configuration
// changed.
func changedTree(t *testing.T, change func(config map[string]any)) string {
	t.Helper()
	text, err := os.ReadFile("../../config.json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	change(config)
	changed, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(t.TempDir(), "tree")
	run(t, "../../scripts/tree.sh", "../../build/logfast", tree)
	if err := os.WriteFile(filepath.Join(tree, "config.json"), changed, 0o644); err != nil {
		t.Fatal(err)
	}
	return tree
}

// enableVariant makes and enables a plugin of a tree.
func enableVariant(t *testing.T, plugin, tree string, settings ...string) *variant {
	t.Helper()
	v := &variant{&host{T: t, spool: t.TempDir(), config: t.TempDir()}, name + "-" + plugin}
	v.credentials("x", "x")
	docker(t, "plugin", "create", v.name, tree)
	t.Cleanup(func() { docker(t, "plugin", "rm", "-f", v.name) })
	v.settings = settings
	v.enable()
	t.Cleanup(func() { docker(t, "plugin", "disable", "-f", v.name) })
	return v
}

func (v *variant) enable() {
	v.Helper()
	args := append([]string{"plugin", "set", v.name, "AWS_EC2_METADATA_DISABLED=true", "LOGFAST_HOST=web-1"}, v.settings...)
	for mount := range strings.FieldsSeq(docker(v.T, "plugin", "inspect", "-f", "{{range .Config.Mounts}}{{.Name}} {{end}}", v.name)) {
		args = append(args, mount+".source="+map[string]string{"logs": v.spool, "config": v.config}[mount])
	}
	docker(v.T, args...)
	docker(v.T, "plugin", "enable", "--timeout", "0", v.name)
}

// run runs a container that writes one line, and says what docker run says.
func (v *variant) run(options ...string) (string, error) {
	v.Helper()
	args := append([]string{"run", "--rm", "--name", v.name, "--network", "none", "--log-driver", v.name}, options...)
	return tryDocker(append(args, "-v", v.script([]step{out("one\n")})+":/script:ro", image)...)
}

// TestEachPrivilegeIsNeeded takes one after the other away, and sees what breaks.
func TestEachPrivilegeIsNeeded(t *testing.T) {
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
			await.Until(t, "the file is in its root", func() bool { // a listing may miss one that is renamed
				inside, err := filepath.Glob(filepath.Join(proc, "root/var/log/logfast/*/*.log*"))
				return err == nil && len(inside) > 0
			})
			if entries, err := os.ReadDir(spool); err != nil || len(entries) > 0 {
				t.Errorf("on the host are %v; %v", entries, err)
			}
		}},
		{"config", func(config map[string]any) { dropMount(config, "config") }, func(t *testing.T, proc, _ string) {
			if _, err := os.Stat(filepath.Join(proc, "root/etc/logfast/credentials")); !os.IsNotExist(err) {
				t.Errorf("it has credentials: %v", err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := enableVariant(t, "without-"+tt.name, changedTree(t, tt.without))
			if out, err := v.run(); err != nil {
				t.Fatal(err, out)
			}
			tt.want(t, pluginProc(t, v.name), v.spool)
		})
	}
}

// TestThePropagatedMountIsNeeded: without it the FIFOs of running containers are
// in the plugin's root, and an upgrade takes them from their reader.
func TestThePropagatedMountIsNeeded(t *testing.T) {
	r := startRegistry(t)
	ref := r.address + "/" + name + ":"
	for _, version := range []string{"1", "2"} {
		r.pushTree(ref+version, changedTree(t, func(config map[string]any) {
			delete(config, "propagatedMount")
			config["description"] = version
		}))
	}
	v := &variant{&host{T: t, spool: t.TempDir(), config: t.TempDir()}, name + "-without-propagated-mount"}
	docker(t, "plugin", "install", "--alias", v.name, "--disable", "--grant-all-permissions", ref+"1")
	t.Cleanup(func() { docker(t, "plugin", "rm", "-f", v.name) })
	v.enable()
	t.Cleanup(func() { docker(t, "plugin", "disable", "-f", v.name) })

	c := &container{host: v.host, app: v.name, script: v.script([]step{out("one\n"), {Await: "upgraded"}, out("two\n")})}
	c.id = docker(t, "run", "-d", "--name", v.name, "--network", "none", "--log-driver", v.name, "-v", c.script+":/script:ro", image)
	t.Cleanup(func() { docker(t, "rm", "-f", c.id) })
	await.Until(t, "the first line is there", func() bool { return strings.Contains(c.onDisk(), " one\n") })
	docker(t, "plugin", "disable", "-f", v.name)
	docker(t, "plugin", "upgrade", "--skip-remote-check", "--grant-all-permissions", v.name, ref+"2")
	v.enable()
	c.allow("upgraded")
	c.wait()
	if text := c.onDisk(); !strings.Contains(text, " one\n") || strings.Contains(text, " two\n") {
		t.Errorf("the mount is not needed: after an upgrade without it the file has\n%s", text)
	}
}

// TestEachCapabilityIsNeeded: of the capabilities that Docker gives every plugin
// logfast keeps three. It takes one after the other of those away, and sees what
// breaks that works with all.
func TestEachCapabilityIsNeeded(t *testing.T) {
	kept := map[int]string{unix.CAP_CHOWN: "chown", unix.CAP_DAC_OVERRIDE: "dac_override", unix.CAP_SETUID: "setuid"}
	dropper := filepath.Join(t.TempDir(), "without")
	build := exec.Command("go", "build", "-trimpath", "-o", dropper, "./without")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// tree is of the plugin that starts without a capability.
	tree := func(t *testing.T, capability int) string {
		tree := changedTree(t, func(config map[string]any) {
			config["entrypoint"] = append([]any{"/without", strconv.Itoa(capability)}, config["entrypoint"].([]any)...)
		})
		run(t, "cp", dropper, filepath.Join(tree, "rootfs/without"))
		return tree
	}
	const spare = unix.CAP_NET_RAW // Docker gives it; logfast drops it

	t.Run("all", func(t *testing.T) {
		fillRootsPipes(t)
		v := enableVariant(t, "with-all", tree(t, spare), "LOGFAST_OWNER=1234:1234")
		if out, err := v.run(); err != nil {
			t.Fatal(err, out)
		}
		if files := v.owned(1234); files == 0 {
			t.Error("no file has the owner that was asked for")
		}
		var want uint64
		for capability := range kept {
			want |= 1 << capability
		}
		threads, _ := filepath.Glob(filepath.Join(pluginProc(t, v.name), "task/*/status"))
		for _, path := range threads {
			status, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended
			}
			for _, line := range []string{"CapInh:\t%016x", "CapPrm:\t%016x", "CapEff:\t%016x", "CapBnd:\t%016x"} {
				set := want
				if strings.HasPrefix(line, "CapInh") {
					set = 0
				}
				if line := fmt.Sprintf(line, set); !strings.Contains(string(status), line) {
					t.Errorf("%s has not %q:\n%s", path, line, status)
				}
			}
			if !strings.Contains(string(status), "NoNewPrivs:\t1\n") {
				t.Errorf("%s may get new privileges:\n%s", path, status)
			}
			// And it may wake up late: else Go's housekeeping takes most of the processor time
			// of a line while there are few. A thread's number works as a process's here.
			slack, err := os.ReadFile(filepath.Join("/proc", filepath.Base(filepath.Dir(path)), "timerslack_ns"))
			if !errors.Is(err, os.ErrNotExist) && string(slack) != "1000000\n" {
				t.Errorf("%s has a timer slack of %s ns: %v", path, slack, err)
			}
		}
		if len(threads) == 0 {
			t.Error("the plugin has no threads")
		}
	})
	for capability, name := range kept {
		t.Run(name, func(t *testing.T) {
			fillRootsPipes(t)
			v := enableVariant(t, "without-"+name, tree(t, capability), "LOGFAST_OWNER=1234:1234")
			out, err := v.run()
			t.Logf("%v: %s", err, out)
			if n := v.owned(1234); err == nil && n > 0 {
				t.Errorf("the capability is not needed: the container ran, and %d files have the owner that was asked for", n)
			}
		})
	}
}

// owned counts the segments that belong to a user.
func (v *variant) owned(uid uint32) (n int) {
	v.Helper()
	files, _ := filepath.Glob(filepath.Join(v.spool, "*", "*.log*"))
	for _, path := range files {
		fi, err := os.Stat(path)
		if err != nil {
			v.Fatal(err)
		}
		if fi.Sys().(*syscall.Stat_t).Uid == uid {
			n++
		}
	}
	return n
}

// fillRootsPipes holds so many pipes that Linux gives root's others no useful
// size any more (pipe-user-pages-soft), as an engine with a thousand containers
// does.
func fillRootsPipes(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/fs/pipe-user-pages-soft")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range pages/16 + 1 { // of 16 pages each
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			r.Close()
			w.Close()
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
