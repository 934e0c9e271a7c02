package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// python reads tracebacks: chained ones, exception groups, those that rich draws a box
// around, syntax errors, faulthandler's, and lone lines such as
// "sqlalchemy.exc.OperationalError: …".
//
//	Traceback (most recent call last):
//	  File "/app/shop/pricing.py", line 17, in mean_price
//	    return total / len(items)
//	           ~~~~~~^~~~~~~~~~~~
//	ZeroDivisionError: division by zero
var python = &family{
	language: "python",
	anchors: []string{
		"Traceback (most", "Fatal Python error", `  File "`, "Error", "Exception", "WORKER TIMEOUT",
		"was sent SIG", "Worker failed to boot", "exited with code",
	},
	begin:  pythonBegin,
	follow: pythonFollow,
	parse:  pythonParse,
}

// Kinds of Python's causes.
const (
	pyTrace = iota
	pyBox
	pyFatal
	pyLine
	pySyntax
	pyWorker
)

var (
	pyHead  = "Traceback (most recent call last)"
	pyFrame = regexp.MustCompile(`^\s*File "(.*?)", line \d+(?:,? in (.*))?$`)
)

func pythonBegin(c *candidate) bool {
	if c.within(pyHead) {
		if i := bytes.Index(c.line, []byte("╭")); i >= 0 {
			c.col, c.kind = i, pyBox
			return true
		}
		tail := bytes.TrimSpace(c.line[c.col+len(pyHead):])
		if len(tail) > 1 || c.col > 0 && c.line[c.col-1] != ' ' && c.line[c.col-1] != '\t' && c.line[c.col-1] != ':' {
			return false // quoted
		}
		if i := bytes.Index(c.line, []byte("+ Exception Group ")); i >= 0 {
			c.col = len(bytes.TrimRight(c.line[:i], " "))
			if c.col > 0 && len(bytes.TrimSpace(c.line[:c.col])) > 0 {
				c.col++
			}
		}
		return true
	}
	if c.within("Fatal Python error: ") {
		c.kind = pyFatal
		return true
	}
	if bytes.HasPrefix(bytes.TrimLeft(c.line, " "), []byte(`File "`)) && pyFrame.Match(c.line) {
		c.kind = pySyntax
		return true
	}
	if pythonWorker(c) {
		c.kind = pyWorker
		return true
	}
	c.kind = pyLine
	return c.at(func(rest []byte) bool {
		typ, _, ok := splitHead(string(rest[:min(len(rest), MaxType)]), ".")
		root, _, dotted := strings.Cut(typ, ".")
		return ok && dotted && isFailureName(typ) && isLower(root[0]) && !isJavaRoot(root) && pyModule(typ)
	})
}

// pyModule reports whether what stands before the last dot is a Python module: words of
// small letters, of which the class is the only other one.
func pyModule(typ string) bool {
	module, class := typ[:strings.LastIndexByte(typ, '.')], lastPart(typ)
	return module == strings.ToLower(module) && isUpper(class[0])
}

// pythonWorker reads what gunicorn says of workers that it lost.
func pythonWorker(c *candidate) bool {
	for _, text := range []string{"WORKER TIMEOUT (pid:", "was sent SIG", "Worker failed to boot"} {
		if c.within(text) {
			c.col, c.alone = c.head.message, true
			return c.head.level >= warning
		}
	}
	return bytes.Contains(c.line, []byte("exited with code")) && c.head.level == failure && c.take()
}

// take takes the message as the cause, and the line after it, if it is one of gunicorn's.
func (c *candidate) take() bool {
	c.col = c.head.message
	return bytes.HasPrefix(c.rest(), []byte("Worker (pid:"))
}

func pythonFollow(b *block, line []byte) verdict {
	switch b.kind {
	case pyBox:
		return pyFollowBox(b, line)
	case pyLine:
		if len(line) > 0 && (line[0] == '[' && bytes.HasPrefix(line, []byte("[SQL")) || pyDetail(line)) {
			return belongs
		}
		return over
	case pyWorker:
		if bytes.Contains(line, []byte("Reason: Worker failed to boot")) {
			return last
		}
		return over
	}
	text := bytes.TrimLeft(line, " |+-0123456789.")
	switch {
	case bytes.HasPrefix(text, []byte("Traceback (most recent")), bytes.HasPrefix(text,
		[]byte("Exception Group Trace")):
		if b.state == pyDone && !isGutter(line) {
			return over
		}
		b.state = pyFrames
		return belongs
	case bytes.HasPrefix(text, []byte("During handling of")), bytes.HasPrefix(text, []byte("The above exception")):
		b.state = pyChained
		return belongs
	case len(text) == 0:
		if isGutter(line) {
			return belongs
		}
		return maybe
	}
	if isGutter(line) {
		return belongs
	}
	indented := line[0] == ' ' || line[0] == '\t'
	if b.state == pyDone {
		if indented || pyDetail(line) {
			return belongs
		}
		if bytes.IndexByte(line, ' ') < 0 && !isLog(line) {
			return maybe // the name of a field before what is wrong with it
		}
		return foreign
	}
	if indented {
		return belongs
	}
	if pyType(string(line)) {
		b.state = pyDone
		return belongs
	}
	if b.kind == pyFatal && (bytes.HasPrefix(line, []byte("Current thread")) || bytes.HasPrefix(line,
		[]byte("Thread 0x")) ||
		bytes.HasPrefix(line, []byte("Extension modules")) || bytes.HasPrefix(line, []byte("Python runtime"))) {
		return belongs
	}
	return foreign
}

// States of a traceback: in its frames, behind its exception, behind the line that joins
// it to the next one.
const (
	pyFrames = iota
	pyDone
	pyChained
)

// isGutter reports whether a line is within an exception group.
func isGutter(line []byte) bool {
	i := skipSpace(line, 0)
	return i > 0 && i < len(line) && (line[i] == '|' || line[i] == '+')
}

// pyDetail reports whether a line behind an exception is the rest of its message.
func pyDetail(line []byte) bool {
	for _, p := range []string{"LINE ", "DETAIL:", "HINT:", "CONTEXT:", "[SQL", "[parameters", "(Background on",
		"During task with"} {
		if bytes.HasPrefix(line, []byte(p)) {
			return true
		}
	}
	return false
}

// pyType reports whether a line that is not indented is the exception of a traceback.
func pyType(line string) bool {
	typ, _, ok := splitHead(line, ".")
	if !ok || levelOf([]byte(typ)) != noLevel && typ == strings.ToUpper(typ) {
		return false
	}
	class := lastPart(typ)
	return class != "" && (isUpper(class[0]) || class[0] == '_' || isFailureName(class) || strings.Contains(typ,
		".")) &&
		class != strings.ToUpper(class)
}

func pyFollowBox(b *block, line []byte) verdict {
	text := bytes.TrimSpace(line)
	switch {
	case bytes.HasPrefix(text, []byte("│")), bytes.HasPrefix(text, []byte("╭")):
		return belongs
	case bytes.HasPrefix(text, []byte("╰")):
		b.state = pyDone
		return belongs
	case b.state == pyDone && pyType(string(text)):
		b.state = pyChained
		return belongs
	case bytes.HasPrefix(text, []byte("During handling")), bytes.HasPrefix(text, []byte("The above exception")):
		return belongs
	case len(text) == 0:
		return maybe
	case b.state == pyChained && !isLog(line) && line[0] == ' ':
		return belongs
	}
	return foreign
}
