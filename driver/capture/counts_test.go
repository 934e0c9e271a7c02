package capture

import (
	"slices"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

func lost(c Counts, reason string) Loss {
	for _, l := range c.Lost {
		if l.Reason == reason {
			return l
		}
	}
	return Loss{}
}

// TestSnapshotCountsWhatWasCaptured looks at a stream while it runs and at the
// total after its end: the same, once.
func TestSnapshotCountsWhatWasCaptured(t *testing.T) {
	h := newHost(t)
	before := time.Now()
	c := h.start("web", nil)
	c.line(0, "one")
	c.line(1, `10.0.0.1 - - "GET / HTTP/1.1" 500 12`)
	two := frame.Append(nil, &frame.Entry{Source: []byte("stdout"), TimeNano: t0.Add(time.Second).UnixNano(), Line: []byte("two")})
	garbage := []byte("\xff\xff\xff\xffno frame")
	if _, err := c.w.Write(slices.Concat(garbage, two)); err != nil {
		t.Fatal(err)
	}
	c.eventually("all is on disk, and counted", func() bool { return h.Snapshot().Total.Lines == 4 })

	s := h.Snapshot()
	if len(s.Streams) != 1 {
		t.Fatalf("%d streams", len(s.Streams))
	}
	web := s.Streams[0]
	text := int64(len(c.text()))
	if web.Name != "web" || web.Since.Before(before) || web.Active != text || web.Trouble != nil {
		t.Errorf("%+v", web)
	}
	check := func(where string, got Counts) {
		t.Helper()
		frames := lost(got, notAFrame)
		if got.Lines != 4 || got.Bytes != text || got.Errors != 1 || got.Resyncs != 1 || frames.Bytes != int64(len(garbage)) || frames.Lines != 0 || len(got.Lost) != len(LossReasons) {
			t.Errorf("%s: %+v", where, got)
		}
	}
	check("stream", web.Counts)
	check("total", s.Total)
	if len(s.Events) != 1 || s.Events[0].Scope != (&options.Options{Scope: options.ScopeContainer}).ScopeName(&web.Stream) || !s.Events[0].Due.After(time.Now()) {
		t.Errorf("events %+v", s.Events)
	}
	c.Stop(c.fifo)
	s = h.Snapshot()
	if len(s.Streams) != 0 {
		t.Errorf("%d streams after the end", len(s.Streams))
	}
	check("total after the end", s.Total)
	if seals := h.cfg.Spool.Seals(); seals[spool.Error] != 1 || len(seals) != 6 {
		t.Errorf("seals %v", seals)
	}
}

func TestWhatIsLostIsCountedWithItsStream(t *testing.T) {
	h := newHost(t)
	c := h.start("web", nil)
	id := spool.Stream{Name: "web", ID: c.info.ContainerID}
	h.countDropped(spool.GivenUp{Segment: spool.Segment{Dir: id.Dir()}, Lost: record.Lost{Lines: 3, Bytes: 30, Reason: spool.DiskFull}})
	h.countDropped(spool.GivenUp{Segment: spool.Segment{Dir: "gone-aaaaaaaaaaaa"}, Lost: record.Lost{Lines: 4, Bytes: 40, Reason: spool.DiskFull}})
	s := h.Snapshot()
	if got := lost(s.Streams[0].Counts, spool.DiskFull); got.Lines != 3 || got.Bytes != 30 {
		t.Errorf("stream: %+v", got)
	}
	if got := lost(s.Total, spool.DiskFull); got.Lines != 7 || got.Bytes != 70 {
		t.Errorf("total: %+v", got)
	}
}

// TestSealOfOneContainer leaves the others' segments active.
func TestSealOfOneContainer(t *testing.T) {
	h := newHost(t)
	web, db := h.start("web", nil), h.start("db", nil)
	for _, c := range []*container{web, db} {
		c.line(0, "one")
		c.eventually("it is on disk", func() bool { return c.text() != "" })
	}
	if err := h.Seal(web.info.ContainerID); err != nil {
		t.Fatal(err)
	}
	s := h.Snapshot()
	if s.Streams[0].Name != "db" || s.Streams[0].Active == 0 || s.Streams[1].Active != 0 {
		t.Errorf("%+v", s.Streams)
	}
	if got := h.cfg.Spool.Seals()[spool.Manual]; got != 1 {
		t.Errorf("%d manual seals", got)
	}
}

// TestCountingABatchAllocatesNothing is for the way of a line.
func TestCountingABatchAllocatesNothing(t *testing.T) {
	var c counts
	w := &workspace{batch: spool.Batch{Text: []byte("one\n"), Lines: 1, Errors: 1}, resyncs: 1, garbage: 3}
	if n := testing.AllocsPerRun(100, func() { c.wrote(w) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c.lines.Load() != 101 || c.errors.Load() != 101 || c.lost[0].bytes.Load() != 303 {
		t.Errorf("%d lines, %d errors, %d bytes lost", c.lines.Load(), c.errors.Load(), c.lost[0].bytes.Load())
	}
}
