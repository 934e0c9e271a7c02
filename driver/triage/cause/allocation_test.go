//go:build !race

// With race detection sync.Pool drops things at random, and regexps keep their memory there.

package cause

import (
	"runtime"
	"testing"
)

// TestScanner_AllocationIsLinear bounds the bytes that are allocated for each byte of a
// text, whatever its length is.
func TestScanner_AllocationIsLinear(t *testing.T) {
	const size, most = 16 << 10, 250
	worst, at := uint64(0), ""
	linearTexts(func(name string, text func(int) string) {
		in := []byte(text(size))
		var before, after runtime.MemStats
		s := newScanner(func(*Find) {})
		runtime.ReadMemStats(&before)
		feed(s, in)
		runtime.ReadMemStats(&after)
		n := (after.TotalAlloc - before.TotalAlloc) / uint64(len(in))
		if n > most {
			t.Errorf("%q: %d bytes are allocated for each byte", name, n)
		}
		if n > worst {
			worst, at = n, name
		}
	})
	t.Logf("at most %d bytes for each byte: %q", worst, at)
}
