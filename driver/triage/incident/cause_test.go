package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/detect"
)

// traceback is what Python prints for an exception in shop.pricing.
func traceback(typ string) (lines []printed) {
	for _, l := range []string{
		"Traceback (most recent call last):",
		`  File "/usr/lib/python3/dist-packages/django/core/handlers/base.py", line 181, in _get_response`,
		"    response = wrapped_callback(request, *callback_args, **callback_kwargs)",
		`  File "/srv/shop/pricing.py", line 18, in mean_price`,
		"    return total / len(items)",
		typ + ": password=hunter22 is wrong",
	} {
		lines = append(lines, printed{record.Stderr, l})
	}
	return lines
}

// at places lines in a text, as close together as a program prints them.
func at(start time.Time, lines ...printed) (text []byte) {
	w := record.NewWriter(record.CRI, "h", "shop", "id")
	for i, l := range lines {
		nano := start.Add(time.Duration(i) * time.Millisecond).UnixNano()
		text = w.Append(text, &record.Record{Time: nano, Stream: l.stream, Text: []byte(l.text)})
	}
	return text
}

func TestScanner_FindsTheCauseOfAnError(t *testing.T) {
	failed := printed{record.Stdout, `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /checkout HTTP/1.1" 500 145`}
	ok := printed{record.Stdout, `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET / HTTP/1.1" 200 145`}
	var between []printed
	for range causesNear + 1 {
		between = append(between, ok)
	}
	join := func(parts ...[]printed) (all []printed) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	one := func(p printed) []printed { return []printed{p} }
	for name, tt := range map[string]struct {
		text []byte
		want string
	}{
		"before it":         {at(t0, join(traceback("ValueError"), one(failed))...), "ValueError"},
		"behind it":         {at(t0, join(one(failed), traceback("ValueError"), one(ok))...), "ValueError"},
		"at the log's end":  {at(t0, join(one(failed), traceback("ValueError"))...), "ValueError"},
		"the nearer of two": {at(t0, join(traceback("KeyError"), one(ok), one(ok), one(failed), traceback("ValueError"))...), "ValueError"},
		"too far before it": {at(t0, join(traceback("ValueError"), between, one(failed))...), ""},
		"too long before it": {
			append(at(t0, join(traceback("ValueError"), one(ok))...), at(t0.Add(time.Minute), failed)...), "",
		},
		"an error line says less": {
			at(t0, join(traceback("ValueError"), one(printed{record.Stderr, "ERROR django.request: it failed"}), one(failed))...),
			"ValueError",
		},
		"none": {at(t0, ok, failed), ""},
	} {
		for _, piece := range []int{7, 1 << 20} {
			f := scan(t, record.CRI, piece, tt.text, detect.Options{})
			if len(f.Samples) != 1 {
				t.Fatalf("%s: samples %+v", name, f.Samples)
			}
			s := f.Samples[0]
			if tt.want == "" {
				if s.Cause != nil && s.Cause.Type != "" || f.Fingerprints[0].Kinds != nil {
					t.Errorf("%s: cause %+v, kinds %v", name, s.Cause, f.Fingerprints[0].Kinds)
				}
				continue
			}
			if s.Cause == nil || s.Cause.Type != tt.want || s.Cause.Frame != "shop.pricing.mean_price" {
				t.Errorf("%s: cause %+v in %v, want the type %s", name, s.Cause, s.Cause.Frame, tt.want)
				continue
			}
			want := KindOf("shop", tt.want, "shop.pricing.mean_price")
			if d := cmp.Diff([]Kind{{want, 1}}, f.Fingerprints[0].Kinds); d != "" || s.Kind != want {
				t.Errorf("%s: the sample is of the kind %s, -want +got:\n%s", name, s.Kind, d)
			}
			for _, text := range []string{s.Cause.Message, s.Cause.Stacktrace} {
				if strings.Contains(text, "hunter22") || !strings.Contains(text, "[redacted]") {
					t.Errorf("%s: a secret in %q", name, text)
				}
			}
		}
	}
}

