package cause

import (
	"regexp"
	"strings"
)

// Three families print frames that begin with "at": which one it is shows in what stands
// in the parentheses.
var (
	jvmFrame = regexp.MustCompile(
		`^\s*at ((?:[\w.-]*(?:@[\w.-]+)?/{1,2})?)([\w.$<>\x80-\xff-]+)` +
			`\((?:[\w$.<>-]+\.(?:java|kt|kts|scala|groovy|clj)(?::\d+)?` +
			`|Native Method|Unknown Source|NO_SOURCE_FILE:\d+|<generated>|SourceFile(?::\d+)?|Redefined)\)`)
	nodeFrame = regexp.MustCompile(
		`^\s*at (?:async |new |async new )?(?:(.+?) \()?` +
			`((?:[\w+.-]+:(?://)?)?[^()\s][^()]*?|eval at .*)(?::\d+){1,2}\)?$` +
			`|^\s*at (?:async )?(.+?) \((?:native|<anonymous>|index \d+)\)$|^\s*at (?:native|<anonymous>)$`)
	dotnetFrame = regexp.MustCompile(
		`^\s*at ([^\s(]+(?:\[[^\]]*\])?)\s?\(([^()]*|.*)\)(?: in (.+):line \d+)?\s*$`)
)

// atFormat is the format of a frame that begins with "at".
type atFormat uint8

const (
	atNone atFormat = iota
	atJVM
	atNode
	atDotnet
)

// atKind returns the format of a frame, atNone if the line is not a frame.
func atKind(line string) atFormat {
	switch {
	case len(line) > maxKept:
		return atNone
	case jvmFrame.MatchString(line):
		return atJVM
	case nodeFrame.MatchString(strings.TrimSuffix(line, " {")):
		return atNode
	case dotnetFrame.MatchString(line):
		return atDotnet
	}
	return atNone
}

// atBegin opens a block whose first sure sign is a frame. The lines before it say what it
// is about: the nearest one that looks like an exception, else the last one.
func atBegin(c *candidate, f atFormat, isHead func(string) bool) bool {
	if !isAt(c.line) || atKind(string(c.line)) != f {
		return false
	}
	if c.withErrorLine = c.errorLine != nil && c.lane.before(1) == nil; c.withErrorLine {
		return true
	}
	for i := 1; i <= 6; i++ {
		before := c.lane.before(i)
		if len(before) == 0 {
			break
		}
		if h := readHead(before); isHeadAt(before, &h, isHead) {
			c.back = i
			return true
		}
	}
	if before := c.lane.before(1); !isBlank(before) {
		c.back = 1
	}
	return true
}

func isHeadAt(line []byte, h *head, isHead func(string) bool) bool {
	for _, i := range h.starts[:h.n] {
		if isHead(string(line[i:])) {
			return true
		}
	}
	return false
}

// headOf divides the first line of a trace into what a logger wrote before, and the
// exception.
func headOf(line string, isHead func(string) bool) (typ, message string, ok bool) {
	h := readHead([]byte(line))
	for _, i := range h.starts[:h.n] {
		if isHead(line[i:]) {
			return splitHeadOf(line[i:])
		}
	}
	return "", strings.TrimSpace(line[h.message:]), false
}

// splitHeadOf is splitHead for names of these three families.
func splitHeadOf(s string) (typ, message string, ok bool) { return splitHead(s, ".$`+/-") }
