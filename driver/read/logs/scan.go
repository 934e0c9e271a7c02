package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

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
		g.cfg.Log.Error("a segment cannot be read; docker logs leaves out what is wrong", "segment", p.seg.Path(),
			"err", err)
	}
}

// open opens the part's text.
func (g *Reading) open(p *part) (*spool.Text, error) {
	switch {
	case p.file != nil:
		return spool.NewText(io.NewSectionReader(p.file, 0, p.end), p.end, spool.Active, nil), nil
	case p.archived != nil:
		return p.archived.Open()
	}
	return g.cfg.Spool.OpenText(p.seg, &p.meta)
}

// since makes p begin where the records begin that are asked for, as far as its
// text can be halved by time.
func (g *Reading) since(p *part, t *spool.Text) {
	if g.req.Since.IsZero() || p.format == record.Raw || !p.certain || p.skip > 0 || !p.meta.First.Before(g.req.Since) {
		return
	}
	if text, end := t.At(); text != nil {
		parser := record.Parser{Format: p.format}
		p.from = parser.Seek(text, p.from, end, g.req.Since.UnixNano(), g.block())
	}
}

// scanPart turns the part's text into frames, from p.from on.
func (g *Reading) scanPart(ctx context.Context, p *part) error {
	t, err := g.open(p)
	if err != nil {
		return err
	}
	defer t.Close()
	g.since(p, t)
	r, err := t.From(p.from)
	if err != nil {
		return err
	}
	_, err = g.scan(ctx, r, p)
	return err
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
	err := g.scanPart(ctx, p)
	var gone *outputError
	switch {
	case err == nil, errors.Is(err, errEnough), errors.As(err, &gone), ctx.Err() != nil:
		return err
	case p.archived != nil:
		g.complain(p, err)
		return g.mark(fmt.Sprintf("logfast: the lines of %s cannot be read from the store, or not to their end: %v",
			p.archived.Key, err), p.meta.First)
	case errors.Is(err, os.ErrNotExist):
		return g.mark(fmt.Sprintf("logfast: the lines of %s have just left this host; what was uploaded "+
			"is in the store", p.seg.Name.Stem()), p.meta.First)
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
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	lines := record.NewLines(r, g.block(), 0)
	parser, wrong := record.Parser{Format: p.format}, 0
	for lines.Next() {
		if (lines.Number%1024 == 0 || !lines.Ends) && ctx.Err() != nil {
			return used, ctx.Err()
		}
		switch {
		case p.skip > 0:
			if lines.Ends {
				p.skip--
			}
			continue
		case !p.certain && lines.Begins && lines.Ends:
			p.format, p.certain = record.Sniff(lines.Text), true
			parser.Format = p.format
		}
		switch {
		case p.format == record.Raw:
			err = g.raw(p, lines.Line())
		case lines.Torn():
			continue // not used
		case lines.Begins && !lines.Ends:
			wrong++ // no record is as long
		case lines.Begins:
			var ok bool
			if ok, err = g.line(&parser, lines.Line()); !ok {
				wrong++
			}
		}
		if err != nil {
			return lines.Offset, err
		}
		used = lines.Offset + int64(len(lines.Line()))
	}
	if wrong > 0 {
		g.complain(p, fmt.Errorf("%d lines are no %s records", wrong, p.format))
	}
	return used, lines.Err()
}

// line emits a line, which ends in its newline; ok is false where it is no record.
func (g *Reading) line(parser *record.Parser, line []byte) (ok bool, err error) {
	var rec record.Record
	end := len(line) - 1
	if !parser.Parse(line[:end], &rec) {
		return false, nil
	}
	text := line[end-len(rec.Text):]
	if rec.More {
		text = text[:len(rec.Text)]
	}
	return true, g.emit(rec.Stream, rec.Time, text)
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
