package capture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/durable"
)

// hexNoise returns text that packs to about half.
func hexNoise(seed, bytes int) string {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	b := make([]byte, 0, bytes+16)
	for len(b) < bytes {
		b = fmt.Appendf(b, "%016x", random.Uint64())
	}
	return string(b[:bytes])
}

// unpacked returns how many lines of a container are in its segments, and how many the lines
// in the places of dropped ones stand for.
func (c *container) unpacked() (there, lost int64) {
	c.Helper()
	all, err := c.cfg.Spool.List()
	if err != nil {
		c.Fatal(err)
	}
	for _, seg := range all {
		m, err := c.cfg.Spool.Meta(seg)
		switch {
		case err != nil:
			c.Fatal(err)
		case m.Stream.ID != c.info.ContainerID:
		case m.Lost != nil:
			lost += m.Lost.Lines
		default:
			there += m.Lines
		}
	}
	return there, lost
}

// withoutFsync makes each fsync return at once until the test ends. MakeRoom takes a seal that
// waits two seconds for a busy disk for one that hangs, and drops other text.
func withoutFsync(t *testing.T) {
	t.Helper()
	t.Cleanup(durable.Intercept(func(s durable.Step, do func() error) error {
		if strings.HasPrefix(s.Op, "fsync") {
			return nil
		}
		return do()
	}))
}

// TestRoom_NothingThatFitsPackedIsDropped writes much more text than the budget, while nothing
// is uploaded: what packs well is all there, of the rest as much as fits.
func TestRoom_NothingThatFitsPackedIsDropped(t *testing.T) {
	const budget = 2 << 20
	withoutFsync(t)
	for name, tt := range map[string]struct {
		containers, lines int
		text              func(n int) string
		packs             bool
	}{
		"text that packs well":                    {1, 12_000, repeated, true},
		"text that packs well, of ten containers": {10, 8_000, repeated, true},
		"text that does not":                      {2, 5_000, func(n int) string { return hexNoise(n, 1000) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostIn(t, t.TempDir(), func(c *Config, o *spool.Options) { c.OnFull, o.MaxDisk = options.OnFullDrop, budget })
			h.cfg.Sealed = func() {}
			var all []*container
			for i := range tt.containers {
				all = append(all, h.start(fmt.Sprint("web", i), map[string]string{"fsync": "never", "detect": "off"}))
			}
			for i := range tt.lines {
				all[i%tt.containers].line(0, tt.text(i))
			}
			var there, lost int64
			for _, c := range all {
				h.Stop(c.fifo)
			}
			for _, c := range all {
				a, b := c.unpacked()
				there, lost = there+a, lost+b
			}
			if there+lost != int64(tt.lines) {
				t.Errorf("%d lines are there and %d are lost, of %d", there, lost, tt.lines)
			}
			if err := h.cfg.Spool.Measure(); err != nil {
				t.Fatal(err)
			}
			if used := h.cfg.Spool.Used(); tt.packs != (lost == 0) || !tt.packs && used < budget/2 {
				t.Errorf("%d lines are lost, and %d bytes of %d are used", lost, used, budget)
			}
		})
	}
}

func repeated(n int) string { return fmt.Sprint(n, strings.Repeat(" GET /cart 200", 70)) }

// TestRoom_AQuietContainerSurvivesALoudOne has one container write much more than the budget:
// another one's few lines, uploaded or not, and with an error or not, stay.
func TestRoom_AQuietContainerSurvivesALoudOne(t *testing.T) {
	const budget = 2 << 20
	withoutFsync(t)
	h := newHostIn(t, t.TempDir(), func(c *Config, o *spool.Options) { c.OnFull, o.MaxDisk = options.OnFullDrop, budget })
	h.cfg.Sealed = func() {}
	old := h.start("old", nil)
	old.line(0, "uploaded")
	h.Stop(old.fifo)
	all, err := h.cfg.Spool.List(spool.Sealed)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	packed, err := h.cfg.Spool.Pack(all[0], nil, nil)
	if err == nil {
		err = h.cfg.Spool.Uploaded(packed)
	}
	if err != nil {
		t.Fatal(err)
	}
	quiet := h.start("quiet", nil)
	quiet.line(0, "pending")
	h.Stop(quiet.fifo)
	loud := h.start("loud", map[string]string{"fsync": "never", "quiet-period": "1h", "max-delay": "1h"})
	for i := range 5_000 {
		loud.line(0, serverError+" "+hexNoise(i, 1000))
	}
	h.Stop(loud.fifo)
	if _, lost := loud.unpacked(); lost == 0 {
		t.Error("nothing was dropped: the test shows nothing")
	}
	if there, lost := quiet.unpacked(); there != 1 || lost != 0 {
		t.Errorf("of the quiet container %d lines are there and %d are lost", there, lost)
	}
	if there, _ := old.unpacked(); there != 1 {
		t.Error("the quiet container's copy is gone")
	}
	if left, err := filepath.Glob(filepath.Join(h.dir, "*", ".*.tmp")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, packed.Dir)); err != nil {
		t.Error(err)
	}
}
