package ship

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/await"
)

// memory is a Store in memory whose puts fail as fail says.
type memory struct {
	mu      sync.Mutex
	fail    func(key string, attempt int) error // owned by mu; nil: never
	lose    bool                                // take the object, but lose the answer
	silent  bool                                // does not say who has a key; never changes
	slow    time.Duration                       // what a put takes; never changes
	tries   []string                            // keys, in the order of the puts
	objects map[string][]byte
	attrs   map[string]store.Attributes
}

func (s *memory) Put(ctx context.Context, key string, body io.ReadSeeker, attrs store.Attributes) error {
	s.mu.Lock()
	s.tries = append(s.tries, key)
	attempt := len(s.tries)
	s.mu.Unlock()
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(key, attempt); err != nil {
			return err
		}
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if sha256.Sum256(b) != attrs.SHA256 || int64(len(b)) != attrs.Size {
		return errors.New("the body is not what its attributes say")
	}
	if was, taken := s.objects[key]; taken && !bytes.Equal(was, b) {
		if s.silent {
			return store.ErrExists
		}
		return &store.TakenError{By: s.attrs[key]}
	}
	s.objects[key], s.attrs[key] = b, attrs
	if s.lose {
		s.lose = false
		return errors.New("connection reset")
	}
	return ctx.Err()
}

func (s *memory) Get(context.Context, string) (io.ReadCloser, store.Attributes, error) {
	return nil, store.Attributes{}, store.ErrNotFound
}

func (s *memory) List(context.Context, string, string) iter.Seq2[store.Entry, error] { return nil }

// bench is a spool, a store and the log of a Shipper between them.
type bench struct {
	testing.TB
	dir   string
	spool *spool.Spool
	store *memory
	log   bytes.Buffer
	line  string // of what is sealed; "": name and number
	*Shipper
}

func newBench(t testing.TB, keep time.Duration) *bench {
	t.Helper()
	return newBenchOf(t, keep, "{name}-{seq}-{reason}.log.gz")
}

func newBenchOf(t testing.TB, keep time.Duration, template string) *bench {
	t.Helper()
	key, err := spool.ParseKeyTemplate(template)
	if err != nil {
		t.Fatal(err)
	}
	dir := inMemory(t)
	spool, err := spool.Open(dir, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	b := &bench{TB: t, dir: dir, spool: spool, store: &memory{objects: map[string][]byte{}, attrs: map[string]store.Attributes{}}}
	b.Shipper = New(Config{Spool: spool, Store: b.store, Keep: keep, Log: slog.New(slog.NewTextHandler(&b.log, nil))})
	return b
}

// seal leaves a segment of one line, n seconds young, in the spool.
func (b *bench) seal(name string, n int, reason spool.Reason) string {
	b.Helper()
	w := b.spool.Writer(spool.Stream{ID: strings.Repeat("ab", 32), Name: name, Host: "h", Format: "cri", Image: "image"})
	at := time.Now().Add(time.Duration(n) * time.Second)
	text := at.UTC().Format(time.RFC3339Nano) + " stdout F " + cmp.Or(b.line, name+fmt.Sprint(n)) + "\n"
	if _, err := w.Append(&spool.Batch{Text: []byte(text), First: at.UnixNano(), Last: at.UnixNano(), Lines: 1}, 1<<20); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Seal(reason); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return text
}

// run runs the Shipper in a bubble for d, during which then may act.
func (b *bench) run(d time.Duration, then ...func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	for _, f := range then {
		synctest.Wait()
		f()
	}
	time.Sleep(d) // the bubble's time, which passes at once
	synctest.Wait()
	cancel()
	wg.Wait()
}

// drain runs the Shipper until n objects are there, in real time.
func (b *bench) drain(n int) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	await.Until(b, "all is uploaded", func() bool { return b.states()[spool.Uploaded] >= n }, func() string {
		return fmt.Sprintf("%v, want %d uploaded\n%s", b.states(), n, b.log.String())
	})
	cancel()
	wg.Wait()
}

func (b *bench) states() map[spool.State]int {
	b.Helper()
	all, err := b.spool.List()
	if err != nil {
		b.Fatal(err)
	}
	n := map[spool.State]int{}
	for _, g := range all {
		n[g.Name.State]++
	}
	return n
}

func (b *bench) keys() []string {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	var keys []string
	for k := range b.store.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestASegmentArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		text := b.seal("web", 0, spool.Stop)
		b.run(0)
		got := b.store.objects["web-000001-stop.log.gz"]
		if packtest.Unpack(t, got) != text {
			t.Fatalf("unpacked %q", packtest.Unpack(t, got))
		}
		attrs := b.store.attrs["web-000001-stop.log.gz"]
		sum := sha256.Sum256([]byte(text))
		if attrs.ContentType != "application/gzip" || attrs.Metadata["sha256"] != hex.EncodeToString(sum[:]) ||
			attrs.Metadata["lines"] != "1" || attrs.Metadata["image"] != "image" || attrs.Metadata["reason"] != "stop" {
			t.Fatalf("%+v", attrs)
		}
		if n := b.states(); n[spool.Uploaded] != 1 || len(n) != 1 {
			t.Fatalf("states %v", n)
		}
	})
}

func TestErrorsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		for i := range 8 {
			b.seal("quiet", i, spool.Size)
		}
		b.seal("web", 100, spool.Error)
		b.store.slow = time.Millisecond // the bubble's, so that puts under way wait for each other
		b.run(time.Second)
		// Up to `uploads` puts may be under way before the urgent one is packed.
		if at := slices.Index(b.store.tries, "web-000001-error.log.gz"); at < 0 || at >= uploads {
			t.Fatalf("the error was put number %d: %v", at+1, b.store.tries)
		}
		if len(b.store.objects) != 9 {
			t.Fatalf("%d objects of 9", len(b.store.objects))
		}
	})
}

func TestAWakeUpBringsWhatIsSealedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		start := time.Now()
		b.run(0, func() {
			b.seal("web", 0, spool.Error)
			b.Wake()
		})
		if len(b.keys()) != 1 || time.Since(start) != 0 {
			t.Fatalf("%v after %v", b.keys(), time.Since(start))
		}
	})
}

func TestAnOutageEnds(t *testing.T) {
	down := errors.New("connection refused")
	for name, failure := range map[string]error{"transient": down, "blocked": fmt.Errorf("403: %w", store.ErrBlocked)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 240*time.Hour)
				begin := time.Now()
				const outage = 10 * time.Hour
				b.store.fail = func(string, int) error {
					if time.Since(begin) < outage {
						return failure
					}
					return nil
				}
				for i := range 20 {
					b.seal("web", i, spool.Size)
				}
				b.run(outage)
				tries := len(b.store.tries)
				if n := b.states(); n[spool.Packed] != 20 {
					t.Fatalf("during the outage: %v", n)
				}
				// One attempt a minute or so, not twenty.
				if least, most := int(outage/usual.max), int(2*outage/usual.max)+20; tries < least || tries > most {
					t.Fatalf("%d attempts in %v", tries, outage)
				}
				if name == "blocked" && !strings.Contains(b.log.String(), "level=ERROR") {
					t.Error("a blocked store is not said out loud")
				}
				b.run(3 * usual.max)
				if n := b.states(); n[spool.Uploaded] != 20 {
					t.Fatalf("after the outage: %v", n)
				}
			})
		})
	}
}

func TestTheStoreRecoversWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		b.store.fail = func(_ string, attempt int) error {
			if attempt < 5 {
				return errors.New("503 SlowDown")
			}
			return nil
		}
		b.seal("web", 0, spool.Error)
		b.run(time.Minute)
		if len(b.keys()) != 1 || !strings.Contains(b.log.String(), "the store answers again") {
			t.Fatalf("%v\n%s", b.keys(), b.log.String())
		}
	})
}

func TestOnePoisonedSegmentDoesNotHoldTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		b.store.fail = func(key string, _ int) error {
			if strings.Contains(key, "error") {
				return errors.New("400 something about this object")
			}
			return nil
		}
		b.seal("bad", 0, spool.Error)
		for i := range 50 {
			b.seal("good", i, spool.Size)
		}
		b.run(time.Minute)
		if got := len(b.keys()); got != 50 {
			t.Fatalf("%d objects of 50", got)
		}
		if n := b.states(); n[spool.Packed] != 1 {
			t.Fatalf("%v", n)
		}
	})
}

func TestALostAnswerMakesNoSecondObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		b.store.lose = true
		b.seal("web", 0, spool.Stop)
		b.run(time.Minute)
		if n := b.states(); len(b.keys()) != 1 || n[spool.Uploaded] != 1 {
			t.Fatalf("%v, %v", b.keys(), n)
		}
	})
}

func TestUploadedCopiesGoWhenTheirTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 48*time.Hour)
		b.seal("web", 0, spool.Stop)
		b.run(47 * time.Hour)
		if n := b.states(); n[spool.Uploaded] != 1 {
			t.Fatalf("too early: %v", n)
		}
		b.run(2 * time.Hour)
		if n := b.states(); len(n) != 0 {
			t.Fatalf("still there: %v", n)
		}
	})
}

func TestNothingUnconfirmedIsPruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0)
		b.store.fail = func(string, int) error { return errors.New("down") }
		b.seal("web", 0, spool.Stop)
		b.run(24 * time.Hour)
		if n := b.states(); n[spool.Packed] != 1 {
			t.Fatalf("%v", n)
		}
	})
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		for range 100 {
			if d := usual.backoff(n); d < want/2 || d > want {
				t.Fatalf("after %d failures: %v, want %v to %v", n, d, want/2, want)
			}
		}
	}
}
