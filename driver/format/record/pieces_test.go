package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPieces_AsLines: a text in pieces of any size has the lines that Lines reads.
func TestPieces_AsLines(t *testing.T) {
	const longest = 8
	for _, text := range []string{
		"", "\n", "\n\n", "a", "a\n", "a\nbc\n\ndef", "0123456789\nab\n", "01234567\n012345678\n0123456789012", "ab\n\n\nc\n",
	} {
		var want []string
		for l := NewLines(strings.NewReader(text), make([]byte, 64), 0); l.Next(); {
			want = append(want, fmt.Sprintf("%d at %d: %s", l.Number, l.Offset, l.Text[:min(len(l.Text), longest)]))
		}
		for size := 1; size <= len(text)+1; size++ {
			p := NewPieces(longest)
			var got []string
			note := func() { got = append(got, fmt.Sprintf("%d at %d: %s", p.Number, p.Offset, p.Text)) }
			for piece := range slices.Chunk([]byte(text), size) {
				p.Add(piece)
				for p.Next() {
					note()
				}
				clear(piece) // it is the caller's again
			}
			if p.Rest() {
				note()
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q in pieces of %d: %q, want %q", text, size, got, want)
			}
		}
	}
}
