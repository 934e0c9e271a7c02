package spool

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeysAreReadBack(t *testing.T) {
	first := time.Date(2026, 11, 23, 19, 3, 1, 123456789, time.UTC)
	full := &Meta{Reason: Error, Seq: 42, First: first, SHA256: strings.Repeat("ab", 32), Stream: Stream{
		ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "web 1", Host: "host.example", App: "the/app", Group: "shop",
		Labels: map[string]string{"com.example/team": "blue team", "empty": ""}, Env: map[string]string{"REGION": "../eu"},
	}}
	micro, second, day := first.Truncate(time.Microsecond), first.Truncate(time.Second), first.Truncate(24*time.Hour)
	for template, want := range map[string]Meta{
		DefaultKey:                         {First: micro, Seq: 42, Reason: Error, Stream: Stream{ID: "1a2b3c4d5e6f", Host: "host.example", App: "the_app"}},
		"{app}.log-{unix}.gz":              {First: second, Stream: Stream{App: "the_app"}},
		"{seq}":                            {Seq: 42},
		"x/{dt}/{seq}-{app}":               {First: day, Seq: 42, Stream: Stream{App: "the_app"}},
		"{group}/{name}/{time}.gz":         {First: micro, Stream: Stream{Group: "shop", Name: "web_1"}},
		"{host}-{app}-{time}-{seq}.log.gz": {First: micro, Seq: 42}, // which is which, nobody can tell
		"{label:com.example/team}/{env:REGION}/{seq}": {Seq: 42, Stream: Stream{Labels: map[string]string{"com.example/team": "blue_team"}, Env: map[string]string{"REGION": "_._eu"}}},
		"{label:empty}/{env:NONE}/{seq}":              {Seq: 42},
		"{label:empty}-{env:REGION}-{seq}":            {Seq: 42}, // which is which, nobody can tell
		"a.b/{host}/{app}-{name}/{time}.gz":           {First: micro, Stream: Stream{Host: "host.example"}},
	} {
		k, err := ParseKeyTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		r, key := k.Reader(), k.Render(full)
		want.Key = key
		if got, ok := r.Read(key); !ok {
			t.Errorf("%s: %s is not read", template, key)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s: -want +got\n%s", template, key, d)
		}
		for _, other := range []string{"", "README", key + "x/", "x" + key + "/y", "incidents/dt=2026-11-23/x.json"} {
			if got, ok := r.Read(other); ok {
				t.Errorf("%s: %q is read as %+v", template, other, got)
			}
		}
	}
}

func TestAKeyBesideAForeignOne(t *testing.T) {
	for template, key := range map[string]string{
		DefaultKey:            "logs/dt=2026-11-23/host=h/app=a/20261123T190301.123456Z-000042-1a2b3c4d5e6f-error-1a2b3c4d5e6f-000042-0123456789abcdef.log.gz",
		"{app}.log-{unix}.gz": "web-1a2b3c4d5e6f-000042-0123456789abcdef.log-1763924581.gz",
		"{app}.{unix}.log.gz": "web.1763924581-1a2b3c4d5e6f-000042-0123456789abcdef-12.log.gz",
	} {
		k, err := ParseKeyTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := k.Reader().Read(key); !ok || m.Key != key || m.First.IsZero() || strings.Contains(m.Stream.App, "0123") {
			t.Errorf("%s: %+v, %v", template, m, ok)
		}
	}
}

// TestKeyBeside: the keys of a segment go on without end, are all different, stay
// short, and are read as the template's.
func TestKeyBeside(t *testing.T) {
	for key, want := range map[string][]string{
		"logs/dt=2026-11-23/a.log.gz": {
			"logs/dt=2026-11-23/a-0123456789ab-000007-ffffffffffffffff.log.gz",
			"logs/dt=2026-11-23/a-0123456789ab-000007-ffffffffffffffff-2.log.gz",
			"logs/dt=2026-11-23/a-0123456789ab-000007-ffffffffffffffff-3.log.gz",
		},
		"checkout.log-1763924581.gz": {
			"checkout-0123456789ab-000007-ffffffffffffffff.log-1763924581.gz",
			"checkout-0123456789ab-000007-ffffffffffffffff-2.log-1763924581.gz",
		},
		"plain": {"plain-0123456789ab-000007-ffffffffffffffff", "plain-0123456789ab-000007-ffffffffffffffff-2"},
		// What a template has of the same shape is not a count.
		"a-0123456789ab-000007-ffffffffffffffff/b": {
			"a-0123456789ab-000007-ffffffffffffffff/b-0123456789ab-000007-ffffffffffffffff",
			"a-0123456789ab-000007-ffffffffffffffff/b-0123456789ab-000007-ffffffffffffffff-2",
		},
	} {
		m := &Meta{Key: key, Stream: Stream{ID: "0123456789abcdef"}, Seq: 7, SHA256: strings.Repeat("f", 64)}
		for _, next := range want {
			if m.Key = KeyBeside(m); m.Key != next {
				t.Errorf("beside %s: %s, want %s", key, m.Key, next)
			}
		}
	}
	m := &Meta{Key: "a-1-999.log", Stream: Stream{ID: strings.Repeat("f", 64)}, Seq: math.MaxInt, SHA256: strings.Repeat("f", 64)}
	seen := map[string]bool{m.Key: true}
	for range 2000 {
		m.Key = KeyBeside(m)
		if seen[m.Key] || len(m.Key) > len("a-1-999.log")+64 {
			t.Fatalf("%s again, or too long", m.Key)
		}
		seen[m.Key] = true
	}
}

func TestWroteMetadata(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 3, 1, 123456789, time.UTC)
	m := Meta{
		Reason: Error, Seq: 42, First: at, Last: at, Lines: 1, Bytes: 20, SHA256: strings.Repeat("ab", 32),
		Stream: Stream{ID: "1a2b3c4d5e6f", Name: "web", Host: "h", App: "a", Format: "raw"},
	}
	if !WroteMetadata(m.Metadata()) {
		t.Errorf("%v is not taken for logfast's", m.Metadata())
	}
	foreign := []map[string]string{nil, {}, {"sha256": strings.Repeat("ab", 32)}, {"mtime": "1763924581"}}
	for _, name := range []string{"first-time", "last-time", "lines", "bytes", "errors", "sha256", "reason", "format"} {
		for _, value := range []string{"", "x"} {
			if value != "" && (name == "reason" || name == "format") {
				continue // another version may have another reason
			}
			one := m.Metadata()
			one[name] = value
			foreign = append(foreign, one)
		}
	}
	for _, one := range foreign {
		if WroteMetadata(one) {
			t.Errorf("%v is taken for logfast's", one)
		}
	}
}

func TestPrefixesOfKeys(t *testing.T) {
	for _, tt := range []struct {
		template string
		known    map[string]string
		want     string
	}{
		{DefaultKey, nil, "logs/dt="},
		{DefaultKey, map[string]string{"dt": "2026-11-23"}, "logs/dt=2026-11-23/host="},
		{DefaultKey, map[string]string{"dt": "2026-11-23", "host": "h", "app": "a"}, "logs/dt=2026-11-23/host=h/app=a/"},
		{DefaultKey, map[string]string{"host": "h"}, "logs/dt="},
		{"{app}.log-{unix}.gz", map[string]string{"dt": "2026-11-23", "app": "web"}, "web.log-"},
		{"{seq}", nil, ""},
	} {
		k, err := ParseKeyTemplate(tt.template)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Reader().Prefix(tt.known); got != tt.want {
			t.Errorf("%s with %v: %q, want %q", tt.template, tt.known, got, tt.want)
		}
	}
}
