package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/triage/notify"
	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/plugin"
	"github.com/logfast/logfast/plugin/control"
)

type notifyCommand struct {
	spoolFlag
	Target string `arg:"" optional:"" help:"A target's name as the list shows it, or the beginning of one. None: all."`
	Test   bool   `short:"t" help:"Send a test message, and print what each target answers."`
	Config string `placeholder:"FILE" help:"Use these settings, NAME=value a line, without a plugin; - is standard input."`
	JSON   bool   `name:"json" help:"One JSON list."`
}

// Help is shown below the usage.
func (notifyCommand) Help() string {
	return `Lists the notify targets of the plugin that runs, and whether they take messages. With
--test, the plugin sends one message that is marked as a test to each target, or to the one named,
waits up to 30 seconds for the answers and prints them. A test message is sent once: it is not
retried, and it changes neither what waits nor what is counted. No secret of a target is shown.

The exit status of --test is 0 if each target took the message, and 1 if one did not, or if there is no target.

With --config, this program reads the settings of a file and the targets in /etc/logfast/notify, and sends from here.

Examples:
  logfast notify
  logfast notify --test
  logfast notify --test webhook-3f2a1b
  logfast notify --test --config /etc/logfast/env
  logfast notify --json | jq -r '.[].name'`
}

// Run executes the command.
func (c *notifyCommand) Run(stdin io.Reader, stdout io.Writer) error {
	var environ []string
	if c.Config != "" {
		var err error
		if environ, err = pluginEnviron(c.Config, c.Spool, settings.ConfigDir, stdin); err != nil {
			return err
		}
	}
	if c.Test {
		return c.test(environ, stdout)
	}
	return c.list(environ, stdout)
}

func (c *notifyCommand) test(environ []string, stdout io.Writer) error {
	ctx, stop := interruptible()
	defer stop()
	var all []control.Tested
	var err error
	if c.Config != "" {
		all, err = plugin.TestTargets(ctx, environ, c.Target)
	} else if all, err = c.client().TestTargets(ctx, c.Target); errors.Is(err, control.ErrNoPlugin) {
		err = withoutPlugin(err, "logfast notify --test")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(stdout, all)
	} else {
		err = printTested(stdout, all)
	}
	if n := control.Refused(all); err == nil && n > 0 {
		err = fmt.Errorf("%d of %d targets did not take the test message", n, len(all))
	}
	return err
}

// withoutPlugin adds to an error what to type if there is no plugin to ask.
func withoutPlugin(err error, command string) error {
	return fmt.Errorf("%w. To use the settings of a file without a plugin: %s --config FILE", err, command)
}

func printTested(w io.Writer, all []control.Tested) error {
	for _, t := range all {
		mark, text := "ok  ", t.Answer
		if t.Error != "" {
			mark, text = "FAIL", t.Error
		}
		if _, err := fmt.Fprintf(w, "%s  %s: %s\n", mark, show.Field(t.Target), show.Field(text)); err != nil {
			return err
		}
	}
	return nil
}

func (c *notifyCommand) list(environ []string, stdout io.Writer) error {
	ctx, stop := interruptible()
	defer stop()
	now := time.Now()
	targets, left := plugin.Targets(environ)
	if c.Config == "" {
		s, err := c.client().Status(ctx)
		if errors.Is(err, control.ErrNoPlugin) {
			err = withoutPlugin(err, "logfast notify")
		}
		if err != nil {
			return err
		}
		now, targets, left = s.Now, s.Targets, nil
		for _, w := range s.WrongSettings {
			if w.Effect == control.TargetLeftOut {
				left = append(left, w)
			}
		}
	}
	shown, err := notify.Match(targets, func(t control.Target) string { return t.Name }, c.Target)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(stdout, append([]control.Target{}, shown...)) // [], not null
	}
	_, err = io.WriteString(stdout, targetsText(shown, left, c.Config == "", now))
	return err
}

// targetsText is the list for people. running says that the plugin's state is known.
func targetsText(targets []control.Target, left []control.Setting, running bool, now time.Time) string {
	var b strings.Builder
	if len(targets)+len(left) == 0 {
		return "No target is configured. Write one URL a line into /etc/logfast/notify on the host.\n"
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i := range targets {
		t := &targets[i]
		state := "configured"
		if running {
			state = targetState(t, now)
		}
		fmt.Fprintf(w, "%s\t%s\n", show.Field(t.Name), show.Field(state)) //nolint:errcheck // a buffer
		for _, wait := range waitTexts(t) {
			fmt.Fprintf(w, "\t%s\n", show.Field(wait)) //nolint:errcheck // a buffer
		}
	}
	for _, s := range left {
		name := strings.Join(s.Variables, ", ")
		fmt.Fprintf(w, "%s\tleft out: %s\n", name, show.Field(s.Problem)) //nolint:errcheck // a buffer
	}
	w.Flush() //nolint:errcheck // a buffer
	return b.String()
}

// targetState says in a line whether a target takes messages.
func targetState(t *control.Target, now time.Time) string {
	switch {
	case t.LastError != "" && t.Failed == 0:
		return "gets no messages: " + t.LastError
	case t.Failing > 0:
		return fmt.Sprintf("takes no messages (%d attempts failed in a row): %s", t.Failing, t.Refusal)
	case t.LastError != "":
		return "did not take the last message: " + t.LastError
	case !t.LastTold.IsZero():
		return "took a message " + span(now.Sub(t.LastTold)) + " ago"
	}
	return "no message was sent since the plugin started; logfast notify --test sends one"
}
