package detect

import (
	"encoding/json"
	"strings"
	"testing"
)

const line503 = `"GET /api/v1/x?a=/healthz HTTP/1.1" 503 12`

func TestNewReturnsThePlainDetectorWhereNothingElseIsSet(t *testing.T) {
	for mode, want := range map[Mode]Detector{"": Auto{}, ModeAuto: Auto{}, ModeClassic: Classic{}, ModeOff: Off{}} {
		for _, set := range []Statuses{{}, AllStatuses} {
			if d, err := New(Options{Mode: mode, Status: set}); err != nil || d != want {
				t.Errorf("mode %q: %T, %v", mode, d, err)
			}
		}
	}
	if _, err := New(Options{Mode: "smart"}); err == nil {
		t.Error("an unknown mode made a detector")
	}
}

func TestOptionsSayWhatCounts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		o      Options
		line   string
		status int // -1: not found
		rule   string
	}{
		{"a status that counts", Options{Status: statuses(t, "502-504")}, line503, 503, "request"},
		{"a status that does not", Options{Status: statuses(t, "500,502")}, line503, -1, ""},
		{"the classic filter, a status that does not", Options{Mode: ModeClassic, Status: statuses(t, "500")}, line503, -1, ""},
		{"a path", Options{ExcludePath: "/healthz,/api/*"}, line503, -1, ""},
		{"a glob is of a whole path", Options{ExcludePath: "/api,/x,*/v1"}, line503, 503, "request"},
		{"the query is no part of the path", Options{ExcludePath: "*healthz*"}, line503, 503, "request"},
		{"stars match in order", Options{ExcludePath: "/a*v1*x"}, line503, -1, ""},
		{"stars do not match twice", Options{ExcludePath: "/api/v1/x*x"}, line503, 503, "request"},
		{"a path's expression", Options{ExcludePath: "~^/api/v[0-9]/"}, line503, -1, ""},
		{"an expression that does not match", Options{ExcludePath: "~^/v[0-9]/"}, line503, 503, "request"},
		{"no path, nothing to exclude", Options{ExcludePath: "*"}, "Completed 500 Internal Server Error in 1ms", 500, "completed"},
		{"a pattern", Options{Pattern: "^FATAL"}, "FATAL: out of memory", 0, "pattern"},
		{"a pattern beside the rules", Options{Pattern: "^FATAL"}, line503, 503, "request"},
		{"a pattern alone", Options{Mode: ModeOff, Pattern: "^FATAL"}, line503, -1, ""},
		{"a pattern with a status", Options{Pattern: `code (?P<status>\d+)`}, "code 504", 504, "pattern"},
		{"a pattern whose status is none", Options{Pattern: `code (?P<status>\d+)`}, "code 404", -1, ""},
		{"a pattern whose status does not count", Options{Pattern: `code (?P<status>\d+)`, Status: statuses(t, "500")}, "code 504", -1, ""},
		{"a pattern whose path is excluded", Options{Pattern: `^BAD (?P<path>\S+)`, ExcludePath: "/x"}, "BAD /x?y", -1, ""},
		{"a pattern takes what its rules left out", Options{Pattern: "HTTP/1.1. 503", Status: statuses(t, "500")}, line503, 0, "pattern"},
		{"no signals", Options{}, "Traceback (most recent call last):", -1, ""},
		{"Python", Options{Signals: SignalPython}, "Traceback (most recent call last):", 0, "python-traceback"},
		{"Python with a prefix", Options{Signals: SignalPython}, "2026-11-24 ERROR Traceback (most recent call last):", 0, "python-traceback"},
		{"Java", Options{Signals: SignalJava}, `Exception in thread "main" java.lang.Error`, 0, "java-exception"},
		{"Java's class", Options{Signals: SignalJava}, "java.lang.IllegalStateException: boom", 0, "java-exception"},
		{"Java's cause is not told twice", Options{Signals: SignalJava}, "Caused by: java.lang.IllegalStateException: boom", -1, ""},
		{"no Java", Options{Signals: SignalJava}, "SomeError: boom", -1, ""},
		{"Go", Options{Signals: SignalGo}, "panic: boom", 0, "go-panic"},
		{"Go's server", Options{Signals: SignalGo}, "2026/11/24 http: panic serving 10.0.0.1:5: boom", 0, "go-panic"},
		{"another's signal", Options{Signals: SignalPython | SignalJava}, "panic: boom", -1, ""},
	} {
		d, err := New(tt.o)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		m, found := d.Detect([]byte(tt.line))
		if found != (tt.status >= 0) || m.Status != max(tt.status, 0) || m.Rule != tt.rule {
			t.Errorf("%s: %v %d by %q, want %d by %q", tt.name, found, m.Status, m.Rule, tt.status, tt.rule)
		}
	}
}

