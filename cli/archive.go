package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/refused"
	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/plugin"
)

// sourceFlags say where the archive is.
type sourceFlags struct {
	Store   string `group:"Which archive" placeholder:"URL" help:"The store: s3://bucket/prefix or file:///directory. Default: ${store}."`
	Config  string `group:"Which archive" placeholder:"FILE" help:"The plugin's settings, NAME=value a line; - is standard input. Default: the environment."`
	Spool   string `group:"Which archive" placeholder:"DIR" help:"The spool. Default: ${spool}, or ${spool_default} where that can be read."`
	Key     string `group:"Which archive" placeholder:"TEMPLATE" help:"Template of the store's keys. Default: ${key}."`
	NoStore bool   `group:"Which archive" help:"Only the spool."`
	NoSpool bool   `group:"Which archive" help:"Only the store."`
}

// command is a command of logfast's that reads the same archive, to be pasted into a shell.
func (c *sourceFlags) command(name string, operands []string) string {
	words := []string{"logfast", name}
	for _, flag := range []struct{ name, value string }{
		{"--store", c.Store}, {"--config", c.Config}, {"--spool", c.Spool}, {"--key", c.Key},
	} {
		if flag.value != "" {
			words = append(words, flag.name+"="+show.Shell(flag.value))
		}
	}
	if c.NoStore {
		words = append(words, "--no-store")
	}
	if c.NoSpool {
		words = append(words, "--no-spool")
	}
	if slices.ContainsFunc(operands, func(word string) bool { return strings.HasPrefix(word, "-") }) {
		words = append(words, "--")
	}
	for _, word := range operands {
		words = append(words, show.Shell(word))
	}
	return strings.Join(words, " ")
}

// queryFlags say what is wanted.
type queryFlags struct {
	App       []string `group:"Which lines" placeholder:"NAME" help:"Only these apps; repeat it, or write patterns such as 'web-*'. So with the next three."`
	Host      []string `group:"Which lines" placeholder:"NAME" help:"Only these hosts."`
	Container []string `group:"Which lines" placeholder:"NAME" help:"Only these containers: names, or ids from 4 digits on."`
	Group     []string `group:"Which lines" placeholder:"NAME" help:"Only these groups: compose projects, swarm stacks."`
	Since     string   `group:"Which lines" placeholder:"TIME" help:"Not before: 2026-11-23, 2026-11-23T19:03, RFC 3339, or so long ago: 2h, 7d."`
	Until     string   `group:"Which lines" placeholder:"TIME" help:"Not after. A day is meant to its end."`
	UTC       bool     `name:"utc" group:"Which lines" help:"Times are UTC, read and written; else they are of the local zone."`
}

const archiveHelp = `The archive is the store and this host's spool together; what is in both is
read once. On a desk, name the store, and set AWS_REGION and credentials as for the AWS CLI; the
rights are s3:ListBucket and s3:GetObject. On a host, the plugin's own settings serve:

  docker plugin inspect --format '{{range .Settings.Env}}{{println .}}{{end}}' logfast | logfast ls --config -`

// session is an archive that is open, and where its results go.
type session struct {
	*archive.Archive
	ctx    context.Context
	screen *screen
	query  archive.Query
	zone   *time.Location
	name   string // of the sources, for messages
	close  []func() error
}

// with opens the archive, calls f and makes the exit status of what came of it:
// 130 after ^C, failed where something failed or could not be read.
func (c *sourceFlags) with(app *kong.Kong, stdin io.Reader, q *queryFlags, failed int, f func(*session) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &session{ctx: ctx, zone: time.Local}
	err := d.understand(q, time.Now())
	if err == nil {
		err = d.open(c, stdin, app.Stderr)
	}
	if err != nil {
		return &exit{failed, errors.Join(err, d.closeAll())}
	}
	d.screen = newScreen(app.Stdout, app.Stderr, d.Progress())
	err = f(d)
	err = errors.Join(err, d.screen.close(), d.closeAll())
	var as *exit
	switch {
	case ctx.Err() != nil:
		return &exit{130, nil}
	case errors.Is(err, syscall.EPIPE):
		return &exit{141, nil} // nobody reads on, which is no failure of ours
	case errors.As(err, &as):
		return as
	case err != nil:
		return &exit{failed, err}
	case d.Failed():
		return &exit{failed, nil} // it was said
	}
	return nil
}

// understand reads the flags of the query.
func (d *session) understand(f *queryFlags, now time.Time) error {
	if f.UTC {
		d.zone = time.UTC
	}
	var err, untilErr error
	d.query = archive.Query{Apps: f.App, Hosts: f.Host, Containers: f.Container, Groups: f.Group}
	d.query.Since, err = parseWhen("since", f.Since, now, d.zone, false)
	d.query.Until, untilErr = parseWhen("until", f.Until, now, d.zone, true)
	if err := errors.Join(err, untilErr); err != nil {
		return err
	}
	return d.query.Check()
}

