// Package pack turns a text into gzip (RFC 1952) that every tool unpacks from
// its start, and that [Text] reads at any place: the text is packed in stripes
// of [StripeSize] bytes, none of which refers to another, and where each begins
// is kept beside the file. So stripes can be packed by several processors at
// once, a text that still grows can be packed ahead, and who wants the last
// lines unpacks the last stripe.
//
// The same text gives the same bytes, however it was written and by however
// many workers: the header has neither time nor name.
package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// StripeSize is how many bytes of text a stripe has; the last has what is left.
// Standing alone costs a stripe of this size a thousandth of its packed size.
const StripeSize = 4 << 20

// level is the library's level whose output is at most 4 % larger than that of
// gzip -9 and which packs more than ten times as fast on two processors: see
// BenchmarkLevels in driver/ship.
const level = 6

var (
	// header: deflate, no flags, no time, no hint how it was packed, an unknown system.
	header = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	// final is an empty last block (RFC 1951, 3.2.6): each stripe could have been the last.
	final = []byte{0x03, 0x00}
)

// Writer packs what is written to it. It belongs to one goroutine. Close it.
type Writer struct {
	dst     io.Writer
	workers int
	index   []int64
	at      int64 // bytes written to dst
	crc     uint32
	size    uint32    // of the text, modulo 2³²
	text    []byte    // of the stripe that is not full yet
	stripes []*stripe // that are being packed, in their order
	err     error     // once set, nothing works any more
}

// stripe is one that is being packed.
type stripe struct {
	text   []byte
	packed *bytes.Buffer
	err    error         // of packing
	done   chan struct{} // closed when it is packed
}

// NewWriter returns a Writer to dst, which gets a stripe at a time.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst, workers: 1} }

// SetWorkers sets how many stripes are packed at once from now on, beside what
// the caller does meanwhile: each takes about 6 MB. With one, all work is done in
// the goroutine, and so by the thread, that calls Write and Close.
func (w *Writer) SetWorkers(n int) { w.workers = max(1, n) }

// Write implements io.Writer. It keeps nothing of p.
func (w *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && w.err == nil {
		if w.text == nil {
			w.text = w.buffer()
		}
		fits := min(len(p), StripeSize-len(w.text))
		w.text = append(w.text, p[:fits]...)
		p = p[fits:]
		if len(w.text) == StripeSize {
			w.start()
		}
	}
	return n - len(p), w.err
}

// buffer returns an empty one, which grows with the text if it may be a short one
// and there is none of a whole stripe yet.
func (w *Writer) buffer() []byte {
	if b, _ := buffers.Get().(*[]byte); b != nil {
		return (*b)[:0]
	}
	if len(w.index) == 0 && len(w.stripes) == 0 {
		return nil
	}
	return make([]byte, 0, StripeSize)
}

// Pools of what packing needs; whole stripes alone.
var (
	buffers  sync.Pool // *[]byte with room for a stripe
	outputs  sync.Pool // *bytes.Buffer
	encoders sync.Pool // *flate.Writer
)

// Close packs what is left and ends the file. It does not close dst.
func (w *Writer) Close() error {
	if len(w.text) > 0 && w.err == nil {
		w.start()
	}
	w.finish(0)
	if w.err == nil && w.at == 0 {
		w.put(header)
	}
	tail := binary.LittleEndian.AppendUint32(final[:len(final):len(final)], w.crc)
	w.put(binary.LittleEndian.AppendUint32(tail, w.size))
	err := w.err
	if err == nil {
		w.err = errors.New("pack: the writer is closed")
	}
	return err
}

// Index returns where in the file each stripe begins that was packed so far.
func (w *Writer) Index() []int64 { return w.index }

// start has the stripe packed that is being filled.
func (w *Writer) start() {
	s := &stripe{text: w.text, done: make(chan struct{})}
	w.text = nil
	w.finish(w.workers - 1)
	w.stripes = append(w.stripes, s)
	if w.workers == 1 {
		s.deflate()
		w.finish(0)
		return
	}
	go s.deflate()
}

// finish waits until no more than so many stripes are being packed, and writes
// the others.
func (w *Writer) finish(left int) {
	for len(w.stripes) > left {
		s := w.stripes[0]
		w.stripes = w.stripes[1:]
		<-s.done
		if w.err == nil {
			w.err = s.err
		}
		if w.err != nil {
			continue
		}
		if w.at == 0 {
			w.put(header)
		}
		w.index = append(w.index, w.at)
		w.put(s.packed.Bytes())
		w.crc = crc32.Update(w.crc, crc32.IEEETable, s.text)
		w.size += uint32(len(s.text))
		outputs.Put(s.packed)
		if cap(s.text) == StripeSize {
			buffers.Put(&s.text)
		}
	}
}

func (w *Writer) put(b []byte) {
	if w.err == nil {
		var n int
		n, w.err = w.dst.Write(b)
		w.at += int64(n)
	}
}

// deflate packs one stripe, up to a byte's boundary.
func (s *stripe) deflate() {
	defer close(s.done)
	s.packed, _ = outputs.Get().(*bytes.Buffer)
	if s.packed == nil {
		s.packed = new(bytes.Buffer)
	}
	s.packed.Reset()
	z, _ := encoders.Get().(*flate.Writer)
	if z == nil {
		if z, s.err = flate.NewWriter(s.packed, level); s.err != nil {
			return
		}
	} else {
		z.Reset(s.packed)
	}
	if _, err := z.Write(s.text); err != nil {
		s.err = fmt.Errorf("pack a stripe: %w", err)
		return
	}
	if err := z.Flush(); err != nil {
		s.err = fmt.Errorf("pack a stripe: %w", err)
		return
	}
	encoders.Put(z)
}
