package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/detect"
)

// Selection says which lines of a segment are wanted, and how.
type Selection struct {
	Since, Until time.Time // zero: without bound; records without a time are always within

	// Lines joins the records of a long line. Without it each record is a
	// line of its own, and nothing below is looked at.
	Lines   bool
	Pattern *Pattern        // nil: any
	Invert  bool            // lines that do not match
	Status  detect.Detector // lines in which it finds an error; nil: any
	All     bool            // the other lines too, told apart by Line.Match

	// last is how many of the last lines of each segment are wanted at least; 0: all.
	// The text of lines does not matter then.
	last int64
}

// match reports whether a line is wanted.
func (s *Selection) match(text []byte) bool {
	if s.Pattern != nil && s.Pattern.Match(text) == s.Invert {
		return false
	}
	if s.Status != nil {
		_, found := s.Status.Detect(text)
		return found
	}
	return true
}

// filters reports whether a line's text decides.
func (s *Selection) filters() bool { return s.Pattern != nil || s.Status != nil }

const (
	// blockSize is how much text is read at once, in bytes, and minBlock how
	// much where many segments are read at the same time.
	blockSize = 128 << 10
	minBlock  = 16 << 10

	// blocks is what all blocks together may take, in bytes, before they
	// become smaller.
	blocks = 64 << 20

	// maxLine is the longest line that is put together, in bytes of what the
	// program wrote: a longer one goes on as a line of its own. minLine is the
	// same if many segments are read at the same time.
	maxLine = 1 << 20
	minLine = 64 << 10

	// maxRefs is how many lines a batch has: of short lines, what is noted
	// about them takes more memory than their bytes.
	maxRefs = 8 << 10

	// longPiece is what Docker cuts a long line into, in bytes.
	longPiece = 16 << 10
)

// batch is lines of one segment on their way to whoever merges them.
type batch struct {
	buf  []byte
	refs []ref
}

// ref is a line in a batch.
type ref struct {
	time               int64
	raw, text, textEnd uint32 // where in buf; raw ends where text does, unless separate
	rawEnd             uint32
	stream             record.Stream
	match              bool
	early              bool // the first of its stream in the segment: may go on with an older line
	open               bool // the last of its stream: may go on in the next segment
}

// scanner reads one segment. It belongs to one goroutine.
type scanner struct {
	sel   *Selection
	seg   *Segment
	since int64
	until int64
	size  int // of a block
	most  int // bytes of a line that are put together

	ctx    context.Context // of the scan, for batches that are sent in the middle of a block
	out    *batch
	send   func(ctx context.Context, b *batch, wait bool) bool // false: it was not taken
	fresh  func() *batch
	read   func(n int) // told of text that was read
	parser record.Parser
	find   finder
	last   int64 // time of the last record
	joins  [2]join
	seen   [2]bool
	later  bool // the beginning of the segment is over, or was passed over
}

// join is a line of which some records have come.
type join struct {
	raw, text []byte
	time      int64
}

// errEnough: nothing that comes later in the segment is wanted.
var errEnough = errors.New("enough")

// begin makes the scanner ready.
func (s *scanner) begin(ctx context.Context) {
	s.ctx = ctx
	if s.most == 0 {
		s.most = maxLine
	}
	s.since, s.until = math.MinInt64, math.MaxInt64
	if !s.sel.Since.IsZero() {
		s.since = s.sel.Since.UnixNano()
	}
	if !s.sel.Until.IsZero() {
		s.until = s.sel.Until.UnixNano()
	}
	if s.sel.Pattern != nil {
		s.find.literals = s.sel.Pattern.literals
	}
	s.last = s.seg.First.UnixNano()
	s.out = s.fresh()
}

// scan reads text to its end.
func (s *scanner) scan(ctx context.Context, r io.Reader) error {
	s.begin(ctx)
	err := s.blocks(ctx, r)
	if errors.Is(err, errEnough) {
		err = nil
	}
	s.rest()
	s.flush(ctx, true)
	return err
}

