package plugin

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/plugin/selflog"
)

// childSocket makes this test program a plugin that serves the socket it names,
// to be killed.
const childSocket = "LOGFAST_TEST_SOCKET"

func TestMain(m *testing.M) {
	if os.Getenv("LOGFAST_TEST_ROOTS") != "" {
		pool, err := x509.SystemCertPool()
		fmt.Println(err == nil && !pool.Equal(x509.NewCertPool()))
		os.Exit(0)
	}
	if socket := os.Getenv(childSocket); socket != "" {
		ctx := context.Background()
		if os.Getenv("LOGFAST_TEST_TERM") != "" {
			ctx, _ = signal.NotifyContext(ctx, syscall.SIGTERM) // for the process's life
		}
		environ := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "LOGFAST_TEST_") })
		if err := run(ctx, "test", socket, environ, nil, selflog.New(os.Stderr)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestTheTLSRootsAreInTheBinary looks from a place without certificates, as the
// plugin's root is one.
func TestTheTLSRootsAreInTheBinary(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"LOGFAST_TEST_ROOTS=1", "SSL_CERT_FILE=/nowhere", "SSL_CERT_DIR=/nowhere"}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "true\n" {
		t.Fatalf("%s, %v", out, err)
	}
}

// child is a plugin in a process of its own. This process plays dockerd.
type child struct {
	*served
	cmd *exec.Cmd
}

func (c *child) spawn(socket string, environ ...string) {
	c.Helper()
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append([]string{childSocket + "=" + socket, "LOGFAST_SPOOL=" + c.spool, "LOGFAST_HOST=h"}, environ...)
	c.cmd.Stderr = &c.log
	if err := c.cmd.Start(); err != nil {
		c.Fatal(err)
	}
	c.http = clientOf(socket)
	awaitSocket(c.T, socket)
}

// kill ends the process and waits for it.
func (c *child) kill(sig syscall.Signal) {
	c.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.Fatal(err)
	}
	err := c.cmd.Wait()
	c.http.CloseIdleConnections()
	if sig == syscall.SIGTERM && err != nil {
		c.Errorf("after SIGTERM: %v", err)
	}
}

// program writes numbered lines into a FIFO, as fast as they are read, until
// stop is closed. Some lines are long, some are empty, some come in chunks.
type program struct {
	fifo  string
	w     *os.File
	info  logger.Info
	lines []string // what was written, whole lines; owned by write until it returns
}

func (p *program) write(t *testing.T, seed uint64, pace time.Duration, stop <-chan struct{}) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	enc := logdriver.NewLogEntryEncoder(p.w)
	emit := func(e *logdriver.LogEntry) {
		if err := enc.Encode(e); err != nil {
			t.Error(err)
		}
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	perTick := int(time.Millisecond / pace)
	for n := 0; ; n++ {
		if n%perTick == 0 {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
		line := fmt.Sprintf("%d %s", n, strings.Repeat("x", rnd.IntN(200)))
		if rnd.IntN(500) == 0 {
			line += strings.Repeat("y", rnd.IntN(40<<10))
		}
		p.lines = append(p.lines, line)
		at := time.Now().UnixNano()
		const cut = 16 << 10
		if len(line) < cut {
			emit(&logdriver.LogEntry{Source: "stdout", TimeNano: at, Line: []byte(line)})
			continue
		}
		for ordinal := int32(1); ; ordinal++ {
			chunk := line[:min(cut, len(line))]
			line = line[len(chunk):]
			emit(&logdriver.LogEntry{
				Source: "stdout", TimeNano: at, Line: []byte(chunk), Partial: true,
				PartialLogMetadata: &logdriver.PartialLogEntryMetadata{Id: "id", Ordinal: ordinal, Last: len(chunk) < cut},
			})
			if len(chunk) < cut {
				break
			}
		}
	}
}

// archived returns the lines of a container from all objects in the archive.
func archived(t *testing.T, spool, app string, format record.Format) []string {
	t.Helper()
	paths := find(t, spool, "archive/logs/dt=*/host=h/app="+app, "*.log.gz")
	slices.Sort(paths)
	var lines []string
	var begun []byte
	for _, path := range paths {
		packed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines([]byte(packtest.Unpack(t, packed))) {
			var rec record.Record
			line, whole := bytes.CutSuffix(line, []byte("\n"))
			if err := record.Parse(format, line, &rec); err != nil {
				t.Fatalf("%s: %q: %v", path, line, err)
			}
			begun = append(begun, rec.Text...)
			if whole && !rec.More { // a raw segment may end between the chunks of a line
				lines = append(lines, string(begun))
				begun = begun[:0]
			}
		}
	}
	return lines
}

// TestNothingIsLostOrDoubledWhateverKillsThePlugin kills it while four
// containers write, more often than anybody's luck is bad.
func TestNothingIsLostOrDoubledWhateverKillsThePlugin(t *testing.T) {
	for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
		for name, sig := range map[string]syscall.Signal{"kill": syscall.SIGKILL, "term": syscall.SIGTERM} {
			t.Run(format.String()+" "+name, func(t *testing.T) { survive(t, format, sig, 10) })
		}
	}
}

