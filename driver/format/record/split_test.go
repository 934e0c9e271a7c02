package record

import (
	"bytes"
	"testing"
)

// TestSplitIsParseWithoutTheTime holds what a scan takes for a line against
// what a reader does.
func TestSplitIsParseWithoutTheTime(t *testing.T) {
	records := []Record{
		{Time: 1795460581123456789, Stream: Stdout, Text: []byte("GET / 500")},
		{Time: 1795460581000000000, Stream: Stderr, More: true, Text: nil},
		{Time: 1795460581000000001, Stream: Stderr, Text: []byte("  two  spaces \x00\xff")},
	}
	for _, format := range []Format{CRI, Syslog, Raw} {
		w := NewWriter(format, "h", "a", "id")
		lines := [][]byte{nil, []byte("no record"), []byte("2026-11-23T19:03:01.123456789Z stdout X text"), []byte("2026-11-23T19:03:01.123456789Z stdbad F text")}
		for i := range records {
			lines = append(lines, bytes.TrimSuffix(w.Append(nil, &records[i]), []byte("\n")))
		}
		for _, line := range lines {
			var want Record
			err := Parse(format, line, &want)
			got, ok := Split(format, line)
			if ok != (err == nil) || got.Stream != want.Stream || got.More != want.More || !bytes.Equal(got.Text, want.Text) {
				t.Errorf("%v %q: %+v, %v; Parse has %+v, %v", format, line, got, ok, want, err)
			}
		}
	}
}
