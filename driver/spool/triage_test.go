package spool

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
)

// testTriage finds what the classic filter finds. Package triage, which the
// product uses, imports this package.
type testTriage struct{}

func (testTriage) Errors(*Stream) func(record.Stream, []byte, bool) bool {
	var joiners [2]detect.Joiner
	return func(stream record.Stream, text []byte, more bool) bool {
		line, complete := joiners[stream].Add(text, more)
		if !complete {
			return false
		}
		_, found := detect.Classic{}.Detect(line)
		return found
	}
}

func (testTriage) Observe(m *Meta) Observer {
	format, _ := record.ParseFormat(m.Stream.Format)
	return testObserver{incident.NewScanner(incident.ScanConfig{Format: format, Detect: detect.Classic{}, App: m.Stream.App, Time: m.First})}
}

func (testTriage) Needed(spool *os.Root) func(string) bool {
	root, err := spool.OpenRoot(incident.StateDir)
	if err != nil {
		return func(string) bool { return false }
	}
	dir := incident.NewDir(root)
	defer dir.Close()
	unbuilt, _ := dir.Unbuilt()
	return func(event string) bool { return unbuilt[event] }
}

type testObserver struct{ *incident.Scanner }

func (o testObserver) Findings() (Value, error) {
	f := o.Scanner.Findings()
	if f.Errors == 0 && f.Lost == 0 {
		return "", nil
	}
	b, err := json.Marshal(f)
	return Value(b), err
}

// TestValue_KeepsWhatOthersWrote: a value in a description is read whatever its
// spaces are, and written again without them.
func TestValue_KeepsWhatOthersWrote(t *testing.T) {
	var m Meta
	if err := json.NewDecoder(strings.NewReader("{\"findings\": {\n \"errors\": 1,\n \"x\": \"a b\"}, \"stream\": {\"detect\": { \"mode\":\"off\" }}}")).Decode(&m); err != nil {
		t.Fatal(err)
	}
	if want := Value(`{"errors":1,"x":"a b"}`); m.Findings != want {
		t.Errorf("findings are %s, not %s", m.Findings, want)
	}
	if want := Value(`{"mode":"off"}`); m.Stream.Detect != want {
		t.Errorf("options of detection are %s, not %s", m.Stream.Detect, want)
	}
	var none Meta
	if json.Unmarshal([]byte(`{"findings": null}`), &none) != nil || none.Findings != "" {
		t.Errorf("null is read as %q", none.Findings)
	}
	b, err := json.Marshal(m)
	if err != nil || !strings.Contains(string(b), `"findings":{"errors":1,"x":"a b"}`) {
		t.Errorf("written as %s, %v", b, err)
	}
	if b, err := json.Marshal(Meta{}); err != nil || strings.Contains(string(b), "findings") || strings.Contains(string(b), "detect") {
		t.Errorf("no value is written as %s, %v", b, err)
	}
}

// TestASpoolWithoutTriage counts no errors and packs all the same.
func TestASpoolWithoutTriage(t *testing.T) {
	var blind noTriage
	if blind.Errors(&Stream{})(0, []byte(`"GET / HTTP/1.1" 500 1`), false) || blind.Needed(nil) != nil {
		t.Error("it finds an error or needs a segment")
	}
	o := blind.Observe(&Meta{})
	if _, err := io.WriteString(o, "x"); err != nil {
		t.Error(err)
	}
	if f, err := o.Findings(); f != "" || err != nil {
		t.Errorf("%q, %v", f, err)
	}
}
