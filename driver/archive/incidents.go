package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/incident"
	"github.com/logfast/logfast/driver/object"
)

const (
	// incidents begins the keys of incidents:
	// incidents/dt=2026-11-23/host=web-1/<time>-<seq>-<id>.json
	incidents = "incidents/"

	// incidentDir is the spool's own directory of incidents.
	incidentDir = ".incidents"

	// maxIncident is the largest object that may be an incident, in bytes.
	maxIncident = 8 << 20

	fetched = 16 // incidents that are fetched at once
)

// Incidents returns the incidents that overlap the query's range and concern its
// hosts and apps, of the store and of the spool, each once, sorted by the time
// of the last error.
func (a *Archive) Incidents(ctx context.Context, q Query) ([]*incident.Event, error) {
	var prefixes []string
	if !q.Since.IsZero() {
		until := time.Now()
		if !q.Until.IsZero() {
			until = q.Until
		}
		// The day of a key is that of the first line or error, hours or a day
		// before the last.
		if days := days(q.Since.AddDate(0, 0, -1), until); len(days) <= maxDays {
			for _, day := range days {
				prefixes = append(prefixes, incidents+"dt="+day+"/")
			}
		}
	}
	all, err := a.incidents(ctx, prefixes)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(e *incident.Event) bool { return !q.concerns(&e.Data) }), nil
}

// concerns reports whether an incident is wanted.
func (q *Query) concerns(i *incident.Incident) bool {
	switch {
	case len(q.Hosts) > 0 && !anyOf(q.Hosts, i.Host),
		!q.Since.IsZero() && i.Last.Before(q.Since),
		!q.Until.IsZero() && i.First.After(q.Until):
		return false
	}
	has := func(wanted []string, of func(incident.Container) string) bool {
		return len(wanted) == 0 || slices.ContainsFunc(i.Containers, func(c incident.Container) bool { return anyOf(wanted, of(c)) })
	}
	return (has(q.Apps, func(c incident.Container) string { return c.App }) ||
		slices.ContainsFunc(i.Fingerprints, func(f incident.Fingerprint) bool { return anyOf(q.Apps, f.App) })) &&
		has(q.Groups, func(c incident.Container) string { return c.Group }) &&
		(has(q.Containers, func(c incident.Container) string { return c.Name }) ||
			slices.ContainsFunc(i.Containers, func(c incident.Container) bool {
				return slices.ContainsFunc(q.Containers, func(id string) bool { return isID(id) && strings.HasPrefix(c.ID, id) })
			}))
}

// incidents reads the incidents below the prefixes; none: all of them.
func (a *Archive) incidents(ctx context.Context, prefixes []string) ([]*incident.Event, error) {
	byID := map[string]*incident.Event{}
	var mu sync.Mutex // owns byID
	add := func(data []byte) {
		e := parseIncident(data)
		if e == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if have := byID[e.Data.ID]; have == nil || have.Type == incident.TypeOpened {
			byID[e.Data.ID] = e
		}
	}
	if a.cfg.Spool != nil {
		files, err := a.cfg.Spool.ReadHidden(incidentDir, ".json")
		if err != nil && !errors.Is(err, fs.ErrPermission) { // it is root's alone, and the store has most
			a.warn(incidentDir, err)
		}
		for _, data := range files {
			add(data)
		}
	}
	if a.cfg.Store != nil {
		if err := a.fetchIncidents(ctx, prefixes, add); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(byID), func(x, y *incident.Event) int {
		return cmp.Or(x.Data.Last.Compare(y.Data.Last), strings.Compare(x.Data.ID, y.Data.ID))
	}), nil
}

func (a *Archive) fetchIncidents(ctx context.Context, prefixes []string, add func([]byte)) error {
	if len(prefixes) == 0 {
		prefixes = []string{incidents}
	}
	var mu sync.Mutex
	var keys []string // owned by mu
	err := together(ctx, len(prefixes), listings, func(ctx context.Context, i int) error {
		return a.entries(ctx, prefixes[i], func(e object.Entry) bool {
			if path.Ext(e.Key) == ".json" && e.Size <= maxIncident {
				mu.Lock()
				keys = append(keys, e.Key)
				mu.Unlock()
			}
			return true
		})
	})
	if err != nil {
		return err
	}
	return together(ctx, len(keys), fetched, func(ctx context.Context, i int) error {
		data, err := a.small(ctx, keys[i])
		if errors.Is(err, object.ErrNotFound) {
			return nil // deleted since it was listed
		}
		if err != nil {
			return err
		}
		add(data)
		return nil
	})
}

// small reads a small object.
func (a *Archive) small(ctx context.Context, key string) (data []byte, err error) {
	err = retry(ctx, func() error {
		body, _, err := a.cfg.Store.Get(ctx, key)
		if err != nil {
			return err
		}
		defer body.Close()
		if data, err = io.ReadAll(io.LimitReader(body, maxIncident)); err != nil {
			return fmt.Errorf("get %s: %w", key, err)
		}
		return nil
	})
	return data, err
}

