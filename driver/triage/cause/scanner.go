package cause

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/detect"
)

// Line is one line of a program, joined from its records.
type Line struct {
	Stream record.Stream
	Text   []byte // without the newline
	Number int64  // of the line, as the caller counts
	Offset int64  // of the first byte of its first record
	End    int64  // of the byte behind its last record
	Mark   int64  // opaque number of the caller, such as a time in nanoseconds
}

// place returns where the line is.
func (l *Line) place() place { return place{l.Number, l.Offset, l.End, l.Mark} }

// Scanner finds causes in the lines of a log, one after another. It takes time linear in
// them. It keeps at most about 100 KB for each stream and for each of maxServices services,
// 2 MB in all. It belongs to one goroutine.
type Scanner struct {
	cfg       Config
	normal    normalizer
	streams   [2]lane
	services  map[string]*lane // by stream and name
	key       []byte
	candidate candidate
	panics    bool // for tests: panics of families are not caught
}

// maxServices is how many services in one log are kept apart.
const maxServices = 16

// NewScanner makes a scanner for one log.
func NewScanner(cfg Config) *Scanner {
	if cfg.Redact == nil {
		cfg.Redact = defaultRedact
	}
	return &Scanner{cfg: cfg}
}

// Add takes the next line of the log. It keeps nothing of l.Text, of which it looks at
// detect.MaxLine bytes.
func (s *Scanner) Add(l Line) {
	if len(l.Text) >= detect.MaxLine {
		l.Text = withoutHalf(l.Text[:detect.MaxLine])
	}
	text, source := s.normal.line(l.Text)
	lane := &s.streams[l.Stream&1]
	if source != nil {
		lane = s.service(l.Stream, source)
	}
	l.Text = text
	mask := familiesOf(text)
	if lane.open == nil && mask == 0 {
		lane.keep(text, l.place())
		return
	}
	s.look(lane, &l, mask)
}

// look offers a line to the open block, and then to the families that may begin with it.
func (s *Scanner) look(lane *lane, l *Line, mask uint32) {
	defer s.recovered(lane)
	if lane.open != nil && s.follow(lane, l) {
		return
	}
	if mask == 0 || !s.begin(lane, l, mask) {
		lane.keep(l.Text, l.place())
	}
}

// recovered drops the open block if a family has panicked: a log is others' text, and a bug
// here must cost no more than one cause.
func (s *Scanner) recovered(l *lane) {
	if s.panics {
		return
	}
	if recover() != nil {
		l.open = nil
	}
}

// Close ends the log: causes that it has cut off are complete, in the order in which they
// began.
func (s *Scanner) Close() {
	var open []*lane
	for i := range s.streams {
		open = append(open, &s.streams[i])
	}
	open = slices.AppendSeq(open, maps.Values(s.services))
	open = slices.DeleteFunc(open, func(l *lane) bool { return l.open == nil })
	slices.SortFunc(open, func(x, y *lane) int { return cmp.Compare(x.open.first.offset, y.open.first.offset) })
	for _, l := range open {
		s.end(l)
	}
}

// service returns the lane of a service. If there are too many services, those that come
// later share the lane of their stream.
func (s *Scanner) service(stream record.Stream, name []byte) *lane {
	s.key = append(append(s.key[:0], byte(stream)), name...)
	l := s.services[string(s.key)]
	if l == nil {
		if len(s.services) >= maxServices {
			return &s.streams[stream&1]
		}
		if s.services == nil {
			s.services = map[string]*lane{}
		}
		l = &lane{}
		s.services[string(s.key)] = l
	}
	return l
}

// follow offers a line to the open block and reports whether the block has it. If not,
// the line may begin a cause of its own.
func (s *Scanner) follow(l *lane, line *Line) bool {
	b := l.open
	text := line.Text
	if len(b.prefix) > 0 {
		text = trimPrefix(text, b.prefix)
	}
	switch b.family.follow(b, text) {
	case belongs:
		b.add(text, line.place())
		b.foreign = 0
		return true
	case last:
		b.add(text, line.place())
		s.end(l)
		return true
	case maybe:
		if anchors.find(text) == 0 && b.hold(text) {
			l.keep(line.Text, line.place())
			return true
		}
		if s.begins(l, line) {
			return true
		}
		if !b.hold(text) {
			s.end(l)
		}
		l.keep(line.Text, line.place())
		return true
	case over:
		s.end(l)
		return false
	}
	if s.begins(l, line) {
		return true
	}
	if b.foreign++; b.foreign > maxForeign {
		s.end(l)
	}
	l.keep(line.Text, line.place())
	return true
}

// begins reports whether a line that is not the open block's begins a cause.
func (s *Scanner) begins(l *lane, line *Line) bool {
	mask := familiesOf(line.Text)
	if l.open.family != plain {
		mask &^= plainFamily // a logger's line beside a trace is about the same
	}
	return mask != 0 && s.begin(l, line, mask)
}

