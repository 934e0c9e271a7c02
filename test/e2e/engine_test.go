//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/internal/await"
)

// engine is a dockerd of a test's own, beside the machine's, with a containerd
// of its own that outlives it, as a system's does. It gets a plugin and an image
// of this run's names.
type engine struct {
	*testing.T
	dir        string
	flags      []string
	dockerd    *process
	containerd *process
}

// process is a program that the test has started.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// startEngine starts one, and makes it the one that docker and harness talk to
// until the test ends.
func startEngine(t *testing.T, flags ...string) *engine {
	t.Helper()
	e := startBareEngine(t, flags...)
	if err := prepare(); err != nil {
		t.Fatal(err)
	}
	return e
}

// startBareEngine starts one that has neither plugin nor image.
func startBareEngine(t *testing.T, flags ...string) *engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "logfast-engine") // short: sockets' paths are
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{T: t, dir: dir, flags: flags}
	t.Setenv("DOCKER_HOST", "unix://"+e.path("sock"))
	t.Cleanup(e.remove) // before the variable is what it was
	for name, text := range map[string]string{"config.json": "{}", "config.toml": "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"} {
		if err := os.WriteFile(e.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e.containerd = e.run("containerd", "--config", e.path("config.toml"), "--root", e.path("c"), "--state", e.path("s"), "--address", e.path("c.sock"))
	await.Until(t, "containerd listens", func() bool {
		_, err := os.Stat(e.path("c.sock"))
		return err == nil
	})
	e.start()
	return e
}

func (e *engine) path(name string) string { return filepath.Join(e.dir, name) }

// run starts a program whose output goes to the engine's log.
func (e *engine) run(program string, args ...string) *process {
	e.Helper()
	log, err := os.OpenFile(e.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.Fatal(err)
	}
	defer log.Close()
	p := &process{exec.Command(program, args...), make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		e.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		p.cmd.Wait()
	}()
	return p
}

// start starts dockerd and waits until it answers.
func (e *engine) start() {
	e.Helper()
	e.launch()
	await.Until(e.T, "the engine answers", func() bool {
		_, err := tryDocker("version")
		return err == nil
	})
}

// launch starts dockerd and does not wait.
func (e *engine) launch() {
	e.Helper()
	e.dockerd = e.run("dockerd", append([]string{
		"--config-file", e.path("config.json"), "--data-root", e.path("data"), "--exec-root", e.path("exec"), "--pidfile", e.path("pid"),
		"--host", "unix://" + e.path("sock"), "--containerd", e.path("c.sock"), "--bridge=none", "--iptables=false", "--storage-driver=vfs",
	}, e.flags...)...)
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// stop ends the process with a signal and waits for it.
func (p *process) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	p.signal(t, sig)
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("%s does not stop", p.cmd.Path)
	}
}

// stop ends dockerd with a signal and waits for it.
func (e *engine) stop(sig syscall.Signal) {
	e.Helper()
	e.dockerd.stop(e.T, sig)
}

// remove ends the engine and removes all that it had.
func (e *engine) remove() {
	if e.dockerd != nil {
		if err := clean(); err != nil {
			e.Error(err)
		}
		e.stop(syscall.SIGTERM)
	}
	if e.containerd != nil {
		e.containerd.stop(e.T, syscall.SIGTERM)
	}
	for _, pid := range e.processes() {
		e.Errorf("process %d is left of the engine: killed", pid)
		syscall.Kill(pid, syscall.SIGKILL)
		await.Until(e.T, "it ends", func() bool { return gone(pid) })
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		e.Error(err)
	}
	var below []string
	for line := range strings.Lines(string(mounts)) {
		if at := strings.Fields(line)[1]; strings.HasPrefix(at, e.dir+"/") {
			below = append(below, at)
		}
	}
	for _, at := range slices.Backward(below) {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			e.Errorf("unmount %s: %v", at, err)
		}
	}
	if e.Failed() {
		if log, err := os.ReadFile(e.path("log")); err == nil {
			e.Logf("the engine's log ends:\n%s", log[max(0, len(log)-20_000):])
		}
	}
	if err := os.RemoveAll(e.dir); err != nil {
		e.Error(err)
	}
}

