package cause

import (
	"bytes"
	"regexp"
	"strings"
)

// ruby reads the traces of Ruby and what Rails, Sinatra, Puma and Sidekiq log of exceptions.
//
//	/app/x.rb:3:in `foo': undefined method `bar' for nil:NilClass (NoMethodError)
//		from /app/x.rb:6:in `<main>'
//
//	NoMethodError (undefined method `x' for nil:NilClass):
//	  app/controllers/a_controller.rb:12:in `show'
var ruby = &family{
	language: "ruby",
	anchors: []string{":in `", ":in '", "Error", "Exception", "NotFound", "Invalid", ".rb:1", ".rb:2", ".rb:3",
		".rb:4", ".rb:5", ".rb:6", ".rb:7", ".rb:8", ".rb:9"},
	begin:  rubyBegin,
	follow: rubyFollow,
	parse:  rubyParse,
}

// Kinds of Ruby's causes.
const (
	rubyTrace   = iota // place: message (Type)
	rubyRails          // Type (message):
	rubyInspect        // #<Type: message>
	rubyLog            // Type: message, or Type - message: with frames behind it
)

var (
	rubyPlace = regexp.MustCompile("^(\\S+?):\\d+:in [`'](.+?)': (.*)$")
	rubyTop   = regexp.MustCompile(`^(\S+\.(?:rb|ru)):\d+: (.*) \(([A-Z][\w:]+)\)$`)
	rubyOwn   = regexp.MustCompile(`^(.*) \(([A-Z][\w:]*)\)$`)
	rubyFrame = regexp.MustCompile("^(?:\\s*\\d+: )?\\s*(?:from )?((?:[\\w.+-]+ \\([\\d.\\w-]+\\) )?" +
		"[^\\s:]*(?:\\.(?:rb|ru|erb|haml|slim|rake|jbuilder)|bin/\\w+|\\(irb\\)|<internal:[^>]*>)[^\\s:]*)" +
		":\\d+(?::in [`'](.+?)'?)?$")
	rubyHead    = regexp.MustCompile(`^((?:[A-Z]\w*::)*[A-Z]\w*) \((.*)\):\s*$`)
	rubyDash    = regexp.MustCompile(`^((?:[A-Z]\w*::)*[A-Z]\w*)(?: - |: )(.*?):?$`)
	rubyObject  = regexp.MustCompile(`#<((?:[A-Z]\w*::)*[A-Z]\w*(?:Error|Exception|Invalid|NotFound|Timeout)): (.*)>`)
	rubyAny     = regexp.MustCompile(`#<((?:[A-Z]\w*::)*[A-Z]\w*): (.*)>`)
	rubySidekiq = regexp.MustCompile(`\bpid=\d+ tid=\w+`)
)

func rubyBegin(c *candidate) bool {
	inFile := rubyNames(c.line)
	if inFile && c.at(func(rest []byte) bool {
		m := rubyPlace.FindSubmatch(rest)
		return m != nil && rubyFile(string(m[1])) || rubyTop.Match(rest)
	}) {
		return true
	}
	c.kind = rubyRails
	if bytes.HasSuffix(bytes.TrimRight(c.line, " "), []byte("):")) &&
		c.anywhere(rubyHead.Match) {
		return true
	}
	if bytes.Contains(c.line, []byte("#<")) && rubyObject.Match(c.line) && c.head.level != low {
		c.kind, c.col = rubyInspect, min(c.head.message, rubyObject.FindIndex(c.line)[0])
		return true
	}
	c.kind = rubyLog
	if bytes.Contains(c.line, []byte(" tid=")) && rubySidekiq.Match(c.line) || bytes.HasSuffix(c.line,
		[]byte(":")) && bytes.Contains(c.line, []byte(" - ")) {
		if c.at(func(rest []byte) bool {
			m := rubyDash.FindSubmatch(rest)
			return m != nil && isFailureName(string(m[1]))
		}) {
			return true
		}
	}
	return inFile && rubyBack(c)
}

