package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/show"
)

type detectCommand struct {
	File        string `arg:"" optional:"" default:"-" help:"A log file, packed or not; - is standard input."`
	Detect      string `default:"${detect_default}" placeholder:"${detect_values}" help:"Rules, as the container option detect (default: ${default})."`
	Classic     bool   `help:"The same as --detect=classic."`
	Status      string `default:"${status_default}" placeholder:"LIST" help:"Statuses that count, as the container option, such as 500,502-504."`
	Pattern     string `placeholder:"RE2" help:"Lines that match count too, as the container option."`
	ExcludePath string `placeholder:"LIST" help:"Paths that never count, as the container option, such as /healthz,/static/*."`
	Signals     string `default:"${signals_default}" placeholder:"LIST" help:"Tracebacks and crashes that count, such as python,node,runtime, as the container option."`
	Only        string `default:"all" enum:"all,errors,missed" help:"Lines to show: all; errors; missed, which have a word of 500 to 599 and are no error."`
	JSON        bool   `name:"json" help:"One JSON object a line, the counts last."`
}

// Help is shown below the usage.
func (detectCommand) Help() string {
	return `Shows, line by line, whether logfast would take it for a server error, the status and
the rule. Record heads (cri, syslog) are cut off and long lines joined. Nothing is changed.

Examples:
  docker logs web 2>&1 | logfast detect
  logfast detect --only=errors /var/log/logfast/web-1a2b3c4d5e6f/web.log
  logfast detect --exclude-path='/healthz,/static/*' --status=500,502-504 access.log
  logfast detect --only=missed --json app.log

The rules: docs/detection.md`
}

// options turns the flags into what New takes.
func (c *detectCommand) options() (detect.Options, error) {
	if c.Classic {
		c.Detect = string(detect.ModeClassic)
	}
	var o options.Options
	var errs []error
	for _, flag := range []struct{ name, value string }{
		{settings.OptDetect, c.Detect}, {settings.OptStatus, c.Status}, {settings.OptPattern, c.Pattern},
		{settings.OptExclude, c.ExcludePath}, {settings.OptSignals, c.Signals},
	} {
		if err := o.Set(flag.name, flag.value); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag.name, err))
		}
	}
	return o.Detect, errors.Join(errs...)
}

// Run executes the command.
func (c *detectCommand) Run(stdin io.Reader, stdout io.Writer) error {
	t, err := c.tuner(stdout)
	if err != nil {
		return err
	}
	in, err := openLog(c.File, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := t.read(in); err != nil {
		return errors.Join(fmt.Errorf("read %s: %w", c.File, err), t.out.Flush())
	}
	t.counts()
	return t.out.Flush()
}

// tuner makes the tuner that the flags describe.
func (c *detectCommand) tuner(stdout io.Writer) (*tuner, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	d, err := detect.New(o)
	if err != nil {
		return nil, err
	}
	return &tuner{
		command: c, options: o, detector: d, out: bufio.NewWriter(stdout), statuses: map[int]int{},
		rules: map[string]int{},
	}, nil
}

// tuner reads lines and prints what is decided.
type tuner struct {
	command  *detectCommand
	options  detect.Options
	detector detect.Detector
	out      *bufio.Writer
	joiner   [2]detect.Joiner // by record.Stream

	lines, errors, missed int
	explained             int            // lines that do not count and are shown
	statuses              map[int]int    // of errors
	rules                 map[string]int // of errors
}

func (t *tuner) read(in io.Reader) error {
	lines := record.NewLines(in, make([]byte, readSize), 0)
	for lines.Next() {
		if !lines.Ends && lines.Err() != nil {
			break
		}
		if lines.Begins { // what is beyond MaxLine does not count
			t.record(lines.Text[:min(len(lines.Text), detect.MaxLine)])
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for i := range t.joiner {
		if rest := t.joiner[i].Rest(); rest != nil {
			t.line(rest)
		}
	}
	return nil
}

// record takes a line of a file: with a record's head, or without.
func (t *tuner) record(line []byte) {
	r, ok := splitRecord(line)
	if !ok {
		t.line(line)
		return
	}
	if joined, whole := t.joiner[r.Stream].Add(r.Text, r.More); whole {
		t.line(joined)
	}
}

// verdict is what is shown of a line.
type verdict struct {
	Line   int    `json:"line"` // counted from 1; a long line counts once
	Error  bool   `json:"error"`
	Status int    `json:"status,omitempty"` // of any class
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Rule   string `json:"rule,omitempty"` // the rule that decided, error or not
	Note   string `json:"note,omitempty"` // why an error does not count
	Text   string `json:"text"`
}

func (t *tuner) line(line []byte) {
	t.lines++
	var m detect.Match
	var found, named bool
	if auto, ok := t.detector.(detect.Auto); ok {
		m, found, named = auto.Look(line)
	} else {
		m, found = t.detector.Detect(line)
		named = !found && detect.Named(line)
	}
	missed := named && !found
	switch {
	case found:
		t.errors++
		t.statuses[m.Status]++
		t.rules[m.Rule]++
	case missed:
		t.missed++
	}
	if t.command.Only == "errors" && !found || t.command.Only == "missed" && !missed {
		return
	}
	v := verdict{Line: t.lines, Error: found}
	if !found { // to explain takes several times as long as to detect: only what is shown
		t.explained++
		v.Note, m = t.explain(line)
	}
	v.Status, v.Method, v.Path, v.Rule, v.Text = m.Status, string(m.Method), string(m.Path), m.Rule, string(line)
	if t.command.JSON {
		t.json(v)
		return
	}
	mark, status := "-", "-"
	if found {
		mark = "error"
	}
	if v.Status != 0 {
		status = fmt.Sprint(v.Status)
	}
	rule := v.Rule
	if v.Note != "" {
		rule += "; " + v.Note
	}
	if rule == "" {
		rule = "no rule"
	}
	t.printf("%-5s %3s  %-14s %s\n", mark, status, rule, show.Line(string(line)))
}

// explain says what is known of a line that does not count, and why it does
// not where its status is an error's.
func (t *tuner) explain(line []byte) (note string, m detect.Match) {
	if t.options.Mode != detect.ModeAuto {
		return "", m
	}
	m = detect.Auto{}.Explain(line)
	switch {
	case m.Status < 500:
		return "", m
	case !t.options.Status.Has(m.Status):
		return "status left out", m
	default:
		return "path left out", m
	}
}

// The writer keeps its error for Flush.
func (t *tuner) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format, args...) }

func (t *tuner) json(v any) {
	_ = writeJSONLine(t.out, v)
}

// counts prints what all lines came to.
func (t *tuner) counts() {
	if t.command.JSON {
		t.json(map[string]any{
			"lines": t.lines, "errors": t.errors, "missed": t.missed, "statuses": t.statuses, "rules": t.rules,
		})
		return
	}
	t.printf("\n%d lines, %d errors", t.lines, t.errors)
	if t.errors > 0 {
		t.printf(" (%s; by %s)", tally(t.statuses), tally(t.rules))
	}
	t.printf("; %d others have a word of 500 to 599 (--only=missed shows them)\n", t.missed)
}

// tally writes counts, the keys in order: "500: 3, 502: 1".
func tally[K int | string](counts map[K]int) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%v: %d", k, counts[k])
	}
	return b.String()
}
