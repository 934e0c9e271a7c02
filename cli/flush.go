package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/plugin/control"
)

type flushCommand struct {
	spoolFlag
	Container []string      `arg:"" optional:"" help:"Names, ids or beginnings of ids. None: all."`
	Timeout   time.Duration `default:"5m" placeholder:"TIME" help:"How long to wait for the store; 0: for ever. Default: ${default}."`
	JSON      bool          `name:"json" help:"One JSON object a segment."`
}

// Help is shown below the usage.
func (flushCommand) Help() string {
	return `Seals what the containers have written by now, ships it and what else of theirs waits
for the store, and prints the objects' keys, below the store's prefix, as they arrive. What
logrotate -f does in the classic chain.

The exit status is 0 once all of it is in the store, and 1 where that failed or took too long. What
is sealed is shipped in any case, sooner or later.

Examples:
  logfast flush
  logfast flush web db
  logfast flush --timeout 30s 1a2b3c4d5e6f
  logfast flush --json web | jq -r .object`
}

// Run executes the command.
func (c *flushCommand) Run(stdout io.Writer) error {
	ctx, stop := interruptible()
	defer stop()
	if c.Timeout < 0 {
		return fmt.Errorf("--timeout=%v: write a time such as 30s, or 0 to wait for ever", c.Timeout)
	}
	waiting := ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	f := flushing{bar: newProgress(os.Stderr), stderr: os.Stderr, stdout: stdout, json: c.JSON}
	err := c.client().Flush(waiting, c.Container, f.step)
	f.bar.clear()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return f.late(fmt.Sprintf("after %v", c.Timeout))
	case errors.Is(err, context.Canceled):
		return f.late("when you ended it")
	case err != nil:
		return err
	case f.err != nil:
		return f.err
	case f.all == 0:
		fmt.Fprintln(os.Stderr, "logfast: nothing was written since the last seal, and nothing waits for the store")
	case f.gone > 0:
		return fmt.Errorf("%d of %d segments were removed from the spool by somebody before they were in the store",
			f.gone, f.all)
	}
	return nil
}

// flushing is what is known of a flush.
type flushing struct {
	bar             *progress
	stdout, stderr  io.Writer
	json            bool
	all, done, gone int
	why             string    // why the rest is not in the store yet
	printed         string    // the reason that was printed last
	printedAt       time.Time // zero: none was
	err             error     // of stdout
}

func (f *flushing) step(s control.Flush) {
	switch {
	case s.Shipped != nil:
		f.done++
		f.bar.clear()
		f.print(s.Shipped)
	case s.Gone != nil:
		f.gone++
	case s.Waiting != "":
		f.explain(s.Waiting)
	default:
		f.all = len(s.Sealed)
	}
	if f.all > 0 {
		f.bar.draw(f.done, f.all, "segments are in the store")
	}
}

// reasonEvery is the least time between two reasons that are printed: the text of a
// refusal may differ a little each time.
const reasonEvery = 30 * time.Second

// explain prints why the rest waits: the first reason at once.
func (f *flushing) explain(why string) {
	f.why = why
	if why == f.printed || !f.printedAt.IsZero() && time.Since(f.printedAt) < reasonEvery {
		return
	}
	f.printed, f.printedAt = why, time.Now()
	f.bar.clear()
	fmt.Fprintf(f.stderr, //nolint:errcheck // a terminal that has gone
		"logfast: %d of %d segments wait for the store: %s\n", f.all-f.done-f.gone, f.all, show.Field(why))
}

func (f *flushing) print(s *control.Segment) {
	var err error
	if f.json {
		err = writeJSONLine(f.stdout, s)
	} else {
		_, err = fmt.Fprintln(f.stdout, show.Field(s.Key))
	}
	f.err = errors.Join(f.err, err)
}

// late says what is not done.
func (f *flushing) late(when string) error {
	why := f.why
	if why == "" {
		why = "no error was seen; logfast status shows more"
	}
	return fmt.Errorf("%d of %d segments were in the store %s. The others wait in the spool, and go as soon "+
		"as they can: %s", f.done, f.all, when, why)
}
