package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/logfast/logfast/internal/show"
	"github.com/logfast/logfast/plugin/control"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown below the usage.
func (completionCommand) Help() string {
	return `Prints what lets a shell complete commands, options, their values, and the names of
containers and notify targets. make install puts it where bash looks.

Examples:
  source <(logfast completion bash)
  logfast completion zsh > "${fpath[1]}/_logfast"
  logfast completion fish > ~/.config/fish/completions/logfast.fish`
}

// scripts hand the words on to completeCommand. Without an answer the shell
// completes files.
var scripts = map[string]string{
	"bash": `_logfast() {
	local IFS=$'\n'
	COMPREPLY=($(logfast __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _logfast logfast
`,
	"zsh": `#compdef logfast
_logfast() {
	local -a found
	found=("${(@f)$(logfast __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _logfast logfast
`,
	"fish": `complete -c logfast -a '(logfast __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

// Run executes the command.
func (c *completionCommand) Run(stdout io.Writer) error {
	_, err := io.WriteString(stdout, scripts[c.Shell])
	return err
}

// completeCommand prints what may stand in the place of the last word.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run executes the command.
func (c *completeCommand) Run(k *kong.Context, stdout io.Writer) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, found := range complete(k.Model.Node, words, operands) {
		if _, err := fmt.Fprintln(stdout, found); err != nil {
			return err
		}
	}
	return nil
}

// operands asks the plugin for the names of its containers or of its notify targets.
// A shell that waits gets none rather than an error.
func operands(kind, spool string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := control.NewClient(spool).Status(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for i := range s.Streams {
		names = append(names, s.Streams[i].Container)
	}
	if kind == "target" {
		names = nil
		for i := range s.Targets {
			id, _, _ := strings.Cut(s.Targets[i].Name, " ")
			names = append(names, id)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return name == "" || show.Operand(name) != name // a shell puts it into the command line as it is
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// complete walks the commands along the words before the last and returns what
// that may become.
func complete(node *kong.Node, words []string, operands func(kind, spool string) []string) []string {
	words = split(words)
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	spool := "/var/log/logfast"
	var wanted *kong.Flag // whose value comes next
	for _, word := range words[:len(words)-1] {
		switch {
		case wanted != nil && word == "=":
		case wanted != nil:
			if wanted.Name == "spool" {
				spool = word
			}
			wanted = nil
		case strings.HasPrefix(word, "-"):
			name, _, valued := strings.Cut(word, "=")
			if f := flagOf(node, name); f != nil && !valued && !f.IsBool() {
				wanted = f
			}
		default:
			for _, child := range node.Children {
				if child.Name == word {
					node = child
				}
			}
		}
	}
	if wanted != nil {
		if last == "=" {
			last = ""
		}
		return begins(values(wanted), last, "")
	}
	if strings.HasPrefix(last, "-") {
		if name, value, valued := strings.Cut(last, "="); valued {
			if f := flagOf(node, name); f != nil {
				return begins(values(f), value, name+"=")
			}
			return nil
		}
		return begins(flags(node), last, "")
	}
	var found []string
	for _, child := range node.Children {
		if !child.Hidden {
			found = append(found, child.Name)
		}
	}
	for _, arg := range node.Positional {
		switch {
		case arg.Name == "container" || arg.Name == "target":
			found = append(found, operands(arg.Name, spool)...)
		case arg.Enum != "":
			found = append(found, arg.EnumSlice()...)
		}
	}
	return begins(found, last, "")
}

// split undoes nothing but what bash does to --name=value: three words.
func split(words []string) []string {
	var all []string
	for i, word := range words {
		if i > 0 && word == "=" && len(all) > 0 && strings.HasPrefix(all[len(all)-1], "-") && i == len(words)-1 {
			all = append(all, "=")
			continue
		}
		if word == "=" {
			continue
		}
		all = append(all, word)
	}
	return all
}

func flagOf(node *kong.Node, name string) *kong.Flag {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if "--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name {
				return f
			}
		}
	}
	return nil
}

func flags(node *kong.Node) []string {
	var names []string
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			names = append(names, "--"+f.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// values are those that a flag takes, as far as they are words: its enum, or
// what its placeholder lists.
func values(f *kong.Flag) []string {
	if f.Enum != "" {
		return f.EnumSlice()
	}
	if strings.Contains(f.PlaceHolder, "|") {
		return strings.Split(f.PlaceHolder, "|")
	}
	return nil
}

// begins returns those that begin with what was typed, each behind a prefix.
func begins(all []string, typed, prefix string) []string {
	var found []string
	for _, s := range all {
		if strings.HasPrefix(s, typed) {
			found = append(found, prefix+s)
		}
	}
	return found
}
