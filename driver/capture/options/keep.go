package options

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/triage/expression"
	"github.com/logfast/logfast/driver/triage/redact"
)

// What is kept of a container's labels and of its environment: what the options labels,
// labels-regex, env and env-regex choose, as with json-file.

// chosen is what is kept of the labels or of the environment.
type chosen struct {
	what    string // for notices
	from    map[string]string
	kept    map[string]string // nil: nothing
	secret  []string          // the names of what looks like a secret
	further int               // how many are not kept: there are too many, or the name is too long
}

// add keeps a label or a variable, if there is one.
func (c *chosen) add(name string) {
	value, ok := c.from[name]
	if _, twice := c.kept[name]; !ok || twice {
		return
	}
	if len(name) > maxName || len(c.kept) == maxLabels {
		c.further++
		return
	}
	if c.kept == nil {
		c.kept = map[string]string{}
	}
	c.kept[name] = strings.ToValidUTF8(value[:min(len(value), maxLabel)], "")
}

// choose adds what a list of names and an expression choose, except what looks like a
// secret.
func (c *chosen) choose(names []string, pattern string) {
	if re, err := compileNames(pattern); err == nil && re != nil {
		for _, name := range slices.Sorted(maps.Keys(c.from)) {
			if re.Match([]byte(name)) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		if _, kept := c.kept[name]; kept {
			continue
		}
		if value, ok := c.from[name]; ok && secret(name, value) {
			if !slices.Contains(c.secret, name) {
				c.secret = append(c.secret, name)
			}
			continue
		}
		c.add(name)
	}
}

// notices say what was chosen and is not kept. No value is in them.
func (c *chosen) notices() (notices []string) {
	if n := len(c.secret); n > 0 {
		names := c.secret[:min(n, 5)]
		more := ""
		if n > len(names) {
			more = fmt.Sprintf(" and %d more", n-len(names))
		}
		notices = append(notices, fmt.Sprintf("%s that look like secrets are not kept: %.400s%s; choose other names",
			c.what, strings.Join(names, ", "), more))
	}
	if c.further > 0 {
		notices = append(notices, fmt.Sprintf("%s: %d are not kept; allowed are %d, with names of at most %d bytes",
			c.what, c.further, maxLabels, maxName))
	}
	return notices
}

// keep returns what is kept of the container's labels and of its environment.
func (p *parsing) keep(i *Info) (labels, env map[string]string) {
	l := chosen{what: "labels", from: i.ContainerLabels}
	for _, name := range p.Labels {
		if !slices.Contains(p.KeyLabels, name) {
			l.add(name)
		}
	}
	l.choose(p.KeyLabels, "")
	l.choose(parseNames(i.option(settings.OptLabels)), i.option(settings.OptLabelsRegex))
	e := chosen{what: "environment variables", from: i.environment()}
	e.choose(p.Env, "")
	e.choose(parseNames(i.option(settings.OptEnv)), i.option(settings.OptEnvRegex))
	p.o.Notices = append(append(p.o.Notices, l.notices()...), e.notices()...)
	return l.kept, e.kept
}

// option returns an option's value, and "" for one that is too long to be used.
func (i *Info) option(name string) string {
	if value := i.Config[name]; len(value) <= maxOption {
		return value
	}
	return ""
}

// environment returns the container's variables. Of two with one name the last counts.
func (i *Info) environment() map[string]string {
	env := make(map[string]string, len(i.ContainerEnv))
	for _, variable := range i.ContainerEnv {
		if name, value, ok := strings.Cut(variable, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}

// parseNames reads a list of names joined by commas, as json-file does.
func parseNames(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// compileNames compiles an expression for names; nil for an empty one, which chooses
// nothing.
func compileNames(pattern string) (*expression.Regexp, error) {
	if pattern == "" {
		return nil, nil //nolint:nilnil // there is no expression, and nothing is wrong
	}
	return expression.Compile(pattern)
}

// secretWords are parts of a name whose value is a secret, or may be one. In doubt, a
// variable is not kept: the environment is where programs get their secrets.
var secretWords = []string{
	"PASS", "PWD", "SECRET", "TOKEN", "KEY", "CRED", "AUTH", "PRIVATE", "COOKIE", "SESSION", "SALT", "SIGNATURE",
	"CERT", "JWT", "PSK", "DSN", "CONNECTION_STRING", "CONNECTIONSTRING",
}

// maxChecked bounds the search for a secret in a value, in bytes. A secret that begins in the
// first maxLabel bytes, which alone are kept, may be recognized by what follows, such as the @
// behind a password. Package redact looks at most 8 KiB ahead for that.
const maxChecked = 16 << 10

// secret reports whether a label or a variable looks like a secret: by its name, or
// because logfast would remove its value from a line.
func secret(name, value string) bool {
	upper := strings.ToUpper(name)
	for _, word := range secretWords {
		if strings.Contains(upper, word) {
			return true
		}
	}
	value = value[:min(len(value), maxChecked)]
	assigned := name + "=" + value
	return redact.String(assigned) != assigned || redact.String(value) != value
}
