package incident

import (
	"math"
	"testing"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/detect"
)

// TestBuild_ForgedMarks: a program may print any number of lines that are lost.
func TestBuild_ForgedMarks(t *testing.T) {
	s := NewScanner(ScanConfig{Format: record.Raw, Detect: detect.Auto{}})
	text := record.Lost{Lines: math.MaxInt64, Bytes: 5, Reason: "x"}.Text()
	for range 2 {
		if _, err := s.Write(append(text[:len(text):len(text)], '\n')); err != nil {
			t.Fatal(err)
		}
	}
	f := s.Findings()
	if f.Lost != math.MaxInt64 {
		t.Errorf("%d lines are lost", f.Lost)
	}
	r := &Record{ID: "20261123T190301.000000Z-1a2b3c4d"}
	part := Part{
		Findings: f, LostLines: math.MaxInt64, LostErrors: math.MaxInt64,
		Object: Object{Key: "a", Lines: math.MaxInt64, Bytes: math.MaxInt64, Errors: math.MaxInt64},
	}
	in := &Build(r, []Part{part, part, part}).Data
	if in.Lost != math.MaxInt64 || in.Lines != math.MaxInt64 || in.Bytes != math.MaxInt64 || in.Errors != math.MaxInt64 || in.ByStatus["0"] != math.MaxInt64 {
		t.Errorf("%+v", in)
	}
}
