package cli

import (
	"io"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/driver/read/archive"
)

type lsCommand struct {
	sourceFlags
	queryFlags
	JSON bool `name:"json" help:"One JSON object a segment."`
}

// Help is shown below the usage.
func (lsCommand) Help() string {
	return `Lists segments: files of the spool and objects of the store, by the time of their first
line. ERRORS are the server errors that logfast found. WHERE is spool, store, or both. KEY is the
object's, below the store's prefix; an active segment has its file there.

` + archiveHelp + `

Examples:
  logfast ls --since 2h
  logfast ls --store s3://my-logs/web --app checkout --since 2026-11-23 --until 2026-11-23
  logfast ls --host 'web-*' --json | jq -r 'select(.errors > 0).key'

The exit status is 0, 1 where something failed or could not be read, 130 after ^C.`
}

// listed is a segment as JSON.
type listed struct {
	First     *time.Time `json:"first,omitempty"`
	Last      *time.Time `json:"last,omitempty"`
	Host      string     `json:"host,omitempty"`
	App       string     `json:"app,omitempty"`
	Group     string     `json:"group,omitempty"`
	Container string     `json:"container,omitempty"`
	ID        string     `json:"id,omitempty"`
	Image     string     `json:"image,omitempty"`
	Format    string     `json:"format,omitempty"`
	Reason    string     `json:"reason"`
	Seq       int        `json:"seq,omitempty"`
	Lines     *int64     `json:"lines,omitempty"` // what is not known is left out
	Bytes     *int64     `json:"bytes,omitempty"`
	Errors    *int64     `json:"errors,omitempty"`
	Size      int64      `json:"size,omitempty"` // of the object
	Where     string     `json:"where"`
	Key       string     `json:"key,omitempty"`
	File      string     `json:"file,omitempty"` // in the spool
}

// Run executes the command.
func (c *lsCommand) Run(app *kong.Kong, stdin io.Reader) error {
	return c.with(app, stdin, &c.queryFlags, 1, func(d *session) error {
		l, err := d.Segments(d.ctx, d.query)
		if err != nil {
			return err
		}
		defer l.Close()
		if until := d.query.Until; !until.IsZero() {
			// Where one of its lines may lie before the first is of no interest here.
			l.Segments = slices.DeleteFunc(l.Segments,
				func(s *archive.Segment) bool { return s.First.After(until) && !s.Active })
		}
		if err := l.Describe(d.ctx); err != nil {
			return err
		}
		d.notes(l)
		if c.JSON {
			return c.json(d, l)
		}
		if len(l.Segments) == 0 {
			return nil
		}
		t := table{heads: []string{
			"TIME", "HOST", "APP", "CONTAINER", "REASON", ">LINES", ">BYTES", ">ERRORS", "WHERE", "KEY",
		}}
		for _, s := range l.Segments {
			size := "-"
			if s.Bytes >= 0 {
				size = humanBytes(s.Bytes)
			}
			key := s.Key
			if s.Active {
				key = s.File
			}
			t.add(when(s.First, d.zone), orDash(s.Stream.Host), orDash(s.Stream.App), containerName(s), reason(s),
				count(s.Lines), size, count(s.Errors), s.Where(), orDash(key))
		}
		return t.write(d.screen)
	})
}

func (c *lsCommand) json(d *session, l *archive.List) error {
	e := newEncoder(d.screen)
	known := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	for _, s := range l.Segments {
		if err := e.Encode(listed{
			First: at(s.First), Last: at(s.Last), Host: s.Stream.Host, App: s.Stream.App, Group: s.Stream.Group,
			Container: s.Stream.Name, ID: s.Stream.ID, Image: s.Stream.Image, Format: s.Stream.Format,
			Reason: reason(s), Seq: s.Seq,
			Lines: known(s.Lines), Bytes: known(s.Bytes), Errors: known(s.Errors), Size: s.Size, Where: s.Where(),
			Key: s.Key, File: s.File,
		}); err != nil {
			return err
		}
	}
	return nil
}

// containerName is a container's name, or what is known of its id.
func containerName(s *archive.Segment) string {
	if s.Stream.Name != "" {
		return s.Stream.Name
	}
	return orDash(s.Stream.ShortID())
}

// reason is why a segment was sealed; one that was not is active.
func reason(s *archive.Segment) string {
	if s.Active {
		return "active"
	}
	return orDash(string(s.Reason))
}
