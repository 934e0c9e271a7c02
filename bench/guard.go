package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// worse is by how much a ratio may exceed the baseline's.
const worse = 1.15

// What the guard measures with: the same for the baseline and for a check, as
// a ratio may depend on how long a run is.
const (
	guardLines = 400_000
	guardRuns  = 5
)

// measureGuard measures the baseline of the guard's ratios.
func (b *bench) measureGuard(ctx context.Context) (err error) {
	b.results.Guard, err = b.ratios(ctx)
	return err
}

// ratios measures what make bench-guard watches. Less is better in each. They
// are ratios within one run, so that the machine's speed cancels out.
func (b *bench) ratios(ctx context.Context) (map[string]float64, error) {
	rows := []row{b.row("json-file"), b.row("naive"), b.unsealed()}
	empty, err := b.interleave(ctx, rows, 2, load{containers: 1})
	if err != nil {
		return nil, err
	}
	rough := b.quick && !b.guard
	full, err := b.interleave(ctx, rows, pick(rough, 2, guardRuns),
		load{containers: 1, lines: pick(rough, b.lines, guardLines)})
	if err != nil {
		return nil, err
	}
	took := func(name string) float64 { return of(full[name], wall).Median - of(empty[name], wall).Median }
	logfast := rows[2].name
	found := map[string]float64{
		"wall, logfast / naive":       took(logfast) / took("naive"),
		"wall, logfast / json-file":   took(logfast) / took("json-file"),
		"plugin CPU, logfast / naive": of(full[logfast], plug).Median / of(full["naive"], plug).Median,
	}
	if err := b.lengthRatios(ctx, rows, found, rough); err != nil {
		return nil, err
	}
	if err := b.talkerRatios(ctx, found, rough); err != nil {
		return nil, err
	}
	if err := needPigz(ctx); err != nil {
		return nil, err
	}
	c := &componentsResult{Values: map[string]map[string][]float64{}}
	for pattern, pkg := range map[string]string{
		"^BenchmarkDetect$": "./driver/triage/detect", "^BenchmarkPack$/^(logfast|gzip-9)$": "./driver/ship",
	} {
		out, err := run(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-count", "3", "-benchtime", "200ms", pkg)
		if err != nil {
			return nil, err
		}
		c.parse(out)
	}
	found["detect / bytes.Count"] = c.median(c.detector(), "ns/op") / c.median("Detect/count", "ns/op")
	found["packed size, logfast / gzip -9"] = c.median("Pack/logfast", "packed/text") /
		c.median("Pack/gzip-9", "packed/text")
	for _, name := range slices.Sorted(maps.Keys(found)) {
		b.say("  %-42s %.3f", name, found[name])
	}
	return found, nil
}

// lengthRatios adds the wall time of long lines, of json-file's.
func (b *bench) lengthRatios(ctx context.Context, rows []row, found map[string]float64, rough bool) error {
	for _, length := range []int{1 << 10, 4 << 10, 16 << 10} {
		full, err := b.interleave(ctx, rows, pick(rough, 1, guardRuns),
			load{containers: 1, lines: pick(rough, 20_000_000, 100_000_000) / length, length: length})
		if err != nil {
			return err
		}
		name := fmt.Sprintf("wall of %d KiB lines, logfast / ", length>>10)
		logfast := of(full[rows[2].name], wall).Median
		found[name+"json-file"] = logfast / of(full["json-file"], wall).Median
		found[name+"naive"] = logfast / of(full["naive"], wall).Median
	}
	return nil
}

// talkerRatios adds the processor time of containers that write steadily, and of those
// that write a line a second, of the naive plugin's, which reads each line by itself.
func (b *bench) talkerRatios(ctx context.Context, found map[string]float64, rough bool) error {
	span := pick(rough, 4*time.Second, 15*time.Second)
	for name, t := range map[string]talkersResult{
		"CPU of 50 × 100 lines/s, logfast / naive": {Containers: 50, Rate: 100},
		"CPU of 100 × 1 line/s, logfast / naive":   {Containers: 100, Rate: 1},
	} {
		naive, fast := t, t
		if err := errors.Join(talk(ctx, b.naive, &naive, span), talk(ctx, b.logfast, &fast, span)); err != nil {
			return err
		}
		found[name] = fast.CPU / naive.CPU
	}
	return nil
}

// detector is the benchmark of the detector that the plugin uses.
func (c *componentsResult) detector() string {
	if _, ok := c.Values["Detect/auto"]; ok {
		return "Detect/auto"
	}
	return "Detect/classic"
}

// compareWithBaseline fails where a ratio is worse than the baseline's. What
// is worse is measured a second time, and the better of the two counts:
// something else may have run on the machine.
func (b *bench) compareWithBaseline(ctx context.Context) error {
	base, err := readResults(baseline)
	if err != nil {
		return err
	}
	if len(base.Guard) == 0 {
		return fmt.Errorf("%s has no ratios to compare with; make bench writes them", baseline)
	}
	found, err := b.ratios(ctx)
	if err != nil {
		return err
	}
	problems := exceeding(base.Guard, found)
	if len(problems) > 0 {
		b.say("worse, measuring again: %s", strings.Join(problems, "; "))
		again, err := b.ratios(ctx)
		if err != nil {
			return err
		}
		for name, ratio := range again {
			found[name] = min(found[name], ratio)
		}
		problems = exceeding(base.Guard, found)
	}
	if len(problems) > 0 {
		return errors.New("worse than " + baseline + " by more than 15 %: " + strings.Join(problems, "; "))
	}
	b.say("no ratio is worse than %s by more than 15 %%", baseline)
	return nil
}

// exceeding names the ratios that are worse than the baseline's, and those
// that the baseline has and found has not.
func exceeding(base, found map[string]float64) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(base)) {
		got, ok := found[name]
		switch {
		case !ok:
			problems = append(problems, name+" was not measured")
		case got > base[name]*worse || math.IsNaN(got):
			problems = append(problems, fmt.Sprintf("%s is %.3f, was %.3f", name, got, base[name]))
		}
	}
	return problems
}
