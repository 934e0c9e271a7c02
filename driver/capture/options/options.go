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
	// MaxFile is how many files of MaxSize the container may have on this host, the
	// active one among them; 0: any number.
	MaxFile int `json:",omitempty"`
	// Detect is which lines report a server error.
	Detect detect.Options
	// Redact is what is taken out of a quoted line besides what usually is
	// secret: RE2, or "".
	Redact string `json:",omitempty"`
	// ReadArchive has docker logs fetch from the store what is no longer here.
	ReadArchive bool `json:",omitempty"`
	// Notices say which settings are not used as they were given, and what to set
	// instead.
	Notices []string `json:",omitempty"`
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

	settings.OptMaxFile:  func(o *Options, v string) (err error) { o.MaxFile, err = ParseCount(v); return },
	settings.OptCompress: func(_ *Options, v string) error { return checkBool(v) },

	// Rules.Parse keeps what these choose.
	settings.OptLabels:      func(*Options, string) error { return nil },
	settings.OptLabelsRegex: func(_ *Options, v string) error { _, err := compileNames(v); return err },
	settings.OptEnv:         func(*Options, string) error { return nil },
	settings.OptEnvRegex:    func(_ *Options, v string) error { _, err := compileNames(v); return err },
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

// Rules are what the plugin's settings say about the options of all containers.
type Rules struct {
	Host     string
	Defaults Options
	Labels   []string // names of the labels that are kept, whatever they look like
	// KeyLabels are the names of the labels that are kept unless they look like secrets, also
	// if they are in Labels: everyone who lists the store sees them in its keys.
	KeyLabels []string
	Env       []string // names of the variables that are kept, unless they look like secrets
	// Strict refuses each option that cannot be used as it is given. Without it, only
	// an option that was meant for logfast can keep its container from starting.
	Strict bool
}

// parsing is one call of Parse.
type parsing struct {
	*Rules
	o    Options
	errs []error // these keep the container from starting
}

// wrong notes that an option cannot be used as it is given. One that was not meant for
// logfast leaves a notice, unless the rules are strict.
func (p *parsing) wrong(meant bool, err error) {
	more := func(n int) bool { return n == maxErrors }
	switch {
	case err == nil:
	case (meant || p.Strict) && len(p.errs) <= maxErrors:
		if more(len(p.errs)) {
			err = errors.New("and more")
		}
		p.errs = append(p.errs, err)
	case !meant && !p.Strict && len(p.o.Notices) <= maxErrors:
		if more(len(p.o.Notices)) {
			err = errors.New("and more")
		}
		p.o.Notices = append(p.o.Notices, err.Error())
	}
}

// read reads the --log-opt settings.
func (p *parsing) read(config map[string]string) {
	known := known()
	for _, name := range slices.Sorted(maps.Keys(config)) {
		value := config[name]
		switch {
		case slices.Contains(dockers, name):
		case parsers[name] == nil:
			if len(p.errs) <= maxErrors && len(p.o.Notices) <= maxErrors {
				p.wrong(unknown(name, known))
			}
		case len(value) > maxOption:
			p.unusable(name, fmt.Errorf("option %s: it has %d bytes; allowed are %d", name, len(value), maxOption))
		default:
			next := p.o
			if err := next.Set(name, value); err != nil {
				p.unusable(name, fmt.Errorf("option %s: %w", name, err))
				continue
			}
			p.o = next
		}
	}
}

// unusable notes that the value of one of logfast's options cannot be used. In an
// option that json-file has too, it leaves a notice.
func (p *parsing) unusable(name string, err error) {
	meant := !slices.Contains(jsonFiles, name)
	if err != nil && !meant && !p.Strict {
		err = fmt.Errorf("%w; the default is used", err)
	}
	p.wrong(meant, err)
}

// boundSize brings a size that json-file takes into the bounds.
func (p *parsing) boundSize() {
	err := ValidateMaxSize(p.o.MaxSize)
	if err == nil {
		return
	}
	err = fmt.Errorf("option %s: %w", settings.OptMaxSize, err)
	if !p.Strict {
		p.o.MaxSize = min(max(p.o.MaxSize, MinMaxSize), MaxMaxSize)
		err = fmt.Errorf("%w; the nearest of these is used", err)
	}
	p.wrong(false, err)
}

// Parse turns Docker's description into the stream it is and its options. All that
// keeps the container from starting is in the error. Options.Notices say what else is
// not used as it was given.
func (r *Rules) Parse(i Info) (spool.Stream, Options, error) {
	if len(i.ContainerID) > maxID {
		return spool.Stream{}, r.Defaults, fmt.Errorf("the container's ID has %d bytes; allowed are %d",
			len(i.ContainerID), maxID)
	}
	p := parsing{Rules: r, o: r.Defaults}
	p.read(i.Config)
	p.boundSize()
	if p.errs == nil {
		if err := ValidatePolicy(p.o.Policy); err != nil {
			p.wrong(true, fmt.Errorf("option %s or %s: %w", settings.OptQuiet, settings.OptMaxDelay, err))
		}
		if p.o.Scope == ScopeGroup && i.group() == "" {
			p.wrong(true,
				errors.New("option fast-track-scope=group: add group=NAME, or start the container with docker compose"))
		}
	}
	app, err := i.app()
	p.unusable(settings.OptTag, err)
	if err := errors.Join(p.errs...); err != nil {
		return spool.Stream{}, p.o, err
	}
	labels, env := p.keep(&i)
	stream := spool.Stream{
		ID: i.ContainerID, Name: clip(i.Name()), Image: clip(i.ContainerImageName),
		Host: r.Host, App: app, Group: i.group(), Format: p.o.Format.String(),
		Labels: labels, Env: env, Scope: string(p.o.Scope), Detect: triage.Options(p.o.Detect), Redact: p.o.Redact,
	}
	if i.Config[settings.OptMaxSize] != "" { // without it, json-file does not rotate
		stream.MaxFile, stream.MaxSize = p.o.MaxFile, p.o.MaxSize
	}
	if stream.MaxFile == 0 {
		stream.MaxSize = 0
	}
	return stream, p.o, nil
}