func statuses(t *testing.T, s string) Statuses {
	t.Helper()
	set, err := ParseStatuses(s)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestStatuses(t *testing.T) {
	set := statuses(t, " 500, 502-504,599")
	for status := 0; status < 1000; status++ {
		want := status == 500 || status >= 502 && status <= 504 || status == 599
		if set.Has(status) != want {
			t.Errorf("%d: %v", status, !want)
		}
		if all := status >= 500 && status <= 599; AllStatuses.Has(status) != all || (Statuses{}).Has(status) != all {
			t.Errorf("%d among all: %v", status, !all)
		}
	}
	if statuses(t, "500-599") != AllStatuses {
		t.Error("500-599 are not all")
	}
}

func TestAWrongOptionIsNamedWithItsPlace(t *testing.T) {
	discard := func(f any) func(string) error {
		return func(s string) error {
			var err error
			switch f := f.(type) {
			case func(string) (string, error):
				_, err = f(s)
			case func(string) (Mode, error):
				_, err = f(s)
			case func(string) (Statuses, error):
				_, err = f(s)
			case func(string) (Signals, error):
				_, err = f(s)
			}
			return err
		}
	}
	mode, pattern, paths := discard(ParseMode), discard(ParsePattern), discard(ParseExclude)
	set, signals := discard(ParseStatuses), discard(ParseSignals)
	for _, tt := range []struct {
		parse func(string) error
		value string
		want  string // "": sound
	}{
		{mode, "auto", ""},
		{mode, "on", "auto, classic, off"},
		{pattern, "", ""},
		{pattern, `a\.b (?P<status>5..)`, ""},
		{pattern, "a(b", "at byte 2: missing closing )"},
		{pattern, "(a)(b[(])(c", "at byte 10: missing closing )"},
		{pattern, "ab)", "at byte 3: unexpected )"},
		{pattern, "x[z-a]", `at byte 3: invalid character class range "z-a"`},
		{pattern, "a**", "at byte 2: invalid nested repetition operator"},
		{pattern, `a\`, "at byte 2: trailing backslash"},
		{pattern, "(?=a)", "at byte 1: invalid or unsupported Perl syntax"},
		{pattern, "x(?P<stat>5..)", `at byte 5: group "stat"; allowed are (?P<status>…)`},
		{paths, "", ""},
		{paths, "/a, *b*,/c/*", ""},
		{paths, "/a,,/b", "a path begins with / or *"},
		{paths, "a", "/healthz,/static/*"},
		{paths, "~", "an empty expression"},
		{paths, "~a(", "at byte 2"},
		{set, "500-599", ""},
		{set, "404", "such as 500,502-504"},
		{set, "504-502", "such as 500,502-504"},
		{set, "500-600", "such as 500,502-504"},
		{set, "5xx", "such as 500,502-504"},
		{set, "", "such as 500,502-504"},
		{signals, "off", ""},
		{signals, "python, go", ""},
		{signals, "python,node,php,ruby,rust,dotnet,elixir,runtime", ""},
		{signals, "python,perl", "python, java, go, node"},
		{signals, "jvaa", `did you mean "java"?`},
	} {
		err := tt.parse(tt.value)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: %v\nwant … %s …", tt.value, err, tt.want)
		}
	}
}

// TestOptionsOutliveTheProcess: the registry of streams keeps them as JSON.
func TestOptionsOutliveTheProcess(t *testing.T) {
	for _, o := range []Options{{}, {
		Mode: ModeClassic, Status: statuses(t, "500,599"), Pattern: "^a", ExcludePath: "/b", Signals: SignalJava | SignalGo,
	}} {
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back Options
		if err := json.Unmarshal(data, &back); err != nil || back != o {
			t.Errorf("%+v became %+v through %s, %v", o, back, data, err)
		}
	}
}
