package capture

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/durable"
)

// hang makes each step on the disk hang whose file has this in its path, until the
// returned function is called. hung is closed once one hangs.
func hang(t *testing.T, name string) (hung <-chan struct{}, release func()) {
	t.Helper()
	first, over := make(chan struct{}), make(chan struct{})
	var once sync.Once
	release = sync.OnceFunc(func() { close(over) })
	t.Cleanup(durable.Intercept(func(s durable.Step, do func() error) error {
		if strings.Contains(s.Name, name) {
			once.Do(func() { close(first) })
			<-over
		}
		return do()
	}))
	t.Cleanup(release)
	return first, release
}

// TestDriver_AHungDiskCallHoldsItsContainerAlone has an fsync of one container hang,
// in each of the seals that the driver does by itself.
func TestDriver_AHungDiskCallHoldsItsContainerAlone(t *testing.T) {
	for name, seal := range map[string]func(h *host){
		"the daily seal": func(h *host) { h.sealer.startOlder(time.Now().Add(time.Hour)) },
		"a fast track":   func(h *host) { h.sealer.startDue(time.Now().Add(2 * time.Hour)) },
		"a want of room": func(h *host) { h.jobs.start(func() { _ = h.makeRoom(spool.Need{Bytes: 1, Refused: unix.EDQUOT}) }) },
		"the container's end": func(h *host) {
			for _, s := range h.streams.find(func(s *stream) bool { return s.desc.Name == "hung" }) {
				s.interrupt()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			config := map[string]string{"fast-track-scope": "host"}
			bad := h.start("hung", config)
			others := []*container{h.start("a", config), h.start("z", config)}
			for _, c := range append(others, bad) {
				c.line(0, strings.Repeat("x", 8<<10)) // worth a seal for room
				c.line(0, serverError)
				h.eventually("the line is written", func() bool { return strings.HasSuffix(c.text(), "12\n") })
			}
			hung, release := hang(t, "hung-")
			seal(h)
			select {
			case <-hung:
			case <-time.After(20 * time.Second):
				t.Fatal("nothing hangs: this test shows nothing")
			}
			// What follows would hang with it.
			if got := len(h.Snapshot().Streams); got != 3 {
				t.Errorf("%d streams in the snapshot", got)
			}
			late := h.start("late", config)
			for i, c := range append(others, late) {
				c.line(1, fmt.Sprintf("more %d", i))
				h.Stop(c.fifo)
				if got := c.files(); !strings.Contains(c.text(), fmt.Sprintf("more %d\n", i)) || got[c.info.Name()+".log"] != "" {
					t.Errorf("%s is not written and sealed: %v", c.info.Name(), got)
				}
			}
			release()
		})
	}
}

// TestSyncer_AHungSyncHoldsItsStreamAlone has the first sync of one container hang.
func TestSyncer_AHungSyncHoldsItsStreamAlone(t *testing.T) {
	h := newHost(t)
	hung, release := hang(t, "hung-")
	release = sync.OnceFunc(release)
	defer release()
	other := h.start("a", nil)
	bad := h.container("hung", nil)
	// Its directory is there: making it would hang in capture.
	if err := os.Mkdir(filepath.Join(h.dir, "hung-"+bad.info.ID()), 0o750); err != nil {
		t.Fatal(err)
	}
	desc, _, err := h.Describe(bad.info)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(desc)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, desc.Dir(), ".stream.json"), data, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(bad.fifo, bad.info); err != nil {
		t.Fatal(err)
	}
	bad.line(0, serverError)
	<-hung
	s := h.streams.find(func(s *stream) bool { return s.path == other.fifo })[0]
	for i := range 3 {
		other.line(i, serverError)
		h.Settle(t.Context(), other.info.ContainerID)
		h.eventually("the other's line is synced", func() bool { return !s.dirty.Load() && !s.writer.Dirty() })
	}
	release()
}

// TestDriver_AHungRegistrationHoldsItsContainerAlone has the disk hang where one
// stream is registered, and then where it is reattached.
func TestDriver_AHungRegistrationHoldsItsContainerAlone(t *testing.T) {
	h := newHost(t)
	bad, other := h.container("hung", nil), h.start("a", nil)
	hung, release := hang(t, journal.Name(bad.fifo))
	started := make(chan error, 1)
	go func() { started <- h.Start(bad.fifo, bad.info) }()
	<-hung
	late := h.start("late", nil)
	if got := len(h.Snapshot().Streams); got != 2 {
		t.Errorf("%d streams in the snapshot", got)
	}
	for _, c := range []*container{other, late} {
		c.line(0, "x")
		h.Stop(c.fifo)
		if c.text() == "" {
			t.Errorf("%s: nothing is written", c.info.Name())
		}
	}
	release()
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// open starts n containers with an open incident each.
func (h *host) open(n int) (all []*container) {
	h.Helper()
	for i := range n {
		c := h.start(fmt.Sprintf("%c%03d", 'a'+i%20, i), nil)
		c.info.ContainerID = fmt.Sprintf("%064x", i)
		c.line(0, serverError)
		all = append(all, c)
	}
	h.eventually("an incident is open in each", func() bool { return len(h.Snapshot().Events) == n })
	return all
}

// TestDriver_ClosingIsLinear counts what is done at the end of many containers that
// have an open incident each: twice as many make twice the work.
func TestDriver_ClosingIsLinear(t *testing.T) {
	inMemory(t)
	work := func(n int) (steps, looks int64) {
		h := newStillHost(t)
		h.open(n)
		var done atomic.Int64
		defer durable.Intercept(func(s durable.Step, do func() error) error {
			done.Add(1)
			if strings.HasPrefix(s.Op, "fsync") {
				return nil
			}
			return do()
		})()
		before := h.events.Looks()
		h.stop()
		return done.Load(), h.events.Looks() - before
	}
	const n = 50
	steps, looks := work(n)
	for _, times := range []int64{2, 4} {
		more, moreLooks := work(n * int(times))
		if more > times*steps+n || moreLooks > times*looks+n {
			t.Errorf("%d containers take %d steps on the disk and %d looks at events, %d take %d and %d", n, steps, looks, n*times, more, moreLooks)
		}
	}
	if steps > 40*n || looks > 10*n {
		t.Errorf("%d containers take %d steps on the disk and %d looks at events", n, steps, looks)
	}
}
