package ship

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/durable/crashtest"
)

// windows are the steps from the seal of a segment to its deletion, in order.
// Between any two of them, and before and after each, a crash may come. A step
// that is added to the code needs its row here: the clean run must take these.
var windows = []string{
	// Writer.Seal
	"fsync active",
	"create meta.tmp", "write meta.tmp", "fsync meta.tmp", "rename meta", "fsync directory",
	"rename sealed", "fsync directory",
	// Spool.Pack
	"remove packed.tmp", // of an earlier try
	"create packed.tmp", "write packed.tmp", "fsync packed.tmp",
	"create meta.tmp", "write meta.tmp", "fsync meta.tmp", "rename meta", "fsync directory",
	"rename packed", "fsync directory",
	"remove sealed",
	// Shipper.put
	"put object",
	// Spool.Uploaded
	"rename uploaded", "fsync directory",
	// Spool.Delete, once Keep is over
	"mkdir .deleted", "fsync directory", "create record",
	"remove uploaded", "remove meta", "remove stream", "remove directory",
}

// life is one process's work on a spool, with a fault at one step.
type life struct {
	*testing.T
	*crashtest.Process
	root    string
	bucket  *bucket
	givesUp bool // the text may go: that is what is tested
}

const crashKey = "k/web-000001-error.log.gz"

var crashStream = spool.Stream{ID: strings.Repeat("1a2b3c4d5e6f", 6)[:64], Name: "web", Host: "h", App: "a", Format: "cri"}

// role names a file of the one segment by what it is.
func role(name string) string {
	base := filepath.Base(name)
	switch {
	case base == ".stream.json":
		return "stream"
	case strings.HasSuffix(base, ".json.tmp"):
		return "meta.tmp"
	case strings.HasSuffix(base, ".gz.tmp"):
		return "packed.tmp"
	case strings.HasSuffix(base, ".tmp"):
		return "sealed.tmp"
	case strings.HasPrefix(base, ".") && strings.HasSuffix(base, ".json"):
		return "meta"
	case strings.HasSuffix(base, ".uploaded.gz"):
		return "uploaded"
	case strings.HasSuffix(base, ".gz"):
		return "packed"
	case base == "web.log":
		return "active"
	case strings.HasPrefix(base, "web.log-"):
		return "sealed"
	case strings.HasPrefix(base, crashStream.ID+"-"):
		return "record"
	case base == crashStream.Dir():
		return "directory"
	}
	return base
}

// process begins a process with a fault: another life on the same spool.
func (l *life) process(f crashtest.Fault) *life {
	next := &life{T: l.T, root: l.root, bucket: l.bucket, givesUp: l.givesUp}
	next.Process = &crashtest.Process{Fault: f, After: next.checkText, Name: func(s durable.Step) string {
		if s.Op == "fsync directory" {
			return s.Op
		}
		return s.Op + " " + role(s.Name)
	}}
	return next
}

// checkText fails where the text is nowhere: every step leaves it somewhere.
func (l *life) checkText(when string) {
	l.Helper()
	if l.givesUp || len(l.bucket.objects) > 0 {
		return // the store has it; what it has is checked at the end
	}
	files, _ := filepath.Glob(filepath.Join(l.root, crashStream.Dir(), "web.log*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		switch role(f) {
		case "active", "sealed":
			if string(b) == l.bucket.text {
				return
			}
		case "packed":
			if packtest.Unpack(l.T, b) == l.bucket.text {
				return
			}
		case "uploaded":
			l.Errorf("%s: marked uploaded without an object", when)
		}
	}
	l.Errorf("%s: the text is nowhere, neither in %v nor in the store", when, files)
}