// begin looks for the family whose cause the line begins, and opens a block.
func (s *Scanner) begin(l *lane, line *Line, mask uint32) bool {
	c := &s.candidate
	*c = candidate{line: line.Text, lane: l, head: readHead(line.Text)}
	if len(line.Text) > 1 && line.Text[0] == '{' && (line.Text[1] == '"' || line.Text[1] == ' ') {
		mask &= jsonFamily // what is quoted in JSON is for that alone
	}
	if c.head.level == low {
		mask &= lowFamilies
	}
	if b := l.open; b != nil && b.family == plain && b.n == 1 && b.foreign == 0 {
		c.errorLine = slices.Concat(b.prefix, b.firstLine())
	}
	for i, f := range families {
		if mask&(1<<i) == 0 {
			continue
		}
		c.col, c.back, c.kind, c.alone, c.as, c.withErrorLine = 0, 0, 0, false, "", false
		if !f.begin(c) || c.col > maxKept { // so far behind, it is quoted
			continue
		}
		errorLine := l.open
		if errorLine == nil || errorLine.family != plain || errorLine.frames > 0 || f == plain {
			s.end(l)
			errorLine = nil
		}
		s.open(l, line, f, errorLine)
		return true
	}
	return false
}

// open begins a block with the candidate. errorLine is the block of a logger's line just
// before, which is about the same.
func (s *Scanner) open(l *lane, line *Line, f *family, errorLine *block) {
	c := &s.candidate
	b := &block{
		family: f, kind: c.kind, as: c.as, level: c.head.level, stream: line.Stream,
		first: line.place(),
	}
	if c.back = min(c.back, l.has); c.withErrorLine {
		b.first, b.level = errorLine.first, errorLine.level
		b.push(c.errorLine)
	}
	if c.back == 0 {
		b.prefix = append([]byte{}, c.line[:c.col]...)
	}
	b.errorLine = errorLine
	if b.before = string(l.before(c.back + 1)); errorLine != nil {
		b.before = string(clip(slices.Concat(errorLine.prefix, errorLine.firstLine()), maxKept))
	}
	for i := c.back; i > 0; i-- {
		was := &l.prev[(l.n-i)%maxBack]
		if i == c.back {
			b.first = was.place
			b.level = readHead(was.text).level
		}
		b.push(was.text)
	}
	alone := c.alone || f.follow == nil
	rest := c.rest()
	if !alone {
		rest = clip(rest, maxHead)
	}
	b.add(rest, line.place())
	l.open = b
	l.forget()
	if alone {
		s.end(l)
	}
}

// end completes the open block of a lane and reports its cause.
func (s *Scanner) end(l *lane) {
	b := l.open
	if b == nil {
		return
	}
	defer s.recovered(l)
	l.open = nil
	t := &trace{lines: b.lines(), prefix: string(b.prefix), before: b.before, level: b.level, kind: b.kind}
	f, ok := b.family.parse(t)
	language := b.family.language
	if !ok {
		if l.open = b.errorLine; l.open != nil {
			s.end(l)
			return
		}
		if f, ok = plainAfter(t); !ok {
			return
		}
		language = ""
	}
	if f.typ == "" && f.message == "" { // the log's end has cut the exception off
		if f.message = messageOf(t.before); f.message == "" && (f.frame == "" || b.family != python) {
			return
		}
	}
	if f.language == "" {
		f.language = language
		if b.as != "" && language != "" || b.family.language == "" {
			f.language = b.as
		}
	}
	if f.text == nil {
		f.text = t.lines
	}
	s.cfg.Found(&Find{
		Language: f.language, Type: strings.Clone(typeName(f.typ)), Frame: keep(f.frame, maxFindFrame),
		Stream: b.stream, Line: b.first.line, Last: b.last.line, Offset: b.first.offset, End: b.last.end,
		FirstMark: b.first.mark, LastMark: b.last.mark,
		message: keep(f.message, maxFindMessage), text: keepEnds(f.text), redact: s.cfg.Redact,
	})
}

// messageOf returns the message of a logger's line of the level ERROR.
func messageOf(line string) string {
	if h := readHead([]byte(line)); h.level == failure {
		return strings.TrimSpace(line[h.message:])
	}
	return ""
}

// plainAfter reads a block that is no cause of its family as a plain line of a logger.
func plainAfter(t *trace) (found, bool) {
	line := []byte(t.prefix + t.lines[0])
	if anchors.find(line)&plainFamily == 0 || !plainBegin(&candidate{line: line, head: readHead(line)}) {
		return found{}, false
	}
	return plainParse(&trace{lines: t.lines[:1], prefix: t.prefix, level: t.level})
}

// familiesOf returns a bit for each family of which a line may begin a cause.
func familiesOf(text []byte) uint32 {
	mask := anchors.find(text)
	if len(text) > 3 && (text[0] == ' ' || text[0] == '\t') && isAt(text) {
		mask |= atFamilies
	}
	if len(text) > 5 && (text[0] == 'E' || text[0] == 'F') && klog(text[:5]) {
		mask |= plainFamily
	}
	return mask
}

// isAt reports whether an indented line is a frame such as "    at f (a.js:1:2)".
func isAt(line []byte) bool {
	i := skipSpace(line, 0)
	return bytes.HasPrefix(line[i:], atWord)
}

var atWord = []byte("at ")

// atFamilies are the families whose frames begin with "at", plainFamily is plain.
var atFamilies, plainFamily, jsonFamily = maskOf(jvm, dotnet, node), maskOf(plain), maskOf(jsonFields)

// lowFamilies are those whose causes can begin with a line that its logger does not call
// serious. The frames of others bring the line before with them.
var lowFamilies = maskOf(jsonFields, python, golang, rust, php)

func maskOf(wanted ...*family) (mask uint32) {
	for i, f := range families {
		for _, w := range wanted {
			if f == w {
				mask |= 1 << i
			}
		}
	}
	return mask
}
