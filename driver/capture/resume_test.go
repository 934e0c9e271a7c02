package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/format/frame"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
)

// doomed is a stream of a process that will be killed: it is registered, but
// does nothing by itself.
func (c *container) doomed() *stream {
	c.Helper()
	desc, opts, err := c.Describe(c.info)
	if err != nil {
		c.Fatal(err)
	}
	s, err := newStream(c.Driver, &journal.Entry{FIFO: c.fifo, Stream: desc, Options: opts}, c.journal.Add)
	if err != nil {
		c.Fatal(err)
	}
	s.writer = c.cfg.Spool.Writer(desc)
	c.Cleanup(func() {
		if err := s.fifo.Close(); err != nil {
			c.Error(err)
		}
	})
	return s
}

// killed returns what the next process finds: the spool as it is now, and the
// FIFOs, which dockerd holds open.
func (h *host) killed() *host {
	h.Helper()
	dir := filepath.Join(h.TempDir(), "spool")
	if err := os.CopyFS(dir, os.DirFS(h.dir)); err != nil {
		h.Fatal(err)
	}
	return newHostIn(h.T, dir, func(*Config, *spool.Options) {})
}

// dies writes what is in the FIFO, of which size bytes reach the file, and
// consumes nothing of it.
func (s *stream) dies(t *testing.T, dir string, size int64) {
	t.Helper()
	w := s.pool.get()
	defer s.pool.put(w)
	frames, err := s.fifo.Peek(w.peeked, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.reset()
	var e frame.Entry
	for rest := frames; len(rest) > 0; {
		n, err := frame.Decode(rest, &e)
		if err != nil {
			t.Fatal(err)
		}
		w.add(s.text, &record.Record{Time: e.TimeNano, Text: e.Line})
		rest = rest[n:]
	}
	if err := s.write(&w.batch, frames); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, s.desc.Dir(), s.desc.ActiveName()), size); err != nil {
		t.Fatal(err)
	}
}

// again takes the streams up as a process does that is killed before they go on.
func (h *host) again(containers ...*container) (streams []*stream) {
	h.Helper()
	for _, c := range containers {
		desc, opts, err := h.Describe(c.info)
		if err != nil {
			h.Fatal(err)
		}
		s, err := newStream(h.Driver, &journal.Entry{FIFO: c.fifo, Stream: desc, Options: opts}, h.journal.Known)
		if err != nil {
			h.Fatal(err)
		}
		s.writer = h.cfg.Spool.Writer(desc)
		h.Cleanup(func() {
			if err := s.fifo.Close(); err != nil {
				h.Error(err)
			}
		})
		if err := s.resume(); err != nil {
			h.Fatal(err)
		}
		streams = append(streams, s)
	}
	return streams
}

// recovered takes up what the process before left and returns the container's text.
func (h *host) recovered(c ...*container) string {
	h.Helper()
	if err := h.Recover(); err != nil {
		h.Fatal(err)
	}
	for _, c := range c {
		h.Stop(c.fifo)
	}
	in := *c[0]
	in.host = h
	return in.text()
}

const lineOne, lineTwo = day + "1.000000000Z stdout F one\n", day + "2.000000000Z stdout F two, and longer\n"

