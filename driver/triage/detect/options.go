package detect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/triage/expression"
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
	if d.pattern == nil && d.exclude == nil && d.signals == 0 &&
		(d.statuses == Statuses{} || d.statuses == AllStatuses) {
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
	left     *budget // for the expressions; nil: no bound
}

// Detect implements Detector. A line that its rules found and then ruled out,
// by status or path, can still match the pattern.
func (d *tuned) Detect(line []byte) (Match, bool) {
	if d.left != nil {
		d.left.earn(line)
	}
	m, found := d.rules.Detect(line)
	if found && d.statuses.Has(m.Status) && !d.excluded(m.Path) {
		return m, true
	}
	if d.pattern != nil && !d.left.over() {
		defer d.left.spend(time.Now())
		if m, found := d.pattern.detect(line); found && (m.Status == 0 || d.statuses.Has(m.Status)) &&
			!d.exclude.has(m.Path) {
			return m, true
		}
	}
	if d.signals != 0 {
		return d.signals.detect(line)
	}
	return Match{}, false
}

func (d *tuned) excluded(path []byte) bool {
	if d.exclude == nil || d.left.over() {
		return false
	}
	defer d.left.spend(time.Now())
	return d.exclude.has(path)
}

// Costly reports whether a detector runs expressions that people have set, which
// may take a thousand times as long for a line as the rules do.
func Costly(d Detector) bool {
	t, ok := d.(*tuned)
	return ok && (t.pattern != nil || t.exclude != nil)
}

// Work is what the expressions of a detector may take for a line of n bytes, as
// expression.Regexp has it.
func Work(d Detector, n int) int {
	t, ok := d.(*tuned)
	if !ok {
		return 0
	}
	work := 0
	if t.pattern != nil {
		work += t.pattern.re.Work(n)
	}
	if t.exclude != nil && t.exclude.re != nil {
		work += t.exclude.re.Work(min(n, maxPath))
	}
	return work
}

// Bounded returns the detector for one reading of a text that is waited for by
// others than the container whose text it is. Expressions that people have set get
// 100 ns for each byte, and 200 ms at the start; lines for which that is spent are
// judged without them. It belongs to one goroutine.
func Bounded(d Detector) Detector {
	if !Costly(d) {
		return d
	}
	t := *d.(*tuned)
	left := budget(burst)
	t.left = &left
	return &t
}

// What a budget begins with and earns.
const (
	burst   = 200 * time.Millisecond
	perByte = 100 * time.Nanosecond
)

// budget is the time that expressions may still take. The nil budget has no end.
type budget time.Duration

func (b *budget) earn(line []byte) { *b += budget(perByte) * budget(len(line)) }
func (b *budget) over() bool       { return b != nil && *b <= 0 }

func (b *budget) spend(since time.Time) {
	if b != nil {
		*b -= budget(time.Since(since))
	}
}

// Statuses is a set of 500 to 599. The zero Statuses have them all.
type Statuses [2]uint64

// AllStatuses is 500 to 599.
var AllStatuses = Statuses{1<<64 - 1, 1<<36 - 1}

// maxStatuses bounds the text of a list, in bytes: each status once is 400.
const maxStatuses = 1 << 10

// ParseStatuses reads a list of statuses and ranges: "500,502-504".
func ParseStatuses(s string) (Statuses, error) {
	var set Statuses
	if len(s) > maxStatuses {
		return set, fmt.Errorf("a list of %d bytes; allowed are %d: write ranges, such as 500,502-504", len(s),
			maxStatuses)
	}
	for _, part := range strings.Split(s, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, err := strconv.Atoi(strings.TrimSpace(low))
		to, toErr := strconv.Atoi(strings.TrimSpace(high))
		if err != nil || toErr != nil || from < firstStatus || to > lastStatus || from > to {
			return Statuses{}, fmt.Errorf("%q: write statuses of 500 to 599 and ranges of them, such as 500,502-504",
				part)
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
	re                   *expression.Regexp
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
			return nil, fmt.Errorf("pattern %q, at byte %d: group %q; allowed are (?P<status>…), (?P<method>…), "+
				"(?P<path>…)%s",
				s, strings.Index(s, "<"+name+">")+1, name, suggest.Nearest(name, patternGroups))
		}
	}
	return &pattern{re, re.SubexpIndex("status"), re.SubexpIndex("method"), re.SubexpIndex("path")}, nil
}

var patternGroups = []string{"status", "method", "path"}

// compile is expression.Compile for one that must not be empty.
func compile(s string) (*expression.Regexp, error) {
	if s == "" {
		return nil, errors.New("an empty expression matches every line: write an RE2 expression, or leave " +
			"the option out")
	}
	return expression.Compile(s)
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
