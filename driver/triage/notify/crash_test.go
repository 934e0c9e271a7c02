package notify

import (
	"context"
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
	"github.com/logfast/logfast/internal/durable/crashtest"
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

// life is one process's work on an outbox, with a fault at one step.
type life struct {
	*testing.T
	*box
	*crashtest.Process
	ear *ear
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

// send is the network's step.
func (l *life) send(_ context.Context, m *message) error {
	return l.Step(durable.Step{Op: "send", Name: "message"}, func() error {
		l.ear.mu.Lock()
		defer l.ear.mu.Unlock()
		l.ear.heard = append(l.ear.heard, *m)
		return nil
	})
}

// run lives for an hour and a half: the events are added, as often as it takes,
// and told.
func (l *life) run(events ...*incident.Event) {
	l.Helper()
	l.box.targets[0].sender = l
	defer durable.Intercept(l.Step)()
	try := func(f func() error) bool {
		for {
			if err := f(); err == nil || l.Dead() {
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

func newLife(t *testing.T, folds bool, f crashtest.Fault) *life {
	e := &ear{}
	l := &life{T: t, box: newBox(t, e.target("queue", folds, both...)), ear: e}
	return l.next(f)
}

// next begins a process with a fault: another life on the same outbox.
func (l *life) next(f crashtest.Fault) *life {
	return &life{T: l.T, box: l.box, ear: l.ear, Process: &crashtest.Process{Fault: f, Name: role}}
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
			l.Errorf("%s was told %d times, want 1 to %d; steps: %v", e.ID, n, times, l.Steps())
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
		l := newLife(t, true, crashtest.None)
		e := event(1, incident.TypeShipped, "a")
		l.run(e)
		l.expectTold(1, e)
		if diff := cmp.Diff(windows, l.Steps()); diff != "" {
			t.Errorf("a clean run takes other steps than the table has (-table +run):\n%s", diff)
		}
	})
}

// TestEachWindowBothWays lets each step fail, done or not, in a process that
// goes on and in one that dies. The next one is given the event again, as
// whoever adds does, and tells it where it was not. Another after that tells
// nothing.
func TestEachWindowBothWays(t *testing.T) {
	for _, folds := range []bool{true, false} {
		t.Run(fmt.Sprintf("folds=%v", folds), func(t *testing.T) {
			crashtest.Each(t, windows, func(t *testing.T, f crashtest.Fault) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t, folds, f)
					e := event(1, incident.TypeShipped, "a")
					l.run(e)
					name := windows[f.At]
					if !l.Failed() || l.Steps()[f.At] != name {
						t.Fatalf("the step did not fail; steps: %v", l.Steps())
					}
					l.next(crashtest.None).run(e)
					l.next(crashtest.None).run(e)
					times := 1
					if name == "send message" && f.Done || name == "rename told" && !f.Done && f.Dies {
						times = 2 // at least once
					}
					l.expectTold(times, e)
				})
			})
		})
	}
}

// TestEachWindowOfTheRecovery kills the process after a crash too, before each
// of its steps.
func TestEachWindowOfTheRecovery(t *testing.T) {
	crashtest.EachRecovery(t, windows, func(t *testing.T, first, second crashtest.Fault) (more bool) {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, true, first)
			e := event(1, incident.TypeShipped, "a")
			l.run(e)
			next := l.next(second)
			next.run(e)
			l.next(crashtest.None).run(e)
			l.expectTold(3, e)
			more = next.Failed()
		})
		return more
	})
}

// TestAMessageOfManyIsToldOnceThoughItsMarkingIsCutOff kills the process between
// the marks of one message: what is not marked is a repeat then, and waits.
func TestAMessageOfManyIsToldOnceThoughItsMarkingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, true, crashtest.Fault{At: 20, Dies: true})
		events := []*incident.Event{event(1, incident.TypeShipped, "a"), event(2, incident.TypeShipped, "a"), event(3, incident.TypeShipped, "a")}
		l.run(events...)
		if steps := l.Steps(); steps[20] != "rename told" || steps[19] != "rename told" || len(l.ear.all()) != 1 {
			t.Fatalf("steps: %v", l.Steps())
		}
		next := l.next(crashtest.None)
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
				return crashtest.ErrPower
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