func TestAProcessThatIsKilledWhileItTakesUpAStreamLosesNothing(t *testing.T) {
	for name, size := range map[string]int64{"nothing was written": 0, "a part was written": 10, "all was written": int64(len(lineOne))} {
		t.Run(name, func(t *testing.T) {
			h := newStillHost(t)
			c := h.container("web", nil)
			s := c.doomed()
			c.line(0, "one")
			s.dies(t, h.dir, size)
			h = h.killed()
			h.again(c)
			if got := h.killed().recovered(c); got != lineOne {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestStreamsOfOneContainerAreTakenUpInAnyOrder(t *testing.T) {
	for name, size := range map[string]int64{"nothing was written": 0, "a part was written": 10, "all was written": int64(len(lineOne))} {
		for _, reverse := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				h := newStillHost(t)
				c, other := h.container("web", nil), h.container("web", nil)
				s := c.doomed()
				other.doomed()
				c.line(0, "one")
				s.dies(t, h.dir, size)
				h = h.killed()
				both := []*container{c, other}
				if reverse {
					slices.Reverse(both)
				}
				streams := h.again(both...)
				other.line(1, "two, and longer")
				for _, s := range streams {
					if s.path == other.fifo {
						if _, err := s.batch(); err != nil {
							t.Fatal(err)
						}
					}
				}
				got := h.killed().recovered(c, other)
				if got != lineOne+lineTwo && got != lineTwo+lineOne {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

// TestAStreamThatCannotBeTakenUpIsTriedAgain has a disk refuse one container's
// cursor for a while. The others are heard meanwhile.
func TestAStreamThatCannotBeTakenUpIsTriedAgain(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped meanwhile %v", stopped), func(t *testing.T) {
			h := newStillHost(t)
			c, other := h.container("web", nil), h.container("db", nil)
			for _, c := range []*container{c, other} {
				c.doomed()
				c.line(0, "one")
			}
			h = h.killed()
			cursor := filepath.Join(h.dir, journal.Dir, journal.Name(c.fifo)+journal.CursorSuffix)
			if err := errors.Join(os.Remove(cursor), os.Mkdir(cursor, 0o700)); err != nil {
				t.Fatal(err)
			}
			if err := h.Recover(); err == nil || !strings.Contains(err.Error(), "web") {
				t.Fatalf("Recover: %v", err)
			}
			h.reattachAll() // as Run does
			if err := os.Remove(cursor); err != nil {
				t.Fatal(err)
			}
			if n := len(h.streams.all()); n != 1 {
				t.Fatalf("%d streams are heard, want the other one's", n)
			}
			if !stopped {
				h.reattachAll()
				if n := len(h.streams.all()); n != 2 {
					t.Fatalf("%d streams are heard, want both", n)
				}
			}
			for _, c := range []*container{c, other} {
				h.Stop(c.fifo)
				in := *c
				in.host = h
				if got := in.text(); got != lineOne {
					t.Errorf("%q", got)
				}
			}
		})
	}
}

// reattachAll reattaches what is pending, as Run does when its time has come.
func (h *host) reattachAll() {
	for _, done := range h.reattachPending(func(*pending) bool { return true }) {
		<-done
	}
}

// TestAStreamWhoseFIFOHasGoneIsForgotten, also where it goes while others are
// taken up.
func TestAStreamWhoseFIFOHasGoneIsForgotten(t *testing.T) {
	h := newStillHost(t)
	c := h.container("web", nil)
	c.doomed()
	h = h.killed()
	entries, err := h.journal.Load(nil)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d streams are registered: %v", len(entries), err)
	}
	if err := os.Remove(c.fifo); err != nil {
		t.Fatal(err)
	}
	p := newPending()
	p.entries = entries
	h.streams.expect(p)
	if err := h.reattach(p); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Join(h.dir, journal.Dir))
	if err != nil || len(left) > 0 || len(h.streams.pending) > 0 {
		t.Errorf("%v; registered are %v, pending %v", err, left, h.streams.pending)
	}
}

// TestWhatADeadStreamDiscardedIsCounted: the process was killed before it could mark a
// loss in the text, and the container ended before the next process began.
func TestWhatADeadStreamDiscardedIsCounted(t *testing.T) {
	h := newStillHost(t)
	c := h.container("web", nil)
	s := c.doomed()
	if err := s.cursor.SetMissing(&record.Lost{Reason: notAFrame, Lines: 7, Bytes: 700}); err != nil {
		t.Fatal(err)
	}
	h = h.killed()
	if err := os.Remove(c.fifo); err != nil {
		t.Fatal(err)
	}
	if err := h.Recover(); err == nil || !strings.Contains(err.Error(), "7 lines (700 bytes)") {
		t.Errorf("Recover: %v", err)
	}
	lost := h.Snapshot().Lost
	if len(lost) != 1 || lost[0].Container != s.desc.Dir() || lost[0].Reason != notAFrame || lost[0].Lines != 7 || lost[0].Bytes != 700 {
		t.Errorf("counted: %+v", lost)
	}
}

// TestLinesAreRecognisedWhereTheCursorIsLost plays a disk that failed: it kept
// the text of a batch and not what the cursor said of it, nor the end of a record.
func TestLinesAreRecognisedWhereTheCursorIsLost(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, cursor string, old []byte){
		"an old cursor": func(t *testing.T, cursor string, old []byte) {
			if err := os.WriteFile(cursor, old, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"an empty cursor": func(t *testing.T, cursor string, _ []byte) {
			if err := os.Truncate(cursor, 0); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newStillHost(t)
			c := h.container("web", nil)
			s := c.doomed()
			c.line(0, "zero")
			if _, err := s.batch(); err != nil {
				t.Fatal(err)
			}
			cursor := filepath.Join(".streams", journal.Name(c.fifo)+journal.CursorSuffix)
			old, err := os.ReadFile(filepath.Join(h.dir, cursor))
			if err != nil {
				t.Fatal(err)
			}
			c.line(1, "one")
			if _, err := s.batch(); err != nil {
				t.Fatal(err)
			}
			c.line(2, "two")
			c.line(3, "three")
			s.dies(t, h.dir, int64(len(c.text()))+2*50) // the text of two and three, and nothing consumed
			c.line(4, "four")

			next := h.killed()
			spoil(t, filepath.Join(next.dir, cursor), old)
			active := filepath.Join(next.dir, s.desc.Dir(), s.desc.ActiveName())
			f, err := os.OpenFile(active, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("2026-11-23T19:03:09.0000"); err != nil {
				t.Fatal(err)
			}
			f.Close()
			if err := next.Recover(); err != nil {
				t.Fatal(err)
			}
			next.Stop(c.fifo)
			c.host = next
			var got []string
			for line := range strings.Lines(c.text()) {
				_, text, _ := strings.Cut(strings.TrimSpace(line), " F ")
				got = append(got, text)
			}
			if want := []string{"zero", "one", "two", "three", "four"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
