package archive

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Tail calls f for the last n lines of the selection, and returns the list that
// they are of, for Follow. Close it. Where the query has no beginning, it looks
// at the last day first and goes back as far as it must.
func (a *Archive) Tail(ctx context.Context, q Query, sel Selection, n int, f func(*Line) error) (*List, error) {
	for _, back := range a.windows(&q) {
		window := q
		if back > 0 {
			window.Since = time.Now().Add(-back)
		}
		l, err := a.Segments(ctx, window)
		if err != nil {
			return nil, err
		}
		last, err := l.tail(ctx, window, sel, n)
		if err == nil && back > 0 && last.n < n {
			l.Close()
			continue
		}
		for i := 0; err == nil && i < last.n; i++ {
			err = f(last.at(i))
		}
		if err != nil {
			l.Close()
			return nil, err
		}
		return l, nil
	}
	panic("the last window has no bound")
}

// windows are how far back to look, one after the other; 0: all the way.
func (a *Archive) windows(q *Query) []time.Duration {
	const day = 24 * time.Hour
	if !q.Since.IsZero() || !q.Until.IsZero() {
		return []time.Duration{0}
	}
	if a.cfg.Store != nil && a.keys.Prefix(map[string]string{"dt": "x"}) == a.keys.Prefix(nil) {
		return []time.Duration{0} // the store has to name all keys in any case
	}
	return []time.Duration{day, 7 * day, 60 * day, 0}
}

// tail returns the last n lines of the list's segments. Where the text of a line
// does not matter, the counts of lines tell how far back they can be; a line
// may be of several records, so that is a guess to begin with.
func (l *List) tail(ctx context.Context, q Query, sel Selection, n int) (*ring, error) {
	for need := int64(n); ; need = min(8*need, math.MaxInt64/8) {
		from := time.Time{}
		if !sel.filters() && q.Until.IsZero() && need < maxNeed {
			var err error
			if from, err = l.begins(ctx, need); err != nil {
				return nil, err
			}
		}
		some := sel
		if !sel.filters() && q.Until.IsZero() {
			some.last = int64(n)
		}
		segments := l.Segments
		if !from.IsZero() {
			if from.After(sel.Since) {
				some.Since = from
			}
			segments = nil
			for _, s := range l.Segments {
				if s.LastLine() >= from.UnixNano() || s.Active {
					segments = append(segments, s)
				}
			}
		}
		last := &ring{most: n}
		err := l.a.Read(ctx, segments, some, func(line *Line) error {
			last.add(line)
			return nil
		})
		if err != nil || last.n >= n || last.full || from.IsZero() {
			if last.full {
				l.a.note("tail", fmt.Errorf("only the last %d lines are shown: they have %d MiB. Print more with "+
					"logfast cat --since", last.n, maxRing>>20))
			}
			return last, err
		}
	}
}

// begins returns a time after which there are so many records at least; zero
// where there may be fewer.
func (l *List) begins(ctx context.Context, need int64) (time.Time, error) {
	newest := slices.SortedStableFunc(slices.Values(l.Segments),
		func(x, y *Segment) int { return y.First.Compare(x.First) })
	for i := 0; i < len(newest); {
		some := newest[i:min(i+asked, len(newest))]
		if err := l.a.ask(ctx, some); err != nil {
			return time.Time{}, err
		}
		for _, s := range some {
			if s.Active && s.Lines < 0 {
				s.countLines()
			}
			if need -= max(s.Lines, 0); need <= 0 { // neither is below 0 before
				// A line may lie before the first of its segment.
				return s.First.Add(-slack), nil
			}
		}
		i += len(some)
	}
	return time.Time{}, nil
}

// maxNeed is how many records are looked for by the counts of the segments; a
// store may have any counts.
const maxNeed = 1 << 40

// maxRing is how much text a ring keeps, in bytes.
const maxRing = 32 << 20

// ring keeps the last lines that were added, as many as are wanted and fit.
type ring struct {
	most  int // lines that are wanted
	lines []Line
	n     int // lines that it has
	next  int // in lines, once it has as many as are wanted
	size  int // bytes
	full  bool
}

func (r *ring) add(line *Line) {
	if r.most == 0 {
		return
	}
	kept := *line
	kept.Raw = slices.Clone(line.Raw)
	if kept.Text = slices.Clone(line.Text); bytes.HasSuffix(kept.Raw, kept.Text) {
		kept.Text = kept.Raw[len(kept.Raw)-len(kept.Text):]
	}
	r.size += kept.size()
	if r.n == r.most {
		r.drop()
	}
	for r.size > maxRing && r.n > 0 {
		r.full = true
		r.drop()
	}
	if r.n < len(r.lines) {
		r.lines[(r.next+r.n)%len(r.lines)] = kept
		r.n++
		return
	}
	if r.next > 0 {
		r.lines, r.next = slices.Concat(r.lines[r.next:], r.lines[:r.next]), 0
	}
	r.lines = append(r.lines, kept)
	r.n++
}

// size is what a line takes, in bytes, about.
func (l *Line) size() int {
	n := len(l.Raw) + lineSize
	if at := len(l.Raw) - len(l.Text); at < 0 || len(l.Text) > 0 && &l.Raw[at] != &l.Text[0] {
		n += len(l.Text) // it is not a part of Raw
	}
	return n
}

// drop drops the oldest line.
func (r *ring) drop() {
	r.size -= r.lines[r.next].size()
	r.lines[r.next] = Line{}
	r.next = (r.next + 1) % len(r.lines)
	r.n--
}

// at returns the i-th oldest.
func (r *ring) at(i int) *Line { return &r.lines[(r.next+i)%len(r.lines)] }

// sortLines sorts lines by time; those of one moment stay as they are.
func sortLines(lines []Line) {
	slices.SortStableFunc(lines, func(x, y Line) int { return cmp.Compare(x.Time.UnixNano(), y.Time.UnixNano()) })
}
