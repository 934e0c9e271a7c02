package fifo

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkTake takes a full pipe of 64 KiB, by peeking and consuming and by
// a plain read; an operation includes the write that fills it.
func BenchmarkTake(b *testing.B) {
	const size = 64 << 10
	path := filepath.Join(b.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		b.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	poller, err := NewPoller()
	if err != nil {
		b.Fatal(err)
	}
	defer poller.Close()
	r, err := Open(poller, path)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	data := make([]byte, size)
	fill := func() {
		if _, err := w.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("peek", func(b *testing.B) {
		buf, err := NewBuffer(size)
		if err != nil {
			b.Fatal(err)
		}
		defer buf.Close()
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			fill()
			got, err := r.Peek(buf, 0)
			if err == nil {
				err = r.Consume(buf, len(got))
			}
			if err != nil || len(got) != size {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		buf := make([]byte, size)
		b.SetBytes(size)
		for b.Loop() {
			fill()
			if n, err := w.Read(buf); err != nil || n != size {
				b.Fatal(n, err)
			}
		}
	})
}
