package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table is one of a page's.
type table struct {
	b       *strings.Builder
	columns int
}

func newTable(b *strings.Builder, columns ...string) *table {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	return &table{b, len(columns)}
}

func (t *table) row(cells ...any) {
	for _, c := range cells {
		fmt.Fprintf(t.b, "| %v ", c)
	}
	t.b.WriteString("|\n")
}

func (t *table) end() { t.b.WriteString("\n") }

// ratio is how two medians compare.
func ratio(a, b float64) string {
	if b <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// page writes docs/performance.md.
func (r *results) page(plots string) string {
	var b strings.Builder
	m := &r.Machine
	b.WriteString("# Performance\n\nWritten by `make bench` from [bench/results.json](../bench/results.json): change those, not this page.\n")
	if r.Quick {
		b.WriteString("**This is a quick run: the numbers are rough.**\n")
	}
	fmt.Fprintf(&b, `
%s; %d cores of %s, %d GiB; %s, Linux %s, %s below Docker; Docker %s; %s; logfast %s. The load was %s
when the run began, which took %.0f minutes. Figures are medians, with the least and the most of all runs in parentheses.
The rows of a table ran in turn, A B C D A B C D, so that whatever changed on the machine changed for all.

    make bench          # all of this, about 15 minutes, as root, on a machine that does nothing else
    make bench QUICK=1  # the same, small and rough, into build/bench
    make bench-guard    # the ratios alone; fails where one is worse than here by more than 15 %%

`, m.Date, m.Cores, m.CPU, m.Memory, m.System, m.Kernel, m.Disk, m.Docker, m.Go, m.Commit, m.Load, r.Seconds/60)
	r.writeGoals(&b)
	r.writeBusy(&b)
	r.writeMany(&b, plots)
	r.writeLatency(&b)
	r.writeStreams(&b)
	r.writeTalkers(&b)
	r.writeShip(&b)
	r.writeReading(&b)
	r.writeComponents(&b)
	r.writeGuard(&b)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func (r *results) writeGoals(b *strings.Builder) {
	b.WriteString("## Goals\n\n")
	t := newTable(b, "what", "goal", "found", "")
	for _, g := range r.goals() {
		word := "met"
		if !g.met {
			word = "**missed**"
		}
		t.row(g.what, g.limit, g.found, word)
	}
	t.end()
}

func (r *results) writeBusy(b *strings.Builder) {
	if len(r.Busy) == 0 {
		return
	}
	fmt.Fprintf(b, `## One busy container

%d lines of an access log, 130 bytes on average, written as fast as they are taken. *json-file* and *local* have Docker's
defaults: one file, and five of 20 MB of which the old ones are packed. *Naive* is a plugin that opens the FIFO, reads it
in a plain loop and throws every byte away (bench/naive). *logfast* has its default options; *unsealed* is without the
size limit, so that no segment is packed while the clock runs. Both plugins ran
%s.

Wall time is from the moment the container, which was started before, may write, until `+"`docker wait`"+` returns, less what
that takes when it writes nothing (the column *empty*). CPU time is what the process used meanwhile (utime + stime),
in seconds; *after* is the plugin's from then on, until everything was packed and in the store, a directory.

`, r.Lines, r.copies())
	t := newTable(b, "row", "wall, s", "of naive", "of json-file", "dockerd, CPU-s", "plugin, CPU-s", "after, CPU-s", "empty, s")
	naive, json := r.busyRow("naive"), r.busyRow("json-file")
	for _, row := range r.Busy {
		plugin, after := "–", "–"
		if strings.HasPrefix(row.Name, "logfast") || row.Name == "naive" {
			plugin = of(row.Samples, plug).String()
		}
		if strings.HasPrefix(row.Name, "logfast") {
			after = of(row.Samples, later).String()
		}
		w := row.wall()
		t.row(row.Name, w, ratio(w.Median, naive.wall().Median), ratio(w.Median, json.wall().Median), of(row.Samples, daemon), plugin, after, of(row.Empty, wall))
	}
	t.end()
}

// copies says what Docker does with a plugin's lines besides.
func (r *results) copies() string {
	if r.ReadsLogs {
		return "without Docker's second copy: naive was told so (`cache-disabled=true`), logfast reads its logs back itself"
	}
	return "with `cache-disabled=true`, without Docker's second copy"
}

func (r *results) writeMany(b *strings.Builder, plots string) {
	if len(r.Many) == 0 && len(r.Length) == 0 {
		return
	}
	fmt.Fprintf(b, "## Several containers, and lines of other lengths\n\n![Cost of a line](%s)\n\n", plots)
	if len(r.Many) > 0 {
		fmt.Fprintf(b, "Busy containers at once, %d lines in all. *First* is when the first of them ended: late, where all get their share.\n\n", r.Many[0].Lines)
		t := newTable(b, "containers", "row", "wall, s", "lines a second", "first, s", "dockerd, CPU-s", "plugin, CPU-s")
		for _, p := range r.Many {
			w := of(p.Samples, wall).minus(r.empty(p.Row))
			t.row(p.Containers, p.Row, w, fmt.Sprintf("%.0f", float64(p.Lines)/w.Median), of(p.Samples, firstEnd), of(p.Samples, daemon), of(p.Samples, plug))
		}
		t.end()
	}
	if len(r.Length) > 0 {
		t := newTable(b, "bytes a line, newline included", "lines", "row", "wall, s", "MB/s", "dockerd, CPU-s", "plugin, CPU-s")
		for _, p := range r.Length {
			w := of(p.Samples, wall).minus(r.empty(p.Row))
			t.row(p.Length, p.Lines, p.Row, w, fmt.Sprintf("%.0f", float64(p.Lines*p.Length)/w.Median/1e6), of(p.Samples, daemon), of(p.Samples, plug))
		}
		t.end()
	}
}

func (r *results) writeLatency(b *strings.Builder) {
	if len(r.Latency) == 0 {
		return
	}
	b.WriteString(`## When a line is in the file

Until a reader that waits for the file's changes has read the line; milliseconds. *Quiet* writes a line each 250 ms,
*steady* each 50 ms,
*busy* as fast as it can, a line in 4 KiB of which bears the time. Since the program's write(2), which for a busy one
includes the wait in its full stdout; and since Docker stamped the line, which is what the plugin adds.

`)
	t := newTable(b, "container", "row", "lines", "write: p50", "p99", "max", "stamp: p50", "p99", "max")
	for _, l := range r.Latency {
		cells := []any{l.Load, l.Row, l.N, ms(l.Write.P50), ms(l.Write.P99), ms(l.Write.Max)}
		if l.Stamp.Max == 0 {
			cells = append(cells, "–", "–", "–")
		} else {
			cells = append(cells, ms(l.Stamp.P50), ms(l.Stamp.P99), ms(l.Stamp.Max))
		}
		t.row(cells...)
	}
	t.end()
}

func ms(v float64) string { return fmt.Sprintf("%.2f", v) }

func (r *results) writeStreams(b *strings.Builder) {
	if len(r.Streams) == 0 {
		return
	}
	b.WriteString(`## Many quiet streams

Without Docker: FIFOs in the plugin's directory, requests over its socket, frames as dockerd writes them. First all are
silent, then a tenth of them gets a line a second.

`)
	t := newTable(b, "streams", "RSS before", "RSS silent", "CPU silent", "writing", "RSS", "CPU", "all started in", "all stopped in")
	for _, s := range r.Streams {
		mem := func(n int64) string { return fmt.Sprintf("%.1f MiB", mib(n)) }
		t.row(s.Streams, mem(s.RSSNone), mem(s.RSSIdle), fmt.Sprintf("%.2f %%", s.CPUIdle), s.Writing, mem(s.RSSWriting), fmt.Sprintf("%.2f %%", s.CPUWriting),
			fmt.Sprintf("%.1f s", s.Start), fmt.Sprintf("%.1f s", s.Stop))
	}
	t.end()
}

func (r *results) writeTalkers(b *strings.Builder) {
	if len(r.Talkers) == 0 {
		return
	}
	b.WriteString("## Containers that write steadily\n\nWithout Docker, as above.\n\n")
	t := newTable(b, "load", "CPU", "RSS")
	for _, x := range r.Talkers {
		t.row(x.what(), fmt.Sprintf("%.1f %%", x.CPU), fmt.Sprintf("%.1f MiB", mib(x.RSS)))
	}
	t.end()
}

func (r *results) writeShip(b *strings.Builder) {
	if r.Incident == nil && r.Packing == nil {
		return
	}
	b.WriteString("## Shipping\n\n")
	if i := r.Incident; i != nil {
		fmt.Fprintf(b, "A container writes %.0f MB of text, then a server error, and goes on running. From that write until the object is visible\nin a directory store: the quiet period (%.0f s) and %s s.\n\n",
			float64(i.Bytes)/1e6, i.Quiet, statOf(i.Beyond))
	}
	if p := r.Packing; p != nil {
		empty := r.empty("logfast, unsealed")
		without, with := of(p.Without, wall).minus(empty), of(p.With, wall).minus(empty)
		fmt.Fprintf(b, "A busy container's %d lines take %s s while nothing is packed and %s s while old segments are: %s×.\n",
			p.Lines, without, with, ratio(with.Median, without.Median))
		if !p.Covered {
			b.WriteString("The packing ended before the container did, so that its effect is underrated.\n")
		}
		b.WriteString("\n")
	}
}

func (r *results) writeReading(b *strings.Builder) {
	if len(r.Reading) == 0 {
		return
	}
	fmt.Fprintf(b, "## docker logs\n\nOf a stopped container with %d lines, into a pipe; seconds.\n\n", r.Reading[0].Lines)
	t := newTable(b, "row", "all", "of json-file", "`--tail 10`")
	for _, x := range r.Reading {
		t.row(x.Row, statOf(x.All), ratio(statOf(x.All).Median, statOf(r.Reading[0].All).Median), statOf(x.Tail))
	}
	t.end()
	if !r.ReadsLogs {
		b.WriteString("logfast does not read logs back yet.\n\n")
	}
}

func (r *results) writeComponents(b *strings.Builder) {
	c := r.Components
	if c == nil {
		return
	}
	fmt.Fprintf(b, "## Components\n\nGo benchmarks, %d runs each. An operation is a line, for Pack and Levels 16 MB of records, for Take 64 KiB.\n\n", c.Count)
	t := newTable(b, "pack", "MB/s", "packed / text", "speed of gzip -9", "size of gzip -9")
	pack := func(name string) {
		speed, size := statOf(c.Values[name]["MB/s"]), c.median(name, "packed/text")
		t.row(name, fmt.Sprintf("%.0f (%.0f–%.0f)", speed.Median, speed.Min, speed.Max), fmt.Sprintf("%.4f", size),
			ratio(speed.Median, c.median("Pack/gzip-9", "MB/s")), fmt.Sprintf("%.3f", size/c.median("Pack/gzip-9", "packed/text")))
	}
	for _, prefix := range []string{"Pack/", "Levels/"} {
		for _, name := range slices.Sorted(maps.Keys(c.Values)) {
			if strings.HasPrefix(name, prefix) {
				pack(name)
			}
		}
	}
	t.end()
	t = newTable(b, "capture through a FIFO", "ns a line", "of cat", "allocations a line")
	for _, name := range []string{"EndToEnd/logfast", "EndToEnd/cat", "EndToEnd/discard"} {
		ns := statOf(c.Values[name]["ns/op"])
		allocs := "–"
		if name == "EndToEnd/logfast" {
			allocs = fmt.Sprintf("%.0f", c.median(name, "allocs/op"))
		}
		t.row(name, fmt.Sprintf("%.0f (%.0f–%.0f)", ns.Median, ns.Min, ns.Max), ratio(ns.Median, c.median("EndToEnd/cat", "ns/op")), allocs)
	}
	t.end()
	b.WriteString("By benchstat:\n\n```\n" + strings.TrimSpace(c.Benchstat) + "\n```\n\n")
}

func (r *results) writeGuard(b *strings.Builder) {
	if len(r.Guard) == 0 {
		return
	}
	b.WriteString("## What make bench-guard holds\n\n")
	t := newTable(b, "ratio", "now", "fails above")
	for _, name := range slices.Sorted(maps.Keys(r.Guard)) {
		t.row(name, fmt.Sprintf("%.3f", r.Guard[name]), fmt.Sprintf("%.3f", r.Guard[name]*worse))
	}
	t.end()
}
