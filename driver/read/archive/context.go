package archive

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/sum"
)

// ByKey returns the segments of certain objects, in the order of time: from the
// spool where that has them.
func (a *Archive) ByKey(ctx context.Context, keys []string) (*List, error) {
	l := &List{a: a, keys: map[string]bool{}, stems: map[string]map[string]bool{}}
	if err := l.byKey(ctx, keys); err != nil {
		l.Close()
		return nil, err
	}
	sortByTime(l.Segments)
	return l, nil
}

func (l *List) byKey(ctx context.Context, keys []string) error {
	found := map[string]bool{}
	if l.a.cfg.Spool != nil {
		if err := l.spool(Query{}); err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
		kept := l.Segments[:0]
		for _, s := range l.Segments {
			name := named(s, keys)
			if name == "" || found[name] {
				if s.file != nil {
					s.file.Close() // nothing was written to it
				}
				continue
			}
			found[name] = true
			kept = append(kept, s)
		}
		l.Segments = kept
	}
	for _, key := range keys {
		if found[key] {
			continue
		}
		found[key] = true
		s := &Segment{Key: key, InStore: true, Lines: -1, Bytes: -1, Errors: -1}
		if m, ok := l.a.keys.Read(key); ok {
			s.keyed, s.Stream, s.Reason, s.Seq, s.First = l.a.keys, m.Stream, m.Reason, m.Seq, m.First
		}
		if l.a.cfg.Store != nil {
			if err := l.a.ask(ctx, []*Segment{s}); err != nil {
				return err
			}
		}
		if l.a.cfg.Store == nil || s.gone {
			return fmt.Errorf("no segment %q: logfast ls lists keys, and files of the spool", key)
		}
		s.foreign = false // somebody has asked for it by name
		l.Segments = append(l.Segments, s)
	}
	return nil
}

// named returns by which of the names the segment is meant, its key or its file.
func named(s *Segment, names []string) string {
	for _, name := range names {
		if name != "" && (name == s.Key || name == s.File) {
			return name
		}
	}
	return ""
}

// Numbered is a line of a segment's text, as it is stored.
type Numbered struct {
	Line int64  `json:"line"` // from 1
	Text string `json:"text"` // at most MaxAroundLine bytes
	Cut  bool   `json:"cut,omitempty"`
}

// The bounds of what Around returns, in bytes.
const (
	MaxAroundLine = 64 << 10
	maxAround     = 16 << 20
)

// ErrTooMuch: the lines around some lines are more than Around returns.
var ErrTooMuch = fmt.Errorf("they have more than %d MiB; ask for fewer lines before and after", maxAround>>20)

// Around returns the lines of an object around some of its lines, in their
// order and each once: context of them before and after each. Lines that the
// object does not have are left out.
func (a *Archive) Around(ctx context.Context, key string, lines []int64, context int64) ([]Numbered, error) {
	l, err := a.ByKey(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	body, _, err := a.text(ctx, l.Segments[0])
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := body.From(0)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	found, err := around(until{ctx, text}, lines, context)
	if err != nil {
		err = fmt.Errorf("read %s: %w", key, err)
	}
	return found, err
}

// around reads the lines around some lines.
func around(r io.Reader, lines []int64, context int64) (found []Numbered, err error) {
	lines = slices.DeleteFunc(slices.Clone(lines), func(n int64) bool { return n < 1 })
	slices.Sort(lines)
	text := record.NewLines(r, make([]byte, MaxAroundLine+1), 0)
	size := 0
	for _, at := range lines {
		// The numbers come from others: neither sum nor difference may overflow.
		from, to := max(1, at-min(context, at-1)), sum.Add(at, context)
		for text.Number < to {
			if !text.Next() {
				return found, text.Err()
			}
			if !text.Begins || text.Number < from {
				continue
			}
			line := text.Text[:min(len(text.Text), MaxAroundLine)]
			if size += len(line) + 64; size > maxAround {
				return found, ErrTooMuch
			}
			found = append(found, Numbered{text.Number, string(line), len(line) < len(text.Text)})
		}
	}
	return found, nil
}

// until is a reader that ends with a context: a text may be very long.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// LastLine is spool.LatestLine for a whole segment: no line of it is later.
func (s *Segment) LastLine() (last int64) {
	if !s.Last.IsZero() {
		return s.Last.UnixNano()
	}
	latest := spool.LatestLine(s.First)
	if at := s.modified.Add(skew); !s.modified.IsZero() && at.Before(latest) {
		latest = at
	}
	return latest.UnixNano()
}
