package ship

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/durable/crashtest"
)

// givingUp are the steps by which a pending segment is given up for room, of a
// packed and of a sealed one. They are to the text what windows are.
var givingUp = map[spool.State][]string{
	spool.Packed: {
		"create meta.tmp", "write meta.tmp", "fsync meta.tmp", "rename meta", "fsync directory",
		"create sealed.tmp", "write sealed.tmp", "fsync sealed.tmp", "rename sealed", "fsync directory",
		"remove packed", "fsync directory",
	},
	spool.Sealed: { // it is packed first, in case that frees enough
		"remove packed.tmp", "create packed.tmp", "write packed.tmp", "fsync packed.tmp",
		"create meta.tmp", "write meta.tmp", "fsync meta.tmp", "rename meta", "fsync directory",
		"rename packed", "fsync directory", "remove sealed",
		"create meta.tmp", "write meta.tmp", "fsync meta.tmp", "rename meta", "fsync directory",
		"create sealed.tmp", "write sealed.tmp", "fsync sealed.tmp", "rename sealed", "fsync directory",
		"remove packed", "fsync directory",
	},
}

// makeRoom makes room by the budget or, as on a full disk, below what is used now.
func makeRoom(s *spool.Spool, size int, diskFull, drop bool) ([]spool.GivenUp, error) {
	n := spool.Need{Bytes: size, Drop: drop}
	if diskFull {
		n.Refused = unix.EDQUOT
	}
	made, err := s.MakeRoom(n)
	return made.Dropped, err
}

// openFull opens the life's spool with a budget that MakeRoom can be asked for.
func (l *life) openFull() *spool.Spool {
	l.Helper()
	key, err := spool.ParseKeyTemplate("k/{name}-{seq}-{reason}.log.gz")
	if err != nil {
		l.Fatal(err)
	}
	spool, err := spool.Open(l.root, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1, MaxDisk: 1 << 20})
	if err != nil {
		l.Fatal(err)
	}
	return spool
}

// giveUp seals a segment, packs it where state says so, and makes room at the
// cost of it, with the life's fault. Then SHIP runs, in this process or, where
// it died, in the next. It returns the steps until then.
func (l *life) giveUp(state spool.State) (steps []string) {
	l.Helper()
	l.givesUp = true
	sp := l.openFull()
	w := sp.Writer(crashStream)
	at := time.Now().UnixNano()
	if _, err := w.Append(&spool.Batch{Text: []byte(l.bucket.text), First: at, Last: at, Lines: 2, Errors: 1}, 1<<20); err != nil {
		l.Fatal(err)
	}
	if _, err := w.Seal(spool.Error); err != nil {
		l.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		l.Fatal(err)
	}
	if state == spool.Packed {
		all, err := sp.List()
		if err != nil {
			l.Fatal(err)
		}
		if _, err := sp.Pack(all[0], nil, nil); err != nil {
			l.Fatal(err)
		}
	}
	stop := durable.Intercept(l.Step)
	given, err := makeRoom(sp, 1<<20, false, true) // so small a text frees nothing, which is an error
	if l.Fault == crashtest.None && len(given) != 1 {
		l.Errorf("made room by %v, %v", given, err)
	}
	steps = l.Steps()
	if l.Fault.Dies {
		stop()
		if err := sp.Close(); err != nil {
			l.Fatal(err)
		}
		sp = l.openFull()
		if err := sp.Recover(func(string) bool { return false }); err != nil {
			l.Errorf("recover: %v", err)
		}
	}
	l.bucket.step = func(_ durable.Step, do func() error) error { return do() }
	ctx, cancel := context.WithCancel(context.Background())
	s := New(Config{Spool: sp, Store: l.bucket, Keep: time.Minute, Log: slog.New(slog.DiscardHandler)})
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	time.Sleep(long)
	synctest.Wait()
	cancel()
	wg.Wait()
	stop()
	if err := sp.Close(); err != nil {
		l.Fatal(err)
	}
	return steps
}

// expectOneOf checks that the text, or the line that stands for it, is the one
// object, and that what is said of it is true.
func (l *life) expectOneOf() (whole bool) {
	l.Helper()
	got, only := l.bucket.objects[crashKey]
	if !only || len(l.bucket.objects) != 1 {
		l.Fatalf("%d objects, want %s alone", len(l.bucket.objects), crashKey)
	}
	text := packtest.Unpack(l.T, got)
	sum := sha256.Sum256([]byte(text))
	meta := l.bucket.attrs[crashKey].Metadata
	lines := fmt.Sprint(strings.Count(text, "\n"))
	if meta["sha256"] != hex.EncodeToString(sum[:]) || meta["lines"] != lines || meta["bytes"] != fmt.Sprint(len(text)) {
		l.Errorf("metadata %v of %q", meta, text)
	}
	if text != l.bucket.text && !strings.Contains(text, fmt.Sprintf("logfast: 2 lines (%d bytes) lost, disk full", len(l.bucket.text))) {
		l.Errorf("the object holds neither the text nor what stands for it: %q", text)
	}
	if left, _ := filepath.Glob(filepath.Join(l.root, "[^.]*")); len(left) != 0 {
		inside, _ := filepath.Glob(filepath.Join(l.root, "*", ".*"))
		l.Errorf("left in the spool: %v %v", left, inside)
	}
	return text == l.bucket.text
}

// TestEachWindowOfGivingUp lets each step fail by which a segment is given up. A
// reader of S3 finds the text, or the line that says what is missing; not both,
// not neither.
func TestEachWindowOfGivingUp(t *testing.T) {
	for state, steps := range givingUp {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, crashtest.None)
			taken := l.giveUp(state)
			if l.expectOneOf() {
				t.Error("it was not given up")
			}
			if diff := cmp.Diff(steps, taken); diff != "" {
				t.Errorf("a clean run takes other steps than the table has (-table +run):\n%s", diff)
			}
		})
		t.Run(fmt.Sprint(state), func(t *testing.T) {
			crashtest.Each(t, steps, func(t *testing.T, f crashtest.Fault) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t, f)
					l.giveUp(state)
					if !l.Failed() {
						t.Fatalf("the step did not fail; steps: %v", l.Steps())
					}
					l.expectOneOf()
				})
			})
		})
	}
}
