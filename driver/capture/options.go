package capture

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/suggest"
)

// Scope is which containers an error seals: its own, its group's, the host's.
type Scope string

// The scopes.
const (
	ScopeContainer Scope = "container"
	ScopeGroup     Scope = "group"
	ScopeHost      Scope = "host"
)

// ParseScope reads a Scope.
func ParseScope(s string) (Scope, error) {
	switch scope := Scope(s); scope {
	case ScopeContainer, ScopeGroup, ScopeHost:
		return scope, nil
	}
	return "", fmt.Errorf("scope %q: allowed are container, group, host", s)
}

// Fsync is when lines are brought to the disk itself, from where a power cut
// does not take them.
type Fsync string

// The values of Fsync.
const (
	FsyncInterval Fsync = "interval" // within a second; errors at once
	FsyncAlways   Fsync = "always"   // before they leave the FIFO
	FsyncNever    Fsync = "never"    // when the kernel does, and at the seal
)

// ParseFsync reads a Fsync.
func ParseFsync(s string) (Fsync, error) {
	switch f := Fsync(s); f {
	case FsyncInterval, FsyncAlways, FsyncNever:
		return f, nil
	}
	return "", fmt.Errorf("fsync %q: allowed are interval, always, never", s)
}

// OnFull is what gives way when the spool has no room for new lines.
type OnFull string

// The values of OnFull.
const (
	OnFullDrop  OnFull = "drop"  // the oldest segments that are not uploaded yet
	OnFullBlock OnFull = "block" // the containers: their lines wait in the FIFOs
)

// ParseOnFull reads an OnFull.
func ParseOnFull(s string) (OnFull, error) {
	switch o := OnFull(s); o {
	case OnFullDrop, OnFullBlock:
		return o, nil
	}
	return "", fmt.Errorf("on-full %q: allowed are drop, block", s)
}

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

// Bounds of MaxSize, in bytes. S3 takes 5 GB in one put, and text that cannot
// be compressed grows a little when it is packed.
const (
	MinMaxSize = 64 << 10
	MaxMaxSize = 4_900_000_000
)

// Bounds of the fast track's times.
const (
	MinQuiet = 100 * time.Millisecond
	MaxTrack = 24 * time.Hour
)

// ValidatePolicy says what is wrong with the fast track's times, if anything is.
func ValidatePolicy(p fasttrack.Policy) error {
	switch {
	case p.Quiet < MinQuiet || p.Quiet > MaxTrack:
		return fmt.Errorf("quiet period %v: allowed are %v to %v", p.Quiet, MinQuiet, MaxTrack)
	case p.MaxDelay < p.Quiet || p.MaxDelay > MaxTrack:
		return fmt.Errorf("maximum delay %v: allowed are %v, the quiet period, to %v", p.MaxDelay, p.Quiet, MaxTrack)
	}
	return nil
}

// ValidateMaxSize says what is wrong with a size limit, if anything is.
func ValidateMaxSize(n int64) error {
	if n < MinMaxSize || n > MaxMaxSize {
		return fmt.Errorf("it is %d bytes; allowed are 64KiB to 4.9GB, such as 100MB", n)
	}
	return nil
}

// ParseSize reads a size as Docker's own max-size option takes it: "100MB" and
// "100m" are decimal, "64KiB" is binary.
func ParseSize(s string) (int64, error) {
	parse := units.FromHumanSize
	if strings.Contains(strings.ToLower(s), "i") {
		parse = units.RAMInBytes
	}
	n, err := parse(s)
	if err != nil {
		return 0, fmt.Errorf("size %q: write a number with a unit, such as 100MB or 64MiB", s)
	}
	return n, nil
}

// Info is what logfast reads of Docker's description of a container. Its
// environment, where secrets are, is not among it. The names are those of
// moby's daemon/logger.Info, which is sent as JSON.
type Info struct {
	Config             map[string]string // the --log-opt settings
	ContainerID        string
	ContainerName      string // with a slash in front
	ContainerImageID   string
	ContainerImageName string
	ContainerLabels    map[string]string
	ContainerCreated   time.Time
	DaemonName         string
}

// The methods are what a tag's template may use, as in Docker's own drivers.

// ID is the container's id, 12 digits.
func (i Info) ID() string { return i.ContainerID[:min(12, len(i.ContainerID))] }

// FullID is the container's id.
func (i Info) FullID() string { return i.ContainerID }

// Name is the container's name.
func (i Info) Name() string { return strings.TrimPrefix(i.ContainerName, "/") }

// ImageID is the image's id, 12 digits.
func (i Info) ImageID() string {
	id := strings.TrimPrefix(i.ContainerImageID, "sha256:")
	return id[:min(12, len(id))]
}