// TestScanner_ManyCauses has one traceback on many routes, and more of them than are kept.
func TestScanner_ManyCauses(t *testing.T) {
	var lines []printed
	for i := range 200 {
		lines = append(lines, traceback("ValueError")...)
		lines = append(lines, printed{record.Stdout, `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /r` +
			strings.Repeat("x", i) + ` HTTP/1.1" 500 145`})
	}
	f := scan(t, record.CRI, 1<<20, at(t0, lines...), detect.Options{})
	kinds := map[string]bool{}
	for _, p := range f.Fingerprints[:kept] {
		kinds[p.ByKind()[0].ID] = true
	}
	if len(kinds) != 1 {
		t.Errorf("kinds %v, want one", kinds)
	}
	if f.Samples[len(f.Samples)-1].Cause == nil {
		t.Error("the last sample has no cause")
	}
}

// TestBuild_Cause makes an incident of a proxy's log and of the app's behind it.
func TestBuild_Cause(t *testing.T) {
	of := func(typ string) *cause.Cause {
		return &cause.Cause{Language: "python", Type: typ, Frame: "shop.pricing.mean_price"}
	}
	print := func(id, app, route string, status int, kind string, errors int64) Fingerprint {
		f := Fingerprint{ID: id, App: app, Route: route, Status: status, Errors: errors, First: t0, Last: t0}
		if kind != "" {
			f.Kinds = []Kind{{kind, errors}}
		}
		return f
	}
	kind := KindOf("shop", "ValueError", "shop.pricing.mean_price")
	e := Build(&Record{ID: "20261123T190301.000000Z-1a2b3c4d", First: t0, Last: t0, At: t0}, []Part{
		{Container: Container{ID: "aa", Name: "web", App: "web", Group: "g"}, Findings: &Findings{
			Errors: 9, First: t0, Last: t0,
			Fingerprints: []Fingerprint{
				print("0000000000000001", "web", "/checkout", 500, "", 7), print("0000000000000002", "web", "/other", 502, "", 2),
			},
			Samples: []Sample{{Time: t0, Fingerprint: "0000000000000001", Text: "the proxy's line"}},
		}},
		{Container: Container{ID: "bb", Name: "shop", App: "shop", Group: "g"}, Findings: &Findings{
			Errors: 3, First: t0, Last: t0,
			Fingerprints: []Fingerprint{
				print("0000000000000003", "shop", "/checkout", 500, kind, 2), print("0000000000000004", "shop", "/pay", 500, "", 1),
			},
			Samples: []Sample{
				{Time: t0.Add(1), Fingerprint: "0000000000000004", Text: "an error line", Cause: &cause.Cause{Message: "no type"}},
				{Time: t0.Add(2), Fingerprint: "0000000000000003", Text: "the app's line", Cause: of("ValueError"), Kind: kind},
			},
		}},
	})
	in := &e.Data
	if in.Cause == nil || in.Cause.Type != "ValueError" {
		t.Errorf("cause %+v", in.Cause)
	}
	if s := in.Shown(); s == nil || s.Text != "the app's line" {
		t.Errorf("shown is %+v", s)
	}
	got := map[string]string{}
	for i := range in.Fingerprints {
		f := &in.Fingerprints[i]
		got[f.App+f.Route] = f.ByKind()[0].ID
		c, of := in.CauseOf(f.ByKind()[0].ID)
		if has := c != nil; has != (f.Route == "/checkout") || has && of.App != "shop" {
			t.Errorf("%s%s has the cause %v of %+v", f.App, f.Route, c, of)
		}
	}
	for of, want := range map[string]string{
		"web/checkout": kind, "shop/checkout": kind, "web/other": "0000000000000002", "shop/pay": "0000000000000004",
	} {
		if got[of] != want {
			t.Errorf("%s is of the kind %s, want %s", of, got[of], want)
		}
	}
}

