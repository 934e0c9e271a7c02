package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/plugin/control"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func someStatus() control.Status {
	return control.Status{
		Version: "1.2.3", Host: "web-1", Started: now.Add(-3*time.Hour - 12*time.Minute), Now: now, Store: "s3://logs/",
		Health: control.Degraded, Reasons: []string{"the store refuses"},
		Streams: []control.Stream{{
			Container: "web", ID: "1a2b3c4d5e6f", Since: now.Add(-61 * time.Second), Active: 512,
			Counts: control.Counts{Lines: 42, Bytes: 12345, Errors: 3, Lost: []control.Loss{{Reason: "disk full", Lines: 5, Bytes: 600}}},
		}},
		Captured:   control.Counts{Lines: 50, Bytes: 20e6, Errors: 3, Lost: []control.Loss{{Reason: "disk full", Lines: 5, Bytes: 600}, {Reason: "disk error"}}},
		Reattached: 2,
		Events:     []control.Event{{Scope: "host", First: now.Add(-9 * time.Second), Last: now.Add(-2 * time.Second), Due: now.Add(28 * time.Second)}},
		Seals:      map[string]int64{"error": 2, "stop": 0, "size": 1},
		Pending:    control.Pending{Segments: 3, Bytes: 3e6, Oldest: now.Add(-26 * time.Hour)},
		Uploads:    control.Uploads{Attempts: map[string]int64{"ok": 7, "blocked": 2, "failed": 0}, Bytes: 1e6, Last: now.Add(-5 * time.Minute), LastError: "403 AccessDenied"},
		Disk:       control.Disk{Used: 2e9, Budget: 10e9, Free: 40e9},
	}
}

func TestStatus_ShowsNotices(t *testing.T) {
	s := someStatus()
	for _, container := range []string{"api-1", "api-2", "db"} {
		s.Streams = append(s.Streams, control.Stream{Container: container, Notices: []string{"unknown option x", "of " + container[:2]}})
	}
	got := string(statusText(&s))
	if want := "\n\napi-1 and 2 more: unknown option x\napi-1 and 1 more: of ap\ndb: of db\n\n"; !strings.Contains(got, want) {
		t.Errorf("%s\nwant … %s", got, want)
	}
	for i := range 20 {
		s.Streams = append(s.Streams, control.Stream{Container: "x", Notices: []string{fmt.Sprint("n", i)}})
	}
	if got := string(statusText(&s)); !strings.Contains(got, "x: n6\nand 13 more notices: see logfast status --json\n") {
		t.Error(got)
	}
}

func TestStatusForPeople(t *testing.T) {
	s := someStatus()
	got := strings.ReplaceAll(string(statusText(&s)), " \n", "\n")
	want := `logfast 1.2.3 on web-1, up 3h12m: degraded
  the store refuses

CONTAINER  ID            FOR    LINES  BYTES   ERRORS  LOST      ACTIVE
web        1a2b3c4d5e6f  1m01s  42     12.3kB  3       5 (600B)  512B

captured    50 lines, 20MB, 3 errors; 2 streams taken up again
lost        disk full: 5 lines, 600B
event       host: first error 9s ago, last 2s ago, ships in 28s
sealed      2 error, 1 size
pending     3 segments, 3MB, the oldest from 26h00m ago
uploads     2 blocked, 7 ok; 1MB; last: 5m00s ago
last error  403 AccessDenied
store       s3://logs/
disk        2GB of 10GB (20%); 40GB free on the disk
`
	var lines []string
	for line := range strings.Lines(got) {
		lines = append(lines, strings.TrimRight(line, " \n")+"\n")
	}
	if got = strings.Join(lines, ""); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	idle := control.Status{Version: "1", Host: "h", Now: now, Started: now}
	if got := string(statusText(&idle)); !strings.Contains(got, "No container writes to logfast") || !strings.Contains(got, "lost      nothing") || !strings.Contains(got, "0B of no bound") {
		t.Error(got)
	}
}

// TestStatus_SaysWhyATargetsEventsWait has one of each reason.
func TestStatus_SaysWhyATargetsEventsWait(t *testing.T) {
	s := someStatus()
	at := time.Date(2026, 11, 24, 15, 4, 5, 0, time.Local)
	s.Targets = []control.Target{{Name: "webhook at bot", Waiting: 7, LastError: "400 no", Waits: []control.Wait{
		{Why: "rate", Events: 1, Until: at}, {Why: "folded", Events: 2, Until: at}, {Why: "refused", Events: 3, Until: at, Error: "400 no"}, {Why: "next", Events: 1},
	}}}
	got := string(statusText(&s))
	for _, want := range []string{
		"1 held by the rate bound until 15:04\n", "2 folded until 15:04\n", "3 refused: 400 no; retry at 15:04:05\n", "1 sent next\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Count(got, "400 no") != 1 {
		t.Errorf("the error stands there twice:\n%s", got)
	}
}

