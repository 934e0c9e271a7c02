package incident

import "bytes"

// tracesNear is how many lines of its stream an error and its traceback may be
// apart, tracesElsewhere how many lines of the text where they are on two streams.
const (
	tracesNear      = 3
	tracesElsewhere = 64
)

// maxTrace is how much of a traceback's beginning, and of its end, is kept
// until it is redacted.
const maxTrace = MaxSample

// trace is a traceback: lines that stand together in one stream.
type trace struct {
	first, end int64  // numbers of its lines in the stream
	seen       int64  // number of its last line in the text
	stamp      []byte // that line's time
	kind       kind
	after      bool   // a Python traceback's frames are over
	head, tail []byte // what is beyond maxTrace of the head
	cut        bool   // something between them is not kept
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
func (t *tracer) add(n int64, line []byte) *trace {
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
			t.begin(n, line)
		}
	}
	t.push(line)
	return t.open
}

// begin begins a traceback where the line is the first sure sign of one. What
// it is about stands before.
func (t *tracer) begin(n int64, line []byte) {
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
	room := maxTrace - len(t.head)
	if len(t.tail) == 0 && len(line) < room {
		t.head = append(append(t.head, line...), '\n')
		return
	}
	t.tail = append(append(t.tail, line[max(0, len(line)-maxTrace):]...), '\n')
	if len(t.tail) > 2*maxTrace { // not at each line
		t.cut = true
		t.tail = append(t.tail[:0], t.tail[len(t.tail)-maxTrace:]...)
	}
}

// text is what is kept of the traceback.
func (t *trace) text() []byte {
	text := append([]byte{}, t.head...)
	if t.cut {
		text = append(text, "…\n"...)
	}
	return bytes.TrimRight(append(text, t.tail...), "\n")
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
			t.prev[i] = bytes.Clone(line[:min(len(line), MaxSample)])
			t.mine[i] = true
		}
	}
}