// parseIncident returns nil for what is no incident: others may have JSON there.
func parseIncident(data []byte) *incident.Event {
	e := &incident.Event{}
	if json.Unmarshal(data, e) != nil || e.Data.ID == "" || e.Type != incident.TypeShipped && e.Type != incident.TypeOpened {
		return nil
	}
	return e
}

// UnknownError says that no one incident has an id.
type UnknownError struct {
	ID   string   // as it was asked for
	Near []string // ids that it may have meant; of several that begin so, all
	Many bool     // several begin so
}

func (e *UnknownError) Error() string {
	switch {
	case e.Many:
		return fmt.Sprintf("%d incidents begin with %q: write more of the id: %s", len(e.Near), e.ID, strings.Join(e.Near, ", "))
	case len(e.Near) > 0:
		return fmt.Sprintf("no incident %q; the nearest are %s. logfast incidents lists them", e.ID, strings.Join(e.Near, ", "))
	}
	return fmt.Sprintf("no incident %q, and no other either", e.ID)
}

// idDay finds the day in an incident's id.
var idDay = regexp.MustCompile(`^(\d{8})T?`)

// Incident returns the one incident whose id begins so. The error is an
// *UnknownError where there is none, or more than one.
func (a *Archive) Incident(ctx context.Context, id string) (*incident.Event, error) {
	// The id begins with a day, which spares reading all.
	if m := idDay.FindStringSubmatch(id); m != nil {
		if day, err := time.Parse("20060102", m[1]); err == nil {
			var prefixes []string
			for _, day := range days(day.AddDate(0, 0, -1), day.AddDate(0, 0, 1)) {
				prefixes = append(prefixes, incidents+"dt="+day+"/")
			}
			near, err := a.incidents(ctx, prefixes)
			if err != nil {
				return nil, err
			}
			if e, err := pick(near, id); e != nil || err != nil && err.Many {
				return e, errorOrNil(err)
			}
		}
	}
	all, err := a.incidents(ctx, nil)
	if err != nil {
		return nil, err
	}
	e, unknown := pick(all, id)
	return e, errorOrNil(unknown)
}

func errorOrNil(err *UnknownError) error {
	if err == nil {
		return nil
	}
	return err
}

// maxNear is how many ids a message names.
const maxNear = 5

func pick(all []*incident.Event, id string) (*incident.Event, *UnknownError) {
	var begin []*incident.Event
	for _, e := range all {
		if e.Data.ID == id {
			return e, nil
		}
		if id != "" && strings.HasPrefix(e.Data.ID, id) {
			begin = append(begin, e)
		}
	}
	if len(begin) == 1 {
		return begin[0], nil
	}
	unknown := &UnknownError{ID: id, Many: len(begin) > 1}
	if !unknown.Many {
		begin = slices.SortedStableFunc(slices.Values(all), func(x, y *incident.Event) int {
			return common(y.Data.ID, id) - common(x.Data.ID, id)
		})
		begin = begin[:min(len(begin), maxNear)]
	}
	for _, e := range begin {
		unknown.Near = append(unknown.Near, e.Data.ID)
	}
	return nil, unknown
}

// common counts the bytes that two texts begin with alike.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// Group is the errors of one kind, in all incidents that had them.
type Group struct {
	incident.Fingerprint          // First, Last and Errors are of all of them
	Hosts                []string `json:"hosts"`
	Incidents            []string `json:"incidents"` // their ids, the latest last
}

// Groups folds incidents by fingerprint; the one that was seen last comes first.
// Where the query names apps, only errors of these are in them.
func Groups(events []*incident.Event, q Query) []*Group {
	byID := map[string]*Group{}
	for _, e := range events {
		for _, f := range e.Data.Fingerprints {
			if len(q.Apps) > 0 && !anyOf(q.Apps, f.App) {
				continue
			}
			g := byID[f.ID]
			if g == nil {
				g = &Group{Fingerprint: f}
				g.Errors = 0
				byID[f.ID] = g
			}
			g.Errors += f.Errors
			if f.First.Before(g.First) {
				g.First = f.First
			}
			if f.Last.After(g.Last) {
				g.Last = f.Last
			}
			if !slices.Contains(g.Hosts, e.Data.Host) {
				g.Hosts = append(g.Hosts, e.Data.Host)
			}
			g.Incidents = append(g.Incidents, e.Data.ID)
		}
	}
	for _, g := range byID {
		slices.Sort(g.Hosts)
	}
	return slices.SortedFunc(maps.Values(byID), func(x, y *Group) int {
		return cmp.Or(y.Last.Compare(x.Last), strings.Compare(x.ID, y.ID))
	})
}
