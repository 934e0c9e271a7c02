package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/logfast/logfast/bench/lines"
)

// detectLines runs the command over a text and returns what it prints.
func detectLines(t testing.TB, only, text string) string {
	t.Helper()
	var out bytes.Buffer
	c := detectCommand{File: "-", Detect: "auto", Status: "500-599", Signals: "off", Only: only}
	if err := c.Run(strings.NewReader(text), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestDetect_OnlyErrors shows the same lines as without --only, less those that
// are no error, with the same counts.
func TestDetect_OnlyErrors(t *testing.T) {
	long := strings.Repeat("x", 3<<20) // longer than what is read at once, and than what is looked at
	text := strings.Join([]string{
		`10.0.0.1 - - [01/Mar/2026:10:02:11 +0000] "GET /a HTTP/1.1" 200 500`,
		`10.0.0.1 - - [01/Mar/2026:10:02:11 +0000] "GET /a HTTP/1.1" 503 12`,
		"2026-03-01T10:02:11.000000001Z stdout P GET /long",
		"2026-03-01T10:02:11.000000001Z stderr F Exception in ASGI application",
		"2026-03-01T10:02:11.000000002Z stdout F er 500 12ms",
		`<30>1 2026-03-01T10:02:11.000000002Z h app 0123 stdout - Completed 502 Bad Gateway in 3ms`,
		"", long, "GET /" + long + " 500 1ms", "worker 500 is up", "POST /end 504 1ms",
	}, "\n")
	var want []string
	for _, line := range strings.Split(detectLines(t, "all", text), "\n") {
		if !strings.HasPrefix(line, "-") {
			want = append(want, line)
		}
	}
	got := detectLines(t, "errors", text)
	if got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	if !strings.Contains(got, "\n10 lines, 5 errors (500: 2, 502: 1, 503: 1, 504: 1;") || !strings.Contains(got, "; 2 others have") {
		t.Errorf("counts: %s", got)
	}
}

// TestDetect_ExplainsOnlyWhatIsShown holds the work for a line that is not shown
// to detection alone.
func TestDetect_ExplainsOnlyWhatIsShown(t *testing.T) {
	for only, want := range map[string]int{"errors": 0, "missed": 1, "all": 3} {
		c := detectCommand{Detect: "auto", Status: "500-599", Signals: "off", Only: only}
		tn, err := c.tuner(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"GET /a 500 1ms", "GET /a 200 1ms", "up", "worker 500"} {
			tn.record([]byte(line))
		}
		if tn.explained != want {
			t.Errorf("--only=%s explained %d lines, want %d", only, tn.explained, want)
		}
	}
}

// BenchmarkDetectOnlyErrors reads access log lines without an error.
func BenchmarkDetectOnlyErrors(b *testing.B) {
	text := string(lines.Text(1, 40000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		detectLines(b, "errors", text)
	}
}
