package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// rust reads panics. The chains of errors that anyhow and eyre print begin as Node's errors
// do, so that node hands them to rustParseError.
//
//	thread 'main' panicked at src/main.rs:4:5:
//	index out of bounds: the len is 3 but the index is 5
//	stack backtrace:
//	   2: shop::pricing::mean
//	             at ./src/pricing.rs:5:10
var rust = &family{
	language: "rust",
	anchors:  []string{"panicked at ", "fatal runtime error: "},
	begin:    rustBegin,
	follow:   rustFollow,
	parse:    rustParse,
}

var (
	rustPanicked = regexp.MustCompile(`^thread '([^']*)'(?: \(\d+\))? panicked at (.*)$`)
	rustOld      = regexp.MustCompile(`^'(.*)', (\S+?)(?::\d+)*$`) // before Rust 1.73
	rustFrame    = regexp.MustCompile(`^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(.+)$`)
	rustHash     = regexp.MustCompile(`::h[0-9a-f]{16}$`)
	rustCause    = regexp.MustCompile(`^\s{2,}(?:\d+: )?(.+)$`)
)

func rustBegin(c *candidate) bool {
	if c.within("thread '") && bytes.Contains(c.line, []byte("panicked at ")) {
		return true
	}
	return c.within("fatal runtime error: ")
}

func rustFollow(b *block, line []byte) verdict {
	indented := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
	switch {
	case b.n == 1 && !isLog(line):
		return belongs // the message
	case bytes.HasPrefix(line, []byte("stack backtrace:")), bytes.HasPrefix(line, []byte("note: ")):
		b.frames++
		return belongs
	case indented && b.frames > 0:
		return belongs
	case b.frames == 0 && !isLog(line):
		return maybe
	}
	return foreign
}

// rustChain is the state of a block of Node's that has turned out to be a chain of anyhow's:
// both begin with "Error: ".
const rustChain = 2

// rustFirst is the first of eyre's causes, which stands right behind "Error:".
var rustFirst = regexp.MustCompile(`^\s+0: `)

func isRustChain(line string) bool { return line == "Caused by:" || rustFirst.MatchString(line) }

func rustChainFollow(line []byte) verdict {
	switch {
	case len(line) == 0:
		return maybe
	case line[0] == ' ', line[0] == '\t', bytes.HasPrefix(line, []byte("Stack backtrace:")), bytes.HasPrefix(line,
		[]byte("Location:")):
		return belongs
	}
	return over
}

func rustParse(t *trace) (found, bool) {
	f := found{typ: "panic"}
	if rest, ok := strings.CutPrefix(t.lines[0], "fatal runtime error: "); ok {
		f.typ, f.message = "fatal runtime error", rest
		return f, true
	}
	m := rustPanicked.FindStringSubmatch(t.lines[0])
	if m == nil {
		return f, false
	}
	var message []string
	place := strings.TrimSuffix(m[2], ":")
	if old := rustOld.FindStringSubmatch(m[2]); old != nil {
		message, place = []string{old[1]}, old[2]
	} else if i := strings.Index(place, ".rs:"); i >= 0 {
		place = place[:i+3]
	}
	rest := t.lines[1:]
	for i, line := range rest {
		if beginsAny(line, "stack backtrace:", "note: ") {
			f.frame = rustFrameOf(rest[i:])
			break
		}
		message = append(message, line)
	}
	f.message = join(message)
	if f.frame == "" && !hasAny(place, "/rustc/", "/.cargo/", "/rustlib/") {
		f.frame = appPath(place)
	}
	return f, true
}

// rustFrameOf returns the innermost frame of the application: its path is relative, or
// no registry's.
func rustFrameOf(lines []string) string {
	function := ""
	for _, line := range lines {
		if m := rustFrame.FindStringSubmatch(line); m != nil {
			function = rustHash.ReplaceAllString(strings.TrimSpace(m[1]), "")
			continue
		}
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "at ")
		if !ok || function == "" {
			continue
		}
		name := strings.TrimPrefix(function, "<")
		if !hasAny(path, "/rustc/", "/.cargo/", "/rustlib/", "/cargo/registry/") &&
			!beginsAny(name, "std::", "core::", "alloc::", "rust_", "__rust", "tokio::", "futures", "backtrace") {
			return function
		}
		function = ""
	}
	return ""
}

// rustParseError reads anyhow's chain, whose last cause is the root.
func rustParseError(t *trace) (found, bool) {
	message := []string{strings.TrimPrefix(t.lines[0], "Error: ")}
	root := ""
	caused, traced := len(t.lines) > 1 && rustFirst.MatchString(t.lines[1]), false
	frame, located, chained := "", false, caused
	for i, line := range t.lines[1:] {
		switch {
		case strings.HasPrefix(line, "Caused by:"):
			caused, chained = true, true
		case strings.HasPrefix(line, "Stack backtrace:"):
			traced = true
			frame = rustFrameOf(t.lines[i+1:])
		case strings.HasPrefix(line, "Location:"):
			located, caused = true, false
		case located && frame == "" && strings.Contains(line, ".rs:"):
			path, _, _ := strings.Cut(strings.TrimSpace(line), ".rs:")
			if !hasAny(path, "/.cargo/", "/rustc/") {
				frame = appPath(path + ".rs")
			}
		case traced, located:
		case caused:
			if m := rustCause.FindStringSubmatch(line); m != nil {
				root = m[1]
			}
		default:
			message = append(message, line)
		}
	}
	if root == "" {
		root = join(message)
	}
	return found{language: "rust", typ: "Error", message: strings.TrimSpace(root), frame: frame}, chained || traced
}