// rubyNames reports whether a line may name a source of Ruby's.
func rubyNames(line []byte) bool {
	for _, name := range []string{".rb:", ".ru:", ".erb:", ".rake:", ".haml:", ".slim:", ":in "} {
		if bytes.Contains(line, []byte(name)) {
			return true
		}
	}
	return false
}

// rubyBack opens a block at a frame: the line before it says what it is about.
func rubyBack(c *candidate) bool {
	if !c.at(func(rest []byte) bool { return rubyFrame.Match(rest) }) {
		return false
	}
	if h := readHead(c.errorLine); c.errorLine != nil && isHeadAt(c.errorLine, &h, rubyIsHead) {
		c.withErrorLine = true
		return true
	}
	for i := 1; i <= 4; i++ {
		before := c.lane.before(i)
		if h := readHead(before); isHeadAt(before, &h, rubyIsHead) {
			c.back = i
			return true
		}
		if !isBlank(before) {
			break
		}
	}
	return false
}

// rubyIsHead reports whether a line before a frame is an exception.
func rubyIsHead(s string) bool {
	return rubyHead.MatchString(s) || strings.Contains(s, "#<") && rubyAny.MatchString(s) ||
		rubyDash.MatchString(s) || rubyOwn.MatchString(s)
}

// rubyFile reports whether a path is one of Ruby's sources.
func rubyFile(path string) bool {
	return hasAny(path, ".rb", ".ru", ".erb", ".rake", ".haml", ".slim", "(irb)", "<internal:", "-e", "/bin/")
}

func rubyFollow(b *block, line []byte) verdict {
	text := bytes.TrimLeft(line, " \t")
	if b.kind == rubyLog && len(b.prefix) == 0 || b.frames == 0 && rubySidekiq.Match(line) {
		if h := readHead(line); h.n > 0 && h.level != noLevel {
			text = line[h.message:]
		}
	}
	switch {
	case rubyFrame.Match(text), bytes.HasPrefix(text, []byte("from ")), bytes.HasPrefix(text, []byte("... ")):
		b.frames++
		return belongs
	case bytes.HasPrefix(text, []byte("Cause")) && b.kind == rubyRails, rubyPlace.Match(text) && b.frames > 0,
		rubyHead.Match(text) && b.state == 1:
		b.state = 1
		return belongs
	case len(text) == 0, b.frames == 0 && !isLog(line), b.kind == rubyRails && b.frames == 0 &&
		len(line)-len(text) > 0:
		return maybe
	}
	return foreign
}

func rubyParse(t *trace) (found, bool) {
	if t.kind == rubyInspect {
		m := rubyObject.FindStringSubmatch(t.prefix + t.lines[0])
		if m == nil {
			return found{}, false
		}
		f := found{typ: m[1], message: m[2]}
		chain := []thrown{{}}
		rubyFrames(&chain, t.lines[1:])
		f.frame = chain[0].frame
		return f, true
	}
	var chain []thrown
	first := strings.TrimSpace(t.lines[0])
	switch {
	case t.kind == rubyTrace:
		chain = rubyFirst(first, t.lines[1:])
		for _, line := range t.lines[1:] {
			if len(chain) == 0 || rubyFrame.MatchString(strings.TrimSpace(line)) {
				break
			}
			chain[0].addLine(line) // the rest of a message of several lines
		}
	case rubyHead.MatchString(first):
		m := rubyHead.FindStringSubmatch(first)
		chain = []thrown{{typ: m[1], message: m[2]}}
	default:
		h := readHead([]byte(first))
		for _, i := range h.starts[:h.n] {
			if m := rubyAny.FindStringSubmatch(first[i:]); m != nil {
				chain = []thrown{{typ: m[1], message: m[2]}}
				break
			}
			if m := rubyDash.FindStringSubmatch(first[i:]); m != nil && levelOf([]byte(m[1])) == noLevel {
				chain = []thrown{{typ: m[1], message: m[2]}}
				break
			}
			if m := rubyOwn.FindStringSubmatch(first[i:]); m != nil && i == h.message {
				chain = []thrown{{typ: m[2], message: m[1]}}
				break
			}
		}
	}
	if len(chain) == 0 {
		return found{}, false
	}
	rubyFrames(&chain, t.lines[1:])
	sure := t.kind != rubyLog || rubySidekiq.MatchString(t.prefix)
	for _, c := range chain {
		sure = sure || c.framed
	}
	return rootOf(chain, len(chain)-1, -1), sure
}

