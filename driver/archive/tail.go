package archive

import (
	"cmp"
	"context"
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
	for need := int64(n); ; need *= 8 {
		from := time.Time{}
		if !sel.filters() && q.Until.IsZero() {
			var err error
			if from, err = l.begins(ctx, need); err != nil {
				return nil, err
			}
		}
		some := sel
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
		last := newRing(n)
		err := l.a.Read(ctx, segments, some, func(line *Line) error {
			last.add(line)
			return nil
		})
		if err != nil || last.n >= n || from.IsZero() {
			return last, err
		}
	}
}

// begins returns a time after which there are so many records at least; zero
// where there may be fewer.
func (l *List) begins(ctx context.Context, need int64) (time.Time, error) {
	newest := slices.SortedStableFunc(slices.Values(l.Segments), func(x, y *Segment) int { return y.First.Compare(x.First) })
	for i := 0; i < len(newest); {
		some := newest[i:min(i+asked, len(newest))]
		if err := l.a.ask(ctx, some); err != nil {
			return time.Time{}, err
		}
		for _, s := range some {
			if s.Active && s.Lines < 0 {
				s.Lines = countLines(s.file, s.Size)
			}
			if need -= max(s.Lines, 0); need <= 0 {
				// A line may lie before the first of its segment.
				return s.First.Add(-slack), nil
			}
		}
		i += len(some)
	}
	return time.Time{}, nil
}

// ring keeps the last lines that were added.
type ring struct {
	lines []Line
	n     int // lines that it has
	next  int
}

func newRing(n int) *ring { return &ring{lines: make([]Line, n)} }

func (r *ring) add(line *Line) {
	if len(r.lines) == 0 {
		return
	}
	to := &r.lines[r.next]
	raw, text := to.Raw[:0], to.Text[:0]
	raw, text = append(raw, line.Raw...), append(text, line.Text...)
	*to = *line
	to.Raw, to.Text = raw, text
	r.next = (r.next + 1) % len(r.lines)
	r.n = min(r.n+1, len(r.lines))
}

// at returns the i-th oldest.
func (r *ring) at(i int) *Line {
	return &r.lines[(r.next-r.n+i+len(r.lines))%len(r.lines)]
}

// sortLines sorts lines by time; those of one moment stay as they are.
func sortLines(lines []Line) {
	slices.SortStableFunc(lines, func(x, y Line) int { return cmp.Compare(x.Time.UnixNano(), y.Time.UnixNano()) })
}