// from returns where in its text the scanner may begin: the lines before are not
// wanted. Their text is not unpacked but for what finding that place takes.
func (s *scanner) from(t *spool.Text) (from int64) {
	text, size := t.At()
	since := s.sel.Since.Add(-slack)
	bySince := !s.sel.Since.IsZero() && s.seg.First.Before(since)
	byCount := s.sel.last > 0 && (s.seg.Lines < 0 || s.seg.Lines > s.sel.last)
	format, err := record.ParseFormat(s.seg.Stream.Format)
	if text == nil || err != nil || !bySince && !byCount {
		return 0
	}
	s.parser.Format = format
	block := make([]byte, s.size)
	if byCount {
		ends := func(line []byte) bool {
			r, ok := record.Split(format, line)
			return ok && (!r.More || !s.sel.Lines)
		}
		from, err = record.LastLines(text, size, s.sel.last, block, ends)
		// The first of them may have begun before, with pieces of the other stream between.
		if from = max(0, from-2*maxLine); from > 0 && err == nil {
			from, err = record.LastLines(text, from, 1, block, nil)
		}
		if err != nil {
			return 0 // reading it from its start tells the same, and what is wrong
		}
	}
	if bySince && format != record.Raw {
		from = s.parser.Seek(text, from, size, since.UnixNano(), block)
	}
	return from
}

// blocks reads block after block, each up to its last newline.
func (s *scanner) blocks(ctx context.Context, r io.Reader) error {
	lines := record.NewLines(r, make([]byte, s.size), s.most)
	for lines.NextBlock() {
		b := lines.Line()
		s.read(len(b))
		if err := ctx.Err(); err != nil {
			return err // whoever asked has gone
		}
		if lines.Torn() {
			if lines.Err() == nil {
				s.torn(b)
			}
			break
		}
		if !s.later {
			s.sniff(b)
		}
		if err := s.block(b); err != nil {
			return err
		}
		s.later = true
		s.flush(ctx, false)
	}
	return lines.Err()
}

// sniff finds out the format where nobody knows it.
func (s *scanner) sniff(block []byte) {
	var err error
	if s.parser.Format, err = record.ParseFormat(s.seg.Stream.Format); err != nil {
		line, _, _ := bytes.Cut(block, newline)
		s.parser.Format = record.Sniff(line)
	}
}

// torn takes what stands behind the last newline: of raw text a line that goes
// on, of others what a crash has left of a record.
func (s *scanner) torn(b []byte) {
	if len(b) == 0 {
		return
	}
	if !s.later {
		s.sniff(b)
	}
	if s.parser.Format == record.Raw {
		s.piece(b, b, s.seg.First.UnixNano(), record.Stdout, true)
	} else if !s.seg.Active {
		s.record(b)
	}
}

// block takes whole lines.
func (s *scanner) block(b []byte) error {
	if s.parser.Format != record.Raw {
		switch first, last := s.edges(b); {
		case first > s.until && first-s.until > int64(slack):
			return errEnough
		case last < s.since && s.since-last > int64(slack) && !s.joining():
			return nil
		}
	}
	if len(s.find.literals) == 0 || s.sel.All || s.sel.Invert || !s.later || s.joining() ||
		s.parser.Format != record.Raw && hasLong(b) {
		s.records(b)
		return nil
	}
	s.find.begin()
	for from := 0; from < len(b); {
		at := s.find.find(b, from)
		if at < 0 {
			return nil
		}
		start, end := from+bytes.LastIndexByte(b[from:at], '\n')+1, len(b)
		if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
			end = at + i
		}
		from = end + 1
		if s.record(b[start:end]) { // a line that has only begun
			s.records(b[min(from, len(b)):])
			return nil
		}
	}
	return nil
}

// edges returns the times of a block's first and last records; where they have
// none, ones that exclude nothing.
func (s *scanner) edges(b []byte) (first, last int64) {
	first, last = math.MinInt64, math.MaxInt64
	if s.since == math.MinInt64 && s.until == math.MaxInt64 {
		return first, last
	}
	var rec record.Record
	if line, _, _ := bytes.Cut(b, newline); s.parse(line, &rec) {
		first = rec.Time
	}
	end := bytes.TrimSuffix(b, newline)
	if s.parse(end[bytes.LastIndexByte(end, '\n')+1:], &rec) {
		last = rec.Time
	}
	return first, last
}

// joining reports whether a line has begun and not ended.
func (s *scanner) joining() bool { return len(s.joins[0].raw) > 0 || len(s.joins[1].raw) > 0 }

