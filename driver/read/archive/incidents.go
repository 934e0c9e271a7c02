package archive

import (
	"context"
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

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/incident"
)

const (
	// incidents begins the keys of incidents:
	// incidents/dt=2026-11-23/host=web-1/<time>-<seq>-<id>.json
	incidents = "incidents/"

	// incidentDir is the spool's own directory of incidents.
	incidentDir = ".incidents"

	fetched = 16 // incidents that are fetched at once

	// usual is the size up to which several incidents are fetched at once, in
	// bytes. Larger ones are fetched one at a time.
	usual = 256 << 10
)

// source is where an incident can be read.
type source struct {
	id    string // of the incident, as its name says
	name  string // the object's key, or the file in the spool
	size  int64
	spool bool
}

// EachIncident calls f for the incidents that overlap the query's range and
// concern its hosts and apps, of the store and of the spool, each once. The calls
// are one at a time, in no order, and f keeps no more of the event than it needs:
// an event is not kept. An incident that is not valid is left out, and the
// archive's Warn is called.
func (a *Archive) EachIncident(ctx context.Context, q Query, f func(*incident.Event)) error {
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
	all, err := a.sources(ctx, prefixes)
	if err != nil {
		return err
	}
	var large, decoding sync.Mutex
	byID := slices.Collect(maps.Values(all))
	return together(ctx, len(byID), fetched, func(ctx context.Context, i int) error {
		if slices.ContainsFunc(byID[i], func(s source) bool { return s.size > usual }) {
			large.Lock()
			defer large.Unlock()
		}
		e, err := a.incident(ctx, byID[i], &decoding)
		if e == nil || err != nil {
			return err
		}
		if q.concerns(&e.Data) {
			decoding.Lock()
			defer decoding.Unlock()
			f(e)
		}
		return nil
	})
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
		return len(wanted) == 0 ||
			slices.ContainsFunc(i.Containers, func(c incident.Container) bool { return anyOf(wanted, of(c)) })
	}
	return (has(q.Apps, func(c incident.Container) string { return c.App }) ||
		slices.ContainsFunc(i.Fingerprints, func(f incident.Fingerprint) bool { return anyOf(q.Apps, f.App) })) &&
		has(q.Groups, func(c incident.Container) string { return c.Group }) &&
		(has(q.Containers, func(c incident.Container) string { return c.Name }) ||
			slices.ContainsFunc(i.Containers, func(c incident.Container) bool {
				return slices.ContainsFunc(q.Containers,
					func(id string) bool { return isID(id) && strings.HasPrefix(c.ID, id) })
			}))
}

// sources finds the incidents of the spool and, below the prefixes, of the store;
// no prefix: all of them. They are found by name, so that none is read that is not
// wanted. Those of one ID are together, the spool's first.
func (a *Archive) sources(ctx context.Context, prefixes []string) (map[string][]source, error) {
	all := map[string][]source{}
	if a.cfg.Spool != nil {
		files, err := a.cfg.Spool.Hidden(incidentDir)
		if err != nil && !errors.Is(err, fs.ErrPermission) { // it is root's alone, and the store has most
			a.warn(incidentDir, err)
		}
		for name, size := range files {
			id := strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".uploaded")
			if path.Ext(name) == ".json" && incident.IsID(id) {
				all[id] = append(all[id], source{id: id, name: path.Join(incidentDir, name), size: size, spool: true})
			}
		}
	}
	if a.cfg.Store == nil {
		return all, nil
	}
	if len(prefixes) == 0 {
		prefixes = []string{incidents}
	}
	var mu sync.Mutex // owns all
	err := together(ctx, len(prefixes), listings, func(ctx context.Context, i int) error {
		return a.entries(ctx, prefixes[i], func(e store.Entry) bool {
			// Others may have JSON there: it is called otherwise.
			if id, ok := strings.CutSuffix(path.Base(e.Key), ".json"); ok && incident.IsID(id) {
				mu.Lock()
				all[id] = append(all[id], source{id: id, name: e.Key, size: e.Size})
				mu.Unlock()
			}
			return true
		})
	})
	return all, err
}

// incident reads an incident that has one ID: of several sources the first whose
// event is closed, and else an early notice. It is nil if there is none any more,
// or none that is valid, which was said.
func (a *Archive) incident(ctx context.Context, from []source, decoding *sync.Mutex) (*incident.Event, error) {
	var early *incident.Event
	for _, s := range from {
		e, err := a.event(ctx, s, decoding)
		var invalid *incident.InvalidError
		switch {
		case errors.As(err, &invalid):
			a.warn(s.name, err)
		case errors.Is(err, store.ErrNotFound), errors.Is(err, fs.ErrNotExist): // deleted since it was listed
		case err != nil:
			return nil, err
		case e.Type == incident.TypeShipped:
			return e, nil
		default:
			early = e
		}
	}
	return early, nil
}

