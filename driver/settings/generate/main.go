// Command generate writes what follows from the table of settings: the variables of
// config.json, and the tables of docs/options.md. Its argument is the repository.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/settings"
)

// files are what is generated, and how: each function returns a file's text with the
// generated part replaced.
var files = map[string]func(old string) (string, error){
	"config.json":     configJSON,
	"docs/options.md": optionsPage,
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(repository string) error {
	for name, generate := range files {
		path := filepath.Join(repository, name)
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err := generate(string(old))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // it is a public file
			return err
		}
	}
	return nil
}

// variable is an entry of env in config.json.
type variable struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Settable    []string `json:"settable"`
	Value       string   `json:"value,omitempty"`
}

// configJSON replaces env, the last member of config.json.
func configJSON(old string) (string, error) {
	const env = "\n  \"env\": "
	head, _, found := strings.Cut(old, env)
	if !found {
		return "", errors.New("it has no member env")
	}
	var all []variable
	for _, s := range settings.All() {
		if s.Variable == "" || s.Absent {
			continue
		}
		v := variable{Name: s.Variable, Description: description(&s), Settable: []string{"value"}}
		if !s.NoValue {
			v.Value = s.Default
		}
		all = append(all, v)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("  ", "  ")
	err := e.Encode(all)
	return head + env + text.String() + "}\n", err
}

// description is what docker plugin inspect shows of a variable.
func description(s *settings.Setting) string {
	text := plain(s.Help)
	if s.Option != "" {
		text = "Default of the option " + s.Option + ". " + text
	}
	if len(s.Values) > 0 {
		text += " Values: " + strings.Join(s.Values, ", ") + "."
	} else if s.Kind != "" {
		text += " Value: " + plain(s.Kind) + ", such as " + s.Example + "."
	}
	switch {
	case s.NoValue:
		text += " Default: " + s.Default + "."
	case s.Unset != "" && s.Unset != "none":
		text += " Default: " + plain(s.Unset) + "."
	}
	if s.Keep != "" {
		text += " Better kept in " + s.Keep
		if s.Secret != settings.NoSecret {
			text += ", because docker plugin inspect shows it"
		}
		text += "."
	}
	return text
}

func plain(markdown string) string { return strings.ReplaceAll(markdown, "`", "") }

// optionsPage replaces the tables between their marks.
func optionsPage(old string) (string, error) {
	for name, table := range map[string]string{"container": container(), "plugin": plugin(), "sdk": sdk()} {
		begin := "<!-- " + name + ": written by go generate ./driver/settings -->\n"
		end := "<!-- end of " + name + " -->\n"
		head, rest, found := strings.Cut(old, begin)
		_, tail, foundEnd := strings.Cut(rest, end)
		if !found || !foundEnd {
			return "", fmt.Errorf("it has no marks of the table %s: %q, %q", name, begin, end)
		}
		old = head + begin + "\n" + table + "\n" + end + tail
	}
	return old, nil
}

func container() string {
	text := head("option", "variable", "values", "default", "example", "meaning")
	for _, s := range settings.All() {
		if s.Option != "" {
			text += row(quoted(s.Option), quoted(s.Variable), values(&s), unset(&s), quoted(s.Example), meaning(&s))
		}
	}
	return text
}

func plugin() string {
	text := head("variable", "values", "default", "example", "meaning")
	for _, s := range settings.All() {
		if s.Option == "" && !s.SDK {
			text += row(quoted(s.Variable), values(&s), unset(&s), quoted(s.Example), meaning(&s))
		}
	}
	return text
}

func sdk() string {
	text := head("variable", "default", "meaning")
	for _, s := range settings.All() {
		if s.SDK {
			text += row(quoted(s.Variable), unset(&s), meaning(&s))
		}
	}
	return text
}

// head is a table's first row, and the line below it.
func head(names ...string) string {
	return row(names...) + row(slices.Repeat([]string{"---"}, len(names))...)
}

func row(cells ...string) string {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return strings.ReplaceAll("| "+strings.Join(cells, " | ")+" |\n", "|  |", "| |")
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func values(s *settings.Setting) string {
	if len(s.Values) == 0 {
		return s.Kind
	}
	return "`" + strings.Join(s.Values, "`, `") + "`"
}

func unset(s *settings.Setting) string {
	if s.Default == "" {
		return s.Unset
	}
	return quoted(s.Default)
}

func meaning(s *settings.Setting) string {
	text := s.Help
	if s.Secret != settings.NoSecret && s.Keep != "" {
		text += " Better kept in `" + s.Keep + "`."
	}
	if s.See != "" {
		text += " " + s.See
	}
	return text
}
