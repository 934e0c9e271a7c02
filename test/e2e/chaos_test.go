//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/await"
)

// The tests of this file hold one promise against whatever happens to the
// plugin while containers write 45,000 lines a second, 50,000 with "make chaos":
// every line a container wrote is in its files once and in its objects once, in
// order. A container's own numbering is the witness.

// busy is a program that writes numbered lines until it is told to stop.
func busy(rate int) []step { return []step{{Rate: rate, Line: busyLine, Until: "stop"}} }

var busyLine = strings.Repeat("x", 60)

// chaos runs busy containers, does something to the plugin, and wants every
// line once.
func chaos(t *testing.T, during func(h *host)) {
	t.Helper()
	h, _ := enableS3(t)
	all, rate := scaled(3, 5), scaled(15_000, 10_000)
	var containers []*container
	start := time.Now()
	for i := range all {
		containers = append(containers, h.run(fmt.Sprint("busy", i), busy(rate), "max-size=2MB"))
	}
	during(h)
	lines := 0
	for _, c := range containers {
		c.allow("stop")
	}
	for _, c := range containers {
		c.wait()
	}
	took := time.Since(start)
	for _, c := range containers {
		lines += c.wantEveryLine(1)
		docker(t, "rm", c.id)
	}
	t.Logf("%d lines of %d containers, each once; %.0f a second", lines, all, float64(lines)/took.Seconds())
	// Nothing of Docker's holds the plugin any more.
	docker(t, "plugin", "disable", pluginName)
	docker(t, "plugin", "enable", pluginName)
}

// audit is what the numbers in a text show of a busy program.
type audit struct {
	Lines   int   // whole ones
	Ends    int   // last words; the numbers begin again behind each
	Gaps    []gap // numbers that are not there
	Doubled int   // lines whose number was there before
	Torn    int   // lines of which a part is missing
}

// gap is the first number that is missing, and the first that is there again.
type gap struct{ From, To int }

func (a audit) missing() (lines int) {
	for _, g := range a.Gaps {
		lines += g.To - g.From
	}
	return lines
}

// audited reads records in the format cri.
func audited(t *testing.T, text string) audit {
	t.Helper()
	return auditedLines(written(t, record.CRI, text)[0])
}

func auditedLines(text string) (a audit) {
	next := 0
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != words[2] || !strings.HasSuffix(line, "\n") {
			a.Torn++
			continue
		}
		n, err := strconv.Atoi(words[0])
		if err != nil {
			a.Torn++
			continue
		}
		if a.Lines++; n < next {
			a.Doubled++
			continue
		}
		if n > next {
			a.Gaps = append(a.Gaps, gap{next, n})
		}
		if next = n + 1; words[1] == "end" {
			next = 0
			a.Ends++
		}
	}
	return a
}

// wantEveryLine waits until everything is shipped and fails unless both disk and
// store have every line of each of the container's lives once. It returns how
// many there are.
func (c *container) wantEveryLine(lives int) int {
	c.Helper()
	await.Until(c.T, "everything is shipped", c.shipped)
	disk, store := audited(c.T, c.onDisk()), audited(c.T, c.inStore())
	for where, got := range map[string]audit{"disk": disk, "store": store} {
		if d := cmp.Diff(audit{Lines: disk.Lines, Ends: lives}, got); d != "" || got.Lines == 0 {
			c.Fatalf("%s, %s: -want +got\n%s", c.app, where, d)
		}
	}
	return disk.Lines
}

// wantSealedAndRegistered fails unless no segment is active and n streams are
// registered. The plugin must be stopped.
func (h *host) wantSealedAndRegistered(n int) {
	h.Helper()
	active, err := filepath.Glob(filepath.Join(h.spool, "*", "*.log"))
	if err != nil || len(active) > 0 {
		h.Errorf("still active: %v, %v", active, err)
	}
	entries, err := filepath.Glob(filepath.Join(h.spool, ".streams", "*.json"))
	if err != nil || len(entries) != n {
		h.Errorf("%d streams are registered, want %d; %v", len(entries), n, err)
	}
}

// TestKilledUnderLoad: SIGKILL at any moment loses nothing and doubles nothing.
func TestKilledUnderLoad(t *testing.T) {
	chaos(t, func(h *host) {
		for range scaled(4, 10) {
			// The moment is the test's input, not a wait for anything. An
			// engine disables a plugin that dies in its first half second.
			time.Sleep(800*time.Millisecond + rand.N(1500*time.Millisecond))
			h.replace(syscall.SIGKILL)
		}
	})
}

// TestDisabledUnderLoad: while the plugin is disabled the containers wait, and
// what they wrote before waits in the FIFOs. Docker ends the plugin with
// SIGTERM, and with SIGKILL after 10 s: by then all is sealed.
func TestDisabledUnderLoad(t *testing.T) {
	chaos(t, func(h *host) {
		time.Sleep(time.Second)
		docker(t, "plugin", "disable", "-f", pluginName)
		h.wantSealedAndRegistered(scaled(3, 5))
		time.Sleep(scaled(3*time.Second, time.Minute)) // the FIFOs fill, the containers wait
		docker(t, "plugin", "enable", pluginName)
	})
}

// TestTerminatedUnderLoad: after SIGTERM everything is sealed, as at the end of a
// stream and not by the next life, and the process gone within the 10 s that
// Docker grants; then the streams are taken up.
func TestTerminatedUnderLoad(t *testing.T) {
	times := scaled(2, 5)
	chaos(t, func(h *host) {
		for range times {
			time.Sleep(800*time.Millisecond + rand.N(1500*time.Millisecond))
			took := h.replace(syscall.SIGTERM)
			if took > 10*time.Second {
				t.Errorf("SIGTERM took %v", took)
			}
			t.Logf("SIGTERM took %v", took.Round(time.Millisecond))
		}
		await.Until(t, "each SIGTERM's segments are sealed", func() bool {
			sealed, err := filepath.Glob(filepath.Join(h.spool, "*", "*-stop*"))
			return err == nil && len(sealed) >= times*scaled(3, 5)
		})
	})
}
