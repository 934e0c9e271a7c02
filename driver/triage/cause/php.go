package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// php reads PHP's own errors, as the command line, FPM, Apache and WordPress log them, and
// the exceptions in the lines of Laravel, Symfony and other users of Monolog.
//
//	PHP Fatal error:  Uncaught TypeError: x in /app/src/Cart.php:12
//	Stack trace:
//	#0 /app/public/index.php(7): App\Cart->total()
//	#1 {main}
//	  thrown in /app/src/Cart.php on line 12
var php = &family{
	language: "php",
	anchors: []string{
		"PHP Fatal error", "PHP Parse error", "PHP message: ", "Fatal error: ", "Parse error: ",
		`"exception":"[object]`,
		"Uncaught ",
	},
	begin:  phpBegin,
	follow: phpFollow,
	parse:  phpParse,
}

// phpMonolog is the kind of a line of Monolog.
const phpMonolog = 1

var (
	phpError    = regexp.MustCompile(`^(?:PHP message: )?(?:PHP )?((?:Fatal|Parse|Recoverable fatal) error): +(.*)$`)
	phpUncaught = regexp.MustCompile(`^(?:Uncaught )?([\w\\]+)(?:: (.*))?$`)
	phpPlace    = regexp.MustCompile(`^(.*) in (\S+\.\w+)(?::(\d+)| on line (\d+)|\(\d+\) : .*)?(?:\s.*)?$`)
	phpFrame    = regexp.MustCompile(`^#\d+ (?:(.+?)\((\d+)\)|\[internal function\]): (.*)$`)
	phpObject   = regexp.MustCompile(
		`\[(?:previous exception\] \[)?object\] \(([\w\\]+)\(code: [^)]*\)` +
			`(?:: (.*?))?(?: at ([^\s:)]+):\d+)?\)?"?}?(?: \[\])?$`)
	phpBare    = regexp.MustCompile(`^Uncaught [\w\\]+: .* in \S+\.php[: ]`)
	phpCalled  = regexp.MustCompile(`, called in \S+ on line \d+(?: and defined)?$`)
	phpSymfony = regexp.MustCompile(`Uncaught PHP Exception ([\w\\]+): "(.*?)" at (\S+) line \d+`)
)

func phpBegin(c *candidate) bool {
	for _, text := range []string{"PHP message: PHP ", "PHP Fatal error: ", "PHP Parse error: "} {
		if c.within(text) {
			c.col += strings.Index(text, "PHP ")
			return true
		}
	}
	if bytes.Contains(c.line, []byte("Uncaught PHP Exception ")) || bytes.Contains(c.line,
		[]byte(`"exception":"[object]`)) {
		c.kind, c.col = phpMonolog, c.head.message
		return c.head.level != low
	}
	if c.within("Uncaught ") && phpBare.Match(c.rest()) {
		return true
	}
	c.col = 0
	return c.at(func(rest []byte) bool {
		return (bytes.HasPrefix(rest, []byte("Fatal error: ")) || bytes.HasPrefix(rest, []byte("Parse error: "))) &&
			bytes.Contains(rest, []byte(".php"))
	})
}

func phpFollow(b *block, line []byte) verdict {
	text := bytes.TrimLeft(line, " \t")
	if b.kind == phpMonolog {
		switch {
		case bytes.HasPrefix(line, []byte("[stacktrace]")), bytes.HasPrefix(line, []byte("#")),
			bytes.HasPrefix(line, []byte(`"}`)),
			bytes.HasPrefix(line, []byte("[previous exception]")):
			return belongs
		case len(line) == 0, !isLog(line) && b.frames == 0:
			return maybe
		}
		return over
	}
	switch {
	case bytes.HasPrefix(text, []byte("Stack trace:")), bytes.HasPrefix(text, []byte("#")):
		b.frames++
		return belongs
	case bytes.HasPrefix(text, []byte("thrown in ")):
		return last
	case bytes.HasPrefix(text, []byte("Next ")), bytes.HasPrefix(text, []byte("PHP ")) && phpFrameLine.Match(text):
		return belongs
	case len(text) == 0, b.frames == 0 && !isLog(line):
		return maybe
	}
	return foreign
}

var phpFrameLine = regexp.MustCompile(`^PHP +(?:\d+\. |Stack trace:)`)

