package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// plugin is a managed plugin that this run made.
type plugin struct {
	name  string // as Docker knows it, with its tag
	exe   string // the name of its program
	sock  string // the name of its socket
	id    string
	spool string // its log directory on this machine; empty where it has none
	pid   int    // while it is enabled
	reads bool   // it can read logs back
}

// makeNaive builds the discarding plugin.
func (b *bench) makeNaive(ctx context.Context) (*plugin, error) {
	p := &plugin{name: b.name + "-naive:latest", exe: "naive", sock: "naive.sock"}
	dir := filepath.Join(b.work, "naive")
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		return nil, err
	}
	if _, err := runIn(ctx, "", []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o",
		filepath.Join(dir, "rootfs", "naive"), "./bench/naive"); err != nil {
		return nil, err
	}
	config, err := os.ReadFile("bench/naive/config.json")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
	}
	if err != nil {
		return nil, err
	}
	b.plugins = append(b.plugins, p)
	_, err = run(ctx, "docker", "plugin", "create", p.name, dir)
	return p, err
}

// makeLogfast makes a plugin of build/logfast.
func (b *bench) makeLogfast(ctx context.Context) (*plugin, error) {
	p := &plugin{name: b.name + "-logfast:latest", exe: "logfast", sock: "logfast.sock"}
	b.plugins = append(b.plugins, p)
	_, err := run(ctx, "scripts/create-plugin.sh", p.name)
	return p, err
}

// enable enables a plugin and finds its process. One that has a spool gets a
// new, empty one below dir first; prepare, if set, may fill it.
func (p *plugin) enable(ctx context.Context, dir string, prepare func(spool string) error) error {
	if dir != "" {
		spool, err := os.MkdirTemp(dir, "spool-")
		if err != nil {
			return err
		}
		p.spool = spool
		if prepare != nil {
			if err := prepare(spool); err != nil {
				return err
			}
		}
		if _, err := run(ctx, "docker", "plugin", "set", p.name, "logs.source="+spool, "config.source="+dir,
			"LOGFAST_LOG_LEVEL=warn"); err != nil {
			return err
		}
	}
	if _, err := run(ctx, "docker", "plugin", "enable", p.name); err != nil {
		return err
	}
	id, err := run(ctx, "docker", "plugin", "inspect", "-f", "{{.Id}}", p.name)
	if err != nil {
		return err
	}
	p.id = strings.TrimSpace(id)
	if err := p.find(ctx); err != nil {
		return err
	}
	var answer struct{ Cap struct{ ReadLogs bool } }
	if err := p.call(ctx, "LogDriver.Capabilities", struct{}{}, &answer); err != nil {
		return err
	}
	p.reads = answer.Cap.ReadLogs
	return nil
}

// disable is enable's counterpart. What the spool held goes.
func (p *plugin) disable() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTime)
	defer cancel()
	_, err := run(ctx, "docker", "plugin", "disable", "-f", p.name)
	p.pid = 0
	if p.spool != "" {
		err = errors.Join(err, os.RemoveAll(p.spool))
	}
	return err
}

// find waits for the plugin's process: the one of this name whose root is the
// plugin's.
func (p *plugin) find(ctx context.Context) error {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		exes, _ := filepath.Glob("/proc/[0-9]*/exe")
		for _, path := range exes {
			if exe, _ := os.Readlink(path); filepath.Base(exe) != p.exe {
				continue
			}
			dir := filepath.Dir(path)
			mounts, _ := os.ReadFile(filepath.Join(dir, "mountinfo"))
			for line := range strings.Lines(string(mounts)) {
				// proc(5): id, parent, device, root, mount point
				f := strings.Fields(line)
				if len(f) > 4 && f[4] == "/" && strings.Contains(f[3], "/plugins/"+p.id+"/") {
					_, err := fmt.Sscanf(dir, "/proc/%d", &p.pid)
					return err
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the plugin %s is enabled, but no process of it is found; see the daemon's log", p.name)
		}
	}
}

// inside is where this machine sees a path of the plugin's root.
func (p *plugin) inside(path string) string { return fmt.Sprintf("/proc/%d/root%s", p.pid, path) }

// call asks the plugin itself what Docker would ask it.
func (p *plugin) call(ctx context.Context, method string, in, out any) error {
	c := clientOf(p.inside("/run/docker/plugins/" + p.sock))
	defer c.CloseIdleConnections()
	return call(ctx, &c, http.MethodPost, "/"+method, in, out)
}

// remove removes the plugin, whatever became of the run.
func (p *plugin) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTime)
	defer cancel()
	if _, err := run(ctx, "docker", "plugin", "inspect", p.name); err != nil {
		return nil // it was never made
	}
	_, err := run(ctx, "docker", "plugin", "rm", "-f", p.name)
	return err
}
