package logs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack"
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
	n := int64(0)
	err := g.open(p, func(r io.Reader) error {
		block, torn := g.block(), false
		for {
			got, err := r.Read(block)
			n += int64(bytes.Count(block[:got], newline))
			if got > 0 {
				torn = block[got-1] != '\n'
			}
			if errors.Is(err, io.EOF) {
				if torn && p.format == record.Raw {
					n++
				}
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	return n, err
}

// torn returns 1 where a part's text ends without a newline, else 0. It reads
// no more than the end.
func (g *Reading) torn(p *part) (int64, error) {
	if p.archived != nil {
		return 0, errNoIndex
	}
	var text io.ReaderAt = p.file
	end := p.end
	if p.file == nil {
		f, state, err := g.cfg.Spool.OpenForReading(p.seg)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if text, end = f, p.meta.Bytes; state >= spool.Packed {
			t := g.packed(p, f)
			if t == nil {
				return 0, errNoIndex
			}
			text, end = t, t.Size()
		}
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
	f, end := p.file, p.end
	if p.archived != nil {
		p.skip = lines - need
		return nil
	}
	if f == nil {
		var state spool.State
		var err error
		if f, state, err = g.cfg.Spool.OpenForReading(p.seg); err != nil {
			return err
		}
		defer f.Close()
		if state >= spool.Packed {
			if t := g.packed(p, f); t != nil {
				if p.from, err = lastLines(t, t.Size(), need, g.block()); err == nil {
					return nil
				}
			}
			p.from, p.skip = 0, lines-need
			return nil // its start tells the same, and what is wrong
		}
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		end = fi.Size()
	}
	from, err := lastLines(f, end, need, g.block())
	p.from = from
	return err
}

// packed returns the text of a packed file, to be read at any place, or nil
// where its index is lost or not the file's.
func (g *Reading) packed(p *part, f *os.File) *pack.Text {
	if p.meta.Index == nil { // it was not packed yet
		if m, err := g.cfg.Spool.Look(p.seg); err == nil {
			p.meta.Index = m.Index
		}
	}
	fi, err := f.Stat()
	if err != nil || p.meta.Index == nil {
		return nil
	}
	t, err := pack.NewText(f, fi.Size(), p.meta.Index, p.meta.Bytes)
	if err != nil {
		return nil
	}
	return t
}

// lastLines returns where the last n lines before end begin. It reads
// backwards, a block at a time.
func lastLines(f io.ReaderAt, end, n int64, block []byte) (int64, error) {
	pos := end
	for first := true; pos > 0; first = false {
		b := block[:min(int64(len(block)), pos)]
		if _, err := f.ReadAt(b, pos-int64(len(b))); err != nil {
			return 0, err
		}
		pos -= int64(len(b))
		last := len(b)
		if first && b[last-1] == '\n' {
			last-- // it ends the last line, and begins none
		}
		for {
			i := bytes.LastIndexByte(b[:last], '\n')
			if i < 0 {
				break
			}
			if n--; n == 0 {
				return pos + int64(i) + 1, nil
			}
			last = i
		}
	}
	return 0, nil
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
		case p.certain && !first.Before(since) && (until.IsZero() || !last.After(until) && (p.file == nil || !g.req.Follow)):
			continue // inside
		case p.certain && (!until.IsZero() && first.After(until) || last.Before(since)):
			continue // outside
		}
		return &RefusedError{"format=raw keeps no times, so --since and --until cannot divide this container's lines; leave them out, or start it with --log-opt format=cri"}
	}
	return nil
}

// sinceOffset returns where to begin to read text whose records are nearly in
// the order of their times, so that none is missed that is not before since.
// It halves the range by the latest time in a block, then steps back while the
// block before holds a record that is wanted.
func (g *Reading) sinceOffset(f io.ReaderAt, format record.Format, from, end int64) int64 {
	since := g.req.Since.UnixNano()
	block := g.block()
	latest := func(at int64) (latest int64, ok bool) {
		n, err := f.ReadAt(block[:min(int64(len(block)), end-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, false
		}
		return latestTime(format, block[:n], at > from)
	}
	lo, hi := from, end
	for hi-lo > int64(len(block)) {
		mid := lo + (hi-lo)/2
		at, ok := latest(mid)
		if ok && at < since {
			lo = min(mid+int64(len(block)), hi)
		} else {
			hi = mid
		}
	}
	for back := int64(len(block)); lo > from; {
		lo = max(lo-back, from)
		if at, ok := latest(lo); ok && at < since {
			break
		}
	}
	// lo may lie within a record.
	if lo == from {
		return from
	}
	n, err := f.ReadAt(block, lo-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return from
	}
	i := bytes.IndexByte(block[:n], '\n')
	if i < 0 {
		return from
	}
	return lo + int64(i)
}

// latestTime returns the latest time of the records in b; the first line is
// passed over where it may be a part of one.
func latestTime(format record.Format, b []byte, torn bool) (latest int64, ok bool) {
	if torn {
		i := bytes.IndexByte(b, '\n')
		b = b[i+1:]
	}
	var rec record.Record
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return latest, ok
		}
		if record.Parse(format, b[:i], &rec) == nil && (!ok || rec.Time > latest) {
			latest, ok = rec.Time, true
		}
		b = b[i+1:]
	}
}

var newline = []byte("\n")
