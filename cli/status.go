package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/plugin/control"
)

// spoolFlag is how a command that talks to the plugin finds it.
type spoolFlag struct {
	Spool string `default:"${spool_default}" env:"${spool}" placeholder:"DIR" help:"The plugin's directory for log files on this host (logs.source). Default: ${default}."`
}

func (f *spoolFlag) client() *control.Client { return control.NewClient(f.Spool) }

// interruptible is a context that ends with ^C.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
}

type statusCommand struct {
	spoolFlag
	Watch    bool          `short:"w" help:"Show it again and again, until ^C. Needs a terminal."`
	Interval time.Duration `default:"1s" placeholder:"TIME" help:"How often, with --watch. Default: ${default}."`
	JSON     bool          `name:"json" help:"One JSON object."`
}

// Help is shown below the usage.
func (statusCommand) Help() string {
	return `Shows what the plugin reads, what waits for the store and why, what was lost, and what
the disk has to give. Counts are of the time since the plugin was started.

The exit status is 0 if logfast does its work and has lost nothing. It is 1 if it does not do its
work, if lines were lost within the last hour or since the last status, or if the plugin does not
answer.

Examples:
  logfast status
  logfast status --watch
  logfast status --json | jq '.pending.segments'
  logfast status --spool /data/log`
}

