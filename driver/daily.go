package driver

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

// next returns the first occurrence after now. On a day on which the zone's
// clock skips the time, it is as long after midnight as on any other.
func (d Daily) next(now time.Time) time.Time {
	zone := d.Zone
	if zone == nil {
		zone = time.UTC
	}
	y, m, day := now.In(zone).Date()
	for ; ; day++ {
		if at := time.Date(y, m, day, d.Hour, d.Minute, 0, 0, zone); at.After(now) {
			return at
		}
	}
}
