package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/internal/show"
)

// lineFlags say which lines are wanted, and how they look.
type lineFlags struct {
	Status string `group:"Which lines" placeholder:"LIST" help:"Only lines that report a server error with one of these statuses, such as 502 or 500-599."`
	Output string `default:"stored" enum:"stored,text,cri,json" placeholder:"FORM" help:"stored: records as they are kept; text: what the program wrote; cri; json. Default: stored."`
	JSON   bool   `name:"json" help:"The same as --output=json."`
	Prefix bool   `help:"Host and container before each line."`
	Raw    bool   `help:"Write lines to a terminal as they are, control characters too. Elsewhere they always are."`
}

// form is the output that is asked for.
func (f *lineFlags) form() string {
	if f.JSON {
		return "json"
	}
	return f.Output
}

// selection is what the flags and the query's range select.
func (f *lineFlags) selection(d *session) (archive.Selection, error) {
	status, err := parseStatus(f.Status)
	return archive.Selection{
		Since: d.query.Since, Until: d.query.Until, Status: status, Lines: status != nil || f.form() != "stored",
	}, err
}

// lineWriter writes lines as they are asked for.
type lineWriter struct {
	out    io.Writer
	form   string
	prefix bool
	escape bool // for a terminal
	cri    *record.Writer
	buf    []byte
	json   *json.Encoder
}

func (f *lineFlags) writer(out *screen) *lineWriter {
	return &lineWriter{
		out: out, form: f.form(), prefix: f.Prefix, escape: out.paper && !f.Raw,
		cri: record.NewWriter(record.CRI, "", "", ""), json: newEncoder(out),
	}
}

// lineJSON is a line as JSON.
type lineJSON struct {
	Time      time.Time `json:"time"`
	Host      string    `json:"host,omitempty"`
	App       string    `json:"app,omitempty"`
	Group     string    `json:"group,omitempty"`
	Container string    `json:"container,omitempty"`
	ID        string    `json:"id,omitempty"`

	Labels map[string]string `json:"labels,omitempty"`
	Env    map[string]string `json:"env,omitempty"`

	Stream string `json:"stream"`
	Text   string `json:"text"`
}

func (w *lineWriter) write(l *archive.Line) error {
	s := &l.Segment.Stream
	if w.form == "json" {
		return w.json.Encode(lineJSON{
			l.Time.UTC(), s.Host, s.App, s.Group, s.Name, s.ShortID(), s.Labels, s.Env, l.Stream.String(),
			string(l.Text),
		})
	}
	b := w.buf[:0]
	if w.prefix {
		b = fmt.Appendf(b, "%s/%s ", show.Field(orDash(s.Host)), show.Field(containerName(l.Segment)))
	}
	begin := len(b)
	switch w.form {
	case "text":
		b = append(append(b, l.Text...), '\n')
	case "cri":
		b = w.cri.Append(b, &record.Record{Time: l.Time.UnixNano(), Stream: l.Stream, Text: l.Text})
	default:
		b = append(append(b, l.Raw...), '\n')
	}
	if w.escape {
		b = append(b[:begin], escapeLines(b[begin:])...)
	}
	w.buf = b
	_, err := w.out.Write(b)
	return err
}

// escapeLines escapes lines, each of which ends in a newline: a long one may be
// of several records.
func escapeLines(b []byte) []byte {
	if show.Visible(string(b[:len(b)-1])) {
		return b
	}
	var out []byte
	for line := range bytes.Lines(b) {
		out = append(show.AppendLine(out, bytes.TrimSuffix(line, []byte("\n"))), '\n')
	}
	return out
}

type catCommand struct {
	sourceFlags
	queryFlags
	lineFlags
	Segment []string `arg:"" optional:"" help:"Keys or files, as logfast ls shows them. None: all that the options say."`
}

// Help is shown below the usage.
func (catCommand) Help() string {
	return `Prints lines in the order of their time, from all containers together. A container's own
lines stay in the order in which they were written. With --output=text, cri or json, long lines are
whole again; of more than 1 MiB, each MiB is a line. On a terminal, control characters are shown as
\x1b; --raw leaves them.

` + archiveHelp + `

Examples:
  logfast cat --app checkout --since 2026-11-23T19:00 --until 2026-11-23T19:10
  logfast cat --group shop --since 1h --output text --prefix
  logfast cat --since 7d --status 502,504 --json | jq -r .text
  logfast cat logs/dt=2026-11-23/host=web-1/app=checkout/20261123T190301.123456Z-000042-1a2b3c4d5e6f-error.log.gz

The exit status is 0, 1 where something failed or could not be read, 130 after ^C.`
}

// Run executes the command.
func (c *catCommand) Run(app *kong.Kong, stdin io.Reader) error {
	return c.with(app, stdin, &c.queryFlags, 1, func(d *session) error {
		sel, err := c.selection(d)
		if err != nil {
			return err
		}
		var l *archive.List
		if len(c.Segment) > 0 {
			if len(c.App)+len(c.Host)+len(c.Container)+len(c.Group) > 0 {
				return errors.New("name segments, or --app, --host, --container and --group: not both")
			}
			l, err = d.ByKey(d.ctx, c.Segment)
		} else {
			l, err = d.Segments(d.ctx, d.query)
		}
		if err != nil {
			return err
		}
		defer l.Close()
		d.notes(l)
		return d.Read(d.ctx, l.Segments, sel, c.writer(d.screen).write)
	})
}

type tailCommand struct {
	sourceFlags
	queryFlags
	lineFlags
	N      int  `name:"lines" short:"n" default:"10" placeholder:"N" help:"How many lines. Default: ${default}."`
	Follow bool `short:"f" help:"Go on with what comes: the spool's lines as they are written, the store's with their objects."`
}

// Help is shown below the usage.
func (tailCommand) Help() string {
	return `Prints the last lines of all containers together. With -f it goes on, until ^C: with
lines of this host's containers at once, with those of others when their objects arrive, looked for
every 5 to 30 s.

` + archiveHelp + `

Examples:
  logfast tail -n 100 --app checkout
  logfast tail -f --group shop --output text --prefix
  logfast tail -n 20 --status 500-599 --since 7d

The exit status is 0, 1 where something failed or could not be read, 130 after ^C.`
}

// Run executes the command.
func (c *tailCommand) Run(app *kong.Kong, stdin io.Reader) error {
	return c.with(app, stdin, &c.queryFlags, 1, func(d *session) error {
		sel, err := c.selection(d)
		if err != nil {
			return err
		}
		if c.N < 0 {
			return fmt.Errorf("--lines=%d: write 0 or more", c.N)
		}
		if c.Follow && c.Until != "" {
			return errors.New("-f goes on with what comes, --until ends it: leave one of them out")
		}
		write := c.writer(d.screen).write
		l, err := d.Tail(d.ctx, d.query, sel, c.N, write)
		if err != nil {
			return err
		}
		defer l.Close()
		if !c.Follow {
			d.notes(l)
			return nil
		}
		return l.Follow(d.ctx, d.query, sel, write)
	})
}
