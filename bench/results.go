package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// results is everything that one run found; bench/results.json.
type results struct {
	Machine    machine            `json:"machine"`
	Quick      bool               `json:"quick"`
	Seconds    float64            `json:"seconds"` // that the run took
	Lines      int                `json:"lines"`   // of a busy container
	ReadsLogs  bool               `json:"reads_logs"`
	Busy       []busyResult       `json:"busy,omitempty"`
	Many       []point            `json:"many,omitempty"`
	Length     []point            `json:"length,omitempty"`
	Latency    []latencyResult    `json:"latency,omitempty"`
	Reading    []readResult       `json:"reading,omitempty"`
	Incident   *incidentResult    `json:"incident,omitempty"`
	Packing    *packingResult     `json:"packing,omitempty"`
	Streams    []streamsResult    `json:"streams,omitempty"`
	Talkers    []talkersResult    `json:"talkers,omitempty"`
	Components *componentsResult  `json:"components,omitempty"`
	Guard      map[string]float64 `json:"guard,omitempty"` // ratio by name; less is better
}

// machine is where and with what the run was.
type machine struct {
	Date   string `json:"date"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int    `json:"memory"` // GiB
	Kernel string `json:"kernel"`
	System string `json:"system"`
	Docker string `json:"docker"`
	Go     string `json:"go"`
	Commit string `json:"commit"`
	Disk   string `json:"disk"` // filesystem of Docker's data directory
	Load   string `json:"load"` // average of the minute before
}

func about(ctx context.Context, b *bench) results {
	m := machine{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Docker: b.engine.about,
		CPU:    field("/proc/cpuinfo", "model name"),
		Kernel: firstLine("/proc/sys/kernel/osrelease"),
		System: strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`),
	}
	kib, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.Atoi(kib); err == nil {
		m.Memory = (n + 1<<19) >> 20
	}
	m.Load, _, _ = strings.Cut(firstLine("/proc/loadavg"), " ")
	if out, err := run(ctx, "git", "describe", "--always", "--dirty"); err == nil {
		m.Commit = strings.TrimSpace(out)
	}
	if out, err := run(ctx, "stat", "-f", "-c", "%T", b.engine.root); err == nil {
		m.Disk = strings.TrimSpace(out)
	}
	return results{Machine: m, Quick: b.quick}
}

// field returns the value of the first "name: value" or name=value line.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:="))
		}
	}
	return ""
}

func firstLine(path string) string {
	b, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// stat is what several runs come to.
type stat struct{ Min, Median, Max float64 }

func (s stat) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max) }

func (s stat) minus(d float64) stat { return stat{s.Min - d, s.Median - d, s.Max - d} }
func (s stat) times(f float64) stat { return stat{s.Min * f, s.Median * f, s.Max * f} }

func statOf(values []float64) stat {
	if len(values) == 0 {
		return stat{}
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return stat{v[0], (v[(n-1)/2] + v[n/2]) / 2, v[n-1]}
}

func of[T any](samples []T, value func(T) float64) stat {
	var values []float64
	for _, s := range samples {
		values = append(values, value(s))
	}
	return statOf(values)
}

func wall(s sample) float64     { return s.Wall }
func firstEnd(s sample) float64 { return s.First }
func daemon(s sample) float64   { return s.Daemon }
func plug(s sample) float64     { return s.Plugin }
func later(s sample) float64    { return s.After }

// Where results go: the baseline and its page are checked in; those of a quick
// run, or of a part, are not.
const (
	baseline = "bench/results.json"
	page     = "docs/performance.md"
	plots    = "docs/performance.svg"
	roughDir = "build/bench"
)

// publish writes the results and what is made of them, as the new baseline
// where everything was measured.
func (b *bench) publish(complete bool) error {
	b.results.Seconds = time.Since(b.began).Seconds()
	b.results.ReadsLogs = b.logfast.reads
	if b.quick || b.only != "" || !complete {
		return b.results.write(filepath.Join(roughDir, "results.json"), filepath.Join(roughDir, "performance.md"),
			filepath.Join(roughDir, "performance.svg"))
	}
	return b.results.write(baseline, page, plots)
}

func (r *results) write(data, page, plots string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	for path, text := range map[string]string{
		data: string(b) + "\n", page: r.page(filepath.Base(plots)), plots: r.plots(),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}

func readResults(path string) (*results, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w; make bench writes it", err)
	}
	var r results
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}

// rewrite makes the page anew from the baseline.
func rewrite() error {
	r, err := readResults(baseline)
	if err != nil {
		return err
	}
	return r.write(baseline, page, plots)
}

// percentile returns the value that a share of all does not exceed.
func percentile(values []float64, share float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return v[min(len(v)-1, int(float64(len(v))*share))]
}
