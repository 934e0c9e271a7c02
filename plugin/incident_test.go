package plugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"

	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/await"
)

// incidents waits for n incidents in the archive, and returns them.
func (s *served) incidents(n int) (all []*incident.Event) {
	s.Helper()
	var files []string
	await.Until(s, fmt.Sprintf("%d incidents are in the store", n), func() bool {
		files = find(s.T, s.spool, "archive/incidents/*/*/*.json")
		return len(files) >= n
	}, func() string { return fmt.Sprintf("%v\n%s", find(s.T, s.spool, "*/*"), s.log.String()) })
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			s.Fatal(err)
		}
		e := &incident.Event{}
		if err := json.Unmarshal(data, e); err != nil {
			s.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// TestAnErrorBecomesAnIncident follows an error from the FIFO to the incident:
// what it quotes is where it says, with the container's own detector and labels.
func TestAnErrorBecomesAnIncident(t *testing.T) {
	s := serve(t, "LOGFAST_QUIET_PERIOD=200ms", "LOGFAST_LABELS=team,nothing", "LOGFAST_REDACT=customer-\\d+")
	fifo, w := makeFIFO(t)
	info := logger.Info{
		ContainerID: strings.Repeat("ab", 32), ContainerName: "/web", ContainerImageName: "shop:7",
		ContainerLabels: map[string]string{"team": "red", "secret": "x", "zone": "eu"}, ContainerEnv: []string{"STAGE=prod", "DB_PASSWORD=x"},
		Config: map[string]string{"pattern": `^FATAL (?P<path>/\S*)`, "group": "shop", "fast-track-scope": "group", "labels": "zone", "env-regex": "."},
	}
	if got := s.call("LogDriver.StartLogging", startRequest(t, fifo, info)); got != "" {
		t.Fatal(got)
	}
	enc := logdriver.NewLogEntryEncoder(w)
	at := time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	for i, line := range []string{
		`10.0.0.1 - - "GET / HTTP/1.1" 200 12`,
		`10.0.0.1 - - "GET /orders/17?token=abc HTTP/1.1" 502 0`,
		`10.0.0.1 - - "GET /orders/18 HTTP/1.1" 502 0`,
		`FATAL /jobs/customer-12 failed`,
		`10.0.0.1 - - "GET / HTTP/1.1" 200 12`,
	} {
		if err := enc.Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: at.Add(time.Duration(i) * time.Second).UnixNano(), Line: []byte(line)}); err != nil {
			t.Fatal(err)
		}
	}
	e := s.incidents(1)[0]
	in := e.Data
	if e.Type != incident.TypeShipped || e.Source != "/logfast/web-1" || e.Subject != "web" || e.ID != in.ID || in.Closed != incident.ClosedQuiet || in.Scope != "group" {
		t.Errorf("%+v", e)
	}
	if in.Errors != 3 || in.ByStatus["502"] != 2 || in.ByStatus["0"] != 1 || in.Lines != 5 || !in.First.Equal(at.Add(time.Second)) || !in.Last.Equal(at.Add(3*time.Second)) {
		t.Errorf("%+v", in)
	}
	if len(in.Containers) != 1 || in.Containers[0].Image != "shop:7" || in.Containers[0].Group != "shop" || !maps.Equal(in.Containers[0].Labels, map[string]string{"team": "red", "zone": "eu"}) || !maps.Equal(in.Containers[0].Env, map[string]string{"STAGE": "prod"}) {
		t.Errorf("%+v", in.Containers)
	}
	if len(in.Fingerprints) != 2 || in.Fingerprints[0].Method+" "+in.Fingerprints[0].Route != "GET /orders/{n}" || in.Fingerprints[0].Errors != 2 {
		t.Errorf("%+v", in.Fingerprints)
	}
	if len(in.Samples) != 2 {
		t.Fatalf("%+v", in.Samples)
	}
	if got := in.Samples[0].Text; !strings.Contains(got, "token=[redacted]") || strings.Contains(got, "abc") {
		t.Error(got)
	}
	if got := in.Samples[1].Text; got != "FATAL /jobs/[redacted] failed" {
		t.Error(got)
	}
	packed, err := os.ReadFile(filepath.Join(s.spool, "archive", in.Samples[1].Key))
	if err != nil {
		t.Fatal(err)
	}
	if at := packtest.Unpack(t, packed)[in.Samples[1].Offset:]; !strings.HasPrefix(at, "2026-11-23T19:03:04.000000000Z stdout F FATAL /jobs/customer-12") || in.Samples[1].Line != 4 {
		t.Errorf("line %d, offset %d is %.80q", in.Samples[1].Line, in.Samples[1].Offset, at)
	}
	if in.Objects[0].Size != int64(len(packed)) || in.Objects[0].Lines != 5 || in.Objects[0].Reason != "error" {
		t.Errorf("%+v", in.Objects)
	}
}

// TestAStormIsOneIncident, whatever seals its segments.
func TestAStormIsOneIncident(t *testing.T) {
	s := serve(t, "LOGFAST_QUIET_PERIOD=1s", "LOGFAST_MAX_SIZE=64KiB")
	fifo, w := makeFIFO(t)
	info := logger.Info{ContainerID: strings.Repeat("ab", 32), ContainerName: "/web"}
	if got := s.call("LogDriver.StartLogging", startRequest(t, fifo, info)); got != "" {
		t.Fatal(got)
	}
	enc := logdriver.NewLogEntryEncoder(w)
	const storm = 10_000
	for i := range storm {
		if err := enc.Encode(&logdriver.LogEntry{Source: "stdout", TimeNano: int64(i + 1), Line: fmt.Appendf(nil, `"GET /p/%d HTTP/1.1" 50%d 12`, i, i%3)}); err != nil {
			t.Fatal(err)
		}
	}
	s.incidents(1)
	s.stop()
	all := s.incidents(1)
	if in := all[0].Data; len(all) != 1 || in.Errors != storm || in.Lines != storm || len(in.Objects) < 5 || len(in.Samples) > incident.MaxSamples {
		t.Errorf("%d incidents; the first has %d errors in %d lines and %d objects", len(all), in.Errors, in.Lines, len(in.Objects))
	}
	if left := find(t, s.spool, ".incidents/*"); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
