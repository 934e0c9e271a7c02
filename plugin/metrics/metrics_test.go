package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/logfast/logfast/plugin/control"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// full is a status in which everything has a number of its own.
func full() control.Status {
	return control.Status{
		Version: "1.2.3", Started: now.Add(-time.Hour), Now: now, Health: control.Unhealthy,
		Streams: []control.Stream{
			{Container: "web", ID: "aaaaaaaaaaaa", Counts: control.Counts{Lines: 1, Bytes: 2, Errors: 3}, Trouble: "no space"},
			{Container: "web", ID: "aaaaaaaaaaaa", Counts: control.Counts{Lines: 10, Bytes: 20, Errors: 30}},
			{Container: "d\xffb", ID: "bbbbbbbbbbbb", Counts: control.Counts{Lines: 4}},
		},
		Captured: control.Counts{Lines: 5, Bytes: 6, Errors: 7, Resyncs: 8, Lost: []control.Loss{{Reason: "disk full", Lines: 9, Bytes: 90}}},
		Events:   []control.Event{{Scope: "host"}}, Reattached: 11,
		Seals:   map[string]int64{"error": 12, "stop": 0},
		Pending: control.Pending{Segments: 13, Bytes: 14, Oldest: now.Add(-15 * time.Second)},
		Uploads: control.Uploads{Attempts: map[string]int64{"ok": 16, "blocked": 17}, Bytes: 18, Last: time.Unix(19, 0), Stalled: 20, Blocked: "403"},
		Targets: []control.Target{{Kind: "webhook", Messages: 30, Failed: 5, Waiting: 1, GivenUp: 4}, {Kind: "webhook", Messages: 20, Failed: 2, Waiting: 2, Waits: []control.Wait{{Why: "refused", Events: 2}}}, {Kind: "slack", Messages: 1}},
		Disk:    control.Disk{Used: 21, Budget: 22, Free: 23, InodesFree: 24, Inodes: 25},
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v\n%s", w.Code, err, b)
	}
	return string(b)
}

func TestAScrapeSaysWhatTheStatusSays(t *testing.T) {
	m := New(full)
	m.Shipped(31500 * time.Millisecond)
	text := scrape(t, m)
	for _, want := range []string{
		`build_info{version="1.2.3"} 1`, "healthy 0", "streams 3", "streams_in_trouble 1", "reattached_streams_total 11", "fast_track_events 1",
		"lines_total 5", "bytes_total 6", "errors_detected_total 7", "frame_resyncs_total 8",
		`lost_lines_total{reason="disk full"} 9`, `lost_bytes_total{reason="disk full"} 90`,
		`seals_total{reason="error"} 12`, `seals_total{reason="stop"} 0`,
		`stream_lines_total{container="web",id="aaaaaaaaaaaa"} 11`, `stream_bytes_total{container="web",id="aaaaaaaaaaaa"} 22`,
		`stream_errors_detected_total{container="web",id="aaaaaaaaaaaa"} 33`, `stream_lines_total{container="d_b",id="bbbbbbbbbbbb"} 4`,
		"pending_segments 13", "pending_bytes 14", "pending_oldest_age_seconds 15",
		`upload_attempts_total{result="ok"} 16`, `upload_attempts_total{result="blocked"} 17`, "uploaded_bytes_total 18",
		"last_upload_timestamp_seconds 19", "upload_stalled_seconds 20", "upload_blocked 1",
		"disk_used_bytes 21", "disk_budget_bytes 22", "disk_free_bytes 23", "disk_free_inodes 24",
		`error_to_object_seconds_bucket{le="31"} 0`, `error_to_object_seconds_bucket{le="32"} 1`, "error_to_object_seconds_sum 31.5",
		`notifications_total{result="ok",target="webhook"} 50`, `notifications_total{result="failed",target="webhook"} 7`,
		`notifications_total{result="ok",target="slack"} 1`, `notifications_waiting{target="webhook"} 3`, `notifications_held{target="webhook",why="refused"} 2`, `notifications_given_up_total{target="webhook"} 4`,
	} {
		if !strings.Contains(text, "\nlogfast_"+want+"\n") {
			t.Errorf("no logfast_%s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestNamesFollowTheConventions is what promtool check metrics would say.
func TestNamesFollowTheConventions(t *testing.T) {
	m := New(full)
	problems, err := promlint.New(strings.NewReader(scrape(t, m))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestEveryMetricIsCollected compares what is described with what comes.
func TestEveryMetricIsCollected(t *testing.T) {
	ch := make(chan prometheus.Metric, 100)
	collector{full}.Collect(ch)
	close(ch)
	seen := map[*prometheus.Desc]bool{}
	for m := range ch {
		seen[m.Desc()] = true
	}
	for _, d := range all {
		if !seen[d] {
			t.Errorf("%v is described and never told", d)
		}
		delete(seen, d)
	}
	for d := range seen {
		t.Errorf("%v is told and not described", d)
	}
}
