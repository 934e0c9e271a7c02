package cause

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// node reads the stacks of Node.js, Bun and Deno, as they and Next.js, Nest and others
// print them.
//
//	/app/index.js:12
//	    throw new Error("boom");
//	    ^
//
//	Error: boom
//	    at Object.<anonymous> (/app/index.js:12:11)
//
//	Node.js v22.1.0
var node = &family{
	language: "nodejs",
	anchors: []string{
		"Error", "Exception", "error: ", "UnhandledPromiseRejection", "JavaScript heap out", "Uncaught ",
		"(Use `node --trace-uncaught",
	},
	begin:  nodeBegin,
	follow: nodeFollow,
	parse:  nodeParse,
}

// Kinds of Node's causes.
const (
	nodeTrace = iota
	nodeRejection
	nodeHeap
	nodeThrown // what is no error
)

func nodeBegin(c *candidate) bool {
	switch {
	case c.within("JavaScript heap out of memory"):
		c.kind = nodeHeap
		c.within("FATAL ERROR: ")
		return true
	case c.within("(Use `node --trace-uncaught"):
		c.kind, c.back = nodeThrown, nodeSource(c.lane)
		return c.back > 0
	case c.within("[UnhandledPromiseRejection: "), c.within("UnhandledPromiseRejectionWarning: "):
		c.kind = nodeRejection
		return !bytes.Contains(c.line, []byte("UnhandledPromiseRejectionWarning: Unhandled promise rejection"))
	}
	c.col = 0
	if c.at(func(rest []byte) bool { return nodeIsNamed(string(rest[:min(len(rest), 2*MaxType)])) }) ||
		bunError.Match(c.line) {
		if n := nodeSource(c.lane); n > 0 && c.col == 0 {
			c.back = n
		}
		return true
	}
	if !atBegin(c, atNode, nodeIsHead) {
		return false
	}
	for i := 3; i < maxBack; i++ {
		if sourceLine.Match(c.lane.before(i)) {
			c.back = i
			break
		}
	}
	return true
}

// nodeSource returns how many of the last lines show the source of what was thrown.
func nodeSource(l *lane) int {
	for i := 3; i <= 6; i++ {
		if line := l.before(i); sourceLine.Match(line) && len(bytes.TrimSpace(l.before(i-2))) > 0 {
			return i
		}
	}
	return 0
}

var (
	sourceLine = regexp.MustCompile(`^(?:/|file://|node:|[A-Z]:\\)\S*:\d+$`)
	nodeName   = regexp.MustCompile(
		`^(?:\[?(?:Uncaught )?(?:\(in promise\) )?)([A-Z][\w$]*|[a-z]\w*Error)(?: \[(\w+)\])?(?:: |$|:$| \{)`)
	bunError   = regexp.MustCompile(`^(?:error|Error|error: Uncaught(?: \(in promise\))?): ?`)
	nodeInLine = regexp.MustCompile(`\b([A-Z]\w*(?:Error|Exception)|Error): (.*)$`)
	nodeCause  = regexp.MustCompile(`^\s*(?:\[cause\]|cause|\[errors\]):? (?:\[ ?)?(.*)$`)
)

// nodeIsHead reports whether a text begins as an error's stack does.
func nodeIsHead(s string) bool {
	return bunError.MatchString(s) || nodeIsNamed(s)
}

func nodeIsNamed(s string) bool {
	if len(s) == 0 || !isLetter(s[0]) && s[0] != '[' && s[0] != '(' {
		return false
	}
	m := nodeName.FindStringSubmatch(s)
	return m != nil && isFailureName(m[1])
}

