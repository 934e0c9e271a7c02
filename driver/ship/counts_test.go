package ship

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

func TestEachAttemptIsCountedByItsResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		var shipped []Shipped
		b.cfg.Shipped = func(s Shipped) { shipped = append(shipped, s) }
		b.store.fail = func(_ string, attempt int) error {
			switch attempt {
			case 1:
				return errors.New("503 SlowDown")
			case 2:
				return fmt.Errorf("403: %w", store.ErrBlocked)
			case 3:
				return fmt.Errorf("too long: %w", store.ErrInvalid)
			}
			return nil
		}
		b.seal("web", 0, spool.Stop)
		b.run(time.Hour)
		c := b.Counts()
		for _, r := range Results {
			if c.Attempts[r] != 1 {
				t.Errorf("%s: %d attempts, want 1", r, c.Attempts[r])
			}
		}
		if len(shipped) != 1 || shipped[0].Meta.Key != "web-000001-stop.log.gz" || shipped[0].Size == 0 || shipped[0].Size != c.Bytes || shipped[0].At.IsZero() {
			t.Errorf("shipped %+v, counted %d bytes", shipped, c.Bytes)
		}
	})
}

// TestRetryEndsEveryPause repairs what kept segments back and does not wait for
// the end of the pauses that the failures have made.
func TestRetryEndsEveryPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		down := true
		b.store.fail = func(string, int) error {
			if down {
				return fmt.Errorf("403: %w", store.ErrBlocked)
			}
			return nil
		}
		b.seal("web", 0, spool.Stop)
		b.seal("web", 1, spool.Stop)
		b.run(0,
			func() { time.Sleep(time.Hour) }, // the pauses are a minute long by now
			func() { down = false; b.Retry() },
			func() {
				if n := len(b.keys()); n != 2 {
					t.Errorf("%d objects of 2 without any time having passed", n)
				}
			},
		)
	})
}
