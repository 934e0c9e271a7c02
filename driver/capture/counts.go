package capture

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/internal/sum"
)

// notAFrame is the reason of a Lost where the FIFO held bytes that no log frame
// can be made of.
const notAFrame = "not a log frame"

// LossReasons are the reasons for which lines are lost, as the marks in their
// places call them.
var LossReasons = []string{notAFrame, spool.DiskFull, diskError, spool.FileRemoved, spool.FileTruncated}

// counts is what a stream has done since this process took it up. A stream adds
// to it once a batch; anybody may read.
type counts struct {
	lines, bytes, errors, resyncs atomic.Int64
	lost                          [5]loss // by the index in LossReasons

	container string  // whose these are; never changes
	recent    *losses // where losses are noted, too; nil: nowhere; never changes
}

type loss struct{ lines, bytes atomic.Int64 }

// lose adds counts that may be any: those of a segment that is discarded are read
// from its description.
func (l *loss) lose(lines, bytes int64) {
	add := func(to *atomic.Int64, n int64) {
		for was := to.Load(); !to.CompareAndSwap(was, sum.Add(was, n)); was = to.Load() {
		}
	}
	add(&l.lines, lines)
	add(&l.bytes, bytes)
}

// wrote counts a batch that is in the segment.
func (c *counts) wrote(w *workspace) {
	b := &w.batch
	c.lines.Add(b.Lines)
	c.bytes.Add(int64(len(b.Text)))
	if b.Errors > 0 {
		c.errors.Add(b.Errors)
	}
	if w.garbage > 0 {
		c.resyncs.Add(w.resyncs)
		c.lose(notAFrame, 0, w.garbage)
	}
}

// lose counts lines and bytes that are lost for one of LossReasons.
func (c *counts) lose(reason string, lines, bytes int64) {
	if i := slices.Index(LossReasons, reason); i >= 0 {
		c.lost[i].lose(lines, bytes)
	}
	if c.recent != nil {
		c.recent.note(c.container, reason, lines, bytes, time.Now())
	}
}

// Counts is what was captured since logfast started.
type Counts struct {
	Lines   int64 // lines in segments, marks of what is lost among them
	Bytes   int64 // of these lines as records
	Errors  int64 // lines that report a server error
	Resyncs int64 // how often bytes were passed over to the next frame
	Lost    []Loss
}

// Loss is what was lost for one reason. Every reason has one, so that a zero
// is seen.
type Loss struct {
	Reason       string
	Lines, Bytes int64
}

func (c *counts) addTo(t *Counts) {
	t.Lines += c.lines.Load()
	t.Bytes += c.bytes.Load()
	t.Errors += c.errors.Load()
	t.Resyncs += c.resyncs.Load()
	if t.Lost == nil {
		t.Lost = make([]Loss, len(LossReasons))
	}
	for i := range c.lost {
		t.Lost[i].Reason = LossReasons[i]
		t.Lost[i].Lines = sum.Add(t.Lost[i].Lines, c.lost[i].lines.Load())
		t.Lost[i].Bytes = sum.Add(t.Lost[i].Bytes, c.lost[i].bytes.Load())
	}
}

// fold adds what a stream that has ended did to its driver's own counts.
func (c *counts) fold(of *counts) {
	c.lines.Add(of.lines.Load())
	c.bytes.Add(of.bytes.Load())
	c.errors.Add(of.errors.Load())
	c.resyncs.Add(of.resyncs.Load())
	for i := range c.lost {
		c.lost[i].lose(of.lost[i].lines.Load(), of.lost[i].bytes.Load())
	}
}

// Snapshot is how capture is at one moment.
type Snapshot struct {
	Streams    []StreamSnapshot // that are read now, in the order of their directories
	Total      Counts           // of these and of all that have ended
	Reattached int64            // streams of an earlier process that were taken up
	Events     []fasttrack.Event
	Lost       []RecentLoss // within the hour, or since somebody looked
	Spool      error        // what is wrong with the spool's directory itself, and what to do; nil: nothing
	Unsealed   int          // containers that have ended and whose last segment could not be sealed yet
}

// StreamSnapshot is one stream of a Snapshot.
type StreamSnapshot struct {
	spool.Stream
	Since  time.Time // when this process took it up
	Active int64     // bytes of the container's active segment

	// Unknown: it is not known which container this is, because its stream was not
	// registered any more when this process, or one before it, began.
	Unknown bool

	Notices []string // what of its options is not used as it was given

	Counts

	Unregistered bool // the disk had no room to register it: a kill would lose sight of it

	// Trouble is what keeps it from writing, since when; nil where nothing does.
	Trouble      error
	TroubleSince time.Time
}

// errPending is the trouble of a stream that is about to be reattached.
var errPending = errors.New("the stream of the process before this one is not reattached yet")

// Snapshot says how things stand. It holds no stream up.
func (d *Driver) Snapshot() Snapshot {
	d.takeDamages()
	streams, s := d.streams.snapshot()
	s.Events, s.Unsealed = d.events.Snapshot(), d.sealer.unsealed()
	s.Lost = d.losses.recent(time.Now())
	if err := d.displaced.Load(); err != nil {
		s.Spool = *err
	}
	for _, stream := range streams {
		at := StreamSnapshot{
			Stream: stream.desc, Since: stream.since, Active: stream.writer.Size(), Unknown: stream.unknown,
			Unregistered: !stream.cursor.Registered(), Notices: stream.opts.Notices,
		}
		stream.counts.addTo(&at.Counts)
		if t := stream.broken.latest.Load(); t != nil {
			at.Trouble, at.TroubleSince = t.err, t.since
		}
		s.Streams = append(s.Streams, at)
	}
	slices.SortFunc(s.Streams, func(a, b StreamSnapshot) int { return strings.Compare(a.Dir(), b.Dir()) })
	slices.SortFunc(s.Events, func(a, b fasttrack.Event) int { return strings.Compare(a.Scope, b.Scope) })
	return s
}

// countDropped counts a segment that was dropped to free space.
func (d *Driver) countDropped(g spool.GivenUp) { d.countLost(g.Segment.Dir, g.Lost) }

// countLost counts what was lost of a container's directory, with its stream if
// that is still read.
func (d *Driver) countLost(dir string, lost record.Lost) {
	if all := d.streams.find(func(s *stream) bool { return s.dir == dir }); len(all) > 0 {
		all[0].counts.lose(lost.Reason, lost.Lines, lost.Bytes)
	} else {
		d.streams.past.lose(lost.Reason, lost.Lines, lost.Bytes)
		d.losses.note(dir, lost.Reason, lost.Lines, lost.Bytes, time.Now())
	}
}

// Removed counts a segment that was to be uploaded and that somebody has removed
// from the spool. The container's next line comes after one that says so, if it
// still runs.
func (d *Driver) Removed(dir string, lost record.Lost) {
	d.countLost(dir, lost)
	if all := d.streams.find(func(s *stream) bool { return s.dir == dir }); len(all) > 0 {
		all[0].writer.Owe(lost)
	}
}

// Looked notes that an operator has seen a Snapshot of the time at: what was lost
// before is recent for an hour more at most.
func (d *Driver) Looked(at time.Time) { d.losses.seen(at) }
