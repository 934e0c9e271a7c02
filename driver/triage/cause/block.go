package cause

import (
	"bytes"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/format/record"
)

// What a block keeps of its lines at most: whole lines from its beginning, and from its
// end, each of which may be longer by its last line. It is more than is reported, so that
// a secret of many lines is seen as a whole.
const (
	maxHead    = 24 << 10
	maxTail    = 24 << 10
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
	said   *block // a logger's line just before, which is the cause if this block is not one
	level  level
	stream record.Stream

	first, last place // of its first and last line

	head, tail []string
	size       [2]int // bytes of each
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
		b.push(was)
	}
	b.dropPending()
	b.push(string(line))
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

func (b *block) push(line string) {
	b.n++
	if len(b.tail) == 0 && b.size[0] < maxHead {
		b.head = append(b.head, line)
		b.size[0] += len(line) + 1
		return
	}
	b.tail = append(b.tail, line)
	b.size[1] += len(line) + 1
	if b.size[1] <= 2*maxTail || len(b.tail) < 2 {
		return
	}
	if !b.cut {
		for _, was := range b.head {
			b.trackKey(was)
		}
	}
	n := 0
	for n < len(b.tail)-1 && b.size[1] > maxTail { // not at each line
		b.size[1] -= len(b.tail[n]) + 1
		b.trackKey(b.tail[n])
		n++
	}
	b.tail = append(b.tail[:0], b.tail[n:]...)
	b.cut = true
}

// trackKey follows whether a line that is dropped is within a private key.
func (b *block) trackKey(line string) {
	if i := strings.LastIndex(line, "PRIVATE KEY"); i >= 0 {
		b.inKey = strings.Contains(line[max(0, i-40):i], "BEGIN")
	}
}

// lines returns the lines of the block. If some of them were dropped, an ellipsis stands
// for them.
func (b *block) lines() []string {
	if !b.cut {
		return slices.Concat(b.head, b.tail)
	}
	all := append(slices.Clip(b.head), ellipsis)
	if b.inKey {
		all = append(all, "-----BEGIN PRIVATE KEY-----")
	}
	return append(all, b.tail...)
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
