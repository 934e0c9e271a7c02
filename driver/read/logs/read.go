// Package logs serves docker logs from the spool's segments, as Docker's json-file
// driver serves it from its own files. All segments of a container, in any state
// and from each of its runs, are one text. A request reads a range of it and can
// follow its end.
//
// As with json-file, a record is what Docker handed to the driver: a line, or
// a piece of one that was too long for Docker's buffer. Tail counts records,
// and counts them before Since and Until choose among them.
package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// Config is what a Reader needs. All fields must be set.
type Config struct {
	Spool *spool.Spool
	Log   *slog.Logger

	// Heartbeat is how often a follower that has nothing to tell sends empty
	// frames. Docker notices that its client has gone only when a frame comes.
	Heartbeat time.Duration
}

// Reader answers requests, many at once.
type Reader struct {
	cfg  Config
	said sync.Map // paths of files that could not be read, said once each
}

// New makes a Reader.
func New(cfg Config) *Reader { return &Reader{cfg: cfg} }

// Request is what docker logs asks for.
type Request struct {
	ID           string    // of the container
	Since, Until time.Time // zero: without bound
	Tail         int       // this many of the last records; negative: all
	Follow       bool      // go on with what is written until the container's writer ends

	// Older, if set, looks in the store for what is no longer on the host: it
	// returns the container's segments that began before the time, in the order
	// of their records. It is called once at most, and only where it is needed.
	Older func(before time.Time) ([]Archived, error)
}

// Output takes frames. Flush sends what was written on its way.
type Output interface {
	io.Writer
	Flush() error
}

// Reading is one request that is being answered. It belongs to one goroutine.
type Reading struct {
	*Reader
	req   Request
	watch *spool.Watch   // nil: nobody writes
	parts []*part        // oldest first
	given map[known]bool // segments of the watched directory that are no news
	at    *part          // the last one of the watched directory that a follower has copied

	pruned  time.Time     // the request begins before this, the first record that can be read; zero: no
	deleted spool.Deleted // by the spool's own record; zero: there is none
	unread  error         // why the store could not be asked
	buf     []byte        // the block that is being read
	frames  []byte        // not yet written
	out     Output
}

// part is a segment, or what of the active one was there when it was looked at.
type part struct {
	seg      spool.Segment
	file     *os.File  // open already: the active segment
	archived *Archived // it is in the store alone
	meta     spool.Meta
	certain  bool // meta is known, not guessed
	format   record.Format
	end      int64 // of the text, for an active segment; else it ends where the file does
	from     int64 // bytes of text to pass over
	skip     int64 // lines to pass over after these
}

// known tells segments of one directory apart.
type known struct {
	seq   int
	first int64 // microseconds
}

// RefusedError says why a request cannot be answered as it is.
type RefusedError struct{ reason string }

func (e *RefusedError) Error() string { return e.reason }

// Open finds out what answers the request. What the container's writer had
// written before the call is part of the answer. The error, a *RefusedError
// where the request is to blame, is the answer then. Close the Reading.
func (r *Reader) Open(req Request) (*Reading, error) {
	g := &Reading{Reader: r, req: req, given: map[known]bool{}}
	if err := g.find(); err != nil {
		g.Close()
		return nil, fmt.Errorf("read the logs of %.12s: %w", req.ID, err)
	}
	g.older()
	g.tail()
	g.dropOlder()
	if err := g.refuse(); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// Close frees what the reading holds.
func (g *Reading) Close() {
	for _, p := range g.parts {
		if p.file != nil {
			p.file.Close() // nothing was written to it
		}
	}
	g.parts = nil
}

// find lists the container's segments. The active one is opened first: what is
// sealed while the directories are listed is in it, and left out of the list.
func (g *Reading) find() error {
	var active *part
	sealed := 0 // by the writer, before the active segment
	if g.watch = g.cfg.Spool.Watch(g.req.ID); g.watch != nil {
		f, tip, err := g.watch.Open()
		if err != nil {
			return err
		}
		sealed = tip.Seq - 1
		if f != nil {
			active = g.activePart(f, tip)
			g.parts = []*part{active} // for Close
		}
	}
	dirs, err := g.cfg.Spool.Dirs(g.req.ID)
	if err != nil {
		return err
	}
	gone := len(dirs) == 0 && sealed > 0
	var lists [][]*part
	for _, dir := range dirs {
		list, err := g.listDir(dir, active)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			gone = gone || list[0].seg.Name.Seq > 1
		} else if g.watch != nil && g.watch.Dir() == dir {
			gone = gone || sealed > 0
		}
		lists = append(lists, list)
	}
	g.parts = append(merge(lists), g.parts...)
	var known bool
	// After the listing, because the record comes before the deletion.
	g.deleted, known = g.cfg.Spool.Deleted(g.req.ID)
	switch {
	case len(g.parts) > 0 && (gone || g.deletedBefore(g.parts[0])):
		g.pruned = g.parts[0].meta.First
	case len(g.parts) == 0 && known:
		g.pruned = g.deleted.To.Truncate(time.Second).Add(time.Second)
	case len(g.parts) == 0 && gone:
		g.pruned = time.Now()
	}
	return nil
}

