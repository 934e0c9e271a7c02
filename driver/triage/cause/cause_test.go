package cause

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/bench/lines"
)

// newScanner makes a scanner that does not catch panics.
func newScanner(found func(*Find)) *Scanner {
	s := NewScanner(Config{Found: found})
	s.panics = true
	return s
}

// scan returns the causes in a text.
func scan(text string) (all []Cause) {
	for _, f := range finds(text) {
		all = append(all, f.Cause())
	}
	return all
}

// finds returns what a scanner finds in a text.
func finds(text string) (all []Find) {
	s := newScanner(func(f *Find) { all = append(all, *f) })
	feed(s, []byte(text))
	return all
}

// markOf is the mark that feed gives a line.
func markOf(line int64) int64 { return 1000 - line }

func feed(s *Scanner, text []byte) {
	offset := int64(0)
	for i, line := range bytes.Split(text, []byte("\n")) {
		end := offset + int64(len(line)) + 1
		s.Add(Line{Text: line, Number: int64(i + 1), Offset: offset, End: end, Mark: markOf(int64(i + 1))})
		offset = end
	}
	s.Close()
}

// sample is a program's output and the causes that are in it. Stack traces are not
// compared.
type sample struct {
	Name string      `json:"name"`
	Text string      `json:"text"`
	Want []wantCause `json:"want"`
}

type wantCause struct {
	Language string `json:"language"`
	Type     string `json:"type"`
	Message  string `json:"message"`
	Frame    string `json:"frame"`
}

func (s *sample) got(text string) []wantCause {
	got := []wantCause{}
	for _, c := range scan(text) {
		got = append(got, wantCause{c.Language, c.Type, c.Message, c.Frame})
	}
	return got
}

// fields are the files of samples: those of the field, those of programs that were run for
// this test, and those that were written down after documentation.
var fields = []string{"testdata/failures-dev.jsonl", "testdata/programs.jsonl", "testdata/failures.jsonl"}

func samples(t testing.TB, path string) (all []sample) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, s)
	}
	if len(all) < 50 {
		t.Fatalf("%s: only %d samples", path, len(all))
	}
	return all
}

// TestScanner_Field holds all fields of the causes in outputs of many programs.
func TestScanner_Field(t *testing.T) {
	for _, path := range fields {
		for _, s := range samples(t, path) {
			if diff := cmp.Diff(s.Want, s.got(s.Text)); diff != "" {
				t.Errorf("%s: %s\n%s\n-want +got\n%s", path, s.Name, s.Text, diff)
			}
		}
	}
}

// TestScanner_Wrapped finds the same behind what collectors put before each line.
func TestScanner_Wrapped(t *testing.T) {
	for name, wrap := range map[string]func(string) string{
		"compose": func(l string) string { return "web-1  | " + l },
		"kubelet": func(l string) string { return "2026-03-01T10:02:11.123456789Z stderr F " + l },
		"CRLF":    func(l string) string { return l + "\r" },
		"colour":  func(l string) string { return "\x1b[31m" + l + "\x1b[0m" },
		"json-file": func(l string) string {
			text, _ := json.Marshal(l + "\n")
			return `{"log":` + string(text) + `,"stream":"stderr","time":"2026-03-01T10:02:11.1Z"}`
		},
	} {
		for _, path := range fields {
			for _, s := range samples(t, path) {
				if strings.Contains(s.Text, " | ") || strings.Contains(s.Text, "\x1b") || strings.Contains(s.Text, `{"log"`) {
					continue // wrapped already
				}
				var text []string
				for _, line := range strings.Split(s.Text, "\n") {
					text = append(text, wrap(line))
				}
				if diff := cmp.Diff(s.Want, s.got(strings.Join(text, "\n"))); diff != "" {
					t.Errorf("%s: %s: %s\n-want +got\n%s", name, path, s.Name, diff)
				}
			}
		}
	}
}

