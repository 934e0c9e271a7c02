package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

const (
	// blockSize is how much text is read at once, in bytes. It bounds a record,
	// which has up to 16 KiB of text.
	blockSize = 256 << 10

	// rawPiece is the longest piece of a raw line in one frame, in bytes: what
	// Docker makes of long lines itself.
	rawPiece = 16 << 10

	// framesSize is how many bytes of frames are written at once.
	framesSize = 128 << 10
)

// errEnough: a record is later than Until, so nothing more is wanted.
var errEnough = errors.New("enough")

func (g *Reading) block() []byte {
	if g.buf == nil {
		g.buf = make([]byte, blockSize)
	}
	return g.buf
}

// complain says, once for each file, that it cannot be read.
func (g *Reading) complain(p *part, err error) {
	if _, said := g.said.LoadOrStore(p.seg.Dir+"/"+p.seg.Name.Stem(), true); !said {
		g.cfg.Log.Error("a segment cannot be read; docker logs leaves out what is wrong", "segment", p.seg.Path(), "err", err)
	}
}

// open calls read with the part's text, unpacked, from p.from on.
func (g *Reading) open(p *part, read func(io.Reader) error) error {
	if p.file != nil {
		return read(io.NewSectionReader(p.file, p.from, p.end-p.from))
	}
	if p.archived != nil {
		r, err := p.archived.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		return read(r)
	}
	f, state, err := g.cfg.Spool.OpenForReading(p.seg)
	if err != nil {
		return err
	}
	defer f.Close()
	if state < spool.Packed {
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		if g.bisects(p) {
			p.from = g.sinceOffset(f, p.format, p.from, fi.Size())
		}
		return read(io.NewSectionReader(f, p.from, fi.Size()-p.from))
	}
	if p.from > 0 || g.bisects(p) && p.meta.First.Before(g.req.Since) {
		if t := g.packed(p, f); t != nil {
			if g.bisects(p) {
				p.from = g.sinceOffset(t, p.format, p.from, t.Size())
			}
			return read(io.NewSectionReader(t, p.from, t.Size()-p.from))
		}
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }() // it has nothing to free that could fail
	if _, err := io.CopyN(io.Discard, z, p.from); err != nil {
		return err
	}
	return read(z)
}

// bisects reports whether the text can be halved by time to find its beginning.
func (g *Reading) bisects(p *part) bool {
	return !g.req.Since.IsZero() && p.format != record.Raw && p.certain && p.skip == 0
}

// copyPart copies a segment that no longer changes. One that is not there any
// more, or damaged, is not fatal: the others are as good as they were.
func (g *Reading) copyPart(ctx context.Context, p *part) error {
	first := p.meta.First
	if p.format == record.Syslog {
		first = first.Truncate(time.Microsecond) // as its record has it
	}
	if !g.req.Until.IsZero() && p.certain && first.After(g.req.Until) {
		return errEnough
	}
	err := g.open(p, func(r io.Reader) error {
		_, err := g.scan(ctx, r, p)
		return err
	})
	var gone *outputError
	switch {
	case err == nil, errors.Is(err, errEnough), errors.As(err, &gone), ctx.Err() != nil:
		return err
	case p.archived != nil:
		g.complain(p, err)
		return g.mark(fmt.Sprintf("logfast: the lines of %s cannot be read from the store, or not to their end: %v", p.archived.Key, err), p.meta.First)
	case errors.Is(err, os.ErrNotExist):
		return g.mark(fmt.Sprintf("logfast: the lines of %s have just left this host; what was uploaded is in the store", p.seg.Name.Stem()), p.meta.First)
	}
	g.complain(p, err)
	return nil
}

// outputError is the client's fault, not a file's.
type outputError struct{ error }

func (e *outputError) Unwrap() error { return e.error }

