// Package options says what a container's --log-opt settings and labels come to:
// [Parse] makes of Docker's description the stream that a container is and its
// [Options]. It holds the values that both options and the plugin's own settings
// take, with their bounds, and reads no environment and no file.
package options

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/suggest"
)

// The bounds of what is kept of a container, and of an answer about it.
const (
	maxID     = 128      // bytes
	maxName   = 512      // bytes of a name: the container's, its app's, its group's, its image's
	maxOption = 16 << 10 // bytes of an option's value; the options themselves allow less
	maxErrors = 10       // of an answer to docker run
)

// The bounds of the labels that are kept: a value's bytes, and how many.
const (
	maxLabel  = 1 << 10
	maxLabels = 50
)

// Options are what one container's --log-opt settings come to. The plugin's
// own settings give the defaults.
type Options struct {
	Format record.Format
	Scope  Scope
	Policy fasttrack.Policy
	Fsync  Fsync
	// MaxSize is the size, in bytes of text, at which a segment is sealed.
	MaxSize int64
	// Detect is which lines report a server error.
	Detect detect.Options
	// Redact is what is taken out of a quoted line besides what usually is
	// secret: RE2, or "".
	Redact string `json:",omitempty"`
	// ReadArchive has docker logs fetch from the store what is no longer here.
	ReadArchive bool `json:",omitempty"`
}

// parsers read one --log-opt each into the options.
var parsers = map[string]func(o *Options, value string) error{
	"format":           func(o *Options, v string) (err error) { o.Format, err = record.ParseFormat(v); return },
	"fast-track-scope": func(o *Options, v string) (err error) { o.Scope, err = ParseScope(v); return },
	"quiet-period":     func(o *Options, v string) (err error) { o.Policy.Quiet, err = ParseDuration(v); return },
	"max-delay":        func(o *Options, v string) (err error) { o.Policy.MaxDelay, err = ParseDuration(v); return },
	"fsync":            func(o *Options, v string) (err error) { o.Fsync, err = ParseFsync(v); return },
	"max-size":         func(o *Options, v string) (err error) { o.MaxSize, err = ParseSize(v); return },
	"detect":           func(o *Options, v string) (err error) { o.Detect.Mode, err = detect.ParseMode(v); return },
	"status":           func(o *Options, v string) (err error) { o.Detect.Status, err = detect.ParseStatuses(v); return },
	"pattern":          func(o *Options, v string) (err error) { o.Detect.Pattern, err = detect.ParsePattern(v); return },
	"exclude-path":     func(o *Options, v string) (err error) { o.Detect.ExcludePath, err = detect.ParseExclude(v); return },
	"signals":          func(o *Options, v string) (err error) { o.Detect.Signals, err = detect.ParseSignals(v); return },
	"redact":           func(o *Options, v string) (err error) { o.Redact, err = incident.ParseRedact(v); return },
	"read-archive":     func(o *Options, v string) (err error) { o.ReadArchive, err = ParseBool(v); return },
	"group":            func(_ *Options, v string) error { return checkName(v) }, // Info.group
	"tag":              func(*Options, string) error { return nil },              // Info.app

	// Docker handles these itself and passes them on all the same.
	"mode": nil, "max-buffer-size": nil, "cache-disabled": nil,
	"cache-max-size": nil, "cache-max-file": nil, "cache-compress": nil,
}

// parseOptions reads the --log-opt settings into o, and says of each that is wrong
// what is allowed.
func parseOptions(o *Options, config map[string]string) (errs []error) {
	known := slices.Sorted(maps.Keys(parsers))
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if len(errs) == maxErrors {
			return append(errs, errors.New("and more"))
		}
		parse, ok := parsers[name]
		switch value := config[name]; {
		case !ok && len(name) > 64:
			errs = append(errs, fmt.Errorf("unknown option %.64q…", name))
		case !ok:
			errs = append(errs, fmt.Errorf("unknown option %s%s", name, suggest.Nearest(name, known)))
		case parse == nil:
		case len(value) > maxOption:
			errs = append(errs, fmt.Errorf("option %s: it has %d bytes; allowed are %d", name, len(value), maxOption))
		default:
			if err := parse(o, value); err != nil {
				errs = append(errs, fmt.Errorf("option %s: %w", name, err))
			}
		}
	}
	return errs
}

// Parse turns Docker's description into the stream it is and its options,
// with the given defaults. All that is wrong with the options is in the error.
func Parse(host string, defaults Options, labels []string, i Info) (spool.Stream, Options, error) {
	if len(i.ContainerID) > maxID {
		return spool.Stream{}, defaults, fmt.Errorf("the container's ID has %d bytes; allowed are %d", len(i.ContainerID), maxID)
	}
	o := defaults
	errs := parseOptions(&o, i.Config)
	if errs == nil {
		if err := ValidatePolicy(o.Policy); err != nil {
			errs = append(errs, fmt.Errorf("option quiet-period or max-delay: %w", err))
		}
		if err := ValidateMaxSize(o.MaxSize); err != nil {
			errs = append(errs, fmt.Errorf("option max-size: %w", err))
		}
		if o.Scope == ScopeGroup && i.group() == "" {
			errs = append(errs, errors.New("option fast-track-scope=group: add group=NAME, or start the container with docker compose"))
		}
	}
	app, err := i.app()
	if err = errors.Join(append(errs, err)...); err != nil {
		return spool.Stream{}, o, err
	}
	return spool.Stream{
		ID: i.ContainerID, Name: clip(i.Name()), Image: clip(i.ContainerImageName),
		Host: host, App: app, Group: i.group(), Format: o.Format.String(),
		Labels: i.labels(labels), Scope: string(o.Scope), Detect: triage.Options(o.Detect), Redact: o.Redact,
	}, o, nil
}

// Names lists the options that logfast itself understands.
func Names() []string {
	var names []string
	for name, parse := range parsers {
		if parse != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
