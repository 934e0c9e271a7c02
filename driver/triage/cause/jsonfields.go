package cause

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// jsonFields reads lines of JSON as pino, winston, bunyan, zap, slog, logback, log4j,
// Elastic's ECS, Serilog, structlog, loguru, Monolog and others write them: a stack trace in
// a string, or an object that describes the error.
//
//	{"level":50,"err":{"type":"TypeError","message":"x","stack":"TypeError: x\n    at …"},"msg":"x"}
var jsonFields = &family{
	anchors: []string{
		`"error"`, `"err":`, `"stack`, `"exception`, `"Exception"`, `"exc_`, `"@x":`, `"traceback`, `"level":5`,
		`"level":6`, `"level": 5`,
		`"level": 6`, `"ERROR"`, `"FATAL"`, `"CRITICAL"`, `"fatal"`, `"Error"`, `"Fatal"`, `"thrown"`, `"errorV`,
		`"error.`, `"panic"`,
		`"critical"`, "PANIC RECOVER", "Traceback (most", "goroutine ", `"SEVERE"`, `"ALERT"`, `"EMERGENCY"`,
		`"dpanic"`, `"Critical"`,
		`"emergency"`, `"alert"`,
	},
	begin: func(c *candidate) bool {
		if !bytes.HasPrefix(c.line, []byte(`{"`)) && !bytes.HasPrefix(c.line, []byte(`{ "`)) {
			return false
		}
		return !bytes.HasPrefix(c.line, []byte(`{"context":"Job raised`)) // Sidekiq's, without the exception
	},
	parse: jsonParse,
}

// What the keys of loggers are, without what stands before the last ones. The first one
// that a line has counts.
var (
	jsonStacks = []string{
		"error.stacktrace", "err.stack", "error.stack", "exception.stacktrace", "exception.stack", "errors.stack",
		"stacktrace",
		"stack", "excinfo", "exctext", "exception", "@x", "traceback", "errorverbose", "thrown.extendedstacktrace",
		"backtrace",
		"exception.backtrace", "error.backtrace", "err.backtrace", "exception.trace", "errstack", "error", "err",
		"fullmessage", "trace", "errors",
		"panic", "message", "msg", "event", "text",
	}
	jsonTypes = []string{
		"error.type", "err.type", "error.name", "err.name", "error.class", "err.class", "error.kind",
		"exception.type", "exception.class",
		"exception.name", "exception.exctype", "exctype", "thrown.name", "exceptionclass", "exceptiontype",
		"errortype", "errorclass",
		"exception.classname", "err.errortype",
	}
	jsonMessages = []string{
		"error.message", "err.message", "exception.message", "exception.value", "exception.excvalue", "excvalue",
		"thrown.message",
		"exceptionmessage", "errormessage", "error.msg", "err.msg", "error", "err", "errors", "exception", "panic",
		"cause",
	}
	jsonTexts = []string{"fields.message", "message", "msg", "@m", "@mt", "event", "log", "textpayload", "text",
		"renderedmessage", "messagetemplate"}
	jsonLevels = []string{
		"log.level", "level.name", "level", "levelname", "severity", "@l", "loglevel", "lvl", "levelno",
		"severitytext", "record.level.name",
	}
)

// jsonLine is a line of JSON that is looked at.
type jsonLine struct {
	text   string
	fields []jsonField
}

// get returns the first field with one of the paths, below up to two other keys.
func (l *jsonLine) get(paths []string) *jsonField {
	for _, path := range paths {
		if f := l.field(path); f != nil {
			return f
		}
	}
	return nil
}

func (l *jsonLine) field(path string) *jsonField {
	for i := range l.fields {
		f := &l.fields[i]
		rest, ok := strings.CutSuffix(f.path, path)
		if !ok || rest != "" && (rest[len(rest)-1] != '.' || strings.Count(rest, ".") > 2 || !jsonOuter(rest)) {
			continue
		}
		if f.raw != "" && (f.quoted || f.raw != "null" && f.raw != "false" && f.raw != "true" && f.raw != "0") {
			return f
		}
	}
	return nil
}

// jsonOuter reports whether a path begins with a key that loggers put around their fields.
// Keys that hold a request or a response do not count.
func jsonOuter(path string) bool {
	for _, key := range []string{"context.", "extra.", "data.", "fields.", "record.", "log.", "attributes.",
		"properties.", "meta.", "payload.", "jsonpayload.", "body.", "exc.", "detail.", "metadata.", "params."} {
		if strings.HasPrefix(path, key) {
			return true
		}
	}
	return false
}

