package notify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
)

// TestEarlyNotice_HasAnIDOfItsOwn: a receiver that drops events whose source and ID
// it has seen gets the notice and the incident. The notice of the first run was left
// by a former version, which gave both one ID.
func TestEarlyNotice_HasAnIDOfItsOwn(t *testing.T) {
	r := notifytest.NewReceiver(t)
	target := targets(t, r.URL+"/hook on=first,shipped")[0]
	for name, former := range map[string]bool{"a former version's": true, "this one's": false} {
		shipped := outage(incident.TypeShipped)
		opened := *shipped
		opened.Type = incident.TypeOpened
		if !former {
			opened.ID = incident.EarlyID(shipped.ID)
		}
		b := newBox(t, target)
		if former {
			body, err := json.Marshal(&opened)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(b.dir, target.dir)
			file := shipped.ID + "-opened.waiting-" + time.Now().UTC().Format(stamp)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), body, fileMode); err != nil {
				t.Fatal(err)
			}
		}
		before := len(r.Requests())
		b.start()
		b.add(&opened) // what waits already does not wait twice
		b.add(shipped)
		receive(t, "one", r.Got())
		receive(t, "the other", r.Got())
		await.Until(t, "both are sent", func() bool { return b.Health()[0].Told == 2 })
		b.end()
		seen := map[string]string{}
		for _, q := range r.Requests()[before:] {
			var e incident.Event
			if err := json.Unmarshal(q.Body, &e); err != nil {
				t.Fatal(err)
			}
			if e.Data.ID != shipped.ID {
				t.Errorf("%s: the data is of %s", name, e.Data.ID)
			}
			seen[e.Source+" "+e.ID] = e.Type
		}
		source := shipped.Source + " " + shipped.ID
		if len(seen) != 2 || seen[source] != incident.TypeShipped || seen[source+"-opened"] != incident.TypeOpened {
			t.Errorf("%s: %v", name, seen)
		}
	}
}
