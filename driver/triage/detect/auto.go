package detect

import (
	"bytes"
	"sync"
)

// Auto knows the formats that web servers, proxies and frameworks print. Its
// rules look for the one place of a line where the program put the status of
// its own answer; the first rule that finds such a place decides, whatever the
// status is. So a size, a latency, a URL, a header or an upstream's status
// never counts. docs/detection.md lists the rules.
//
// It takes time linear in the line's length and does not allocate.
type Auto struct{}

// Detect implements Detector: a status of 500 to 599 is a server error.
func (Auto) Detect(line []byte) (Match, bool) {
	m, found, _ := Auto{}.Look(line)
	return m, found
}

// Look is Detect and Named in one, for the price of Detect.
func (Auto) Look(line []byte) (m Match, found, named bool) {
	if named = Named(line); !named && !mayBePhrase(phraseHead(line)) {
		return m, false, false
	}
	m = Auto{}.Explain(line)
	if m.Status < firstStatus || m.Status > lastStatus {
		return Match{}, false, named
	}
	return m, true, named
}

// Explain is Detect without its limits: it returns the final status of any
// class, with the rule that found it. Rule is "" if no rule did. If a rule
// found the place of the status and no status in it, Status is 0.
func (Auto) Explain(line []byte) Match {
	return decide(line, 0)
}

// maxNesting is how many lines within lines are read: a container engine's
// JSON around a program's JSON around an access log is three.
const maxNesting = 3

func decide(line []byte, nesting int) Match {
	line = bytes.TrimRight(line, " \t\r\n")
	if !coloured(line) {
		return plain(line, nesting)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = stripColours((*buf)[:0], line)
	m := plain(*buf, nesting)
	if m.Status >= firstStatus && !mayReport(line) {
		return Match{} // digits that only met when a colour between them went
	}
	return relocate(line, m)
}

// plain decides a line without colours.
func plain(line []byte, nesting int) Match {
	if m, ok := columns(line); ok {
		return m
	}
	if at := wrapped(line); at > 0 {
		if line = line[at:]; len(line) == 0 {
			return Match{}
		}
		if m, ok := columns(line); ok {
			return m
		}
	}
	w := newWalker(line, nesting)
	defer w.free()
	if objectAt(line, 0) || len(line) > 1 && line[0] == '{' && space(line[1]) {
		if w.json() == decided {
			return w.match
		}
		if w.i >= len(line) {
			return symfonyJSON(line)
		}
		w.prev = prose
	}
	return w.walk()
}

// buffers hold lines that had to be rewritten before they could be read.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// relocate makes the match of a rewritten line alias the line itself. What is
// not in the line as it stands is left out.
func relocate(line []byte, m Match) Match {
	m.Method, m.Path = within(line, m.Method), within(line, m.Path)
	return m
}

func within(line, part []byte) []byte {
	if len(part) == 0 {
		return nil
	}
	if i := bytes.Index(line, part); i >= 0 {
		return line[i : i+len(part) : i+len(part)]
	}
	if bytes.IndexByte(part, '/') < 0 || !bytes.Contains(line, []byte(`\/`)) {
		return nil
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	escaped := (*buf)[:0]
	for _, c := range part {
		if c == '/' {
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, c)
	}
	*buf = escaped
	if i := bytes.Index(line, escaped); i >= 0 {
		return line[i : i+len(escaped) : i+len(escaped)]
	}
	return nil
}

// mayReport reports whether a line can be a server error at all: 500 to 599
// stands in it as a word, or one of the phrases that mean one. It is what a
// clean line costs.
func mayReport(line []byte) bool { return Named(line) || mayBePhrase(phraseHead(line)) }

// Named reports whether 500 to 599 stands in a line as a word. A part of a path
// is no word.
func Named(line []byte) bool {
	for i := 0; ; {
		j := bytes.IndexByte(line[i:], '5')
		if j < 0 {
			return false
		}
		i += j + 1
		if i+2 > len(line) {
			return false
		}
		if digit(line[i]) && digit(line[i+1]) && ends(line[i+2:]) &&
			bordered(line[:i-1], i+2 < len(line) && line[i+2] == ' ') {
			return true
		}
	}
}

// phraseHead returns the part of a line in which phrases are looked for. They
// stand before any quote, but for those that are a value: so an access log pays
// little here.
func phraseHead(line []byte) []byte {
	if i := bytes.IndexByte(line, '"'); i > 0 && line[i-1] != '=' && line[0] != '{' {
		return line[:i]
	}
	return line
}

// ends reports whether a number may end before this text. Browsers call
// themselves 537.36, JSON may write 500.0.
func ends(after []byte) bool {
	switch n := len(after); {
	case n == 0:
		return true
	case after[0] == '.' && n > 1 && digit(after[1]):
		return after[1] == '0' && (n == 2 || !digit(after[2]))
	default:
		return !alnum(after[0]) && after[0] != '_'
	}
}

// bordered reports whether a number may begin after this text, and before a
// blank if after says so. An "m" may end
// a colour; a letter after a backslash is an escaped tab or newline.
func bordered(before []byte, after bool) bool {
	n := len(before)
	if n == 0 {
		return true
	}
	c := before[n-1]
	if c == '/' {
		return after // "TCP_MISS/503 217", but not "/errors/503"
	}
	return !alnum(c) && c != '.' && c != '_' || c == 'm' || (c == 't' || c == 'n') && n > 1 && before[n-2] == '\\'
}

// Colours are ANSI's CSI sequences, ESC [ … letter. Writers that escape
// control bytes leave other spellings of ESC, and some leave nothing of it.
var escapes = [...]string{"\x1b", `\x1b`, `\u001b`, `\u001B`, `\033`, `\e`, "#033", "^["}

func coloured(line []byte) bool {
	for rest := line; ; {
		i := bytes.IndexByte(rest, 'm')
		if i < 0 {
			return bytes.IndexByte(line, 0x1b) >= 0
		}
		if colourBefore(rest[:i]) >= 0 {
			return true
		}
		rest = rest[i+1:]
	}
}

// maxColour bounds a colour's parameters: "38;2;255;255;255".
const maxColour = 20

// colourBefore returns where the "[" of "[31" is that ends b, or -1.
func colourBefore(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-maxColour; i-- {
		switch c := b[i]; {
		case c == '[':
			return i
		case !digit(c) && c != ';':
			return -1
		}
	}
	return -1
}

// stripColours appends src without colours to dst.
func stripColours(dst, src []byte) []byte {
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == 'm':
			if at := colourBefore(dst); at >= 0 {
				dst = dst[:at]
				for _, esc := range escapes {
					// Behind a backslash a backslash is no escape, and to cut
					// there would free the quote after it.
					if rest, ok := bytes.CutSuffix(dst, []byte(esc)); ok &&
						(esc[0] != '\\' || !bytes.HasSuffix(rest, []byte{'\\'})) {
						dst = rest
						break
					}
				}
				continue
			}
			dst = append(dst, c)
		case c == 0x1b && i+1 < len(src) && src[i+1] == '[':
			end := i + 2
			for end < len(src) && end < i+maxColour && (digit(src[end]) || src[end] == ';' || src[end] == '?') {
				end++
			}
			if end < len(src) && letter(src[end]) {
				i = end
				continue
			}
			dst = append(dst, c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
