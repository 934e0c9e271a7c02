package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/redact"
	"github.com/logfast/logfast/internal/show"
)

type incidentsCommand struct {
	sourceFlags
	queryFlags
	JSON bool `name:"json" help:"One JSON object a kind of error."`
}

// Help is shown below the usage.
func (incidentsCommand) Help() string {
	return `Lists what broke, one line a kind of failure, what was seen last above. A kind is the
exception's type and the function that it came from, CAUSE; or, if the log does not say, the app, method,
route and status. LATEST is the id of the last of its incidents: logfast incident shows it.

` + archiveHelp + `

Examples:
  logfast incidents --since 1d
  logfast incidents --store s3://my-logs --app checkout --since 2026-11-01
  logfast incidents --since 1h --json | jq -r 'select(.errors > 100).route'

The exit status is 0, 1 where something failed or could not be read, 130 after ^C.`
}

// Run executes the command.
func (c *incidentsCommand) Run(app *kong.Kong, stdin io.Reader) error {
	return c.with(app, stdin, &c.queryFlags, 1, func(d *session) error {
		found := archive.Groups{Query: d.query}
		if err := d.EachIncident(d.ctx, d.query, found.Add); err != nil {
			return err
		}
		if found.Unlisted > 0 {
			d.screen.say("%d errors are of further kinds: only %d kinds are listed. Choose fewer with --since, "+
				"--app or --host", found.Unlisted, archive.MaxGroups)
		}
		groups := found.List()
		if c.JSON {
			e := newEncoder(d.screen)
			for _, g := range groups {
				if err := e.Encode(g); err != nil {
					return err
				}
			}
			return nil
		}
		if len(groups) == 0 {
			d.screen.say("no incident in %s is of these", d.name)
			return nil
		}
		t := table{heads: []string{"LAST SEEN", "FIRST SEEN", ">ERRORS", ">STATUS", "APP", "CAUSE", "ROUTE", "HOSTS",
			"LATEST"}}
		for _, g := range groups {
			route := routeName(g.Method, g.Route)
			if g.Routes > 1 {
				route += fmt.Sprintf(" and %d more", g.Routes-1)
			}
			t.add(when(g.Last, d.zone), when(g.First, d.zone), count(g.Errors), statusName(g.Status), orDash(g.App),
				causeName(g.Cause), route, strings.Join(g.Hosts, ","), g.Incidents[len(g.Incidents)-1])
		}
		return t.write(d.screen)
	})
}

func statusName(status int) string {
	if status == 0 {
		return "-"
	}
	return fmt.Sprint(status)
}

// causeName is a cause in a few words: its type, and the function that failed.
func causeName(c *cause.Cause) string {
	if c == nil {
		return "-"
	}
	return c.Short()
}

func routeName(method, route string) string { return orDash(strings.TrimSpace(method + " " + route)) }

type incidentCommand struct {
	sourceFlags
	UTC     bool   `name:"utc" group:"Which lines" help:"Times are written as UTC; else in the local zone."`
	ID      string `arg:"" help:"The incident's id, or as much of its beginning as no other has."`
	Context int    `short:"C" default:"5" placeholder:"N" help:"Lines before and after each error. Default: ${default}."`
	JSON    bool   `name:"json" help:"The event as it is in the store, and beside it the lines."`
	Secrets bool   `name:"unredacted" help:"The lines as they are in the store, with their secrets."`
}

// Help is shown below the usage.
func (incidentCommand) Help() string {
	return `Shows one incident: what it came to, its kinds of errors, and the lines around those
that it quotes, from the log objects themselves. A ">" marks the errors. Secrets are redacted in all
of it; in the lines an expression that the option redact names is not used. The log itself has them:
logfast cat.

` + archiveHelp + `

Examples:
  logfast incident 20261123T190301
  logfast incident -C 20 20261123T190301.123456Z-8c1f
  logfast incident --json 20261123T190301 | jq -r '.data.objects[].key'

The exit status is 0, 1 where something failed or could not be read, 130 after ^C.`
}

