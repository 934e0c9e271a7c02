package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
)

// windows are the steps from the first start to an event that is told. Between
// any two of them, and before and after each, a crash may come. A step that is
// added to the code needs its row here: the clean run must take these.
var windows = []string{
	// Open
	"mkdir queue", "fsync directory", // of the outbox
	"fsync directory", // of the queue
	// Add
	"create event.tmp", "write event.tmp", "fsync event.tmp", "rename waiting", "fsync directory",
	// Run
	"send message",
	"rename told", "fsync directory",
}

var outcomes = []string{"not done", "done but errored"}

var errPower = errors.New("power cut")

type sequel string

const (
	goesOn sequel = "and the process goes on"
	dies   sequel = "and the process dies"
)

// life is one process's work on an outbox, with a fault at one step.
type life struct {
	*testing.T
	*box
	ear *ear

	mu      sync.Mutex
	steps   []string // owned by mu
	failAt  int      // index of the step that fails; -1: none
	outcome string
	sequel  sequel
	failed  bool // owned by mu
}

func role(s durable.Step) string {
	base := filepath.Base(s.Name)
	switch {
	case s.Op == "fsync directory":
		return s.Op
	case s.Op == "mkdir":
		return "mkdir queue"
	case durable.IsTemp(base):
		return s.Op + " event.tmp"
	}
	if e, ok := parseEntry(base); ok {
		return s.Op + " " + string(e.state)
	}
	return s.Op + " " + base
}

func (l *life) step(s durable.Step, do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed && l.sequel == dies {
		return errPower // nothing is done any more
	}
	at := len(l.steps)
	l.steps = append(l.steps, role(s))
	if at != l.failAt {
		return do()
	}
	l.failed = true
	if l.outcome == "done but errored" {
		do()
	}
	return errPower
}

// send is the network's step.
func (l *life) send(_ context.Context, m *message) error {
	return l.step(durable.Step{Op: "send", Name: "message"}, func() error {
		l.ear.mu.Lock()
		defer l.ear.mu.Unlock()
		l.ear.heard = append(l.ear.heard, *m)
		return nil
	})
}

func (l *life) dead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed && l.sequel == dies
}

// run lives for an hour and a half: the events are added, as often as it takes,
// and told.
func (l *life) run(events ...*incident.Event) {
	l.Helper()
	l.box.targets[0].sender = l
	defer durable.Intercept(l.step)()
	try := func(f func() error) bool {
		for {
			if err := f(); err == nil || l.dead() {
				return err == nil
			}
			time.Sleep(time.Second)
		}
	}
	if !try(l.open) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, e := range events {
		try(func() error { return l.Add(e) })
	}
	wg.Go(func() { l.Outbox.Run(ctx) })
	time.Sleep(90 * time.Minute) // the bubble's time
	cancel()
	wg.Wait()
	l.Close()
}

func newLife(t *testing.T, folds bool) *life {
	e := &ear{}
	return &life{T: t, box: newBox(t, e.target("queue", folds, both...)), ear: e, failAt: -1, sequel: goesOn}
}

// next is the process after it.
func (l *life) next() *life {
	return &life{T: l.T, box: l.box, ear: l.ear, failAt: -1}
}

// expectTold fails unless each event was told, none more than so often, and all
// the outbox knows of it is that.
func (l *life) expectTold(times int, events ...*incident.Event) {
	l.Helper()
	for _, e := range events {
		n := 0
		for _, m := range l.ear.all() {
			if strings.HasPrefix(m.id, e.ID) {
				n++
			}
		}
		if n < 1 || n > times {
			l.Errorf("%s was told %d times, want 1 to %d; steps: %v", e.ID, n, times, l.steps)
		}
	}
	l.expectMarked(len(events))
}

func (l *life) expectMarked(n int) {
	l.Helper()
	files, _ := os.ReadDir(filepath.Join(l.dir, "queue"))
	for _, f := range files {
		if e, ok := parseEntry(f.Name()); !ok || e.state != told {
			l.Errorf("in the outbox: %s", f.Name())
		}
	}
	if len(files) != n {
		l.Errorf("%d files in the outbox, want %d", len(files), n)
	}
}

func TestTheWindowsAreAllOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, true)
		e := event(1, incident.TypeShipped, "a")
		l.run(e)
		l.expectTold(1, e)
		if diff := cmp.Diff(windows, l.steps); diff != "" {
			t.Errorf("a clean run takes other steps than the table has (-table +run):\n%s", diff)
		}
	})
}

// TestEachWindowBothWays lets each step fail, done or not, in a process that
// goes on and in one that dies. The next one is given the event again, as
// whoever adds does, and tells it where it was not. Another after that tells
// nothing.
func TestEachWindowBothWays(t *testing.T) {
	for at, name := range windows {
		for _, outcome := range outcomes {
			for _, then := range []sequel{goesOn, dies} {
				for _, folds := range []bool{true, false} {
					t.Run(fmt.Sprintf("%d %s/%s/%s/folds=%v", at, name, outcome, then, folds), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							l := newLife(t, folds)
							l.failAt, l.outcome, l.sequel = at, outcome, then
							e := event(1, incident.TypeShipped, "a")
							l.run(e)
							if !l.failed || l.steps[at] != name {
								t.Fatalf("the step did not fail; steps: %v", l.steps)
							}
							l.next().run(e)
							l.next().run(e)
							times := 1
							if name == "send message" && outcome == "done but errored" || name == "rename told" && outcome == "not done" && then == dies {
								times = 2 // at least once
							}
							l.expectTold(times, e)
						})
					})
				}
			}
		}
	}
}

// TestEachWindowOfTheRecovery kills the process after a crash too, before each
// of its steps.
func TestEachWindowOfTheRecovery(t *testing.T) {
	for at, name := range windows {
		t.Run(fmt.Sprintf("%d %s", at, name), func(t *testing.T) {
			for second, more := 0, true; more; second++ {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t, true)
					l.failAt, l.outcome, l.sequel = at, "not done", dies
					e := event(1, incident.TypeShipped, "a")
					l.run(e)
					next := l.next()
					next.failAt, next.outcome, next.sequel = second, "not done", dies
					next.run(e)
					l.next().run(e)
					l.expectTold(3, e)
					more = next.failed // there may be another step
				})
			}
		})
	}
}

// TestAMessageOfManyIsToldOnceThoughItsMarkingIsCutOff kills the process between
// the marks of one message: what is not marked is a repeat then, and waits.
func TestAMessageOfManyIsToldOnceThoughItsMarkingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, true)
		events := []*incident.Event{event(1, incident.TypeShipped, "a"), event(2, incident.TypeShipped, "a"), event(3, incident.TypeShipped, "a")}
		l.failAt, l.outcome, l.sequel = 20, "not done", dies
		l.run(events...)
		if l.steps[20] != "rename told" || l.steps[19] != "rename told" || len(l.ear.all()) != 1 {
			t.Fatalf("steps: %v", l.steps)
		}
		next := l.next()
		next.run(events...)
		heard := l.ear.all()
		if len(heard) != 2 || !strings.Contains(heard[0].subject, "3 incidents") || !strings.Contains(heard[1].subject, "2 incidents") || heard[1].at.Sub(heard[0].at) < window {
			t.Errorf("%+v", heard)
		}
		l.expectMarked(3)
	})
}

// TestADiskThatTakesNoMarkCostsNoSecondMessage: what was told is known in
// memory, and marked once the disk takes it.
func TestADiskThatTakesNoMarkCostsNoSecondMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hook ear
		b := newBox(t, hook.target("queue", false, both...)).start()
		defer func() { b.end() }()
		var refuses atomic.Bool
		refuses.Store(true)
		stop := durable.Intercept(func(s durable.Step, do func() error) error {
			if refuses.Load() && role(s) == "rename told" {
				return errPower
			}
			return do()
		})
		defer stop()
		b.add(event(1, incident.TypeShipped, "a"))
		time.Sleep(10 * time.Minute)
		if n := len(hook.all()); n != 1 {
			t.Fatalf("told %d times", n)
		}
		refuses.Store(false)
		time.Sleep(time.Minute)
		b.end()
		b.start()
		time.Sleep(10 * time.Minute)
		if n := len(hook.all()); n != 1 {
			t.Fatalf("told %d times after the restart", n)
		}
	})
}