// parseWhen reads a time; of a day its end, if that is asked for.
func parseWhen(flag, s string, now time.Time, zone *time.Location, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		if end {
			at = at.AddDate(0, 0, 1).Add(-1)
		}
		return at, nil
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04",
	} {
		if at, err := time.ParseInLocation(layout, s, zone); err == nil {
			return at, nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("--%s=%s: write a day (2026-11-23), a time (2026-11-23T19:03, or with a zone "+
		"2026-11-23T19:03:01Z), or how long ago (2h, 7d)", flag, s)
}

// open opens the store and the spool.
func (d *session) open(f *sourceFlags, stdin io.Reader, stderr io.Writer) error {
	environ, err := f.environ(stdin)
	if err != nil {
		return err
	}
	plugins, err := plugin.ReadConfig(environ)
	if err != nil {
		return err
	}
	cfg := archive.Config{Key: plugins.Key, Warn: func(err error) { d.screen.say("%v", err) }}
	var names, missing []string
	if f.NoSpool && f.NoStore {
		return errors.New("--no-spool and --no-store leave nothing to read: take one of them away")
	}
	if !f.NoSpool {
		dir := plugins.Spool
		asked := f.Spool != "" || value(environ, settings.Spool) != ""
		switch cfg.Spool, err = spool.OpenView(dir); {
		case err == nil:
			d.close = append(d.close, cfg.Spool.Close)
			names = append(names, "the spool "+dir)
		case asked || f.NoStore:
			return fmt.Errorf("%w: name another with --spool DIR, or leave it out with --no-spool", err)
		case errors.Is(err, fs.ErrPermission):
			missing = append(missing, "reading the spool is not permitted")
			//nolint:errcheck // there is no other place for the message
			fmt.Fprintf(stderr, "logfast: the spool %s is left out: permission denied: %s; --no-spool leaves it out "+
				"without this message\n",
				show.Field(dir), refused.This().Reason(refused.Operator))
		default:
			missing = append(missing, "there is no spool "+dir)
		}
	}
	if !f.NoStore {
		named := value(environ, settings.Store) != ""
		store, closeStore, err := plugins.OpenArchive(d.ctx)
		switch {
		case err == nil:
			cfg.Store = store
			d.close = append(d.close, closeStore)
			names = append(names, "the store "+plugins.StoreURL())
		case !named && errors.Is(err, fs.ErrNotExist):
			missing = append(missing, "no store is named")
		case !named && errors.Is(err, fs.ErrPermission):
			missing = append(missing, "reading the archive in the spool is not permitted")
		default:
			return fmt.Errorf("%w. Name a store with --store s3://bucket/prefix or file:///directory, and its region "+
				"with AWS_REGION, or give the plugin's settings with --config FILE", err)
		}
	}
	if cfg.Store == nil && cfg.Spool == nil {
		return fmt.Errorf("nothing to read: %s. Name a store with --store s3://bucket/prefix or file:///directory, "+
			"or a spool with --spool DIR", strings.Join(missing, " and "))
	}
	d.name = strings.Join(names, " and ")
	d.Archive = archive.New(cfg)
	return nil
}

func (d *session) closeAll() error {
	var errs []error
	for _, f := range d.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// environ is the environment, with a file's settings and the flags' over it.
func (c *sourceFlags) environ(stdin io.Reader) ([]string, error) {
	environ := os.Environ()
	if c.Config != "" {
		lines, err := readSettings(c.Config, stdin)
		if err != nil {
			return nil, err
		}
		for _, s := range lines {
			// The AWS SDK reads the process's environment itself.
			name, value, _ := strings.Cut(s, "=")
			if strings.HasPrefix(name, settings.Prefix) {
				continue
			}
			if value == "" {
				err = os.Unsetenv(name)
			} else {
				err = os.Setenv(name, value)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", c.Config, name, err)
			}
		}
		environ = append(environ, lines...)
	}
	for name, value := range map[string]string{settings.Store: c.Store, settings.Key: c.Key} {
		if value != "" {
			environ = append(environ, name+"="+value)
		}
	}
	if c.Spool != "" {
		dir, err := filepath.Abs(c.Spool)
		if err != nil {
			return nil, err
		}
		environ = append(environ, settings.Spool+"="+dir)
	}
	return environ, nil
}

// readSettings reads a file of NAME=value lines; blank ones and comments do not
// count.
func readSettings(name string, stdin io.Reader) (environ []string, err error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("--config: %w: name a file of NAME=value lines, or - for standard input", err)
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if variable, _, found := strings.Cut(line, "="); !found || variable == "" ||
			strings.ContainsAny(variable, " \t") {
			return nil, fmt.Errorf("--config %s, line %d: write NAME=value, such as LOGFAST_STORE=s3://my-logs", name,
				n)
		}
		environ = append(environ, line)
	}
	return environ, lines.Err()
}

// value returns the last value of a variable.
func value(environ []string, name string) (value string) {
	for _, v := range environ {
		if rest, ok := strings.CutPrefix(v, name+"="); ok {
			value = rest
		}
	}
	return value
}

// parseStatus makes a detector of what --status says; nil of nothing.
func parseStatus(s string) (detect.Detector, error) {
	if s == "" {
		return nil, nil
	}
	statuses, err := detect.ParseStatuses(s)
	if err != nil {
		return nil, fmt.Errorf("--status: %w", err)
	}
	return detect.New(detect.Options{Status: statuses})
}

// notes tells what a list leaves out, and where it cannot do what was asked.
func (d *session) notes(l *archive.List) {
	if n := len(l.Foreign); n > 0 {
		d.screen.say("%d objects were left out that logfast did not write, such as %s", n, l.Foreign[0])
	}
	if len(l.Segments) == 0 {
		d.screen.say("no segment in %s is of these", d.name)
	}
	if d.query.Since.IsZero() && d.query.Until.IsZero() {
		return
	}
	for _, s := range l.Segments {
		if s.Stream.Format == "raw" {
			d.screen.say("format=raw keeps no times: of %s and its like all lines are shown, whatever --since "+
				"and --until say", s.Name())
			return
		}
	}
}

// exit is an error with an exit status of its own. Without an error, all is
// said.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprint("exit status ", e.status)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// fail says what failed, and returns the exit status.
func fail(err error, stderr io.Writer) int {
	var as *exit
	if !errors.As(err, &as) {
		as = &exit{1, err}
	}
	if as.err != nil {
		fmt.Fprintln(stderr, "logfast:", show.Error(as.err))
	}
	return as.status
}