func survive(t *testing.T, format record.Format, sig syscall.Signal, times int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	c := &child{served: &served{T: t, spool: t.TempDir()}}
	socket := filepath.Join(t.TempDir(), "logfast.sock")
	environ := []string{"LOGFAST_FORMAT=" + format.String(), "LOGFAST_MAX_SIZE=1MB"}
	if sig == syscall.SIGTERM {
		environ = append(environ, "LOGFAST_TEST_TERM=1")
	}
	c.spawn(socket, environ...)

	stop := make(chan struct{})
	var programs []*program
	var wg sync.WaitGroup
	for i := range 4 {
		fifo, w := makeFIFO(t)
		p := &program{fifo: fifo, w: w, info: logger.Info{ContainerID: strings.Repeat(fmt.Sprintf("%02x", i), 32), ContainerName: fmt.Sprint("/c", i)}}
		programs = append(programs, p)
		if got := c.call("LogDriver.StartLogging", startRequest(t, fifo, p.info)); got != "" {
			t.Fatal(got)
		}
		wg.Go(func() { p.write(t, seed+uint64(i), 80*time.Microsecond, stop) })
	}
	for range times {
		// The moment of the kill is the test's input, not a wait for anything.
		time.Sleep(time.Duration(rnd.IntN(60_000)) * time.Microsecond)
		c.kill(sig)
		c.spawn(socket, environ...)
	}
	close(stop)
	wg.Wait()
	for _, p := range programs {
		if got := c.call("LogDriver.StopLogging", `{"File":"`+p.fifo+`"}`); got != "" {
			t.Errorf("stop: %s", got)
		}
	}
	left := func() []string {
		return slices.DeleteFunc(find(t, c.spool, "c*/c*"), func(s string) bool { return strings.HasSuffix(s, ".uploaded.gz") })
	}
	await.Until(t, "all is archived", func() bool { return len(left()) == 0 }, func() string {
		return fmt.Sprintf("%v\n%s", left(), c.log.String())
	})
	c.kill(syscall.SIGKILL)
	for i, p := range programs {
		got := archived(t, c.spool, fmt.Sprint("c", i), format)
		if !slices.Equal(got, p.lines) {
			at := 0
			for at < len(got) && at < len(p.lines) && got[at] == p.lines[at] {
				at++
			}
			show := func(lines []string) string {
				var numbers []string
				for _, l := range lines[max(0, min(at-2, len(lines))):min(at+5, len(lines))] {
					number, _, _ := strings.Cut(l, " ")
					numbers = append(numbers, number)
				}
				return fmt.Sprint(numbers)
			}
			t.Errorf("container %d: %d lines of %d; from line %d on: %s, want %s", i, len(got), len(p.lines), at, show(got), show(p.lines))
		}
	}
	if t.Failed() {
		t.Log(c.log.String())
	}
	entries, err := os.ReadDir(filepath.Join(c.spool, ".streams"))
	if err != nil || len(entries) != 0 {
		t.Errorf("the registry still holds %v, %v", entries, err)
	}
}

// TestFIFOsOfADeadEngineAreCleared plays an engine that died: before the plugin,
// with it, and with it but cleaned up after by the next engine.
func TestFIFOsOfADeadEngineAreCleared(t *testing.T) {
	c := &child{served: &served{T: t, spool: t.TempDir()}}
	socket := filepath.Join(t.TempDir(), "logfast.sock")
	c.spawn(socket)
	var fifos []string
	var writers []*os.File
	for i := range 3 {
		fifo, w := makeFIFO(t)
		fifos, writers = append(fifos, fifo), append(writers, w)
		info := logger.Info{ContainerID: strings.Repeat(fmt.Sprint(i), 64), ContainerName: fmt.Sprint("/c", i)}
		if got := c.call("LogDriver.StartLogging", startRequest(t, fifo, info)); got != "" {
			t.Fatal(got)
		}
		if err := logdriver.NewLogEntryEncoder(w).Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: 1, Line: []byte("last words")}); err != nil {
			t.Fatal(err)
		}
		written := func() bool { // the name alone comes before the line
			files := find(t, c.spool, fmt.Sprint("c", i, "-*/*.log"))
			fi, err := os.Stat(strings.Join(files, ""))
			return err == nil && fi.Size() > 0
		}
		await.Until(t, "the line is on disk", written)
	}
	writers[0].Close()
	await.Until(t, "the plugin sees that the engine is gone", func() bool { return find(t, fifos[0]) == nil })
	c.kill(syscall.SIGKILL)
	writers[1].Close()
	writers[2].Close()
	if err := os.Remove(fifos[2]); err != nil { // a new engine has cleaned up
		t.Fatal(err)
	}
	c.spawn(socket)
	await.Until(t, "three objects are in the store", func() bool { return len(find(t, c.spool, "archive/logs/*/*/*/*.gz")) >= 3 }, func() string {
		return fmt.Sprintf("%v\n%s", find(t, c.spool, "*/*"), c.log.String())
	})
	if _, err := os.Lstat(fifos[1]); !os.IsNotExist(err) {
		t.Errorf("the dead engine's FIFO is still there: %v", err)
	}
	await.Until(t, "the registry is empty", func() bool { return find(t, c.spool, ".streams", "*") == nil }, func() string {
		return fmt.Sprint(find(t, c.spool, ".streams", "*"))
	})
	c.kill(syscall.SIGKILL)
}
