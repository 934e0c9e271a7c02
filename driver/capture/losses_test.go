package capture

import (
	"fmt"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// TestLosses_AreRecentUntilSomebodyLooksAndForAnHour loses a segment, and restarts.
func TestLosses_AreRecentUntilSomebodyLooksAndForAnHour(t *testing.T) {
	h := newStillHost(t)
	began := time.Now()
	h.countDropped(spool.GivenUp{Segment: spool.Segment{Dir: "web-aaaaaaaaaaaa"}, Lost: record.Lost{Lines: 3, Bytes: 30, Reason: spool.DiskFull}})
	h.countDropped(spool.GivenUp{Segment: spool.Segment{Dir: "web-aaaaaaaaaaaa"}, Lost: record.Lost{Lines: 4, Bytes: 40, Reason: spool.DiskFull}})
	h.stop()
	h = newHostIn(t, h.dir, func(*Config, *spool.Options) {})
	if err := h.Recover(); err != nil {
		t.Fatal(err)
	}
	got := h.Snapshot().Lost
	if len(got) != 1 || got[0].Container != "web-aaaaaaaaaaaa" || got[0].Lines != 7 || got[0].Bytes != 70 || got[0].Reason != spool.DiskFull || got[0].Last.Before(began) {
		t.Fatalf("after a restart: %+v", got)
	}
	now := time.Now()
	for _, tt := range []struct {
		after time.Duration // since the loss
		want  int
		look  bool
	}{
		{2 * time.Hour, 1, false},           // nobody has looked yet
		{10 * time.Minute, 1, true},         // somebody looks
		{10*time.Minute + 1, 1, false},      // it is within the hour
		{time.Hour + time.Second, 0, false}, // it is not
		{2 * time.Hour, 0, true},
	} {
		at := now.Add(tt.after)
		if n := len(h.losses.recent(at)); n != tt.want {
			t.Errorf("after %v: %d losses, want %d", tt.after, n, tt.want)
		}
		if tt.look {
			h.Looked(at)
		}
	}
	if len(h.losses.kept) != 0 {
		t.Errorf("kept for ever: %v", h.losses.kept)
	}
	for i := range 3 * maxLosses {
		h.losses.note(fmt.Sprint(i), diskError, 1, 1, now)
	}
	sum := int64(0)
	for _, l := range h.losses.recent(now) {
		sum += l.Lines
	}
	if n := len(h.losses.kept); n > maxLosses || sum != 3*maxLosses {
		t.Errorf("%d losses are kept, of %d lines", n, sum)
	}
}
