package main

import (
	"fmt"
	"math"
	"strings"
)

// The plots: one SVG of four panels, without scripts or fonts of its own. Its
// colours suit light and dark pages; text and lines follow the reader's.

const (
	panelW, panelH       = 430, 270
	leftEdge, bottomEdge = 58, 44
	topEdge, rightEdge   = 34, 12
)

var colours = map[string]string{"json-file": "#8b7cf0", "local": "#0ea5a0", "naive": "#e5484d", "logfast": "#e08a00"}

var rowOrder = []string{"json-file", "local", "naive", "logfast"}

// curve is one row's points.
type curve struct {
	row string
	at  []xy
}

// xy is a point with the range that was seen.
type xy struct{ x, y, low, high float64 }

type panel struct {
	title, xLabel string
	xText         func(float64) string
	curves        []curve
}

// plots draws cost against the number of containers and the length of a line.
func (r *results) plots() string {
	perLine := func(points []point, x func(point) int, cost func(point) stat) (all []curve) {
		for _, row := range rowOrder {
			c := curve{row: row}
			for _, p := range points {
				if p.Row == row {
					s := cost(p).times(1e6 / float64(p.Lines))
					c.at = append(c.at, xy{float64(x(p)), s.Median, s.Min, s.Max})
				}
			}
			if len(c.at) > 0 {
				all = append(all, c)
			}
		}
		return all
	}
	wallCost := func(p point) stat { return of(p.Samples, wall).minus(r.empty(p.Row)) }
	cpuCost := func(p point) stat { return of(p.Samples, func(s sample) float64 { return s.Daemon + s.Plugin }) }
	containers := func(p point) int { return p.Containers }
	length := func(p point) int { return p.Length }
	number := func(x float64) string { return fmt.Sprintf("%.0f", x) }
	bytes := func(x float64) string {
		if x >= 1024 {
			return fmt.Sprintf("%.0f Ki", x/1024)
		}
		return number(x)
	}
	panels := []panel{
		{"Wall time a line, µs", "busy containers at once", number, perLine(r.Many, containers, wallCost)},
		{"CPU time a line (dockerd and plugin), µs", "busy containers at once", number, perLine(r.Many, containers, cpuCost)},
		{"Wall time a line, µs", "bytes of a line", bytes, perLine(r.Length, length, wallCost)},
		{"CPU time a line (dockerd and plugin), µs", "bytes of a line", bytes, perLine(r.Length, length, cpuCost)},
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img" aria-label="Cost of a line against the number of containers and against its length">
<style>
text { fill: #24292f } .axis { stroke: #57606a } .grid { stroke: #d0d7de } .key { font-weight: bold }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .axis { stroke: #9198a1 } .grid { stroke: #30363d } }
</style>
`, 2*panelW, 2*panelH+30)
	for i, row := range rowOrder {
		fmt.Fprintf(&b, `<circle cx="%d" cy="14" r="5" fill="%s"/><text class="key" x="%d" y="18">%s</text>`+"\n", leftEdge+i*110, colours[row], leftEdge+10+i*110, row)
	}
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%2*panelW, 30+i/2*panelH)
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// draw draws a panel; both axes are logarithmic, because the costs differ by
// factors.
func (p *panel) draw(b *strings.Builder) {
	fmt.Fprintf(b, `<text class="key" x="%d" y="20">%s</text>`+"\n", leftEdge, p.title)
	minX, maxX, minY, maxY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	var xs []float64
	for _, c := range p.curves {
		for _, at := range c.at {
			minX, maxX = min(minX, at.x), max(maxX, at.x)
			minY, maxY = min(minY, positive(at.low)), max(maxY, positive(at.high))
		}
		if len(c.at) > len(xs) {
			xs = nil
			for _, at := range c.at {
				xs = append(xs, at.x)
			}
		}
	}
	if len(xs) < 2 {
		fmt.Fprintf(b, `<text x="%d" y="60">not measured</text>`+"\n", leftEdge)
		return
	}
	ticks := ticksBetween(minY, maxY)
	minY, maxY = ticks[0], ticks[len(ticks)-1]
	scale := func(v, low, high, from, to float64) float64 {
		return from + (math.Log(v)-math.Log(low))/(math.Log(high)-math.Log(low))*(to-from)
	}
	x := func(v float64) float64 { return scale(v, minX, maxX, leftEdge+14, panelW-rightEdge-14) }
	y := func(v float64) float64 { return scale(positive(v), minY, maxY, panelH-bottomEdge, topEdge) }
	for _, t := range ticks {
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
			leftEdge, panelW-rightEdge, y(t), y(t), leftEdge-6, y(t)+4, t)
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", leftEdge, panelW-rightEdge, panelH-bottomEdge, panelH-bottomEdge)
	for _, v := range xs {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(v), panelH-bottomEdge+16, p.xText(v))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (panelW+leftEdge)/2, panelH-bottomEdge+34, p.xLabel)
	for _, c := range p.curves {
		var line []string
		for _, at := range c.at {
			line = append(line, fmt.Sprintf("%.1f,%.1f", x(at.x), y(at.y)))
			fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="1"/><circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n",
				x(at.x), x(at.x), y(at.low), y(at.high), colours[c.row], x(at.x), y(at.y), colours[c.row])
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(line, " "), colours[c.row])
	}
}

// positive keeps what noise made negative on a logarithmic axis.
func positive(v float64) float64 { return max(v, 0.01) }

// ticksBetween returns round numbers, of which the first is at most low and
// the last at least high.
func ticksBetween(low, high float64) (ticks []float64) {
	steps := []float64{1, 2, 5}
	if high/low > 50 {
		steps = steps[:1]
	}
	for decade := math.Pow(10, math.Floor(math.Log10(low))); ; decade *= 10 {
		for _, s := range steps {
			t := s * decade
			switch {
			case t <= low:
				ticks = []float64{t}
			case t >= high:
				return append(ticks, t)
			default:
				ticks = append(ticks, t)
			}
		}
	}
}
