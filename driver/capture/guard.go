package capture

import (
	"context"
	"time"
)

// The spool's files have names that others can take away. Each batch looks at its
// own file (spool.Writer); guard looks at the rest: at the files of streams that
// write nothing, at names, at the registry and at the spool's directory itself.
// The system calls of one look at a thousand idle streams take about a millisecond.
const (
	guardEvery = time.Second
	guardNames = 10 // every so many looks, names are looked at, though nothing was written
)

// guard looks, and says what it has found, until ctx ends.
func (d *Driver) guard(ctx context.Context) {
	var tick <-chan time.Time
	if d.guardEvery > 0 {
		ticker := time.NewTicker(d.guardEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-d.cfg.Spool.Damaged():
		case <-tick:
			d.look(n%guardNames == 0)
		}
		d.takeDamages()
	}
}

// look looks at all streams once.
func (d *Driver) look(names bool) {
	if names {
		d.lookAtSpool()
	}
	moved := d.registryMoved()
	for _, s := range d.streams.all() {
		if err := s.writer.Check(names); err != nil {
			d.cfg.Log.Error("the text of the active file cannot be saved; will try again", "container", s.desc.Name,
				"err", err)
		}
		if names || moved {
			d.keepRegistered(s)
		}
	}
}

func (d *Driver) lookAtSpool() {
	if err := d.cfg.Spool.Check(); err == nil {
		if d.displaced.Swap(nil) != nil {
			d.cfg.Log.Info("the spool's directory is as it was")
		}
	} else if d.displaced.Swap(&err) == nil {
		d.cfg.Log.Error("the spool's directory is not as it was", "err", err)
	}
}

// registryMoved reports whether the registry's directory was made anew.
func (d *Driver) registryMoved() bool {
	made, err := d.journal.Made()
	if err != nil {
		d.cfg.Log.Error("the registry of streams cannot be opened; will try again", "err", err)
		return false
	}
	was := d.registered
	d.registered = made
	return was != 0 && was != made
}

// keepRegistered makes the files by which the next process knows the stream anew
// if they are gone.
func (d *Driver) keepRegistered(s *stream) {
	renewed, err := d.journal.Ensure(&s.entry, s.cursor)
	switch {
	case err != nil:
		d.cfg.Log.Error("a kill would lose a running stream: it cannot be registered; will try again",
			"container", s.desc.Name, "err", err)
	case renewed:
		d.cfg.Log.Warn("the registry's files of a running stream were removed; they are written anew",
			"container", s.desc.Name)
	}
}

// takeDamages counts, and says, what was found wrong with containers' files.
func (d *Driver) takeDamages() {
	for _, damage := range d.cfg.Spool.TakeDamages() {
		args := []any{"container", damage.Stream.Name, "directory", damage.Dir}
		if damage.Sealed != "" {
			args = append(args, "segment", damage.Sealed)
		}
		if lost := damage.Lost; lost != nil {
			d.countLost(damage.Dir, *lost)
			args = append(args, "lost_lines", lost.Lines, "lost_bytes", lost.Bytes, "from", lost.From, "to", lost.To)
		}
		d.cfg.Log.Error(damage.What, args...)
		if damage.Sealed != "" {
			d.cfg.Sealed()
		}
	}
}