// Run executes the command.
func (c *statusCommand) Run(stdout io.Writer) error {
	ctx, stop := interruptible()
	defer stop()
	if c.Watch {
		return c.watch(ctx, stdout)
	}
	s, err := c.client().Status(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(stdout, s)
	} else {
		_, err = stdout.Write(statusText(&s))
	}
	switch {
	case err != nil:
		return err
	case s.Health == control.Unhealthy:
		return errors.New("it does not do its work: " + strings.Join(s.Reasons, "; "))
	case len(s.Lost) > 0:
		return errors.New("lines were lost since the last look or within the last hour")
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := newEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// watch draws the status anew, in place.
func (c *statusCommand) watch(ctx context.Context, stdout io.Writer) error {
	if _, _, ok := terminal(stdout); !ok || c.JSON {
		return errors.New("--watch is for a terminal; elsewhere call logfast status --json as often as you like")
	}
	if c.Interval < 100*time.Millisecond {
		return fmt.Errorf("--interval=%v: write 100ms or more", c.Interval)
	}
	client := c.client()
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for {
		s, err := client.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		text := statusText(&s)
		if err != nil {
			text = []byte("logfast: " + show.Error(err) + "\n") // it may come back
		}
		columns, rows, _ := terminal(stdout)
		var b strings.Builder
		b.WriteString("\x1b[H")
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		for _, line := range lines[:min(len(lines), max(rows-1, 1))] {
			b.WriteString(cut(line, columns) + "\x1b[K\n")
		}
		b.WriteString("\x1b[J")
		if _, err := io.WriteString(stdout, b.String()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// statusText is the status for people.
func statusText(s *control.Status) []byte {
	var b bytes.Buffer
	ago := func(t time.Time) string { return span(s.Now.Sub(t)) }
	isLoss := func(reason string) bool { return strings.HasPrefix(reason, "lost") }
	for _, reason := range s.Reasons { // before all else
		if isLoss(reason) {
			fmt.Fprintf(&b, "%s\n", show.Field(reason))
		}
	}
	fmt.Fprintf(&b, "logfast %s on %s, up %s: %s\n",
		show.Args([]any{s.Version, s.Host, ago(s.Started), string(s.Health)})...)
	for _, reason := range s.Reasons {
		if !isLoss(reason) {
			fmt.Fprintf(&b, "  %s\n", show.Field(reason))
		}
	}
	b.WriteByte('\n')
	streamTable(&b, s)

	notices(&b, s)

	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, show.Args(args)...)) //nolint:errcheck // a buffer
	}
	c := &s.Captured
	row("captured", "%d lines, %s, %d errors%s", c.Lines, size(c.Bytes), c.Errors,
		also(s.Reattached, "streams taken up again"))
	if c.LostLines()+c.LostBytes() == 0 {
		row("lost", "nothing")
	}
	for _, l := range c.Lost {
		if l.Lines+l.Bytes > 0 {
			row("lost", "%s: %d lines, %s", l.Reason, l.Lines, size(l.Bytes))
		}
	}
	for _, e := range s.Events {
		row("event", "%s: first error %s ago, last %s ago, ships in %s", e.Scope, ago(e.First), ago(e.Last),
			span(e.Due.Sub(s.Now)))
	}
	row("sealed", "%s", tallyOf(s.Seals))
	pending := "nothing"
	if s.Pending.Segments > 0 {
		pending = fmt.Sprintf("%d segments, %s, the oldest from %s ago", s.Pending.Segments, size(s.Pending.Bytes),
			ago(s.Pending.Oldest))
	}
	row("pending", "%s", pending)
	last := "none yet"
	if !s.Uploads.Last.IsZero() {
		last = ago(s.Uploads.Last) + " ago"
	}
	row("uploads", "%s; %s; last: %s", tallyOf(s.Uploads.Attempts), size(s.Uploads.Bytes), last)
	if s.Uploads.LastError != "" {
		row("last error", "%s", s.Uploads.LastError)
	}
	row("store", "%s", s.Store)
	for _, learned := range s.Learned {
		row("", "%s", learned)
	}
	for i := range s.Targets {
		targetRows(&s.Targets[i], ago, row)
	}
	budget := "no bound"
	if s.Disk.Budget > 0 {
		budget = fmt.Sprintf("%s (%d%%)", size(s.Disk.Budget), 100*s.Disk.Used/s.Disk.Budget)
	}
	row("disk", "%s of %s; %s free on the disk", size(s.Disk.Used), budget, size(s.Disk.Free))
	if s.Disk.Inodes > 0 {
		row("", "%d of %d inodes free", s.Disk.InodesFree, s.Disk.Inodes)
	}
	w.Flush() //nolint:errcheck // a buffer
	return b.Bytes()
}

// targetRows describes a target of notifications, and why its messages wait.
func targetRows(t *control.Target, ago func(time.Time) string, row func(name, format string, args ...any)) {
	sent := fmt.Sprintf("%d messages", t.Messages)
	if !t.LastTold.IsZero() {
		sent += ", the last " + ago(t.LastTold) + " ago"
	}
	row("tells", "%s: %s%s%s%s", t.Name, sent, also(int64(t.Waiting), "waiting"), also(t.Failed, "failed attempts"),
		also(t.GivenUp, "given up"))
	for _, wait := range waitTexts(t) {
		row("", "%s", wait)
	}
	if t.LastError != "" && !waitsFor(t, t.LastError) {
		row("", "%s", t.LastError)
	}
}

func streamTable(b *bytes.Buffer, s *control.Status) {
	if len(s.Streams) == 0 {
		b.WriteString("No container writes to logfast. To let one: docker run --log-driver logfast …\n\n")
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONTAINER\tID\tFOR\tLINES\tBYTES\tERRORS\tLOST\tACTIVE\t") //nolint:errcheck // a buffer
	for i := range s.Streams {
		at := &s.Streams[i]
		lost := "-"
		if n := at.LostBytes(); n > 0 {
			lost = fmt.Sprintf("%d (%s)", at.LostLines(), size(n))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\t\n", //nolint:errcheck // a buffer
			show.Field(at.Container), show.Field(at.ID), span(s.Now.Sub(at.Since)), at.Lines, size(at.Bytes), at.Errors,
			lost, size(at.Active))
	}
	w.Flush() //nolint:errcheck // a buffer
	b.WriteByte('\n')
}

// maxNotices bounds the notices that are shown; with --json all are.
const maxNotices = 10

// notices lists which options of containers are not used as they were given. Containers
// of one service have the same ones, and stand in one line.
func notices(b *bytes.Buffer, s *control.Status) {
	var order []string
	of := map[string][]string{}
	for i := range s.Streams {
		for _, notice := range s.Streams[i].Notices {
			if of[notice] == nil {
				order = append(order, notice)
			}
			of[notice] = append(of[notice], s.Streams[i].Container)
		}
	}
	for i, notice := range order {
		if i == maxNotices {
			fmt.Fprintf(b, "and %d more notices: see logfast status --json\n", len(order)-i)
			break
		}
		containers := of[notice][0]
		if n := len(of[notice]) - 1; n > 0 {
			containers += fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(b, "%s: %s\n", show.Field(containers), show.Field(notice))
	}
	if order != nil {
		b.WriteByte('\n')
	}
}

// also is an addition where there is something to add.
func also(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d %s", n, what)
}

// tallyOf writes counts that are not 0, the keys in order.
func tallyOf(counts map[string]int64) string {
	counts = maps.Clone(counts)
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	if len(counts) == 0 {
		return "none"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[k], k))
	}
	return strings.Join(parts, ", ")
}
