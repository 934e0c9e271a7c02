package daemonjson

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	for _, tt := range []struct{ name, before, after string }{
		{"no file", "", "{\n  \"log-driver\": \"logfast\"\n}\n"},
		{"an empty object", "{ }", "{\n  \"log-driver\": \"logfast\"\n}\n"},
		{"others are kept as they are", "{\n\t\"live-restore\": true,\n\t\"dns\": [\"192.0.2.1\",\n\t\t\"192.0.2.2\"]\n}\n", "{\n\t\"log-driver\": \"logfast\",\n\t\"live-restore\": true,\n\t\"dns\": [\"192.0.2.1\",\n\t\t\"192.0.2.2\"]\n}\n"},
		{"on one line", `{"live-restore":true}`, `{"log-driver": "logfast", "live-restore":true}`},
		{"another driver", "{\n  \"debug\": true,\n  \"log-driver\": \"syslog\"\n}\n", "{\n  \"debug\": true,\n  \"log-driver\": \"logfast\"\n}\n"},
		{
			"log-opts go, at the end", "{\n  \"log-driver\": \"json-file\",\n  \"log-opts\": {\"max-file\": \"3\"}\n}\n",
			"{\n  \"log-driver\": \"logfast\"\n}\n",
		},
		{
			"in the middle", "{\n  \"log-driver\": \"json-file\",\n  \"log-opts\": {\"max-file\": \"3\"},\n  \"debug\": true\n}\n",
			"{\n  \"log-driver\": \"logfast\",\n  \"debug\": true\n}\n",
		},
		{
			"at the start", "{\n  \"log-opts\": {\"max-file\": \"3\"},\n  \"debug\": true,\n  \"log-driver\": \"json-file\"\n}\n",
			"{\n  \"debug\": true,\n  \"log-driver\": \"logfast\"\n}\n",
		},
		{"alone", `{"log-opts": {"max-file": "3"}}`, "{\n  \"log-driver\": \"logfast\"\n}\n"},
		{"already", "{ \"log-driver\" : \"logfast\" }\n", "{ \"log-driver\" : \"logfast\" }\n"},
		{"a deeper one is another's", `{"x": {"log-driver": "a"}}`, `{"log-driver": "logfast", "x": {"log-driver": "a"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Merge([]byte(tt.before), "logfast")
			if err != nil || string(got) != tt.after {
				t.Fatalf("%v\n%s\nwant\n%s", err, got, tt.after)
			}
			again, err := Merge(got, "logfast")
			if err != nil || string(again) != string(got) {
				t.Fatalf("not the same a second time: %v\n%s", err, again)
			}
		})
	}
}

func TestRestore(t *testing.T) {
	for _, tt := range []struct{ name, now, before, after string }{
		{"as it was", "{\n  \"log-driver\": \"logfast\",\n  \"debug\": true\n}\n", "{\n  \"debug\": true\n}\n", "{\n  \"debug\": true\n}\n"},
		{
			"with what came since", `{"log-driver": "logfast", "debug": true}`, `{"log-driver": "json-file", "log-opts": {"max-file": "3"}}`,
			`{"log-opts": {"max-file": "3"}, "log-driver": "json-file", "debug": true}`,
		},
		{"there was no file", "{\n  \"log-driver\": \"logfast\"\n}\n", "", "{}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Restore([]byte(tt.now), []byte(tt.before))
			if err != nil || string(got) != tt.after {
				t.Fatalf("%v\n%s\nwant\n%s", err, got, tt.after)
			}
		})
	}
}

func TestDriver(t *testing.T) {
	driver, opts, err := Driver([]byte(`{"log-opts": {"b": "1", "a": "2"}, "log-driver": "x"}`))
	if err != nil || driver != "x" || !reflect.DeepEqual(opts, []string{"a", "b"}) {
		t.Fatal(driver, opts, err)
	}
	if _, _, err := Driver([]byte(`{"log-driver": 1}`)); err == nil || !strings.Contains(err.Error(), "log-driver") {
		t.Fatal(err)
	}
}

func TestWhatIsNoDaemonJSONIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                   "no JSON object",
		`{"a": 1,}`:            "correct its JSON",
		`{"a": }`:              "correct its JSON at a",
		`{"a": 1`:              "correct its JSON",
		`{} {}`:                "something follows",
		`{"a": 1, "a": 2}`:     `"a" is there twice`,
		"# comment\n{}":        "no JSON object",
		`{"log-driver": "a" "`: "correct its JSON",
	} {
		if got, err := Merge([]byte(text), "logfast"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %s", text, got, err, want)
		}
	}
}

// FuzzMerge: the result is JSON, with the members that were there and ours.
func FuzzMerge(f *testing.F) {
	f.Add(`{"log-opts": {}, "a": 1}`)
	f.Add(` { "log-driver" : "a" , "log-opts":{"b":"c"}, "d":[] } `)
	f.Add("")
	f.Add(`{"\u006cog-driver": "x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		merged, err := Merge([]byte(text), "logfast")
		if err != nil {
			return
		}
		want := map[string]any{}
		if strings.TrimSpace(text) != "" {
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
		}
		before := maps.Clone(want)
		want["log-driver"] = "logfast"
		delete(want, "log-opts")
		var got map[string]any
		if err := json.Unmarshal(merged, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q: %v", text, merged, err)
		}
		back, err := Restore(merged, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		if err := json.Unmarshal(back, &got); err != nil || !reflect.DeepEqual(got, before) {
			t.Fatalf("%q came back as %q: %v", text, back, err)
		}
	})
}
