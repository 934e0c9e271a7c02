package events

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
)

// Load makes known what an earlier process has left open.
func (v *Events) Load() error {
	s := v.cfg.Spool
	err := v.dir.Clean()
	entries, listErr := v.dir.List()
	errs := []error{err, listErr}
	left := map[string]*Event{}
	for _, entry := range entries {
		if entry.State != incident.Open {
			continue
		}
		r, err := v.dir.Record(entry)
		if err != nil {
			// It holds less than the segments that name it. Whose it is, is not known:
			// it takes every segment whose event is not known either.
			errs = append(errs, err)
			at, _ := incident.TimeOf(entry.ID)
			r = &incident.Record{
				ID: entry.ID, Host: v.cfg.Host, Scope: string(options.ScopeHost), Name: string(options.ScopeHost),
				First: at, Last: at,
			}
		}
		r.Closed, r.At, r.Members = "", time.Time{}, nil
		left[r.ID] = newEvent(r)
		left[r.ID].marked = true
	}
	if len(left) == 0 {
		return errors.Join(errs...)
	}
	all, err := s.All()
	errs = append(errs, err)
	for _, seg := range all {
		if m, err := s.Look(seg); err == nil && left[m.Event] != nil {
			left[m.Event].join(seg)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range left {
		v.knowLocked(e)
	}
	return errors.Join(errs...)
}

// Recovered decides, after a recovery, which of the events that were left open
// go on, because streams of their scope do, and closes the others. Of two events of
// one scope the later one goes on: the earlier was over when the process ended.
func (v *Events) Recovered(streams []journal.Entry) {
	policies := map[string]fasttrack.Policy{}
	for _, own := range []bool{false, true} { // the policy of those whose errors count in the scope is better
		for _, s := range streams {
			for _, name := range options.ScopesOf(&s.Stream) {
				if !own || name == s.Options.ScopeName(&s.Stream) {
					policies[name] = s.Options.Policy
				}
			}
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	ids := slices.Sorted(maps.Keys(v.known))
	for _, id := range slices.Backward(ids) {
		e := v.known[id]
		if e.Closed != "" || v.open[e.Name] == e {
			continue
		}
		policy, some := policies[e.Name]
		if !some || v.open[e.Name] != nil {
			v.overLocked(e, incident.ClosedRecover)
			continue
		}
		v.open[e.Name] = e
		v.track.Error(e.Name, policy, time.Now())
	}
}
