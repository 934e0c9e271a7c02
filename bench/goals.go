package main

import "fmt"

// goal is one line of what logfast set out for.
type goal struct {
	what  string
	limit string
	found string
	met   bool
}

// busyRow returns the row of the first table, nil where it was not measured.
func (r *results) busyRow(name string) *busyResult {
	for i := range r.Busy {
		if r.Busy[i].Name == name {
			return &r.Busy[i]
		}
	}
	return nil
}

// many returns the median wall time of containers at once, less an empty
// container's.
func (r *results) many(row string, containers int) (wallTime float64, p *point) {
	for i, p := range r.Many {
		if p.Row == row && p.Containers == containers {
			return of(p.Samples, wall).Median - r.empty(row), &r.Many[i]
		}
	}
	return 0, nil
}

// atMost is a goal that a value must not exceed.
func atMost(what string, value, limit float64, format string) goal {
	return goal{what, fmt.Sprintf("≤ "+format, limit), fmt.Sprintf(format, value), value <= limit}
}

func atLeast(what string, value, limit float64, format string) goal {
	return goal{what, fmt.Sprintf("≥ "+format, limit), fmt.Sprintf(format, value), value >= limit}
}

// goals judges what was measured.
func (r *results) goals() (all []goal) {
	add := func(g goal) { all = append(all, g) }
	if naive, json, fast, plain := r.busyRow("naive"), r.busyRow("json-file"), r.busyRow("logfast"), r.busyRow("logfast, unsealed"); naive != nil && json != nil && fast != nil && plain != nil {
		million := 1e6 / float64(r.Lines)
		add(atMost("wall time of a busy container, of the discarding plugin's", fast.wall().Median/naive.wall().Median,
			0.65, "%.2f×"))
		add(atMost("the same, of json-file's", fast.wall().Median/json.wall().Median, 1.35, "%.2f×"))
		add(atMost("the same, aimed for", fast.wall().Median/json.wall().Median, 1.2, "%.2f×"))
		add(atMost("plugin CPU for a million lines, capture alone", of(plain.Samples, plug).Median*million, 0.5,
			"%.2f s"))
		add(atMost("dockerd CPU for a million lines", of(fast.Samples, daemon).Median*million, 4.8, "%.2f s"))
	}
	if one, p1 := r.many("logfast", 1); p1 != nil {
		if eight, p8 := r.many("logfast", 8); p8 != nil && eight > 0 {
			add(atLeast("throughput of 8 busy containers, of one's", one/eight, 1, "%.2f×"))
			add(atLeast("the first of 8 ends, of the last's time (starvation is near 0)",
				of(p8.Samples, firstEnd).Median/of(p8.Samples, wall).Median, 0.5, "%.2f"))
		}
	}
	for _, s := range r.Streams {
		if s.Streams <= 1000 {
			add(atMost(fmt.Sprintf("memory, %d quiet streams", s.Streams), mib(s.RSSIdle), 64, "%.0f MiB"))
			add(atMost("share of a core, all silent", s.CPUIdle, 1, "%.2f %%"))
			add(atMost(fmt.Sprintf("share of a core, %d of them with a line a second", s.Writing), s.CPUWriting, 1,
				"%.2f %%"))
			continue
		}
		add(goal{
			fmt.Sprintf("%d quiet streams", s.Streams), "work",
			fmt.Sprintf("%.0f MiB, %.2f %%", mib(s.RSSIdle), s.CPUIdle), true,
		})
	}
	all = append(all, r.lengthGoals()...)
	for _, t := range r.Talkers {
		limit := 6.0
		if t.Shipped {
			limit = 12
		}
		add(atMost("share of a core, "+t.what(), t.CPU, limit, "%.1f %%"))
	}
	for _, l := range r.Latency {
		switch {
		case l.Row != "logfast":
		case l.Load == "quiet":
			add(atMost("a quiet container's line is in the file, p99", l.Write.P99, 5, "%.2f ms"))
		case l.Load == "steady":
			add(atMost("a steady container's line is in the file, p99", l.Write.P99, 50, "%.2f ms"))
		case l.Load == "busy":
			add(atMost("a busy container's line is in the file, p99, since Docker's stamp", l.Stamp.P99, 25, "%.2f ms"))
		}
	}
	if c := r.Components; c != nil {
		add(atLeast("detection, access log without errors", c.median(c.detector(), "MB/s")/1000, 1, "%.2f GB/s"))
		add(atMost("packing, time of gzip -9's", c.median("Pack/logfast", "ns/op")/c.median("Pack/gzip-9", "ns/op"),
			0.1, "%.3f×"))
		add(atMost("packed size, of gzip -9's",
			c.median("Pack/logfast", "packed/text")/c.median("Pack/gzip-9", "packed/text"), 1.04, "%.3f×"))
		add(atMost("allocations a line, capture end to end", c.median("EndToEnd/logfast", "allocs/op"), 0, "%.0f"))
	}
	if p := r.Packing; p != nil {
		empty := r.empty("logfast, unsealed")
		add(atMost("wall time of capture while segments are packed",
			(of(p.With, wall).Median-empty)/(of(p.Without, wall).Median-empty), 1.1, "%.2f×"))
	}
	if i := r.Incident; i != nil {
		add(atMost(fmt.Sprintf("from the error to the object, %.0f MB, beyond the quiet period", float64(i.Bytes)/1e6),
			statOf(i.Beyond).Median, 1, "%.2f s"))
	}
	return all
}

// lengthGoals judge lines of each length.
func (r *results) lengthGoals() (all []goal) {
	took := map[string]map[int]float64{}
	for _, p := range r.Length {
		if took[p.Row] == nil {
			took[p.Row] = map[int]float64{}
		}
		took[p.Row][p.Length] = of(p.Samples, wall).Median - r.empty(p.Row)
	}
	for _, p := range r.Length {
		json, naive, fast := took["json-file"][p.Length], took["naive"][p.Length], took["logfast"][p.Length]
		if p.Row != "logfast" || json <= 0 || naive <= 0 {
			continue
		}
		what := fmt.Sprintf("wall time of lines of %d B, of ", p.Length)
		all = append(all, atMost(what+"json-file's", fast/json, 0.85, "%.2f×"),
			atMost(what+"the discarding plugin's", fast/naive, 1, "%.2f×"))
	}
	return all
}
