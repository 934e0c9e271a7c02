package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/limit"
	"github.com/logfast/logfast/plugin/control"
)

// A wrong setting never decides whether a container runs. In its place stands:
//
//	a store's setting       nothing: segments wait in the spool, because another
//	                        store, or another encryption, is not what was meant
//	a target of incidents   nothing: this target is left out
//	LOGFAST_METRICS         nothing: metrics are not served over TCP
//	LOGFAST_ROUTES          nothing: the wrong line of the file is left out
//	LOGFAST_SPOOL           the default
//	LOGFAST_REDACT          the last that was right, or an expression that hides all
//	every other variable    the last that was right, or the default
//
// The last that were right are in settingsFile in the spool. They hold no secret:
// neither the store nor any target is among them.
const settingsFile = ".settings.json"

// hideAll is what LOGFAST_REDACT falls back to: what was to be hidden is not known.
const hideAll = `(?s).+`

// effect is what a wrong setting does.
type effect int

const (
	replaced effect = iota // another value is in use
	blocked                // nothing is uploaded
	leftOut                // a target is not notified
	partly                 // the rest of a file is in use
)

// problem is one thing that is wrong with the settings.
type problem struct {
	names []string // of the variables that it is about; none where one is unknown
	err   error    // name, value and what is allowed
	inUse string   // what is in its place
}

func (p *problem) effect() effect {
	of := map[settings.IfWrong]effect{
		settings.LeaveOut: leftOut, settings.HoldUploads: blocked, settings.UseRest: partly,
	}
	for _, name := range p.names {
		if e, ok := of[settings.Of(name).IfWrong]; ok {
			return e
		}
	}
	return replaced
}

func (p *problem) control() control.Setting {
	of := map[effect]string{
		replaced: control.Replaced, partly: control.Replaced, blocked: control.BlocksStore,
		leftOut: control.TargetLeftOut,
	}
	return control.Setting{Variables: p.names, Effect: of[p.effect()], Problem: p.err.Error(), InUse: p.inUse}
}

// problems are all that is wrong, in the order in which it is found.
type problems []*problem

// check notes that a variable's value is wrong.
func (p *problems) check(name, value string, err error) {
	if err != nil {
		*p = append(*p, &problem{names: []string{name}, err: fmt.Errorf("%s=%s: %w", name, short(value), err)})
	}
}

// checkPair is check for two variables that do not go together.
func (p *problems) checkPair(name, value, other, otherValue string, err error) {
	if err != nil {
		*p = append(*p, &problem{
			names: []string{name, other},
			err:   fmt.Errorf("%s=%s with %s=%s: %w", name, short(value), other, short(otherValue), err),
		})
	}
}

// short keeps a value to what a person reads.
func short(value string) string {
	const most = 200
	if len(value) <= most {
		return value
	}
	return strings.ToValidUTF8(value[:most], "") + "…"
}

func (p problems) sorted() problems {
	slices.SortFunc(p, func(a, b *problem) int { return strings.Compare(a.err.Error(), b.err.Error()) })
	return p
}

// join makes one error of them.
func (p problems) join() error {
	var all []error
	for i := range p {
		all = append(all, p[i].err)
	}
	return errors.Join(all...)
}

// forgotten reports whether no last right value of a variable is kept.
func forgotten(name string) bool { return settings.Of(name).IfWrong != settings.UseLast }

// effective are the settings that the plugin works with, whatever the environment is.
type effective struct {
	*Config
	wrong problems
	right map[string]string // what to keep, by variable
	vars  settings.Values   // the environment as it is used
}

