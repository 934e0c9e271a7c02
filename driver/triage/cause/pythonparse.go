package cause

import (
	"regexp"
	"strings"
)

// pySection is one traceback of a chain or of a group.
type pySection struct {
	thrown
	depth  int  // of the group that it is in
	direct bool // the section before is its direct cause
	joined bool // it follows from the section before, in either way
	done   bool // its exception was read
	detail []string
}

func pythonParse(t *trace) (found, bool) {
	switch t.kind {
	case pyLine:
		return pyParseLine(t)
	case pyFatal:
		_, message, _ := strings.Cut(t.lines[0], "Fatal Python error: ")
		f := found{typ: "Fatal Python error", message: message}
		for _, l := range t.lines { // the most recent call comes first
			if m := pyFrame.FindStringSubmatch(l); m != nil && f.frame == "" {
				f.frame = pyFrameOf(m[1], m[2])
			}
		}
		return f, true
	case pyWorker:
		return pyParseWorker(t)
	}
	if len(t.lines) > 1 && rubyBottom.MatchString(t.lines[1]) {
		return found{}, false
	}
	sections := pySections(t.lines)
	if len(sections) == 0 {
		return found{}, false
	}
	f := pyRoot(sections)
	return f, t.kind != pySyntax || f.typ != ""
}

func pyParseLine(t *trace) (found, bool) {
	typ, message, ok := splitHead(t.lines[0], ".")
	if !ok || t.doubtful() {
		return found{}, false
	}
	return found{typ: typ, message: join(append([]string{message}, t.lines[1:]...))}, true
}

func pyParseWorker(t *trace) (found, bool) {
	f := found{message: join(t.lines)}
	switch text := f.message; {
	case strings.Contains(text, "WORKER TIMEOUT"):
		f.typ = "WORKER TIMEOUT"
	case strings.Contains(text, "failed to boot"):
		f.typ = "Worker failed to boot"
	case strings.Contains(text, "was sent "):
		_, signal, _ := strings.Cut(text, "was sent ")
		f.typ = signal[:len(signal)-len(strings.TrimLeft(signal, "SIGABCDEFHJKLMNOPQRTUVWXYZ"))]
	default:
		f.typ = "Worker exited"
	}
	return f, true
}

var (
	rubyBottom = regexp.MustCompile(`^\s*\d+: from `) // Ruby 2.5 to 2.7 has the same first line
	boxFrame   = regexp.MustCompile(`^(\S+\.py):\d+ in (\S+)`)
)

// pySections divides the lines into tracebacks.
func pySections(lines []string) (all []pySection) {
	var s *pySection
	joined, direct := false, false
	for _, line := range lines {
		text, depth := pyGutter(line)
		trimmed := strings.TrimSpace(text)
		switch {
		case strings.Contains(trimmed, pyHead):
			all = append(all, pySection{depth: depth, joined: joined, direct: direct})
			s, joined, direct = &all[len(all)-1], false, false
			continue
		case strings.HasPrefix(trimmed, "The above exception was the direct cause"):
			joined, direct = true, true
			continue
		case strings.HasPrefix(trimmed, "During handling of the above"):
			joined = true
			continue
		case strings.Trim(trimmed, "+-0123456789. ") == "":
			if s != nil && s.done && trimmed == "" && len(s.detail) > 0 {
				s.detail = append(s.detail, "")
			}
			continue
		}
		if s == nil {
			all = append(all, pySection{depth: depth})
			s = &all[len(all)-1]
		}
		s.line(text, trimmed)
	}
	for i := range all {
		all[i].message = join(append([]string{all[i].message}, all[i].detail...))
	}
	return all
}

// line reads a line of a traceback.
func (s *pySection) line(text, trimmed string) {
	if m := pyFrame.FindStringSubmatch(text); m != nil && !s.done {
		s.framed = true
		if frame := pyFrameOf(m[1], m[2]); frame != "" {
			s.frame = frame
		}
		return
	}
	if m := boxFrame.FindStringSubmatch(trimmed); m != nil && !s.done {
		s.framed = true
		if frame := pyFrameOf(m[1], m[2]); frame != "" {
			s.frame = frame
		}
		return
	}
	if s.done {
		s.detail = append(s.detail, text)
		return
	}
	if text == "" || text[0] == ' ' || text[0] == '\t' || !pyType(text) {
		return
	}
	s.typ, s.message, _ = splitHead(text, ".")
	s.done = true
}

// pyGutter takes the gutter of a group, or of rich's box, from a line.
func pyGutter(line string) (text string, depth int) {
	trimmed := strings.TrimLeft(line, " ")
	switch {
	case strings.HasPrefix(trimmed, "│"):
		text = strings.TrimRight(strings.TrimPrefix(trimmed, "│"), " ")
		return "  " + strings.TrimSpace(strings.TrimSuffix(text, "│")), 0
	case strings.HasPrefix(trimmed, "╭"), strings.HasPrefix(trimmed, "╰"):
		return "  " + trimmed, 0
	case len(trimmed) < len(line) && trimmed != "" && (trimmed[0] == '|' || trimmed[0] == '+'):
		depth = (len(line) - len(trimmed)) / 2
		text = strings.TrimPrefix(strings.TrimLeft(trimmed, "+|"), " ")
		return text, depth
	}
	return line, 0
}

// pyRoot chooses the exception that is reported: of a group the first one in it.
func pyRoot(all []pySection) found {
	from, to := 0, len(all)
	for i, s := range all {
		if s.depth > 1 && !strings.HasSuffix(s.typ, "ExceptionGroup") {
			from = i
			for to = i + 1; to < len(all) && all[to].depth == s.depth && all[to].joined; to++ {
				continue
			}
			break
		}
	}
	root := to - 1
	if from == 0 && to == len(all) {
		for root > 0 && all[root].typ == "" && all[root-1].typ != "" && !all[root].framed {
			root--
		}
	}
	for root > from && all[root].direct {
		root--
	}
	chain := make([]thrown, len(all))
	for i := range all {
		chain[i] = all[i].thrown
	}
	f := rootOf(chain[from:to], root-from, 1)
	if f.frame == "" { // none around it: one that it was raised in
		f.frame = rootOf(chain[:root+1], root, -1).frame
	}
	return f
}

// pyFrameOf describes a frame, "" if it is not the application's.
func pyFrameOf(path, function string) string {
	p := strings.ReplaceAll(path, `\`, "/")
	if strings.HasPrefix(p, "<") || hasAny(p, "/site-packages/", "/dist-packages/", "/lib/python", "/lib64/python",
		"/pypy", "/Python3", "/.pyenv/versions/", "/_vendor/") || strings.Contains(p, "/bin/") &&
		!strings.HasSuffix(p, ".py") {
		return ""
	}
	module := strings.TrimSuffix(appPath(path), ".py")
	module = strings.TrimSuffix(strings.ReplaceAll(module, "/", "."), ".__init__")
	if function = strings.TrimSpace(function); function != "" {
		return module + "." + function
	}
	return module
}
