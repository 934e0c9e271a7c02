package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"github.com/logfast/logfast/internal/plugintree"
)

// pluginTreeCommand is how scripts/install.sh has Docker upgrade a plugin to a
// directory, which Docker itself does from a registry only.
type pluginTreeCommand struct {
	Serve    serveTreeCommand    `cmd:"" help:"Serve DIR as a registry on loopback while COMMAND runs."`
	Settings settingsTreeCommand `cmd:"" help:"Print the names of what can be set on the plugin of DIR, one a line."`
	Same     sameTreeCommand     `cmd:"" help:"Exit with 0 if DIR has the configuration that is on standard input, and with 1 if not."`
}

// reference stands for the plugin's reference in the arguments of COMMAND.
const reference = "REFERENCE"

type serveTreeCommand struct {
	Tag     string   `default:"${version}" help:"The tag of the reference (default: this program's version)."`
	Dir     string   `arg:"" help:"What docker plugin create takes: config.json and rootfs."`
	Command []string `arg:"" passthrough:"" help:"A program and its arguments; one that is REFERENCE becomes the plugin's reference in the registry."`
}

// Run executes the command. The registry ends with the program that uses it.
func (c *serveTreeCommand) Run(stdout io.Writer) (err error) {
	ctx, stop := interruptible()
	defer stop()
	tree, err := plugintree.Open(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	return tree.Serve(func(address string) error {
		words := slices.Clone(c.Command)
		for i := range words {
			if words[i] == reference {
				words[i] = address + "/logfast:" + c.Tag
			}
		}
		return runCommand(ctx, words, stdout)
	})
}

// runCommand runs a program, and interrupts it when ctx ends.
func runCommand(ctx context.Context, words []string, stdout io.Writer) error {
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.Stdout, command.Stderr = stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", words[0], err)
	}
	return nil
}

type settingsTreeCommand struct {
	Dir string `arg:"" help:"What docker plugin create takes."`
}

// Run executes the command.
func (c *settingsTreeCommand) Run(stdout io.Writer) error {
	names, err := plugintree.Settings(c.Dir)
	for _, name := range names {
		if _, err := fmt.Fprintln(stdout, name); err != nil {
			return err
		}
	}
	return err
}

type sameTreeCommand struct {
	Dir string `arg:"" help:"What docker plugin create takes."`
}

// Run executes the command.
func (c *sameTreeCommand) Run(stdin io.Reader) error {
	installed, err := io.ReadAll(stdin)
	if err != nil {
		return err
	}
	same, err := plugintree.SameConfig(c.Dir, installed)
	if err == nil && !same {
		err = errors.New("the configurations differ")
	}
	return err
}