// shown is an incident as JSON: the event, and lines by key.
type shown struct {
	*incident.Event
	Lines map[string][]archive.Numbered `json:"lines"`
}

// Run executes the command.
func (c *incidentCommand) Run(app *kong.Kong, stdin io.Reader) error {
	return c.with(app, stdin, &queryFlags{UTC: c.UTC}, 1, func(d *session) error {
		if c.Context < 0 {
			return errors.New("--context takes a number of lines, 0 or more")
		}
		event, err := d.Incident(d.ctx, c.ID)
		if err != nil {
			return err
		}
		v := &incidentView{
			session: d, Incident: &event.Data, lines: map[string][]archive.Numbered{}, secrets: c.Secrets,
			source: &c.sourceFlags,
		}
		v.fetch(c.Context)
		if d.ctx.Err() != nil {
			return d.ctx.Err()
		}
		if c.JSON {
			err = writeJSONLine(d.screen, shown{event, v.lines})
		} else {
			err = v.print()
		}
		if err == nil && v.failed {
			return &exit{1, nil}
		}
		return err
	})
}

// incidentView shows an incident.
type incidentView struct {
	*session
	*incident.Incident
	lines   map[string][]archive.Numbered // by key
	failed  bool
	secrets bool // stay in the lines
	source  *sourceFlags
}

