package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/internal/durable"
)

func (b *bench) health() Health {
	b.Helper()
	h, err := b.Health()
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// said counts the lines of the log in which all of these words are.
func (b *bench) said(words ...string) (n int) {
	for line := range strings.Lines(b.log.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

const silence = "nothing moves to the store"

func TestTheWatchdogSaysWhenNothingMovesAndWhenItDoesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		down := true
		b.store.fail = func(string, int) error {
			if down {
				return fmt.Errorf("403: %w", store.ErrBlocked)
			}
			return nil
		}
		b.seal("web", 0, spool.Error)
		b.seal("web", 1, spool.Size)
		b.run(50 * time.Hour)
		var when []string
		for line := range strings.Lines(b.log.String()) {
			if strings.Contains(line, silence) {
				when = append(when, strings.TrimPrefix(strings.Fields(line)[0], "time=2000-01-0"))
			}
		}
		want := []string{
			"1T00:10:00.000Z", "1T00:20:00.000Z", "1T00:40:00.000Z", "1T01:20:00.000Z", "1T02:40:00.000Z", "1T05:20:00.000Z",
			"1T10:40:00.000Z", "1T16:40:00.000Z", "1T22:40:00.000Z", "2T04:40:00.000Z", "2T10:40:00.000Z", "2T16:40:00.000Z", "2T22:40:00.000Z",
		}
		if diff := cmp.Diff(want, when); diff != "" {
			t.Errorf("said at (-want +got):\n%s", diff)
		}
		if n := b.said("level=ERROR", silence, "pending=2", "blocked=true", "403"); n != len(want) {
			t.Errorf("it does not tell how much and why: %d of %d", n, len(want))
		}
		h := b.health()
		if h.Pending != 2 || h.Bytes == 0 || !errors.Is(h.Blocked, store.ErrBlocked) || h.LastError == nil || !h.LastUpload.IsZero() || h.Stalled != 50*time.Hour || h.Oldest.IsZero() {
			t.Errorf("health while blocked: %+v", h)
		}
		down = false
		b.run(DefaultStall)
		h = b.health()
		if h.Pending != 0 || h.Bytes != 0 || h.Blocked != nil || h.LastError != nil || h.LastUpload.IsZero() || h.Stalled != 0 || !h.Oldest.IsZero() {
			t.Errorf("health afterwards: %+v", h)
		}
	})
}

func TestTheWatchdogSaysThatItMovesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		begin := time.Now()
		b.store.fail = func(string, int) error {
			if time.Since(begin) < time.Hour {
				return errors.New("503 SlowDown")
			}
			return nil
		}
		b.seal("web", 0, spool.Error)
		b.run(2 * time.Hour)
		if b.said("level=ERROR", silence, "SlowDown") != 3 || b.said("level=INFO", "uploads move again", "stalled=1h") != 1 {
			t.Errorf("%s", b.log.String())
		}
		// All is well, and stays so however long nothing comes.
		b.log.Reset()
		b.run(48 * time.Hour)
		if b.said(silence) != 0 {
			t.Errorf("an idle SHIP is no stalled one:\n%s", b.log.String())
		}
	})
}

func TestAFullDiskIsSaidAndPassesWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		begin := time.Now()
		tries := 0
		defer durable.Intercept(func(s durable.Step, do func() error) error {
			if s.Op == "write" && strings.HasSuffix(s.Name, ".gz.tmp") {
				if tries++; time.Since(begin) < time.Hour {
					return errors.Join(do(), &os.PathError{Op: "write", Path: s.Name, Err: syscall.ENOSPC})
				}
			}
			return do()
		})()
		for i := range 100 {
			b.seal("web", i, spool.Size)
		}
		b.run(time.Hour - time.Second)
		if n := b.states(); n[spool.Sealed] != 100 || len(n) != 1 {
			t.Fatalf("%v", n)
		}
		// A try that fails is repeated at once, in case the room has come back.
		if most := 20 + 4*int(time.Hour/usual.max); tries > most {
			t.Errorf("a full disk was tried %d times in an hour, more than %d", tries, most)
		}
		if left, _ := filepath.Glob(filepath.Join(b.dir, "*", ".*.tmp")); len(left) != 0 {
			t.Errorf("on a full disk, these were left: %v", left)
		}
		if b.said("level=ERROR", silence, "no space left on device", "pending=100") == 0 {
			t.Errorf("the watchdog does not tell of the disk:\n%s", b.log.String())
		}
		b.run(time.Hour)
		if n := b.states(); n[spool.Uploaded] != 100 || len(n) != 1 {
			t.Fatalf("afterwards: %v", n)
		}
	})
}

// stuck is a store that never answers.
type stuck struct {
	*memory
	until time.Time
	puts  int
}

func (s *stuck) Put(ctx context.Context, key string, body io.ReadSeeker, attrs store.Attributes) error {
	s.puts++
	if time.Now().Before(s.until) {
		<-ctx.Done()
		return fmt.Errorf("put %s: %w", key, ctx.Err())
	}
	return s.memory.Put(ctx, key, body, attrs)
}

func TestAnAttemptThatGetsNoAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		s := &stuck{memory: b.store, until: time.Now().Add(time.Hour)}
		b.cfg.Store = s
		b.seal("web", 0, spool.Error)
		b.run(59 * time.Second)
		if s.puts != 1 || b.said("given up") != 0 {
			t.Fatalf("%d puts within the deadline\n%s", s.puts, b.log.String())
		}
		s.puts = 0
		b.run(time.Hour)
		if b.said("level=WARN", "given up after 1m0s") == 0 || s.puts < 20 || s.puts > 62 {
			t.Errorf("%d puts in an hour\n%s", s.puts, b.log.String())
		}
		b.run(3 * time.Minute)
		if len(b.keys()) != 1 {
			t.Errorf("afterwards: %v", b.keys())
		}
	})
}

