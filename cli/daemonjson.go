package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/logfast/logfast/internal/daemonjson"
)

// daemonJSONCommand is what scripts/install.sh and uninstall.sh change an
// engine's configuration with, on hosts that may have no other program that
// understands JSON. It prints and writes no file.
type daemonJSONCommand struct {
	Merge   mergeCommand   `cmd:"" help:"Print FILE with the plugin as the daemon-wide logging driver, without daemon-wide log-opts, and else as it is."`
	Restore restoreCommand `cmd:"" help:"Print FILE with the logging driver and log-opts of BEFORE."`
	Driver  driverCommand  `cmd:"" help:"Print the daemon-wide logging driver that FILE names, and the names of its log-opts."`
}

type mergeCommand struct {
	File string `arg:"" help:"The engine's daemon.json; one that does not exist is read as an empty object."`
	Name string `default:"logfast" help:"What the plugin is called (default: logfast)."`
}

// Run executes the command.
func (c *mergeCommand) Run(stdout io.Writer) error {
	return rewrite(c.File, stdout, func(text []byte) ([]byte, error) { return daemonjson.Merge(text, c.Name) })
}

type restoreCommand struct {
	File   string `arg:"" help:"The engine's daemon.json."`
	Before string `arg:"" help:"The file as it was before; one that does not exist named no driver."`
}

// Run executes the command.
func (c *restoreCommand) Run(stdout io.Writer) error {
	before, err := readOptional(c.Before)
	if err != nil {
		return err
	}
	return rewrite(c.File, stdout, func(text []byte) ([]byte, error) { return daemonjson.Restore(text, before) })
}

type driverCommand struct {
	File string `arg:"" help:"The engine's daemon.json."`
}

// Run executes the command.
func (c *driverCommand) Run(stdout io.Writer) error {
	return rewrite(c.File, stdout, func(text []byte) ([]byte, error) {
		driver, opts, err := daemonjson.Driver(text)
		return []byte(strings.Join(append([]string{driver}, opts...), " ") + "\n"), err
	})
}

// rewrite prints what becomes of a file's text.
func rewrite(file string, stdout io.Writer, change func([]byte) ([]byte, error)) error {
	text, err := readOptional(file)
	if err != nil {
		return err
	}
	if text, err = change(text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = stdout.Write(text)
	return err
}

// readOptional reads a file; one that does not exist is empty.
func readOptional(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
