package logs

import (
	"errors"
	"os"
	"slices"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// tail drops what is older than the last records that were asked for. It
// reads no more than the segment in which they begin, and that backwards.
func (g *Reading) tail() {
	need := int64(g.req.Tail)
	if need < 0 {
		return
	}
	for i := len(g.parts) - 1; i >= 0; i-- {
		p := g.parts[i]
		if need == 0 {
			g.drop(i + 1)
			return
		}
		lines, err := g.lines(p)
		if err == nil && lines > need {
			err = g.keepLast(p, lines, need)
			lines = need
		}
		if errors.Is(err, os.ErrNotExist) {
			continue // pruned meanwhile; Copy will find out, too
		}
		if err != nil {
			g.complain(p, err)
			g.parts = slices.Delete(g.parts, i, i+1)
			continue
		}
		need -= lines
	}
	if need == 0 {
		g.pruned = time.Time{}
	}
}

// drop forgets the first n parts, and with them what was pruned before. An
// active one stays open where it will be followed.
func (g *Reading) drop(n int) {
	g.pruned = time.Time{}
	if n == len(g.parts) && n > 0 {
		if last := g.parts[n-1]; last.file != nil {
			last.from = last.end
			n--
		}
	}
	g.parts = g.parts[n:]
}

// lines returns how many records a part has. Raw text may end without a
// newline, and counts one more then; how it ends, only the text can tell.
func (g *Reading) lines(p *part) (int64, error) {
	if p.certain && p.format != record.Raw {
		return p.meta.Lines, nil
	}
	if p.certain {
		if torn, err := g.torn(p); err == nil {
			return p.meta.Lines + torn, nil
		}
	}
	t, err := g.open(p)
	if err != nil {
		return 0, err
	}
	defer t.Close()
	r, err := t.From(0)
	if err != nil {
		return 0, err
	}
	n, torn, err := record.CountLines(r, g.block())
	if torn && p.format == record.Raw {
		n++
	}
	return n, err
}

// torn returns 1 where a part's text ends without a newline, else 0. It reads
// no more than the end.
func (g *Reading) torn(p *part) (int64, error) {
	if p.archived != nil {
		return 0, errNoIndex
	}
	t, err := g.open(p)
	if err != nil {
		return 0, err
	}
	defer t.Close()
	text, end := t.At()
	if text == nil {
		return 0, errNoIndex
	}
	var last [1]byte
	if _, err := text.ReadAt(last[:], end-1); err != nil || last[0] == '\n' {
		return 0, err
	}
	return 1, nil
}

var errNoIndex = errors.New("a packed file without an index is read from its start")

// keepLast makes p begin with the last need of its lines.
func (g *Reading) keepLast(p *part, lines, need int64) error {
	if p.archived != nil {
		p.skip = lines - need
		return nil
	}
	t, err := g.open(p)
	if err != nil {
		return err
	}
	defer t.Close()
	text, end := t.At()
	if text != nil {
		p.from, err = record.LastLines(text, end, need, g.block(), nil)
		if err == nil || t.State < spool.Packed {
			return err
		}
	}
	p.from, p.skip = 0, lines-need
	return nil // its start tells the same, and what is wrong
}

// dropOlder drops the segments that end before Since begins. Their times are
// in what is kept beside them, so none is opened for it.
func (g *Reading) dropOlder() {
	since := g.req.Since
	if since.IsZero() {
		return
	}
	var kept []*part
	for _, p := range g.parts {
		if p.file == nil && p.certain && p.meta.Last.Before(since) {
			continue
		}
		kept = append(kept, p)
	}
	g.parts = kept
	if !g.pruned.IsZero() && !since.Before(g.pruned) {
		g.pruned = time.Time{}
	}
}

// refuse says no where raw text, which has no times, would have to be cut by
// time. A segment that lies inside the range as a whole needs no cut.
func (g *Reading) refuse() error {
	since, until := g.req.Since, g.req.Until
	if since.IsZero() && until.IsZero() {
		return nil
	}
	for _, p := range g.parts {
		first, last := p.meta.First, p.meta.Last
		switch {
		case p.format != record.Raw:
			continue
		case p.certain && !first.Before(since) &&
			(until.IsZero() || !last.After(until) && (p.file == nil || !g.req.Follow)):
			continue // inside
		case p.certain && (!until.IsZero() && first.After(until) || last.Before(since)):
			continue // outside
		}
		return &RefusedError{"format=raw keeps no times, so --since and --until cannot divide this container's " +
			"lines; leave them out, or start it with --log-opt format=cri"}
	}
	return nil
}
