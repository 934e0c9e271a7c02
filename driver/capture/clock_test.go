package capture

import (
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/spool"
)

// at writes a line of stdout that Docker has stamped at a time.
func (c *container) at(stamp time.Time, text string) {
	c.Helper()
	c.line(int(stamp.Sub(t0)/time.Second), text)
}

// TestStepBack_BeginsASegment sets the clock back in the middle of a container's
// lines. No segment may hold lines of two days, or of two years.
func TestStepBack_BeginsASegment(t *testing.T) {
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		first, second time.Time
		segments      int
	}{
		"a year ahead, then set right":     {midnight.AddDate(4, 0, 0), midnight.Add(-time.Hour), 2},
		"over midnight by ten minutes":     {midnight.Add(5 * time.Minute), midnight.Add(-5 * time.Minute), 2},
		"over midnight by seconds, late":   {midnight.Add(time.Second), midnight.Add(-time.Second), 1},
		"two hours on the same day":        {midnight.Add(12 * time.Hour), midnight.Add(10 * time.Hour), 2},
		"half an hour on the same day":     {midnight.Add(12 * time.Hour), midnight.Add(11*time.Hour + 30*time.Minute), 1},
		"to before 1980, as without a RTC": {midnight, time.Date(1970, 1, 1, 0, 0, 5, 0, time.UTC), 2},
	} {
		for _, together := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				h := newHost(t)
				c := h.container("web", nil)
				c.at(tt.first, "one")
				if together {
					c.at(tt.second, "two")
				}
				if err := h.Start(c.fifo, c.info); err != nil {
					t.Fatal(err)
				}
				if !together {
					h.eventually("one is there", func() bool { return len(c.files()) > 0 })
					c.at(tt.second, "two")
				}
				c.at(tt.second.Add(time.Second), "three")
				h.Stop(c.fifo)
				all, err := h.cfg.Spool.List()
				if err != nil || len(all) != tt.segments {
					t.Fatalf("%d segments, want %d: %v %v", len(all), tt.segments, c.files(), err)
				}
				for _, seg := range all {
					m, err := h.cfg.Spool.Meta(seg)
					if err != nil {
						t.Fatal(err)
					}
					text := c.files()[seg.Name.String()]
					if !strings.HasPrefix(text, m.First.Format("2006-01-02T15:04:05.000000000Z")) ||
						!strings.Contains(m.Key, "dt="+m.First.Format(time.DateOnly)) || !seg.Name.Time.Equal(m.First.Truncate(time.Microsecond)) {
						t.Errorf("%s, key %s, first %v, text %q", seg.Name, m.Key, m.First, text)
					}
				}
			})
		}
	}
}

// TestStepBack_LeavesAnOldLinesChunks has a line that began hours ago go on between
// the lines of the other stream: it is no clock that was set back.
func TestStepBack_LeavesAnOldLinesChunks(t *testing.T) {
	h := newHost(t)
	c := h.container("web", nil)
	for i := range int32(3) {
		c.line(4*3600+int(i), "now")
		c.chunk("stderr", "old", i+2, false)
	}
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	h.Stop(c.fifo)
	if n := len(c.files()); n != 1 {
		t.Errorf("%d segments: %v", n, c.files())
	}
}

// TestDaily_AfterAClockThatWasYearsAhead begins a segment and the daily time while
// the clock is years ahead, and sets it right.
func TestDaily_AfterAClockThatWasYearsAhead(t *testing.T) {
	h := newStillHost(t)
	ahead, old := h.start("ahead", nil), h.start("old", nil)
	ahead.at(time.Now().AddDate(4, 0, 0), "x")
	old.at(time.Now().Add(-25*time.Hour), "x")
	for _, c := range []*container{ahead, old} {
		h.eventually("the line is there", func() bool { return len(c.files()) > 0 })
	}
	wrong := true
	soon := time.Now().Add(50 * time.Millisecond)
	h.sealer.daily = func(now time.Time) time.Time {
		switch {
		case wrong:
			wrong = false
			return now.AddDate(4, 0, 0) // as the clock was
		case soon.After(now):
			return soon
		}
		return now.Add(time.Hour)
	}
	h.run()
	<-h.sealed
	<-h.sealed
	all, err := h.cfg.Spool.List()
	if err != nil || len(all) != 2 || all[0].Name.Reason != spool.Schedule || all[1].Name.Reason != spool.Schedule {
		t.Errorf("%v, %v", all, err)
	}
}
