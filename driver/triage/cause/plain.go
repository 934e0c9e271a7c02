package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// plain takes a line of the level ERROR or above that has no trace and is of no other
// family: it has a message and neither language nor type. A trace that follows it is the
// cause instead.
var plain = &family{
	anchors: []string{
		"ERROR", "FATAL", "CRITICAL", "SEVERE", "ALERT", "EMERG", "[error]", "[crit]", "[fatal]", "level=err",
		"level=fatal", "level=ERR",
		"level=panic", "level=crit", "lvl=eror", "lvl=err", "severity=err", "[Error]", "[critical]", "\terror\t",
		" error ", "[ERR]", "[FTL]",
	},
	begin:  plainBegin,
	follow: plainFollow,
	parse:  plainParse,
}

func plainBegin(c *candidate) bool {
	if c.head.level != failure || !c.head.strict || len(c.line) == 0 || c.line[0] == '{' {
		return false
	}
	if bytes.IndexByte(c.line, '#') > 0 {
		if m := nginxLine.FindSubmatch(c.line); m != nil && harmless(string(m[1])) {
			return false
		}
	}
	return c.head.message < len(c.line) && c.head.message > 0
}

// plainFollow waits for a trace in the next lines. Frames of Go without a goroutine are
// what zap and logrus print.
func plainFollow(b *block, line []byte) verdict {
	switch {
	case len(line) > 0 && line[0] == '\t' && bytes.Contains(line, []byte(".go:")):
		b.state++
		return belongs
	case b.state == 0 && b.n == 1 && goCall.Match(line), b.state > 0 && goCall.Match(line):
		return maybe
	case b.state > 0:
		return over
	}
	return foreign
}

var (
	goCall     = regexp.MustCompile(`^[\w./*()\[\]-]+\.[\w.()*\[\]-]+$`)
	logfmtKey  = regexp.MustCompile(`\b(msg|message|err|error)=("(?:[^"\\]|\\.)*"|\S+)`)
	logfmtLine = regexp.MustCompile(`\b(?:level|lvl|severity)=`)
)

// zapFields reads the parts of a line that zap prints for people: the caller, the message,
// and fields as JSON, with tabs between them.
func zapFields(f *found) {
	parts := strings.Split(f.message, "\t")
	if len(parts) < 2 || !goCaller.MatchString(parts[0]) {
		return
	}
	f.language, f.message = "go", parts[1]
	if last := parts[len(parts)-1]; strings.HasPrefix(last, "{") {
		l := jsonLine{fields: jsonFieldsOf(last)}
		if e := l.get([]string{"error", "err"}); e != nil && e.quoted {
			f.typ, f.message = "error", e.text()
		}
	}
}

var goCaller = regexp.MustCompile(`^[\w./@-]+\.go:\d+$`)

func plainParse(t *trace) (found, bool) {
	line := t.prefix + t.lines[0]
	h := readHead([]byte(line))
	if h.level != failure {
		return found{}, false
	}
	f := found{message: strings.TrimSpace(line[h.message:])}
	if klog([]byte(line[:min(len(line), 5)])) { // the caller ends in "]"
		_, f.message, _ = strings.Cut(line, "] ")
	}
	if strings.IndexByte(line, '=') > 0 && logfmtLine.MatchString(line) {
		fields := map[string]string{}
		for _, m := range logfmtKey.FindAllStringSubmatch(line, 16) {
			fields[m[1]] = strings.ReplaceAll(strings.Trim(m[2], `"`), `\"`, `"`)
		}
		for _, key := range []string{"message", "msg", "err", "error"} {
			if v := fields[key]; v != "" {
				f.message = v
			}
		}
	}
	zapFields(&f)
	if len(t.lines) > 2 {
		f.language, f.typ = "go", "error"
		f.frame = goFrame(t.lines[1:])
	}
	return f, f.message != ""
}
