package ship

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/wake"
)

// incidentType is the media type of an incident's object: CloudEvents' own, for
// its structured JSON mode.
const incidentType = "application/cloudevents+json"

// reporter is the loop that tells of incidents. Its goroutine owns it.
type reporter struct {
	*Shipper
	out   outage              // of the store
	tries map[string]*attempt // by incident, of those that failed by themselves
}

type attempt struct {
	failures  int
	notBefore time.Time
}

// errAgain: the incident was made anew, or has gone; look again.
var errAgain = errors.New("it was made anew")

// errWaiting: a member of the incident is not in the store yet.
var errWaiting = errors.New("its segments are not all uploaded")

// incidents puts each incident into the store, once all its segments are there,
// and has it announced, until ctx ends.
//
//	Dir.Build          killed before: built again, of the same segments
//	put the object     killed before or after: put again, which changes nothing
//	Announce           killed after: announced again, which changes nothing
//	Dir.MarkUploaded
//
// Its pauses are those of the uploads, and nothing waits for it but the deletion
// of its segments' copies.
func (s *Shipper) incidents(ctx context.Context) {
	r := &reporter{Shipper: s, tries: map[string]*attempt{}}
	for {
		wait := r.work(ctx)
		select {
		case <-ctx.Done():
			return
		case <-s.closed:
		case <-until(wait):
		}
	}
}

// work does what can be done now and returns when to try again, zero where only
// a wake-up can bring something to do.
func (r *reporter) work(ctx context.Context) (wait time.Time) {
	all, err := r.cfg.Incidents.List()
	if err != nil {
		r.cfg.Log.Error("list the incidents", "err", err)
		wait = time.Now().Add(r.pace.max)
	}
	sooner := func(at time.Time) {
		if wait.IsZero() || at.Before(wait) {
			wait = at
		}
	}
	there := map[string]bool{}
	for _, e := range all {
		there[e.ID] = true
		if e.State != incident.Closing && e.State != incident.Built {
			continue
		}
		now := time.Now()
		if r.out.notBefore.After(now) {
			sooner(r.out.notBefore)
			continue
		}
		if t := r.tries[e.ID]; t != nil && t.notBefore.After(now) {
			sooner(t.notBefore)
			continue
		}
		err := r.report(ctx, e)
		if errors.Is(err, errAgain) {
			wake.Up(r.closed)
			continue
		}
		if err != nil && !errors.Is(err, errWaiting) {
			if ctx.Err() != nil {
				return wait
			}
			sooner(r.failed(e, now, err))
		}
	}
	for id := range r.tries {
		if !there[id] {
			delete(r.tries, id)
		}
	}
	return wait
}

// failed notes a failure and returns when to try again.
func (r *reporter) failed(e incident.Entry, now time.Time, err error) time.Time {
	t := r.tries[e.ID]
	if t == nil {
		t = &attempt{}
		r.tries[e.ID] = t
	}
	t.failures++
	log := r.cfg.Log.With("incident", e.ID, "attempt", t.failures, "err", err)
	if local(err) {
		t.notBefore = now.Add(r.pace.backoff(t.failures))
		log.Error("an incident cannot be told; will try again")
		return t.notBefore
	}
	r.out.failed(now, r.pace)
	log.Warn("an incident cannot be put into the store; will try again",
		"next", time.Until(r.out.notBefore).Round(time.Millisecond))
	return r.out.notBefore
}

// report takes one incident as far as it goes now.
func (r *reporter) report(ctx context.Context, e incident.Entry) error {
	if e.State == incident.Closing {
		if err := r.build(e); err != nil {
			return err
		}
		e.State = incident.Built
	}
	event, data, err := r.cfg.Incidents.Event(e)
	if errors.Is(err, incident.ErrDamaged) {
		return r.restore(e, err)
	}
	if err != nil {
		return inSpool(err)
	}
	key, err := r.put(ctx, event, data)
	if err != nil {
		return err
	}
	r.out = outage{}
	if r.cfg.Announce != nil {
		if err := r.cfg.Announce(event); err != nil {
			return inSpool(fmt.Errorf("announce: %w", err))
		}
	}
	if err := r.cfg.Incidents.MarkUploaded(e.ID); err != nil {
		return inSpool(err)
	}
	delete(r.tries, e.ID)
	r.cfg.Log.Info("incident uploaded", "incident", e.ID, "key", key, "errors", event.Data.Errors,
		"objects", len(event.Data.Objects))
	return nil
}

