package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/logfast/logfast/bench/lines"
)

// causes runs the command over a text and returns what it prints.
func causes(t testing.TB, json bool, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := (&causeCommand{File: "-", JSON: json}).Run(strings.NewReader(text), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestCause_Printing wants nothing of a log to reach a terminal as it is.
func TestCause_Printing(t *testing.T) {
	text := "Traceback (most recent call last):\n  File \"/app/a\u202eb.py\", line 1, in f\nValueError: \u009b2J\u202etext\r\x1b[2J\n  more\n"
	for _, json := range []bool{false, true} {
		got := causes(t, json, text)
		if strings.ContainsAny(got, "\x1b\u009b\u202e\r") || !strings.Contains(got, "ValueError") || !strings.Contains(got, `\u202e`) {
			t.Errorf("%q", got)
		}
	}
}

// TestCause_LongLines has lines that are longer than what is read at once, and than what is
// looked at.
func TestCause_LongLines(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	got := causes(t, false, long+"\nValueError: x\n"+"java.lang.IllegalStateException: "+long+"\n\tat com.example.A.b(A.java:1)\n")
	if !strings.HasPrefix(got, "java  java.lang.IllegalStateException: xxx") || !strings.HasSuffix(got, "  in com.example.A.b\n  line 3\n\n4 lines, causes: 1\n") || len(got) > 2000 {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
}

// BenchmarkCause reads access log lines without a cause.
func BenchmarkCause(b *testing.B) {
	text := string(lines.Text(1, 40000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		causes(b, false, text)
	}
}
