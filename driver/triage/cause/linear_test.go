package cause

import (
	"strings"
	"testing"
)

// TestScanner_WorkIsLinear counts the bytes that families are offered, again and again if
// several look at a line: of a text that is eight times as long they may be eight times as
// many. The units are what opens a block, keeps it open, and closes it, alone and in pairs,
// on one line and on several.
func TestScanner_WorkIsLinear(t *testing.T) {
	units := []string{
		"Traceback (most recent call last):", "  File \"/app/a.py\", line 1, in f", "ValueError: x", "java.lang.FooException: x",
		"\tat com.a.B.c(B.java:1)", "Caused by: java.lang.FooException: y", "panic: x", "goroutine 1 [running]:", "main.f(0x1)",
		"Error: x", "    at f (/app/a.js:1:2) {", "PHP Fatal error:  Uncaught Error: x in /a.php:3", "Next x in", "#0 /a.php(3): f()",
		"/app/x.rb:3:in `foo': x (NoMethodError)", "NoMethodError (x):", "x", "", `{"level":"error","err":{"stack":"Error: x\n    at f (/a.js:1:2)"`,
		"2026-01-01 00:00:00 ERROR x: y", "** (RuntimeError) boom", " ---> System.FooException: y", "[object] (A(code: 1): x at /a.php:3)",
		"thread 'main' panicked at a.rs:1:2:",
	}
	measure := func(unit string, size int) int {
		n := 0
		work = &n
		defer func() { work = nil }()
		feed(NewScanner(Config{Found: func(*Find) {}}), []byte(strings.Repeat(unit, size/len(unit))))
		return n
	}
	const short, long = 4 << 10, 32 << 10
	for _, a := range units {
		for _, sep := range []string{"\n", " "} {
			for _, b := range units[:len(units)/3] {
				unit := a + sep + b + sep
				if s, l := measure(unit, short), measure(unit, long); l > 2*long/short*max(s, short) {
					t.Errorf("%q: %d bytes of %d, %d of %d", unit, s, short, l, long)
				}
			}
		}
	}
}
