package incident

import (
	"bytes"
	"slices"

	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/redact"
)

// tracesNear is how many lines of its stream an error and its traceback may be
// apart, tracesElsewhere how many lines of the text where they are on two streams.
const (
	tracesNear      = 3
	tracesElsewhere = 64
)

// maxTrace is how much of a traceback's beginning, and of its end, is kept until it is
// redacted: whole lines, of which the last may be longer. It is far more than is quoted, so
// that a secret of many lines is seen as a whole.
const maxTrace = 16 << 10

// trace is a traceback: lines that stand together in one stream.
type trace struct {
	first, end int64  // numbers of its lines in the stream
	seen       int64  // number of its last line in the text
	stamp      []byte // that line's time
	kind       kind
	after      bool   // a Python traceback's frames are over
	head, tail []byte // whole lines; what is beyond maxTrace of the head
	cut        bool   // something between them is not kept
	inKey      bool   // the part that was dropped ends within a private key
	wanted     bool   // a sample that will stay has it
	quoted     string // what is quoted of it, once that is known; head and tail are gone
}

type kind uint8

const (
	python kind = iota + 1
	java        // .NET, Node.js and others that write "at …"
	golang
)

// tracer follows one stream's lines for tracebacks. A line that cannot begin one
// costs it a look at its first byte.
type tracer struct {
	open *trace    // the one that goes on
	last *trace    // the latest, open or not
	prev [3][]byte // the last lines, latest first
	mine [3]bool   // they are the tracer's own
}

// add takes the stream's next line and returns the traceback that it belongs to.
func (t *tracer) add(r *Redactor, n int64, line []byte) *trace {
	if t.open != nil {
		if t.open.goesOn(line) {
			t.open.add(n, line)
			t.push(line)
			return t.open
		}
		t.open = nil
	}
	if len(line) > 0 {
		switch line[0] {
		case ' ', '\t', 'T', 'g':
			t.begin(r, n, line)
		}
	}
	t.push(line)
	return t.open
}

// begin begins a traceback where the line is the first sure sign of one. What
// it is about stands before.
func (t *tracer) begin(r *Redactor, n int64, line []byte) {
	before := t.last
	text := bytes.TrimLeft(line, " \t")
	switch {
	case bytes.HasPrefix(text, pythonHead):
		t.open = &trace{first: n, kind: python}
	case bytes.HasPrefix(text, atFrame) && len(text) < len(line):
		t.open = &trace{first: n - 1, kind: java}
		t.open.add(n-1, t.prev[0])
	case bytes.HasPrefix(line, goroutine) && bytes.HasSuffix(line, []byte("]:")):
		t.open = &trace{kind: golang}
		from := 0
		for i, was := range t.prev {
			if bytes.Contains(was, []byte("panic")) || bytes.HasPrefix(was, []byte("fatal error")) {
				from = i + 1
				break
			}
		}
		t.open.first = n - int64(from)
		for i := from - 1; i >= 0; i-- {
			t.open.add(n-int64(i)-1, t.prev[i])
		}
	default:
		return
	}
	t.open.add(n, line)
	t.last = t.open
	if before != nil && before.wanted { // there may be many of them, and little is quoted
		before.quote(r)
	}
}

var (
	pythonHead = []byte("Traceback (most recent call last)")
	atFrame    = []byte("at ")
	goroutine  = []byte("goroutine ")
)

// goesOn reports whether the line belongs to the traceback.
func (t *trace) goesOn(line []byte) bool {
	indented := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
	begins := func(words ...string) bool {
		for _, w := range words {
			if bytes.HasPrefix(line, []byte(w)) {
				return true
			}
		}
		return false
	}
	switch t.kind {
	case python:
		if t.after {
			again := begins("Traceback (most recent")
			t.after = !again
			return again || len(line) == 0 || begins("During handling of", "The above exception")
		}
		t.after = !indented // the exception itself
		return true
	case java:
		return indented || begins("Caused by:", "Suppressed:")
	default:
		return indented || len(line) == 0 || begins("goroutine ", "created by ", "panic(") || line[len(line)-1] == ')'
	}
}

func (t *trace) add(n int64, line []byte) {
	t.end = n
	if len(line) >= detect.MaxLine { // cut, maybe within a secret
		line = redact.Half(line)
	}
	if len(t.tail) == 0 && len(t.head) < maxTrace {
		t.head = append(append(t.head, line...), '\n')
		return
	}
	t.tail = append(append(t.tail, line...), '\n')
	if len(t.tail) > 2*maxTrace+len(line) { // not at each line
		t.drop(len(t.tail) - len(line) - 1 - maxTrace)
	}
}

// drop drops the lines that begin in the first n bytes of the tail.
func (t *trace) drop(n int) {
	n += bytes.IndexByte(t.tail[n:], '\n') + 1
	gone := t.tail[:n]
	if i := bytes.LastIndex(gone, privateKey); i >= 0 || !t.cut && bytes.Contains(t.head, privateKey) {
		if i < 0 {
			gone, i = t.head, bytes.LastIndex(t.head, privateKey)
		}
		t.inKey = bytes.Contains(gone[max(0, i-40):i], []byte("BEGIN"))
	}
	t.cut = true
	t.tail = append(t.tail[:0], t.tail[n:]...)
}

var privateKey = []byte("PRIVATE KEY")

// quote returns what is quoted of the traceback: redacted as a whole, then cut.
func (t *trace) quote(r *Redactor) string {
	if t.head == nil {
		return t.quoted
	}
	text := append([]byte{}, t.head...)
	if t.cut {
		if text = r.Redact(text); t.inKey {
			t.tail = append([]byte("-----BEGIN PRIVATE KEY-----\n"), t.tail...)
		}
		text = append(append(slices.Clip(text), "…\n"...), r.Redact(t.tail)...)
	} else {
		text = r.Redact(append(text, t.tail...))
	}
	t.quoted = cutMiddle(bytes.TrimRight(text, "\n"))
	t.head, t.tail = nil, nil
	return t.quoted
}

func (t *tracer) push(line []byte) {
	t.prev = [3][]byte{line, t.prev[0], t.prev[1]}
	t.mine = [3]bool{false, t.mine[0], t.mine[1]}
}

// keep makes the last lines the tracer's own, before their memory is somebody
// else's again.
func (t *tracer) keep() {
	for i, line := range t.prev {
		if !t.mine[i] && line != nil {
			t.prev[i] = bytes.Clone(line)
			t.mine[i] = true
		}
	}
}
