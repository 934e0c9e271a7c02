package detect

import (
	"regexp"
	"strings"
	"testing"
)

var classic = regexp.MustCompile(`(?s)HTTP\/.{3,20}[[:space:]]5([[:digit:]]{2})[[:space:]]`)

// oracle matches by bytes, as syslog-ng's PCRE does: each byte becomes a rune.
func oracle(line []byte) bool {
	runes := make([]rune, len(line))
	for i, b := range line {
		runes[i] = rune(b)
	}
	return classic.MatchString(string(runes))
}

func TestClassic(t *testing.T) {
	for _, tt := range []struct {
		line string
		want int // 0: none
	}{
		{`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /api HTTP/1.1" 502 157 "-" "curl"`, 502},
		{`"POST /checkout HTTP/2.0" 500 0`, 500},
		{`"GET / HTTP/2" 599 0`, 0}, // two bytes between: the classic filter wants three
		{`"GET / HTTP/1.1" 200 512 "-"`, 512},
		{`"GET / HTTP/1.1" 200 5120 "-"`, 0},
		{`"GET / HTTP/1.1" 404 153 "-"`, 0},
		{`"GET /x HTTP/1.1" 503`, 0}, // at the end of the line
		{"\"GET /x HTTP/1.1\"\t503\r", 503},
		{`HTTP/ HTTP/1.1 said 500 x`, 500},
		{`HTTP/` + strings.Repeat("x", 20) + ` 500 `, 500},
		{`HTTP/` + strings.Repeat("x", 21) + ` 500 `, 0},
		{`HTTP/xx 500 `, 0},
		{`HTTP/`, 0},
		{``, 0},
	} {
		m, ok := Classic{}.Detect([]byte(tt.line))
		if ok != (tt.want != 0) || m.Status != tt.want {
			t.Errorf("%q: %d, %v; want %d", tt.line, m.Status, ok, tt.want)
		}
		if ok != oracle([]byte(tt.line)) {
			t.Errorf("%q: the expression itself disagrees", tt.line)
		}
	}
	if _, ok := (Off{}).Detect([]byte(`"GET / HTTP/1.1" 500 0`)); ok {
		t.Error("Off found something")
	}
}

func FuzzClassic(f *testing.F) {
	f.Add([]byte(`"GET /api HTTP/1.1" 502 157 "-" "curl"`))
	f.Add([]byte("HTTP/HTTP/1.1\xff\xfe\x00\n 555\v"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if _, ok := (Classic{}).Detect(line); ok != oracle(line) {
			t.Fatalf("%q: %v, the expression says %v", line, ok, !ok)
		}
	})
}
