package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// native reads what programs of C++, Swift, Haskell, Dart and Crystal print when they fail,
// and the report of a sanitizer.
//
//	terminate called after throwing an instance of 'std::runtime_error'
//	  what():  boom
var native = &family{
	anchors: []string{
		"terminate called", "AddressSanitizer: ", "Sanitizer: ", "Fatal error: ", "CallStack (from HasCallStack",
		"Unhandled exception:",
		"Assertion `", "runtime error: ", "libc++abi: ",
	},
	begin:  nativeBegin,
	follow: nativeFollow,
	parse:  nativeParse,
}

// Kinds of native causes.
const (
	cppThrow = iota
	cppSanitizer
	cppAssert
	swiftFatal
	haskellError
	dartError
	crystalError
)

var (
	sanitizer  = regexp.MustCompile(`(?:==\d+==)?ERROR: (\w+Sanitizer): ([\w-]+)`)
	cppFrame   = regexp.MustCompile(`^\s*#\d+ 0x[0-9a-f]+ in (.+?) (/\S+|\(\S+\))`)
	swiftError = regexp.MustCompile(`^(?:\S+?: )?Fatal error: (.*?)(?:: file (\S+), line \d+)?$`)
	dartFrame  = regexp.MustCompile(`^#\d+\s+(.+?) \((\S+?)(?::\d+)*\)$`)
	hsFrame    = regexp.MustCompile(`^\s+\w+, called at (\S+?):\d+:\d+ in ([^:]+):(\S+)$`)
	crFrame    = regexp.MustCompile(`^\s+from (\S+?):\d+:\d+ in '(.+?)'$`)
	cppThrown  = regexp.MustCompile(`instance of '(.+?)'`)
	cppChecked = regexp.MustCompile("^(?:\\S+: )?(\\S+?):\\d+: (?:.*?: )?Assertion `(.*)' failed")
)

func nativeBegin(c *candidate) bool {
	switch {
	case c.within("terminate called"):
		c.as = "cpp"
		return true
	case bytes.Contains(c.line, []byte("Sanitizer: ")) && sanitizer.Match(c.line):
		c.as, c.kind = "cpp", cppSanitizer
		return true
	case bytes.Contains(c.line, []byte("Assertion `")) && bytes.Contains(c.line, []byte("' failed")):
		c.as, c.kind, c.alone = "cpp", cppAssert, true
		return true
	case c.within("Fatal error: "):
		c.as, c.kind = "swift", swiftFatal
		return bytes.Contains(c.line, []byte(".swift"))
	case c.within("CallStack (from HasCallStack"):
		c.as, c.kind, c.back = "haskell", haskellError, 1
		return true
	case c.within("Unhandled exception:"):
		if c.as, c.kind = "dart", dartError; len(c.rest()) > len("Unhandled exception: ") {
			c.as, c.kind = "crystal", crystalError
		}
		return true
	}
	return false
}

func nativeFollow(b *block, line []byte) verdict {
	text := bytes.TrimLeft(line, " \t")
	indented := len(text) < len(line)
	switch {
	case indented, bytes.HasPrefix(line, []byte("#")), bytes.HasPrefix(line, []byte("==")),
		bytes.HasPrefix(text, []byte("SUMMARY: ")), bytes.HasPrefix(line, []byte("Current stack trace")):
		b.frames++
		return belongs
	case bytes.HasPrefix(line, []byte("Aborted")), bytes.HasPrefix(line, []byte("Illegal instruction")):
		return last
	case b.kind == dartError && b.n == 1:
		return belongs
	case b.kind == cppSanitizer && !isLog(line):
		return maybe
	}
	return over
}

func nativeParse(t *trace) (found, bool) {
	first := t.lines[0]
	f := found{}
	switch t.kind {
	case cppThrow:
		f.typ, f.message = "terminate", strings.TrimSpace(first)
		if m := cppThrown.FindStringSubmatch(first); m != nil {
			f.typ, f.message = m[1], ""
		}
		for _, line := range t.lines[1:] {
			if _, what, ok := strings.Cut(line, "what():"); ok {
				f.message = strings.TrimSpace(what)
			}
		}
	case cppSanitizer:
		m := sanitizer.FindStringSubmatchIndex(first)
		if m == nil { // the line was too long
			return f, false
		}
		f.typ, f.message = first[m[4]:m[5]], strings.TrimSpace(first[m[2]:])
		for _, line := range t.lines[1:] {
			m := cppFrame.FindStringSubmatch(line)
			if m != nil && f.frame == "" && !hasAny(m[2], "/lib/", "/usr/", "sanitizer") {
				f.frame = m[1]
			}
		}
	case cppAssert:
		f.typ, f.message = "assertion failed", strings.TrimSpace(first)
		if m := cppChecked.FindStringSubmatch(first); m != nil {
			f.frame, f.message = appPath(m[1]), m[2]
		}
	case swiftFatal:
		m := swiftError.FindStringSubmatch(first)
		if m == nil {
			return f, false
		}
		f.typ, f.message = "Fatal error", m[1]
		if !strings.HasPrefix(m[2], "Swift/") {
			f.frame = m[2]
		}
	case haskellError:
		f.typ, f.message = "error", strings.TrimSpace(first)
		if name, rest, ok := strings.Cut(first, ": "); ok && !strings.Contains(name, " ") {
			f.message = rest
		}
		for _, line := range t.lines[1:] {
			if m := hsFrame.FindStringSubmatch(line); m != nil && !beginsAny(m[2], "base-", "ghc-") && f.frame == "" {
				f.frame = m[3]
			}
		}
	case dartError:
		dartParse(t, &f)
	case crystalError:
		_, rest, _ := strings.Cut(first, ": ")
		f.message = rest
		if m := rubyOwn.FindStringSubmatch(rest); m != nil {
			f.message, f.typ = m[1], m[2]
		}
		for _, line := range t.lines[1:] {
			if m := crFrame.FindStringSubmatch(line); m != nil && f.frame == "" && !hasAny(m[1], "/lib/", "/crystal/") {
				f.frame = in(strings.TrimPrefix(m[2], "__crystal_main"), appPath(m[1]))
			}
		}
		return f, f.typ != "" || len(t.lines) > 1
	}
	return f, true
}

// dartParse reads an error whose type may be before a colon, and its frames.
func dartParse(t *trace, f *found) {
	f.typ = "Unhandled exception"
	if len(t.lines) > 1 {
		f.message = strings.TrimSpace(t.lines[1])
		name, rest, ok := strings.Cut(f.message, ": ")
		switch {
		case ok && name == "Bad state":
			f.typ, f.message = "StateError", rest
		case ok && !strings.Contains(name, " "):
			f.typ, f.message = name, rest
		}
	}
	for _, line := range t.lines {
		m := dartFrame.FindStringSubmatch(line)
		if m == nil || f.frame != "" || beginsAny(m[2], "dart:", "package:flutter") {
			continue
		}
		f.frame = in(m[1], appPath(strings.TrimPrefix(m[2], "package:")))
	}
}
