package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
)

// inMemory keeps this test's directories in memory and leaves out all syncs: what
// is synced does not matter to a test that cuts no power.
func inMemory(t *testing.T) {
	t.Helper()
	t.Setenv("TMPDIR", "/dev/shm")
	t.Cleanup(durable.Intercept(func(s durable.Step, do func() error) error {
		if strings.HasPrefix(s.Op, "fsync") {
			return nil
		}
		return do()
	}))
}

// incidents returns the IDs of the incidents that the spool has, in any state.
func (h *host) incidents() []string {
	h.Helper()
	files, err := os.ReadDir(filepath.Join(h.dir, incident.StateDir))
	if err != nil {
		h.Fatal(err)
	}
	var ids []string
	for _, f := range files {
		ids = append(ids, f.Name()[:strings.Index(f.Name(), "Z-")+len("Z-01234567")])
	}
	slices.Sort(ids)
	return ids
}

// TestRecover_OpenIncidentsKeepTheirIDs has forty containers end while no process
// reads them, each within an incident of which an early notice was given.
func TestRecover_OpenIncidentsKeepTheirIDs(t *testing.T) {
	inMemory(t)
	const containers, runs = 40, 17 // a hundred of all six kinds
	for _, scope := range []string{"container", "group", "host"} {
		for _, alive := range []int{0, 1} { // containers that go on
			t.Run(fmt.Sprintf("%s, %d go on", scope, alive), func(t *testing.T) {
				var noticed []string
				h := newHostIn(t, t.TempDir(), func(c *Config, _ *spool.Options) {
					c.Opened = func(e *incident.Event) { noticed = append(noticed, e.Data.ID) }
				})
				var all []*container
				for i := range containers {
					c := h.container(fmt.Sprintf("%c%02d", 'a'+i%20, i), map[string]string{"fast-track-scope": scope, "group": "shop"})
					s := c.doomed()
					c.line(i, serverError)
					if _, err := s.batch(); err != nil {
						t.Fatal(err)
					}
					all = append(all, c)
				}
				h.events.Notify(h.sealer.expect, h.cfg.Opened)
				slices.Sort(noticed)
				for _, c := range all[alive:] {
					c.w.Close()
				}
				for run := range runs {
					next := h.killed()
					for i, c := range all { // the end of a run removes the FIFOs
						if _, err := os.Lstat(c.fifo); i >= alive && err != nil {
							if err := unix.Mkfifo(c.fifo, 0o700); err != nil {
								t.Fatal(err)
							}
						}
					}
					var mu sync.Mutex
					var later []string
					next.cfg.Opened = func(e *incident.Event) {
						mu.Lock()
						defer mu.Unlock()
						later = append(later, e.Data.ID)
					}
					if err := next.Recover(); err != nil {
						t.Fatal(err)
					}
					next.eventually("the containers' streams have ended", func() bool { return len(next.Snapshot().Streams) == alive })
					next.stop()
					got := next.incidents()
					if !slices.Equal(got, noticed) || len(later) > 0 {
						t.Fatalf("run %d: the incidents are now %d: %v\nbefore they were %d: %v\nnoticed anew: %v", run, len(got), got, len(noticed), noticed, later)
					}
				}
			})
		}
	}
}

// TestRecover_AContainerEndsWhilePending has a stream that cannot be reattached, and
// Docker close it: what is in its FIFO is drained and its segment sealed as soon as
// that is possible, not by the next process.
func TestRecover_AContainerEndsWhilePending(t *testing.T) {
	for name, tt := range map[string]struct {
		unopened bool // the FIFO could not be opened, and dockerd removes it
		want     string
	}{
		"its cursor cannot be opened": {false, lineOne + lineTwo},
		"its FIFO goes":               {true, lineOne},
	} {
		t.Run(name, func(t *testing.T) {
			h := newStillHost(t)
			c := h.container("web", nil)
			s := c.doomed()
			c.line(0, "one")
			if _, err := s.batch(); err != nil {
				t.Fatal(err)
			}
			c.line(1, "two, and longer")
			next := h.killed()
			cursor := filepath.Join(next.dir, journal.Dir, journal.Name(c.fifo)+journal.CursorSuffix)
			var obstacle, hidden string
			if tt.unopened { // something else is in its place, and then nothing
				hidden = c.fifo + ".hidden"
				if err := errors.Join(os.Rename(c.fifo, hidden), os.WriteFile(c.fifo, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
				obstacle = c.fifo
			} else {
				if err := errors.Join(os.Remove(cursor), os.Mkdir(cursor, 0o700)); err != nil {
					t.Fatal(err)
				}
				obstacle = cursor
			}
			if err := next.Recover(); err == nil {
				t.Fatal("it was reattached")
			}
			if all := next.Snapshot().Streams; len(all) != 1 || all[0].Trouble == nil || all[0].Name != "web" {
				t.Errorf("the snapshot does not say so: %+v", all)
			}
			next.Stop(c.fifo) // Docker goes on after it: nothing opens the FIFO again
			c.w.Close()
			if !tt.unopened {
				if err := os.Remove(c.fifo); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(obstacle); err != nil {
				t.Fatal(err)
			}
			next.run()
			<-next.sealed
			c.host = next
			for name := range c.files() {
				if strings.HasSuffix(name, ".log") {
					t.Errorf("%s is still active", name)
				}
			}
			if got := c.text(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			next.eventually("the stream is forgotten", func() bool { return len(next.Snapshot().Streams) == 0 })
			left, err := filepath.Glob(filepath.Join(next.dir, journal.Dir, "*"))
			if err != nil || len(left) > 0 {
				t.Errorf("still registered: %v, %v", left, err)
			}
		})
	}
}
