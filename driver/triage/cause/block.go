package cause

import (
	"bytes"
	"strings"

	"github.com/logfast/logfast/driver/format/record"
)

// What a block keeps of its lines at most, in bytes: whole lines from its beginning and from
// its end. tailSlack is by how much the end may be longer, so that lines are not moved each
// time. It is more than is reported, so that a secret of many lines is seen as a whole.
const (
	maxHead    = 24 << 10
	maxTail    = 24 << 10
	tailSlack  = 8 << 10
	maxPending = 16 << 10
)

// maxMaybe is how many lines in a row may be part of a block before one that surely is,
// maxForeign how many others may stand between two of its lines.
const (
	maxMaybe   = 24
	maxForeign = 3
)

// place is where a line is in the log: its number, the first byte, the byte behind the
// last one, and the caller's mark.
type place struct{ line, offset, end, mark int64 }

// block is a cause of several lines that is being collected.
type block struct {
	family *family
	kind   int
	as     string // language, if it is not the family's
	prefix []byte // before the cause in its first line
	before string // the line before it
	// errorLine is a logger's line just before, which is the cause if this block is not one.
	errorLine *block
	level     level
	stream    record.Stream

	first, last place // of its first and last line

	head, tail []byte // lines, with a newline behind each
	firstEnd   int    // where the first line ends in head
	cut        bool   // lines between them are dropped
	inKey      bool   // the last of these is within a private key

	pending []string // lines that may be part of it
	waiting int      // bytes of them
	foreign int      // lines since the last one that is
	n       int      // lines that are part of it
	state   int      // of follow
	frames  int      // that follow has seen
}

// add adds a line that is part of the block, and those that are known by it to be.
func (b *block) add(line []byte, at place) {
	for _, was := range b.pending {
		b.push([]byte(was))
	}
	b.dropPending()
	b.push(line)
	b.last = at
}

func (b *block) dropPending() { b.pending, b.waiting = b.pending[:0], 0 }

// hold keeps a line until it is known whether it is part of the block. It returns false
// if there are too many of them.
func (b *block) hold(line []byte) bool {
	if len(b.pending) >= maxMaybe || b.waiting+len(line) > maxPending {
		return false
	}
	b.pending = append(b.pending, string(line))
	b.waiting += len(line)
	return true
}

func (b *block) push(line []byte) {
	b.n++
	if len(b.head) == 0 {
		b.firstEnd = len(line)
		b.head = append(append(b.head, line...), '\n')
		return
	}
	if len(b.tail) == 0 && len(b.head)+len(line) < maxHead {
		b.head = append(append(b.head, line...), '\n')
		return
	}
	line = clip(line, maxTail-1)
	if len(b.tail)+len(line)+1 > maxTail+tailSlack {
		b.dropLines(maxTail - len(line) - 1)
	}
	b.tail = append(append(b.tail, line...), '\n')
}

// dropLines drops the first lines of the tail, of which at most so many bytes stay.
func (b *block) dropLines(most int) {
	if !b.cut {
		b.inKey = inKey(b.head, false)
	}
	n := 0
	for len(b.tail)-n > most {
		n += bytes.IndexByte(b.tail[n:], '\n') + 1
	}
	b.inKey = inKey(b.tail[:n], b.inKey)
	b.tail = append(b.tail[:0], b.tail[n:]...)
	b.cut = true
}

// inKey reports whether the end of a text is within a private key. before is the same for
// the beginning.
func inKey(text []byte, before bool) bool {
	if i := bytes.LastIndex(text, []byte("PRIVATE KEY")); i >= 0 {
		return bytes.Contains(text[max(0, i-40):i], []byte("BEGIN"))
	}
	return before
}

// keyBegins stands before the end of a text whose dropped part ends in a private key, so that
// the redaction finds the rest.
const keyBegins = "-----BEGIN PRIVATE KEY-----"

// clip returns at most so many bytes of a line, without a word that is cut.
func clip(line []byte, most int) []byte {
	if len(line) <= most {
		return line
	}
	return withoutHalf(line[:most])
}

// firstLine returns the first line of the block.
func (b *block) firstLine() []byte { return b.head[:b.firstEnd] }

// lastLine returns the last line of the block.
func (b *block) lastLine() []byte {
	text := b.head
	if len(b.tail) > 0 {
		text = b.tail
	}
	text = text[:len(text)-1]
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

// lines returns the lines of the block. If some of them were dropped, an ellipsis stands
// for them.
func (b *block) lines() []string {
	all := splitLines(b.head)
	if b.cut {
		all = append(all, ellipsis)
	}
	if b.inKey {
		all = append(all, keyBegins)
	}
	return append(all, splitLines(b.tail)...)
}

// splitLines divides a text of which each line has a newline behind it.
func splitLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text[:len(text)-1]), "\n")
}

// lane is one source of lines: a stream of the container, or one service of several that
// docker compose has printed together.
type lane struct {
	open *block
	prev [maxBack]kept // the last lines that no cause has, in a ring
	n    int           // lines that were put into it
	has  int           // lines in it that follow each other
}

// kept is one of the last lines.
type kept struct {
	text  []byte
	place place
}

// maxBack is how many of the last lines are kept, maxKept how much of each.
const (
	maxBack = 8
	maxKept = 2 << 10
)

// keep puts a line into the ring.
func (l *lane) keep(text []byte, at place) {
	k := &l.prev[l.n%maxBack]
	if len(text) > maxKept {
		text = withoutHalf(text[:maxKept])
	}
	k.text = append(k.text[:0], text...)
	k.place = at
	l.n++
	l.has = min(l.has+1, maxBack)
}

// forget empties the ring: its lines are part of a cause.
func (l *lane) forget() { l.has = 0 }

// before returns the i-th line before the current one, from 1, nil if there is none.
func (l *lane) before(i int) []byte {
	if i < 1 || i > l.has {
		return nil
	}
	return l.prev[(l.n-i)%maxBack].text
}

// isBlank reports whether a line has nothing to see.
func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