// TestScanner_Places holds where causes begin and end, also if other lines are between.
func TestScanner_Places(t *testing.T) {
	text := "first\nTraceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\n2026-01-01 10:00:00 INFO between\n    g()\nValueError: x\nnext\n" +
		"2026-01-01 10:00:00 INFO\n[error] 12\n"
	all := finds(text)
	if len(all) != 1 {
		t.Fatalf("%d causes: %+v", len(all), all)
	}
	f := all[0]
	quoted := text[f.Offset:f.End]
	if f.Line != 2 || !strings.HasPrefix(quoted, "Traceback") || !strings.HasSuffix(quoted, "ValueError: x\n") {
		t.Errorf("line %d, %q", f.Line, quoted)
	}
	if c := f.Cause(); strings.Contains(c.Stacktrace, "between") || c.Message != "x" || c.Frame != "a.f" {
		t.Errorf("%+v", c)
	}
}

// TestFind_LastLine holds the numbers and the marks of first and last lines: foreign lines
// between them count, and those behind the last one do not.
func TestFind_LastLine(t *testing.T) {
	for _, test := range []struct {
		name, text  string
		first, last int64
	}{
		{"one line", "x\n2026-01-01 10:00:00 ERROR boom\nx\n", 2, 2},
		{"one line that waits for a trace", "2026-01-01 10:00:00 ERROR boom\nv\nw\ny\nz\n", 1, 1},
		{"JSON", `{"level":50,"err":{"type":"TypeError","message":"x"},"msg":"x"}` + "\n\n", 1, 1},
		{"foreign lines within and behind", "Traceback (most recent call last):\n2026-01-01 10:00:00 INFO x\n" +
			"  File \"/app/a.py\", line 1, in f\nValueError: x\n2026-01-01 10:00:00 INFO x\ny\n", 1, 4},
		{"lines that may belong", "java.lang.IllegalStateException: a\nb\nc\n\tat com.example.A.b(A.java:1)\nd\ne\n", 1, 4},
		{"lines before", "x\n/app/index.js:12\n    throw new Error(\"boom\");\n    ^\n\nError: boom\n" +
			"    at f (/app/index.js:12:11)\n\nNode.js v22.1.0\nx\n", 2, 9},
		{"a logger's line before", "x\n2026-01-01 10:00:00 ERROR NoMethodError: boom\n" +
			"    at f (/app/index.js:12:11)\nx\n", 2, 3},
		{"cut off", "Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\n", 1, 2},
	} {
		all := finds(test.text)
		if len(all) != 1 {
			t.Errorf("%s: %d causes: %+v", test.name, len(all), all)
			continue
		}
		f := all[0]
		if f.Line != test.first || f.Last != test.last || f.FirstMark != markOf(f.Line) || f.LastMark != markOf(f.Last) {
			t.Errorf("%s: lines %d to %d, want %d to %d, marks %d, %d", test.name, f.Line, f.Last, test.first, test.last,
				f.FirstMark, f.LastMark)
		}
	}
}

// TestFind_CauseIsRedacted also has secrets where the trace is cut.
func TestFind_CauseIsRedacted(t *testing.T) {
	var b strings.Builder
	b.WriteString("Traceback (most recent call last):\n")
	for i := range 4000 {
		fmt.Fprintf(&b, "  File \"/app/a.py\", line %d, in f\n    login(password=\"hunter%d\")\n", i, i)
	}
	b.WriteString("ValueError: password=hunter2 " + strings.Repeat("password=hunter3 ", 200) + "\n")
	all := scan(b.String())
	if len(all) != 1 {
		t.Fatalf("%d causes", len(all))
	}
	c := all[0]
	if strings.Contains(c.Message, "hunter") || strings.Contains(c.Stacktrace, "hunter") {
		t.Errorf("a secret is in %q\n%s", c.Message, c.Stacktrace)
	}
	if len(c.Message) > MaxMessage || len(c.Stacktrace) > MaxStacktrace || c.Type != "ValueError" || c.Frame != "a.f" ||
		!strings.HasPrefix(c.Stacktrace, "Traceback") || !strings.Contains(c.Stacktrace, "\n…\n") {
		t.Errorf("%d, %d bytes: %q %q\n%s", len(c.Message), len(c.Stacktrace), c.Type, c.Frame, c.Stacktrace)
	}
}

// cleanLines are the lines of the detector's corpora that report no server error.
func cleanLines(t testing.TB) (all []string) {
	t.Helper()
	for _, name := range []string{"dev", "field", "heldout", "lines"} {
		f, err := os.Open("../detect/testdata/" + name + ".tsv")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			if parts := strings.SplitN(in.Text(), "\t", 3); len(parts) == 3 && parts[0] == "0" {
				all = append(all, parts[2])
			}
		}
	}
	if len(all) < 1000 {
		t.Fatalf("only %d lines", len(all))
	}
	return all
}

