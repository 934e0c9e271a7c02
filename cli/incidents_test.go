package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
)

// TestIncident_CommandsCanBePasted: they read the archive that was named, the objects
// with errors first and then all of them.
func TestIncident_CommandsCanBePasted(t *testing.T) {
	var out bytes.Buffer
	screen := newScreen(&out, io.Discard, nil)
	v := &incidentView{
		session: &session{screen: screen, zone: time.UTC},
		Incident: &incident.Incident{Objects: []incident.Object{
			{Key: "logs/db.log.gz"}, {Key: "logs/shop web.log.gz", Errors: 2}, {Key: "-dash.log.gz"},
		}},
		source: &sourceFlags{Store: "s3://my logs/prefix", NoSpool: true},
	}
	if err := v.print(); err != nil {
		t.Fatal(err)
	}
	screen.close()
	for _, want := range []string{
		"\nWith errors: logfast cat --store='s3://my logs/prefix' --no-spool 'logs/shop web.log.gz'\n",
		"\nAll of it: logfast cat --store='s3://my logs/prefix' --no-spool -- logs/db.log.gz 'logs/shop web.log.gz' -dash.log.gz\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nwithout %s", out.String(), want)
		}
	}
}