// hasLong reports whether a block may hold a piece of a long line: some line
// in it is that long. It looks at few bytes.
func hasLong(b []byte) bool {
	for len(b) > longPiece {
		i := bytes.LastIndexByte(b[:longPiece], '\n')
		if i < 0 {
			return true
		}
		b = b[i+1:]
	}
	return false
}

func (s *scanner) records(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			i = len(b)
		}
		s.record(b[:i])
		b = b[min(i+1, len(b)):]
	}
}

// record takes a line of the text. It reports whether a line goes on after it.
func (s *scanner) record(line []byte) (more bool) {
	var rec record.Record
	if !s.parse(line, &rec) {
		rec = record.Record{Time: s.last, Text: line}
	}
	s.last = rec.Time
	s.piece(line, rec.Text, rec.Time, rec.Stream, rec.More)
	return rec.More
}

func (s *scanner) parse(line []byte, rec *record.Record) bool {
	if s.parser.Format == record.Raw {
		*rec = record.Record{Time: s.seg.First.UnixNano(), Text: line}
		return true
	}
	return s.parser.Parse(line, rec)
}

// piece takes a record.
func (s *scanner) piece(raw, text []byte, at int64, stream record.Stream, more bool) {
	if !s.sel.Lines {
		if s.within(at) {
			s.emit(raw, text, ref{time: at, stream: stream, match: true})
		}
		return
	}
	j := &s.joins[stream]
	if !more && len(j.raw) == 0 {
		s.line(raw, text, at, stream, false)
		return
	}
	if len(j.raw) == 0 {
		j.time = at
	} else if s.parser.Format != record.Raw {
		j.raw = append(j.raw, '\n')
	}
	j.raw, j.text = append(j.raw, raw...), append(j.text, text...)
	// Records of few bytes, or none, are longer than their text.
	if !more || len(j.text) >= s.most || len(j.raw) >= 2*s.most {
		s.line(j.raw, j.text, j.time, stream, false)
		j.raw, j.text = j.raw[:0], j.text[:0]
	}
}

// rest takes lines of which the segment has no end.
func (s *scanner) rest() {
	for stream := range s.joins {
		if j := &s.joins[stream]; len(j.raw) > 0 {
			s.line(j.raw, j.text, j.time, record.Stream(stream), true)
		}
	}
}

// line takes a whole line, or with open as much as the segment has of it.
func (s *scanner) line(raw, text []byte, at int64, stream record.Stream, open bool) {
	early := !s.seen[stream] && !s.later
	s.seen[stream] = true
	if !s.within(at) {
		return
	}
	match := s.sel.match(text)
	if match || s.sel.All || early || open {
		s.emit(raw, text, ref{time: at, stream: stream, match: match, early: early, open: open})
	}
}

func (s *scanner) within(at int64) bool {
	return s.parser.Format == record.Raw || s.since <= at && at <= s.until
}

// emit copies a line into the batch.
func (s *scanner) emit(raw, text []byte, r ref) {
	b := s.out
	r.raw = uint32(len(b.buf))
	b.buf = append(b.buf, raw...)
	r.rawEnd = uint32(len(b.buf))
	if len(text) <= len(raw) && bytes.HasSuffix(raw, text) {
		r.text, r.textEnd = r.rawEnd-uint32(len(text)), r.rawEnd
	} else {
		r.text = r.rawEnd
		b.buf = append(b.buf, text...)
		r.textEnd = uint32(len(b.buf))
	}
	if b.refs = append(b.refs, r); len(b.refs) >= maxRefs || len(b.buf) >= 2*s.size {
		s.flush(s.ctx, true)
	}
}

// flush hands the batch over: when it is full, at the end, or when somebody
// waits for it.
func (s *scanner) flush(ctx context.Context, end bool) {
	if len(s.out.refs) > 0 && s.send(ctx, s.out, end || len(s.out.buf) >= s.size/2) {
		s.out = s.fresh()
	}
}

var newline = []byte("\n")

// firstTime is the time of a file's first record; zero where it has none.
func firstTime(f *os.File, format string) time.Time {
	head := record.NewLines(io.NewSectionReader(f, 0, 64<<10), make([]byte, 64<<10), 0)
	as, err := record.ParseFormat(format)
	var rec record.Record
	if err != nil || !head.Next() || record.Parse(as, head.Text, &rec) != nil || rec.Time == 0 {
		return time.Time{}
	}
	return time.Unix(0, rec.Time).UTC()
}
