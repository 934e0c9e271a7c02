package record

import (
	"strings"
	"testing"
	"time"
)

func TestLostLines(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)
	for _, n := range []int64{0, 1, 12, 1 << 40} {
		l := Lost{Lines: n, Bytes: 3456, Reason: "disk full", From: at, To: at}
		if got := LostLines(l.Text()); got != n {
			t.Errorf("%s: %d", l.Text(), got)
		}
	}
	whole := string(Lost{Lines: 12, Bytes: 3456, Reason: "disk full", From: at, To: at}.Text())
	for _, line := range []string{
		"", "logfast: ", "logfast: 12 lines", "12 lines (3456 bytes) lost, disk full", " " + whole,
		strings.Replace(whole, "12", "-12", 1), strings.Replace(whole, "12", "twelve", 1), strings.Replace(whole, "12", "99999999999999999999", 1),
		strings.Replace(whole, "lost", "found", 1),
	} {
		if got := LostLines([]byte(line)); got != 0 {
			t.Errorf("%q: %d", line, got)
		}
	}
}
