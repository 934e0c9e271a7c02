package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// engine is the Docker engine behind a unix socket: DOCKER_HOST's, or the
// usual one.
type engine struct {
	http   http.Client
	socket string
	pid    int    // of dockerd
	root   string // its data directory
	about  string // its version
}

func openEngine(ctx context.Context) (*engine, error) {
	socket := "/var/run/docker.sock"
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		path, ok := strings.CutPrefix(host, "unix://")
		if !ok {
			return nil, fmt.Errorf("DOCKER_HOST=%s: the benchmark reads dockerd's /proc and needs an engine on this "+
				"machine, unix:///path", host)
		}
		socket = path
	}
	e := &engine{socket: socket, http: clientOf(socket)}
	var err error
	if e.pid, err = serverOf(socket); err != nil {
		return nil, fmt.Errorf("find dockerd: %w", err)
	}
	var info struct{ DockerRootDir, ServerVersion, KernelVersion, OperatingSystem string }
	if err := e.call(ctx, http.MethodGet, "/info", nil, &info); err != nil {
		return nil, err
	}
	e.root, e.about = info.DockerRootDir, info.ServerVersion
	return e, nil
}

func clientOf(socket string) http.Client {
	return http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

// serverOf returns the process that listens on the socket. Where systemd made
// the socket, that is not dockerd, and its pid file tells.
func serverOf(socket string) (int, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var credErr error
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		})
	}
	if err = errors.Join(err, credErr, c.Close()); err != nil {
		return 0, err
	}
	if cred.Pid > 1 {
		return int(cred.Pid), nil
	}
	text, err := os.ReadFile("/var/run/docker.pid")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// call sends in as JSON and decodes the answer into out, unless that is nil.
func (e *engine) call(ctx context.Context, method, path string, in, out any) error {
	return call(ctx, &e.http, method, path, in, out)
}

func call(ctx context.Context, c *http.Client, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", r.Status, bytes.TrimSpace(b))
	}
	if err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// container is one that this run made.
type container struct{ id, name string }

// create makes a container of the emitter that logs as the row does. Gate is
// a directory of this machine that the container sees as /gate.
func (b *bench) create(ctx context.Context, r row, gate string, args ...string) (container, error) {
	b.serial++
	name := fmt.Sprintf("%s-%d", b.name, b.serial)
	var made struct{ ID string }
	err := b.engine.call(ctx, http.MethodPost, "/containers/create?name="+name, map[string]any{
		"Image": b.image,
		"Cmd":   append([]string{"/emit", "-gate", "/gate"}, args...),
		"HostConfig": map[string]any{
			"NetworkMode": "none",
			"Binds":       []string{gate + ":/gate"},
			"LogConfig":   map[string]any{"Type": r.driver, "Config": r.options},
		},
	}, &made)
	return container{made.ID, name}, err
}

func (e *engine) start(ctx context.Context, id string) error {
	return e.call(ctx, http.MethodPost, "/containers/"+id+"/start", nil, nil)
}

// wait returns when the container has ended, which Docker says after its log
// driver took the last line.
func (e *engine) wait(ctx context.Context, id string) error {
	var end struct{ StatusCode int }
	if err := e.call(ctx, http.MethodPost, "/containers/"+id+"/wait", nil, &end); err != nil {
		return err
	}
	if end.StatusCode != 0 {
		return fmt.Errorf("container %.12s ended with %d: see docker logs", id, end.StatusCode)
	}
	return nil
}

// remove removes a container, whatever became of the run.
func (e *engine) remove(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTime)
	defer cancel()
	return e.call(ctx, http.MethodDelete, "/containers/"+id+"?force=1&v=1", nil, nil)
}

// cleanTime bounds each step of the cleaning, which no signal ends.
const cleanTime = 60 * time.Second

// run executes a program to its end, or to ctx's, and returns what it printed.
func run(ctx context.Context, name string, args ...string) (string, error) {
	return runIn(ctx, "", nil, name, args...)
}

// runIn is run in a directory, with more environment. The program gets a
// process group of its own, so that ^C reaches it only by way of ctx.
func runIn(ctx context.Context, dir string, environ []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), environ...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	out, err := c.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}
