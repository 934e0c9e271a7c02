package segment

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeysAreReadBack(t *testing.T) {
	first := time.Date(2026, 11, 23, 19, 3, 1, 123456789, time.UTC)
	full := &Meta{Reason: Error, Seq: 42, First: first, SHA256: strings.Repeat("ab", 32), Stream: Stream{
		ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "web 1", Host: "host.example", App: "the/app", Group: "shop",
	}}
	micro, second, day := first.Truncate(time.Microsecond), first.Truncate(time.Second), first.Truncate(24*time.Hour)
	for template, want := range map[string]Meta{
		DefaultKey:                          {First: micro, Seq: 42, Reason: Error, Stream: Stream{ID: "1a2b3c4d5e6f", Host: "host.example", App: "the_app"}},
		"{app}.log-{unix}.gz":               {First: second, Stream: Stream{App: "the_app"}},
		"{seq}":                             {Seq: 42},
		"x/{dt}/{seq}-{app}":                {First: day, Seq: 42, Stream: Stream{App: "the_app"}},
		"{group}/{name}/{time}.gz":          {First: micro, Stream: Stream{Group: "shop", Name: "web_1"}},
		"{host}-{app}-{time}-{seq}.log.gz":  {First: micro, Seq: 42}, // which is which, nobody can tell
		"a.b/{host}/{app}-{name}/{time}.gz": {First: micro, Stream: Stream{Host: "host.example"}},
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
