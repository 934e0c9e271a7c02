package ship

import (
	"time"

	"github.com/logfast/logfast/driver/spool"
)

// Shipped is a segment that is in the store.
type Shipped struct {
	Segment spool.Segment // while it was packed
	Meta    *spool.Meta
	Size    int64     // of the object, bytes
	At      time.Time // when the store confirmed it
}

// Result is how an attempt to put an object ended.
type Result string

// The results.
const (
	ResultOK      Result = "ok"
	ResultFailed  Result = "failed"  // it may pass
	ResultBlocked Result = "blocked" // somebody has to change something
	ResultLocal   Result = "local"   // the segment, or the disk, is at fault
)

// Results are all of them.
var Results = []Result{ResultOK, ResultFailed, ResultBlocked, ResultLocal}

// Counts is what ship has done since logfast started.
type Counts struct {
	Attempts map[Result]int64
	Bytes    int64 // of the objects that were put
}

// Counts says how much was tried and done. Every result is there, so that a
// zero is seen.
func (s *Shipper) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Counts{Attempts: map[Result]int64{}, Bytes: s.counts.Bytes}
	for _, r := range Results {
		c.Attempts[r] = s.counts.Attempts[r]
	}
	return c
}

func (s *Shipper) count(r Result, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts.Attempts == nil {
		s.counts.Attempts = map[Result]int64{}
	}
	s.counts.Attempts[r]++
	s.counts.Bytes += size
}