func phpParse(t *trace) (found, bool) {
	if t.kind == phpMonolog {
		return monologParse(t)
	}
	m := phpError.FindStringSubmatch(t.lines[0])
	if m == nil {
		if !strings.HasPrefix(t.lines[0], "Uncaught ") {
			return found{}, false
		}
		m = []string{"", "Fatal error", t.lines[0]}
	}
	text := m[2]
	rest := t.lines[1:]
	if parts := strings.Split(text, `\n`); len(parts) > 1 && strings.Contains(text,
		`\nStack trace:`) { // in Apache's log
		text, rest = parts[0], parts[1:]
	}
	for n := 0; n < maxMaybe && len(rest) > 0; n++ {
		if phpPlace.MatchString(text) || beginsAny(rest[0], "Stack trace:", "#", "PHP ") {
			break
		}
		text, rest = text+"\n"+rest[0], rest[1:] // a message of several lines
	}
	text, path, line := phpSplit(text)
	text = phpCalled.ReplaceAllString(text, "")
	f := found{typ: m[1], message: text}
	if u := phpUncaught.FindStringSubmatch(firstLine(text)); u != nil && strings.HasPrefix(text, "Uncaught ") {
		f.typ, f.message = u[1], strings.TrimPrefix(strings.TrimPrefix(text, "Uncaught "), u[1]+": ")
		if u[2] == "" {
			f.message = ""
		}
	}
	for i, line := range rest {
		if beginsAny(line, "Next ") { // the exceptions around the first one
			rest = rest[:i]
			break
		}
	}
	f.frame = phpFrameOf(path, line, rest)
	return f, true
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// phpSplit takes the place from the end of a message: "… in /app/x.php:3".
func phpSplit(s string) (message, path, line string) {
	last := s[strings.LastIndexByte(s, '\n')+1:]
	m := phpPlace.FindStringSubmatchIndex(last)
	if m == nil {
		return s, "", ""
	}
	if m[6] >= 0 {
		line = last[m[6]:m[7]]
	}
	head := s[:len(s)-len(last)]
	return strings.TrimSpace(head + last[m[2]:m[3]]), last[m[4]:m[5]], line
}

// phpFrameOf describes the innermost frame of the application: where the exception was
// thrown, in the function that the first frame names, or a caller.
// A function of PHP itself is at the same place as its caller.
func phpFrameOf(path, at string, lines []string) string {
	for i, line := range lines {
		m := phpFrame.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			if strings.HasSuffix(strings.TrimSpace(line), "{main}") {
				break
			}
			continue
		}
		if phpApp(path) && (path != m[1] || at != m[2] || at == "" || i > 2) {
			return phpIn(m[3], path)
		}
		path, at = m[1], ""
	}
	if phpApp(path) {
		return phpIn("", path)
	}
	return ""
}

func phpApp(path string) bool {
	return path != "" && !hasAny(path, "/vendor/", "/wp-includes/", "/wp-admin/", "/usr/share/php", "phar://")
}

// phpIn describes a frame. A method has a name that says where it is.
func phpIn(call, path string) string {
	function, _, _ := strings.Cut(strings.ReplaceAll(call, `\\`, `\`), "(")
	if strings.Contains(function, "->") || strings.Contains(function, "::") {
		return strings.ReplaceAll(function, "->", "::")
	}
	if function == "require" || function == "include" || function == "require_once" || function == "include_once" {
		function = ""
	}
	return in(strings.TrimSuffix(function, "{closure}"), appPath(path))
}

// monologParse reads the exception of a line of Monolog. The last "previous exception" is
// the root.
func monologParse(t *trace) (found, bool) {
	if strings.Contains(t.lines[0], `\n[previous exception]`) || strings.Contains(t.lines[0], `\n[stacktrace]`) {
		t.lines = append(strings.Split(t.lines[0], `\n`), t.lines[1:]...)
	}
	if f, ok := monologChain(t); ok && f.message != "" {
		return f, true
	}
	if m := phpSymfony.FindStringSubmatch(t.lines[0]); m != nil {
		f := found{typ: strings.ReplaceAll(m[1], `\\`, `\`), message: m[2]}
		if phpApp(m[3]) {
			f.frame = appPath(m[3])
		}
		if frame := phpFrameOf(m[3], "", t.lines[1:]); frame != "" {
			f.frame = frame
		}
		return f, true
	}
	return monologChain(t)
}

// monologChain reads the exceptions that Monolog has put into the context.
func monologChain(t *trace) (found, bool) {
	var chain []thrown
	from := 0
	end := func(to int) {
		if len(chain) > 0 {
			cur := &chain[len(chain)-1]
			cur.frame = phpFrameOf(cur.frame, "", t.lines[from:to])
		}
	}
	for i, line := range t.lines {
		at := strings.Index(line, "[object] (")
		if at < 0 {
			continue
		}
		end(i)
		from = i + 1
		m := phpObject.FindStringSubmatch(line[at:])
		if m == nil { // a message of several lines
			name, _, _ := strings.Cut(line[at+len("[object] ("):], "(code")
			m = []string{"", name, afterCode(line[at:]), ""}
		}
		chain = append(chain, thrown{typ: strings.ReplaceAll(m[1], `\\`, `\`), message: m[2], frame: m[3]})
	}
	end(len(t.lines))
	if len(chain) == 0 {
		return found{}, false
	}
	return rootOf(chain, len(chain)-1, -1), true
}

func afterCode(s string) string {
	_, rest, _ := strings.Cut(s, "): ")
	return rest
}
