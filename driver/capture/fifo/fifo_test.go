package fifo

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe makes a real FIFO, opens it as dockerd does and returns both ends.
func pipe(t *testing.T) (*Reader, *os.File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(poller(t), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); r.Close() })
	return r, w, path
}

func poller(t *testing.T) *Poller {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func buffer(t *testing.T) *Buffer {
	t.Helper()
	b, err := NewBuffer(64 << 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func peek(t *testing.T, r *Reader, b *Buffer, want string) {
	t.Helper()
	if got, err := r.Peek(b, 0); err != nil || string(got) != want {
		t.Fatalf("Peek: %q, %v; want %q", got, err, want)
	}
}

func TestPeekLeavesTheBytesUntilConsumed(t *testing.T) {
	r, w, path := pipe(t)
	b := buffer(t)
	write(t, w, "one two ")
	peek(t, r, b, "one two ")
	peek(t, r, b, "one two ")
	if err := r.Consume(b, 4); err != nil {
		t.Fatal(err)
	}
	peek(t, r, b, "two ")
	write(t, w, "three")
	peek(t, r, b, "two three")

	// The reader dies; the next one finds what was not consumed.
	r.Close()
	r2, err := Open(poller(t), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r2.Close()
	peek(t, r2, b, "two three")
	if err := r2.Consume(b, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := r2.Peek(b, 0); !errors.Is(err, ErrEmpty) {
		t.Fatalf("after all is consumed: %v, want ErrEmpty", err)
	}
}

func TestAFullPipe(t *testing.T) {
	r, w, _ := pipe(t)
	b := buffer(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 4<<10) // 64 KiB
	write(t, w, string(want))
	for round := range 3 {
		got, err := r.Peek(b, 0)
		if err != nil || !bytes.Equal(got, want[:len(got)]) || len(got) != len(want) {
			t.Fatalf("round %d: %d bytes, %v", round, len(got), err)
		}
	}
	if err := r.Consume(b, len(want)); err != nil {
		t.Fatal(err)
	}
}

// wait is a Wait that is over only when something is there.
func wait(t *testing.T, r *Reader, seen int) {
	t.Helper()
	if ready, err := r.Wait(seen, nil); !ready || err != nil {
		t.Fatalf("Wait: %v, %v", ready, err)
	}
}

func TestWaitWakesForNewBytesOnly(t *testing.T) {
	r, w, _ := pipe(t)
	b := buffer(t)
	woke := make(chan error, 1)
	go func() { _, err := r.Wait(0, nil); woke <- err }()
	write(t, w, "torn")
	if err := <-woke; err != nil {
		t.Fatal(err)
	}
	wait(t, r, 0)
	if _, err := r.Peek(b, 4); !errors.Is(err, ErrEmpty) {
		t.Fatalf("Peek beyond what was seen: %v, want ErrEmpty", err)
	}
	go func() { _, err := r.Wait(4, nil); woke <- err }()
	write(t, w, "!")
	if err := <-woke; err != nil {
		t.Fatal(err)
	}
	peek(t, r, b, "torn!")

	// With nothing new it waits until its time is over,
	over := make(chan time.Time, 1)
	over <- time.Time{}
	if ready, err := r.Wait(5, over); ready || err != nil {
		t.Fatalf("Wait whose time is over: %v, %v", ready, err)
	}
	// or until it is interrupted.
	go func() { _, err := r.Wait(5, nil); woke <- err }()
	r.Interrupt()
	if err := <-woke; !errors.Is(err, ErrInterrupted) {
		t.Fatalf("interrupted Wait: %v", err)
	}
	peek(t, r, b, "torn!")
}

// TestNobodyIsWokenWhoDoesNotWait has a reader wait for the rest of a frame and
// then let its pipe fill.
func TestNobodyIsWokenWhoDoesNotWait(t *testing.T) {
	r, w, _ := pipe(t)
	later := &Reader{fd: -1, ready: make(chan struct{}, 1)}
	var err error
	if later.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(later.fd)
	if err := r.poller.add(later); err != nil {
		t.Fatal(err)
	}
	write(t, w, "head")
	over := make(chan time.Time)
	close(over)
	if ready, err := r.Wait(4, over); ready || err != nil {
		t.Fatalf("%v, %v", ready, err)
	}
	// Events come in order: after this one, no other is on its way.
	event := func() {
		if err := r.poller.arm(later, false); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(later.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		<-later.ready
	}
	event()
	select {
	case <-r.ready:
	default:
	}
	write(t, w, "more")
	event()
	if len(r.ready) > 0 {
		t.Error("it was woken by a write that nobody waited for")
	}
}

func TestOnePollerServesManyReaders(t *testing.T) {
	p := poller(t)
	const readers = 300 // more than one epoll_wait tells of
	woke := make(chan int)
	var writers []*os.File
	for i := range readers {
		path := filepath.Join(t.TempDir(), "fifo")
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		r, err := Open(p, path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		writers = append(writers, w)
		go func() {
			if ready, err := r.Wait(0, nil); ready && err == nil {
				woke <- i
			}
		}()
	}
	for _, w := range writers {
		write(t, w, "x")
	}
	seen := map[int]bool{}
	for range readers {
		seen[<-woke] = true
	}
	if len(seen) != readers {
		t.Errorf("%d of %d readers woke", len(seen), readers)
	}
}

func TestThePipeGrowsAndShrinks(t *testing.T) {
	r, w, _ := pipe(t)
	if n, err := r.Capacity(); n != 64<<10 || err != nil {
		t.Fatalf("a new pipe holds %d, %v", n, err)
	}
	if n, err := r.Resize(1 << 20); n != 1<<20 || err != nil {
		t.Fatalf("grown: %d, %v", n, err)
	}
	write(t, w, string(make([]byte, 512<<10)))
	if _, err := r.Resize(64 << 10); err == nil {
		t.Error("the pipe became smaller than what it holds")
	}
	if n, err := r.Capacity(); n != 1<<20 || err != nil {
		t.Errorf("then it holds %d, %v", n, err)
	}
}

func TestTheLastWriterGoes(t *testing.T) {
	r, w, _ := pipe(t)
	b := buffer(t)
	write(t, w, "last")
	w.Close()
	peek(t, r, b, "last")
	wait(t, r, 4)
	if got, err := r.Peek(b, 4); !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != "last" {
		t.Fatalf("Peek at a torn end: %q, %v", got, err)
	}
	if err := r.Consume(b, 4); err != nil {
		t.Fatal(err)
	}
	wait(t, r, 0)
	if _, err := r.Peek(b, 0); !errors.Is(err, io.EOF) {
		t.Fatalf("Peek at the end: %v, want io.EOF", err)
	}
}

// After a restart of dockerd, an old FIFO has no writer and never had one while
// the new reader watched.
func TestAnOrphanedFIFOEnds(t *testing.T) {
	_, w, path := pipe(t)
	b := buffer(t)
	keep, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // the bytes stay while anybody has it open
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	write(t, w, "torn")
	w.Close()
	r, err := Open(poller(t), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	peek(t, r, b, "torn")
	wait(t, r, 4)
	if _, err := r.Peek(b, 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("Peek at a torn end: %v", err)
	}
	if err := r.Consume(b, 4); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Peek(b, 0); !errors.Is(err, io.EOF) {
		t.Fatalf("Peek at the end: %v", err)
	}
}

func TestConsumeMoreThanThereIsFails(t *testing.T) {
	r, w, _ := pipe(t)
	b := buffer(t)
	write(t, w, "abc")
	if err := r.Consume(b, 4); err == nil {
		t.Fatal("consumed 4 of 3 bytes")
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	p := poller(t)
	for _, path := range []string{file, link, file + ".absent"} {
		if r, err := Open(p, path); err == nil {
			r.Close()
			t.Errorf("%s: opened", path)
		}
	}
}

// TestPrivatePipesAreNotRootsOwn takes all the pages that root may have in pipes,
// as a thousand FIFOs of dockerd's do, and wants a buffer all the same.
func TestPrivatePipesAreNotRootsOwn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root, as which logfast runs in its plugin")
	}
	// This process may exceed the limit; logfast, without CAP_SYS_RESOURCE and
	// CAP_SYS_ADMIN, may not.
	if os.Getenv("LOGFAST_TEST_PIPES") == "" {
		for range 80 { // of 1 MiB: more than 64 MiB
			var p [2]int
			if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			defer unix.Close(p[0])
			defer unix.Close(p[1])
			if _, err := unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		run := exec.Command("setpriv", "--bounding-set", "-sys_resource,-sys_admin", "--inh-caps", "-sys_resource,-sys_admin",
			os.Args[0], "-test.run=^TestPrivatePipesAreNotRootsOwn$", "-test.v")
		run.Env = append(os.Environ(), "LOGFAST_TEST_PIPES=1")
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, 1<<20); err == nil {
		t.Fatal("root may have more pipes: this test shows nothing")
	}
	buffer(t)
	if uid := unix.Getuid(); uid != 0 {
		t.Errorf("the process became user %d", uid)
	}
}
