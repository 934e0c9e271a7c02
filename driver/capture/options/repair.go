package options

import (
	"fmt"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
)

// Repair replaces each option of a registered stream that this version does not
// accept with its default: the container runs, so its lines have to be read. It
// returns what was wrong. What another version has registered may hold anything.
func (o *Options) Repair(of *spool.Stream, defaults *Options) (wrong []error) {
	replaced := func(option string, err error) bool {
		if err != nil {
			wrong = append(wrong,
				fmt.Errorf("option %s: %w; the default is used until the container starts again", option, err))
		}
		return err != nil
	}
	format, err := record.ParseFormat(of.Format)
	if replaced(settings.OptFormat, err) {
		format, of.Format = record.CRI, record.CRI.String()
	}
	o.Format = format
	if _, err := ParseScope(string(o.Scope)); replaced(settings.OptScope, err) {
		o.Scope = defaults.Scope
	}
	if replaced(settings.OptQuiet, ValidatePolicy(o.Policy)) {
		o.Policy = defaults.Policy
	}
	if _, err := ParseFsync(string(o.Fsync)); replaced(settings.OptFsync, err) {
		o.Fsync = defaults.Fsync
	}
	if replaced(settings.OptMaxSize, ValidateMaxSize(o.MaxSize)) {
		o.MaxSize = defaults.MaxSize
	}
	if o.Detect.Mode != "" {
		if _, err := detect.ParseMode(string(o.Detect.Mode)); replaced(settings.OptDetect, err) {
			o.Detect.Mode = defaults.Detect.Mode
		}
	}
	if _, err := detect.ParsePattern(o.Detect.Pattern); replaced(settings.OptPattern, err) {
		o.Detect.Pattern = defaults.Detect.Pattern
	}
	if _, err := detect.ParseExclude(o.Detect.ExcludePath); replaced(settings.OptExclude, err) {
		o.Detect.ExcludePath = defaults.Detect.ExcludePath
	}
	// An expression that hides secrets has no default: without it, nothing is quoted.
	if _, err := incident.ParseRedact(of.Redact); err != nil {
		wrong = append(wrong, fmt.Errorf("option %s: %w; incidents quote nothing of this container until "+
			"it starts again", settings.OptRedact, err))
	}
	of.Detect, of.Scope = triage.Options(o.Detect), string(o.Scope)
	of.Name, of.App, of.Group, of.Image = clip(of.Name), clip(of.App), clip(of.Group), clip(of.Image)
	return wrong
}