// deletedBefore reports whether lines were deleted that are older than p.
func (g *Reading) deletedBefore(p *part) bool {
	return !g.deleted.From.IsZero() && g.deleted.From.Before(p.meta.First)
}

// listDir returns the segments of one directory, but for the active one and
// those that were sealed after it.
func (g *Reading) listDir(dir string, active *part) (list []*part, err error) {
	segments, err := g.cfg.Spool.Segments(dir)
	if err != nil {
		return nil, err
	}
	for _, seg := range segments {
		if g.watch != nil && g.watch.Dir() == dir {
			if active != nil && seg.Name.Seq >= active.seg.Name.Seq {
				continue
			}
			g.given[identify(seg)] = true
		}
		list = append(list, g.sealedPart(seg))
	}
	return list, nil
}

func identify(seg spool.Segment) known {
	return known{seg.Name.Seq, seg.Name.Time.UnixMicro()}
}

func (g *Reading) activePart(f *os.File, tip spool.Tip) *part {
	p := &part{
		seg: spool.Segment{Dir: g.watch.Dir(), Name: spool.Name{
			Active: tip.Meta.Stream.ActiveName(), Time: tip.Meta.First.UTC().Truncate(time.Microsecond), Seq: tip.Seq,
			State: spool.Active,
		}},
		file: f, end: tip.Size, meta: tip.Meta, certain: true,
	}
	p.format, _ = record.ParseFormat(tip.Meta.Stream.Format)
	return p
}

func (g *Reading) sealedPart(seg spool.Segment) *part {
	p := &part{seg: seg}
	m, err := g.cfg.Spool.Look(seg)
	p.meta, p.certain = *m, err == nil
	if !p.certain {
		p.meta.First = seg.Name.Time
	}
	if seg.Name.State == spool.Active {
		p.meta.First = time.Now() // nobody knows; it comes last
	}
	if p.format, err = record.ParseFormat(m.Stream.Format); err != nil {
		p.certain = false // the text will show it
	}
	return p
}

// merge puts the directories of a container, which had another name meanwhile,
// together: each in its own order, among each other by time.
func merge(lists [][]*part) (all []*part) {
	for {
		lists = slices.DeleteFunc(lists, func(l []*part) bool { return len(l) == 0 })
		if len(lists) == 0 {
			return all
		}
		i := 0
		for j := range lists {
			if cmp.Compare(lists[j][0].meta.First.UnixNano(), lists[i][0].meta.First.UnixNano()) < 0 {
				i = j
			}
		}
		all, lists[i] = append(all, lists[i][0]), lists[i][1:]
	}
}

// Copy writes the answer to out as Docker's log frames, and returns once all
// of it is written, ctx has ended or out fails.
func (g *Reading) Copy(ctx context.Context, out Output) error {
	g.out = out
	err := g.copyAll(ctx)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(err, g.flush())
}

func (g *Reading) copyAll(ctx context.Context) error {
	if err := g.sayPruned(); err != nil {
		return err
	}
	var active *part
	for _, p := range g.parts {
		if p.file != nil {
			active = p // the last
			break
		}
		if err := g.copyPart(ctx, p); err != nil {
			return err
		}
	}
	if active != nil {
		if err := g.copyActive(ctx, active); err != nil {
			return err
		}
	}
	if !g.req.Follow || g.watch == nil {
		return nil
	}
	if err := g.flush(); err != nil {
		return err
	}
	return g.follow(ctx, active)
}

// sayPruned says, where older records were asked for than are left here, that
// they were here once.
func (g *Reading) sayPruned() error {
	if g.pruned.IsZero() {
		return nil
	}
	at := g.pruned
	if until := g.req.Until; !until.IsZero() && at.After(until) {
		at = until // Docker's own filter must let it pass
	}
	text := fmt.Sprintf("logfast: lines before %s are no longer on this host; what was uploaded is in the store",
		g.pruned.UTC().Format(time.RFC3339))
	switch {
	case g.unread != nil:
		text += ", which cannot be read: " + g.unread.Error()
	case len(g.parts) > 0 && g.parts[0].archived != nil:
		text = fmt.Sprintf("logfast: lines before %s are neither on this host nor in the store",
			g.pruned.UTC().Format(time.RFC3339))
	}
	return g.mark(text, at)
}
