package capture

import (
	"errors"
	"runtime"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// peekSize is the most that is taken from a FIFO at once, in bytes. It holds
// the largest frame; more of it than this would leave the processor's caches
// before it is written.
const peekSize = 256 << 10

// keepText is how large a text buffer may stay. 256 KiB of the shortest frames
// make less than 512 KiB of text; only hostile bytes make more.
const keepText = 1 << 20

// workspace is what moving one batch needs. A stream has it only while it
// moves bytes, so that memory is bounded by the processors, not the streams.
type workspace struct {
	peeked *fifo.Buffer
	batch  spool.Batch
	day    int64 // latest UTC day of the batch's records
	costly bool  // see pool; never changes

	asked         bool  // began and latest are known
	began, latest int64 // of the active segment when the batch was begun: its first record's time, and the latest

	resyncs, garbage int64 // marks in the batch for bytes that were no frames, and how many bytes
}

func (w *workspace) reset() {
	text := w.batch.Text[:0]
	if cap(text) > keepText {
		text = nil
	}
	w.batch, w.day = spool.Batch{Text: text}, 0
	w.asked, w.began, w.latest = false, 0, 0
	w.resyncs, w.garbage = 0, 0
}

// add appends the record to the batch's text.
func (w *workspace) add(t *record.Writer, r *record.Record) {
	b := &w.batch
	b.Text = t.Append(b.Text, r)
	if b.First == 0 {
		b.First = r.Time
	}
	b.Last = max(b.Last, r.Time)
	w.day = max(w.day, dayOf(r.Time))
}

// pool lends workspaces. If all are lent, get waits. A stream holds one only while
// it waits for the local disk, where a stream with fsync=always may stay for some
// milliseconds: hence more of them than processors. A stream whose detector may
// take long for a line has one of the others, of which there are enough for many
// such streams: it must not keep back those that write.
type pool struct {
	free  chan *workspace
	slots chan struct{}   // of costly streams, which hold one each
	idle  chan *workspace // of costly streams, kept for the next
}

// The bounds of costly workspaces: their size in bytes, which holds the largest
// frame, how many are lent at most, and how many are kept.
const (
	costlySize = 64 << 10
	costlyMost = 128
	costlyIdle = 4
)

func newPool() (*pool, error) {
	p := &pool{
		free:  make(chan *workspace, 2*runtime.GOMAXPROCS(0)+4),
		slots: make(chan struct{}, costlyMost), idle: make(chan *workspace, costlyIdle),
	}
	for range cap(p.free) {
		b, err := fifo.NewBuffer(peekSize)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.free <- &workspace{peeked: b}
	}
	return p, nil
}

func (p *pool) get() *workspace { return <-p.free }

// getCostly is get for a stream that may hold the workspace for long. If none can
// be made, it has to be one of the others.
func (p *pool) getCostly() *workspace {
	p.slots <- struct{}{}
	select {
	case w := <-p.idle:
		return w
	default:
	}
	b, err := fifo.NewBuffer(costlySize)
	if err != nil {
		<-p.slots
		return p.get()
	}
	return &workspace{peeked: b, costly: true}
}

func (p *pool) put(w *workspace) {
	if !w.costly {
		p.free <- w
		return
	}
	select {
	case p.idle <- w:
	default:
		_ = w.peeked.Close() // it holds nothing that is not in the FIFO too
	}
	<-p.slots
}

// close frees the workspaces that are not lent.
func (p *pool) close() error {
	var errs []error
	for {
		select {
		case w := <-p.free:
			errs = append(errs, w.peeked.Close())
		case w := <-p.idle:
			errs = append(errs, w.peeked.Close())
		default:
			return errors.Join(errs...)
		}
	}
}
