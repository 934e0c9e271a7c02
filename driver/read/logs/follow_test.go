package logs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// follower collects what one Copy writes, in a goroutine of its own.
type follower struct {
	*fixture
	cancel context.CancelFunc
	done   chan error // Copy's

	mu   sync.Mutex
	cond *sync.Cond // a flush, or the end
	out  bytes.Buffer
	over bool
	hold bool // Write waits while it is true
	held bool // a Write has waited
}

// setHold lets the client read no more, or again.
func (f *follower) setHold(hold bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = hold
	f.cond.Broadcast()
}

// untilHeld waits until a Write waits.
func (f *follower) untilHeld() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.held {
		f.cond.Wait()
	}
}

func (f *follower) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.hold {
		f.held = true
		f.cond.Broadcast()
		f.cond.Wait()
	}
	return f.out.Write(b)
}

func (f *follower) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cond.Broadcast()
	return nil
}

func (s *fixture) follow(req Request) *follower {
	s.Helper()
	req.ID, req.Follow = s.stream.ID, true
	g, err := s.Open(req)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{fixture: s, cancel: cancel, done: make(chan error, 1)}
	f.cond = sync.NewCond(&f.mu)
	go func() {
		err := g.Copy(ctx, f)
		g.Close()
		f.mu.Lock()
		f.over = true
		f.cond.Broadcast()
		f.mu.Unlock()
		f.done <- err
	}()
	s.Cleanup(cancel)
	return f
}

// until waits until the follower has got n records or its end.
func (f *follower) until(n int) []string {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(shown(f.T, f.out.Bytes())) < n && !f.over {
		f.cond.Wait()
	}
	return shown(f.T, f.out.Bytes())
}

// end waits for the end and returns all that came.
func (f *follower) end() []string {
	f.Helper()
	if err := <-f.done; err != nil {
		f.Error(err)
	}
	return shown(f.T, f.out.Bytes())
}

func (f *follower) wantEnd(want []string) {
	f.Helper()
	if d := cmp.Diff(want, f.end()); d != "" {
		f.Errorf("-want +got\n%s", d)
	}
}

func (s *fixture) close() {
	s.Helper()
	if _, err := s.w.Close(); err != nil {
		s.Fatal(err)
	}
}

func TestFollowingFromEveryStart(t *testing.T) {
	for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
		t.Run(format.String(), func(t *testing.T) {
			s := newSpool(t, format)
			empty := s.follow(all)
			s.lines(0, 9)
			empty.until(10)
			mid, tail, none, since := s.follow(all), s.follow(Request{Tail: 3}), s.follow(Request{Tail: 0}), (*follower)(nil)
			if format != record.Raw {
				since = s.follow(Request{Tail: -1, Since: at(15).Truncate(time.Microsecond)})
			}
			s.lines(10, 19)
			s.seal()
			s.lines(20, 29)
			s.close()
			empty.wantEnd(numbers(0, 29))
			mid.wantEnd(numbers(0, 29))
			tail.wantEnd(numbers(7, 29))
			none.wantEnd(numbers(10, 29))
			if since != nil {
				since.wantEnd(numbers(15, 29))
			}
		})
	}
}

func TestFollowingAcrossSealPackUploadAndPrune(t *testing.T) {
	s := newSpool(t, record.CRI)
	quick, slow := s.follow(all), s.follow(all)
	for i := range 8 {
		slow.setHold(i < 5) // what it has not read is sealed, packed and uploaded meanwhile
		s.lines(10*i, 10*i+9)
		quick.until(10*i + 10)
		s.seal()
		s.advance(spool.Uploaded)
	}
	slow.until(80)
	s.prune()
	s.prune()
	s.close()
	quick.wantEnd(numbers(0, 79))
	slow.wantEnd(numbers(0, 79))
}

func TestAFollowerThatIsOvertakenByThePruningIsTold(t *testing.T) {
	s := newSpool(t, record.CRI)
	s.lines(0, 4)
	f := s.follow(all)
	f.until(5)
	f.setHold(true)
	s.lines(5, 9) // it holds this segment open
	f.untilHeld()
	for i := 1; i < 4; i++ {
		s.seal()
		s.lines(10*i, 10*i+9)
	}
	s.seal()
	s.advance(spool.Uploaded)
	for range 3 {
		s.prune()
	}
	f.setHold(false)
	s.close()
	want := append(numbers(0, 9), "stderr:logfast: lines between 2026-11-23T19:03:01Z and 2026-11-23T19:03:31Z are no longer on this host; what was uploaded is in the store\n")
	f.wantEnd(append(want, numbers(30, 39)...))
}

func TestUntilEndsAFollower(t *testing.T) {
	s := newSpool(t, record.CRI)
	f := s.follow(Request{Tail: -1, Since: at(3), Until: at(12)})
	s.lines(0, 20)
	f.wantEnd(numbers(3, 12))
	s.close()
}

func TestAFollowerOfAStoppedContainerEnds(t *testing.T) {
	s := newSpool(t, record.CRI)
	s.lines(0, 9)
	s.close()
	s.follow(all).wantEnd(numbers(0, 9))
}

func TestAFollowerDoesNotSeeTheNextLife(t *testing.T) {
	s := newSpool(t, record.CRI)
	s.lines(0, 4)
	f := s.follow(all)
	f.until(5)
	f.setHold(true)
	s.lines(5, 9)
	s.close()
	s.w = s.Writer(s.stream)
	s.lines(10, 19)
	s.seal()
	f.setHold(false)
	f.wantEnd(numbers(0, 9))
	s.close()
}

func TestManyFollowersHoldNothingUpAndLeaveNothing(t *testing.T) {
	fds := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	s := newSpool(t, record.CRI)
	s.lines(0, 0)
	before := fds()
	var followers []*follower
	for range 50 {
		followers = append(followers, s.follow(all))
	}
	for _, f := range followers {
		f.until(1)
	}
	for _, f := range followers[:25] { // they read no more
		f.setHold(true)
	}
	s.lines(1, 9)
	s.seal()
	s.lines(10, 19)
	for _, f := range followers[25:] {
		f.until(20)
		f.cancel()
		if err := <-f.done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	for _, f := range followers[:25] {
		f.cancel()
		f.setHold(false)
		if err := <-f.done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if after := fds(); after != before {
		t.Errorf("%d files are open, %d were", after, before)
	}
	s.close()
}

func TestASilentFollowerBeats(t *testing.T) {
	s := newSpool(t, record.CRI)
	s.cfg.Heartbeat = time.Millisecond
	s.lines(0, 0)
	f := s.follow(all)
	f.until(4)
	s.lines(1, 1)
	s.close()
	got := f.end()
	var lines, beats []string
	for _, line := range got {
		if line == ":" { // no source, no text: nothing that Docker shows
			beats = append(beats, line)
		} else {
			lines = append(lines, line)
		}
	}
	if d := cmp.Diff(numbers(0, 1), lines); d != "" || len(beats) < 3 {
		t.Fatalf("%d beats; %s", len(beats), d)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
func (broken) Flush() error              { return nil }

func TestAClientThatHasGoneEndsTheReading(t *testing.T) {
	s := history(t, record.CRI)
	g, err := s.Open(Request{ID: web.ID, Tail: -1, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Copy(context.Background(), broken{}); err == nil || s.log.Len() > 0 {
		t.Fatal(err, s.log.String())
	}
}
