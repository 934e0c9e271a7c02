package archive

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

// Line is a line of the archive: a record, or with Selection.Lines what the
// records of a long line come to. It is good until the call that it is given to
// returns.
type Line struct {
	Segment *Segment
	Time    time.Time // of its first record; of raw text, its segment's first
	Stream  record.Stream
	Raw     []byte // as it is stored, without the last newline
	Text    []byte // what the program wrote
	Match   bool   // it is wanted; false only with Selection.All
}

// ahead is how many segments are fetched and read before they are needed.
const ahead = 16

// Read calls f for the lines that are selected, in the order of time; lines of
// one container stay in the order in which they were written. It stops with the
// error that f returns. What cannot be read is left out, and the archive's Warn
// told.
func (a *Archive) Read(ctx context.Context, segments []*Segment, sel Selection, f func(*Line) error) error {
	ctx, cancel := context.WithCancel(ctx)
	m := &merger{
		a: a, sel: &sel, all: segments, f: f, started: make([]chan *batch, len(segments)),
		known: make([]*Segment, len(segments)),
	}
	err := m.run(ctx)
	cancel()
	m.wg.Wait()
	return err
}

// merger brings the segments of many containers into one order.
type merger struct {
	a       *Archive
	sel     *Selection
	all     []*Segment
	f       func(*Line) error
	started []chan *batch // by segment; nil: it is not being read yet
	known   []*Segment    // by segment, owned by its scanner until that has sent or ended
	next    int           // no segment before this is still to be started
	waiting int           // segments that are being read and not asked for yet
	size    int           // of a block
	most    int           // of a line that is put together
	held    int           // bytes of all held lines
	heap    []*cursor     // by key: the least first
	line    Line
	pool    sync.Pool
	wg      sync.WaitGroup
}

// cursor is where the merger is in the segments of one container.
type cursor struct {
	segments []int // in merger.all, those to come; the first is being read where batch is set
	open     bool  // the first has been asked for
	batch    *batch
	at       int   // in the batch
	key      int64 // no line to come is to be given out before this time
	held     [2]*heldLine
}

// heldLine is a line that may go on in the next segment.
type heldLine struct {
	seg       *Segment
	time      int64
	raw, text []byte
	match     bool
}

