package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify"
	"github.com/logfast/logfast/internal/limit"
	"github.com/logfast/logfast/plugin/control"
)

// readNotify understands who is told of incidents. Of what is wrong it repeats
// nothing: it may hold a secret.
func (c *Config) readNotify(r *reader) {
	on, err := notify.ParseOn(r.Of(settings.NotifyOn))
	if err != nil {
		r.check(settings.NotifyOn, r.Of(settings.NotifyOn), fmt.Errorf("%w; shipped is in use", err))
		on, _ = notify.ParseOn("shipped")
	}
	listed, wrong := notify.ParseTargets(r.Of(settings.Notify), on)
	for _, err := range wrong {
		r.check(settings.Notify, "…", err)
	}
	file := r.Of(settings.NotifyFile) // the default one need not be there
	text, err := limit.ReadFile(file, maxNotifyFile)
	if errors.Is(err, os.ErrNotExist) && file == settings.TargetFile {
		err = nil
	}
	r.check(settings.NotifyFile, file, err)
	filed, wrong := notify.ReadTargets(string(text), on)
	for _, err := range wrong {
		r.check(settings.NotifyFile, file, err)
	}
	c.Notify, err = notify.Unique(slices.Concat(listed, filed))
	r.check(settings.Notify, "…", err)
}

// maxNotifyFile bounds the file of targets, in bytes.
const maxNotifyFile = 1 << 20

// outboxDir is where the outbox is, below the spool.
const outboxDir = ".outbox"

// teller keeps the outbox. A disk on which that cannot be opened keeps nobody
// from logging: what is to be told waits with whoever tells it.
type teller struct {
	cfg   notify.Config // but for Dir
	spool *spool.Spool

	mu     sync.Mutex
	outbox *notify.Outbox // owned by mu; nil until it is open
	err    error          // why it is not open; owned by mu
}

func newTeller(cfg *Config, spool *spool.Spool, log *slog.Logger) *teller {
	shown := strings.TrimPrefix(cfg.objectURL(""), "file://") // people read a directory's path
	t := &teller{cfg: notify.Config{Targets: cfg.Notify, Store: shown, Log: log}, spool: spool}
	for _, target := range cfg.Notify {
		log.Info("incidents are told", "target", target.Name)
	}
	t.open()
	return t
}

func (t *teller) open() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.cfg.Targets) == 0 || t.outbox != nil {
		return true
	}
	err := t.spool.WithRoom(spool.Need{Quick: true}, func() (err error) {
		t.cfg.Dir, err = t.spool.State(outboxDir)
		return err
	})
	if err == nil {
		t.outbox, err = notify.Open(t.cfg)
	}
	if err != nil && (t.err == nil || t.err.Error() != err.Error()) {
		t.cfg.Log.Error("incidents cannot be told yet; will try again", "err", err)
	}
	t.err = err
	return err == nil
}

// announce makes it durable that an event is to be told. It waits for the disk
// alone.
func (t *teller) announce(e *incident.Event) error {
	t.mu.Lock()
	outbox, err := t.outbox, t.err
	t.mu.Unlock()
	if outbox == nil {
		if err != nil {
			return fmt.Errorf("the outbox is not open: %w", err)
		}
		return nil // nobody is to be told
	}
	return t.spool.WithRoom(spool.Need{Grow: true}, func() error { return outbox.Add(e) })
}

// opened is announce for early notices, which nobody repeats.
func (t *teller) opened(e *incident.Event) {
	if err := t.announce(e); err != nil {
		t.cfg.Log.Error("an early notice is lost; its incident will be told", "incident", e.Data.ID, "err", err)
	}
}

// run tells until ctx ends.
func (t *teller) run(ctx context.Context) {
	for !t.open() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(workRetry):
		}
	}
	if t.outbox != nil {
		t.outbox.Run(ctx)
	}
}

// targets tells how each target does.
func (t *teller) targets() (all []control.Target) {
	t.mu.Lock()
	outbox, err := t.outbox, t.err
	t.mu.Unlock()
	if outbox == nil {
		for _, target := range t.cfg.Targets {
			all = append(all,
				control.Target{Name: target.Name, Kind: target.Kind, LastError: "the outbox is not open: " + text(err)})
		}
		return all
	}
	for _, h := range outbox.Health() {
		target := control.Target{
			Name: h.Name, Kind: h.Kind, Waiting: h.Waiting, Oldest: h.Oldest, Messages: h.Messages, Failed: h.Failed,
			GivenUp: h.GivenUp, LastTold: h.LastTold, LastError: text(h.LastError), Failing: h.Failing,
			Refusal: text(h.FailingErr),
		}
		for _, w := range h.Waits {
			target.Waits = append(target.Waits,
				control.Wait{Why: w.Why, Events: w.Events, Until: w.Until, Error: text(w.Err)})
		}
		all = append(all, target)
	}
	return all
}

// close gives the outbox up; nobody may announce any more.
func (t *teller) close() error {
	if t.outbox == nil {
		return nil
	}
	return t.outbox.Close()
}
