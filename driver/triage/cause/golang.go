package cause

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// golang reads panics and fatal errors of Go programs, also those that net/http, gin, echo
// and chi have recovered from.
//
//	panic: runtime error: index out of range [5] with length 3
//
//	goroutine 1 [running]:
//	main.pay(...)
//		/app/main.go:12
//	main.main()
//		/app/main.go:5 +0x1d
var golang = &family{
	language: "go",
	anchors: []string{
		"panic: ", "http: panic serving", "fatal error: ", "goroutine ", "panic recovered", "PANIC RECOVER", "panic=",
		"unexpected fault address",
	},
	begin:  goBegin,
	follow: goFollow,
	parse:  goParse,
}

// goGin is the kind of a panic that gin has recovered from, whose frames look different.
const goGin = 1

func goBegin(c *candidate) bool {
	switch {
	case c.within("http: panic serving "):
		return true
	case c.within("panic recovered:"):
		if c.kind = goGin; bytes.Contains(c.line, []byte("[Recovery]")) {
			c.within("[Recovery]")
		}
		return true
	case c.within("[PANIC RECOVER] "):
		return true
	}
	if c.at(func(rest []byte) bool {
		return bytes.HasPrefix(rest, []byte("panic: ")) || bytes.HasPrefix(rest, []byte("fatal error: "))
	}) {
		return true
	}
	c.col = 0
	if c.at(goroutineHead) {
		for i := 1; i <= 3; i++ { // what a handler has said before it printed its stack
			if before := c.lane.before(i); bytes.Contains(before, []byte("panic")) || bytes.Contains(before,
				[]byte("PANIC")) {
				c.back = i
				break
			}
		}
		return true
	}
	return false
}

// goroutineHead reports whether a line is "goroutine 1 [running]:".
func goroutineHead(line []byte) bool {
	return bytes.HasPrefix(line, []byte("goroutine ")) && bytes.HasSuffix(bytes.TrimRight(line, " "), []byte("]:"))
}

func goFollow(b *block, line []byte) verdict {
	indented := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
	if b.kind == goGin {
		return ginFollow(b, line, indented)
	}
	switch {
	case goroutineHead(line):
		b.frames++
		return belongs
	case indented, bytes.HasPrefix(line, []byte("[signal ")), bytes.HasPrefix(line, []byte("created by ")),
		bytes.HasPrefix(line, []byte("panic: ")), bytes.HasPrefix(line, []byte("runtime: ")):
		return belongs
	case bytes.HasPrefix(line, []byte("exit status ")):
		return last
	case len(line) == 0:
		return maybe
	case b.frames > 0 && line[len(line)-1] == ')', bytes.HasPrefix(line, []byte("...")):
		return belongs
	case b.frames == 0 && !isLog(line):
		return maybe // a message of several lines
	}
	return foreign
}

var ginFrame = regexp.MustCompile(`^(\S+):\d+ \(0x[0-9a-f]+\)$`)

func ginFollow(b *block, line []byte, indented bool) verdict {
	switch {
	case ginFrame.Match(line), indented && b.frames > 0:
		b.frames++
		return belongs
	case b.frames == 0 && len(line) > 0 && !isLog(line), b.frames == 0 && len(line) == 0:
		return maybe
	}
	return foreign
}

func goParse(t *trace) (found, bool) {
	if t.kind == goGin {
		return ginParse(t)
	}
	f := found{}
	var message []string
	traced, sure, ended := false, false, false
	for i, line := range t.lines {
		if goroutineHead([]byte(line)) {
			traced = true
			f.frame = goFrame(t.lines[i+1:])
			break
		}
		text := strings.TrimSpace(line)
		switch {
		case i == 0:
			var head string
			f.typ, head, sure = goHead(line)
			message = append(message, head)
		case strings.HasPrefix(text, "runtime stack:"):
			traced, ended = true, true
		case ended, beginsAny(text, "[signal ", "panic: ", "runtime: ", "created by "), len(message) == 0:
			if f.typ == "" && strings.HasPrefix(text, "panic: ") {
				f.typ = "panic"
			}
			sure = sure || strings.HasPrefix(text, "[signal ")
		default:
			message = append(message, strings.TrimPrefix(line, "\t"))
		}
	}
	if !traced {
		if frame, ok := chiFrame(t.lines); ok {
			f.frame, traced, message = frame, true, message[:1]
		}
	}
	f.message = goMessage(message)
	if f.message == "" && f.typ == "" {
		if f.frame == "" || t.level == low { // a stack that was asked for
			return f, false
		}
		f.typ = "panic"
	}
	return f, traced || sure
}

