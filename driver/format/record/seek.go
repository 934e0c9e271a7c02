package record

import (
	"bytes"
	"errors"
	"io"
)

// LastLines returns where the last n lines before end begin. It reads
// backwards, a block at a time. If counts is set, only lines count for which it
// returns true; it gets as much of a line as the block has, at least a byte.
func LastLines(text io.ReaderAt, end, n int64, block []byte, counts func(begin []byte) bool) (int64, error) {
	pos := end
	for first := true; pos > 0; first = false {
		b := block[:min(int64(len(block)), pos)]
		if _, err := text.ReadAt(b, pos-int64(len(b))); err != nil {
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
			if counts == nil || i+1 < last && counts(b[i+1:last]) {
				if n--; n == 0 {
					return pos + int64(i) + 1, nil
				}
			}
			last = i
		}
	}
	return 0, nil
}

// Seek returns where to begin to read text whose records are nearly in the
// order of their times, so that none is missed that is not before since, in
// nanoseconds. It halves the range from..end by the latest time in a block, then
// steps back while the block before holds a record that is wanted.
func (p *Parser) Seek(text io.ReaderAt, from, end, since int64, block []byte) int64 {
	before := func(at int64) bool {
		n, err := text.ReadAt(block[:min(int64(len(block)), end-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		latest, ok := p.latest(block[:n], at > from)
		return ok && latest < since
	}
	lo, hi := from, end
	for hi-lo > int64(len(block)) {
		if mid := lo + (hi-lo)/2; before(mid) {
			lo = min(mid+int64(len(block)), hi)
		} else {
			hi = mid
		}
	}
	for lo > from {
		if lo = max(lo-int64(len(block)), from); before(lo) {
			break
		}
	}
	if lo == from {
		return from
	}
	// lo may lie within a record.
	n, err := text.ReadAt(block, lo-1)
	if i := bytes.IndexByte(block[:n], '\n'); i >= 0 && (err == nil || errors.Is(err, io.EOF)) {
		return lo + int64(i)
	}
	return from
}

// latest returns the latest time of the records in b; the first line is passed
// over where it may be a part of one.
func (p *Parser) latest(b []byte, torn bool) (latest int64, ok bool) {
	if torn {
		b = b[bytes.IndexByte(b, '\n')+1:]
	}
	var rec Record
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return latest, ok
		}
		if p.Parse(b[:i], &rec) && (!ok || rec.Time > latest) {
			latest, ok = rec.Time, true
		}
		b = b[i+1:]
	}
}
