package plugin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"
	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/internal/await"
)

// logging is a container whose stream the plugin reads.
type logging struct {
	*served
	fifo string
	info logger.Info
	enc  logdriver.LogEntryEncoder
}

// start starts a container's stream as dockerd does.
func (s *served) start(info logger.Info) *logging {
	s.Helper()
	fifo, w := makeFIFO(s.T)
	if got := s.call("LogDriver.StartLogging", startRequest(s.T, fifo, info)); got != "" {
		s.Fatal(got)
	}
	return &logging{served: s, fifo: fifo, info: info, enc: logdriver.NewLogEntryEncoder(w)}
}

func infoOf(name string, config map[string]string) logger.Info {
	return logger.Info{ContainerID: fmt.Sprintf("%064x", name), ContainerName: "/" + name, Config: config}
}

// lines writes the lines from first to last, in order of time.
func (l *logging) lines(first, last int) {
	l.Helper()
	for i := first; i <= last; i++ {
		if err := l.enc.Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: int64(i), Line: fmt.Append(nil, i)}); err != nil {
			l.Fatal(err)
		}
	}
}

func (l *logging) stopLogging() {
	l.Helper()
	if got := l.call("LogDriver.StopLogging", `{"File":"`+l.fifo+`"}`); got != "" {
		l.Fatal(got)
	}
}

// readLogs asks as dockerd does. The caller closes the body.
func (l *logging) readLogs(ctx context.Context, config logger.ReadConfig) *http.Response {
	l.Helper()
	b, err := json.Marshal(map[string]any{"Info": l.info, "Config": config})
	if err != nil {
		l.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://plugin/LogDriver.ReadLogs", bytes.NewReader(b))
	if err != nil {
		l.Fatal(err)
	}
	r, err := l.http.Do(req)
	if err != nil {
		l.Fatal(err)
	}
	return r
}

// decode reads n lines of a stream, or all of them where n is negative.
func decodeLines(t *testing.T, body io.Reader, n int) (lines []string) {
	t.Helper()
	d := logdriver.NewLogEntryDecoder(body)
	for len(lines) != n {
		var e logdriver.LogEntry
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e.Source != "" { // no heartbeat
			lines = append(lines, string(e.Line))
		}
	}
	return lines
}

func (l *logging) want(config logger.ReadConfig, first, last int) {
	l.Helper()
	r := l.readLogs(context.Background(), config)
	defer r.Body.Close()
	l.wantLines(decodeLines(l.T, r.Body, -1), first, last)
}

func (l *logging) wantLines(got []string, first, last int) {
	l.Helper()
	var want []string
	for i := first; i <= last; i++ {
		want = append(want, fmt.Sprintln(i))
	}
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			l.Errorf("%d lines, want %d; from number %d on they differ: %.200q", len(got), len(want), i, got[min(i, len(got)):min(i+2, len(got))])
			return
		}
	}
}

func TestReadLogsSeesWhatDockerHasWritten(t *testing.T) {
	for _, fsync := range []string{"interval", "always"} {
		s := serve(t)
		l := s.start(infoOf("web", map[string]string{"fsync": fsync}))
		for i := range 20 {
			l.lines(100*i, 100*i+99) // they may all be in the FIFO still
			l.want(logger.ReadConfig{Tail: -1}, 0, 100*i+99)
			l.want(logger.ReadConfig{Tail: 7}, 100*i+93, 100*i+99)
		}
		l.stopLogging()
	}
}

func TestReadingAStoppedContainerLeavesNoFile(t *testing.T) {
	s := serve(t)
	info := infoOf("web", map[string]string{"max-size": "64KiB"})
	l := s.start(info)
	l.lines(0, 9999) // several segments
	l.stopLogging()
	await.Until(t, "all is uploaded", func() bool {
		all := find(t, s.spool, "web-*/web.log-*")
		return len(find(t, s.spool, "web-*/*.uploaded.gz")) == len(all) && len(all) > 2
	})
	before := append(find(t, s.spool, "*"), find(t, s.spool, "*/*")...)
	for range 2 {
		again := s.start(info)
		again.want(logger.ReadConfig{Tail: -1}, 0, 9999)
		again.want(logger.ReadConfig{Tail: 10}, 9990, 9999)
		again.want(logger.ReadConfig{Tail: -1, Since: time.Unix(0, 100), Until: time.Unix(0, 7000)}, 100, 7000)
		again.want(logger.ReadConfig{Tail: -1, Follow: false, Until: time.Unix(0, 5)}, 0, 5)
		again.stopLogging()
	}
	nobody := s.start(infoOf("nobody", nil))
	nobody.want(logger.ReadConfig{Tail: -1}, 0, -1)
	nobody.stopLogging()
	if d := cmp.Diff(before, append(find(t, s.spool, "*"), find(t, s.spool, "*/*")...)); d != "" {
		t.Error(d)
	}
}

