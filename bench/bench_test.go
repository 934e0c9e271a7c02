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
ok  	github.com/logfast/logfast/driver/frame	0.150s
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