func TestTheDeadlineGrowsWithTheSize(t *testing.T) {
	for size, want := range map[int64]time.Duration{0: time.Minute, 10 << 20: time.Minute + 80*time.Second, 5 << 30: time.Minute + 40960*time.Second} {
		if got := usual.attemptTime(size); got != want {
			t.Errorf("%d bytes: %v, want %v", size, got, want)
		}
	}
}

// packedFile is the path of the one packed file, and what is in it.
func (b *bench) packedFile() (string, []byte) {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(b.dir, "*", "*.gz"))
	if err != nil || len(found) != 1 {
		b.Fatalf("%v, %v", found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		b.Fatal(err)
	}
	return found[0], data
}

func TestAPackedFileThatWasChangedIsNotUploadedAsIfItWereWhole(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func([]byte) []byte { return nil },
		"one bit":   func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 2400*time.Hour)
				down := true
				b.store.fail = func(string, int) error {
					if down {
						return errors.New("down")
					}
					return nil
				}
				text := b.seal("web", 0, spool.Error)
				b.run(0)
				file, whole := b.packedFile()
				if err := os.WriteFile(file, damage(whole), 0o640); err != nil {
					t.Fatal(err)
				}
				down = false
				b.log.Reset()
				b.seal("other", 1, spool.Error)
				b.run(time.Hour)
				if got := b.keys(); len(got) != 1 || got[0] != "other-000001-error.log.gz" {
					t.Fatalf("objects: %v", got)
				}
				if b.said("level=ERROR", "was changed since it was packed") < 10 {
					t.Errorf("it is not said:\n%s", b.log.String())
				}
				// Somebody puts the right file there.
				if err := os.WriteFile(file, whole, 0o640); err != nil {
					t.Fatal(err)
				}
				b.run(2 * time.Minute)
				if got := packtest.Unpack(t, b.store.objects["web-000001-error.log.gz"]); got != text {
					t.Errorf("afterwards: %q", got)
				}
			})
		})
	}
}

func TestADamagedDescriptionOfAPackedSegmentIsMadeAnew(t *testing.T) {
	for _, damage := range []string{"", "{}", "\x00\x00"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 2400*time.Hour)
			b.store.lose = true // the object is there, and nobody knows
			text := b.seal("web", 0, spool.Error)
			b.run(0)
			found, err := filepath.Glob(filepath.Join(b.dir, "*", ".web.log-*.json"))
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			if err := os.WriteFile(found[0], []byte(damage), 0o640); err != nil {
				t.Fatal(err)
			}
			b.run(time.Minute)
			if got := b.keys(); len(got) != 1 || packtest.Unpack(t, b.store.objects[got[0]]) != text {
				t.Errorf("objects: %v", got)
			}
			if n := b.states(); n[spool.Uploaded] != 1 || len(n) != 1 {
				t.Errorf("%v\n%s", n, b.log.String())
			}
		})
	}
}

func TestASegmentThatIsGoneIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		b.seal("web", 0, spool.Error)
		b.store.fail = func(string, int) error {
			file, _ := b.packedFile()
			return errors.Join(os.Remove(file), errors.New("down"))
		}
		b.run(time.Hour)
		if len(b.store.tries) != 1 || b.said("was removed from the spool before it was in the store") != 1 || b.said("level=ERROR") != 1 {
			t.Errorf("%d tries\n%s", len(b.store.tries), b.log.String())
		}
	})
}

// A disk that refuses the mark costs no second put.
func TestAMarkThatFailsIsRepeatedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		begin := time.Now()
		defer durable.Intercept(func(s durable.Step, do func() error) error {
			if s.Op == "rename" && strings.HasSuffix(s.Name, ".uploaded.gz") && time.Since(begin) < time.Hour {
				return syscall.EROFS
			}
			return do()
		})()
		b.seal("web", 0, spool.Error)
		b.run(2 * time.Hour)
		if n := b.states(); len(b.store.tries) != 1 || n[spool.Uploaded] != 1 {
			t.Errorf("%d puts, states %v", len(b.store.tries), n)
		}
		if b.said("level=ERROR", silence, "read-only file system") == 0 {
			t.Errorf("the watchdog does not tell of the disk:\n%s", b.log.String())
		}
	})
}

func TestASecondForeignObjectDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		b.store.fail = func(key string, _ int) error {
			if strings.HasPrefix(key, "bad") {
				return store.ErrExists
			}
			return nil
		}
		b.seal("bad", 0, spool.Error)
		for i := range 20 {
			b.seal("good", i, spool.Size)
		}
		b.run(0)
		if got := len(b.keys()); got != 20 {
			t.Errorf("%d objects of 20 at once\n%s", got, b.log.String())
		}
	})
}

// Who makes room must not put another text in a segment's place while its
// object is on the way.
func TestASegmentIsHeldWhileItIsPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2400*time.Hour)
		b.seal("web", 0, spool.Error)
		held := false
		b.store.fail = func(string, int) error {
			pending, err := b.spool.List(spool.Packed)
			if err != nil || len(pending) != 1 {
				t.Fatal(pending, err)
			}
			_, free := b.spool.Hold(pending[0])
			held = !free
			return nil
		}
		sealed, err := b.spool.List(spool.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		release, _ := b.spool.Hold(sealed[0])
		b.run(10*time.Second, func() {
			if len(b.store.tries) != 0 {
				t.Error("put, though somebody else held it")
			}
			release()
		})
		if !held || len(b.keys()) != 1 || b.said("level=ERROR") != 0 {
			t.Errorf("held %v, objects %v\n%s", held, b.keys(), b.log.String())
		}
	})
}
