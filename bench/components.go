package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// componentsResult is what the Go benchmarks found.
type componentsResult struct {
	Count     int    `json:"count"`
	Benchstat string `json:"benchstat"` // its output
	// Values by benchmark and unit, one of each count.
	Values map[string]map[string][]float64 `json:"values"`
}

// median is that of a benchmark's values in a unit, 0 where there are none.
func (c *componentsResult) median(benchmark, unit string) float64 {
	return statOf(c.Values[benchmark][unit]).Median
}

// suite is a package's benchmarks. An operation of some is a line in a stream:
// they run for a number of lines, not for a time.
type suite struct{ pkg, span, quick string }

var suites = []suite{
	{"./driver/format/frame", "200ms", "50ms"},
	{"./driver/format/record", "200ms", "50ms"},
	{"./driver/triage/detect", "100ms", "20ms"},
	{"./driver/capture/fifo", "200ms", "50ms"},
	{"./driver/capture", "300000x", "60000x"},
	{"./driver/ship", "200ms", "50ms"},
}

// benchmarks are the names of those that run.
var benchmarks = []string{"Decode", "Append", "Detect", "DetectHostile", "Take", "EndToEnd", "Pack", "Levels"}

// benchstat summarises them.
const benchstat = ".tools/bin/benchstat"

// measureComponents runs the components' benchmarks, one package after another.
func (b *bench) measureComponents(ctx context.Context) error {
	if err := needPigz(ctx); err != nil {
		return err
	}
	c := &componentsResult{Count: pick(b.quick, 1, 6), Values: map[string]map[string][]float64{}}
	var all strings.Builder
	for _, s := range suites {
		out, err := run(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark("+strings.Join(benchmarks, "|")+")$",
			"-count", strconv.Itoa(c.Count), "-benchtime", pick(b.quick, s.quick, s.span), s.pkg)
		if err != nil {
			return err
		}
		all.WriteString(out)
		c.parse(out)
		b.say("  %s", s.pkg)
	}
	raw := filepath.Join(roughDir, "components.txt")
	if err := os.MkdirAll(roughDir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(raw, []byte(all.String()), 0o644); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, benchstat, "-filter", ".unit:(sec/op OR allocs/op OR packed/text)",
		raw).Output()
	if err != nil {
		return fmt.Errorf("%s %s: %w", benchstat, raw, err)
	}
	c.Benchstat = string(out)
	b.results.Components = c
	for _, name := range []string{"EndToEnd/logfast", "EndToEnd/cat", "EndToEnd/discard"} {
		b.say("  %-18s %.0f ns a line", name, c.median(name, "ns/op"))
	}
	return nil
}

// parse takes the lines of go test's output that are results: name, number of
// operations, then pairs of value and unit.
func (c *componentsResult) parse(out string) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of processors
		}
		if c.Values[name] == nil {
			c.Values[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				c.Values[name][f[i+1]] = append(c.Values[name][f[i+1]], v)
			}
		}
	}
}

// needPigz installs pigz where it is missing.
func needPigz(ctx context.Context) error {
	if _, err := exec.LookPath("pigz"); err == nil {
		return nil
	}
	if _, err := run(ctx, "apt-get", "install", "-y", "--no-install-recommends", "pigz"); err != nil {
		return fmt.Errorf("install pigz, to be compared with: %w", err)
	}
	return nil
}
