package capture

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/await"
)

// slowPattern is legal, and takes about as long for a byte as one can.
const slowPattern = `(?:(.{0,20}){0,40})=`

// TestPattern_SlowOnesCostTheirOwnContainersAlone has many containers whose pattern
// takes tens of milliseconds for each of their lines, long joined ones too, and
// wants the lines of two others on the disk while those are at work: of one without
// a pattern, and of one with a cheap pattern.
func TestPattern_SlowOnesCostTheirOwnContainersAlone(t *testing.T) {
	for _, slow := range []int{8, 64} {
		t.Run(fmt.Sprint(slow), func(t *testing.T) {
			h := newStillHost(t)
			h.stopWait = await.Patience // on a busy machine, one search takes more than 5 s
			h.run()
			var slowOnes sync.WaitGroup
			defer slowOnes.Wait()
			for i := range slow {
				c := h.start(fmt.Sprintf("slow%d", i), map[string]string{"pattern": slowPattern})
				defer c.w.Close()
				slowOnes.Go(func() { c.writeForEver(t) })
			}
			waiting := func() bool {
				h.lane.mu.Lock()
				defer h.lane.mu.Unlock()
				return len(h.lane.waiting) > slow/2
			}
			h.eventually("the slow ones wait for each other", waiting)
			for name, config := range map[string]map[string]string{"plain": nil, "cheap": {"pattern": "^FATAL |kernel panic"}} {
				c := h.start(name, config)
				s := h.streams.find(func(s *stream) bool { return s.path == c.fifo })[0]
				var worst time.Duration
				for i := range 20 {
					start := time.Now()
					c.line(i, "one line")
					h.eventually("its line is on the disk", func() bool { return s.counts.lines.Load() == int64(i+1) })
					worst = max(worst, time.Since(start))
				}
				t.Logf("%s: the slowest of 20 lines was on the disk after %v", name, worst)
				h.Stop(c.fifo)
			}
			h.eventually("the slow ones still wait for each other", waiting)
			h.stop() // does not wait for all that they have written
		})
	}
}

// writeForEver writes long lines, each fourth of 1 MiB, until the FIFO is closed.
func (c *container) writeForEver(t *testing.T) {
	chunk := bytes.Repeat([]byte("ab"), 8<<10)
	for n := 0; ; n++ {
		e := &logdriver.LogEntry{Source: "stdout", TimeNano: t0.UnixNano(), Line: chunk}
		if n/64%4 == 3 {
			e.Partial = true
			e.PartialLogMetadata = &logdriver.PartialLogEntryMetadata{Id: "x", Ordinal: int32(n%64) + 1, Last: n%64 == 63}
		}
		if err := c.enc.Encode(e); errors.Is(err, os.ErrClosed) {
			return
		} else if err != nil {
			t.Error(err)
			return
		}
	}
}

// panicking panics on each line.
type panicking struct{}

func (panicking) Detect([]byte) (detect.Match, bool) { panic("a defect") }

// TestDetect_APanicCostsNoLine has a detector that panics on each line, and wants
// the lines of its container written.
func TestDetect_APanicCostsNoLine(t *testing.T) {
	h := newHost(t)
	c := h.container("web", nil)
	desc, opts, err := h.Describe(c.info)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStream(h.Driver, &journal.Entry{FIFO: c.fifo, Stream: desc, Options: opts}, h.journal.Add)
	if err != nil {
		t.Fatal(err)
	}
	s.detector = panicking{}
	s.writer = h.cfg.Spool.Writer(desc)
	h.streams.launch(s)
	for i := range 3 {
		c.line(i, serverError)
	}
	h.Stop(c.fifo)
	if n := s.counts.lines.Load(); n != 3 || s.counts.errors.Load() != 0 {
		t.Errorf("%d lines, %d errors", n, s.counts.errors.Load())
	}
}

// TestStart_HostileOptionsTakeLittleMemory starts containers whose options would
// make gigabytes.
func TestStart_HostileOptionsTakeLittleMemory(t *testing.T) {
	h := newHost(t)
	h.cfg.Strict = true
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, config := range []map[string]string{
		{"tag": "{{range 20000000}}xxxxxxxxxx{{end}}"},
		{"tag": `{{printf "%1000000000d" 1}}`},
		{"tag": strings.Repeat("{{.ContainerName}}", 50)},
		{"pattern": strings.Repeat(`(\pL{1000})`, 300)},
		{"exclude-path": strings.Repeat("/*a*,", 1<<20)},
		{"status": strings.Repeat("500,", 1<<20)},
	} {
		c := h.container("web", config)
		c.info.ContainerName = "/" + strings.Repeat("n", 1<<20)
		if err := h.Start(c.fifo, c.info); err == nil {
			t.Errorf("%.60v is taken", config)
		} else if len(err.Error()) > 8<<10 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}