// failing is what lines have that report a failure, if not one of a server's answers: a
// logger's level, the type of an exception before a message, or a server that is gone.
var failing = regexp.MustCompile(`^E\d{4} |(?:^|[\s.=\[])(?:ERR|ERROR|CRITICAL)\b|\[(?:error|emerg)\]|level=error|\terror\t|` +
	`"level(?:_name)?":(?:"error"|"ERROR"|50)|"@l":"Error"|` +
	`(?:^\s*|Caused by: |Uncaught )[\w.$]*(?:Error|Exception)(?:\$\w+)?: |is DOWN, reason: |no server available`)

// TestScanner_CleanLines wants no cause in lines without a word of failure, and few in all
// that report no server error.
func TestScanner_CleanLines(t *testing.T) {
	n := 0
	all := cleanLines(t)
	for _, line := range all {
		for _, c := range scan(line) {
			if n++; !failing.MatchString(line) {
				t.Errorf("[%s] %q %q: %s", c.Language, c.Type, c.Message, line)
			}
		}
	}
	if n > len(all)/16 {
		t.Errorf("%d causes in %d lines", n, len(all))
	}
	for _, c := range scan(strings.Join([]string{string(lines.Text(1, 2000)), string(lines.Text(2, 2000))}, "\n")) {
		t.Errorf("in an access log: %+v", c)
	}
}

// TestScanner_LevelsThatAreNoFailure has lines that quote errors.
func TestScanner_LevelsThatAreNoFailure(t *testing.T) {
	for _, line := range []string{
		"2026-01-01 00:00:00 INFO worker: 0 errors, no exception was thrown", `{"level":"info","msg":"done","error":null,"errors":0}`,
		`{"level":"info","msg":"retried","error":"connection reset"}`, `{"level":"debug","err":{"message":"x","type":"Error"}}`,
		"DEBUG:root:ValueError: x", "INFO  c.a.X - java.lang.IllegalStateException: closed", "panic: false alarm mode enabled",
		`the log says "Traceback (most recent call last):" and stops`, "Killed two birds with one stone", "an Error: message is printed",
		"level=info msg=\"0 errors\" error=none", "I0102 10:00:00.1 1 a.go:1] panic: is a word", "Caused by bad luck", "goroutine 12 [running]:",
		"\tat com.example.Foo.bar(Foo.java:1)", "    at f (/app/a.js:1:2)", "info: Microsoft.Hosting.Lifetime[0]",
	} {
		for _, c := range scan(line) {
			t.Errorf("%q: %+v", line, c)
		}
	}
}

// TestScanner_SurvivesAPanic goes on behind a line at which a family panics.
func TestScanner_SurvivesAPanic(t *testing.T) {
	begin := native.begin
	defer func() { native.begin = begin }()
	native.begin = func(*candidate) bool { panic("a bug") }
	var all []Cause
	s := NewScanner(Config{Found: func(f *Find) { all = append(all, f.Cause()) }})
	feed(s, []byte("terminate called\nException in thread \"main\" java.lang.IllegalStateException: x\n"))
	if len(all) != 1 || all[0].Message != "x" {
		t.Errorf("%+v", all)
	}
}

// TestScanner_OpenBrace has an error whose properties never end: it is found, and what
// fails after it too.
func TestScanner_OpenBrace(t *testing.T) {
	python := "Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\nValueError: x\n"
	for name, between := range map[string]string{
		"nothing": "", "a property": "  code: 'X',\n", "lines": strings.Repeat("x\n", 100), "blank lines": strings.Repeat("\n", 100),
	} {
		var got []string
		for _, c := range scan("Error: bad {\n" + between + python) {
			got = append(got, c.Type)
		}
		if diff := cmp.Diff([]string{"ValueError"}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		got = nil
		for _, c := range scan("Error: bad\n    at f (/app/a.js:1:2) {\n" + between + python) {
			got = append(got, c.Type)
		}
		if diff := cmp.Diff([]string{"Error", "ValueError"}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