func TestFollowersGetEverythingAndThenTheEnd(t *testing.T) {
	s := serve(t)
	l := s.start(infoOf("web", map[string]string{"max-size": "64KiB"}))
	const followers, lines = 8, 20_000
	done := make(chan []string, followers)
	for range followers {
		r := l.readLogs(context.Background(), logger.ReadConfig{Tail: -1, Follow: true})
		go func() {
			defer r.Body.Close()
			done <- decodeLines(t, bufio.NewReader(r.Body), -1)
		}()
	}
	l.lines(0, lines-1)
	l.stopLogging()
	for range followers {
		l.wantLines(<-done, 0, lines-1)
	}
}

func TestASlowFollowerHoldsNeitherCaptureNorTheEndUp(t *testing.T) {
	s := serve(t)
	l := s.start(infoOf("web", map[string]string{"max-size": "64KiB"}))
	r := l.readLogs(context.Background(), logger.ReadConfig{Tail: -1, Follow: true})
	defer r.Body.Close()
	l.lines(0, 49_999) // far more than a socket takes
	l.want(logger.ReadConfig{Tail: 1}, 49_999, 49_999)
	l.stopLogging()
	l.want(logger.ReadConfig{Tail: -1}, 0, 49_999)
	s.stop() // returns, though a follower has not read yet
}

func TestAFollowerThatGoesAwayLeavesNothing(t *testing.T) {
	s := serve(t)
	l := s.start(infoOf("web", nil))
	l.lines(0, 0)
	count := func() (files, goroutines int) {
		s.http.CloseIdleConnections()
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds), runtime.NumGoroutine()
	}
	l.want(logger.ReadConfig{Tail: -1}, 0, 0)
	var files, goroutines int
	settled := func() bool { // idle connections take a moment to go
		f, g := count()
		same := f == files && g == goroutines
		files, goroutines = f, g
		return same
	}
	await.Until(t, "all is quiet", settled)
	wantFiles, wantGoroutines := files, goroutines
	const followers = 30
	for range followers {
		ctx, cancel := context.WithCancel(context.Background())
		r := l.readLogs(ctx, logger.ReadConfig{Tail: -1, Follow: true})
		l.wantLines(decodeLines(t, r.Body, 1), 0, 0)
		cancel()
		r.Body.Close()
	}
	await.Until(t, "the followers are gone", func() bool {
		f, g := count() // what the plugin does beside comes and goes
		return f < wantFiles+followers/3 && g < wantGoroutines+followers/3
	})
	l.stopLogging()
}

func TestReadLogsExplainsItself(t *testing.T) {
	said := func(l *logging, config logger.ReadConfig) string {
		t.Helper()
		r := l.readLogs(context.Background(), config)
		defer r.Body.Close()
		var answer struct{ Err string }
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || r.StatusCode == http.StatusOK {
			t.Fatalf("%s, %v", r.Status, err)
		}
		return answer.Err
	}
	s := serve(t)
	l := s.start(infoOf("web", map[string]string{"format": "raw"}))
	l.lines(0, 9)
	l.want(logger.ReadConfig{Tail: 3}, 7, 9)
	if got := said(l, logger.ReadConfig{Tail: -1, Since: time.Unix(0, 5)}); !strings.HasPrefix(got, "logfast: format=raw keeps no times") {
		t.Error(got)
	}
	l.stopLogging()
	spool, _ := cannotWorkOn(t)
	broken := serveOn(t, spool)
	if got := said(&logging{served: broken, info: l.info}, logger.ReadConfig{}); !strings.Contains(got, "registry of streams") {
		t.Error(got)
	}
	if got := broken.postFor(http.StatusInternalServerError, "LogDriver.ReadLogs", "not json"); !strings.Contains(got, "invalid character") {
		t.Error(got)
	}
}
