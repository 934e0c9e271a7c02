package detect

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/logfast/logfast/internal/suggest"
)

// Options say what counts as a server error. The zero Options are Auto with
// every status of 500 to 599. They can be compared, and kept as JSON.
type Options struct {
	Mode        Mode     `json:"mode,omitempty"`
	Status      Statuses `json:"status,omitzero"`
	Pattern     string   `json:"pattern,omitempty"`      // RE2, or ""
	ExcludePath string   `json:"exclude_path,omitempty"` // what ParseExclude takes, or ""
	Signals     Signals  `json:"signals,omitempty"`
}

// Mode is which rules are used.
type Mode string

// The modes. The empty Mode is ModeAuto.
const (
	ModeAuto    Mode = "auto"
	ModeClassic Mode = "classic"
	ModeOff     Mode = "off"
)

// ParseMode reads a Mode.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case ModeAuto, ModeClassic, ModeOff:
		return m, nil
	}
	return "", fmt.Errorf("%q: allowed are auto, classic, off", s)
}

// New makes the detector that o describes. It is Auto, Classic or Off itself
// where nothing else is set.
func New(o Options) (Detector, error) {
	d := &tuned{statuses: o.Status, signals: o.Signals}
	switch o.Mode {
	case ModeAuto, "":
		d.rules = Auto{}
	case ModeClassic:
		d.rules = Classic{}
	case ModeOff:
		d.rules = Off{}
	default:
		_, err := ParseMode(string(o.Mode))
		return nil, err
	}
	var errs []error
	var err error
	if o.Pattern != "" {
		d.pattern, err = parsePattern(o.Pattern)
		errs = append(errs, err)
	}
	if o.ExcludePath != "" {
		d.exclude, err = parseExclude(o.ExcludePath)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if d.pattern == nil && d.exclude == nil && d.signals == 0 && (d.statuses == Statuses{} || d.statuses == AllStatuses) {
		return d.rules, nil
	}
	return d, nil
}

// tuned is a detector with what people set.
type tuned struct {
	rules    Detector
	statuses Statuses
	pattern  *pattern
	exclude  *exclude
	signals  Signals
}

// Detect implements Detector. A line that its rules found and then ruled out,
// by status or path, can still match the pattern.
func (d *tuned) Detect(line []byte) (Match, bool) {
	m, found := d.rules.Detect(line)
	if found && d.statuses.Has(m.Status) && !d.exclude.has(m.Path) {
		return m, true
	}
	if d.pattern != nil {
		if m, found := d.pattern.detect(line); found && (m.Status == 0 || d.statuses.Has(m.Status)) && !d.exclude.has(m.Path) {
			return m, true
		}
	}
	if d.signals != 0 {
		return d.signals.detect(line)
	}
	return Match{}, false
}

// Statuses is a set of 500 to 599. The zero Statuses have them all.
type Statuses [2]uint64

// AllStatuses is 500 to 599.
var AllStatuses = Statuses{1<<64 - 1, 1<<36 - 1}

// ParseStatuses reads a list of statuses and ranges: "500,502-504".
func ParseStatuses(s string) (Statuses, error) {
	var set Statuses
	for _, part := range strings.Split(s, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, err := strconv.Atoi(strings.TrimSpace(low))
		to, toErr := strconv.Atoi(strings.TrimSpace(high))
		if err != nil || toErr != nil || from < firstStatus || to > lastStatus || from > to {
			return Statuses{}, fmt.Errorf("%q: write statuses of 500 to 599 and ranges of them, such as 500,502-504", part)
		}
		for status := from; status <= to; status++ {
			set[(status-firstStatus)/64] |= 1 << ((status - firstStatus) % 64)
		}
	}
	return set, nil
}

// Has reports whether a status is in the set.
func (s Statuses) Has(status int) bool {
	if status < firstStatus || status > lastStatus {
		return false
	}
	n := status - firstStatus
	return s == Statuses{} || s[n/64]&(1<<(n%64)) != 0
}

// pattern is somebody's own expression.
type pattern struct {
	re                   *regexp.Regexp
	status, method, path int // subexpressions, -1 for none
}

// ParsePattern says what is wrong with an expression and where, if anything
// is. An empty one is none.
func ParsePattern(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	_, err := parsePattern(s)
	return s, err
}

func parsePattern(s string) (*pattern, error) {
	re, err := compile(s)
	if err != nil {
		return nil, err
	}
	for _, name := range re.SubexpNames() {
		if name != "" && !slices.Contains(patternGroups, name) {
			return nil, fmt.Errorf("pattern %q, at byte %d: group %q; allowed are (?P<status>…), (?P<method>…), (?P<path>…)%s",
				s, strings.Index(s, "<"+name+">")+1, name, suggest.Nearest(name, patternGroups))
		}
	}
	return &pattern{re, re.SubexpIndex("status"), re.SubexpIndex("method"), re.SubexpIndex("path")}, nil
}

var patternGroups = []string{"status", "method", "path"}

// compile is regexp.Compile with an error that has a place.
func compile(s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, errors.New("an empty expression matches every line: write an RE2 expression, or leave the option out")
	}
	re, err := regexp.Compile(s)
	var bad *syntax.Error
	if errors.As(err, &bad) {
		at := strings.LastIndex(s, bad.Expr)
		switch bad.Code {
		case syntax.ErrMissingParen:
			at = openParen(s)
		case syntax.ErrUnexpectedParen:
			at = strings.LastIndexByte(s, ')')
		case syntax.ErrTrailingBackslash:
			at = len(s) - 1
		}
		return nil, fmt.Errorf("pattern %q, at byte %d: %s %q; the syntax is RE2's", s, max(at, 0)+1, bad.Code, bad.Expr)
	}
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", s, err)
	}
	return re, nil
}

// openParen returns where the last "(" is that nothing closes.
func openParen(s string) int {
	var open []int
	class := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			open = append(open, i)
		case c == ')' && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return 0
	}
	return open[len(open)-1]
}

// detect finds the expression. Where it has a group "status", that must be one
// of 500 to 599.
func (p *pattern) detect(line []byte) (Match, bool) {
	if !p.re.Match(line) {
		return Match{}, false
	}
	m := Match{Rule: "pattern"}
	if p.status < 0 && p.method < 0 && p.path < 0 {
		return m, true
	}
	at := p.re.FindSubmatchIndex(line)
	group := func(n int) []byte {
		if n < 0 || at[2*n] < 0 {
			return nil
		}
		return line[at[2*n]:at[2*n+1]]
	}
	m.Method, m.Path = group(p.method), pathOf(group(p.path))
	if p.status < 0 {
		return m, true
	}
	var ok bool
	m.Status, ok = number(group(p.status))
	return m, ok && m.Status >= firstStatus
}
