package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/plugin"
	"github.com/logfast/logfast/plugin/control"
)

type checkCommand struct {
	spoolFlag
	Config string `placeholder:"FILE" help:"Check these settings, NAME=value a line, without a plugin; - is standard input."`
	Only   bool   `name:"settings-only" help:"With --config, check the settings alone: neither the spool nor the store."`
	Dir    string `name:"config-dir" placeholder:"DIR" default:"${config_dir}" help:"With --config, where the plugin's /etc/logfast is."`
	JSON   bool   `name:"json" help:"One JSON list."`
}

// Help is shown below the usage.
func (checkCommand) Help() string {
	return `Checks the settings, the spool and its disk, whether the notify targets can be reached,
the clock, the credentials, and the store by a put, a get, a list and a delete of logfast-check.txt
below the prefix; shows what a key looks like; and says what to do about what it finds. The plugin
that runs checks itself; with --config, this program checks the settings of a file.

The exit status is 0 where logfast can work so, and 1 where it cannot.

Examples:
  logfast check
  logfast check --json | jq '.[] | select(.result != "ok")'
  logfast check --config /etc/logfast/env
  logfast check --config /etc/logfast/env --settings-only
  docker plugin inspect --format '{{range .Settings.Env}}{{println .}}{{end}}' logfast | logfast check --config -`
}

// Run executes the command.
func (c *checkCommand) Run(stdin io.Reader, stdout io.Writer) error {
	ctx, stop := interruptible()
	defer stop()
	var all []control.Finding
	var err error
	if c.Config != "" {
		var environ []string
		environ, err = pluginEnviron(c.Config, c.Spool, c.Dir, stdin)
		switch {
		case err != nil:
		case c.Only:
			all = plugin.CheckSettings(environ)
		default:
			all = plugin.Check(ctx, environ, false)
		}
	} else if c.Only {
		err = errors.New("--settings-only checks the settings of a file: add --config FILE")
	} else if all, err = c.client().Check(ctx); err != nil {
		err = fmt.Errorf("%w. To check settings without a plugin: logfast check --config FILE", err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(stdout, all)
	} else {
		err = printFindings(stdout, all)
	}
	if err == nil && control.Failed(all) {
		err = errors.New("it cannot work so")
	}
	return err
}

func printFindings(w io.Writer, all []control.Finding) error {
	for _, f := range all {
		mark := map[control.Result]string{control.OK: "ok  ", control.Warn: "WARN", control.Fail: "FAIL"}[f.Result]
		text := fmt.Sprintf("%s  %-13s  %s\n", mark, show.Field(f.Check), show.Field(f.Detail))
		if f.Remedy != "" {
			text += fmt.Sprintf("%21s→ %s\n", "", show.Field(f.Remedy))
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// pluginEnviron reads a file of settings, and makes the process's own environment
// like the plugin's: the AWS SDK reads that, and must not find what is this shell's.
func pluginEnviron(file, spool, configDir string, stdin io.Reader) ([]string, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("%w: name a file of NAME=value lines, or - for standard input", err)
		}
		defer f.Close()
		in = f
	}
	environ, err := readEnviron(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	vars := map[string]string{
		settings.CredentialsFile: onHost(configDir, settings.CredentialsPath),
		settings.ConfigFile:      onHost(configDir, settings.ConfigPath),
	}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = onHost(configDir, value)
	}
	if vars[settings.Spool] == "" {
		vars[settings.Spool] = spool // the plugin's own name for it is the same
	}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, settings.PrefixAWS) {
			if err := os.Unsetenv(name); err != nil {
				return nil, err
			}
		}
	}
	environ = nil
	for name, value := range vars {
		environ = append(environ, name+"="+value)
		if err := os.Setenv(name, value); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", file, name, err)
		}
	}
	return environ, nil
}

// onHost returns the path on this host of a file that the plugin sees below
// /etc/logfast. A file that is not there, and that need not be, keeps its path.
func onHost(configDir, value string) string {
	name, ok := strings.CutPrefix(value, settings.ConfigDir+"/")
	if !ok || configDir == settings.ConfigDir {
		return value
	}
	path := filepath.Join(configDir, name)
	if _, err := os.Stat(path); err != nil && value == settings.TargetFile {
		return value
	}
	return path
}

// readEnviron reads NAME=value lines, as docker's --env-file takes them: no
// quotes, comments begin with #.
func readEnviron(in io.Reader) ([]string, error) {
	var environ []string
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
			return nil, fmt.Errorf("line %d: write NAME=value, such as LOGFAST_STORE=s3://logs", n)
		}
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			return nil, fmt.Errorf("line %d: write %s=%s without quotes", n, name, value[1:len(value)-1])
		}
		environ = append(environ, line)
	}
	return environ, lines.Err()
}

func writeJSONLine(w io.Writer, v any) error { return newEncoder(w).Encode(v) }

// newEncoder writes JSON values, a line each, that are safe to print.
func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(jsonWriter{w})
	e.SetEscapeHTML(false)
	return e
}

// jsonWriter escapes what a terminal does not show. An encoder writes a whole
// value at once.
type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(p []byte) (int, error) {
	if _, err := j.w.Write(show.JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
