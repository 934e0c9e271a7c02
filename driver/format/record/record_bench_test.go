package record

import (
	"bytes"
	"testing"

	"github.com/logfast/logfast/bench/lines"
)

// BenchmarkAppend writes access log lines as records; an operation is one.
func BenchmarkAppend(b *testing.B) {
	const n = 400
	text := bytes.Split(bytes.TrimSuffix(lines.Text(1, n), []byte("\n")), []byte("\n"))
	size := 0
	for _, line := range text {
		size += len(line)
	}
	for f := range Formats() {
		b.Run(Format(f).String(), func(b *testing.B) {
			b.SetBytes(int64(size / n))
			b.ReportAllocs()
			w := NewWriter(Format(f), "web-1", "checkout", "1a2b3c4d5e6f")
			r := Record{Time: 1795503600123456789}
			buf := make([]byte, 0, 1<<20)
			i := 0
			for b.Loop() {
				if i++; i%n == 0 {
					buf = buf[:0]
				}
				r.Text = text[i%n]
				r.Time += 3000 // nanoseconds: 330,000 lines a second
				buf = w.Append(buf, &r)
			}
		})
	}
}