// ImageFullID is the image's id.
func (i Info) ImageFullID() string { return i.ContainerImageID }

// ImageName is the image's name.
func (i Info) ImageName() string { return i.ContainerImageName }

// Labels that tell a container's app and group where no option does.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
	swarmStack     = "com.docker.stack.namespace"
	swarmService   = "com.docker.swarm.service.name"
)

func (i Info) group() string {
	if g := i.Config["group"]; g != "" {
		return g
	}
	if g := i.ContainerLabels[composeProject]; g != "" {
		return clip(g)
	}
	return clip(i.ContainerLabels[swarmStack])
}

func (i Info) app() (string, error) {
	if tag := i.Config["tag"]; tag != "" {
		return i.render(tag)
	}
	if service := i.ContainerLabels[composeService]; service != "" {
		return clip(i.ContainerLabels[composeProject] + "-" + service), nil
	}
	if service := i.ContainerLabels[swarmService]; service != "" {
		return clip(service), nil
	}
	return clip(i.Name()), nil
}

// option reads one --log-opt into the options.
var options = map[string]func(o *Options, value string) error{
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

// ParseBool reads true or false.
func ParseBool(s string) (bool, error) {
	switch s {
	case "true", "false":
		return s == "true", nil
	}
	return false, fmt.Errorf("%q: allowed are true, false", s)
}

// ParseDuration reads a time such as "30s" or "5m".
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("duration %q: write a number with a unit, such as 30s or 5m", s)
	}
	return d, nil
}

// The bounds of what is kept of a container.
const (
	maxID     = 128      // bytes
	maxName   = 512      // bytes of a name: the container's, its app's, its group's, its image's
	maxOption = 16 << 10 // bytes of an option's value; the options themselves allow less
	maxErrors = 10       // of an answer to docker run
)

// clip bounds a name that the container brings along, which is no reason to refuse
// the container.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxName)], "") }

// checkName bounds a name that an option sets.
func checkName(s string) error {
	if len(s) > maxName {
		return fmt.Errorf("it has %d bytes; allowed are %d", len(s), maxName)
	}
	return nil
}

// parseOptions reads the --log-opt settings into o, and says of each that is wrong
// what is allowed.
func parseOptions(o *Options, config map[string]string) (errs []error) {
	known := slices.Sorted(maps.Keys(options))
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if len(errs) == maxErrors {
			return append(errs, errors.New("and more"))
		}
		parse, ok := options[name]
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

// parseInfo turns Docker's description into the stream it is and its options,
// with the given defaults. All that is wrong with the options is in the error.
func parseInfo(host string, defaults Options, labels []string, i Info) (spool.Stream, Options, error) {
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

// The bounds of the labels that are kept: a value's bytes, and how many.
const (
	maxLabel  = 1 << 10
	maxLabels = 50
)

// labels returns those of the container's labels that are asked for, nil where
// it has none of them.
func (i Info) labels(names []string) map[string]string {
	var labels map[string]string
	for _, name := range names {
		value, ok := i.ContainerLabels[name]
		if !ok {
			continue
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[name] = strings.ToValidUTF8(value[:min(len(value), maxLabel)], "")
	}
	return labels
}

// ParseLabels reads a list of labels' names, joined by commas.
func ParseLabels(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	names := strings.Split(s, ",")
	if len(names) > maxLabels || len(s) > maxOption {
		return nil, fmt.Errorf("%d labels in %d bytes; allowed are %d in %d bytes", len(names), len(s), maxLabels, maxOption)
	}
	for i, name := range names {
		if names[i] = strings.TrimSpace(name); names[i] == "" || strings.ContainsAny(names[i], "= \t") {
			return nil, fmt.Errorf("label %q: write the names of labels, joined by commas, such as com.example.team,version", name)
		}
	}
	return names, nil
}

// scopeName is the name that an error of this stream has in the fast track.
func scopeName(o *Options, s *spool.Stream) string {
	switch o.Scope {
	case ScopeHost:
		return string(ScopeHost)
	case ScopeGroup:
		return string(ScopeGroup) + ":" + s.Group
	default:
		return string(ScopeContainer) + ":" + s.ID
	}
}

// scopesOf returns the names of the scopes whose seal takes this stream, whatever
// the stream's own option says; the widest is the first.
func scopesOf(s *spool.Stream) [3]string {
	return [...]string{string(ScopeHost), string(ScopeGroup) + ":" + s.Group, string(ScopeContainer) + ":" + s.ID}
}

// OptionNames lists the options that logfast itself understands.
func OptionNames() []string {
	var names []string
	for name, parse := range options {
		if parse != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
