package capture_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/bench/lines"
	"github.com/logfast/logfast/driver/capture"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
)

// docker plays dockerd: it writes frames into a FIFO, one write(2) each.
type docker struct {
	path   string
	fd     int
	frames [][]byte
	text   int64 // bytes of the frames' records in the format cri
}

func newDocker(b *testing.B) *docker {
	b.Helper()
	d := &docker{path: filepath.Join(b.TempDir(), "fifo")}
	err := unix.Mkfifo(d.path, 0o600)
	if err == nil {
		d.fd, err = unix.Open(d.path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC).UnixNano()
	for line := range bytes.Lines(lines.Text(1, 10_000)) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		d.frames = append(d.frames, frame.Append(nil, &frame.Entry{Source: []byte("stdout"), TimeNano: now, Line: line}))
		d.text += int64(len("2026-11-24T06:00:00.000000000Z stdout F \n") + len(line))
		now += 3000
	}
	return d
}

// write writes n frames and returns the length of their records.
func (d *docker) write(b *testing.B, n int) (text int64) {
	b.Helper()
	for i := range n {
		f := d.frames[i%len(d.frames)]
		if _, err := unix.Write(d.fd, f); err != nil {
			b.Fatal(err)
		}
	}
	text = d.text * int64(n/len(d.frames))
	for _, f := range d.frames[:n%len(d.frames)] {
		var e frame.Entry
		if _, err := frame.Decode(f, &e); err != nil {
			b.Fatal(err)
		}
		text += int64(len("2026-11-24T06:00:00.000000000Z stdout F \n") + len(e.Line))
	}
	return text
}

// bytes is the mean length of a frame.
func (d *docker) bytes() (sum int64) {
	for _, f := range d.frames {
		sum += int64(len(f))
	}
	return sum / int64(len(d.frames))
}

// BenchmarkEndToEnd takes frames from a real FIFO as fast as they are written
// there; an operation is one line. It ends when all of them are in a file.
// What the writer costs is in it: "discard" is that and a plain read loop,
// "cat" is cat fifo > file.
func BenchmarkEndToEnd(b *testing.B) {
	b.Run("logfast", func(b *testing.B) {
		d := newDocker(b)
		defer unix.Close(d.fd)
		captured, spool := newCapture(b)
		info := options.Info{ContainerID: strings.Repeat("ab", 32), ContainerName: "/web", ContainerImageName: "image"}
		if err := captured.Start(d.path, info); err != nil {
			b.Fatal(err)
		}
		active := filepath.Join(spool, "web-abababababab", "web.log")
		d.write(b, 1) // the file is made, and is not what is measured
		await(b, active, int64(len("2026-11-24T06:00:00.000000000Z stdout F \n")))
		before, err := os.Stat(active)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(d.bytes())
		b.ReportAllocs()
		b.ResetTimer()
		text := d.write(b, b.N)
		await(b, active, before.Size()+text)
		b.StopTimer()
		captured.Stop(d.path)
	})
	b.Run("cat", func(b *testing.B) {
		d := newDocker(b)
		out, err := os.Create(filepath.Join(b.TempDir(), "file"))
		if err != nil {
			b.Fatal(err)
		}
		defer out.Close()
		cat := exec.Command("cat", d.path)
		cat.Stdout = out
		if err := cat.Start(); err != nil {
			b.Fatal(err)
		}
		d.write(b, 1)
		await(b, out.Name(), 1)
		b.SetBytes(d.bytes())
		b.ResetTimer()
		d.write(b, b.N)
		unix.Close(d.fd) // the end of the FIFO, and of cat
		if err := cat.Wait(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("discard", func(b *testing.B) {
		d := newDocker(b)
		r, err := os.Open(d.path)
		if err != nil {
			b.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer r.Close()
			for buf := make([]byte, 32<<10); ; {
				if _, err := r.Read(buf); err != nil {
					return
				}
			}
		})
		b.SetBytes(d.bytes())
		b.ResetTimer()
		d.write(b, b.N)
		unix.Close(d.fd)
		wg.Wait()
	})
}

// await waits until a file has a size.
func await(b *testing.B, path string, size int64) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Microsecond) {
		fi, err := os.Stat(path)
		if err == nil && fi.Size() >= size {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s: %v; want %d bytes", path, err, size)
		}
	}
}

// newCapture makes a driver that runs until the benchmark ends, with the
// plugin's default options but for a segment that does not get too large.
func newCapture(b *testing.B) (*capture.Driver, string) {
	b.Helper()
	dir := b.TempDir()
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	if err != nil {
		b.Fatal(err)
	}
	spool, err := spool.Open(dir, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	if err != nil {
		b.Fatal(err)
	}
	d, err := capture.New(capture.Config{
		Spool: spool, Host: "web-1",
		Defaults: options.Options{
			Scope: options.ScopeContainer, MaxSize: options.MaxMaxSize, Fsync: options.FsyncInterval,
			Policy: fasttrack.Policy{Quiet: 30 * time.Second, MaxDelay: 5 * time.Minute},
		},
		Sealed: func() {},
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := d.Close(); err != nil {
			b.Error(err)
		}
		if err := spool.Close(); err != nil {
			b.Error(err)
		}
	})
	return d, dir
}