func nodeFollow(b *block, line []byte) verdict {
	text := bytes.TrimLeft(line, " \t")
	indented := len(text) < len(line)
	if b.frames == 0 && b.state == 0 && len(b.pending) == 0 {
		b.state = brace(b.lastLine(), 0)
	}
	if b.kind == nodeHeap {
		if bytes.HasPrefix(text, []byte("0x")) || bytes.Contains(line, []byte("node::")) || bytes.HasPrefix(text,
			[]byte("-----")) ||
			bytes.HasPrefix(text, []byte("<---")) || len(text) == 0 || len(text) > 2 && text[0] >= '1' &&
			text[0] <= '9' && bytes.Contains(line, []byte(": 0x")) {
			return belongs
		}
		return over
	}
	switch {
	case b.state == rustChain:
		return rustChainFollow(line)
	case b.frames == 0 && bytes.HasPrefix(b.firstLine(), []byte("Error: ")) &&
		(string(line) == "Caused by:" || rustFirst.Match(line)):
		b.state = rustChain
		return belongs
	case indented && bytes.HasPrefix(text, atWord):
		b.frames++
		b.state = brace(line, b.state)
		return belongs
	case bytes.HasPrefix(line, []byte("Node.js v")), bytes.HasPrefix(line, []byte("Bun v")):
		return last
	case b.state > 0:
		if text = bytes.TrimSpace(text); len(text) > 0 && text[0] == '}' && !indented {
			b.state = 0
			return belongs
		}
		switch {
		case indented:
			return belongs
		case isLog(line):
			return foreign
		}
		return maybe // a line of a string, or the brace is the message's and no line belongs
	case bytes.HasPrefix(text, []byte("digest: ")), indented && nodeCause.Match(line), bytes.HasPrefix(text,
		[]byte("Caused by:")):
		return belongs
	case b.kind == nodeRejection && (bytes.HasPrefix(line, []byte("}")) || indented):
		return belongs
	case len(text) == 0, b.frames == 0 && !isLog(line):
		return maybe
	}
	return foreign
}

// brace returns 1 behind a line that opens the properties of an error.
func brace(line []byte, state int) int {
	if bytes.HasSuffix(bytes.TrimSpace(line), []byte("{")) {
		return 1
	}
	return state
}

func nodeParse(t *trace) (found, bool) {
	switch t.kind {
	case nodeHeap:
		message := strings.TrimPrefix(t.lines[0], "FATAL ERROR: ")
		return found{typ: "heap out of memory", message: message}, true
	case nodeRejection:
		return nodeRejected(t), true
	}
	if strings.HasPrefix(t.lines[0], "Error: ") && slices.ContainsFunc(t.lines, isRustChain) {
		return rustParseError(t)
	}
	if t.kind != nodeThrown && !slices.ContainsFunc(t.lines, isFrame) && !strings.HasPrefix(t.lines[0], "Uncaught ") {
		return found{}, false
	}
	lines := nodeUnsource(t.lines)
	if t.kind == nodeThrown {
		message, _, _ := strings.Cut(join(lines), "\n(Use `node --trace-uncaught")
		return found{typ: "Uncaught", message: message}, true
	}
	var chain []thrown
	headed, listed := false, 0
	frames := 0
	for _, line := range lines {
		if len(line) <= maxKept && isAt([]byte(line)) {
			if m := nodeFrame.FindStringSubmatch(strings.TrimSuffix(line, " {")); m != nil && len(chain) > 0 {
				frames++
				headed = true
				cur := &chain[len(chain)-1]
				if cur.framed = true; cur.frame == "" {
					cur.frame = nodeFrameOf(m[1], m[2])
				}
				continue
			}
		}
		if m := nodeCause.FindStringSubmatch(line); m != nil && len(chain) > 0 {
			if m[1] != "" && m[1] != "[" {
				chain = append(chain, nodeHead(m[1]))
			} else if listed == 0 {
				listed = 1
			}
			continue
		}
		if m := nodeCausedBy.FindStringSubmatch(line); m != nil && headed {
			chain = append(chain, nodeHead(m[1]))
			continue
		}
		switch {
		case listed == 1: // the first one of several
			chain = append(chain, nodeHead(strings.TrimSpace(line)))
			listed = 2
		case listed == 2 && strings.TrimSpace(line) != "":
			if frames > 0 && strings.HasSuffix(line, "},") || nodeIsNamed(strings.TrimSpace(line)) {
				return rootOf(chain, len(chain)-1, -1), true
			}
		case len(chain) == 0 && nodeStarts(line):
			chain = append(chain, nodeHead(line))
		case len(chain) > 0 && !headed && frames == 0:
			chain[0].addLine(line)
		}
	}
	if len(chain) == 0 || frames == 0 && !strings.HasPrefix(t.lines[0], "Uncaught ") {
		return found{}, false
	}
	for i := range chain {
		chain[i].message = strings.TrimSuffix(strings.TrimSuffix(chain[i].text(), " {"), "]")
		chain[i].more = nil
	}
	return rootOf(chain, len(chain)-1, -1), true
}

