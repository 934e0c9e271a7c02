package ship

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
)

// talker is a writer of a container with much to say.
type talker struct {
	*bench
	w    *spool.Writer
	text bytes.Buffer // what it wrote since it was sealed
}

func (b *bench) talker(name string) *talker {
	return &talker{bench: b, w: b.spool.Writer(spool.Stream{ID: strings.Repeat("cd", 32), Name: name, Format: "cri"})}
}

// write writes about n bytes, in lines that are long, and quick to pack.
func (l *talker) write(n int) {
	l.Helper()
	at := time.Now()
	var text []byte
	for count := 0; len(text) < n; count++ {
		text = fmt.Appendf(text, "%s stdout F %d %s\n", at.UTC().Format(time.RFC3339Nano), count, strings.Repeat("=", min(n, 8000)))
	}
	l.text.Write(text)
	if _, err := l.w.Append(&spool.Batch{Text: text, First: at.UnixNano(), Last: at.UnixNano(), Lines: int64(bytes.Count(text, []byte("\n")))}, 1<<40); err != nil {
		l.Fatal(err)
	}
}

func (l *talker) seal(reason spool.Reason) {
	l.Helper()
	if _, err := l.w.Seal(reason); err != nil {
		l.Fatal(err)
	}
	l.Wake()
}

// temps are the sizes of unfinished files, by name.
func (b *bench) temps() map[string]int64 {
	b.Helper()
	all := map[string]int64{}
	found, err := filepath.Glob(filepath.Join(b.dir, "*", ".*.tmp"))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range found {
		fi, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		all[filepath.Base(f)] = fi.Size()
	}
	return all
}

func (b *bench) dirOf(l *talker) string {
	s := spool.Stream{ID: strings.Repeat("cd", 32), Name: strings.TrimSuffix(filepath.Base(l.name()), ".log")}
	return s.Dir()
}

func (l *talker) name() string {
	found, err := filepath.Glob(filepath.Join(l.dir, "*", "*.log"))
	if err != nil || len(found) != 1 {
		l.Fatal(found, err)
	}
	return found[0]
}

func TestWhatIsExpectedIsPackedAheadOfItsSeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		l := b.talker("web")
		l.write(3 * step)
		dir := b.dirOf(l)
		var first, second int64
		b.run(time.Minute,
			func() { b.Soon(dir, time.Now().Add(5*time.Minute)) },
			func() {
				time.Sleep(2 * aheadPoll)
				synctest.Wait()
				first = b.temps()[".web.log-000001.ahead.tmp"]
				l.write(2 * step)
				time.Sleep(2 * aheadPoll)
				synctest.Wait()
				second = b.temps()[".web.log-000001.ahead.tmp"]
				l.write(1000)
				l.seal(spool.Error)
			})
		if first == 0 || second <= first {
			t.Errorf("%d bytes were packed ahead, later %d", first, second)
		}
		if got := packtest.Unpack(t, b.store.objects["web-000001-error.log.gz"]); got != l.text.String() {
			t.Fatalf("the object has %d bytes of text, not the %d that were written", len(got), l.text.Len())
		}
		if left := b.temps(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if _, err := l.w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPackedAheadIsOneTextAlone seals twice before the packer looks, and has
// what was packed ahead at its end.
func TestPackedAheadIsOneTextAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		l := b.talker("web")
		l.write(3 * step)
		dir := b.dirOf(l)
		var texts []string
		next := func(reason spool.Reason) {
			texts = append(texts, l.text.String())
			l.text.Reset()
			l.seal(reason)
		}
		b.run(time.Minute, func() {
			b.Soon(dir, time.Now().Add(5*time.Minute))
			time.Sleep(2 * aheadPoll)
			synctest.Wait()
			next(spool.Size)
			l.write(1000)
			next(spool.Error)
			l.write(3 * step) // packed ahead as well, and sealed no more
		}, func() {
			time.Sleep(2 * aheadPoll)
			synctest.Wait()
			if b.temps()[".web.log-000003.ahead.tmp"] == 0 {
				t.Errorf("the third segment is not packed ahead: %v\n%s", b.temps(), b.log.String())
			}
		})
		for i, key := range []string{"web-000001-size.log.gz", "web-000002-error.log.gz"} {
			if got := packtest.Unpack(t, b.store.objects[key]); got != texts[i] {
				t.Errorf("%s has %d bytes of text, want %d", key, len(got), len(texts[i]))
			}
		}
		if left := b.temps(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if _, err := l.w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAnErrorPassesALongSegment has an urgent segment come while one that is
// not urgent is being packed.
func TestAnErrorPassesALongSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		l := b.talker("bulk")
		l.write(3 * step)
		if _, err := l.w.Seal(spool.Size); err != nil {
			t.Fatal(err)
		}
		if _, err := l.w.Close(); err != nil {
			t.Fatal(err)
		}
		p := b.newPacker()
		p.refresh(&p.queue, spool.Sealed)
		j, _ := p.next()
		var order []string
		seg, err := b.spool.Pack(j.seg, nil, func(g *spool.Packing) error {
			if more, err := g.Step(step); !more || err != nil {
				return fmt.Errorf("%v, %w", more, err)
			}
			b.seal("web", 1, spool.Error)
			b.Wake()
			err := p.standBack(t.Context(), g)
			for _, h := range p.takeOver() {
				order = append(order, h.seg.Name.Active)
			}
			if g.Left() > 0 {
				t.Errorf("%d bytes are left", g.Left())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, seg.Name.Active)
		if want := []string{"web.log", "bulk.log"}; !slices.Equal(order, want) {
			t.Errorf("packed in the order %v, want %v", order, want)
		}
	})
}

// TestARestEndsWhenSomethingIsUrgent has capture write 100 MB/s while packing
// took 20 ms for a step.
func TestARestEndsWhenSomethingIsUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		p := b.newPacker()
		p.queue.next(time.Now(), false) // as the packer does before it packs anything
		rest := func() time.Duration {
			p.courtesy = courtesy{began: time.Now().Add(-20 * time.Millisecond), written: func() int64 { return 2e6 }}
			began := time.Now()
			p.rest(t.Context())
			return time.Since(began)
		}
		const all = resting * 20 * time.Millisecond
		if got := rest(); got != all {
			t.Errorf("packing rests %v, want %v", got, all)
		}
		go func() {
			time.Sleep(all / 4)
			b.seal("bulk", 1, spool.Size)
			b.Wake()
			time.Sleep(all / 4)
			b.seal("web", 1, spool.Error)
			b.Wake()
		}()
		if got := rest(); got != all/2 {
			t.Errorf("packing rests %v, want %v: then an error was sealed", got, all/2)
		}
		if j := p.queue.urgent(); j == nil || j.seg.Name.Active != "web.log" {
			t.Errorf("the queue has %+v, want the error's segment", j)
		}
	})
}