// readSettings understands an environment, and puts something else in the place of
// what is wrong.
func readSettings(environ []string) *effective {
	vars := settings.Environ(environ)
	cfg, wrong := understand(vars)
	last, err := lastRight(absoluteSpool(cfg.Spool))
	s := &effective{Config: cfg, wrong: slices.Clone(wrong), right: map[string]string{}, vars: vars}
	for _, name := range settings.Variables() {
		bad := slices.ContainsFunc(wrong, func(p *problem) bool { return slices.Contains(p.names, name) })
		if value := vars[name]; forgotten(name) {
			continue
		} else if !bad && value != "" {
			s.right[name] = value
		} else if value := last[name]; bad && value != "" {
			s.right[name] = value
		}
	}
	for _, source := range []map[string]string{last, nil} {
		s.vars = s.replace(wrong, source)
		s.Config, wrong = understand(s.vars)
		for _, p := range wrong { // a last value that is not right any more
			if !slices.ContainsFunc(s.wrong, func(q *problem) bool { return q.err.Error() == p.err.Error() }) {
				s.wrong = append(s.wrong, p)
			}
		}
	}
	if err != nil && len(s.wrong) > 0 {
		s.wrong = append(s.wrong,
			&problem{names: []string{settingsFile}, err: fmt.Errorf("the last right settings: %w", err)})
	}
	for i := range s.wrong {
		s.wrong[i].inUse = s.inUse(s.wrong[i])
	}
	s.wrong = s.wrong.sorted()
	return s
}

// replace returns the environment with the last right values, or the defaults, of
// what is wrong.
func (s *effective) replace(wrong problems, last map[string]string) map[string]string {
	vars := maps.Clone(s.vars)
	for i := range wrong {
		if wrong[i].effect() != replaced {
			continue
		}
		for _, name := range wrong[i].names {
			switch value := last[name]; {
			case value != "" && !forgotten(name):
				vars[name] = value
			case name == settings.Redact:
				vars[name] = hideAll
			default:
				delete(vars, name)
			}
		}
	}
	return vars
}

// inUse says what stands in the place of what is wrong.
func (s *effective) inUse(p *problem) string {
	switch p.effect() {
	case blocked:
		return "nothing is uploaded, and segments wait in the spool"
	case leftOut:
		return "this target is not notified"
	case partly:
		return "the other lines of the file are in use, and routes are as without this one"
	}
	var all []string
	for _, name := range p.names {
		switch value := s.vars[name]; {
		case name == settingsFile:
			all = append(all, "the defaults are in use")
		case name == settings.Metrics:
			all = append(all, "metrics are not served over TCP")
		case name == settings.Redact && value == hideAll:
			all = append(all, "incidents quote no line")
		case value != "":
			all = append(all, name+"="+short(value)+" is in use, the last that was right")
		default:
			all = append(all, "the default of "+name+" is in use")
		}
	}
	if len(all) == 0 {
		return "it is ignored"
	}
	return strings.Join(all, ", ")
}

// maxSettings bounds settingsFile, in bytes.
const maxSettings = 1 << 20

// lastRight reads the last right settings, none where there is no such file.
func lastRight(spool string) (map[string]string, error) {
	data, err := limit.ReadFile(filepath.Join(spool, settingsFile), maxSettings)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var last map[string]string
	if err == nil {
		err = json.Unmarshal(data, &last)
	}
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", settingsFile, spool, err)
	}
	return last, nil
}

// keep makes what is right durable, for a later start with something wrong. The
// spool must be this process's.
func (s *effective) keep() error {
	if last, err := lastRight(s.Spool); err == nil && maps.Equal(last, s.right) {
		return nil
	}
	data, err := json.MarshalIndent(s.right, "", "  ")
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.Spool)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // nothing is written by it
	return durable.WriteFile(root, settingsFile, append(data, '\n'), 0o600)
}

// storeConfig is the configuration with the store's settings as they are now: a
// file of certificates may have appeared. Its error is store.ErrBlocked.
func (s *effective) storeConfig() (*Config, error) {
	cfg, wrong := understand(s.vars)
	wrong = slices.DeleteFunc(wrong, func(p *problem) bool { return p.effect() != blocked })
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%w: a wrong setting: %w", store.ErrBlocked, wrong.join())
	}
	return cfg, nil
}
