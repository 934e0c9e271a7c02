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
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// StripeSize is how many bytes of text a stripe has; the last has what is left.
// Standing alone costs a stripe of this size a thousandth of its packed size.
const StripeSize = 4 << 20

// level is where the library stops to gain much on access logs with varied
// lines: 4 % larger than gzip -9, in a seventh of its time on one processor. The
// next level takes half as long again for 1 % (docs/performance.md).
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
	size    uint32   // of the text, modulo 2³²
	stripes [][]byte // not packed yet, all full but the last
	err     error    // once set, nothing works any more
}

// NewWriter returns a Writer to dst, which gets a stripe at a time.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst, workers: 1} }

// SetWorkers sets how many stripes are packed at once from now on: each takes
// about 6 MB meanwhile. With one, all work is done in the goroutine, and so by
// the thread, that calls Write and Close.
func (w *Writer) SetWorkers(n int) { w.workers = max(1, n) }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && w.err == nil {
		if last := len(w.stripes) - 1; last < 0 || len(w.stripes[last]) == StripeSize {
			if last+1 >= w.workers {
				w.flush()
			}
			w.stripes = append(w.stripes, w.buffer())
		}
		last := &w.stripes[len(w.stripes)-1]
		fits := min(len(p), StripeSize-len(*last))
		*last = append(*last, p[:fits]...)
		p = p[fits:]
	}
	return n - len(p), w.err
}

// buffer returns an empty one: a short text needs no whole stripe.
func (w *Writer) buffer() []byte {
	if len(w.index) == 0 && len(w.stripes) == 0 {
		return nil
	}
	b, _ := buffers.Get().(*[]byte)
	if b == nil {
		return make([]byte, 0, StripeSize)
	}
	return (*b)[:0]
}

// Pools of what packing needs; whole stripes alone.
var (
	buffers    sync.Pool // *[]byte with room for a stripe
	outputs    sync.Pool // *bytes.Buffer
	deflations sync.Pool // *flate.Writer
)

// Close packs what is left and ends the file. It does not close dst.
func (w *Writer) Close() error {
	w.flush()
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

// flush packs the stripes that are there.
func (w *Writer) flush() {
	if w.err != nil || len(w.stripes) == 0 {
		return
	}
	packed := make([]*bytes.Buffer, len(w.stripes))
	errs := make([]error, len(w.stripes))
	if len(w.stripes) == 1 {
		packed[0], errs[0] = deflate(w.stripes[0])
	} else {
		var wg sync.WaitGroup
		for i, text := range w.stripes {
			wg.Go(func() { packed[i], errs[i] = deflate(text) })
		}
		wg.Wait()
	}
	if w.err = errors.Join(errs...); w.err != nil {
		return
	}
	if w.at == 0 {
		w.put(header)
	}
	for i, text := range w.stripes {
		w.index = append(w.index, w.at)
		w.put(packed[i].Bytes())
		w.crc = crc32.Update(w.crc, crc32.IEEETable, text)
		w.size += uint32(len(text))
		outputs.Put(packed[i])
		if cap(text) == StripeSize {
			buffers.Put(&text)
		}
	}
	w.stripes = w.stripes[:0]
}

func (w *Writer) put(b []byte) {
	if w.err == nil {
		var n int
		n, w.err = w.dst.Write(b)
		w.at += int64(n)
	}
}

// deflate packs one stripe, up to a byte's boundary.
func deflate(text []byte) (*bytes.Buffer, error) {
	out, _ := outputs.Get().(*bytes.Buffer)
	if out == nil {
		out = new(bytes.Buffer)
	}
	out.Reset()
	z, _ := deflations.Get().(*flate.Writer)
	if z == nil {
		var err error
		if z, err = flate.NewWriter(out, level); err != nil {
			return nil, err
		}
	}
	z.Reset(out)
	_, err := z.Write(text)
	err = errors.Join(err, z.Flush())
	deflations.Put(z)
	return out, err
}
