package driver

import (
	"errors"
	"runtime"

	"github.com/logfast/logfast/driver/fifo"
	"github.com/logfast/logfast/driver/record"
	"github.com/logfast/logfast/driver/segment"
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
	batch  segment.Batch
	day    int64 // latest UTC day of the batch's records

	resyncs, garbage int64 // marks in the batch for bytes that were no frames, and how many bytes
}

func (w *workspace) reset() {
	text := w.batch.Text[:0]
	if cap(text) > keepText {
		text = nil
	}
	w.batch, w.day = segment.Batch{Text: text}, 0
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

// pool lends workspaces. Who asks while all are lent waits; nobody holds one
// while waiting for anything but the local disk, where a stream with fsync=always
// may stay for some milliseconds: hence more of them than processors.
type pool struct{ free chan *workspace }

func newPool() (*pool, error) {
	p := &pool{free: make(chan *workspace, 2*runtime.GOMAXPROCS(0)+4)}
	for range cap(p.free) {
		b, err := fifo.NewBuffer(peekSize)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.free <- &workspace{peeked: b}
	}
	return p, nil
}

func (p *pool) get() *workspace  { return <-p.free }
func (p *pool) put(w *workspace) { p.free <- w }

// close frees the workspaces that are not lent.
func (p *pool) close() error {
	var errs []error
	for {
		select {
		case w := <-p.free:
			errs = append(errs, w.peeked.Close())
		default:
			return errors.Join(errs...)
		}
	}
}
