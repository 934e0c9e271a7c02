package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/incident"
)

// event is an incident of the tests: errors of one kind.
func event(id, host, app, fingerprint string, first time.Time, errors int64) *incident.Event {
	last := first.Add(time.Minute)
	return &incident.Event{
		SpecVersion: "1.0", ID: id, Source: "/logfast/" + host, Type: incident.TypeShipped, Time: last,
		Data: incident.Incident{
			ID: id, Host: host, First: first, Last: last, Errors: errors,
			Containers:   []incident.Container{{ID: stream(app).ID, Name: app, App: app, Group: "shop"}},
			Fingerprints: []incident.Fingerprint{{ID: fingerprint, App: app, Method: "GET", Route: "/x/{n}", Status: 502, Errors: errors, First: first, Last: last}},
		},
	}
}

func encode(t *testing.T, e *incident.Event) []byte {
	t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (x *rig) incident(e *incident.Event) {
	x.Helper()
	key := fmt.Sprintf("incidents/dt=%s/host=%s/%s.json", e.Data.First.UTC().Format("2006-01-02"), e.Data.Host, e.ID)
	x.object(key, encode(x.T, e), nil)
}

func TestIncidentsAreGrouped(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	day := 24 * time.Hour
	x.incident(event("20260323T190301.000000Z-000000aa", "web-1", "shop", "f1", begin, 3))
	x.incident(event("20260324T190301.000000Z-000000bb", "web-2", "shop", "f1", begin.Add(day), 4))
	x.incident(event("20260325T190301.000000Z-000000cc", "web-1", "db", "f2", begin.Add(2*day), 5))
	x.object("incidents/dt=2026-03-23/host=web-1/notes.json", []byte(`{"hello": 1}`), nil)
	x.object("incidents/dt=2026-03-23/host=web-1/broken.json", []byte(`{"id`), nil)
	x.object("incidents/README.txt", []byte("text"), nil)
	// In the spool: one that is in the store, too, one that is not yet, and one
	// whose early notice is in the store.
	if err := os.Mkdir(filepath.Join(x.spool, incidentDir), 0o700); err != nil {
		t.Fatal(err)
	}
	here := func(name string, e *incident.Event) {
		if err := os.WriteFile(filepath.Join(x.spool, incidentDir, name), encode(t, e), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here("20260323T190301.000000Z-000000aa.uploaded.json", event("20260323T190301.000000Z-000000aa", "web-1", "shop", "f1", begin, 3))
	here("20260326T190301.000000Z-000000dd.json", event("20260326T190301.000000Z-000000dd", "web-1", "shop", "f1", begin.Add(3*day), 7))
	early := event("20260326T190301.000000Z-000000dd", "web-1", "shop", "f1", begin.Add(3*day), 1)
	early.Type = incident.TypeOpened
	x.incident(early)
	if err := os.WriteFile(filepath.Join(x.spool, incidentDir, "20260327T190301.000000Z-000000ee.open"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := x.archive()
	for name, tt := range map[string]struct {
		q    Query
		want []string
	}{
		"all":   {Query{}, []string{"f1 14 [web-1 web-2] 3 03-23 03-26", "f2 5 [web-1] 1 03-25 03-25"}},
		"app":   {Query{Apps: []string{"db"}}, []string{"f2 5 [web-1] 1 03-25 03-25"}},
		"host":  {Query{Hosts: []string{"web-2"}}, []string{"f1 4 [web-2] 1 03-24 03-24"}},
		"since": {Query{Since: begin.Add(day)}, []string{"f1 11 [web-1 web-2] 2 03-24 03-26", "f2 5 [web-1] 1 03-25 03-25"}},
		"until": {Query{Since: begin.Add(-time.Hour), Until: begin.Add(day - 1)}, []string{"f1 3 [web-1] 1 03-23 03-23"}},
		"name":  {Query{Containers: []string{"db"}}, []string{"f2 5 [web-1] 1 03-25 03-25"}},
		"id":    {Query{Containers: []string{stream("db").ID[:12]}}, []string{"f2 5 [web-1] 1 03-25 03-25"}},
		"none":  {Query{Groups: []string{"other"}}, nil},
	} {
		groups := Groups{Query: tt.q}
		if err := a.EachIncident(t.Context(), tt.q, groups.Add); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range groups.List() {
			got = append(got, fmt.Sprintf("%s %d %v %d %s %s", g.ID, g.Errors, g.Hosts, len(g.Incidents), g.First.Format("01-02"), g.Last.Format("01-02")))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	x.silent()
}

// TestGroups_ByKind has one exception on two routes of two hosts, and another one.
func TestGroups_ByKind(t *testing.T) {
	caused := func(n int, host, print, typ string) *incident.Event {
		e := event(fmt.Sprintf("2026032%dT190301.000000Z-0000000%d", n, n), host, "shop", print, begin.Add(time.Duration(n)*time.Hour), 1)
		f := &e.Data.Fingerprints[0]
		kind := incident.KindOf("shop", typ, "f")
		f.Kinds, f.Route = []incident.Kind{{ID: kind, Errors: 1}}, "/"+print
		e.Data.Samples = []incident.Sample{{Fingerprint: print, Kind: kind, Cause: &cause.Cause{Type: typ, Frame: "f", Message: host, Stacktrace: "long"}}}
		return e
	}
	var groups Groups
	for _, e := range []*incident.Event{
		caused(4, "web-2", "f2", "KeyError"), caused(3, "web-1", "f1", "KeyError"), caused(5, "web-1", "f1", "ValueError"),
	} {
		groups.Add(e)
	}
	var got []string
	for _, g := range groups.List() {
		got = append(got, fmt.Sprintf("%s, trace %q: %d on %d routes of %v", g.Cause, g.Cause.Stacktrace, g.Errors, g.Routes, g.Hosts))
	}
	want := []string{
		`ValueError: web-1, trace "": 1 on 1 routes of [web-1]`, `KeyError: web-2, trace "": 2 on 2 routes of [web-1 web-2]`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestAnIncidentByItsId(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	a := x.archive()
	var unknown *UnknownError
	if _, err := a.Incident(t.Context(), "2026"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "no other either") {
		t.Error(err)
	}
	for i, id := range []string{"20260323T190301.000000Z-000000aa", "20260323T190301.000000Z-000000ab", "20260324T000000.000000Z-000000cc"} {
		x.incident(event(id, "web-1", "shop", "f", begin, int64(i)))
	}
	// What has no incident's name is not read.
	x.object("incidents/by-hand.json", encode(t, event("odd", "web-1", "shop", "f", begin, 9)), nil)
	for id, want := range map[string]string{
		"20260323T190301.000000Z-000000aa": "20260323T190301.000000Z-000000aa", "20260323T190301.000000Z-000000ab": "20260323T190301.000000Z-000000ab",
		"20260324": "20260324T000000.000000Z-000000cc",
	} {
		if e, err := a.Incident(t.Context(), id); err != nil || e.ID != want {
			t.Errorf("%s: %v, %v", id, e, err)
		}
	}
	for id, want := range map[string]string{
		"20260323T19": `2 incidents begin with "20260323T19": write more of the id: 20260323T190301.000000Z-000000aa, 20260323T190301.000000Z-000000ab`,
		"20260324T01": `no incident "20260324T01"; the nearest are 20260324T000000.000000Z-000000cc, `,
		"":            `no incident ""; the nearest are `,
	} {
		if _, err := a.Incident(t.Context(), id); !errors.As(err, &unknown) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	x.silent()
}

func TestLinesAround(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	var lines []string
	for i := range 30 {
		lines = append(lines, cri(time.Duration(i)*time.Second, fmt.Sprint("line ", i+1)))
	}
	key := x.put(stream("web"), 1, strings.Join(lines, ""))
	for name, tt := range map[string]struct {
		at      []int64
		context int64
		want    []int64
	}{
		"one":     {[]int64{10}, 2, []int64{8, 9, 10, 11, 12}},
		"overlap": {[]int64{12, 10}, 1, []int64{9, 10, 11, 12, 13}},
		"edges":   {[]int64{1, 30}, 1, []int64{1, 2, 29, 30}},
		"alone":   {[]int64{7}, 0, []int64{7}},
		"beyond":  {[]int64{40}, 1, nil},
	} {
		found, err := x.archive().Around(t.Context(), key, tt.at, tt.context)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, n := range found {
			got = append(got, n.Line)
			if n.Text+"\n" != lines[n.Line-1] {
				t.Errorf("%s: line %d is %q", name, n.Line, n.Text)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	if _, err := x.archive().Around(t.Context(), "logs/none", []int64{1}, 1); err == nil || !strings.Contains(err.Error(), "logfast ls") {
		t.Error(err)
	}
}
