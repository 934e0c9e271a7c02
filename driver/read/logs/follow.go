package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/spool"
)

// copyActive copies what of the active segment is not yet copied, up to p.end.
func (g *Reading) copyActive(ctx context.Context, p *part) error {
	t, err := g.open(p)
	if err != nil {
		return err
	}
	g.since(p, t)
	return g.copyOn(ctx, p)
}

// copyOn copies from p.from to p.end and moves the former there.
func (g *Reading) copyOn(ctx context.Context, p *part) error {
	used, err := g.scan(ctx, io.NewSectionReader(p.file, p.from, p.end-p.from), p)
	p.from += used
	return err
}

// beats is how many empty frames a heartbeat has. Docker's adapter (moby
// daemon/logger/adapter.go, 20.10) notices that its client has gone with each
// frame by a chance of a half.
const beats = 8

// follow copies what the container's writer writes until that has ended and
// all of it is copied. cur is the active segment, nil where there was none.
//
// The writer announces each change, and the tip is looked at before what it
// tells is copied: a change meanwhile makes the next look return at once.
func (g *Reading) follow(ctx context.Context, cur *part) error {
	beat := time.NewTimer(g.cfg.Heartbeat)
	defer beat.Stop()
	for {
		tip := g.watch.Tip()
		more, err := g.catchUp(ctx, &cur, tip)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		if err := g.flush(); err != nil {
			return err
		}
		if tip.Closed {
			return nil
		}
		beat.Reset(g.cfg.Heartbeat)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tip.Changed:
		case <-beat.C:
			g.frames = append(g.frames, make([]byte, beats*frame.HeaderSize)...)
		}
	}
}

// catchUp copies what the tip tells of and reports whether there may be more
// that is older than the next tip.
func (g *Reading) catchUp(ctx context.Context, cur **part, tip spool.Tip) (more bool, err error) {
	if p := *cur; p != nil {
		sealed := tip.Size == 0 || tip.Seq != p.seg.Name.Seq
		if sealed {
			fi, err := p.file.Stat()
			if err != nil {
				return false, err
			}
			if p.end = fi.Size(); p.end < p.from {
				p.from = 0 // it was truncated: what is there now came after
			}
		} else {
			p.end = tip.Size
		}
		if err := g.copyOn(ctx, p); err != nil {
			return false, err
		}
		if !sealed {
			return false, nil
		}
		g.given[identify(p.seg)] = true
		g.forget(p)
		*cur, g.at = nil, p
		return true, nil
	}
	news, err := g.news(tip)
	if err != nil {
		return false, err
	}
	for _, p := range news {
		if err := g.sayGap(p); err != nil {
			return false, err
		}
		if err := g.copyPart(ctx, p); err != nil {
			return false, err
		}
		g.given[identify(p.seg)] = true
		g.at = p
	}
	if tip.Size == 0 {
		return false, nil
	}
	f, now, err := g.watch.Open()
	if err != nil {
		return false, err
	}
	if f == nil {
		return true, nil
	}
	if now.Seq != tip.Seq {
		return true, f.Close() // sealed meanwhile: news
	}
	*cur = g.activePart(f, now)
	if err := g.sayGap(*cur); err != nil {
		return false, errors.Join(err, f.Close())
	}
	g.parts = append(g.parts, *cur) // for Close
	return true, nil
}

// sayGap says where segments between the last one and p were pruned before
// this follower came to read them.
func (g *Reading) sayGap(p *part) error {
	if g.at == nil || p.seg.Name.Seq <= g.at.seg.Name.Seq+1 {
		return nil
	}
	return g.mark(fmt.Sprintf("logfast: lines between %s and %s are no longer on this host; what was uploaded "+
		"is in the store",
		g.at.meta.First.UTC().Format(time.RFC3339), p.meta.First.UTC().Format(time.RFC3339)), p.meta.First)
}

// news returns the segments of the watched directory that were sealed since
// this reading looked last.
func (g *Reading) news(tip spool.Tip) (news []*part, err error) {
	segments, err := g.cfg.Spool.Segments(g.watch.Dir())
	if err != nil {
		return nil, err
	}
	for _, seg := range segments {
		if !g.given[identify(seg)] && seg.Name.Seq < tip.Seq && seg.Name.State != spool.Active {
			news = append(news, g.sealedPart(seg))
		}
	}
	return news, nil
}

// forget closes a part that is copied.
func (g *Reading) forget(p *part) {
	p.file.Close() // nothing was written to it
	p.file = nil
	g.parts = nil
}
