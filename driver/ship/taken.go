package ship

import (
	"errors"
	"sync"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

// keysTried is how many keys an attempt tries. A segment's next attempt goes on from
// there.
const keysTried = 8

// maxIncidentKeys is how many keys an attempt tries for an incident. Each attempt
// begins anew: foreign objects under so many keys are made to be in the way.
const maxIncidentKeys = 64

// takenKeys are the keys that others have and that a line in the log has named: one
// foreign object may be in the way of many segments, and of many attempts.
type takenKeys struct {
	mu    sync.Mutex      // guards named; held for no I/O
	named map[string]bool // at most maxNamed
}

const maxNamed = 1 << 10

// first reports whether the key is not named yet, and notes it.
func (k *takenKeys) first(key string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.named[key] {
		return false
	}
	if k.named == nil || len(k.named) == maxNamed {
		k.named = map[string]bool{}
	}
	k.named[key] = true
	return true
}

// logTaken logs whose object has a segment's key. With a template such as
// {app}.log-{unix}.gz the segments of an app share a key whenever they begin in the
// same second: that is normal, and worth no more than DEBUG.
func (s *Shipper) logTaken(seg spool.Segment, m *spool.Meta, key string, err error) {
	log := s.cfg.Log.With("segment", seg.Path(), "key", key, "instead", m.Key)
	var other *store.TakenError
	known := errors.As(err, &other)
	switch {
	case known && spool.WroteMetadata(other.By.Metadata):
		by := other.By.Metadata
		if by["sha256"] == m.SHA256 && by["container-id"] == m.Stream.ID {
			// Metadata proves no bytes: these here are uploaded as well.
			log.Debug("the segment's text is in the store already, packed otherwise; taking another key")
			return
		}
		log.Debug("another segment has the segment's key; taking another", "host", by["host"],
			"container", by["container"])
	case !s.taken.first(key):
		log.Debug("an object that was logged already has the segment's key; taking another")
	case known:
		log.Error("a foreign object has the segment's key; taking another")
	default:
		log.Info("another object has the segment's key, and the store does not say whose; taking another")
	}
}

// logIncidentTaken logs whose object has an incident's key. IDs are random, so an
// incident that is there is the same one, put by an earlier life of this host.
func (s *Shipper) logIncidentTaken(id, key string, err error) {
	log := s.cfg.Log.With("incident", id, "key", key)
	var other *store.TakenError
	known := errors.As(err, &other)
	switch {
	case known && other.By.ContentType == incidentType:
		log.Debug("the incident is in the store already, with other bytes; taking another key")
	case !s.taken.first(key):
		log.Debug("an object that was logged already has the incident's key; taking another")
	case known:
		log.Error("a foreign object has the incident's key; taking another")
	default:
		log.Info("another object has the incident's key, and the store does not say whose; taking another")
	}
}
