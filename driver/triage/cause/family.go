package cause

import (
	"bytes"
	"strings"
)

// family is what one family of formats knows. Families hold no state: what a block
// remembers between its lines is in the block.
type family struct {
	language string
	// anchors are texts of minAnchor bytes or more. Each line that begins a cause of the
	// family has one of them: begin sees no other lines.
	anchors []string
	// begin reports whether the line begins a cause, and describes the block to collect.
	begin func(c *candidate) bool
	// follow says what the next line is to the block. It is nil if each cause is one line.
	follow func(b *block, line []byte) verdict
	// parse reads the cause from the lines of the block, without the prefix that stands
	// before each of them. It returns false if the lines are no cause after all.
	parse func(t *trace) (found, bool)
}

// families lists all families. If a line begins causes of several, the first one has it.
var families = []*family{
	jsonFields,
	python,
	jvm,
	dotnet,
	golang,
	rust,
	php,
	ruby,
	beam,
	node,
	native,
	scripts,
	webserver,
	process,
	plain,
}

// verdict says what a line is to an open block.
type verdict uint8

const (
	// foreign: the line is not part of the block, which may continue after it.
	foreign verdict = iota
	// over: the line is not part of the block, and the block has ended.
	over
	// maybe: the line is part of the block if a line that belongs to it follows.
	maybe
	// belongs: the line is part of the block.
	belongs
	// last: the line is the last part of the block.
	last
)

// candidate is a line that may begin a cause. begin sets the fields behind lane.
type candidate struct {
	line []byte // without colours and without the prefixes that prefix.go knows
	lane *lane  // has the lines before
	head head   // what a logger wrote before the message
	// errorLine is the line before, if it is a logger's of the level ERROR.
	errorLine []byte

	col           int    // offset of the cause in the line; the text before it is the prefix
	back          int    // how many of the lines before belong to the cause
	kind          int    // for follow and parse
	alone         bool   // the cause is this line
	withErrorLine bool   // errorLine is the cause's first line
	as            string // language, if it is not the family's
}

// rest is the line from the place where the cause begins.
func (c *candidate) rest() []byte { return c.line[c.col:] }

// at tries the line's beginning and the places behind each part of a logger's prefix. It
// takes the first one for which ok returns true.
func (c *candidate) at(ok func(rest []byte) bool) bool {
	for _, col := range c.head.starts[:c.head.near] {
		if ok(c.line[col:]) {
			c.col = col
			return true
		}
	}
	return false
}

// anywhere is at for the places behind a colon or a dash in the message, too.
func (c *candidate) anywhere(ok func(rest []byte) bool) bool {
	for _, col := range c.head.starts[:c.head.n] {
		if ok(c.line[col:]) {
			c.col = col
			return true
		}
	}
	return false
}

// within takes the place of a text in the line.
func (c *candidate) within(text string) bool {
	i := bytes.Index(c.line, []byte(text))
	if i >= 0 {
		c.col = i
	}
	return i >= 0
}

// trace is a complete block for parse.
type trace struct {
	lines  []string
	prefix string // what stands before the cause in its first line
	before string // the line before the first one, "" if it belongs to another cause
	level  level  // of the first line
	kind   int
}

// doubtful reports whether a line that has no frames behind it is no cause: its logger does
// not call it a warning at least, or it stands in a sentence.
func (t *trace) doubtful() bool {
	return t.level == low || t.level < warning && strings.TrimSpace(t.prefix) != ""
}

// found is what parse reads from a trace.
type found struct {
	language            string // if it is not the family's
	typ, message, frame string
	text                []string // the stack trace, if it is not the block's lines
}

// thrown is one exception of a chain.
type thrown struct {
	typ, message, frame string
	framed              bool // a frame was seen, the application's or not

	more []byte // lines that follow the message, with a newline before each
}

// addLine adds a line to the message.
func (e *thrown) addLine(line string) {
	switch line = strings.TrimRight(line, " "); {
	case e.message == "":
		e.message = line
	case len(e.message)+len(e.more) <= maxHead:
		e.more = append(append(e.more, '\n'), line...)
	}
}

// text returns the message with the lines that were added to it.
func (e *thrown) text() string { return e.message + string(e.more) }

// rootOf describes the chain by its root. The chain's frames are looked for in the order
// of the chain from the root on, by step 1 or -1.
func rootOf(chain []thrown, root, step int) found {
	f := found{typ: chain[root].typ, message: strings.TrimSpace(chain[root].text()), frame: chain[root].frame}
	for i := root; f.frame == "" && i >= 0 && i < len(chain); i += step {
		f.frame = chain[i].frame
	}
	return f
}