func (m *merger) run(ctx context.Context) error {
	byContainer := map[string]*cursor{}
	var cursors []*cursor
	for i, s := range m.all {
		c := byContainer[s.container()]
		if c == nil {
			c = &cursor{}
			byContainer[s.container()] = c
			cursors = append(cursors, c)
		}
		c.segments = append(c.segments, i)
	}
	m.a.progress.Segments.Add(int64(len(m.all)))
	// A segment being read holds a block, up to three batches and what gzip
	// looks back on.
	m.size = min(blockSize, max(minBlock, blocks/4/max(1, len(cursors))))
	m.most = min(maxLine, max(minLine, blocks/max(1, len(cursors))))
	for _, c := range cursors {
		slices.SortStableFunc(c.segments, func(i, j int) int { return m.all[i].order - m.all[j].order })
		c.key = m.all[c.segments[0]].First.UnixNano()
		m.push(c)
	}
	for len(m.heap) > 0 {
		if err := m.advance(ctx, m.heap[0]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// advance gives out lines of the cursor at the top until another's are next.
func (m *merger) advance(ctx context.Context, c *cursor) error {
	for {
		if c.batch == nil {
			more, err := m.fill(ctx, c)
			if err != nil {
				return err
			}
			if !more {
				m.pop()
				return m.release(c)
			}
			if m.sink(); m.heap[0] != c {
				return nil
			}
			continue
		}
		limit := m.second()
		for c.at < len(c.batch.refs) {
			if r := &c.batch.refs[c.at]; r.time > c.key {
				if r.time > limit {
					c.key = r.time
					m.sink()
					return nil
				}
				c.key = r.time
			}
			if err := m.give(c, &c.batch.refs[c.at]); err != nil {
				return err
			}
			c.at++
		}
		m.recycle(c.batch)
		c.batch = nil
	}
}

// fill gets the cursor's next lines: of the segment that is being read, or of
// the next one once its time has come. It returns false after the last.
func (m *merger) fill(ctx context.Context, c *cursor) (bool, error) {
	if len(c.segments) == 0 {
		return false, nil
	}
	i := c.segments[0]
	m.start(ctx, i)
	if !c.open {
		c.open = true
		m.waiting--
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case b, ok := <-m.started[i]:
		if ok {
			c.batch, c.at = b, 0
			c.key = max(c.key, b.refs[0].time)
			return true, nil
		}
	}
	m.a.progress.Read.Add(1)
	c.segments, c.open = c.segments[1:], false
	if len(c.segments) == 0 {
		return false, nil
	}
	next := m.all[c.segments[0]]
	if before := m.known[i]; next.Seq != before.Seq+1 || before.Reason == spool.Stop {
		if err := m.release(c); err != nil { // what is held goes on nowhere
			return false, err
		}
	}
	c.key = max(c.key, next.First.UnixNano())
	return true, nil
}

// start makes sure that a segment is being read, and some of those after it.
func (m *merger) start(ctx context.Context, i int) {
	m.launch(ctx, i)
	for ; m.next < len(m.all) && m.waiting < ahead; m.next++ {
		m.launch(ctx, m.next)
	}
}

// launch starts to read a segment.
func (m *merger) launch(ctx context.Context, i int) {
	if m.started[i] != nil {
		return
	}
	ch := make(chan *batch, 1)
	m.started[i] = ch
	m.waiting++
	seg := m.all[i]
	s := &scanner{
		sel: m.sel, seg: seg, size: m.size, most: m.most, fresh: m.fresh,
		read: func(n int) { m.a.progress.Bytes.Add(int64(n)) },
		send: func(ctx context.Context, b *batch, wait bool) bool {
			if !wait {
				select {
				case ch <- b:
					return true
				default:
					return false
				}
			}
			select {
			case ch <- b:
			case <-ctx.Done():
			}
			return true
		},
	}
	m.wg.Go(func() {
		defer close(ch)
		text, described, err := m.a.text(ctx, seg)
		s.seg, m.known[i] = described, described
		if err == nil {
			err = m.scan(ctx, s, text)
			text.Close()
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, store.ErrNotFound):
			m.a.warn(seg.Name(), errors.New("it was deleted before it could be read"))
		default:
			m.a.warn(seg.Name(), err)
		}
	})
}

// scan scans a text from where the lines begin that are wanted.
func (m *merger) scan(ctx context.Context, s *scanner, text *spool.Text) error {
	m.a.seeking.Lock()
	from := s.from(text)
	m.a.seeking.Unlock()
	r, err := text.From(from)
	s.later = err == nil && from > 0
	if err != nil && from > 0 {
		r, err = text.From(0) // the index is wrong
	}
	if err != nil {
		return err
	}
	return s.scan(ctx, r)
}

// give gives a line out, or holds it back where it may go on.
func (m *merger) give(c *cursor, r *ref) error {
	seg, buf := m.known[c.segments[0]], c.batch.buf
	raw, text := buf[r.raw:r.rawEnd:r.rawEnd], buf[r.text:r.textEnd:r.textEnd]
	match, at := r.match, r.time
	if h := c.held[r.stream]; h != nil {
		if !r.early {
			if err := m.let(c, r.stream); err != nil {
				return err
			}
		} else {
			if h.seg.Stream.Format != record.Raw.String() {
				h.raw = append(h.raw, '\n')
				m.held++
			}
			h.raw, h.text = append(h.raw, raw...), append(h.text, text...)
			m.held += len(raw) + len(text)
			h.match = m.sel.match(h.text)
			if r.open && len(h.text) < m.most && len(h.raw) < 2*m.most {
				h.seg = seg // and it may go on again
				return nil
			}
			return m.let(c, r.stream)
		}
	}
	if r.open && seg.Reason != spool.Stop && len(c.segments) > 1 && m.held < blocks {
		m.held += len(raw) + len(text)
		c.held[r.stream] = &heldLine{seg, at, slices.Clone(raw), slices.Clone(text), match}
		return nil
	}
	return m.out(seg, at, r.stream, raw, text, match)
}

// release gives out what is held of a container.
func (m *merger) release(c *cursor) error {
	return errors.Join(m.let(c, record.Stdout), m.let(c, record.Stderr))
}

func (m *merger) let(c *cursor, stream record.Stream) error {
	h := c.held[stream]
	if h == nil {
		return nil
	}
	c.held[stream] = nil
	m.held -= len(h.raw) + len(h.text)
	return m.out(h.seg, h.time, stream, h.raw, h.text, h.match)
}

func (m *merger) out(seg *Segment, at int64, stream record.Stream, raw, text []byte, match bool) error {
	if !match && !m.sel.All {
		return nil
	}
	m.line = Line{Segment: seg, Time: time.Unix(0, at), Stream: stream, Raw: raw, Text: text, Match: match}
	return m.f(&m.line)
}

func (m *merger) fresh() *batch {
	if b, ok := m.pool.Get().(*batch); ok {
		return b
	}
	return &batch{}
}

func (m *merger) recycle(b *batch) {
	if cap(b.buf) > 4*m.size {
		return // it had a long line, as few have
	}
	b.buf, b.refs = b.buf[:0], b.refs[:0]
	m.pool.Put(b)
}

// The heap: small, and its top changes again and again.

func (m *merger) push(c *cursor) {
	m.heap = append(m.heap, c)
	for i := len(m.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if m.heap[up].key <= m.heap[i].key {
			return
		}
		m.heap[i], m.heap[up] = m.heap[up], m.heap[i]
		i = up
	}
}

// sink brings the top to where it belongs.
func (m *merger) sink() {
	for i := 0; ; {
		least := i
		for _, down := range []int{2*i + 1, 2*i + 2} {
			if down < len(m.heap) && m.heap[down].key < m.heap[least].key {
				least = down
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

func (m *merger) pop() {
	n := len(m.heap) - 1
	m.heap[0] = m.heap[n]
	m.heap = m.heap[:n]
	m.sink()
}

// second is the least key of all but the top.
func (m *merger) second() int64 {
	least := int64(math.MaxInt64)
	for i := 1; i < min(len(m.heap), 3); i++ {
		least = min(least, m.heap[i].key)
	}
	return least
}
