package lines

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/logfast/logfast/driver/triage/detect"
)

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	if !bytes.Equal(Text(1, 1000), Text(1, 1000)) {
		t.Error("they differ")
	}
	if bytes.Equal(Text(1, 1000), Text(2, 1000)) {
		t.Error("another seed gives the same")
	}
}

func TestLinesAreOf130BytesAndReportNoError(t *testing.T) {
	const n = 20_000
	text := Text(1, n)
	if mean := len(text) / n; mean < 125 || mean > 135 {
		t.Errorf("%d bytes a line", mean)
	}
	got := 0
	for line := range bytes.Lines(text) {
		got++
		if _, found := (detect.Classic{}).Detect(bytes.TrimSuffix(line, []byte("\n"))); found {
			t.Fatalf("%s reports an error", line)
		}
	}
	if got != n {
		t.Errorf("%d lines of %d", got, n)
	}
	if _, found := (detect.Classic{}).Detect(New(1).AppendError(nil)); !found {
		t.Error("an error is none")
	}
}

func TestLinesVaryAsARealLogDoes(t *testing.T) {
	text := Text(1, 20_000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if ratio := float64(len(text)) / float64(packed.Len()); ratio < 3 || ratio > 10 {
		t.Errorf("gzip packs it %.1f times; access logs 4 to 10 times", ratio)
	}
}

func TestFixedLinesHaveTheirLength(t *testing.T) {
	for _, length := range []int{1, 16, 130, 16 << 10} {
		text := Fixed(1, 9, length)
		for line := range bytes.Lines(text) {
			if len(line) != length+1 {
				t.Errorf("%d bytes, want %d", len(line), length+1)
			}
		}
		if len(text) != 9*(length+1) {
			t.Errorf("%d bytes in all", len(text))
		}
	}
}