// goHead reads the first line: the type, the message, and whether it needs no stack to be
// believed.
func goHead(line string) (typ, message string, sure bool) {
	switch {
	case strings.HasPrefix(line, "fatal error: "):
		return "fatal error", line[len("fatal error: "):], false
	case strings.HasPrefix(line, "panic: "):
		message = line[len("panic: "):]
	case strings.HasPrefix(line, "http: panic serving "):
		_, rest, _ := strings.Cut(line[len("http: "):], ": ")
		message, sure = rest, true
	case strings.Contains(line, "[PANIC RECOVER] "):
		_, message, _ = strings.Cut(line, "[PANIC RECOVER] ")
		message, _, _ = strings.Cut(message, " goroutine ")
		sure = true
	case goroutineHead([]byte(line)):
		return "", "", false
	default:
		h := readHead([]byte(line))
		message = line[h.message:]
		if i := strings.Index(message, "panic: "); i >= 0 {
			message = message[i+len("panic: "):]
		}
	}
	return "panic", message, sure || strings.HasPrefix(message, "runtime error: ")
}

// goMessage joins the lines of a message, without what the runtime adds.
func goMessage(lines []string) string {
	s := join(lines)
	for _, mark := range []string{" [recovered, repanicked]", " [recovered]"} {
		s = strings.TrimSuffix(s, mark)
	}
	return s
}

// goFrame returns the innermost frame of the application below the last call of panic in
// the first goroutine.
func goFrame(lines []string) (frame string) {
	function := ""
	for i, line := range lines {
		if line == "" || goroutineHead([]byte(line)) || strings.HasPrefix(line, "created by ") {
			break
		}
		if line[0] != '\t' && line[0] != ' ' {
			if function = goFunction(line); function == "panic" || function == "runtime.gopanic" {
				frame = ""
			}
			continue
		}
		path := strings.TrimSpace(line)
		if j := strings.LastIndex(path, ".go:"); j >= 0 {
			path = path[:j+3]
		}
		if frame == "" && i > 0 && function != "" && goApp(function, path) {
			frame = function
		}
		function = ""
	}
	return frame
}

// goFunction takes the arguments from "main.(*Server).pay(0xc0000, 0x1)".
func goFunction(line string) string {
	if i := strings.LastIndexByte(line, '('); i > 0 && strings.HasSuffix(line, ")") {
		return strings.ReplaceAll(line[:i], "[...]", "")
	}
	return strings.TrimSpace(line)
}

// goStandard are the first parts of the standard library's packages.
var goStandard = strings.Fields(`archive arena bufio bytes cmp compress container context crypto database debug embed
	encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net
	os path plugin reflect regexp runtime slices sort strconv strings structs sync syscall testing text time unicode
	unique unsafe weak vendor`)

// goApp reports whether a frame is the application's.
func goApp(function, path string) bool {
	if hasAny(path, "/pkg/mod/", "/vendor/", "@v") ||
		hasAny(path, "/go/src/runtime/", "/usr/local/go/", "/usr/lib/go", "/libexec/src/", "/toolchain") {
		return false
	}
	if strings.HasPrefix(function, "main.") {
		return true
	}
	pkg, _, _ := strings.Cut(function, ".")
	if slash := strings.IndexByte(pkg, '/'); slash >= 0 {
		pkg = pkg[:slash]
		return !slices.Contains(goStandard, pkg)
	}
	if !strings.Contains(function, "/") && slices.Contains(goStandard, pkg) {
		return false
	}
	return function != "panic"
}

// chiFrame returns the innermost frame of the application in the stack that chi prints,
// whose frames of interest have an arrow before them.
func chiFrame(lines []string) (frame string, ok bool) {
	var stack []string
	for _, line := range lines[1:] {
		text := strings.TrimLeft(line, " ")
		if rest, arrow := strings.CutPrefix(text, "->"); arrow {
			text, ok = strings.TrimSpace(rest), true
		}
		if text == "" {
			continue
		}
		if strings.Contains(text, ".go:") {
			text = "\t" + text
		}
		stack = append(stack, text)
	}
	if !ok {
		return "", false
	}
	return goFrame(stack), true
}

// ginParse reads the stack that gin prints.
func ginParse(t *trace) (found, bool) {
	f := found{typ: "panic"}
	var message []string
	framed, blank := false, -1
	for i, line := range t.lines {
		m := ginFrame.FindStringSubmatch(line)
		if m == nil {
			if !framed && !strings.HasPrefix(line, "\t") {
				if line == "" && i > 0 {
					blank = len(message)
				}
				message = append(message, line)
			}
			continue
		}
		if !framed {
			framed = true
			from := 1
			if blank >= 0 {
				from = blank
			}
			for from > 1 && join(message[from:]) == "" { // the blank line is behind the message
				from--
			}
			f.message = join(message[min(from, len(message)):])
		}
		if f.frame == "" && i+1 < len(t.lines) {
			name, _, _ := strings.Cut(strings.TrimSpace(t.lines[i+1]), ":")
			if goApp("main."+name, m[1]) {
				f.frame = in(name, appPath(m[1]))
			}
		}
	}
	if !framed {
		f.message = join(message[min(1, len(message)):])
	}
	return f, true
}
