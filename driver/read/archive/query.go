package archive

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/spool"
)

// Query says which lines are wanted. Several values of one field mean any of
// them; each is a name, or a pattern as path.Match has it.
type Query struct {
	Apps, Hosts, Groups []string
	Containers          []string  // names, or at least 4 digits of the id
	Since, Until        time.Time // zero: without bound; both are part of the range
}

// Check says what is wrong with the patterns and the range.
func (q *Query) Check() error {
	for name, values := range map[string][]string{
		"app": q.Apps, "host": q.Hosts, "group": q.Groups, "container": q.Containers,
	} {
		for _, v := range values {
			if _, err := path.Match(v, ""); err != nil || v == "" {
				return fmt.Errorf("%s %q: write a name, or a pattern such as web-*", name, v)
			}
		}
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Before(q.Since) {
		return fmt.Errorf("nothing lies between %s and %s: since must come before until",
			q.Since.Format(time.RFC3339), q.Until.Format(time.RFC3339))
	}
	return nil
}

// slack is how far a line may lie before the first of its segment: what Docker
// stamped before midnight and delivered after a line of the next day.
const slack = 10 * time.Minute

// skew is how far the clock of a store may be behind a host's. With more, S3
// would have refused the object.
const skew = 15 * time.Minute

// verdict is what is known about whether something is wanted.
type verdict uint8

const (
	no verdict = iota
	maybe
	yes
)

// judge compares a segment with the query by what is known of it by now.
func (q *Query) judge(s *Segment) verdict {
	v := yes
	for _, field := range []struct {
		name   string
		wanted []string
		value  string
	}{
		{"app", q.Apps, s.Stream.App},
		{"host", q.Hosts, s.Stream.Host},
		{"group", q.Groups, s.Stream.Group},
	} {
		switch {
		case len(field.wanted) == 0:
		case !s.knows(field.name):
			v = min(v, maybe)
		case !anyOf(field.wanted, field.value):
			return no
		}
	}
	if len(q.Containers) > 0 {
		v = min(v, q.container(s))
	}
	return min(v, q.time(s))
}

// container compares the containers of the query.
func (q *Query) container(s *Segment) verdict {
	if anyOf(q.Containers, s.Stream.Name) && s.Stream.Name != "" {
		return yes
	}
	for _, id := range q.Containers {
		if isID(id) && s.Stream.ID != "" && (strings.HasPrefix(s.Stream.ID, id) || strings.HasPrefix(id, s.Stream.ID)) {
			return yes
		}
	}
	if s.knows("name") && s.knows("id") {
		return no
	}
	return maybe
}

// isID reports whether a text may be the beginning of a container's id.
func isID(s string) bool {
	return len(s) >= 4 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// time compares the range of the query.
func (q *Query) time(s *Segment) verdict {
	if !q.Until.IsZero() && !s.First.IsZero() && s.First.After(q.Until.Add(slack)) {
		return no
	}
	if q.Since.IsZero() {
		return yes
	}
	switch {
	case !s.Last.IsZero():
		if s.Last.Before(q.Since) {
			return no
		}
		return yes
	case s.Active:
		return yes
	case spool.LatestLine(s.First).Before(q.Since), !s.modified.IsZero() && s.modified.Add(skew).Before(q.Since):
		return no
	case !s.First.Before(q.Since):
		return yes
	}
	return maybe
}

// anyOf reports whether a name is one of those wanted. Names in keys are as
// spool.FileName leaves them, so both are compared like that too.
func anyOf(wanted []string, name string) bool {
	for _, w := range wanted {
		if matches(w, name) {
			return true
		}
	}
	return false
}

func matches(pattern, name string) bool {
	if pattern == name || name != "" && spool.FileName(pattern) == spool.FileName(name) {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// only returns the one name that is wanted, if there is one alone.
func only(wanted []string) (string, bool) {
	if len(wanted) != 1 || strings.ContainsAny(wanted[0], `*?[\`) {
		return "", false
	}
	return spool.FileName(wanted[0]), true
}
