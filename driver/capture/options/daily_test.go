package options

import (
	"testing"
	"time"
	_ "time/tzdata"
)

// TestDaily_InRealZones follows the daily time through the years of zones whose
// clocks skip midnight, skip a whole day, or show an hour twice.
func TestDaily_InRealZones(t *testing.T) {
	for _, zone := range []string{
		"America/Havana", "America/Sao_Paulo", "America/Asuncion", "America/Santiago", "Asia/Beirut", "Asia/Amman", "Africa/Cairo",
		"Asia/Tehran", "Pacific/Apia", "Pacific/Kwajalein", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
		"Asia/Kathmandu", "Antarctica/Troll", "UTC",
	} {
		for _, at := range []string{"00:00", "00:15", "02:30", "23:30"} {
			d, err := ParseDaily(at, zone)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(zone+" "+at, func(t *testing.T) { followDaily(t, d) })
		}
	}
}

func followDaily(t *testing.T, d Daily) {
	from, to := time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2039, 1, 1, 0, 0, 0, 0, time.UTC)
	seen := map[string]bool{} // dates of the zone with an occurrence
	for now := from; now.Before(to); {
		at := d.Next(now)
		if !at.After(now) {
			t.Fatalf("after %v: %v, which is not later", now, at)
		}
		if again := d.Next(at.Add(-time.Nanosecond)); !again.Equal(at) {
			t.Fatalf("%v, and %v a moment before it", at, again)
		}
		date := at.In(d.Zone).Format(time.DateOnly)
		if seen[date] {
			t.Fatalf("a second time on %s: %v", date, at)
		}
		seen[date] = true
		h, m, _ := at.In(d.Zone).Clock()
		if (h != d.Hour || m != d.Minute) && existsOn(d, at.In(d.Zone)) {
			t.Fatalf("%v, though the clock shows the time on that day", at)
		}
		now = at
	}
	for hour := from.Add(48 * time.Hour); hour.Before(to.Add(-48 * time.Hour)); hour = hour.Add(8 * time.Hour) {
		if date := hour.In(d.Zone).Format(time.DateOnly); !seen[date] {
			t.Fatalf("never on %s", date)
		}
	}
}

// existsOn reports whether the clock shows the time on the day of at.
func existsOn(d Daily, at time.Time) bool {
	y, m, day := at.Date()
	for minute := at.Add(-25 * time.Hour); minute.Before(at.Add(25 * time.Hour)); minute = minute.Add(time.Minute) {
		yy, mm, dd := minute.Date()
		if yy == y && mm == m && dd == day && minute.Hour() == d.Hour && minute.Minute() == d.Minute {
			return true
		}
	}
	return false
}

func TestDaily_TimeThatDoesNotExist(t *testing.T) {
	for _, tt := range []struct{ at, zone, now, want string }{
		{"00:00", "America/Havana", "2026-03-07T12:00:00-05:00", "2026-03-08T01:00:00-04:00"},
		{"00:00", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00", "2018-11-04T01:00:00-02:00"},
		{"00:00", "Pacific/Apia", "2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00"},         // 30 December was skipped
		{"23:30", "America/Scoresbysund", "2025-03-29T12:00:00-02:00", "2025-03-30T00:30:00-01:00"}, // the hour before midnight was skipped
		{"23:30", "America/Scoresbysund", "2025-03-30T00:10:00-01:00", "2025-03-30T00:30:00-01:00"},
		{"23:30", "America/Scoresbysund", "2025-03-30T00:30:00-01:00", "2025-03-30T23:30:00-01:00"},
	} {
		d, err := ParseDaily(tt.at, tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := time.Parse(time.RFC3339, tt.now)
		if got := d.Next(now).In(d.Zone).Format(time.RFC3339); got != tt.want {
			t.Errorf("%s after %s: %s, want %s", tt.zone, tt.now, got, tt.want)
		}
	}
}

func TestDaily(t *testing.T) {
	berlin := "Europe/Berlin"
	for _, tt := range []struct{ at, zone, now, want string }{
		{"00:00", "UTC", "2026-11-23T19:03:01Z", "2026-11-24T00:00:00Z"},
		{"00:00", "", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"},
		{"04:30", berlin, "2026-11-23T19:03:01Z", "2026-11-24T03:30:00Z"},
		{"04:30", berlin, "2026-11-24T03:29:59Z", "2026-11-24T03:30:00Z"},
		{"04:30", berlin, "2026-07-01T00:00:00Z", "2026-07-01T02:30:00Z"},
		{"02:30", berlin, "2027-03-28T00:00:00Z", "2027-03-28T01:30:00Z"}, // the clock skips 02:30
		{"23:59", "UTC", "2026-12-31T23:59:30Z", "2027-01-01T23:59:00Z"},
	} {
		d, err := ParseDaily(tt.at, tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := time.Parse(time.RFC3339, tt.now)
		if got := d.Next(now).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("%s %s after %s: %s, want %s", tt.at, tt.zone, tt.now, got, tt.want)
		}
	}
	if got := (Daily{}).Next(time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)); !got.Equal(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the zero Daily: %v", got)
	}
	for at, zone := range map[string]string{"24:00": "UTC", "noon": "UTC", "": "UTC", "01:00": "Mars/Olympus", "02:00": "Local"} {
		if _, err := ParseDaily(at, zone); err == nil {
			t.Errorf("%q %q was taken", at, zone)
		}
	}
}
