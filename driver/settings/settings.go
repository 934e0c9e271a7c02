// Package settings is the one table of logfast's settings: the options of a
// container and the variables of the plugin. The defaults, config.json,
// docs/options.md and the command line's flags follow from it. To add a setting,
// write its row into table.go or aws.go, run go generate in this directory, and
// read the value in package plugin.
package settings

import (
	"slices"
	"strings"
)

//go:generate go run ./generate ../..

// Setting is a row of the table.
type Setting struct {
	// Variable is the plugin's environment variable; empty if only a container can
	// have the setting.
	Variable string
	// Option is the container's --log-opt; empty if a container cannot have the
	// setting. The variable is the option's default then.
	Option string
	// Default is the value that is used if neither is set.
	Default string
	// Unset describes what applies without a value, if Default is empty. Markdown.
	Unset string

	// Values are the values that are allowed, if the setting takes no others.
	Values []string
	// Kind describes what a value looks like, if Values is empty. Markdown.
	Kind    string
	Example string
	// Help is a sentence for users: what the setting does. Markdown.
	Help string
	// See is a link for docs/options.md, relative to docs. Markdown.
	See string

	// SDK says that logfast itself does not read the variable: the AWS SDK and Go's
	// HTTP client do.
	SDK bool
	// IfWrong is what the plugin does if the value is wrong.
	IfWrong IfWrong
	// Secret is whether the value can hold a secret.
	Secret Secret
	// Keep is the file on the host where a secret is better kept.
	Keep string

	// Absent says that config.json does not declare the variable: docker plugin set
	// cannot set it.
	Absent bool
	// NoValue says that config.json declares the variable without its default.
	NoValue bool
}

// IfWrong is what the plugin does about a wrong value. It never refuses a container
// for it.
type IfWrong int

// The values of IfWrong.
const (
	UseLast     IfWrong = iota // it uses the last right value, which the spool keeps, or the default
	UseDefault                 // it uses the default
	HoldUploads                // it uploads nothing: another store or encryption is not what was meant
	LeaveOut                   // it does not notify the target
	UseRest                    // it uses the other lines of the file
)

// Secret is whether a value can hold a secret.
type Secret int

// The values of Secret.
const (
	NoSecret  Secret = iota
	InTargets        // in the URLs of notify targets: messages do not repeat the value
	InURL            // a password in the URL: logfast check warns about it
	IsSecret         // the whole value: logfast check warns about it
)

// Prefix begins the names of logfast's own variables. PrefixAWS begins those of the
// AWS SDK.
const (
	Prefix    = "LOGFAST_"
	PrefixAWS = "AWS_"
)

// All returns the table, in the order of config.json.
func All() []Setting { return slices.Concat(table, awsTable) }

// Of returns the setting of a variable, and an empty one if there is none.
func Of(variable string) Setting {
	for _, rows := range [][]Setting{table, awsTable} {
		if i := slices.IndexFunc(rows, func(s Setting) bool { return s.Variable == variable }); i >= 0 {
			return rows[i]
		}
	}
	return Setting{}
}

// Variables lists the variables that logfast itself reads.
func Variables() (names []string) {
	for _, s := range All() {
		if s.Variable != "" && !s.SDK {
			names = append(names, s.Variable)
		}
	}
	return names
}

// Options lists the options of a container.
func Options() (names []string) {
	for _, s := range table {
		if s.Option != "" {
			names = append(names, s.Option)
		}
	}
	return names
}

// Values are variables by name. An empty one counts as unset, because docker plugin
// set cannot remove a variable.
type Values map[string]string

// Environ returns the variables of NAME=value strings; of two with one name, the
// last counts.
func Environ(environ []string) Values {
	vars := make(Values, len(environ))
	for _, v := range environ {
		if name, value, ok := strings.Cut(v, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// Of returns a variable's value, or its default.
func (v Values) Of(variable string) string {
	if value := v[variable]; value != "" {
		return value
	}
	return Of(variable).Default
}
