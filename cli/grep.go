package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/internal/show"
)

type grepCommand struct {
	sourceFlags
	queryFlags
	lineFlags
	Pattern    string `arg:"" help:"RE2 expression; with -F a text."`
	IgnoreCase bool   `short:"i" help:"Upper and lower case are the same."`
	Invert     bool   `short:"v" name:"invert-match" help:"Lines that do not match."`
	Fixed      bool   `short:"F" name:"fixed-strings" help:"The pattern is a text, not an expression."`
	Count      bool   `short:"c" help:"How many lines, and nothing else."`
	List       bool   `short:"l" name:"files-with-matches" help:"The keys of the segments with such lines, and nothing else."`
	After      int    `short:"A" name:"after-context" placeholder:"N" help:"And so many lines of the container after each."`
	Before     int    `short:"B" name:"before-context" placeholder:"N" help:"And so many before."`
	Context    int    `short:"C" placeholder:"N" help:"Both."`
}

// Help is shown below the usage.
func (grepCommand) Help() string {
	return `Searches what the programs wrote, line by line: without the time and stream that a
record has before it, long lines whole. Lines are printed in the order of their time.

` + archiveHelp + `

Examples:
  logfast grep --app checkout --since 1d 'order 4711'
  logfast grep -i -C 3 --output text 'timeout|refused' --since 2h
  logfast grep -c --status 502 . --since 2026-11-23 --until 2026-11-23
  logfast grep -l -F '"trace":"4bf92f35"' --since 30d

The exit status is 0 where a line was found, 1 where none was, 2 where something failed or could not
be read, 130 after ^C.`
}

// Run executes the command.
func (c *grepCommand) Run(app *kong.Kong, stdin io.Reader) error {
	return c.with(app, stdin, &c.queryFlags, 2, func(d *session) error {
		sel, err := c.selection(d)
		if err != nil {
			return err
		}
		if c.Context < 0 || c.After < 0 || c.Before < 0 {
			return errors.New("-A, -B and -C take a number of lines, 0 or more")
		}
		before, after := max(c.Before, c.Context), max(c.After, c.Context)
		if c.Count || c.List {
			before, after = 0, 0
		}
		if sel.Pattern, err = archive.ParsePattern(c.Pattern, c.Fixed, c.IgnoreCase); err != nil {
			return err
		}
		sel.Lines, sel.Invert, sel.All = true, c.Invert, before+after > 0
		l, err := d.Segments(d.ctx, d.query)
		if err != nil {
			return err
		}
		defer l.Close()
		d.notes(l)
		g := &grep{
			session: d, write: c.writer(d.screen).write, before: before, after: after,
			named: map[string]bool{}, containers: map[string]*surroundings{},
		}
		if c.form() != "json" {
			g.separator = "--\n"
		}
		switch {
		case c.Count:
			g.write = func(*archive.Line) error { return nil }
		case c.List:
			g.write = g.name
		}
		if err := d.Read(d.ctx, l.Segments, sel, g.line); err != nil {
			return err
		}
		if err := g.end(); err != nil {
			return err
		}
		if c.Count {
			if _, err := fmt.Fprintln(d.screen, g.found); err != nil {
				return err
			}
		}
		if g.found == 0 && !d.Failed() {
			return &exit{1, nil}
		}
		return nil
	})
}

// grep prints lines that match, and those around them.
type grep struct {
	*session
	write         func(*archive.Line) error
	separator     string // between groups
	before, after int
	found         int64
	named         map[string]bool // segments of which the name was printed
	printed       bool            // a group was
	containers    map[string]*surroundings
	held          int  // bytes of the lines in containers
	dropped       bool // it was said that lines before a match may be missing
}

// surroundings are the last lines of one container.
type surroundings struct {
	group  []archive.Line // a match and what belongs to it, to be printed together
	want   int            // lines after the last match that are still to come
	recent []archive.Line // those after that: they may come before a match
}

// What is kept of lines that may be printed together: so many lines of a group,
// and of all containers so many bytes.
const (
	maxGroup = 10_000
	maxHeld  = 16 << 20
	lineSize = 128 // what a line takes besides its text, about
)

func (g *grep) line(l *archive.Line) error {
	if l.Match {
		g.found++
	}
	if g.before+g.after == 0 {
		return g.write(l)
	}
	id := l.Segment.Stream.Host + "/" + l.Segment.Stream.ShortID()
	s := g.containers[id]
	if s == nil {
		s = &surroundings{}
		g.containers[id] = s
	}
	kept := *l
	kept.Raw, kept.Text = slices.Clone(l.Raw), slices.Clone(l.Text)
	g.held += lineBytes(&kept)
	switch {
	case l.Match:
		s.group, s.recent, s.want = append(append(s.group, s.recent...), kept), nil, g.after
	case len(s.group) > 0 && s.want > 0:
		s.group, s.want = append(s.group, kept), s.want-1
	default:
		if s.recent = append(s.recent, kept); len(s.recent) <= g.before {
			g.bound(s)
			return nil
		}
		g.drop(s, 1)
		return g.close(s) // the next match is too far away to belong to it
	}
	if len(s.group) > maxGroup || g.held > maxHeld {
		return g.close(s)
	}
	return nil
}

// lineBytes is about what a line takes, in bytes.
func lineBytes(l *archive.Line) int { return len(l.Raw) + len(l.Text) + lineSize }

// drop drops the first lines of recent.
func (g *grep) drop(s *surroundings, n int) {
	for i := range s.recent[:n] {
		g.held -= lineBytes(&s.recent[i])
		s.recent[i] = archive.Line{}
	}
	s.recent = s.recent[n:]
}

// bound drops lines that may stand before a match to come, if all that are kept
// take too much.
func (g *grep) bound(s *surroundings) {
	if g.held <= maxHeld || len(s.recent) == 0 {
		return
	}
	g.drop(s, (len(s.recent)+1)/2)
	if !g.dropped {
		g.dropped = true
		g.screen.say("the lines before a match are very long: fewer of them are shown than -B and -C ask for")
	}
}

// close prints a group that is complete.
func (g *grep) close(s *surroundings) error {
	if len(s.group) == 0 {
		return nil
	}
	if g.printed && g.separator != "" {
		if _, err := io.WriteString(g.screen, g.separator); err != nil {
			return err
		}
	}
	g.printed = true
	return g.print(s)
}

// print prints what there is of a group. What is so long that it is printed in
// parts has separators between them.
func (g *grep) print(s *surroundings) error {
	for i := range s.group {
		g.held -= lineBytes(&s.group[i])
		if err := g.write(&s.group[i]); err != nil {
			return err
		}
	}
	s.group = nil
	return nil
}

// end prints the groups that the end of the text completes.
func (g *grep) end() error {
	var open []*surroundings
	for _, s := range g.containers {
		if len(s.group) > 0 {
			open = append(open, s)
		}
	}
	slices.SortFunc(open, func(x, y *surroundings) int { return x.group[0].Time.Compare(y.group[0].Time) })
	for _, s := range open {
		if err := g.close(s); err != nil {
			return err
		}
	}
	return nil
}

// name prints the name of a line's segment, once.
func (g *grep) name(l *archive.Line) error {
	name := l.Segment.Name()
	if l.Segment.Key != "" {
		name = l.Segment.Key
	}
	if g.named[name] {
		return nil
	}
	g.named[name] = true
	_, err := fmt.Fprintln(g.screen, show.Field(name))
	return err
}
