// Command bench measures logfast on the machine it runs on, against Docker's
// own log drivers and against a plugin that throws everything away, all in
// turn in one run. It makes what it needs, removes all of it, and writes
// docs/performance.md. Run it as make bench, on a quiet machine, as root.
//
//	main.go        what is run, in which order; cleaning up
//	engine.go      the Docker engine
//	plugin.go      the plugins that are measured, process.go their processes
//	rows.go        the drivers that are compared
//	busy.go        containers that write as fast as they can
//	latency.go     when a line is in the file
//	streams.go     thousands of quiet streams, without Docker
//	talkers.go     containers that write steadily
//	incident.go    from an error to its object; what packing does to capture
//	read.go        docker logs
//	components.go  Go benchmarks, by way of benchstat
//	results.go     what is measured, goals.go what was hoped for
//	report.go      docs/performance.md, plot.go its plots
//	guard.go       make bench-guard
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "smaller and fewer runs, into build/bench; the results are rough")
	flag.BoolVar(&o.guard, "guard", false,
		"measure the ratios alone and fail where one is worse than in bench/results.json")
	flag.BoolVar(&o.report, "report", false, "measure nothing: write docs/performance.md from bench/results.json again")
	flag.IntVar(&o.lines, "lines", 0, "lines of a busy container (default 1000000; quick: 200000)")
	flag.IntVar(&o.runs, "runs", 0, "runs of each row (default 5; quick: 3)")
	flag.StringVar(&o.only, "only", "", "comma-separated parts: "+strings.Join(partNames(), ", "))
	flag.Parse()
	// SIGPIPE is among them for the sake of "make bench | head": unasked, it
	// would end the program at once, and leave everything behind.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP,
		syscall.SIGPIPE)
	err := execute(ctx, o)
	stop() // not before: a second signal must not end the cleaning
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	quick, guard, report bool
	lines, runs          int
	only                 string
}

// bench is one run.
type bench struct {
	options
	name    string // begins the names of all that this run makes in Docker
	work    string // temporary directory
	engine  *engine
	image   string
	serial  int       // of containers
	plugins []*plugin // that may have to be removed
	naive   *plugin
	logfast *plugin
	results results
	began   time.Time
}

// part is one of the things that are measured.
type part struct {
	name string
	run  func(*bench, context.Context) error
}

// parts in their order: what needs no Docker last.
var parts = []part{
	{"busy", (*bench).measureBusy},
	{"many", (*bench).measureMany},
	{"length", (*bench).measureLengths},
	{"latency", (*bench).measureLatency},
	{"read", (*bench).measureReading},
	{"incident", (*bench).measureIncident},
	{"packing", (*bench).measurePacking},
	{"streams", (*bench).measureStreams},
	{"talkers", (*bench).measureTalkers},
	{"components", (*bench).measureComponents},
	{"guard", (*bench).measureGuard},
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

func execute(ctx context.Context, o options) (err error) {
	if o.report {
		return rewrite()
	}
	b := &bench{options: o, name: "logfast-bench-" + strings.ToLower(rand.Text()[:8]), began: time.Now()}
	b.image = b.name + ":image"
	if b.lines == 0 {
		b.lines = pick(o.quick, 200_000, 1_000_000)
	}
	if b.runs == 0 {
		b.runs = pick(o.quick, 3, 5)
	}
	for name := range strings.SplitSeq(o.only, ",") {
		if name != "" && !strings.Contains(","+strings.Join(partNames(), ",")+",", ","+name+",") {
			return fmt.Errorf("unknown part %s; there are %s", name, strings.Join(partNames(), ", "))
		}
	}
	debug.SetGCPercent(400) // of this process, which watches
	defer func() { err = errors.Join(err, b.clean()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if o.guard {
		return b.compareWithBaseline(ctx)
	}
	// A part that fails does not take the others' quarter of an hour with it.
	var failed []error
	for _, p := range parts {
		if !b.wanted(p.name) || ctx.Err() != nil {
			continue
		}
		b.say("%s", p.name)
		if err := p.run(b, ctx); err != nil {
			b.say("  failed")
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(append(failed, b.publish(len(failed) == 0))...)
}

func (b *bench) wanted(name string) bool {
	return b.only == "" || strings.Contains(","+b.only+",", ","+name+",")
}

func pick[T any](quick bool, yes, no T) T {
	if quick {
		return yes
	}
	return no
}

// say tells whoever waits how far the run is.
func (b *bench) say(format string, args ...any) {
	fmt.Printf("%5.0fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// prepare makes the image, the plugins and a directory for the rest.
func (b *bench) prepare(ctx context.Context) (err error) {
	b.say("making the image and the plugins")
	// Not in the temporary directory, which may be in memory.
	if b.work, err = os.MkdirTemp("/var/tmp", b.name+"-"); err != nil {
		return err
	}
	if b.engine, err = openEngine(ctx); err != nil {
		return err
	}
	if err := b.makeImage(ctx); err != nil {
		return fmt.Errorf("make the image: %w", err)
	}
	if b.naive, err = b.makeNaive(ctx); err != nil {
		return fmt.Errorf("make the discarding plugin: %w", err)
	}
	if b.logfast, err = b.makeLogfast(ctx); err != nil {
		return fmt.Errorf("make the plugin (make build first): %w", err)
	}
	b.results = about(ctx, b)
	return errors.Join(b.naive.enable(ctx, "", nil), b.logfast.enable(ctx, b.work, nil))
}

func (b *bench) makeImage(ctx context.Context) error {
	program := filepath.Join(b.work, "emit")
	if _, err := runIn(ctx, "", []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", program,
		"./bench/emit"); err != nil {
		return err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var root bytes.Buffer
	w := tar.NewWriter(&root)
	if err := w.WriteHeader(&tar.Header{Name: "emit", Mode: 0o755, Size: int64(len(data))}); err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	load := exec.CommandContext(ctx, "docker", "import", "-", b.image)
	load.Stdin = &root
	if out, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("docker import: %w\n%s", err, out)
	}
	return nil
}

// clean removes whatever the run made, and says what it could not remove.
func (b *bench) clean() error {
	var errs []error
	ctx, cancel := context.WithTimeout(context.Background(), 3*cleanTime)
	defer cancel()
	b.say("removing what was made")
	if b.engine != nil {
		ids, err := run(ctx, "docker", "ps", "-aq", "--filter", "name="+b.name)
		errs = append(errs, err)
		for _, id := range strings.Fields(ids) {
			errs = append(errs, b.engine.remove(id))
		}
		b.say("  plugins")
		for _, p := range b.plugins {
			errs = append(errs, p.remove())
		}
		b.say("  image")
		if _, err := run(ctx, "docker", "image", "inspect", b.image); err == nil {
			_, err = run(ctx, "docker", "image", "rm", "-f", b.image)
			errs = append(errs, err)
		}
	}
	b.say("  files")
	if b.work != "" {
		errs = append(errs, os.RemoveAll(b.work))
	}
	b.say("  done")
	return errors.Join(errs...)
}
