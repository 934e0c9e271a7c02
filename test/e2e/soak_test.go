//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/await"
)

// soaked is a container of the soak, and what it writes.
type soaked struct {
	*container
	lines, errors int
}

// shortLived runs a container that writes some thousand lines and now and then a
// server error, for some seconds.
func shortLived(h *host, n int) soaked {
	h.Helper()
	s := soaked{}
	var steps []step
	for range 1 + rand.IntN(4) {
		count, rate := 100+rand.IntN(3_000), 500+rand.IntN(3_000)
		s.lines += count
		steps = append(steps, step{Count: count, Rate: rate, Line: busyLine})
		if rand.IntN(4) == 0 {
			s.errors++
			steps = append(steps, step{Stderr: []byte(serverError), Pause: time.Duration(rand.IntN(500)) * time.Millisecond})
		}
	}
	s.container = h.run(fmt.Sprint("soak", n), steps, fmt.Sprintf("max-size=%dKB", 100+rand.IntN(400)))
	return s
}

// account fails unless files and objects have every line of the container once.
func (s *soaked) account() {
	s.Helper()
	await.Until(s.T, "everything is shipped", s.shipped)
	for where, text := range map[string]string{"disk": s.onDisk(), "store": s.inStore()} {
		if d := cmp.Diff(audit{Lines: s.lines}, audited(s.T, text)); d != "" {
			s.Errorf("%s, %s: -want +got\n%s", s.app, where, d)
		}
		if got := written(s.T, record.CRI, text)[1]; got != strings.Repeat(serverError, s.errors) {
			s.Errorf("%s, %s: %d errors became %q", s.app, where, s.errors, got)
		}
	}
}

// sample is what the plugin's process holds at a moment.
type sample struct {
	resident int // KiB
	files    int
}

// sample returns false where the process is no more.
func (h *host) sample(pid int) (s sample, ok bool) {
	h.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return s, false
	}
	_, rss, found := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rss, &s.resident); !found || err != nil {
		return s, false
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	s.files = len(files)
	return s, err == nil && s.files > 0
}

func meanResident(all []sample) (mean int) {
	for _, s := range all {
		mean += s.resident
	}
	return mean / max(1, len(all))
}

// TestSoak: containers come and go, 200 in 10 minutes, and report errors; the store
// is there and gone by turns; the plugin is killed each tenth of the time, and left
// alone for the last three. At the end every line of every container is in files
// and objects once, and the plugin's memory and open files have not grown.
// LOGFAST_TEST_SOAK is the time, 10m with "make soak".
func TestSoak(t *testing.T) {
	duration := 30 * time.Second
	if text := os.Getenv("LOGFAST_TEST_SOAK"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	h, store := enableS3(t, "LOGFAST_QUIET_PERIOD=2s", "LOGFAST_MAX_DELAY=5s")
	// One container first, so that all that is made once is made.
	all := []soaked{shortLived(h, 0)}
	all[0].wait()
	all[0].account()
	idle, ok := h.sample(h.process())
	if !ok {
		t.Fatal("the plugin has no process")
	}

	// The moments of what happens are the test's input.
	begin := time.Now()
	after := time.After
	var (
		end       = after(duration)
		container = after(0)
		flap      = after(time.Second)
		kill      = after(duration / 10)
		second    = time.NewTicker(time.Second)
		cut       bool
		kills     int
		life      []sample // of the running process, each second
	)
	defer second.Stop()
loop:
	for pid := h.process(); ; {
		select {
		case <-end:
			break loop
		case <-container:
			container = after(min(2800*time.Millisecond, duration/20))
			all = append(all, shortLived(h, len(all)))
		case <-flap:
			cut = !cut
			store.set(cut)
			flap = after(500*time.Millisecond + rand.N(4*time.Second))
		case <-kill:
			if time.Since(begin) < duration*7/10 {
				h.replace(syscall.SIGKILL)
				pid, life = h.process(), nil
				kills++
				kill = after(duration / 10)
			}
		case <-second.C:
			if s, ok := h.sample(pid); ok {
				life = append(life, s)
			}
		}
	}
	store.set(false)
	lines, errors := 0, 0
	var ids []string
	for _, s := range all {
		s.wait()
		s.account()
		lines, errors = lines+s.lines, errors+s.errors
		ids = append(ids, s.id)
	}
	h.wantNoStreams()
	docker(t, append([]string{"rm"}, ids...)...)
	t.Logf("%d containers, %d lines, %d errors, each once; %d kills", len(all), lines, errors, kills)

	rest, ok := h.sample(h.process())
	third := len(life) / 3
	first, last := meanResident(life[:third]), meanResident(life[len(life)-third:])
	t.Logf("idle at first %+v, at the end %+v; resident in the last life's first third %d KiB, in its last %d KiB, of %d samples", idle, rest, first, last, len(life))
	if !ok || third == 0 || last > first*5/4+8<<10 {
		t.Errorf("memory grows")
	}
	// Connections to the store may be kept.
	if rest.files > idle.files+8 {
		t.Errorf("%d files are open, %d were", rest.files, idle.files)
	}
}
