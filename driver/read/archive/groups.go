package archive

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/triage/cause"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/sum"
)

// Group is the errors of one kind, in all incidents that had them.
type Group struct {
	// of the app that is the cause, or else of the first incident that was read; First, Last
	// and Errors are of all incidents
	incident.Fingerprint
	Kind string `json:"kind"` // see incident.Fingerprint.ByKind
	// Cause is of the latest incident, without its trace; nil if no log says what failed.
	Cause     *cause.Cause `json:"cause,omitempty"`
	Routes    int          `json:"routes"`    // how many routes failed so, at most MaxRoutes
	Hosts     []string     `json:"hosts"`     // at most MaxHosts
	Incidents []string     `json:"incidents"` // their ids, the latest last; at most the MaxIncidents latest

	seen   []seen
	routes map[string]bool // method and route
	caused time.Time       // when Cause was seen last
}

// seen is an incident of a group.
type seen struct {
	id   string
	last time.Time
}

// The bounds of what Groups keeps.
const (
	MaxGroups    = 4096 // kinds of errors
	MaxHosts     = 256
	MaxRoutes    = 256
	MaxIncidents = 1000
)

// Groups folds incidents by the kind of what failed. What it keeps is bounded, however many
// incidents there are. The zero value, with a query, is ready.
type Groups struct {
	Query    Query // if it names apps, only errors of these are kept
	Unlisted int64 // errors of further kinds: at most MaxGroups are told apart
	byID     map[string]*Group
}

// Add adds an incident's errors. It keeps nothing of the event but names and causes.
func (g *Groups) Add(e *incident.Event) {
	if g.byID == nil {
		g.byID = map[string]*Group{}
	}
	for i := range e.Data.Fingerprints {
		f := &e.Data.Fingerprints[i]
		if len(g.Query.Apps) > 0 && !anyOf(g.Query.Apps, f.App) {
			continue
		}
		for _, k := range f.ByKind() {
			g.add(e, f, k)
		}
	}
}

// add adds the errors of one kind.
func (g *Groups) add(e *incident.Event, f *incident.Fingerprint, k incident.Kind) {
	of := g.byID[k.ID]
	if of == nil && len(g.byID) >= MaxGroups {
		g.Unlisted = sum.Add(g.Unlisted, k.Errors)
		return
	}
	if of == nil {
		of = &Group{Fingerprint: *f, Kind: k.ID, routes: map[string]bool{}}
		of.Errors, of.Kinds = 0, nil
		g.byID[k.ID] = of
	}
	of.add(e, f, k.Errors)
}

func (g *Group) add(e *incident.Event, f *incident.Fingerprint, errors int64) {
	g.Errors = sum.Add(g.Errors, errors)
	if f.First.Before(g.First) {
		g.First = f.First
	}
	if f.Last.After(g.Last) {
		g.Last = f.Last
	}
	if len(g.routes) < MaxRoutes {
		g.routes[f.Method+" "+f.Route] = true
	}
	if c, of := e.Data.CauseOf(g.Kind); c != nil && !e.Data.Last.Before(g.caused) {
		g.caused = e.Data.Last
		g.Cause = &cause.Cause{Language: c.Language, Type: c.Type, Message: c.Message, Frame: c.Frame}
		g.ID, g.App, g.Method, g.Route, g.Status = of.ID, of.App, of.Method, of.Route, of.Status
	}
	if len(g.Hosts) < MaxHosts && !slices.Contains(g.Hosts, e.Data.Host) {
		g.Hosts = append(g.Hosts, e.Data.Host)
	}
	if n := len(g.seen); n > 0 && g.seen[n-1].id == e.Data.ID {
		return // another of its fingerprints
	}
	if g.seen = append(g.seen, seen{e.Data.ID, e.Data.Last}); len(g.seen) >= 2*MaxIncidents {
		g.trim()
	}
}

// trim sorts the incidents and drops the oldest.
func (g *Group) trim() {
	slices.SortFunc(g.seen, func(x, y seen) int { return cmp.Or(x.last.Compare(y.last), strings.Compare(x.id, y.id)) })
	if more := len(g.seen) - MaxIncidents; more > 0 {
		g.seen = slices.Delete(g.seen, 0, more)
	}
}

// List returns the groups; the one that was seen last comes first.
func (g *Groups) List() []*Group {
	for _, of := range g.byID {
		slices.Sort(of.Hosts)
		of.trim()
		of.Incidents = of.Incidents[:0]
		of.Routes = len(of.routes)
		for _, s := range of.seen {
			of.Incidents = append(of.Incidents, s.id)
		}
	}
	return slices.SortedFunc(maps.Values(g.byID), func(x, y *Group) int {
		return cmp.Or(y.Last.Compare(x.Last), strings.Compare(x.Kind, y.Kind))
	})
}
