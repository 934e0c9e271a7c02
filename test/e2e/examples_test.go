//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/logfast/logfast/internal/await"
)

// exampleEngine has the plugin under its own name, enabled, and emit in the place
// of the examples' images.
func exampleEngine(t *testing.T) *host {
	t.Helper()
	startBareEngine(t)
	if err := prepareImage(); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"nginx:1.29", "redis:8"} {
		docker(t, "tag", image, other)
	}
	tree := filepath.Join(t.TempDir(), "tree")
	run(t, "../../scripts/tree.sh", "../../build/logfast", tree)
	h := &host{T: t, spool: t.TempDir(), config: t.TempDir()}
	docker(t, "plugin", "create", "logfast", tree)
	docker(t, "plugin", "set", "logfast", "logs.source="+h.spool, "config.source="+h.config, "AWS_EC2_METADATA_DISABLED=true")
	docker(t, "plugin", "enable", "--timeout", "0", "logfast")
	t.Cleanup(func() { docker(t, "plugin", "disable", "-f", "logfast") })
	return h
}

// override writes a second file for an example: what only a test needs.
func (h *host) override(file map[string]any) string {
	h.Helper()
	text, err := json.Marshal(file)
	path := filepath.Join(h.TempDir(), "override.json")
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		h.Fatal(err)
	}
	return path
}

// TestComposeExample: the example's containers log to logfast, and docker compose
// logs prints what they wrote.
func TestComposeExample(t *testing.T) {
	h := exampleEngine(t)
	script := h.script([]step{{Count: 50, Line: "x"}, {Await: "more"}, {Count: 50, Line: "x"}})
	alone := map[string]any{"network_mode": "none", "volumes": []string{script + ":/script:ro"}}
	file := h.override(map[string]any{"services": map[string]any{"web": alone, "worker": alone}})
	version := docker(t, "version", "-f", "{{.Server.APIVersion}}")
	compose := func(args ...string) (*exec.Cmd, *strings.Builder) {
		cmd := exec.Command("docker-compose", append([]string{"--project-name", name, "-f", "../../examples/compose/compose.yaml", "-f", file}, args...)...)
		cmd.Env = append(os.Environ(), "COMPOSE_API_VERSION="+version)
		var out strings.Builder // owned by the goroutine in Cmd until Wait returns
		cmd.Stdout, cmd.Stderr = &out, &out
		return cmd, &out
	}
	do := func(args ...string) string {
		t.Helper()
		cmd, out := compose(args...)
		if err := cmd.Run(); err != nil {
			t.Fatalf("docker-compose %v: %v (where it is not there: apt-get install docker-compose)\n%s", args, err, out)
		}
		return out.String()
	}
	do("up", "-d")
	t.Cleanup(func() { do("down", "-t", "0") })
	// lines are those of the containers, without compose's own words.
	lines := func(out string) (all []string) {
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, "Attaching to") && !strings.Contains(line, "exited with code") {
				all = append(all, strings.TrimSuffix(line, "\n"))
			}
		}
		return all
	}
	logs := func(args ...string) []string {
		t.Helper()
		return lines(do(append([]string{"logs", "--no-color", "--no-log-prefix"}, args...)...))
	}
	var want []string
	for i := range 100 {
		want = append(want, strconv.Itoa(i)+" x "+strconv.Itoa(i))
	}
	await.Until(t, "docker compose logs has the first lines", func() bool { return slices.Equal(logs("web"), want[:50]) })
	if got := logs("--tail", "3", "web"); !slices.Equal(got, want[47:50]) {
		t.Errorf("docker compose logs --tail 3 web: %q", got)
	}

	follow, followed := compose("logs", "--no-color", "--no-log-prefix", "-f", "web")
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(script, "more"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := follow.Wait(); err != nil { // it ends with the container
		t.Fatal(err)
	}
	if got := lines(followed.String()); !slices.Equal(got, want) {
		t.Errorf("docker compose logs -f web: %d lines: %q", len(got), got)
	}
	if got := logs("worker"); !slices.Equal(got, want) {
		t.Errorf("docker compose logs worker: %d lines: %q", len(got), got)
	}
}

// TestSwarmExample: the service's tasks log to logfast, and docker service logs
// prints what they wrote.
func TestSwarmExample(t *testing.T) {
	h := exampleEngine(t)
	script := h.script([]step{{Count: 50, Line: "x"}, {Await: "stop"}})
	file := h.override(map[string]any{"version": "3.8", "services": map[string]any{"web": map[string]any{"volumes": []string{script + ":/script:ro"}}}})
	docker(t, "swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:0")
	stack := name[len(name)-8:]
	t.Cleanup(func() {
		docker(t, "swarm", "leave", "--force")
		tryDocker("network", "rm", "docker_gwbridge")
	})
	docker(t, "stack", "deploy", "--resolve-image", "never", "-c", "../../examples/swarm/stack.yaml", "-c", file, stack)
	t.Cleanup(func() { docker(t, "stack", "rm", stack) })
	await.Until(t, "each task's lines are there", func() bool {
		out, err := tryDocker("service", "logs", "--raw", stack+"_web")
		return err == nil && strings.Count("\n"+out, "\n49 x 49") == 2 && strings.Count("\n"+out, "\n0 x 0") == 2
	})
	dirs, err := filepath.Glob(filepath.Join(h.spool, stack+"_web*"))
	if err != nil || len(dirs) != 2 {
		t.Errorf("the tasks' directories are %v, %v", dirs, err)
	}
}
