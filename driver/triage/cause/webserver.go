package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// webserver reads the error lines of nginx, Apache and HAProxy. The type is the part of the
// message that is the same each time.
//
//	2026/01/01 00:00:00 [error] 31#31: *1 upstream timed out (110: Connection timed out) while …, client: …
//	[Mon Jan 01 00:00:00.0 2026] [proxy:error] [pid 12:tid 1] (111)Connection refused: AH00957: …
//	[ALERT]    (8) : backend 'api_backend' has no server available!
var webserver = &family{
	anchors: []string{
		"[error] ", "[crit] ", "[alert] ", "[emerg] ", ":error] ", ":crit] ", ":alert] ", ":emerg] ",
		" is DOWN, reason:",
		"has no server available", "[ALERT] ",
	},
	begin: webBegin,
	parse: webParse,
}

// Kinds of web servers.
const (
	webNginx = iota
	webApache
	webHAProxy
)

var (
	nginxLine = regexp.MustCompile(
		`(?:^|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d |nginx: )\[(?:error|crit|alert|emerg)\] (?:\d+#\d+: )?(?:\*\d+ )?(.*)$`)
	nginxRest  = regexp.MustCompile(`, (?:client|server|request|upstream|host|referrer|subrequest|zone): .*$`)
	apacheLine = regexp.MustCompile(
		`^\[[^\]]+\] \[[\w.-]*:(?:error|crit|alert|emerg)\] \[pid [^\]]+\] (?:\[client [^\]]+\] )?(.*)$`)
	apacheCode = regexp.MustCompile(`\b(AH\d{5}): (.*)$`)
	apacheOS   = regexp.MustCompile(`^\((?:\d+|-?\w+)\)([^:]+): `)
	haDown     = regexp.MustCompile(
		`(?:Server (\S+) is DOWN, reason: ([^,]+)|(?:backend|proxy) '?([\w.-]+)'? has no server available)`)
)

func webBegin(c *candidate) bool {
	switch {
	case nginxLine.Match(c.line):
		c.as, c.kind = "nginx", webNginx
		return bytes.Contains(c.line, []byte("nginx: [")) || bytes.IndexByte(c.line, '#') > 0
	case apacheLine.Match(c.line):
		c.as, c.kind = "apache", webApache
		return true
	case haDown.Match(c.line):
		c.as, c.kind = "haproxy", webHAProxy
		return true
	}
	return false
}

func webParse(t *trace) (found, bool) {
	line := t.prefix + t.lines[0]
	switch t.kind {
	case webNginx:
		message := nginxRest.ReplaceAllString(nginxLine.FindStringSubmatch(line)[1], "")
		if harmless(message) {
			return found{}, false
		}
		return found{typ: nginxType(message), message: message}, true
	case webApache:
		message := apacheLine.FindStringSubmatch(line)[1]
		f := found{message: message}
		if m := apacheCode.FindStringSubmatch(message); m != nil {
			f.typ = m[1]
		}
		if m := apacheOS.FindStringSubmatch(message); m != nil && f.typ == "" {
			f.typ = m[1]
		}
		if i := strings.Index(message, "PHP "); i >= 0 && phpError.MatchString(message[i:]) {
			inner, ok := phpParse(&trace{lines: strings.Split(strings.ReplaceAll(message[i:], `\n`, "\n"), "\n")})
			inner.language = "php"
			return inner, ok
		}
		return f, true
	}
	m := haDown.FindStringSubmatch(line)
	_, rest, _ := strings.Cut(line, m[0])
	f := found{typ: m[2], message: strings.TrimSpace(m[0] + rest)}
	if f.typ == "" {
		f.typ = "no server available"
	}
	return f, true
}

// nginxType is the beginning of a message, up to what differs each time.
func nginxType(message string) string {
	end := len(message)
	for _, stop := range []string{" (", " while ", " in ", ": ", ` "`, "() ", ", "} {
		if i := strings.Index(message, stop); i > 0 {
			if stop == "() " {
				i += 2
			}
			end = min(end, i)
		}
	}
	typ := message[:end]
	if strings.HasSuffix(typ, "()") { // connect() failed
		if rest := strings.TrimPrefix(message[end:], " "); strings.HasPrefix(rest, "failed") {
			typ += " failed"
		}
	}
	return typ
}

// harmless reports whether nginx calls something an error that a client has caused.
func harmless(message string) bool {
	return hasAny(message, "limiting requests", "limiting connections", "access forbidden by rule",
		"(2: No such file or directory)", "is forbidden", "client intended to send too large", "user \"",
		"no user/password")
}