// TestStatus_SaysALossFirstAndFails asks a plugin that has lost lines.
func TestStatus_SaysALossFirstAndFails(t *testing.T) {
	s := control.Status{Health: control.Degraded, Reasons: []string{"lost: 7 lines", "another"}, Lost: []control.RecentLoss{{Lines: 7}}}
	spool := serving(t, &control.Server{Metrics: http.NotFoundHandler(), Status: func() control.Status { return s }})
	status := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		return Run(append([]string{"status", "--spool", spool}, args...), &out, &errs), out.String()
	}
	if code, out := status(); code != 1 || !strings.HasPrefix(out, "lost: 7 lines\nlogfast ") || strings.Count(out, "lost: 7") != 1 || !strings.Contains(out, "  another\n") {
		t.Errorf("status %d:\n%s", code, out)
	}
	if code, out := status("--json"); code != 1 || !strings.Contains(out, `"lost": [`) {
		t.Errorf("status --json %d:\n%s", code, out)
	}
	s.Lost, s.Reasons = nil, s.Reasons[1:]
	if code, out := status(); code != 0 || !strings.HasPrefix(out, "logfast ") {
		t.Errorf("status %d:\n%s", code, out)
	}
}

func TestTheBarIsForATerminal(t *testing.T) {
	steps := []control.Flush{
		{Sealed: make([]control.Segment, 4)}, {Shipped: &control.Segment{Key: "a"}}, {Waiting: "403 " + strings.Repeat("x", 200)},
		{Waiting: "403 " + strings.Repeat("x", 201)}, {Shipped: &control.Segment{Key: "b"}},
	}
	for _, columns := range []int{0, 60} {
		var bar, out, said bytes.Buffer
		f := flushing{bar: &progress{&bar, columns}, stdout: &out, stderr: &said}
		for _, s := range steps {
			f.step(s)
		}
		if out.String() != "a\nb\n" {
			t.Errorf("printed %q", out.String())
		}
		// The whole reason at once, terminal or not, and not again with each attempt.
		if want := "logfast: 3 of 4 segments wait for the store: 403 " + strings.Repeat("x", 200) + "\n"; said.String() != want {
			t.Errorf("said %q", said.String())
		}
		said.Reset()
		f.printedAt = f.printedAt.Add(-reasonEvery)
		f.step(control.Flush{Waiting: f.why}) // the reason that was held back still holds
		if want := "logfast: 2 of 4 segments wait for the store: " + f.why + "\n"; said.String() != want {
			t.Errorf("later %q", said.String())
		}
		err := f.late("after 1s")
		if want := "2 of 4 segments were in the store after 1s. The others wait in the spool, and go as soon as they can: 403 x"; !strings.HasPrefix(err.Error(), want) {
			t.Error(err)
		}
		if columns == 0 {
			if bar.Len() > 0 {
				t.Errorf("no terminal, and a bar: %q", bar.String())
			}
			continue
		}
		draws := strings.Split(bar.String(), "\r\x1b[K")
		last := draws[len(draws)-1]
		if last != "[##########..........] 2 of 4 segments are in the store" || len([]rune(last)) > columns-1 {
			t.Errorf("%q", last)
		}
	}
}

func TestTimesForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 1234 * time.Microsecond: "1ms", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 3*time.Hour + 7*time.Minute: "3h07m", 50 * time.Hour: "2d2h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// pty returns both ends of a terminal.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 40}); err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// TestWatchRedrawsOnATerminal watches a plugin on a real socket and terminal.
func TestWatchRedrawsOnATerminal(t *testing.T) {
	spool := serving(t, &control.Server{Status: someStatus, Metrics: http.NotFoundHandler()})
	var wg sync.WaitGroup
	defer wg.Wait()
	master, slave := pty(t)
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	wg.Go(func() {
		c := statusCommand{spoolFlag: spoolFlag{Spool: spool}, Interval: 100 * time.Millisecond}
		if err := c.watch(watching, slave); err != nil {
			t.Error(err)
		}
	})
	var seen strings.Builder
	for buf := make([]byte, 4096); strings.Count(seen.String(), "\x1b[H") < 3; {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(buf[:n])
	}
	stop()
	frame := strings.Split(seen.String(), "\x1b[H")[1]
	if !strings.HasPrefix(frame, "logfast 1.2.3 on web-1, up 3h12m: degra…\x1b[K\r\n") || strings.Count(frame, "\n") != 9 || !strings.HasSuffix(frame, "\x1b[J") {
		t.Errorf("%q", frame)
	}
}