// build makes the event of an incident that is closed.
func (r *reporter) build(e incident.Entry) error {
	record, err := r.cfg.Incidents.Record(e)
	if errors.Is(err, incident.ErrDamaged) {
		return r.restore(e, err)
	}
	if err != nil {
		return inSpool(err)
	}
	return r.buildOf(e, record)
}

// restore makes the event of an incident anew whose file is damaged, under its ID,
// of the segments that name it. If none is left there is nothing to tell.
func (r *reporter) restore(e incident.Entry, damage error) error {
	at, _ := incident.TimeOf(e.ID) // a file without a time is none of the directory's
	record := &incident.Record{
		ID: e.ID, Scope: "host", Name: "host", First: at, Last: at, Closed: incident.ClosedRecover,
		At: time.Now().UTC(),
	}
	all, err := r.cfg.Spool.All()
	if err != nil {
		return inSpool(err)
	}
	for _, seg := range all {
		m, err := r.cfg.Spool.Look(seg)
		if err != nil || m.Event != e.ID {
			continue
		}
		record.Members = append(record.Members, incident.Member{Dir: seg.Dir, Stem: seg.Name.Stem()})
		record.Host = m.Stream.Host
		if m.LastError.After(record.Last) {
			record.Last = m.LastError
		}
	}
	if len(record.Members) == 0 {
		r.cfg.Log.Error("an incident is lost: its file is damaged, and none of its segments is in the spool any "+
			"more; its log objects are in the store",
			"incident", e.ID, "err", damage)
		return r.forget(e)
	}
	r.cfg.Log.Error("an incident is made anew from its segments", "incident", e.ID, "segments", len(record.Members),
		"err", damage)
	if err := r.buildOf(e, record); err != nil {
		return err
	}
	return errAgain
}

// forget removes what is left of an incident.
func (r *reporter) forget(e incident.Entry) error {
	if err := r.cfg.Incidents.Forget(e); err != nil {
		return inSpool(err)
	}
	return errAgain
}

// buildOf makes the event of a record's incident.
func (r *reporter) buildOf(e incident.Entry, record *incident.Record) error {
	record.Missing = 0
	var parts []incident.Part
	for _, m := range record.Members {
		part, err := r.part(m)
		switch {
		case errors.Is(err, os.ErrNotExist):
			record.Missing++
			r.cfg.Log.Warn("a segment of an incident is gone; somebody removed it", "incident", e.ID, "segment", m.Stem)
		case err != nil:
			return err
		default:
			parts = append(parts, *part)
		}
	}
	data, err := json.MarshalIndent(incident.Build(record, parts), "", "  ")
	if err != nil {
		return inSpool(err)
	}
	data = append(data, '\n')
	if err := r.cfg.Spool.WithRoom(spool.Need{Grow: true},
		func() error { return r.cfg.Incidents.Build(e.ID, data) }); err != nil {
		return inSpool(err)
	}
	return nil
}

// part is what a segment has to say, once it is uploaded: errWaiting before, and
// os.ErrNotExist where it is gone.
func (r *reporter) part(m incident.Member) (*incident.Part, error) {
	name, ok := spool.ParseName(m.Stem)
	if !ok {
		return nil, os.ErrNotExist
	}
	seg := spool.Segment{Dir: m.Dir, Name: name}
	// In the order of a segment's life, so that none escapes; twice, because one
	// that is given up for want of room begins anew.
	for range 2 {
		for _, seg.Name.State = range []spool.State{spool.Sealed, spool.Packed} {
			if r.cfg.Spool.Exists(seg) {
				return nil, errWaiting
			}
		}
		if seg.Name.State = spool.Uploaded; r.cfg.Spool.Exists(seg) {
			return r.describe(seg)
		}
	}
	return nil, os.ErrNotExist
}