// processes are those that name the engine's directory in their arguments, and
// those in its containers.
func (e *engine) processes() (pids []int) {
	ours, _ := os.Readlink("/proc/self/ns/mnt")
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		args, err := os.ReadFile(dir + "/cmdline")
		found := err == nil && bytes.Contains(args, []byte(e.dir+"/"))
		if theirs, err := os.Readlink(dir + "/ns/mnt"); err == nil && theirs != ours {
			mounts, err := os.ReadFile(dir + "/mountinfo")
			found = found || err == nil && bytes.Contains(mounts, []byte(e.dir+"/"))
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); found && err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Where an engine restarts, a third party has lines in its hands: dockerd itself.
// What it had read of a container's output and not yet handed to the logging
// driver goes with it, whatever the driver. In bytes of text, a stream:
const (
	// engineHolds: 1,000,000 in its own pipe, which grows by the 32 KiB that it
	// copies at once, as many in the copy, and 16 KiB that it cuts lines from
	// (moby container/stream, daemon/logger/copier.go).
	engineHolds = 1_000_000 + 2*32<<10 + 16<<10
	// fifoHolds is what is in a busy stream's FIFO at most; frames are larger than
	// their text.
	fifoHolds = 1 << 20
)

// lost is how many bytes of a busy program's text are missing.
func (a audit) lost() (n int) {
	for _, g := range a.Gaps {
		for i := g.From; i < g.To; i++ {
			n += len(fmt.Sprintf("%d %s %d\n", i, busyLine, i))
		}
	}
	return n
}

// covers reports whether what b lacks is what a lacks too. What Docker keeps for
// docker logs may have lost its beginning.
func (a audit) covers(b audit) bool {
	return !slices.ContainsFunc(b.Gaps, func(missing gap) bool {
		return !slices.ContainsFunc(a.Gaps, func(g gap) bool { return g.From <= missing.From && missing.To <= g.To })
	})
}

// TestEngineRestartsWithLiveRestore: containers and the plugin go on while
// dockerd is away. What dockerd had written into a FIFO is in the files though
// dockerd died, because the plugin holds the FIFO open and reads it to its end:
// nothing is missing that docker logs has, and nothing at all of a container
// that was silent when dockerd went.
// When dockerd is back it makes a new FIFO for each container; the old one and
// its registration are cleared. Where the plugin is killed with dockerd, the
// FIFOs are gone with the last process that held them, and what was in them:
// that much nobody can promise.
func TestEngineRestartsWithLiveRestore(t *testing.T) {
	e := startEngine(t, "--live-restore")
	h, _ := enableS3(t)
	for _, tt := range []struct {
		name   string
		sig    syscall.Signal
		plugin bool // is killed as well
		limit  int  // bytes of text that may be missing
	}{
		{"SIGTERM", syscall.SIGTERM, false, engineHolds},
		{"SIGKILL", syscall.SIGKILL, false, engineHolds},
		{"SIGKILL, and the plugin", syscall.SIGKILL, true, engineHolds + fifoHolds},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, times := h.in(t), scaled(1, 4)
			load := []*container{h.run("busy0", busy(15_000), "max-size=2MB"), h.run("busy1", busy(15_000), "max-size=2MB")}
			control := h.runPlain("control", busy(15_000))
			var quiet []step // writes while the engine is away, and is silent when it goes
			for i := range times {
				quiet = append(quiet, step{Count: 100, Line: "x"}, step{Await: fmt.Sprint("on", i)}, step{Count: 100, Line: "x"}, step{Await: fmt.Sprint("back", i)})
			}
			still := h.run("quiet", append(quiet, step{Rate: 10, Line: "x", Until: "stop"}))
			for i := range times {
				await.Until(t, "the quiet container's lines are on disk", func() bool {
					return strings.HasSuffix(still.onDisk(), fmt.Sprintf("x %d\n", 200*i+99))
				})
				time.Sleep(time.Second) // of load; the moment is the test's input
				pid := h.process()
				if tt.plugin {
					e.dockerd.signal(t, tt.sig) // first, or it would start the plugin again
					h.signal(syscall.SIGKILL)
				}
				e.stop(tt.sig)
				if tt.plugin {
					await.Until(t, "the plugin's process ends", func() bool { return gone(pid) })
				}
				still.allow(fmt.Sprint("on", i))
				time.Sleep(scaled(time.Second, 10*time.Second)) // the containers write until their pipes are full
				e.start()
				if now := h.process(); (now != pid) != tt.plugin {
					t.Fatalf("the plugin is process %d, was %d", now, pid)
				}
				still.allow(fmt.Sprint("back", i))
			}
			time.Sleep(time.Second)
			for _, c := range append(load, control, still) {
				c.allow("stop")
				c.wait()
			}
			still.wantEveryLine(1)
			for _, c := range load {
				await.Until(t, "everything is shipped", c.shipped)
				disk, store := audited(t, c.onDisk()), audited(t, c.inStore())
				t.Logf("%s: %d lines; missing, out of dockerd's hands: %d lines, %d bytes: %v", c.app, disk.Lines, disk.missing(), disk.lost(), disk.Gaps)
				if d := cmp.Diff(disk, store); d != "" {
					t.Errorf("%s: -disk +store\n%s", c.app, d)
				}
				// Docker's own copy does not always survive a dockerd that died.
				out, err := tryDocker("logs", c.id)
				if handed := auditedLines(out + "\n"); err != nil {
					t.Logf("%s: docker logs fails, so that it is not compared: %.200s", c.app, out)
				} else if !tt.plugin && !handed.covers(disk) {
					t.Errorf("%s: files lack %v, docker logs only %v", c.app, disk.Gaps, handed.Gaps)
				}
				if disk.Doubled > 0 || disk.Torn > times || disk.Ends != 1 || len(disk.Gaps) > times || disk.lost() > times*tt.limit {
					t.Errorf("%s: %+v", c.app, disk)
				}
			}
			a := auditedLines(docker(t, "logs", control.id) + "\n")
			t.Logf("json-file beside it: %d lines; missing: %d lines, %d bytes: %v", a.Lines, a.missing(), a.lost(), a.Gaps)
			h.wantNoStreams()
		})
	}
}

