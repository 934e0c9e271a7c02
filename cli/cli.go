// Package cli is the command line of logfast: the plugin's entry point and,
// in time, the operator's commands.
package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/plugin"
)

// Version is set by the build.
var Version = "development"

type commands struct {
	Plugin     pluginCommand     `cmd:"" help:"Serve Docker as a logging driver. Docker runs this inside the plugin; it is set up with docker plugin set."`
	Detect     detectCommand     `cmd:"" help:"Show which lines of a log logfast takes for server errors, and why."`
	DaemonJSON daemonJSONCommand `cmd:"" name:"daemon-json" help:"Change the logging driver in an engine's daemon.json, for scripts/install.sh."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

type pluginCommand struct{}

func (pluginCommand) Run() error { return plugin.Main(os.Environ(), os.Stderr) }

type versionCommand struct{}

func (versionCommand) Run(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, "logfast", Version)
	return err
}

// Run executes a command line, without the program's name, and returns the
// exit status: 0, 1 where the command failed, 80 where it was not understood.
func Run(args []string, stdout, stderr io.Writer) int {
	status := 0
	parser, err := kong.New(&commands{},
		kong.Name("logfast"),
		kong.Description("A Docker logging driver: text on disk, a copy on S3, server errors at once."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(s int) { status = s }),
		kong.BindTo(os.Stdin, (*io.Reader)(nil)),
		kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(stderr, "logfast:", err)
		return 1
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		parser.FatalIfErrorf(err)
		return status
	}
	if status != 0 || len(args) > 0 && ctx.Command() == "" {
		return status
	}
	if err := ctx.Run(); err != nil {
		fmt.Fprintln(stderr, "logfast:", err)
		return 1
	}
	return status
}
