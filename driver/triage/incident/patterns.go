package incident

import (
	"errors"
	"fmt"
	"strings"
)

// Routes are patterns of routes, of which the first that matches a request gives
// its route. They are for what Route cannot recognise, such as the names of users.
// A Routes is not changed once it is made; nil has no patterns.
type Routes struct {
	byParts map[int][]pattern // patterns by the number of their parts, in the order of the file
	open    []pattern         // those that end in /**
}

// pattern is one line of a file of patterns.
type pattern struct {
	line   int    // in the file
	method string // "": any
	route  string
	parts  []string // "" matches any part that is not empty
}

// Bounds of a file of patterns.
const (
	maxPatterns  = 1000
	wildcardRest = "**"
)

// ParseRoutes reads a file of patterns, one a line:
//
//	# a comment
//	/users/{slug}/
//	GET /u/{name}/posts/{n}
//	/files/**
//
// {name} and * stand for one part, ** at the end for all that follow. A / at the
// end makes no difference. The route is the pattern itself, without the method. A
// line that is wrong is left out, with an error that says which it is and what to
// write; the others hold.
func ParseRoutes(text string) (*Routes, []error) {
	r := &Routes{byParts: map[int][]pattern{}}
	var wrong []error
	count, number := 0, 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		p, err := parsePattern(line)
		if err == nil && count == maxPatterns {
			wrong = append(wrong, fmt.Errorf("line %d: at most %d patterns are read; this and the following "+
				"ones are left out", number, maxPatterns))
			break
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		count++
		p.line = number
		r.add(p)
	}
	return r, wrong
}

func (r *Routes) add(p pattern) {
	n := len(p.parts)
	if p.parts[n-1] == wildcardRest {
		p.parts = p.parts[:n-1]
		r.open = append(r.open, p)
		return
	}
	r.byParts[n] = append(r.byParts[n], p)
}

func parsePattern(line string) (pattern, error) {
	var p pattern
	fields := strings.Fields(line)
	if len(fields) == 2 && strings.Trim(fields[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		p.method, fields = fields[0], fields[1:]
	}
	if len(fields) != 1 || fields[0][0] != '/' {
		return p, errors.New("write a path that begins with /, such as /users/{slug}/, with a method before it if " +
			"you want: GET /users/{slug}/")
	}
	p.route = fields[0]
	if strings.ContainsAny(p.route, "?#;") || len(p.route) > maxRoute || clean([]byte(p.route)) != p.route {
		return p, fmt.Errorf("write a path of at most %d bytes without ?, # and ;", maxRoute)
	}
	p.parts = strings.Split(strings.TrimSuffix(p.route[1:], "/"), "/")
	for i, part := range p.parts {
		switch {
		case part == wildcardRest && i == len(p.parts)-1:
		case part == wildcardRest:
			return p, errors.New("write ** at the end only; {name} stands for one part")
		case part == "*", len(part) > 2 && part[0] == '{' && strings.IndexAny(part[1:], "{}*") == len(part)-2 &&
			part[len(part)-1] == '}':
			p.parts[i] = ""
		case part == "":
			return p, errors.New("write one / between two parts, and more than / alone")
		case strings.ContainsAny(part, "{}*"):
			return p, fmt.Errorf("%q: write {name} for a whole part, such as /users/{slug}/posts", part)
		}
	}
	return p, nil
}

// Of returns the route of a request: that of the first pattern that matches, and
// otherwise what Route makes of the path.
func (r *Routes) Of(method string, path []byte) string {
	if r == nil || len(r.byParts)+len(r.open) == 0 || len(path) == 0 || path[0] != '/' {
		return Route(path)
	}
	p := string(path[:min(len(path), 4*maxRoute)])
	if i := strings.IndexAny(p, "?#;"); i >= 0 {
		p = p[:i]
	}
	parts := strings.Split(strings.TrimSuffix(p[1:], "/"), "/")
	var best *pattern
	for i := range r.byParts[len(parts)] {
		if m := &r.byParts[len(parts)][i]; m.matches(method, parts) {
			best = m
			break
		}
	}
	for i := range r.open {
		m := &r.open[i]
		if best != nil && best.line < m.line {
			break
		}
		if len(parts) > len(m.parts) && m.matches(method, parts[:len(m.parts)]) {
			best = m
			break
		}
	}
	if best == nil {
		return Route(path)
	}
	return best.route
}

func (p *pattern) matches(method string, parts []string) bool {
	if p.method != "" && p.method != method {
		return false
	}
	for i, want := range p.parts {
		if want == "" && parts[i] == "" || want != "" && want != parts[i] {
			return false
		}
	}
	return true
}
