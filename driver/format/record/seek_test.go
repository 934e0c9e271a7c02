package record

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestLastLines_EachPlace compares with the lines of the whole text, by blocks that
// hold a part of a line, and more.
func TestLastLines_EachPlace(t *testing.T) {
	for _, text := range []string{"a\n", "a", "a\n\nbb\nc", "aa\nP\nbbbb\nPPP\nc\n", "\n\n"} {
		lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
		for n := 1; n <= len(lines)+1; n++ {
			want := len(strings.Join(lines[:max(0, len(lines)-n)], ""))
			for size := 1; size < 9; size++ {
				got, err := LastLines(strings.NewReader(text), int64(len(text)), int64(n), make([]byte, size), nil)
				if err != nil || got != int64(want) {
					t.Errorf("the last %d lines of %q by %d begin at %d, %v; want %d", n, text, size, got, err, want)
				}
			}
		}
	}
	// A line that does not count is passed over, and so is one whose beginning is unknown.
	text := "aa\nbbbb\nP\nPPP\ncc\nP\n"
	counts := func(begin []byte) bool { return begin[0] != 'P' }
	for n, want := range map[int64]int64{1: 14, 2: 3, 3: 0} {
		got, err := LastLines(strings.NewReader(text), int64(len(text)), n, make([]byte, 64), counts)
		if err != nil || got != want {
			t.Errorf("the last %d lines that count begin at %d, %v; want %d", n, got, err, want)
		}
	}
}

// TestSeek_MissesNothing seeks each record of a text, by blocks of a few records.
func TestSeek_MissesNothing(t *testing.T) {
	for _, format := range []Format{CRI, Syslog} {
		w := NewWriter(format, "host", "app", "id")
		var text []byte
		var at []int64
		const n, step = 500, int64(1e9)
		for i := range int64(n) {
			at = append(at, int64(len(text)))
			text = w.Append(text, &Record{Time: i * step, Text: []byte(fmt.Sprint("line ", i))})
		}
		r := bytes.NewReader(text)
		block := make([]byte, 1<<10)
		for i := range int64(n) {
			p := Parser{Format: format}
			from := p.Seek(r, 0, int64(len(text)), i*step, block)
			if from > at[i] || at[i]-from > 4<<10 || from > 0 && text[from-1] != '\n' {
				t.Errorf("%s: record %d is at %d, and begun from %d", format, i, at[i], from)
			}
		}
	}
}
