package ship

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/spool"
)

// sealBounded leaves a segment of some bytes of a container with max-file=3 and
// max-size=100KB. reason "": its text is active.
func (b *bench) sealBounded(n int, bytes int, reason spool.Reason) {
	b.Helper()
	w := b.spool.Writer(spool.Stream{ID: strings.Repeat("ab", 32), Name: "web", Host: "h", Format: "cri", MaxFile: 3, MaxSize: 100_000})
	at := time.Now().Add(time.Duration(n) * time.Second)
	line := at.UTC().Format(time.RFC3339Nano) + " stdout F " + fmt.Sprint(n)
	text := line + strings.Repeat("x", bytes-len(line)-1) + "\n"
	if _, err := w.Append(&spool.Batch{Text: []byte(text), First: at.UnixNano(), Last: at.UnixNano(), Lines: 1}, 1<<20); err != nil {
		b.Fatal(err)
	}
	if reason == "" {
		b.Cleanup(func() { w.Close() })
		return
	}
	if _, err := w.Seal(reason); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// TestTrim_KeepsMaxFileOnTheHost uploads more than a container may keep on the host, and
// wants the newest there and all in the store.
func TestTrim_KeepsMaxFileOnTheHost(t *testing.T) {
	type segment struct {
		bytes  int
		reason spool.Reason
	}
	full := segment{90_000, spool.Size}
	for name, tt := range map[string]struct {
		before []segment // uploaded one after the other
		active bool
		kept   int
	}{
		"few":            {before: []segment{full, full}, kept: 2},
		"as many":        {before: []segment{full, full, full}, kept: 3},
		"more":           {before: []segment{full, full, full, full, full}, kept: 3},
		"with an active": {before: []segment{full, full, full, full}, active: true, kept: 2},
		"small ones":     {before: []segment{full, full, {40_000, spool.Error}, {40_000, spool.Error}, {40_000, spool.Stop}}, kept: 4},
		"errors":         {before: []segment{{50_000, spool.Error}, {50_000, spool.Error}, {50_000, spool.Error}, {50_000, spool.Error}}, kept: 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 24*time.Hour)
				b.seal("other", 0, spool.Stop) // which nothing bounds
				for i, s := range tt.before {
					b.sealBounded(i, s.bytes, s.reason)
				}
				if tt.active {
					b.sealBounded(len(tt.before), 1000, "")
				}
				b.run(time.Minute)
				if n := b.states()[spool.Uploaded]; n != tt.kept+1 {
					t.Errorf("%d copies are kept, want %d\n%s", n, tt.kept+1, b.log.String())
				}
				if n := len(b.keys()); n != len(tt.before)+1 {
					t.Errorf("%d objects of %d", n, len(tt.before)+1)
				}
			})
		})
	}
}

// TestTrim_KeepsWhatIsNotUploaded fails all puts, and wants every segment on the host.
func TestTrim_KeepsWhatIsNotUploaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		b.store.fail = func(string, int) error { return fmt.Errorf("no") }
		for i := range 6 {
			b.sealBounded(i, 90_000, spool.Size)
		}
		b.run(time.Minute)
		if n := b.states()[spool.Packed]; n != 6 {
			t.Errorf("%v", b.states())
		}
		b.store.fail = nil
		b.run(2 * time.Hour)
		if n := b.states()[spool.Uploaded]; n != 3 || len(b.keys()) != 6 {
			t.Errorf("%v, %d objects", b.states(), len(b.keys()))
		}
	})
}
