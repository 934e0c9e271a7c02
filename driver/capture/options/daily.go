package options

import (
	"fmt"
	"time"
)

// Daily is a time of day in a zone. The zero Daily is 00:00 UTC.
type Daily struct {
	Hour, Minute int
	Zone         *time.Location
}

// ParseDaily reads a time such as "04:30" and a zone of the IANA database such
// as "Europe/Berlin"; an empty zone is UTC.
func ParseDaily(at, zone string) (Daily, error) {
	t, err := time.Parse("15:04", at)
	if err != nil {
		return Daily{}, fmt.Errorf("time of day %q: write it as 00:00 to 23:59", at)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Daily{}, fmt.Errorf("time zone %q: write a name such as UTC or Europe/Berlin", zone)
	}
	return Daily{Hour: t.Hour(), Minute: t.Minute(), Zone: loc}, nil
}

// Next returns the first occurrence after now. If the zone's clock skips the time
// on a day, the occurrence is as long after midnight as on any other day: 02:30
// becomes 03:30, and a midnight that does not exist becomes 01:00. If the clock
// shows the time twice on a day, only one of the two counts.
func (d Daily) Next(now time.Time) time.Time {
	zone := d.Zone
	if zone == nil {
		zone = time.UTC
	}
	y, m, day := now.In(zone).Date()
	for day--; ; day++ { // yesterday's may have been skipped into today
		if at := d.on(y, m, day, zone); at.After(now) {
			return at
		}
	}
}

// on returns the occurrence on a day. time.Date does not say which of the two
// offsets it uses for a time that the clock skips: with the later one it returns
// a time before the gap, which may lie on the day before.
func (d Daily) on(y int, m time.Month, day int, zone *time.Location) time.Time {
	at := time.Date(y, m, day, d.Hour, d.Minute, 0, 0, zone)
	wanted := time.Date(y, m, day, d.Hour, d.Minute, 0, 0, time.UTC)
	_, offset := at.Zone()
	shown := at.Add(time.Duration(offset) * time.Second) // what the clock shows then
	if shown.Before(wanted) {
		return wanted.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	return at
}
