package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// sample is one run of one row, in seconds.
type sample struct {
	Wall   float64 `json:"wall"`   // from the moment the containers may write until Docker says that the last has ended
	First  float64 `json:"first"`  // the same until the first has ended
	Daemon float64 `json:"daemon"` // processor time of dockerd meanwhile
	Plugin float64 `json:"plugin"` // processor time of the plugin meanwhile
	After  float64 `json:"after"`  // processor time of the plugin afterwards, until all is packed and in the store
}

// load is what containers write.
type load struct {
	containers int
	lines      int  // of all containers
	length     int  // of a line with its newline, in bytes; 0: an access log's
	unsettled  bool // do not wait afterwards until all is shipped
}

// emit runs containers of one row and measures. They are started, make their
// lines ready and wait; the clock runs from the moment they are let go. So
// what is measured has no container's start in it, only its end.
func (b *bench) emit(ctx context.Context, r row, l load) (s sample, err error) {
	gate, err := os.MkdirTemp(b.work, "gate-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(gate)) }()
	var ids []string
	defer func() {
		for _, id := range ids {
			err = errors.Join(err, b.engine.remove(id))
		}
	}()
	each := l.lines / l.containers
	for range l.containers {
		c, err := b.create(ctx, r, gate, "-count", strconv.Itoa(each), "-length", strconv.Itoa(max(0, l.length-1)))
		if err != nil {
			return s, err
		}
		ids = append(ids, c.id)
		if err := b.engine.start(ctx, c.id); err != nil {
			return s, err
		}
	}
	if err := ready(ctx, gate, l.containers); err != nil {
		return s, err
	}
	ends := make(chan error, l.containers)
	for _, id := range ids {
		go func() { ends <- b.engine.wait(ctx, id) }()
	}
	time.Sleep(200 * time.Millisecond) // what starting has left to do
	before, err := b.cpu(r)
	if err != nil {
		return s, err
	}
	began := time.Now()
	if err := open(gate, "go"); err != nil {
		return s, err
	}
	for i := range ids {
		err = errors.Join(err, <-ends)
		s.Wall = time.Since(began).Seconds()
		if i == 0 {
			s.First = s.Wall
		}
	}
	after, cpuErr := b.cpu(r)
	if err = errors.Join(err, cpuErr); err != nil {
		return s, err
	}
	s.Daemon = (after.daemon - before.daemon).Seconds()
	s.Plugin = (after.plugin - before.plugin).Seconds()
	if l.unsettled {
		return s, nil
	}
	if err := b.settle(ctx, r, each*l.containers, ids...); err != nil {
		return s, err
	}
	last, err := b.cpu(r)
	s.After = (last.plugin - after.plugin).Seconds()
	return s, err
}

// ready waits until n emitters wait at the gate.
func ready(ctx context.Context, gate string, n int) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(gate, "ready-*"))
		switch {
		case err != nil || len(found) >= n:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("%d of %d containers are ready", len(found), n)
		}
	}
}

// open makes the file that emitters wait for.
func open(gate, name string) error { return os.WriteFile(filepath.Join(gate, name), nil, 0o644) }

type cpu struct{ daemon, plugin time.Duration }

func (b *bench) cpu(r row) (c cpu, err error) {
	if c.daemon, err = cpuOf(b.engine.pid); err != nil || r.plugin == nil {
		return c, err
	}
	c.plugin, err = cpuOf(r.plugin.pid)
	return c, err
}

// interleave runs each row in turn, and all of them again, so that whatever
// changes on the machine meanwhile changes for all.
func (b *bench) interleave(ctx context.Context, rows []row, runs int, l load) (map[string][]sample, error) {
	all := map[string][]sample{}
	for range runs {
		for _, r := range rows {
			s, err := b.emit(ctx, r, l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			all[r.name] = append(all[r.name], s)
		}
	}
	return all, nil
}

// busyResult is one row of the first table.
type busyResult struct {
	Name    string   `json:"name"`
	Samples []sample `json:"samples"`
	Empty   []sample `json:"empty"` // of a container that writes nothing
}

// measureBusy measures one busy container.
func (b *bench) measureBusy(ctx context.Context) error {
	rows := append(b.rows(), b.unsealed())
	empty, err := b.interleave(ctx, rows, pick(b.quick, 2, 3), load{containers: 1})
	if err != nil {
		return err
	}
	full, err := b.interleave(ctx, rows, b.runs, load{containers: 1, lines: b.lines})
	if err != nil {
		return err
	}
	b.results.Lines = b.lines
	for _, r := range rows {
		res := busyResult{r.name, full[r.name], empty[r.name]}
		b.results.Busy = append(b.results.Busy, res)
		b.say("  %-18s %s s; dockerd %s, plugin %s, then %s CPU-s", r.name, res.wall(), of(res.Samples, daemon),
			of(res.Samples, plug), of(res.Samples, later))
	}
	return nil
}

// wall is the time that the lines took: what an empty container takes is not
// the log driver's.
func (r busyResult) wall() stat {
	return of(r.Samples, wall).minus(of(r.Empty, wall).Median)
}

// point is one place of a plot.
type point struct {
	Row        string   `json:"row"`
	Containers int      `json:"containers"`
	Length     int      `json:"length"`
	Lines      int      `json:"lines"`
	Samples    []sample `json:"samples"`
}

// empty is what a container of this row takes that writes nothing, where that
// was measured.
func (r *results) empty(row string) float64 {
	for _, b := range r.Busy {
		if b.Name == row && len(b.Empty) > 0 {
			return of(b.Empty, wall).Median
		}
	}
	return 0
}

// measureMany measures several busy containers at once.
func (b *bench) measureMany(ctx context.Context) error {
	counts, runs := []int{1, 2, 4, 8}, 3
	if b.quick {
		counts, runs = []int{1, 8}, 1
	}
	lines := b.lines / 2
	for _, n := range counts {
		all, err := b.interleave(ctx, b.rows(), runs, load{containers: n, lines: lines})
		if err != nil {
			return fmt.Errorf("%d containers: %w", n, err)
		}
		for _, r := range b.rows() {
			b.results.Many = append(b.results.Many,
				point{Row: r.name, Containers: n, Lines: lines / n * n, Samples: all[r.name]})
			b.say("  %d x %-10s %s s; first %s; dockerd %s, plugin %s CPU-s", n, r.name, of(all[r.name], wall),
				of(all[r.name], firstEnd), of(all[r.name], daemon), of(all[r.name], plug))
		}
	}
	return nil
}

// measureLengths measures lines of several lengths.
func (b *bench) measureLengths(ctx context.Context) error {
	lengths, runs := []int{16, 130, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10}, 3
	if b.quick {
		lengths, runs = []int{16, 512, 4 << 10, 16 << 10}, 1
	}
	for _, length := range lengths {
		lines := min(b.lines/4, b.lines*200/length) // at most 200 MB of a million's run
		all, err := b.interleave(ctx, b.rows(), runs, load{containers: 1, lines: lines, length: length})
		if err != nil {
			return fmt.Errorf("lines of %d bytes: %w", length, err)
		}
		for _, r := range b.rows() {
			b.results.Length = append(b.results.Length,
				point{Row: r.name, Containers: 1, Length: length, Lines: lines, Samples: all[r.name]})
			b.say("  %5d B %-10s %s s; dockerd %s, plugin %s CPU-s", length, r.name, of(all[r.name], wall),
				of(all[r.name], daemon), of(all[r.name], plug))
		}
	}
	return nil
}
