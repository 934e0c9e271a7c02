package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestStatistics(t *testing.T) {
	if got := statOf([]float64{3, 1, 2}); got != (stat{1, 2, 3}) {
		t.Errorf("odd: %v", got)
	}
	if got := statOf([]float64{4, 1, 2, 3}); got != (stat{1, 2.5, 4}) {
		t.Errorf("even: %v", got)
	}
	if got := statOf(nil); got != (stat{}) {
		t.Errorf("none: %v", got)
	}
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	if got := percentile(hundred, 0.99); got != 100 {
		t.Errorf("p99 of 1 to 100: %v", got)
	}
	if got := percentile(hundred, 0.5); got != 51 {
		t.Errorf("p50: %v", got)
	}
}

func TestGoTestsOutputIsUnderstood(t *testing.T) {
	c := componentsResult{Values: map[string]map[string][]float64{}}
	c.parse(`goos: linux
BenchmarkDecode-2   	 2812520	        40 ns/op	3716.55 MB/s	       0 B/op	       0 allocs/op
BenchmarkDecode-2   	 2812520	        60 ns/op	3716.55 MB/s	       0 B/op	       0 allocs/op
BenchmarkPack/gzip-9-2         	       1	2800415246 ns/op	   5.64 MB/s	         0.1574 packed/text
PASS
ok  	github.com/logfast/logfast/driver/format/frame	0.150s
`)
	if got := c.median("Decode", "ns/op"); got != 50 {
		t.Errorf("Decode: %v", got)
	}
	if got := c.median("Pack/gzip-9", "packed/text"); got != 0.1574 {
		t.Errorf("Pack/gzip-9: %v in %v", got, c.Values)
	}
	if len(c.Values) != 2 {
		t.Errorf("%v", c.Values)
	}
}

func TestTheGuardFindsWhatBecameWorse(t *testing.T) {
	base := map[string]float64{"a": 1, "b": 1, "c": 1, "d": 1}
	problems := exceeding(base, map[string]float64{"a": 1.149, "b": 1.151, "c": math.NaN(), "e": 9})
	if len(problems) != 3 || !strings.HasPrefix(problems[0], "b is 1.151") || !strings.HasPrefix(problems[1], "c is NaN") || problems[2] != "d was not measured" {
		t.Fatalf("%q", problems)
	}
}

func TestStampsAreFoundWhereverReadsCutThem(t *testing.T) {
	written := time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	record := "2026-11-23T19:03:01.010000000Z stdout F stamp=1795460581000000000\n"
	now := written.Add(30 * time.Millisecond)
	text := strings.Repeat(record+"other\n", skipped+5)
	for size := 1; size < 2*len(record); size++ {
		var got times
		buf := make([]byte, 0, 1<<16)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			buf = got.scan(append(buf, rest[:n]...), now)
			rest = rest[n:]
		}
		if got.n != skipped+5 || len(got.write) != 5 || len(got.stamp) != 5 {
			t.Fatalf("reads of %d bytes: %d stamps, %d and %d times", size, got.n, len(got.write), len(got.stamp))
		}
		for i := range got.write {
			if got.write[i] != 30*time.Millisecond || got.stamp[i] != 20*time.Millisecond {
				t.Fatalf("reads of %d bytes: %v since the write, %v since the stamp", size, got.write[i], got.stamp[i])
			}
		}
	}
}

func TestTicksEncloseTheValues(t *testing.T) {
	for _, r := range [][2]float64{{0.01, 0.02}, {1, 1.5}, {0.3, 700}, {2, 2.0001}, {9, 11}} {
		ticks := ticksBetween(r[0], r[1])
		if len(ticks) < 2 || ticks[0] > r[0] || ticks[len(ticks)-1] < r[1] {
			t.Errorf("%v: %v", r, ticks)
		}
		for i := 1; i < len(ticks); i++ {
			if ticks[i] <= ticks[i-1] {
				t.Errorf("%v: %v", r, ticks)
			}
		}
	}
}

func TestThePlotIsXML(t *testing.T) {
	r := results{}
	for _, n := range []int{1, 8} {
		for _, row := range rowOrder {
			r.Many = append(r.Many, point{Row: row, Containers: n, Lines: 1000, Samples: []sample{{Wall: 1, Daemon: 1}, {Wall: 2}}})
		}
	}
	svg := r.plots()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
	}
	if n := strings.Count(svg, "<polyline"); n != 2*len(rowOrder) {
		t.Errorf("%d curves", n)
	}
	if n := strings.Count(svg, "not measured"); n != 2 {
		t.Errorf("%d panels without points", n)
	}
}