// wantNoStreams fails unless the registry and the folder of FIFOs are empty.
func (h *host) wantNoStreams() {
	h.Helper()
	var entries, fifos []os.DirEntry
	defer func() {
		if h.Failed() {
			h.Logf("registered are %v, FIFOs are %v; its log:\n%s", entries, fifos, h.log())
		}
	}()
	await.Until(h.T, "no stream is registered and no FIFO is left", func() (ok bool) {
		var err, fifoErr error
		entries, err = os.ReadDir(filepath.Join(h.spool, ".streams"))
		fifos, fifoErr = os.ReadDir(fmt.Sprintf("/proc/%d/root/run/docker/logging", h.process()))
		return err == nil && fifoErr == nil && len(entries) == 0 && len(fifos) == 0
	})
}

// log is the plugin's own, as far as the spool has it.
func (h *host) log() []byte {
	text, err := os.ReadFile(filepath.Join(h.spool, ".logfast.log"))
	if err != nil {
		h.Error(err)
	}
	return text
}

// TestEngineRestartsWithoutLiveRestore: the containers stop with the engine, the
// plugin after them; each container's last word is in a sealed file then. The
// containers that Docker starts again with the engine go on in the same place.
func TestEngineRestartsWithoutLiveRestore(t *testing.T) {
	e := startEngine(t)
	h, _ := enableS3(t)
	all, rate, times := scaled(3, 5), scaled(15_000, 10_000), scaled(1, 4)
	var containers []*container
	for i := range all {
		containers = append(containers, h.run(fmt.Sprint("busy", i), busy(rate), "max-size=2MB", "--restart=always"))
	}
	for range times {
		time.Sleep(time.Second) // of load
		e.stop(syscall.SIGTERM)
		h.wantSealedAndRegistered(0)
		e.start()
		for _, c := range containers {
			await.Until(t, "the container writes again", func() bool {
				return slices.ContainsFunc(c.files(), func(s string) bool { return strings.HasSuffix(s, ".log") })
			})
		}
	}
	time.Sleep(time.Second)
	lines := 0
	for _, c := range containers {
		docker(t, "stop", c.id)
		lines += c.wantEveryLine(times + 1)
	}
	t.Logf("%d lines, each once", lines)
	h.wantNoStreams()
}

// wantLevels fails unless the engine's log has the plugin's lines below WARN as info,
// and the others as errors: what a plugin writes to stdout and to stderr.
func (e *engine) wantLevels(t *testing.T) {
	id := docker(t, "plugin", "inspect", "-f", "{{.Id}}", pluginName)
	line := regexp.MustCompile(`(?m)^time=\S+ level=(\w+) msg="time=\S+ level=(\w+) msg=(.*) plugin=` + id + `$`)
	levels := map[string]string{"DEBUG": "info", "INFO": "info", "WARN": "error", "ERROR": "error"}
	var log []byte
	await.Until(t, "the engine's log has a line of INFO and one of WARN", func() bool {
		var err error
		if log, err = os.ReadFile(e.path("log")); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range line.FindAllSubmatch(log, -1) {
			seen[string(m[2])] = true
		}
		return seen["INFO"] && seen["WARN"]
	})
	ready, secret := false, false
	for _, m := range line.FindAllSubmatch(log, -1) {
		if want := levels[string(m[2])]; string(m[1]) != want {
			t.Errorf("dockerd logs as %s, not as %s: %s", m[1], want, m[0])
		}
		ready = ready || bytes.Contains(m[3], []byte("logfast is ready"))
		secret = secret || bytes.Contains(m[3], []byte("a secret is among the plugin's settings"))
	}
	if !ready || !secret {
		t.Errorf("the engine's log lacks the line of INFO (%v) or of WARN (%v):\n%s", ready, secret, log)
	}
}
