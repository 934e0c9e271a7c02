// Package cli is the command line of logfast: the plugin's entry point and the
// operator's commands.
package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/plugin"
)

// Version is set by the build.
var Version = "development"

type commands struct {
	Plugin pluginCommand `cmd:"" help:"Serve Docker as a logging driver. Docker runs this inside the plugin; it is set up with docker plugin set."`
	Status statusCommand `cmd:"" help:"Show what the plugin reads, what waits for the store and why, and what was lost."`
	Flush  flushCommand  `cmd:"" help:"Seal and ship now, and wait until it is in the store."`
	Notify notifyCommand `cmd:"" help:"List the notify targets and their state, or send them a test message."`
	Check  checkCommand  `cmd:"" help:"Check settings, disk, clock, credentials and store, and say what to do."`

	LogLevel logLevelCommand `cmd:"" help:"Show or set the level of the plugin's own log."`

	Ls   lsCommand   `cmd:"" help:"List the segments of the archive: of the store and the spool together."`
	Cat  catCommand  `cmd:"" help:"Print lines of the archive, in the order of their time."`
	Grep grepCommand `cmd:"" help:"Search the lines of the archive."`
	Tail tailCommand `cmd:"" help:"Print the last lines of the archive, and with -f those that come."`

	Incidents incidentsCommand `cmd:"" help:"List what broke: incidents of the archive, by kind of error."`
	Incident  incidentCommand  `cmd:"" help:"Show one incident, with its lines in their context."`

	Cause   causeCommand   `cmd:"" help:"Show why programs failed: each exception, panic and other cause that a log has."`
	Detect  detectCommand  `cmd:"" help:"Show which lines of a log logfast takes for server errors, and why."`
	Version versionCommand `cmd:"" help:"Print the version."`

	DaemonJSON daemonJSONCommand `cmd:"" name:"daemon-json" help:"Change the logging driver in an engine's daemon.json, for scripts/install.sh."`

	PluginTree pluginTreeCommand `cmd:"" hidden:"" name:"plugin-tree" help:"Upgrade a plugin to a directory, for scripts/install.sh."`

	Completion completionCommand `cmd:"" help:"Print what lets a shell complete logfast's commands."`
	Complete   completeCommand   `cmd:"" hidden:"" name:"__complete"`
}

type pluginCommand struct{}

func (pluginCommand) Run() error { return plugin.Main(Version, os.Environ(), os.Stdout, os.Stderr) }

type versionCommand struct{}

func (versionCommand) Run(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, "logfast", Version)
	return err
}

// vars are what the flags' tags name of the table of settings.
func vars() kong.Vars {
	return kong.Vars{
		"version":         Version,
		"store":           settings.Store,
		"key":             settings.Key,
		"spool":           settings.Spool,
		"spool_default":   settings.SpoolDir,
		"config_dir":      settings.ConfigDir,
		"detect_default":  settings.Of(settings.Detect).Default,
		"detect_values":   strings.Join(settings.Of(settings.Detect).Values, "|"),
		"status_default":  settings.Of(settings.Status).Default,
		"signals_default": settings.Of(settings.Signals).Default,
	}
}

// Run executes a command line, without the program's name, and returns the
// exit status: 0, 1 where the command failed unless its help says otherwise, 80
// where it was not understood.
func Run(args []string, stdout, stderr io.Writer) int {
	status, told := 0, false // told: help was shown, or what is wrong
	parser, err := kong.New(&commands{},
		kong.Name("logfast"),
		kong.Description("A Docker logging driver: text on disk, a copy on S3, server errors at once."),
		kong.Writers(stdout, stderr),
		vars(),
		kong.Exit(func(s int) { status, told = s, true }),
		kong.BindTo(os.Stdin, (*io.Reader)(nil)),
		kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(stderr, "logfast:", show.Error(err))
		return 1
	}
	ctx, err := parser.Parse(args)
	if told {
		return status // what else is wrong with the line does not matter
	}
	if err != nil {
		parser.FatalIfErrorf(err)
		return status
	}
	if status != 0 || len(args) > 0 && ctx.Command() == "" {
		return status
	}
	if err := ctx.Run(); err != nil {
		return fail(err, stderr)
	}
	return status
}