// keysOf returns the keys of those of the incident's objects that want says.
func (v *incidentView) keysOf(want func(*incident.Object) bool) []string {
	var keys []string
	for i := range v.Objects {
		if o := &v.Objects[i]; want(o) {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// fetch gets the lines around the samples.
func (v *incidentView) fetch(context int) {
	for _, key := range v.keys() {
		var at []int64
		for _, s := range v.Samples {
			if s.Key == key {
				at = append(at, s.Line)
			}
		}
		lines, err := v.Around(v.ctx, key, at, int64(context))
		if err != nil && v.ctx.Err() == nil {
			v.failed = true
			v.screen.say("the lines of %s cannot be shown: %v", key, err)
		}
		if !v.secrets {
			redactLines(lines)
		}
		v.lines[key] = lines
	}
}

// redactLines takes the secrets out of lines, those that follow each other together.
func redactLines(lines []archive.Numbered) {
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && lines[n].Line == lines[n-1].Line+1 {
			n++
		}
		texts := make([]string, n)
		for i := range texts {
			texts[i] = lines[i].Text
		}
		for i, text := range redact.Lines(texts) {
			lines[i].Text = text
		}
		lines = lines[n:]
	}
}

// keys are those of the objects that samples are from, in the samples' order.
func (v *incidentView) keys() (keys []string) {
	for _, s := range v.Samples {
		if s.Key != "" && !slices.Contains(keys, s.Key) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// printer keeps the first error of what is written, and escapes what it formats.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, show.Args(args)...)
	}
}

func (p *printer) table(t *table) {
	if p.err == nil {
		p.err = t.write(p.w)
	}
}

func (v *incidentView) print() error {
	p := &printer{w: v.screen}
	v.summary(p)
	t := table{indent: "  ", heads: []string{">ERRORS", ">STATUS", "APP", "ROUTE", "FIRST", "LAST"}}
	for _, f := range v.Fingerprints {
		t.add(count(f.Errors), statusName(f.Status), orDash(f.App), routeName(f.Method, f.Route), when(f.First, v.zone),
			when(f.Last, v.zone))
	}
	p.f("\nKinds of errors\n")
	p.table(&t)
	if v.Unlisted > 0 {
		p.f("  and %d errors of kinds that are not listed\n", v.Unlisted)
	}
	for _, key := range v.keys() {
		p.f("\n%s\n", key)
		v.context(p, key)
	}
	if len(v.Objects) > 0 {
		t := table{indent: "  ", heads: []string{"CONTAINER", "REASON", ">LINES", ">ERRORS", ">SIZE", "KEY"}}
		for _, o := range v.Objects {
			t.add(orDash(o.Container), o.Reason, count(o.Lines), count(o.Errors), humanBytes(o.Size), o.Key)
		}
		p.f("\nLog objects\n")
		p.table(&t)
		p.f("\n")
		if with := v.keysOf(func(o *incident.Object) bool { return o.Errors > 0 }); len(with) < len(v.Objects) &&
			len(with) > 0 {
			p.f("With errors: %s\n", v.source.command("cat", with))
		}
		p.f("All of it: %s\n", v.source.command("cat", v.keysOf(func(*incident.Object) bool { return true })))
	}
	return p.err
}

func (v *incidentView) summary(p *printer) {
	var statuses []string
	for _, status := range slices.Sorted(maps.Keys(v.ByStatus)) {
		name := status
		if status == "0" {
			name = "without a status"
		}
		statuses = append(statuses, fmt.Sprintf("%s: %d", name, v.ByStatus[status]))
	}
	p.f("Incident %s\n", v.ID)
	if c := v.Cause; c != nil {
		p.f("  Cause       %s\n", lineText(c.String()))
		if c.Frame != "" {
			p.f("              in %s\n", c.Frame)
		}
	}
	p.f("  Errors      %d (%s)\n", v.Errors, strings.Join(statuses, ", "))
	p.f("  Time        %s to %s (%s)\n", when(v.First, v.zone), when(v.Last, v.zone),
		v.Last.Sub(v.First).Round(time.Second))
	closed := string(v.Closed)
	if closed == "" {
		closed = "not yet"
	}
	p.f("  Host        %s, scope %s, closed by %s\n", v.Host, v.Scope, closed)
	for _, c := range v.Containers {
		p.f("  Container   %s (%.12s), app %s%s%s\n", c.Name, c.ID, c.App, ifAny(", group ", c.Group),
			ifAny(", image ", c.Image))
	}
	p.f("  Lines       %d, %s of text", v.Lines, humanBytes(v.Bytes))
	if v.Lost > 0 {
		p.f("; %d lines were lost", v.Lost)
	}
	if v.Missing > 0 {
		p.f("; %d log objects are missing: somebody removed them from the host before they were shipped", v.Missing)
	}
	p.f("\n")
}

// lineText is a line that is escaped: unlike a field it may have tabs.
type lineText string

// Format implements fmt.Formatter.
func (l lineText) Format(f fmt.State, _ rune) {
	io.WriteString(f, show.Line(string(l))) //nolint:errcheck // a printer keeps the error
}

func ifAny(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

// context prints the lines of one object, those with errors marked. Where they
// could not be had, what the incident quotes of them stands in their place.
func (v *incidentView) context(p *printer, key string) {
	marked := map[int64]*incident.Sample{}
	for i := range v.Samples {
		if s := &v.Samples[i]; s.Key == key {
			marked[s.Line] = s
		}
	}
	if len(v.lines[key]) == 0 {
		for _, line := range slices.Sorted(maps.Keys(marked)) {
			s := marked[line]
			p.f("> %7d  %s\n", line, lineText(s.Text))
			for text := range strings.Lines(s.Context) {
				p.f("           %s\n", lineText(strings.TrimSuffix(text, "\n")))
			}
		}
		return
	}
	last := v.lines[key][0].Line - 1
	for _, l := range v.lines[key] {
		if l.Line > last+1 {
			p.f("  --\n")
		}
		last = l.Line
		mark := ' '
		if marked[l.Line] != nil {
			mark = '>'
		}
		more := ""
		if l.Cut {
			more = "…"
		}
		p.f("%c %7d  %s%s\n", mark, l.Line, lineText(l.Text), more)
	}
}
