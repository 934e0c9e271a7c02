package cause

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// hardTexts are texts at which families have panicked.
var hardTexts = []string{
	"#<AError: >", "[#<FooError: x>] hello", "2026-01-01 [#<ActiveRecord::RecordNotFound: x>] ERROR: boom",
	"[Recovery] panic recovered:\nx\ny\n\n/go/pkg/mod/a.go:1 (0x1)\n  z\n/b.go:2 (0x1)\n\ta: b()\n",
	`{"log":"foo\n2026/01/01 00:00:00 [error] 1#1: x\n","stream":"stderr"}`,
	"[foo.pl line 3]   ", strings.Repeat("x ", maxHead/2) + "ERROR: AddressSanitizer: heap-use-after-free\n",
}

// TestScanner_HardTexts wants no panic.
func TestScanner_HardTexts(t *testing.T) {
	for _, text := range hardTexts {
		scan(text)
	}
	want := []wantCause{{"go", "panic", "y", "a (b.go)"}}
	if diff := cmp.Diff(want, (&sample{}).got(hardTexts[3])); diff != "" {
		t.Error(diff)
	}
}

// FuzzScanner looks for panics, and for causes that are not within their bounds.
func FuzzScanner(f *testing.F) {
	for _, path := range fields {
		for _, s := range samples(f, path) {
			f.Add([]byte(s.Text))
		}
	}
	for _, text := range hardTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		end := int64(0)
		s := newScanner(func(found *Find) {
			if found.Line < 1 || found.Last < found.Line || found.Offset < 0 || found.Offset >= found.End || found.End > int64(len(text))+1 {
				t.Errorf("line %d, bytes %d to %d of %d", found.Line, found.Offset, found.End, len(text))
			}
			end = max(end, found.End)
			c := found.Cause()
			for name, part := range map[string]struct {
				text string
				most int
			}{
				"type": {c.Type, MaxType}, "message": {c.Message, MaxMessage}, "frame": {c.Frame, MaxFrame}, "trace": {c.Stacktrace, MaxStacktrace},
			} {
				if len(part.text) > part.most || !utf8.ValidString(part.text) {
					t.Errorf("the %s has %d bytes: %q", name, len(part.text), part.text)
				}
			}
		})
		feed(s, text)
	})
}