func jsonParse(t *trace) (found, bool) {
	l := &jsonLine{text: t.lines[0], fields: jsonFieldsOf(t.lines[0])}
	level := l.level()
	f, ok := l.traced()
	if !ok {
		f, ok = l.described()
	}
	if !ok && level != failure && !l.failed() {
		return f, false
	}
	if typ := l.get(jsonTypes); typ != nil && f.typ == "" {
		f.typ = typ.text()
	}
	if message := l.get(jsonMessages); message != nil && f.message == "" && message.text() != f.typ {
		f.message = strings.TrimSpace(message.text())
		ok = true
	}
	switch {
	case !ok && f.typ == "":
		if level != failure {
			return f, false
		}
	case level == low && f.text == nil:
		return f, false
	case level < warning && f.text == nil && !l.failed():
		return f, false
	}
	if f.message == "" {
		if text := l.get(jsonTexts); text != nil {
			f.message = text.text()
		}
	}
	if f.language == "" {
		f.language = l.language(f.typ)
	}
	if f.typ == "" && ok && (f.language == "go" || f.language == "rust") {
		f.typ = "error" // these have no types that they would print
	}
	return f, f.typ != "" || f.message != ""
}

// level is the level that the logger says, as a word or a number.
func (l *jsonLine) level() level {
	for _, path := range jsonLevels {
		f := l.field(path)
		if f == nil {
			continue
		}
		if lv := levelOf([]byte(f.raw)); lv != noLevel {
			return lv
		}
		n, err := strconv.Atoi(f.raw)
		switch {
		case err != nil || f.quoted:
		case n >= 400, n >= 50 && n < 100: // Monolog; pino and bunyan
			return failure
		case n == 40 && l.field("levelname") == nil, n >= 300:
			return warning
		case n >= 10:
			return low
		}
	}
	return noLevel
}

// failed reports whether the line is that of a request that the server failed to answer.
func (l *jsonLine) failed() bool {
	f := l.get([]string{"status", "statuscode"})
	return f != nil && len(f.raw) == 3 && f.raw[0] == '5'
}

// traced reads the first field that has a stack trace.
func (l *jsonLine) traced() (found, bool) {
	for _, path := range jsonStacks {
		for i := range l.fields {
			fd := &l.fields[i]
			if !fd.quoted || len(fd.raw) < 12 || fd.path != path && !strings.HasSuffix(fd.path, "."+path) {
				continue
			}
			text := fd.text()
			if f, ok := sniff(text); ok {
				return f, true
			}
		}
	}
	return found{}, false
}

// described reads errors that are objects: of structlog, log4j, Monolog and Ruby.
func (l *jsonLine) described() (found, bool) {
	var f found
	class, method, file, name := "", "", "", ""
	for i := range l.fields {
		fd := &l.fields[i]
		last := lastPart(fd.path)
		switch {
		case !fd.quoted:
		case strings.HasSuffix(fd.path, "frames.filename"):
			file = fd.text()
		case strings.HasSuffix(fd.path, "frames.name"):
			name = fd.text()
			if frame := pyFrameOf(file, name); frame != "" {
				f.frame = frame
			}
			f.language = "python"
		case strings.HasSuffix(fd.path, "stacktrace.class"):
			class = fd.text()
		case strings.HasSuffix(fd.path, "stacktrace.method"):
			method = fd.text()
			if frame := jvmFrameOf("", class+"."+method); f.frame == "" {
				f.frame = frame
			}
			f.language = "java"
		case last == "class" && strings.Contains(fd.path, "exception"): // Monolog: the last "previous" is the root
			f.typ, f.language = fd.text(), "php"
		case last == "message" && strings.Contains(fd.path, "exception.") && f.language == "php":
			f.message = fd.text()
		case last == "file" && strings.Contains(fd.path, "exception") && f.language == "php":
			path, _, _ := strings.Cut(fd.text(), ":")
			if phpApp(path) {
				f.frame = appPath(path)
			}
		case isBacktrace(fd.path) && f.frame == "":
			if m := rubyFrame.FindStringSubmatch(fd.text()); m != nil {
				f.frame, f.language = rubyFrameOf(m[1], m[2]), "ruby"
			}
		case fd.path == "exception" && f.typ == "" && isFailureName(fd.text()): // lograge: ["Type","message"]
			f.typ = fd.text()
			if i+1 < len(l.fields) && l.fields[i+1].path == "exception" {
				f.message = l.fields[i+1].text()
			}
			f.language = "ruby"
		}
	}
	return f, f.typ != "" || f.frame != ""
}

