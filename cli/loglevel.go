package cli

import (
	"fmt"
	"io"

	"github.com/logfast/logfast/internal/show"
)

type logLevelCommand struct {
	spoolFlag
	Level string `arg:"" optional:"" help:"debug, info, warn or error. None: show it."`
}

// Help is shown below the usage.
func (logLevelCommand) Help() string {
	return `Shows or sets the level of the plugin's own log while it runs. When the plugin is
started again, LOGFAST_LOG_LEVEL counts. The log is in the daemon's (journalctl -u docker), and its
last MiB in .logfast.log in the spool.

Examples:
  logfast log-level
  logfast log-level debug`
}

// Run executes the command.
func (c *logLevelCommand) Run(stdout io.Writer) error {
	ctx, stop := interruptible()
	defer stop()
	if c.Level != "" {
		return c.client().Level(ctx, c.Level)
	}
	s, err := c.client().Status(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, show.Field(s.LogLevel))
	return err
}
