//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/logfast/logfast/internal/await"
)

// registry is a running registry of images and plugins on loopback, which an
// engine talks to without TLS.
type registry struct {
	*testing.T
	address string
	name    string // of the repository
}

func startRegistry(t *testing.T) *registry {
	t.Helper()
	program, err := filepath.Abs("../../.tools/bin/registry")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Fatalf("%v: run make tools", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{t, l.Addr().String(), name}
	l.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %s}\n", dir, r.address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer // owned by the goroutine in Cmd until Wait returns
	p := &process{exec.Command(program, "serve", config), make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &output, &output
	p.cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when a test panics
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.stop(t, syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the registry said %s", output.String())
		}
	})
	await.Until(t, "the registry listens", func() bool {
		c, err := net.Dial("tcp", r.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return r
}

// push makes a plugin of the program as that version, and pushes it. It returns
// its name, whose tag names the platform.
func (r *registry) push(version string) string {
	r.Helper()
	ref := r.address + "/" + name + ":" + version + "-" + runtime.GOARCH
	r.pushTree(ref, makeTree(r.T, version))
	return ref
}

// makeTree makes what docker plugin create takes, of the program as that version.
func makeTree(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	program, tree := filepath.Join(dir, "logfast"), filepath.Join(dir, "plugin")
	flags := "-s -w -funcalign=16 -X github.com/logfast/logfast/cli.Version=" + version
	build := exec.Command("go", "build", "-trimpath", "-ldflags", flags, "-o", program, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run(t, "../../scripts/tree.sh", program, tree)
	return tree
}

// pushTree pushes what docker plugin create makes of a directory.
func (r *registry) pushTree(ref, tree string) {
	r.Helper()
	docker(r.T, "plugin", "create", ref, tree)
	docker(r.T, "plugin", "push", ref)
	docker(r.T, "plugin", "rm", ref)
}

// version is what the running plugin's program says that it is.
func (h *host) version() string {
	h.Helper()
	out, err := exec.Command(fmt.Sprintf("/proc/%d/root/logfast", h.process()), "version").Output()
	if err != nil {
		h.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "logfast ")
}

// TestUpgradedUnderLoad: docker plugin upgrade replaces the plugin's root, but
// not what is below its propagated mount, which is the folder of the FIFOs. So
// the next version takes the streams up: disable -f, upgrade, set the directories
// again, enable. The one before takes them up in the same way.
func TestUpgradedUnderLoad(t *testing.T) {
	startEngine(t)
	r := startRegistry(t)
	versions := []string{"0.1.0", "0.2.0", "0.1.0", "0.2.0"}[:scaled(3, 4)]
	refs := map[string]string{}
	for _, version := range versions[:2] {
		refs[version] = r.push(version)
	}
	docker(t, "plugin", "rm", pluginName) // instead of it, the one from the registry
	docker(t, "plugin", "install", "--alias", pluginName, "--disable", "--grant-all-permissions", refs[versions[0]])
	chaos(t, func(h *host) {
		if got := h.version(); got != versions[0] {
			t.Fatalf("version %q runs", got)
		}
		for _, version := range versions[1:] {
			time.Sleep(time.Second) // of load; the moment is the test's input
			docker(t, "plugin", "disable", "-f", pluginName)
			h.wantSealedAndRegistered(scaled(3, 5))
			docker(t, "plugin", "upgrade", "--skip-remote-check", "--grant-all-permissions", pluginName, refs[version])
			// Docker mounts what Config says, whatever it goes on showing as Settings.
			if got := docker(t, "plugin", "inspect", "-f", `{{range .Config.Mounts}}{{.Name}}={{.Source}} {{end}}`, pluginName); !strings.HasPrefix(got, "logs=/var/log/logfast ") {
				t.Errorf("after an upgrade the mounts are %s: correct the README", got)
			}
			h.set()
			docker(t, "plugin", "enable", pluginName)
			if got := h.version(); got != version {
				t.Fatalf("version %q runs, want %s", got, version)
			}
		}
		time.Sleep(time.Second) // of load on the new one
	})
}
