package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// decodable is an event with one of everything.
func decodable() *Event {
	at := time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	id := "20261123T190301.000000Z-1a2b3c4d"
	return &Event{SpecVersion: "1.0", ID: id, Source: "/logfast/web-1", Type: TypeShipped, Subject: "shop", Time: at, DataContentType: "application/json", Data: Incident{
		ID: id, Host: "web-1", Scope: "container", First: at, Last: at, Closed: ClosedQuiet, Errors: 1, ByStatus: map[string]int64{"502": 1}, Lines: 9, Bytes: 900,
		Containers:   []Container{{ID: strings.Repeat("1a2b", 16), Name: "web", App: "shop", Labels: map[string]string{"a": "b"}}},
		Fingerprints: []Fingerprint{{ID: "00c1a5e0b7d4f311", App: "shop", Method: "GET", Route: "/x/{n}", Status: 502, Errors: 1, First: at, Last: at}},
		Samples:      []Sample{{Time: at, Container: "web", Stream: "stdout", Status: 502, Rule: "request", Fingerprint: "00c1a5e0b7d4f311", Text: "GET / 502", Key: "logs/a.log.gz", Line: 9}},
		Objects:      []Object{{Key: "logs/a.log.gz", Container: "web", Reason: "error", First: at, Last: at, Lines: 9, Errors: 1, Bytes: 900, Size: 300}},
	}}
}

func TestDecode_WhatLogfastMakes(t *testing.T) {
	data, err := json.Marshal(decodable())
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte(`"host"`), []byte(`"new":{"x":[1,2,{"y":null}]},"host"`), 1)
	if e, err := Decode(data); err != nil || e.Data.Samples[0].Line != 9 {
		t.Error(err)
	}
	for _, change := range []func(*Event){
		func(e *Event) { e.Type, e.ID = TypeOpened, EarlyID(e.ID) },
		func(e *Event) { e.Type = TypeOpened },                                       // as a former version wrote it
		func(e *Event) { e.Data.Lost, e.Data.Errors = math.MaxInt64, math.MaxInt64 }, // forged marks in a text
		func(e *Event) { e.Data.Samples[0].Key, e.Data.Samples[0].Line = "", 0 },
		func(e *Event) { e.Data.Samples[0].Line = 10 }, // a raw text without a newline at its end
		func(e *Event) { e.Data.First, e.Data.Objects[0].First = time.Time{}, time.Time{} },
		func(e *Event) { e.Data.Objects, e.Data.Samples = nil, nil },
		func(e *Event) { e.Data.Host = "\x1b\u202e\x00" }, // whoever prints it escapes it
	} {
		e := decodable()
		change(e)
		if data, err = json.Marshal(e); err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(data); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestDecode_Hostile(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	for want, change := range map[string]func(*Event){
		"samples[0].line is 9223372036854775802": func(e *Event) { e.Data.Samples[0].Line = 9223372036854775802 },
		"samples[0].line is 11":                  func(e *Event) { e.Data.Samples[0].Line = 11 },
		"samples[0].line is 0":                   func(e *Event) { e.Data.Samples[0].Line = 0 },
		"samples[0].line is -1":                  func(e *Event) { e.Data.Samples[0].Line = -1 },
		"samples[0].line is 1125899906842625: ":  func(e *Event) { e.Data.Samples[0].Line, e.Data.Objects = 1<<50+1, nil },
		"objects[0].lines is 922337":             func(e *Event) { e.Data.Objects[0].Lines = math.MaxInt64 },
		"objects[0].size is -5":                  func(e *Event) { e.Data.Objects[0].Size = -5 },
		"data.errors is -1":                      func(e *Event) { e.Data.Errors = -1 },
		"data.lost_lines is -2":                  func(e *Event) { e.Data.Lost = -2 },
		"data.by_status.502 is -1":               func(e *Event) { e.Data.ByStatus["502"] = -1 },
		`the status "x"`:                         func(e *Event) { e.Data.ByStatus["x"] = 1 },
		"data.missing_objects":                   func(e *Event) { e.Data.Missing = -1 },
		"fingerprints[0].errors":                 func(e *Event) { e.Data.Fingerprints[0].Errors = math.MinInt64 },
		"fingerprints[0].id":                     func(e *Event) { e.Data.Fingerprints[0].ID = "\x1b[2J" },
		"fingerprints[0].status":                 func(e *Event) { e.Data.Fingerprints[0].Status = -1 },
		"fingerprints[0].route has":              func(e *Event) { e.Data.Fingerprints[0].Route = long },
		"samples[0].text has":                    func(e *Event) { e.Data.Samples[0].Text = long },
		"data.host has":                          func(e *Event) { e.Data.Host = long },
		"containers[0].id":                       func(e *Event) { e.Data.Containers[0].ID = "../.." },
		"containers[0].labels has":               func(e *Event) { e.Data.Containers[0].Labels["a"] = long },
		"objects[0].key":                         func(e *Event) { e.Data.Objects[0].Key = "../../secrets" },
		"samples[0].key":                         func(e *Event) { e.Data.Samples[0].Key = "a/../../b" },
		"data.first is 9999":                     func(e *Event) { e.Data.First = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
		"samples[0].time is 0001":                func(e *Event) { e.Data.Samples[0].Time = time.Time{}.Add(time.Hour) },
		"its id is":                              func(e *Event) { e.ID, e.Data.ID = "x", "x" },
		`its id is "20269923`: func(e *Event) {
			e.ID, e.Data.ID = "20269923T190301.000000Z-1a2b3c4d", "20269923T190301.000000Z-1a2b3c4d"
		},
		"two ids":     func(e *Event) { e.ID = "20261123T190301.000000Z-ffffffff" },
		"its type is": func(e *Event) { e.Type = "com.example" },
	} {
		e := decodable()
		change(e)
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var invalid *InvalidError
		if _, err := Decode(data); !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, data := range []string{
		"", "null", "[]", "{", `{"data":{"lines":9223372036854775808}}`, `{"data":{"lines":-1e300}}`, `{"data":{"samples":[` + strings.Repeat("0,", 4<<20-100) + "0]}}",
		`{"data":{"samples":[` + strings.Repeat("{},", 2<<20) + "{}]}}", strings.Repeat("[", 4<<20), strings.Repeat(`{"a":`, 1<<20),
		`{"data":{"by_status":{` + strings.Repeat(`"a":1,`, 1<<20) + `"b":1}}}`, strings.Repeat(" ", MaxEvent+1),
		`{"time":"10000-01-01T00:00:00Z"}`, `{"data":{"first":"2026-13-01T00:00:00Z"}}`,
	} {
		var invalid *InvalidError
		if _, err := Decode([]byte(data)); !errors.As(err, &invalid) {
			t.Errorf("%.40q: %v", data, err)
		}
	}
}

// FuzzDecode: what is decoded keeps every bound, and is decoded again when it is
// encoded.
func FuzzDecode(f *testing.F) {
	data, err := json.Marshal(decodable())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	if schema, err := os.ReadFile(schemaFile); err == nil {
		f.Add(schema)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			return
		}
		for _, s := range e.Data.Samples {
			if s.Line < 0 || s.Line > maxCount || s.Key != "" && s.Line == 0 {
				t.Fatalf("line %d", s.Line)
			}
		}
		if again, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		} else if _, err := Decode(again); err != nil && len(again) <= MaxEvent && utf8.Valid(data) {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