func (r *reporter) describe(seg spool.Segment) (*incident.Part, error) {
	m, err := r.cfg.Spool.Meta(seg)
	if errors.Is(err, spool.ErrNoMeta) {
		return nil, os.ErrNotExist // nobody knows its key any more
	}
	if err != nil {
		return nil, inSpool(err)
	}
	findings, err := r.findings(seg, m)
	if err != nil {
		r.cfg.Log.Warn("the incident lacks the errors of a segment: its description was changed", "segment", seg.Path(),
			"err", err)
	}
	p := &incident.Part{
		Container: triage.Container(&m.Stream),
		Object: incident.Object{
			Key: m.Key, Container: m.Stream.Name, Reason: string(m.Reason), First: m.First, Last: m.Last,
			Lines: m.Lines, Errors: m.Errors, Bytes: m.Bytes, Size: r.cfg.Spool.Size(seg), SHA256: m.SHA256Object,
		},
		Findings: findings,
	}
	if m.Lost != nil && !m.Partly { // else a line in the text says it
		p.GivenUp, p.LostLines, p.LostErrors = true, m.Lost.Lines, m.LostErrors
	}
	return p, nil
}

// findings returns what was found in a segment's text when it was packed. If those
// findings are damaged, the text is read once more.
func (r *reporter) findings(seg spool.Segment, m *spool.Meta) (*incident.Findings, error) {
	findings, err := triage.Findings(m)
	if err == nil {
		return findings, nil
	}
	again := *m
	var readErr error
	if again.Findings, readErr = r.cfg.Spool.Observe(seg, m); readErr != nil {
		return nil, errors.Join(err, readErr)
	}
	r.cfg.Log.Warn("a segment's description was changed; its errors were read from its text again", "segment",
		seg.Path(), "err", err)
	return triage.Findings(&again)
}

// put puts the incident's object, and returns its key.
func (r *reporter) put(ctx context.Context, event *incident.Event, data []byte) (string, error) {
	attrs := store.Attributes{Size: int64(len(data)), SHA256: sha256.Sum256(data), ContentType: incidentType}
	put := func(key string) error {
		attempt, cancel := context.WithTimeout(ctx, r.pace.attemptTime(attrs.Size))
		defer cancel()
		return r.cfg.Store.Put(attempt, key, bytes.NewReader(data), attrs)
	}
	key := incident.Key(event.ID, event.Data.Host)
	beside := fmt.Sprintf("%s-%x", strings.TrimSuffix(key, ".json"), attrs.SHA256[:8])
	for tried := 1; ; tried++ {
		err := put(key)
		if !errors.Is(err, store.ErrExists) || tried == maxIncidentKeys {
			return key, err
		}
		// Another object has our key. It stays, ours gets another key: the same
		// one whenever this is done again.
		r.logIncidentTaken(event.ID, key, err)
		key = beside + ".json"
		if tried > 1 {
			key = fmt.Sprintf("%s-%d.json", beside, tried)
		}
	}
}

// pruneIncidents deletes incidents whose time is over, and returns which of the
// uploaded segments are still needed: an incident of theirs is not built.
func (s *Shipper) pruneIncidents() (needed func(spool.Segment) bool) {
	unbuilt := map[string]bool{}
	if s.cfg.Incidents == nil {
		return func(spool.Segment) bool { return false }
	}
	all, err := s.cfg.Incidents.List()
	if err != nil {
		s.cfg.Log.Error("list the incidents", "err", err)
		return func(spool.Segment) bool { return true }
	}
	for _, e := range all {
		switch e.State {
		case incident.Open, incident.Closing:
			unbuilt[e.ID] = true
		case incident.Uploaded:
			if now := time.Now(); now.Sub(s.cfg.Incidents.There(e, now)) < s.cfg.Keep {
				continue
			}
			if err := s.cfg.Incidents.Delete(e.ID); err != nil {
				s.cfg.Log.Error("prune an incident; will try again", "incident", e.ID, "err", err)
			}
		}
	}
	return func(seg spool.Segment) bool {
		if len(unbuilt) == 0 {
			return false
		}
		m, err := s.cfg.Spool.Look(seg)
		return err == nil && unbuilt[m.Event]
	}
}
