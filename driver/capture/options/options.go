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
	"github.com/logfast/logfast/driver/settings"
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

// parsers read one option of the table of settings each.
var parsers = map[string]func(o *Options, value string) error{
	settings.OptFormat:   func(o *Options, v string) (err error) { o.Format, err = record.ParseFormat(v); return },
	settings.OptScope:    func(o *Options, v string) (err error) { o.Scope, err = ParseScope(v); return },
	settings.OptQuiet:    func(o *Options, v string) (err error) { o.Policy.Quiet, err = ParseDuration(v); return },
	settings.OptMaxDelay: func(o *Options, v string) (err error) { o.Policy.MaxDelay, err = ParseDuration(v); return },
	settings.OptFsync:    func(o *Options, v string) (err error) { o.Fsync, err = ParseFsync(v); return },
	settings.OptMaxSize:  func(o *Options, v string) (err error) { o.MaxSize, err = ParseSize(v); return },
	settings.OptDetect:   func(o *Options, v string) (err error) { o.Detect.Mode, err = detect.ParseMode(v); return },
	settings.OptStatus: func(o *Options, v string) (err error) {
		o.Detect.Status, err = detect.ParseStatuses(v)
		return
	},
	settings.OptPattern: func(o *Options, v string) (err error) {
		o.Detect.Pattern, err = detect.ParsePattern(v)
		return
	},
	settings.OptExclude: func(o *Options, v string) (err error) {
		o.Detect.ExcludePath, err = detect.ParseExclude(v)
		return
	},
	settings.OptSignals: func(o *Options, v string) (err error) {
		o.Detect.Signals, err = detect.ParseSignals(v)
		return
	},
	settings.OptRedact:  func(o *Options, v string) (err error) { o.Redact, err = incident.ParseRedact(v); return },
	settings.OptArchive: func(o *Options, v string) (err error) { o.ReadArchive, err = ParseBool(v); return },
	settings.OptGroup:   func(_ *Options, v string) error { return checkName(v) }, // Info.group
	settings.OptTag:     func(*Options, string) error { return nil },              // Info.app
}

// dockers are the options that Docker handles itself and passes on all the same.
var dockers = []string{
	"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress",
}

// Set reads an option's value into o. The plugin's variables, which are the options'
// defaults, are read by it too.
func (o *Options) Set(name, value string) error {
	if parse := parsers[name]; parse != nil {
		return parse(o, value)
	}
	return fmt.Errorf("unknown option %s%s", name, suggest.Nearest(name, known()))
}

// known lists the options that a container may have, in the order of the alphabet.
func known() []string {
	return slices.Sorted(slices.Values(slices.Concat(settings.Options(), dockers)))
}

// parseOptions reads the --log-opt settings into o, and says of each that is wrong
// what is allowed.
func parseOptions(o *Options, config map[string]string) (errs []error) {
	known := known()
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if len(errs) == maxErrors {
			return append(errs, errors.New("and more"))
		}
		ok := slices.Contains(known, name)
		switch value := config[name]; {
		case !ok && len(name) > 64:
			errs = append(errs, fmt.Errorf("unknown option %.64q…", name))
		case !ok:
			errs = append(errs, fmt.Errorf("unknown option %s%s", name, suggest.Nearest(name, known)))
		case slices.Contains(dockers, name):
		case len(value) > maxOption:
			errs = append(errs, fmt.Errorf("option %s: it has %d bytes; allowed are %d", name, len(value), maxOption))
		default:
			if err := o.Set(name, value); err != nil {
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
		return spool.Stream{}, defaults, fmt.Errorf("the container's ID has %d bytes; allowed are %d",
			len(i.ContainerID), maxID)
	}
	o := defaults
	errs := parseOptions(&o, i.Config)
	if errs == nil {
		if err := ValidatePolicy(o.Policy); err != nil {
			errs = append(errs, fmt.Errorf("option %s or %s: %w", settings.OptQuiet, settings.OptMaxDelay, err))
		}
		if err := ValidateMaxSize(o.MaxSize); err != nil {
			errs = append(errs, fmt.Errorf("option %s: %w", settings.OptMaxSize, err))
		}
		if o.Scope == ScopeGroup && i.group() == "" {
			errs = append(errs,
				errors.New("option fast-track-scope=group: add group=NAME, or start the container with docker compose"))
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
