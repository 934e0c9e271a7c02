package ship

import (
	"errors"
	"maps"
	"slices"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/wake"
)

// Trimming deletes uploaded copies for which a container's option max-file leaves no
// place. prune does it: for a directory soon after an upload, and for all with each round.

// grown notes that a segment of a directory is uploaded. It never waits.
func (s *Shipper) grown(seg spool.Segment, m *spool.Meta) {
	if m.Stream.MaxFile == 0 {
		return
	}
	s.mu.Lock()
	if s.untrimmed == nil {
		s.untrimmed = map[string]bool{}
	}
	s.untrimmed[seg.Dir] = true
	s.mu.Unlock()
	wake.Up(s.grew)
}

// takeGrown returns the directories that have grown since the last call.
func (s *Shipper) takeGrown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	dirs := slices.Sorted(maps.Keys(s.untrimmed))
	s.untrimmed = nil
	return dirs
}

// trim deletes the copies for which a container's max-file leaves no place. What cannot
// be deleted is found by the next call for its directory.
func (s *Shipper) trim(dirs []string) {
	var needed func(spool.Segment) bool
	for _, dir := range dirs {
		beyond, err := s.cfg.Spool.Beyond(dir)
		if err != nil {
			s.cfg.Log.Error("list a container's directory", "directory", dir, "err", err)
		}
		for _, seg := range beyond {
			if needed == nil {
				needed = s.pruneIncidents()
			}
			if needed(seg) {
				continue
			}
			if err := s.cfg.Spool.Delete(seg); err != nil && !errors.Is(err, spool.ErrHeld) {
				s.cfg.Log.Error("delete a copy for max-file; will try again", "segment", seg.Path(), "err", err)
			}
		}
	}
}

// dirsOf returns the directories of segments, each once.
func dirsOf(all []spool.Segment) []string {
	dirs := map[string]bool{}
	for _, seg := range all {
		dirs[seg.Dir] = true
	}
	return slices.Sorted(maps.Keys(dirs))
}
