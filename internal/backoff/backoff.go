// Package backoff spaces the attempts at something that fails.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Bounds are those of the pause between two attempts.
type Bounds struct{ First, Max time.Duration }

// Pause returns how long to wait after so many failures in a row. It doubles with
// each, from First up to Max. Chance takes up to half of it away, so that hosts
// that failed together do not return together.
func (b Bounds) Pause(failures int) time.Duration {
	d := b.First
	for ; failures > 1 && d < b.Max; failures-- {
		d *= 2
	}
	d = min(d, b.Max)
	return d/2 + rand.N(d/2+1)
}
