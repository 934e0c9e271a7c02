package ship

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
)

// withIncidents gives the bench's Shipper the spool's incidents.
func (b *bench) withIncidents(announce func(*incident.Event) error) *incident.Dir {
	b.Helper()
	root, err := b.spool.State(incident.StateDir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { root.Close() })
	b.cfg.Incidents, b.cfg.Announce = incident.NewDir(root), announce
	return b.cfg.Incidents
}

// tellAll tells which event each seal belongs to, as CAPTURE does.
type tellAll struct{ record *incident.Record }

func (s tellAll) Sealing(_ spool.Segment, m *spool.Meta) error {
	m.Event, m.Errors = s.record.ID, 1
	return nil
}

func (s tellAll) Sealed(seg spool.Segment, _ *spool.Meta) {
	s.record.Members = append(s.record.Members, incident.Member{Dir: seg.Dir, Stem: seg.Name.Stem()})
}

// event leaves a closed event of segments with these names in the spool.
func (b *bench) event(dir *incident.Dir, names ...string) *incident.Record {
	b.Helper()
	now := time.Now().UTC()
	r := &incident.Record{ID: incident.NewID(now), Host: "h", Scope: "host", Name: "host", First: now, Last: now}
	if err := dir.MarkOpen(r); err != nil {
		b.Fatal(err)
	}
	b.spool.Tell(tellAll{r})
	for i, name := range names {
		b.seal(name, i, spool.Error)
	}
	b.spool.Tell(nil)
	r.Closed, r.At = incident.ClosedQuiet, now
	if err := dir.MarkClosed(r); err != nil {
		b.Fatal(err)
	}
	return r
}

// told returns the incidents in the store.
func (b *bench) told() (all []incident.Event) {
	b.Helper()
	for _, key := range b.keys() {
		if !strings.HasPrefix(key, incident.Prefix) {
			continue
		}
		var e incident.Event
		if err := json.Unmarshal(b.store.objects[key], &e); err != nil {
			b.Fatal(err)
		}
		if key != incident.Key(e.ID, "h") || b.store.attrs[key].ContentType != "application/cloudevents+json" {
			b.Errorf("%s is %+v", key, b.store.attrs[key])
		}
		all = append(all, e)
	}
	return all
}

func TestAnIncidentComesAfterItsLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		var announced []string
		dir := b.withIncidents(func(e *incident.Event) error {
			announced = append(announced, e.ID)
			if len(announced) == 1 {
				return errors.New("the outbox is on a full disk")
			}
			return nil
		})
		r := b.event(dir, "web", "api")
		b.store.fail = func(key string, attempt int) error {
			if attempt < 4 {
				return errors.New("connection refused")
			}
			return nil
		}
		b.run(5 * time.Minute)
		told := b.told()
		if len(told) != 1 || told[0].ID != r.ID || len(told[0].Data.Objects) != 2 || told[0].Data.Errors != 2 {
			t.Fatalf("%+v\n%s", told, b.log.String())
		}
		for i, key := range b.store.tries {
			if strings.HasPrefix(key, incident.Prefix) && i < 5 {
				t.Errorf("the incident was put before its logs: %v", b.store.tries)
			}
		}
		if len(announced) != 2 || announced[0] != r.ID || announced[1] != r.ID {
			t.Errorf("announced %v; want twice, since the first time failed", announced)
		}
		if got := fmt.Sprint(states(t, dir)); got != "[uploaded.json]" {
			t.Error(got)
		}
	})
}

// TestIncident_DamagedFindingsAreFoundAgain: another program has changed the description of
// a packed segment.
func TestIncident_DamagedFindingsAreFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		dir := b.withIncidents(nil)
		b.line = `"GET /pay HTTP/1.1" 502 1`
		b.event(dir, "web")
		down := true
		b.store.fail = func(string, int) error {
			if down {
				return errors.New("connection refused")
			}
			return nil
		}
		b.run(time.Minute)
		packed, err := b.spool.List(spool.Packed)
		if err != nil || len(packed) != 1 {
			t.Fatal(packed, err)
		}
		m, err := b.spool.Meta(packed[0])
		if err != nil || m.Findings == "" {
			t.Fatal(m, err)
		}
		m.Findings = `{"errors":-1}`
		if err := b.spool.SaveMeta(packed[0], m); err != nil {
			t.Fatal(err)
		}
		down = false
		b.run(5 * time.Minute)
		told := b.told()
		if len(told) != 1 || told[0].Data.ByStatus["502"] != 1 || len(told[0].Data.Samples) != 1 || told[0].Data.Samples[0].Line != 1 {
			t.Errorf("%+v\n%s", told, b.log.String())
		}
	})
}

