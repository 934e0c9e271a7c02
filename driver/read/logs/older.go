package logs

import (
	"slices"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// Archived is a segment that has left the host and is in the store.
type Archived struct {
	Key  string
	Meta spool.Meta // First and Seq, and where Certain is true all else but the sums
	// Certain says that Meta is known, not guessed.
	Certain bool
	// Open opens the text. It may be called again after the text was closed.
	Open func() (*spool.Text, error)
}

// older puts in front what is no longer on the host, where it is asked for and
// needed. What the store cannot tell is said in the answer.
func (g *Reading) older() {
	before := g.pruned
	if len(g.parts) == 0 {
		before = time.Now() // nothing of it is here, or left here
	}
	if g.req.Older == nil || before.IsZero() || g.req.Tail == 0 ||
		!g.req.Since.IsZero() && !g.req.Since.Before(before) {
		return
	}
	if g.req.Tail > 0 {
		here := int64(0)
		for _, p := range g.parts {
			if p.certain {
				here += p.meta.Lines
			}
		}
		if here >= int64(g.req.Tail) {
			return
		}
	}
	list, err := g.req.Older(before)
	if err != nil {
		g.unread, g.pruned = err, before
		return
	}
	var parts []*part
	for _, a := range list {
		p := &part{
			seg: spool.Segment{Dir: a.Meta.Stream.Dir(), Name: spool.Name{
				Active: a.Meta.Stream.ActiveName(), Time: a.Meta.First.UTC().Truncate(time.Microsecond),
				Seq: a.Meta.Seq, Reason: a.Meta.Reason, State: spool.Uploaded,
			}},
			archived: &a, meta: a.Meta, certain: a.Certain,
		}
		if p.format, err = record.ParseFormat(a.Meta.Stream.Format); err != nil {
			p.certain = false // the text will show it
		}
		here := func(q *part) bool { return q.file == nil && identify(q.seg) == identify(p.seg) }
		if !slices.ContainsFunc(g.parts, here) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return
	}
	g.parts = append(parts, g.parts...)
	g.pruned = time.Time{}
	first := parts[0]
	older := first.meta.Seq > 1 || g.deletedBefore(first) // the store does not have all of it, or no more
	if older && (g.req.Since.IsZero() || g.req.Since.Before(first.meta.First)) {
		g.pruned = first.meta.First
	}
}
