package frame

import (
	"bytes"
	"testing"

	"github.com/logfast/logfast/bench/lines"
)

// framed returns the frames of n access log lines.
func framed(n int) []byte {
	var b []byte
	for line := range bytes.Lines(lines.Text(1, n)) {
		b = Append(b, &Entry{Source: []byte("stdout"), TimeNano: 1795503600123456789, Line: line[:len(line)-1]})
	}
	return b
}

// BenchmarkDecode decodes a FIFO's worth of frames; an operation is one frame.
func BenchmarkDecode(b *testing.B) {
	const n = 400
	data := framed(n)
	b.SetBytes(int64(len(data) / n))
	b.ReportAllocs()
	var e Entry
	rest := data
	for b.Loop() {
		size, err := Decode(rest, &e)
		if err != nil {
			b.Fatal(err)
		}
		if rest = rest[size:]; len(rest) == 0 {
			rest = data
		}
	}
}
