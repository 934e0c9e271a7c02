package capture

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/durable"
)

// TestActiveSegmentsDoNotFillTheSpoolForGood has more containers than the
// budget has room for their active segments, and none ends.
func TestActiveSegmentsDoNotFillTheSpoolForGood(t *testing.T) {
	for _, onFull := range []options.OnFull{options.OnFullDrop, options.OnFullBlock} {
		t.Run(string(onFull), func(t *testing.T) {
			h := newHostIn(t, t.TempDir(), func(c *Config, o *spool.Options) { c.OnFull, o.MaxDisk = onFull, 1<<20 })
			var c *container
			for i, lines := range []int{7, 7, 7, 7, 7, 7, 7, 7, 7, 3} { // 7 are less than an eighth of the budget
				c = h.start(fmt.Sprint("web", i), nil)
				for range lines {
					c.line(0, strings.Repeat("x", 16<<10))
				}
			}
			// Batches that come at one time may all find room for themselves; the
			// next one does not.
			h.eventually("a segment is sealed", func() bool {
				select {
				case <-h.sealed:
					return true
				default:
					c.line(0, "x")
					return false
				}
			})
		})
	}
}

// TestANewDayComesOnAFullDisk has a disk that takes nothing until an uploaded
// segment, the only thing to delete, has gone.
func TestANewDayComesOnAFullDisk(t *testing.T) {
	h := newStillHost(t)
	old := h.start("old", nil)
	old.line(0, "old")
	h.Stop(old.fifo)
	all, err := h.cfg.Spool.List(spool.Sealed)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	packed, err := h.cfg.Spool.Pack(all[0], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cfg.Spool.Uploaded(packed); err != nil {
		t.Fatal(err)
	}
	c := h.start("web", nil)
	c.line(0, "today")
	h.eventually("the line is there", func() bool { return c.text() != "" })
	t.Cleanup(durable.Intercept(func(s durable.Step, do func() error) error {
		left, err := h.cfg.Spool.List(spool.Uploaded)
		if s.Op == "create" && (err != nil || len(left) > 0) {
			return unix.ENOSPC
		}
		return do()
	}))
	c.line(24*60*60, "tomorrow")
	h.eventually("the next day's line is there", func() bool { return strings.Contains(c.text(), "tomorrow") })
}

// TestATornFrameIsMarkedOnceTheDiskTakesIt has dockerd die within a frame while
// the disk refuses.
func TestATornFrameIsMarkedOnceTheDiskTakesIt(t *testing.T) {
	h := newStillHost(t)
	c := h.start("web", nil)
	refused := make(chan struct{}, 1000)
	var again atomic.Bool
	t.Cleanup(durable.Intercept(func(s durable.Step, do func() error) error {
		if again.Load() {
			return do()
		}
		refused <- struct{}{}
		return unix.EIO
	}))
	if _, err := c.w.Write([]byte{0, 0, 1, 0, 0x0a, 6}); err != nil {
		t.Fatal(err)
	}
	if err := c.w.Close(); err != nil {
		t.Fatal(err)
	}
	<-refused
	again.Store(true)
	h.eventually("the stream is forgotten", func() bool { return h.streams.all() == nil })
	if got := c.text(); !strings.Contains(got, "(6 bytes) lost, not a log frame") {
		t.Fatalf("%q", got)
	}
}

// TestWhatCouldNotBeSealedAtTheEndIsSealedLater: the disk does not take the
// seal's description.
func TestWhatCouldNotBeSealedAtTheEndIsSealedLater(t *testing.T) {
	h := newStillHost(t)
	c := h.start("web", nil)
	c.line(0, serverError)
	h.eventually("the line is on disk", func() bool { return len(c.files()) == 1 })
	stop := durable.Intercept(func(step durable.Step, do func() error) error {
		if step.Op == "write" && strings.HasSuffix(step.Name, "-error.json.tmp") {
			return unix.EIO
		}
		return do()
	})
	h.Stop(c.fifo)
	h.sealer.sealLeft()
	c.want(map[string]string{"web.log": day + "1.000000000Z stdout F " + serverError + "\n"})
	stop()
	h.run() // it has been woken for this
	<-h.sealed
	c.want(map[string]string{"web.log-20261123T190301.000000Z-000001-error": day + "1.000000000Z stdout F " + serverError + "\n"})
}
