package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/logfast/logfast/driver/triage/incident"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var both = []string{incident.TypeOpened, incident.TypeShipped}

var shippedOnly = []string{incident.TypeShipped}

// ear is a target in memory, which outlives the processes of a test.
type ear struct {
	mu      sync.Mutex
	heard   []message                                       // owned by mu
	refuses func(ctx context.Context, m *message) error     // owned by mu
	after   func(ctx context.Context, m *message) (e error) // after it was heard
}

func (e *ear) send(ctx context.Context, m *message) error {
	e.mu.Lock()
	refuses, after := e.refuses, e.after
	e.mu.Unlock()
	if refuses != nil {
		if err := refuses(ctx, m); err != nil {
			return err
		}
	}
	e.mu.Lock()
	e.heard = append(e.heard, *m)
	e.mu.Unlock()
	if after != nil {
		return after(ctx, m)
	}
	return nil
}

func (e *ear) refuse(f func(ctx context.Context, m *message) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuses = f
}

func (e *ear) all() []message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]message(nil), e.heard...)
}

func (e *ear) target(name string, folds bool, on ...string) *Target {
	return &Target{Name: name, Kind: name, dir: name, on: on, folds: folds, sender: e}
}

// event is incident n with the given fingerprints, which begins now.
func event(n int, typ string, prints ...string) *incident.Event {
	now := time.Now().UTC()
	id := fmt.Sprintf("%s-%06d", now.Format("20060102T150405.000000Z"), n)
	e := &incident.Event{
		SpecVersion: "1.0", ID: id, Source: "/logfast/web-1", Type: typ, Subject: "shop", Time: now, DataContentType: "application/json",
		Data: incident.Incident{
			ID: id, Host: "web-1", Scope: "container", First: now.Add(-time.Minute), Last: now, Closed: incident.ClosedQuiet,
			Errors: 10, ByStatus: map[string]int64{"502": 10},
			Containers: []incident.Container{{ID: "1a2b3c4d5e6f", Name: "shop-1", App: "shop"}},
		},
	}
	for _, p := range prints {
		e.Data.Fingerprints = append(e.Data.Fingerprints, incident.Fingerprint{ID: p, App: "shop", Method: "GET", Route: "/" + p, Status: 502, Errors: 10})
	}
	return e
}

// box is an outbox with its directory, which can die and come back.
type box struct {
	t       testing.TB
	dir     string
	log     io.Writer
	targets []*Target

	*Outbox
	stop func()
}

func newBox(t testing.TB, targets ...*Target) *box {
	dir, err := os.MkdirTemp("/dev/shm", "logfast-test-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &box{t: t, dir: dir, log: io.Discard, targets: targets}
}

func (b *box) open() error {
	root, err := os.OpenRoot(b.dir)
	if err != nil {
		return err
	}
	b.Outbox, err = Open(Config{Dir: root, Targets: b.targets, Store: "s3://logs/web/", Log: slog.New(slog.NewTextHandler(b.log, nil))})
	return err
}

// start begins a life; end ends it.
func (b *box) start() *box {
	b.t.Helper()
	if err := b.open(); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	b.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := b.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return b
}

func (b *box) end() { b.stop() }

func (b *box) add(e *incident.Event) *incident.Event {
	b.t.Helper()
	if err := b.Add(e); err != nil {
		b.t.Fatal(err)
	}
	return e
}

var errDown = errors.New("nobody answers")

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
