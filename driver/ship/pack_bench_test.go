package ship

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/logfast/logfast/bench/lines"
	"github.com/logfast/logfast/driver/spool/pack"
)

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// BenchmarkPack packs a segment, and has gzip and pigz pack the same; an
// operation is 16 MB. "packed/text" is the size.
func BenchmarkPack(b *testing.B) {
	data := lines.Records(1, 95_000) // 16 MB
	path := filepath.Join(b.TempDir(), "web.log")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	measure := func(name string, pack func(dst io.Writer) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			var n counter
			for b.Loop() {
				n = 0
				if err := pack(&n); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/float64(len(data)), "packed/text")
		})
	}
	measure("logfast", func(dst io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		w := pack.NewWriter(dst)
		w.SetWorkers(workers())
		_, err = io.Copy(w, f)
		return errors.Join(err, w.Close())
	})
	for _, args := range [][]string{{"gzip", "-9"}, {"gzip", "-6"}, {"pigz", "-9"}, {"pigz", "-6"}} {
		measure(args[0]+args[1], func(dst io.Writer) error {
			c := exec.Command(args[0], args[1], "-c", path)
			c.Stdout = dst
			return c.Run()
		})
	}
}

// BenchmarkLevels compares packing on one processor with the levels of the
// fastest library there is for Go.
func BenchmarkLevels(b *testing.B) {
	data := lines.Records(1, 95_000) // 16 MB
	measure := func(name string, writer func(io.Writer) (io.WriteCloser, error)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			var n counter
			for b.Loop() {
				n = 0
				z, err := writer(&n)
				if err == nil {
					_, err = z.Write(data)
				}
				if err == nil {
					err = z.Close()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/float64(len(data)), "packed/text")
		})
	}
	measure("logfast", func(dst io.Writer) (io.WriteCloser, error) { return pack.NewWriter(dst), nil })
	for level := 1; level <= 9; level++ {
		measure(fmt.Sprint(level), func(dst io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(dst, level) })
	}
}