func states(t *testing.T, dir *incident.Dir) (all []incident.State) {
	t.Helper()
	entries, err := dir.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.State)
	}
	return all
}

// TestAnIncidentOutlivesTheStoresTrouble, for which it asks now and then.
func TestAnIncidentOutlivesTheStoresTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		dir := b.withIncidents(nil)
		var ids []string
		for i := range 3 {
			ids = append(ids, b.event(dir, fmt.Sprint("web", i)).ID)
			time.Sleep(time.Second)
		}
		broken := true // owned by the store's mu
		b.store.fail = func(key string, _ int) error {
			if broken && strings.HasPrefix(key, incident.Prefix) {
				return errors.New("503 slow down")
			}
			return nil
		}
		b.run(time.Hour, func() {
			time.Sleep(30 * time.Minute)
			b.store.mu.Lock()
			broken = false
			b.store.mu.Unlock()
		})
		if told := b.told(); len(told) != 3 || told[0].ID != ids[0] || told[2].ID != ids[2] {
			t.Errorf("%v, want %v", told, ids)
		}
		if n := b.states()[spool.Uploaded]; n != 3 {
			t.Errorf("%d segments uploaded", n)
		}
		tries := 0
		for _, key := range b.store.tries {
			if strings.HasPrefix(key, incident.Prefix) {
				tries++
			}
		}
		if tries > 60 {
			t.Errorf("%d tries in half an hour of trouble", tries)
		}
	})
}

// TestCopiesStayUntilTheirIncidentIsBuilt, and no longer: a second segment of the
// event is kept from the store by its file's damage.
func TestCopiesStayUntilTheirIncidentIsBuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute)
		dir := b.withIncidents(nil)
		b.event(dir, "web", "api")
		b.store.fail = func(key string, _ int) error {
			if strings.HasPrefix(key, "api") {
				return errors.New("connection refused")
			}
			return nil
		}
		b.run(3*time.Hour, func() {
			time.Sleep(2 * time.Hour)
			if n := b.states(); n[spool.Uploaded] != 1 || n[spool.Packed] != 1 {
				t.Errorf("after two hours: %v, want the one that is uploaded and the one that waits", n)
			}
			b.store.mu.Lock()
			b.store.fail = nil
			b.store.mu.Unlock()
		})
		if told := b.told(); len(told) != 1 || len(told[0].Data.Objects) != 2 || told[0].Data.Missing != 0 {
			t.Errorf("%+v", told)
		}
		if n := b.states(); len(n) != 0 || len(states(t, dir)) != 0 {
			t.Errorf("left at the end: %v, %v", n, states(t, dir))
		}
	})
}

// TestAnIncidentSaysWhatIsGone: somebody has removed a segment.
func TestAnIncidentSaysWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		dir := b.withIncidents(nil)
		b.event(dir, "web", "api")
		all, err := b.spool.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, seg := range all {
			if strings.HasPrefix(seg.Dir, "api") {
				if err := os.Remove(filepath.Join(b.dir, seg.Path())); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.run(time.Minute)
		if told := b.told(); len(told) != 1 || len(told[0].Data.Objects) != 1 || told[0].Data.Missing != 1 {
			t.Errorf("%+v", told)
		}
	})
}

// TestAnIncidentSaysWhatWasGivenUp: for want of room, one line stands for the text.
func TestAnIncidentSaysWhatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		dir := b.withIncidents(nil)
		b.event(dir, "web")
		given, err := makeRoom(b.spool, 1, true, true)
		if len(given) != 1 { // err says that one line is longer than what it stands for
			t.Fatalf("%v, %v", given, err)
		}
		b.run(time.Minute)
		told := b.told()
		if len(told) != 1 || told[0].Data.Lost != 1 || told[0].Data.Errors != 1 || told[0].Data.ByStatus["0"] != 1 || len(told[0].Data.Objects) != 1 {
			t.Errorf("%+v", told)
		}
	})
}

// TestAnIncidentSaysWhatWasDiscarded: the disk took nothing, and a line in the
// text says so, of a container that reports no error itself.
func TestAnIncidentSaysWhatWasDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		dir := b.withIncidents(nil)
		b.line = string(record.Lost{Lines: 17, Bytes: 170, Reason: spool.DiskFull, From: time.Now(), To: time.Now()}.Text())
		b.event(dir, "web", "api")
		b.run(time.Minute)
		if told := b.told(); len(told) != 1 || told[0].Data.Lost != 34 || len(told[0].Data.Objects) != 2 {
			t.Errorf("%+v", told)
		}
	})
}
