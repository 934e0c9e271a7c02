package notify

import (
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/triage/incident"
)

// TestMessage_CommandsAreSafeToPaste gives a container a name that a shell would
// run.
func TestMessage_CommandsAreSafeToPaste(t *testing.T) {
	i := &incident.Incident{ID: "20260323T190305.000000Z-8c1f02aa", Samples: []incident.Sample{{Container: "web; $(touch x) 'y"}}}
	var b strings.Builder
	how(&b, &kindOf{entries: []*entry{{}}}, i, "s3://logs/")
	if want := `'web; $(touch x) '\''y'` + "\n"; !strings.Contains(b.String(), want) {
		t.Errorf("%q without %q", b.String(), want)
	}
	if want := "logfast incident 20260323T190305.000000Z-8c1f02aa\n"; !strings.Contains(b.String(), want) {
		t.Errorf("%q without %q", b.String(), want)
	}
}