// event reads and checks one event. Decoding takes more memory than the text does,
// so it is done one at a time.
func (a *Archive) event(ctx context.Context, s source, decoding *sync.Mutex) (*incident.Event, error) {
	data, err := a.small(ctx, s)
	if err != nil {
		return nil, err
	}
	decoding.Lock()
	defer decoding.Unlock()
	e, err := incident.Decode(data)
	if err == nil && e.ID != s.id {
		err = incident.Invalid("its id is " + e.ID + ", and its name is of another")
	}
	return e, err
}

// small reads an encoded event, but not much more than its size was when it was
// found.
func (a *Archive) small(ctx context.Context, s source) ([]byte, error) {
	limit := min(max(s.size, usual), incident.MaxEvent) + 1
	if s.spool {
		f, err := a.cfg.Spool.OpenHidden(s.name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, limit))
	}
	if s.size > incident.MaxEvent {
		return nil, incident.Invalid(fmt.Sprintf("it has %d bytes, more than %d", s.size, incident.MaxEvent))
	}
	var data []byte
	err := retry(ctx, func() error {
		body, _, err := a.cfg.Store.Get(ctx, s.name)
		if err != nil {
			return err
		}
		defer body.Close()
		if data, err = io.ReadAll(io.LimitReader(body, limit)); err != nil {
			return fmt.Errorf("get %s: %w", s.name, err)
		}
		return nil
	})
	if err == nil && int64(len(data)) == limit {
		err = incident.Invalid(fmt.Sprintf("it has more than %d bytes", limit-1))
	}
	return data, err
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
		return fmt.Sprintf("%d incidents begin with %q: write more of the id: %s", len(e.Near), e.ID,
			strings.Join(e.Near, ", "))
	case len(e.Near) > 0:
		return fmt.Sprintf("no incident %q; the nearest are %s. logfast incidents lists them", e.ID,
			strings.Join(e.Near, ", "))
	}
	return fmt.Sprintf("no incident %q, and no other either", e.ID)
}

// idDay finds the day in an incident's id.
var idDay = regexp.MustCompile(`^(\d{8})T?`)

// Incident returns the one incident whose id begins so. The error is an
// *UnknownError where there is none, or more than one.
func (a *Archive) Incident(ctx context.Context, id string) (*incident.Event, error) {
	// The id begins with a day, which spares listing all.
	if m := idDay.FindStringSubmatch(id); m != nil {
		if day, err := time.Parse("20060102", m[1]); err == nil {
			var prefixes []string
			for _, day := range days(day.AddDate(0, 0, -1), day.AddDate(0, 0, 1)) {
				prefixes = append(prefixes, incidents+"dt="+day+"/")
			}
			near, err := a.sources(ctx, prefixes)
			if err != nil {
				return nil, err
			}
			if found, unknown := pick(near, id); unknown == nil || unknown.Many {
				return a.picked(ctx, near[found], unknown)
			}
		}
	}
	all, err := a.sources(ctx, nil)
	if err != nil {
		return nil, err
	}
	found, unknown := pick(all, id)
	return a.picked(ctx, all[found], unknown)
}

// picked reads the one incident that was asked for.
func (a *Archive) picked(ctx context.Context, from []source, unknown *UnknownError) (*incident.Event, error) {
	if unknown != nil {
		return nil, unknown
	}
	var decoding sync.Mutex
	e, err := a.incident(ctx, from, &decoding)
	if err == nil && e == nil {
		err = fmt.Errorf("incident %s cannot be shown: it was deleted, or it is not valid", from[0].id)
	}
	return e, err
}

// maxNear is how many ids a message names.
const maxNear = 5

// pick returns the one id that is meant.
func pick(all map[string][]source, id string) (string, *UnknownError) {
	if all[id] != nil {
		return id, nil
	}
	ids := slices.Sorted(maps.Keys(all))
	var begin []string
	for _, other := range ids {
		if id != "" && strings.HasPrefix(other, id) {
			begin = append(begin, other)
		}
	}
	if len(begin) == 1 {
		return begin[0], nil
	}
	unknown := &UnknownError{ID: id, Near: begin, Many: len(begin) > 1}
	if !unknown.Many {
		slices.SortStableFunc(ids, func(x, y string) int { return common(y, id) - common(x, id) })
		unknown.Near = ids[:min(len(ids), maxNear)]
	}
	return "", unknown
}

// common counts the bytes that two texts begin with alike.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