func isFrame(line string) bool { return isAt([]byte(line)) }

var nodeCausedBy = regexp.MustCompile(`^\s*[Cc]aused by: (.+)$`)

// nodeUnsource cuts off the source that Node shows before an error, up to the carets.
func nodeUnsource(lines []string) []string {
	if len(lines) == 0 || !sourceLine.MatchString(lines[0]) {
		return lines
	}
	for i := 1; i < len(lines) && i < 8; i++ {
		if text := strings.TrimSpace(lines[i]); text != "" && strings.Trim(text, "^~") == "" {
			for i++; i < len(lines)-1 && strings.TrimSpace(lines[i]) == ""; i++ {
				continue
			}
			return lines[i:]
		}
	}
	return lines
}

// nodeStarts reports whether a line is the first one of an error, and not of the source
// that Node shows before.
func nodeStarts(line string) bool {
	h := readHead([]byte(line))
	if isHeadAt([]byte(line), &h, nodeIsHead) {
		return true
	}
	return strings.TrimSpace(line) != "" && !sourceLine.MatchString(line) && !strings.HasPrefix(line, " ")
}

// nodeHead reads the line with the error.
func nodeHead(line string) thrown {
	h := readHead([]byte(line))
	for _, i := range h.starts[:h.n] {
		s := line[i:]
		if !nodeIsHead(s) {
			continue
		}
		if m := nodeName.FindStringSubmatchIndex(s); m != nil && isFailureName(s[m[2]:m[3]]) {
			return thrown{typ: s[m[2]:m[3]], message: strings.TrimSpace(strings.TrimPrefix(s[m[1]:], ":"))}
		}
		rest := s[len(bunError.FindString(s)):]
		if m := nodeName.FindStringSubmatchIndex(rest); m != nil && isFailureName(rest[m[2]:m[3]]) {
			return thrown{typ: rest[m[2]:m[3]], message: strings.TrimSpace(rest[m[1]:])}
		}
		return thrown{typ: "Error", message: rest}
	}
	if m := nodeInLine.FindStringSubmatch(line); m != nil {
		return thrown{typ: m[1], message: m[2]}
	}
	if typ, message, ok := splitHead(line, "$"); ok && typ != "" && isUpper(typ[0]) {
		return thrown{typ: typ, message: message}
	}
	return thrown{typ: "Error", message: strings.TrimSpace(line[h.message:])}
}

// nodeRejected reads an UnhandledPromiseRejection, whose reason may be an error or not.
func nodeRejected(t *trace) found {
	line := t.lines[0]
	if rest, ok := strings.CutPrefix(line, "UnhandledPromiseRejectionWarning: "); ok {
		if nodeIsHead(rest) {
			t.lines = append([]string{rest}, t.lines[1:]...)
			t.kind = nodeTrace
			f, ok := nodeParse(t)
			if !ok {
				h := nodeHead(rest)
				f = found{typ: h.typ, message: h.message}
			}
			return f
		}
		return found{typ: "UnhandledPromiseRejection", message: rest}
	}
	_, message, _ := strings.Cut(line, ": ")
	message = strings.TrimSuffix(strings.TrimSuffix(message, " {"), "]")
	return found{typ: "UnhandledPromiseRejection", message: message}
}

// nodeFrameOf describes a frame, "" if it is not the application's.
func nodeFrameOf(function, path string) string {
	if path == "" || hasAny(path, "node_modules/", `node_modules\`, "/.yarn/", "/usr/lib/node", "/usr/local/lib/") ||
		beginsAny(path, "node:", "internal/", "ext:", "bun:", "deno:", "native", "eval at", "<anonymous>", "https://",
			"http://", "[eval]") ||
		!hasAny(path, "/", ".", `\`) {
		return ""
	}
	if i := strings.Index(function, " [as "); i >= 0 {
		function = function[:i]
	}
	function = strings.TrimPrefix(strings.TrimPrefix(function, "async "), "new ")
	switch function {
	case "Object.<anonymous>", "<anonymous>", "eval", "Module.<anonymous>", "module code", "Timeout._onTimeout":
		function = ""
	}
	return in(function, appPath(path))
}
