package expression

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func TestCompile_HonestExpressionsPass(t *testing.T) {
	var words []string
	for i := range 100 {
		words = append(words, fmt.Sprintf("failure-%05d", i*7919))
	}
	for _, s := range []string{
		"^FATAL ", `customer=(\w+)`, `\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`, `(?i)(` + strings.Join(words, "|") + ")",
		`"status":\s*(?P<status>5\d\d)`, `[A-Za-z0-9+/]{40}`, `\d{1,3}(\.\d{1,3}){3}`, `.{1,500}=`,
	} {
		e, err := Compile(s)
		if err != nil {
			t.Errorf("%.40s: %v", s, err)
		} else if e.Most() < 1<<10 {
			t.Errorf("%.40s: only %d bytes are searched", s, e.Most())
		}
	}
}

// TestCompile_LargeProgramsAreRefusedBeforeTheyAreMade compiles nothing that would
// take gigabytes.
func TestCompile_LargeProgramsAreRefusedBeforeTheyAreMade(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, s := range []string{
		strings.Repeat("(x|y){900}", 7), `((a{31}){31}b)+((a{31}){31}b)+a{99}`, `(?:.{900}|.{899}|.{898})x`, strings.Repeat(`\pL{1000}`, 400), strings.Repeat("x", MaxText+1),
		strings.Repeat("(a{1000}b{1000}|", 100) + strings.Repeat(")", 100), `(.{0,999}){2}`,
	} {
		e, err := Compile(s)
		if err == nil {
			t.Errorf("%.40s is taken: a program of %d", s, e.program)
		} else if !strings.Contains(err.Error(), "allowed are") && !strings.Contains(err.Error(), "RE2") {
			t.Errorf("%.40s: %v", s, err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 200<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}

// TestRegexp_SearchesWhatItMayAlone has a match behind the bytes that are searched.
func TestRegexp_SearchesWhatItMayAlone(t *testing.T) {
	e, err := Compile(`(?:ab?){300}|needle`)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", e.Most()-6)
	if !e.Match([]byte(text + "needle")) {
		t.Error("the last bytes are not searched")
	}
	if e.Match([]byte(text + "xneedle")) {
		t.Error("more is searched")
	}
	if e.Work(1<<30) != e.program*e.Most() {
		t.Error("the work is not bounded")
	}
}