func TestOwnProcess(t *testing.T) {
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for sum := 0; ; sum++ {
		if sum%1_000_000 != 0 {
			continue
		}
		now, err := cpuOf(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now > before {
			break
		}
	}
	rss, peak, err := rssOf(os.Getpid())
	if err != nil || rss < 1<<20 || peak < rss {
		t.Errorf("%d, %d, %v", rss, peak, err)
	}
	if _, err := cpuOf(-1); err == nil {
		t.Error("a process that does not exist has used time")
	}
}

// whole is a run's results with logfast's row at the given wall time.
func whole(logfast float64) *results {
	r := &results{Lines: 1_000_000}
	for row, s := range map[string]sample{
		"json-file": {Wall: 3.5, Daemon: 3}, "local": {Wall: 2.5, Daemon: 2}, "naive": {Wall: 8.5, Daemon: 7, Plugin: 4},
		"logfast": {Wall: logfast + 0.5, Daemon: 4, Plugin: 0.4}, "logfast, unsealed": {Wall: 3.5, Daemon: 4, Plugin: 0.3},
	} {
		r.Busy = append(r.Busy, busyResult{row, []sample{s}, []sample{{Wall: 0.5}}})
		r.Many = append(r.Many, point{Row: row, Containers: 1, Lines: 1000, Samples: []sample{s}}, point{Row: row, Containers: 8, Lines: 1000, Samples: []sample{s}})
		r.Length = append(r.Length, point{Row: row, Containers: 1, Length: 16, Lines: 1000, Samples: []sample{s}})
	}
	r.Latency = []latencyResult{{Row: "logfast", Load: "quiet", N: 9, Write: quantiles{1, 2, 3}}, {Row: "logfast", Load: "steady", N: 9, Write: quantiles{20, 51, 60}}, {Row: "logfast", Load: "busy", N: 9, Stamp: quantiles{1, 30, 31}}}
	r.Reading = []readResult{{"json-file", 1000, []float64{1}, []float64{0.1}}}
	r.Incident = &incidentResult{Bytes: 100e6, Quiet: 1, Beyond: []float64{0.4, 0.5, 0.6}}
	r.Packing = &packingResult{Lines: 1000, Without: []sample{{Wall: 1}}, With: []sample{{Wall: 2}}}
	r.Streams = []streamsResult{{Streams: 1000, RSSIdle: 30 << 20, CPUIdle: 0.1}, {Streams: 5000, RSSIdle: 90 << 20}}
	r.Talkers = []talkersResult{{Containers: 50, Rate: 100, CPU: 3}, {Containers: 100, Rate: 100, Length: 216, Shipped: true, CPU: 13}}
	r.Components = &componentsResult{Count: 1, Benchstat: "text", Values: map[string]map[string][]float64{
		"Detect/classic": {"MB/s": {900}, "ns/op": {150}}, "Pack/logfast": {"MB/s": {180}, "ns/op": {8}, "packed/text": {0.16}},
		"Pack/gzip-9": {"MB/s": {10}, "ns/op": {100}, "packed/text": {0.16}}, "EndToEnd/logfast": {"ns/op": {3000}, "allocs/op": {0}},
	}}
	r.Guard = map[string]float64{"a": 1}
	return r
}

func TestGoalsAreJudged(t *testing.T) {
	verdict := func(r *results, what string) bool {
		t.Helper()
		for _, g := range r.goals() {
			if strings.HasPrefix(g.what, what) {
				return g.met
			}
		}
		t.Fatalf("no goal %s", what)
		return false
	}
	for _, tt := range []struct {
		logfast         float64
		naive, json, of bool
	}{
		{3.5, true, true, true}, {3.9, true, true, false}, {5, true, false, false}, {6, false, false, false},
	} {
		r := whole(tt.logfast)
		if verdict(r, "wall time of a busy") != tt.naive || verdict(r, "the same, of json-file") != tt.json || verdict(r, "the same, aimed for") != tt.of {
			t.Errorf("%v s: %+v", tt.logfast, r.goals()[:3])
		}
	}
	r := whole(3)
	for what, met := range map[string]bool{
		"plugin CPU": true, "detection": false, "packing": true, "packed size": true, "a quiet": true, "a steady": false, "a busy": false,
		"wall time of capture while": false, "from the error": true, "memory, 1000": true, "throughput of 8": true,
		"wall time of lines of 16 B, of json-file's": false, "wall time of lines of 16 B, of the discarding": true,
		"share of a core, 50 containers": true, "share of a core, 100 containers": false,
	} {
		if verdict(r, what) != met {
			t.Errorf("%s is judged %v", what, !met)
		}
	}
}

func TestThePageIsWhole(t *testing.T) {
	for name, r := range map[string]*results{"all": whole(3), "nothing": {}} {
		text := r.page("plot.svg")
		for _, bad := range []string{"%!", "NaN", "Inf"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %s in\n%s", name, bad, text)
			}
		}
	}
	text := whole(3).page("plot.svg")
	for _, want := range []string{"## Goals", "| logfast | 3.00 (3.00–3.00) | 0.38 | 1.00 |", "![Cost of a line](plot.svg)", "| quiet | logfast |", "0.50 (0.40–0.60) s", "## docker logs",
		"| 50 containers × 100 lines/s of an access log | 3.0 % |", "| a | 1.000 | 1.150 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
