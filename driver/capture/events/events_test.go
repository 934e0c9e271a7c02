package events

import (
	"log/slog"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
)

// TestEvents_OneForAScope has two containers of a group report an error, and wants
// one event, which ends with the group and is not finished before both are sealed.
func TestEvents_OneForAScope(t *testing.T) {
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := spool.Open(t.TempDir(), spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	woken := 0
	v := Open(Config{Spool: s, Host: "h", Log: slog.New(slog.DiscardHandler), WakeUp: func() { woken++ }})
	defer v.Close()
	o := options.Options{Scope: options.ScopeGroup, Policy: fasttrack.Policy{Quiet: time.Minute, MaxDelay: time.Hour}}
	web := spool.Stream{ID: "1", Name: "web", Group: "shop"}
	api := spool.Stream{ID: "2", Name: "api", Group: "shop"}
	var first FirstError
	at := time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	first.Set(&record.Record{Time: at.UnixNano()}, []byte("502"), &detect.Match{Status: 502})
	id := v.Note(&o, &web, "", &first)
	if other := v.Note(&o, &api, "", &first); other != id {
		t.Errorf("two events of one group: %s, %s", id, other)
	}
	var opened []string
	v.Notify(func(scope string, by time.Time) {
		if scope != "group:shop" || by.Before(time.Now()) {
			t.Errorf("scope %s until %v", scope, by)
		}
	}, func(e *incident.Event) { opened = append(opened, e.Data.ID) })
	if len(opened) != 1 || opened[0] != id {
		t.Errorf("notices of %v, want one of %s", opened, id)
	}
	if due := v.Due(time.Now()); due != nil {
		t.Errorf("%d events are due at once", len(due))
	}
	v.Ended("group:shop")
	due := v.Due(time.Now())
	if len(due) != 1 || due[0].ID != id || due[0].Closed != incident.ClosedStop {
		t.Fatalf("due after the end of the group: %v", due)
	}
	if v.Finish(due[0], true, time.Now()) {
		t.Error("finished before its segments were sealed")
	}
	for i, of := range []spool.Stream{web, api} {
		seg, m := spool.Segment{Dir: of.Dir()}, spool.Meta{Stream: of, Errors: 1, Event: id}
		if err := v.Sealing(seg, &m); err != nil || m.Event != id {
			t.Errorf("event %q, %v", m.Event, err)
		}
		v.Sealed(seg, &m)
		if woken != i+1 {
			t.Errorf("woken %d times after %d seals", woken, i+1)
		}
	}
	if due = v.Due(time.Now()); len(due) != 1 || !v.Finish(due[0], true, time.Now()) {
		t.Errorf("not finished once all was sealed: %v", due)
	}
	if _, some := v.Next(); some {
		t.Error("an event is left")
	}
}