// rubyFirst reads "place: message (Type)". The type stands behind the first line of the
// message.
func rubyFirst(line string, rest []string) []thrown {
	var e thrown
	path, function, message := "", "", ""
	if m := rubyPlace.FindStringSubmatch(line); m != nil {
		path, function, message = m[1], m[2], m[3]
	} else if m := rubyTop.FindStringSubmatch(line); m != nil {
		return []thrown{{typ: m[3], message: m[2], frame: rubyFrameOf(m[1], "")}}
	} else {
		return nil
	}
	own := rubyOwn.FindStringSubmatch(message)
	if own == nil {
		if len(rest) == 0 || !strings.Contains(strings.Join(rest, "\n"), "from ") {
			return nil
		}
		own = []string{"", message, "RuntimeError"}
	}
	e.typ, e.message, e.framed = own[2], own[1], true
	if len(rest) > 0 { // a method that is not written in Ruby has its caller's place
		place := line[:len(line)-len(strings.TrimPrefix(line, path))]
		place = line[:len(place)+1+strings.IndexByte(line[len(place)+1:], ':')]
		if m := rubyFrame.FindStringSubmatch(rest[0]); m != nil && strings.Contains(rest[0], "from "+place+":") {
			function = m[2]
		}
	}
	e.frame = rubyFrameOf(path, function)
	return []thrown{e}
}

// rubyFrames reads the frames, and the causes between them.
func rubyFrames(chain *[]thrown, lines []string) {
	for n, line := range lines {
		text := strings.TrimSpace(line)
		cur := &(*chain)[len(*chain)-1]
		if m := rubyPlace.FindStringSubmatch(text); m != nil && rubyOwn.MatchString(m[3]) && rubyFile(m[1]) {
			*chain = append(*chain, rubyFirst(text, lines[n+1:])...)
			continue
		}
		if m := rubyHead.FindStringSubmatch(text); m != nil && cur.framed {
			*chain = append(*chain, thrown{typ: m[1], message: m[2]})
			continue
		}
		h := readHead([]byte(text))
		for _, i := range h.starts[:h.n] {
			if m := rubyFrame.FindStringSubmatch(text[i:]); m != nil {
				if cur.framed = true; cur.frame == "" {
					cur.frame = rubyFrameOf(m[1], m[2])
				}
				break
			}
		}
	}
}

// rubyFrameOf describes a frame, "" if it is not the application's.
func rubyFrameOf(path, function string) string {
	if hasAny(path, "/gems/", "/lib/ruby/", "/lib64/ruby/", "/rubygems/", "<internal:", "/.rbenv/", "/.rvm/",
		"/bundle/", " (", "/usr/lib/") ||
		strings.HasPrefix(path, "bin/") || strings.HasPrefix(path, "vendor/") || strings.Contains(path, "/bin/") {
		return ""
	}
	for _, p := range []string{"block in ", "rescue in ", "ensure in "} {
		function = strings.TrimPrefix(function, p)
	}
	if i := strings.Index(function, "levels) in "); i >= 0 {
		function = function[i+len("levels) in "):]
	}
	if strings.HasPrefix(function, "<") {
		function = ""
	}
	if i := strings.LastIndexAny(function, "#."); i >= 0 { // Ruby 3.4 adds the class
		function = function[i+1:]
	}
	return in(function, appPath(path))
}