// run lives one life: what the process before left is recovered, the segment is
// written where it is the first life, and SHIP works for d.
func (l *life) run(first bool, d time.Duration) {
	l.Helper()
	key, err := spool.ParseKeyTemplate("k/{name}-{seq}-{reason}.log.gz")
	if err != nil {
		l.Fatal(err)
	}
	sp, err := spool.Open(l.root, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	if err != nil {
		l.Fatal(err)
	}
	defer sp.Close()
	var w *spool.Writer
	if first {
		w = sp.Writer(crashStream)
		at := time.Now().UnixNano()
		if _, err := w.Append(&spool.Batch{Text: []byte(l.bucket.text), First: at, Last: at, Lines: 2, Errors: 1}, 1<<20); err != nil {
			l.Fatal(err)
		}
	}
	defer durable.Intercept(l.Step)()
	l.bucket.step = l.Step
	if !first {
		if err := sp.Recover(func(string) bool { return false }); err != nil && !errors.Is(err, crashtest.ErrPower) {
			l.Errorf("recover: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	if first {
		_, err := w.Seal(spool.Error)
		if err != nil && !l.Dead() {
			_, err = w.Seal(spool.Error) // as whoever has the writer does
		}
		if err != nil && !errors.Is(err, crashtest.ErrPower) {
			l.Error(err)
		}
		if !l.Dead() {
			if _, err := w.Close(); err != nil {
				l.Error(err)
			}
		}
	}
	s := New(Config{Spool: sp, Store: l.bucket, Keep: time.Minute, Log: slog.New(slog.DiscardHandler)})
	wg.Go(func() { s.Run(ctx) })
	time.Sleep(d) // the bubble's time
	synctest.Wait()
	cancel()
	wg.Wait()
}

// bucket is a store in memory that outlives the processes.
type bucket struct {
	text    string
	step    func(durable.Step, func() error) error
	objects map[string][]byte
	attrs   map[string]store.Attributes
}

func (b *bucket) Put(_ context.Context, key string, body io.ReadSeeker, attrs store.Attributes) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return b.step(durable.Step{Op: "put", Name: "object"}, func() error {
		if was, taken := b.objects[key]; taken {
			if !bytes.Equal(was, data) {
				return store.ErrExists
			}
			return nil
		}
		b.objects[key], b.attrs[key] = data, attrs
		return nil
	})
}

func (b *bucket) Get(context.Context, string) (io.ReadCloser, store.Attributes, error) {
	return nil, store.Attributes{}, store.ErrNotFound
}

func (b *bucket) List(context.Context, string, string) iter.Seq2[store.Entry, error] { return nil }

// inMemory is a directory without a disk under it, where there is one: the
// steps are counted, not the disk's time.
func inMemory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "logfast-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newLife begins with a spool that is empty.
func newLife(t *testing.T, f crashtest.Fault) *life {
	at := time.Now().UTC()
	stamp := at.Format("2006-01-02T15:04:05.000000000Z07:00")
	text := stamp + ` stdout F "GET / HTTP/1.1" 200 2` + "\n" + stamp + ` stdout F "GET / HTTP/1.1" 500 2` + "\n"
	l := &life{
		T: t, root: inMemory(t),
		bucket: &bucket{text: text, objects: map[string][]byte{}, attrs: map[string]store.Attributes{}},
	}
	return l.process(f)
}

// expectEnd checks what has to be true when all is over, whatever happened.
func (l *life) expectEnd() {
	l.Helper()
	var keys []string
	for k := range l.bucket.objects {
		keys = append(keys, k)
	}
	want := crashKey
	if len(keys) == 1 && strings.Contains(keys[0], "-recover") {
		want = "k/web-000001-recover.log.gz" // nobody had sealed it yet
	}
	if len(keys) != 1 || keys[0] != want {
		l.Fatalf("objects %v, want %s alone", keys, want)
	}
	if got := packtest.Unpack(l.T, l.bucket.objects[want]); got != l.bucket.text {
		l.Errorf("the object unpacks to %q, want %q", got, l.bucket.text)
	}
	sum := sha256.Sum256([]byte(l.bucket.text))
	meta := l.bucket.attrs[want].Metadata
	if meta["sha256"] != hex.EncodeToString(sum[:]) || meta["lines"] != "2" || meta["errors"] != "1" || meta["container-id"] != crashStream.ID {
		l.Errorf("metadata %v", meta)
	}
	left, err := filepath.Glob(filepath.Join(l.root, "[^.]*"))
	if err != nil || len(left) != 0 {
		inside, _ := filepath.Glob(filepath.Join(l.root, "*", "*"))
		hidden, _ := filepath.Glob(filepath.Join(l.root, "*", ".*"))
		l.Errorf("left in the spool: %v %v %v", left, inside, hidden)
	}
	records, err := filepath.Glob(filepath.Join(l.root, spool.DeletedDir, crashStream.ID+"-*"))
	if err != nil || len(records) != 1 {
		l.Errorf("records of what was deleted: %v, %v", records, err)
	}
}

// long is longer than Keep and every pause.
const long = 4 * time.Minute

func TestTheWindowsAreAllOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, crashtest.None)
		l.run(true, long)
		l.expectEnd()
		if diff := cmp.Diff(windows, l.Steps()); diff != "" {
			t.Errorf("a clean run takes other steps than the table has (-table +run):\n%s", diff)
		}
	})
}

// TestEachWindowBothWays lets each step fail, done or not, in a process that
// goes on and in one that dies. The one after it recovers, ships, and all is
// well: one object, its bytes, and nothing left.
func TestEachWindowBothWays(t *testing.T) {
	crashtest.Each(t, windows, func(t *testing.T, f crashtest.Fault) {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, f)
			l.run(true, long)
			if !l.Failed() || l.Steps()[f.At] != windows[f.At] {
				t.Fatalf("the step did not fail; steps: %v", l.Steps())
			}
			if f.Dies {
				l.process(crashtest.None).run(false, long)
			}
			l.expectEnd()
		})
	})
}

// TestEachWindowOfTheRecovery kills the process after a crash too, before each
// of its steps. (What a death after a step leaves, one before the next does.)
func TestEachWindowOfTheRecovery(t *testing.T) {
	crashtest.EachRecovery(t, windows, func(t *testing.T, first, second crashtest.Fault) (more bool) {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, first)
			l.run(true, long)
			next := l.process(second)
			next.run(false, long)
			l.process(crashtest.None).run(false, long)
			l.expectEnd()
			more = next.Failed()
			if t.Failed() {
				t.Logf("after that, step %d of %v", second.At, next.Steps())
			}
		})
		return more
	})
}
