package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// scripts reads the errors of Perl, and of a shell that does not find a command.
//
//	Can't locate object method "x" via package "Y" at /app/x.pl line 3.
//	/bin/sh: 1: node: not found
var scripts = &family{
	anchors: []string{".pl line ", ".pm line ", ".cgi line ", ".psgi line ", ": not found", "command not found",
		"exec format error",
		"no such file or directory: unknown", "Exec format error", "ermission denied"},
	begin: scriptsBegin,
	parse: scriptsParse,
}

var (
	perlDied  = regexp.MustCompile(`^(.*?) at (\S+\.(?:pl|pm|cgi|psgi|t)) line \d+(?:, <\w+> \w+ \d+)?\.?$`)
	shMissing = regexp.MustCompile(
		`^(\S*(?:sh|\.sh)): (?:line )?(\d+: )?(.+?): ` +
			`(not found|command not found|[Pp]ermission denied|cannot execute.*|[Ee]xec format error)$`)
	execError = regexp.MustCompile(
		`(?i)exec(?:ing)? .*?"?(\S+?)"?: (no such file or directory|permission denied|exec format error)`)
)

// scriptsPerl is the kind of Perl's errors.
const scriptsPerl = 1

func scriptsBegin(c *candidate) bool {
	if c.head.level == low || c.head.level == warning {
		return false
	}
	line := bytes.TrimRight(c.line, " ")
	if c.at(func(rest []byte) bool { return shMissing.Match(bytes.TrimRight(rest, " ")) }) {
		return true
	}
	c.col = min(c.head.message, len(line))
	if perlDied.Match(line[c.col:]) && !bytes.Contains(line, []byte("uninitialized value")) {
		c.kind, c.as = scriptsPerl, "perl"
		return true
	}
	c.col = 0
	return execError.Match(line)
}

func scriptsParse(t *trace) (found, bool) {
	line := strings.TrimRight(t.lines[0], " ")
	if t.kind == scriptsPerl {
		m := perlDied.FindStringSubmatch(line)
		f := found{typ: "die", message: m[1]}
		if !hasAny(m[2], "/perl5/", "/share/perl", "/lib/perl") {
			f.frame = appPath(m[2])
		}
		return f, true
	}
	f := found{language: "process"}
	if m := shMissing.FindStringSubmatch(line); m != nil {
		f.typ, f.message = strings.ToLower(m[4]), m[3]+": "+m[4]
		if f.typ == "not found" {
			f.typ = "command not found"
		}
		return f, true
	}
	if m := execError.FindStringSubmatch(line); m != nil {
		f.typ, f.message = strings.ToLower(m[2]), line
		return f, true
	}
	return f, false
}