// TestScanner_KindsOfOneRoute has one exception, and then many of another on the route.
func TestScanner_KindsOfOneRoute(t *testing.T) {
	failed := printed{record.Stdout, `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /checkout HTTP/1.1" 500 145`}
	lines := append(traceback("ValueError"), failed)
	for range 49 {
		lines = append(append(lines, traceback("KeyError")...), failed)
	}
	f := scan(t, record.CRI, 1<<20, at(t0, lines...), detect.Options{})
	const frame = "shop.pricing.mean_price"
	want := []Kind{{KindOf("shop", "KeyError", frame), 49}, {KindOf("shop", "ValueError", frame), 1}}
	if d := cmp.Diff(want, f.Fingerprints[0].Kinds); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// TestScanner_TimesOfCauses has errors of which other lines of the text are far away in
// time: it is the cause's own lines that count.
func TestScanner_TimesOfCauses(t *testing.T) {
	line := func(stream record.Stream, text string) printed { return printed{stream, text} }
	asJSON := line(record.Stderr, `{"level":"error","status":500,"method":"GET","path":"/pay","error":{"name":"CardError","message":"no","stack":"CardError: no\n    at pay (/app/pay.js:3:4)"}}`)
	failed := line(record.Stdout, `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /checkout HTTP/1.1" 500 145`)
	ok := line(record.Stdout, `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET / HTTP/1.1" 200 145`)
	var later []byte
	for i := range 6 {
		later = append(later, at(t0.Add(time.Duration(i+1)*10*time.Second), ok)...)
	}
	for name, text := range map[string][]byte{
		"a JSON line after a minute": append(at(t0, line(record.Stderr, "all is well")), at(t0.Add(time.Minute), asJSON)...),
		"lines after it":             append(at(t0, append(traceback("ValueError"), failed)...), later...),
	} {
		f := scan(t, record.CRI, 1<<20, text, detect.Options{})
		if len(f.Samples) != 1 || f.Samples[0].Cause == nil || f.Samples[0].Cause.Type == "" || len(f.Fingerprints[0].Kinds) != 1 {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestKindOf(t *testing.T) {
	known := map[string]string{}
	for _, tt := range []struct {
		app, print string
		f          cause.Find
		none       bool
	}{
		{"a", "p", cause.Find{Type: "T", Frame: "f"}, false},
		{"b", "p", cause.Find{Type: "T", Frame: "f"}, false},
		{"a", "p", cause.Find{Type: "U", Frame: "f"}, false},
		{"a", "p", cause.Find{Type: "T", Frame: "g"}, false},
		{"a", "p", cause.Find{Type: "T"}, false}, // without a frame, a route
		{"a", "q", cause.Find{Type: "T"}, false},
		{"a", "p", cause.Find{Frame: "f"}, true},
		{"a", "p", cause.Find{Type: "Error"}, true}, // says too little
		{"a", "p", cause.Find{Type: "panic"}, true},
		{"a", "p", cause.Find{Language: "nginx", Type: "connect() failed"}, true}, // a proxy's report
	} {
		k := kindOf(tt.app, tt.print, &tt.f)
		if tt.none != (k == "") || k != "" && (!fingerprintPattern.MatchString(k) || known[k] != "") {
			t.Errorf("%+v is of the kind %q, as %s", tt, k, known[k])
		}
		known[k] = fmt.Sprintf("%+v", tt)
	}
	f := cause.Find{Type: "T", Frame: "f"}
	if kindOf("a", "p", &f) != kindOf("a", "q", &f) {
		t.Error("one failure on two routes is of two kinds")
	}
}

func TestFingerprint_ByKind(t *testing.T) {
	for name, tt := range map[string]struct{ kinds, want []Kind }{
		"none":          {nil, []Kind{{"p", 9}}},
		"all":           {[]Kind{{"a", 6}, {"b", 3}}, []Kind{{"a", 6}, {"b", 3}}},
		"some":          {[]Kind{{"a", 2}, {"b", 1}}, []Kind{{"a", 8}, {"b", 1}}},
		"more than all": {[]Kind{{"a", 20}}, []Kind{{"a", 20}}},
	} {
		f := Fingerprint{ID: "p", Errors: 9, Kinds: tt.kinds}
		before := slices.Clone(tt.kinds)
		if d := cmp.Diff(tt.want, f.ByKind()); d != "" || !slices.Equal(f.Kinds, before) {
			t.Errorf("%s: %v left, -want +got:\n%s", name, f.Kinds, d)
		}
	}
}
