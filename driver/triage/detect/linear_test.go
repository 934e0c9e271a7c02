package detect

import (
	"strings"
	"testing"
)

// TestAuto_WorkIsLinear counts the bytes that are looked at ahead: of a line that
// is eight times as long they may be eight times as many. The units are what
// makes a rule look ahead, alone and in pairs, in one word and in several.
func TestAuto_WorkIsLinear(t *testing.T) {
	units := []string{
		"500", "Sent 500 X", "Sent 500 I", "GET /", `"GET /`, "Completed /", "Completed 500", "[500]", "status=500", "a={", `a="`, `{"`, "'", `"`,
		`\"`, "a:500", "get", "[GET]", "GET [500]", "-- 500 --", "(", "{", "=>", "TCP_X/500 1", "TCP_X/500|", "GET a.b/", "CONNECT a", "GET http://",
		"[info]", "]", "[a] ", "1/2/3/4/5", ":status", "XxxError: {", "Not Found: /", "500!", "GET 500 ", "GET '", "us=500,", "| 500",
	}
	measure := func(unit string, size int) int {
		n := 0
		work = &n
		defer func() { work = nil }()
		Auto{}.Explain([]byte(strings.Repeat(unit, size/len(unit))))
		return n
	}
	const short, long = 512, 4 << 10
	for _, a := range units {
		for _, sep := range []string{"", " ", "|"} {
			for _, b := range append(units, "") {
				unit := a + sep + b
				// A walk may end before the short line's end, or just behind it.
				if s, l := measure(unit, short), measure(unit, long); l > 3*long/short*max(s, short) {
					t.Errorf("%q: %d bytes of %d, %d of %d", unit, s, short, l, long)
				}
			}
		}
	}
}
