package cause

import (
	"strings"
	"testing"
)

// linearUnits are what opens a block, keeps it open, and closes it.
var linearUnits = []string{
	"Traceback (most recent call last):", "  File \"/app/a.py\", line 1, in f", "ValueError: x", "java.lang.FooException: x",
	"\tat com.a.B.c(B.java:1)", "Caused by: java.lang.FooException: y", "panic: x", "goroutine 1 [running]:", "main.f(0x1)",
	"Error: x", "    at f (/app/a.js:1:2) {", "PHP Fatal error:  Uncaught Error: x in /a.php:3", "Next x in", "#0 /a.php(3): f()",
	"/app/x.rb:3:in `foo': x (NoMethodError)", "NoMethodError (x):", "x", "", `{"level":"error","err":{"stack":"Error: x\n    at f (/a.js:1:2)"`,
	"2026-01-01 00:00:00 ERROR x: y", "** (RuntimeError) boom", " ---> System.FooException: y", "[object] (A(code: 1): x at /a.php:3)",
	"thread 'main' panicked at a.rs:1:2:",
}

// linearTexts calls f with repetitions of pairs of units, on one line and on several, and of
// a head before repetitions of one unit.
func linearTexts(f func(name string, text func(size int) string)) {
	for _, a := range linearUnits {
		for _, sep := range []string{"\n", " "} {
			for _, b := range linearUnits[:len(linearUnits)/3] {
				unit := a + sep + b + sep
				f(unit, func(size int) string { return strings.Repeat(unit, size/len(unit)) })
			}
		}
		for _, body := range []string{"\n", "x\n", " x\n", "Error\n", "    at f (/app/a.js:1:2)\n"} {
			for _, open := range []string{"", " {"} {
				name := a + open + "\n" + body
				f(name, func(size int) string { return a + open + "\n" + strings.Repeat(body, size/len(body)) })
			}
		}
	}
}

// countWork counts the bytes that families are offered while f runs, again and again if
// several look at a line.
func countWork(f func()) (n int) {
	saved := make([]family, len(families))
	for i, fam := range families {
		was := *fam
		saved[i] = was
		fam.begin = func(c *candidate) bool { n += len(c.line); return was.begin(c) }
		if was.follow != nil {
			fam.follow = func(b *block, line []byte) verdict { n += len(line); return was.follow(b, line) }
		}
		fam.parse = func(t *trace) (found, bool) {
			for _, line := range t.lines {
				n += len(line) + 1
			}
			return was.parse(t)
		}
	}
	defer func() {
		for i, fam := range families {
			*fam = saved[i]
		}
	}()
	f()
	return n
}

// TestScanner_WorkIsLinear counts the bytes that families are offered: of a text that is
// eight times as long they may be eight times as many.
func TestScanner_WorkIsLinear(t *testing.T) {
	const short, long = 2 << 10, 16 << 10
	linearTexts(func(name string, text func(int) string) {
		measure := func(size int) int {
			return countWork(func() { feed(newScanner(func(*Find) {}), []byte(text(size))) })
		}
		if s, l := measure(short), measure(long); l > 2*long/short*max(s, short) {
			t.Errorf("%q: %d bytes of %d, %d of %d", name, s, short, l, long)
		}
	})
}