func isBacktrace(path string) bool {
	return strings.HasSuffix(path, "backtrace") || strings.HasSuffix(path, "stacktrace")
}

// language guesses the language by the keys that its loggers have.
func (l *jsonLine) language(typ string) string {
	has := func(paths ...string) bool {
		return !slices.ContainsFunc(paths, func(p string) bool {
			return !slices.ContainsFunc(l.fields, func(f jsonField) bool { return f.path == p })
		})
	}
	caller := l.field("caller")
	switch root, _, _ := strings.Cut(typ, "."); {
	case caller != nil && strings.Contains(caller.raw, ".go"), has("source.function"), has("prefix", "file", "line"):
		return "go"
	case has("channel", "levelname"):
		return "php"
	case has("@x"), has("@mt"), has("@m"), has("eventid", "category"):
		return "dotnet"
	case has("fields.message", "target"), has("fields.error", "target"):
		return "rust"
	case has("loggername", "threadname"), has("threadid", "loggerfqcn"), has("log.logger", "process.thread.name"),
		strings.Contains(typ, ".") && isJavaRoot(root):
		return "java"
	case has("pid", "hostname"), strings.HasPrefix(typ, "TypeError"):
		return "nodejs"
	case has("levelname"), has("event", "timestamp"), has("excinfo"), has("record.name"):
		return "python"
	case has("time", "msg") && isQuoted(l.field("level")), has("time", "error", "message") &&
		isQuoted(l.field("level")):
		return "go" // slog, logrus, zerolog
	}
	return ""
}

func isQuoted(f *jsonField) bool { return f != nil && f.quoted }

var atFamily = map[atFormat]*family{atJVM: jvm, atNode: node, atDotnet: dotnet}

// sniff reads a stack trace of any language from a text that is nothing else.
func sniff(text string) (found, bool) {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(text, "\n"), "\r", ""), "\n")
	t := &trace{lines: lines, level: failure}
	try := func(f *family, kind int) (found, bool) {
		t.kind = kind
		r, ok := f.parse(t)
		if r.language == "" {
			r.language = f.language
		}
		r.text = lines
		return r, ok
	}
	switch {
	case strings.Contains(text, pyHead):
		for i, line := range lines { // what a logger said before
			if strings.Contains(line, pyHead) {
				t.lines = lines[i:]
				break
			}
		}
		return try(python, pyTrace)
	case strings.Contains(text, "goroutine ") && strings.Contains(text, "]:"):
		if len(lines) == 1 || strings.Contains(lines[0], " goroutine ") {
			before, after, _ := strings.Cut(text, "goroutine ")
			lines = append([]string{strings.TrimSpace(before)}, strings.Split("goroutine "+after, "\n")...)
			t.lines = lines
		}
		return try(golang, 0)
	case strings.Contains(text, "panicked at "):
		return try(rust, 0)
	case slices.ContainsFunc(lines[:min(len(lines), 8)], exHead.MatchString):
		return try(beam, 0)
	case strings.Contains(text, "[object] ("):
		return try(php, phpMonolog)
	}
	for i, line := range lines[:min(len(lines), 60)] {
		if len(line) > 3 && isAt([]byte(line)) {
			if f := atFamily[atKind(line)]; f != nil && i > 0 {
				return try(f, 0)
			}
		}
		if i > 0 && strings.HasPrefix(line, "\t/") && strings.Contains(line, ".go:") {
			return found{language: "go", typ: "error", frame: goFrame(lines), text: lines}, true
		}
	}
	if typ, message, ok := splitHeadOf(lines[0]); ok && len(lines) == 1 && isFailureName(typ) {
		switch {
		case jvmIsHead(lines[0]):
			return found{language: "java", typ: typ, message: message, text: lines}, true
		case dotnetIsHead(lines[0]):
			return found{language: "dotnet", typ: typ, message: message, text: lines}, true
		}
	}
	return found{}, false
}
