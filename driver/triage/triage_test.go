package triage

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
)

const refused = `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /pay HTTP/1.1" 502 157`

// TestErrors_OfAContainersOptions: a container's own options count, and those
// that cannot be read leave the plugin's.
func TestErrors_OfAContainersOptions(t *testing.T) {
	x := New(detect.Classic{}, nil)
	for options, want := range map[spool.Value]bool{
		"":                                   true,
		Options(detect.Options{}):            true,
		Options(detect.Options{Mode: "off"}): false,
		`{"mode":"of a later version"}`:      true,
		`[1]`:                                true,
	} {
		if got := x.Errors(&spool.Stream{Detect: options})(0, []byte(refused), false); got != want {
			t.Errorf("options %s: found is %v", options, got)
		}
	}
}

// TestErrors_OfALineInPieces wants each of the two streams joined on its own.
func TestErrors_OfALineInPieces(t *testing.T) {
	isError := New(detect.Classic{}, nil).Errors(&spool.Stream{})
	first, rest := refused[:40], refused[40:]
	if isError(0, []byte(first), true) || isError(1, []byte("other"), false) {
		t.Error("a line that is not complete is an error")
	}
	if !isError(0, []byte(rest), false) {
		t.Error("the line in two pieces is none")
	}
}

// TestFindings_AreReadAgain: what an observer returned is what an incident gets.
func TestFindings_AreReadAgain(t *testing.T) {
	m := &spool.Meta{Stream: spool.Stream{Format: "raw", App: "shop"}}
	for text, errors := range map[string]int64{refused + "\n": 1, "all is well\n": 0} {
		o := New(detect.Classic{}, nil).Observe(m)
		if _, err := io.WriteString(o, text); err != nil {
			t.Fatal(err)
		}
		var err error
		if m.Findings, err = o.Findings(); err != nil {
			t.Fatal(err)
		}
		f, err := Findings(m)
		if err != nil {
			t.Fatal(err)
		}
		if (f != nil) != (errors > 0) || f != nil && f.Errors != errors {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

// TestNeeded_IsNilWithoutOpenIncidents: then no segment's description is read to
// make room.
func TestNeeded_IsNilWithoutOpenIncidents(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	x := New(detect.Classic{}, nil)
	if x.Needed(root) != nil {
		t.Error("needed without a directory of incidents")
	}
	if err := root.Mkdir(incident.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if x.Needed(root) != nil {
		t.Error("needed without an incident")
	}
	const id = "20261123T190301.123456Z-1a2b3c4d"
	if err := os.WriteFile(filepath.Join(dir, incident.StateDir, id+".open"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	needed := x.Needed(root)
	if needed == nil || !needed(id) || needed("another") {
		t.Error("an open incident's segments are not needed, or another's are")
	}
}

// TestFindings_Hostile: findings that another program wrote are not used.
func TestFindings_Hostile(t *testing.T) {
	good := incident.Findings{Errors: 1, Lost: math.MaxInt64, Fingerprints: []incident.Fingerprint{{ID: "00c1a5e0b7d4f311", Errors: 1}}}
	encode := func(change func(*incident.Findings)) spool.Value {
		f := good
		f.Fingerprints = []incident.Fingerprint{good.Fingerprints[0]}
		change(&f)
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return spool.Value(b)
	}
	if f, err := Findings(&spool.Meta{Findings: encode(func(*incident.Findings) {})}); err != nil || f.Errors != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	for what, v := range map[string]spool.Value{
		"findings": encode(func(f *incident.Findings) { f.Errors = -1 }),
		"kind":     encode(func(f *incident.Findings) { f.Fingerprints[0].ID = "\x1b" }),
		"a list":   "[1]",
		"a type":   `{"errors":"` + spool.Value(strings.Repeat("x", 10)) + `"}`,
	} {
		if f, err := Findings(&spool.Meta{Findings: v}); err == nil || f != nil {
			t.Errorf("%s: %+v is taken", what, f)
		}
	}
}
