package backoff

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	b := Bounds{First: time.Second, Max: time.Minute}
	for failures, most := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1 << 40: time.Minute,
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			got := b.Pause(failures)
			if got < most/2 || got > most {
				t.Fatalf("after %d failures: %v, which is not between %v and %v", failures, got, most/2, most)
			}
			seen[got] = true
		}
		if len(seen) < 2 {
			t.Errorf("after %d failures: always the same pause", failures)
		}
	}
}
