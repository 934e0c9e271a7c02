package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/triage/notify"
	"github.com/logfast/logfast/plugin/control"
)

// errNoTarget says how to configure one.
var errNoTarget = errors.New("no target is configured: write its URL into /etc/logfast/notify on the host, " +
	"or set LOGFAST_NOTIFY, then docker plugin disable -f logfast; docker plugin enable --timeout 0 logfast")

// Targets are the notify targets of a configuration, in the order of its settings.
// left says what is wrong with the others.
func Targets(environ []string) (targets []control.Target, left []control.Setting) {
	cfg, wrong := understand(settings.Environ(environ))
	for _, t := range cfg.Notify {
		targets = append(targets, control.Target{Name: t.Name, Kind: t.Kind})
	}
	for _, p := range wrong.sorted() {
		if p.effect() == leftOut {
			left = append(left, p.control())
		}
	}
	return targets, left
}

// TestTargets sends a test message from this process to the target of that name in a
// configuration, or to all if the name is empty, and returns what each answered. A
// target that is wrong, and so is left out, is among all.
func TestTargets(ctx context.Context, environ []string, target string) ([]control.Tested, error) {
	cfg, wrong := understand(settings.Environ(environ))
	return testTargets(ctx, cfg, wrong, target)
}

func testTargets(ctx context.Context, cfg *Config, wrong problems, target string) (all []control.Tested, err error) {
	found, err := notify.Find(cfg.Notify, target)
	if err != nil {
		return nil, err
	}
	for _, t := range notify.TestAll(ctx, found, cfg.Host) {
		all = append(all, control.Tested{
			Target: t.Target.Name, Kind: t.Target.Kind, Answer: t.Answer, Error: text(t.Err),
		})
	}
	for _, p := range wrong.sorted() {
		if target == "" && p.effect() == leftOut {
			why := "a target is wrong, and is left out: " + p.err.Error()
			all = append(all, control.Tested{Target: p.names[0], Error: why})
		}
	}
	if len(all) == 0 {
		return nil, errNoTarget
	}
	return all, nil
}

// testTargets is what the control socket serves. It logs what each target answered:
// an operator's test explains messages that no incident has caused.
func (o *operator) testTargets(ctx context.Context, target string) ([]control.Tested, error) {
	all, err := testTargets(ctx, o.cfg, o.wrong, target)
	if err != nil {
		return nil, fmt.Errorf("test the targets: %w", err)
	}
	for _, t := range all {
		if t.Error != "" {
			o.log.Warn("a test message was not taken", "target", t.Target, "err", t.Error)
			continue
		}
		o.log.Info("a test message was taken", "target", t.Target, "answer", t.Answer)
	}
	return all, nil
}