// scan turns the text of r into frames, and returns how many bytes it used:
// whole records, and all there is of raw text.
func (g *Reading) scan(ctx context.Context, r io.Reader, p *part) (used int64, err error) {
	block := g.block()
	have, wrong, tooLong := 0, 0, false
	for {
		if err := ctx.Err(); err != nil {
			return used, err
		}
		n, readErr := r.Read(block[have:])
		have += n
		done := 0
		for {
			i := bytes.IndexByte(block[done:have], '\n')
			if i < 0 {
				break
			}
			line := block[done : done+i+1]
			done += i + 1
			switch {
			case p.skip > 0:
				p.skip--
			case tooLong:
				tooLong = false
			default:
				ok, err := g.line(p, line)
				if err != nil {
					return used, err
				}
				if !ok {
					wrong++
				}
			}
		}
		ended := readErr != nil
		if p.format == record.Raw && done < have && p.skip == 0 && (ended || done == 0 && have == len(block)) {
			if err := g.raw(p, block[done:have]); err != nil {
				return used, err
			}
			done = have
		} else if done == 0 && have == len(block) {
			done, tooLong = have, true // no record is as long
			wrong++
		}
		used += int64(done)
		have = copy(block, block[done:have])
		if !ended {
			continue
		}
		if wrong > 0 {
			g.complain(p, fmt.Errorf("%d lines are no %s records", wrong, p.format))
		}
		if !errors.Is(readErr, io.EOF) {
			return used, readErr
		}
		return used, nil
	}
}

// line emits a line, which ends in its newline; ok is false where it is no record.
func (g *Reading) line(p *part, line []byte) (ok bool, err error) {
	if !p.certain {
		p.format = guess(line[:len(line)-1])
		p.certain = true
	}
	if p.format == record.Raw {
		return true, g.raw(p, line)
	}
	var rec record.Record
	end := len(line) - 1
	if record.Parse(p.format, line[:end], &rec) != nil {
		return false, nil //nolint:nilerr // it is counted, and said
	}
	text := line[end-len(rec.Text) : end]
	if !rec.More {
		text = line[end-len(rec.Text):]
	}
	return true, g.emit(rec.Stream, rec.Time, text)
}

// guess tells the format of a segment about which nothing is kept.
func guess(line []byte) record.Format {
	var rec record.Record
	for _, f := range []record.Format{record.CRI, record.Syslog} {
		if record.Parse(f, line, &rec) == nil {
			return f
		}
	}
	return record.Raw
}

// raw emits raw text: as stdout, at the time at which its segment began.
func (g *Reading) raw(p *part, text []byte) error {
	at := p.meta.First.UnixNano()
	for len(text) > 0 {
		n := min(len(text), rawPiece)
		if n == len(text)-1 && text[n] == '\n' {
			n++ // a newline is no piece of its own
		}
		if err := g.emit(record.Stdout, at, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

var sources = [...][]byte{record.Stdout: []byte("stdout"), record.Stderr: []byte("stderr")}

// emit adds a frame, if its time is asked for. As in json-file, the first
// record beyond Until ends the answer.
func (g *Reading) emit(stream record.Stream, nano int64, text []byte) error {
	if !g.req.Since.IsZero() && nano < g.req.Since.UnixNano() {
		return nil
	}
	if !g.req.Until.IsZero() && nano > g.req.Until.UnixNano() {
		return errEnough
	}
	g.frames = frame.Append(g.frames, &frame.Entry{Source: sources[stream], TimeNano: nano, Line: text})
	if len(g.frames) >= framesSize {
		return g.write()
	}
	return nil
}

// mark emits a line of logfast's own.
func (g *Reading) mark(text string, at time.Time) error {
	return g.emit(record.Stderr, at.UnixNano(), append([]byte(text), '\n'))
}

func (g *Reading) write() error {
	if len(g.frames) == 0 {
		return nil
	}
	_, err := g.out.Write(g.frames)
	g.frames = g.frames[:0]
	if err != nil {
		return &outputError{err}
	}
	return nil
}

// flush sends what is there on its way.
func (g *Reading) flush() error {
	if err := g.write(); err != nil {
		return err
	}
	if err := g.out.Flush(); err != nil {
		return &outputError{err}
	}
	return nil
}
