package incident

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/detect"
)

// schemaFile is published: it stays where it is when this package moves.
const schemaFile = "../../../docs/schema/incident-v1.json"

// schema compiles the schema that is checked in; formats count.
func schema(t *testing.T) (compiled *jsonschema.Schema, raw map[string]any) {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	compiled, err = c.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return compiled, raw
}

func validate(t *testing.T, s *jsonschema.Schema, v any) error {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// produced is an incident of two containers, made of what they printed.
func produced(t *testing.T) (*Event, []Part) {
	t.Helper()
	part := func(name string, lines ...printed) Part {
		text := textOf(record.CRI, lines...)
		f := scan(t, record.CRI, 1000, text, detect.Options{Signals: detect.SignalPython})
		return Part{
			Container: Container{ID: strings.Repeat("ab", 32), Name: name, Image: "shop:7", App: "shop", Group: "g", Labels: map[string]string{"team": "red"}, Env: map[string]string{"STAGE": "prod"}},
			Object:    Object{Key: "logs/" + name + ".log.gz", Container: name, Reason: "error", First: t0, Last: t0, Lines: int64(len(lines)), Errors: f.Errors, Bytes: int64(len(text)), Size: 100, SHA256: strings.Repeat("0", 64)},
			Findings:  f,
		}
	}
	web := part("web", access("/orders/1", 502), access("/", 200), access("/orders/2", 502))
	api := part("api", printed{record.Stderr, "Traceback (most recent call last):"}, printed{record.Stderr, "  File x"}, printed{record.Stderr, "ValueError: \xff"}, access("/pay", 500))
	api.Container.ID = strings.Repeat("cd", 32)
	quiet := part("quiet", access("/", 200))
	quiet.Container, quiet.Findings = api.Container, &Findings{Lost: 20}
	web.Findings.Lost = 4
	gone := Part{Container: web.Container, Object: Object{Key: "logs/gone.log.gz", Container: "web", Reason: "size", First: t0, Last: t0, Lines: 1, Size: 10, SHA256: strings.Repeat("1", 64)}, GivenUp: true, LostLines: 50, LostErrors: 3}
	r := &Record{ID: NewID(t0), Host: "web 1", Scope: "group", Name: "group:g", First: t0, Last: t0.Add(time.Hour), Closed: ClosedQuiet, At: t0.Add(time.Minute)}
	parts := []Part{web, api, quiet, gone}
	return Build(r, parts), parts
}

func TestAnIncidentIsMadeOfItsParts(t *testing.T) {
	e, _ := produced(t)
	in := e.Data
	if in.Errors != 7 || in.ByStatus["502"] != 2 || in.ByStatus["500"] != 1 || in.ByStatus["0"] != 4 || in.Lines != 9 || in.Lost != 74 {
		t.Errorf("%+v", in)
	}
	if len(in.Containers) != 2 || len(in.Objects) != 4 || len(in.Fingerprints) != 3 || in.Fingerprints[0].Errors != 2 || len(in.Samples) != 4 {
		t.Errorf("%d containers, %d objects, %+v, %+v", len(in.Containers), len(in.Objects), in.Fingerprints, in.Samples)
	}
	for _, s := range in.Samples {
		if s.Key != "logs/"+s.Container+".log.gz" {
			t.Errorf("%s is in %q", s.Container, s.Key)
		}
	}
	if !in.First.Equal(t0) || !in.Last.Equal(t0.Add(3*time.Second)) {
		t.Errorf("from %v to %v", in.First, in.Last)
	}
	if e.Source != "/logfast/web_1" || e.Subject != "shop" || Key(e.ID, in.Host) != "incidents/dt=2026-11-23/host=web_1/"+e.ID+".json" {
		t.Errorf("%+v, %s", e, Key(e.ID, in.Host))
	}
}

// TestSamplesOfAGivenUpTextHaveNoPlace: the object has one line in their place.
func TestSamplesOfAGivenUpTextHaveNoPlace(t *testing.T) {
	_, parts := produced(t)
	parts[0].GivenUp, parts[0].LostLines, parts[0].LostErrors = true, 3, 2
	e := Build(&Record{ID: NewID(t0), Scope: "group"}, parts[:1])
	if in := e.Data; in.Errors != 2 || in.Samples[0].Key != "" || in.Samples[1].Line != 0 || in.Samples[1].Offset != 0 || in.Lost != 7 {
		t.Errorf("%+v", in)
	}
}

func TestAnIncidentHasAtMostTwentySamples(t *testing.T) {
	var parts []Part
	for i := range 30 {
		f := &Findings{Errors: 2, First: t0, Last: t0}
		for k := range 2 {
			at := t0.Add(time.Duration(2*i+k) * time.Second)
			f.Samples = append(f.Samples, Sample{Time: at, Fingerprint: FingerprintOf("shop", "", []byte{byte('a' + i%26)}, 500)})
			f.Fingerprints = []Fingerprint{{ID: f.Samples[0].Fingerprint, Errors: 2, First: at, Last: at}}
		}
		parts = append(parts, Part{Findings: f})
	}
	in := Build(&Record{ID: NewID(t0)}, parts).Data
	if len(in.Samples) != MaxSamples || !in.Samples[0].Time.Equal(t0) || !in.Samples[MaxSamples-1].Time.Equal(t0.Add(59*time.Second)) {
		t.Errorf("%d samples, the first %v, the last %v", len(in.Samples), in.Samples[0].Time, in.Samples[len(in.Samples)-1].Time)
	}
	kinds := map[string]bool{}
	for _, s := range in.Samples {
		kinds[s.Fingerprint] = true
	}
	if len(kinds) < MaxSamples-1 {
		t.Errorf("%d samples of %d kinds only", len(in.Samples), len(kinds))
	}
}

func TestTheSchemaTakesWhatIsProduced(t *testing.T) {
	s, _ := schema(t)
	e, _ := produced(t)
	if err := validate(t, s, e); err != nil {
		t.Errorf("%v", err)
	}
	opened := NewOpened(&Record{ID: NewID(t0), Host: "h", Scope: "container", First: t0}, e.Data.Containers[0],
		Line{Time: t0, Container: "web", App: "shop", Stream: "stdout", Status: 502, Rule: "access", Method: "GET", Path: []byte("/orders/17?token=x"), Text: []byte("password=x " + strings.Repeat("é", 4000))}, nil)
	if err := validate(t, s, opened); err != nil {
		t.Errorf("an early notice: %v", err)
	}
	if opened.ID != opened.Data.ID+"-opened" || e.ID != e.Data.ID {
		t.Errorf("the early notice of %s has the id %s, the incident %s", opened.Data.ID, opened.ID, e.ID)
	}
	if text := opened.Data.Samples[0].Text; strings.Contains(text, "=x") || len(text) > MaxSample || !opened.Data.Samples[0].Cut {
		t.Errorf("%d bytes: %.40s", len(text), text)
	}
	if f := opened.Data.Fingerprints; len(f) != 1 || f[0].Method+" "+f[0].Route != "GET /orders/{n}" || f[0].Errors != 1 || f[0].ID != opened.Data.Samples[0].Fingerprint {
		t.Errorf("an early notice does not say of what kind its error is: %+v", f)
	}
}

// TestTheSchemaRefuses holds the schema itself to account.
func TestTheSchemaRefuses(t *testing.T) {
	s, _ := schema(t)
	for name, spoil := range map[string]func(e *Event){
		"another type":          func(e *Event) { e.Type = "io.github.logfast.incident.v2" },
		"an open one":           func(e *Event) { e.Data.Closed = "" },
		"another reason":        func(e *Event) { e.Data.Closed = "because" },
		"an id of another form": func(e *Event) { e.ID = "1" },
		"the early notice's id": func(e *Event) { e.ID = EarlyID(e.ID) },
		"no objects":            func(e *Event) { e.Data.Objects = nil },
		"a long sample":         func(e *Event) { e.Data.Samples[0].Text = strings.Repeat("x", MaxSample+1) },
		"a status":              func(e *Event) { e.Data.ByStatus["404"] = 1 },
		"no sum":                func(e *Event) { e.Data.Objects[0].SHA256 = "" },
	} {
		e, _ := produced(t)
		spoil(e)
		if validate(t, s, e) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}

// TestTheSchemaHasEveryField: a field that is added to the code is added there,
// required where it is always there.
func TestSchema_IDDoesNotFollowTheCode(t *testing.T) {
	const id = "https://github.com/logfast/logfast/blob/main/docs/schema/incident-v1.json"
	_, raw := schema(t)
	if raw["$id"] != id {
		t.Errorf("$id is %v: receivers know it as %s", raw["$id"], id)
	}
	if want := id + "#/$defs/incident"; Schema != want {
		t.Errorf("dataschema is %s: receivers know it as %s", Schema, want)
	}
}

func TestTheSchemaHasEveryField(t *testing.T) {
	_, raw := schema(t)
	defs := raw["$defs"].(map[string]any)
	for name, s := range map[string]any{"": Event{}, "incident": Incident{}, "container": Container{}, "fingerprint": Fingerprint{}, "sample": Sample{}, "object": Object{}, "cause": cause.Cause{}, "kind": Kind{}} {
		def := raw
		if name != "" {
			def = defs[name].(map[string]any)
		}
		properties := def["properties"].(map[string]any)
		var fields, required []string
		for f := range reflect.TypeOf(s).Fields() {
			tag, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields = append(fields, tag)
			if option == "" {
				required = append(required, tag)
			}
			if _, known := properties[tag]; !known {
				t.Errorf("the schema, %q: no field %s", name, tag)
			}
		}
		for tag := range properties {
			if !slices.Contains(fields, tag) {
				t.Errorf("the schema, %q: the code has no field %s", name, tag)
			}
		}
		var says []string
		for _, r := range def["required"].([]any) {
			says = append(says, r.(string))
		}
		slices.Sort(says)
		slices.Sort(required)
		if !slices.Equal(says, required) {
			t.Errorf("the schema, %q: required are %v, and always there are %v", name, says, required)
		}
	}
}
