package spool

import (
	"errors"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
)

// fill appends a line of about 10,000 bytes, with or without an error, and
// brings its segment into a state.
func fill(t *testing.T, s *Spool, w *Writer, n int, errs int64, state State) Segment {
	t.Helper()
	text, nano := line(n)
	text = strings.TrimSuffix(text, "\n") + noise(n) + "\n"
	if _, err := w.Append(&Batch{Text: []byte(text), First: nano, Last: nano, Lines: 1, Errors: errs}, 1<<20); err != nil {
		t.Fatal(err)
	}
	seal(t, w, Size)
	all := list(t, s)
	seg := all[len(all)-1]
	if state == Sealed {
		return seg
	}
	seg, err := s.Pack(seg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if state == Uploaded {
		if err := s.Uploaded(seg); err != nil {
			t.Fatal(err)
		}
		seg.Name = seg.Name.in(Uploaded)
	}
	return seg
}

// noise is 10,000 bytes that packing does not make fewer.
func noise(seed int) string {
	b := make([]byte, 10_000)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for i := range b {
		if b[i] = byte(random.UintN(256)); b[i] == '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}

// makeRoom makes room by the budget or, as a full disk makes it necessary, below what is
// used now. A quota says nothing of how full the disk is.
func makeRoom(s *Spool, size int, diskFull, drop bool) ([]GivenUp, error) {
	n := Need{Bytes: size, Drop: drop}
	if diskFull {
		n.Refused = unix.EDQUOT
	}
	made, err := s.MakeRoom(n)
	return made.Dropped, err
}

func openFull(t *testing.T) (*Spool, string) {
	t.Helper()
	path := t.TempDir()
	s := openSpool(t, path)
	if err := s.Recover(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	w := s.Writer(web)
	fill(t, s, w, 0, 1, Packed)
	fill(t, s, w, 1, 0, Packed)
	fill(t, s, w, 2, 0, Uploaded)
	fill(t, s, w, 3, 0, Sealed)
	fill(t, s, w, 4, 1, Sealed)
	fill(t, s, w, 5, 0, Uploaded)
	if err := s.Measure(); err != nil {
		t.Fatal(err)
	}
	return s, path
}

func TestRoomIsMadeInOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		segments int // how many have to go
		uploaded int // how many uploaded ones are left
		given    []int
		giveUp   bool
	}{
		"one uploaded":               {1, 1, nil, true},
		"both uploaded":              {2, 0, nil, true},
		"one more":                   {3, 0, []int{1}, true},
		"all without errors":         {4, 0, []int{1, 3}, true},
		"the oldest of those with":   {5, 0, []int{1, 3, 0}, true},
		"all":                        {6, 0, []int{1, 3, 0, 4}, true},
		"nothing pending is allowed": {3, 0, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openFull(t)
			used := s.Used()
			s.maxDisk = used // the room asked for, and a twentieth of that, must be freed
			given, err := makeRoom(s, tt.segments*10_000-5_000-int(used/20), false, tt.giveUp)
			if err != nil {
				t.Fatal(err)
			}
			var seconds []int
			for _, g := range given {
				seconds = append(seconds, int(g.Segment.Name.Time.Sub(t0).Round(1e9)/1e9))
				if g.Lost.Lines != 1 || g.Lost.Bytes < 10_000 || g.Lost.Reason != DiskFull {
					t.Errorf("%+v", g.Lost)
				}
			}
			uploaded := 0
			for _, seg := range list(t, s) {
				if seg.Name.State == Uploaded {
					uploaded++
				}
			}
			if !slices.Equal(seconds, tt.given) || uploaded != tt.uploaded {
				t.Errorf("gave up %v and left %d uploaded, want %v and %d", seconds, uploaded, tt.given, tt.uploaded)
			}
			told := s.Used()
			if err := s.Measure(); err != nil || s.Used()-told > 4_000 || told-s.Used() > 4_000 { // the Metas
				t.Errorf("%d bytes are used, it says %d; %v", s.Used(), told, err)
			}
		})
	}
}

// TestMakeRoom_PacksWhatIsWrittenMeanwhile has a stream, which had room before, seal a segment
// while MakeRoom seals another one's: both are packed, and no older text is dropped for them.
func TestMakeRoom_PacksWhatIsWrittenMeanwhile(t *testing.T) {
	s := openSpool(t, t.TempDir())
	w, other := s.Writer(web), s.Writer(Stream{ID: strings.Repeat("9", 64), Name: "db", Format: "cri"})
	fill(t, s, w, 0, 0, Packed)
	write := func(w *Writer, lines int, limit int64) {
		text, nano := line(1)
		b := &Batch{Text: []byte(strings.Repeat(text, lines)), First: nano, Last: nano, Lines: int64(lines)}
		if _, err := w.Append(b, limit); err != nil {
			t.Error(err)
		}
	}
	write(w, 1600, 1<<20)
	write(other, 1400, 1<<20)
	if err := s.Measure(); err != nil {
		t.Fatal(err)
	}
	s.maxDisk = s.Used()
	var once sync.Once
	t.Cleanup(durable.Intercept(func(step durable.Step, do func() error) error {
		if step.Op == "fsync" && step.Name == path.Join(dir, web.ActiveName()) {
			once.Do(func() { write(other, 1, 1) })
		}
		return do()
	}))
	given, err := makeRoom(s, int(s.Used()*3/4), false, true)
	if err != nil || len(given) > 0 {
		t.Errorf("gave up %v, %v", given, err)
	}
	packed := 0
	for _, seg := range list(t, s) {
		if seg.Name.State == Packed {
			packed++
		}
	}
	if packed != 3 {
		t.Errorf("packed are %d segments of %v", packed, list(t, s))
	}
}

func TestAFullSpoolIsSaid(t *testing.T) {
	s, _ := openFull(t)
	s.maxDisk = s.Used()
	for range 2 {
		if _, err := makeRoom(s, 60_000, false, false); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	if _, err := makeRoom(s, 60_000, false, false); !errors.Is(err, ErrFull) {
		t.Errorf("with nothing left to delete: %v", err)
	}
	for _, seg := range list(t, s) {
		if m, err := s.Meta(seg); err != nil || m.Lost != nil {
			t.Errorf("%s was given up, %v", seg.Path(), err)
		}
	}
}

func TestWhatIsHeldIsNotGivenUp(t *testing.T) {
	s, _ := openFull(t)
	pending := slices.DeleteFunc(list(t, s), func(seg Segment) bool { return seg.Name.State == Uploaded })
	release, ok := s.Hold(pending[0])
	if !ok {
		t.Fatal("the segment is held already")
	}
	if _, ok := s.Hold(Segment{Dir: pending[0].Dir, Name: pending[0].Name.in(Sealed)}); ok {
		t.Error("it could be held twice, in two of its states")
	}
	given, err := makeRoom(s, 100_000, true, true)
	if err != nil || len(given) != len(pending)-1 {
		t.Fatalf("gave up %d of %d, %v", len(given), len(pending), err)
	}
	if m, err := s.Meta(pending[0]); err != nil || m.Lost != nil {
		t.Errorf("it was given up, %v", err)
	}
	release()
	if given, err := makeRoom(s, 100_000, true, true); err != nil || len(given) != 1 || given[0].Segment != pending[0] {
		t.Errorf("gave up %v, %v", given, err)
	}
}

// TestGivingUpIsFinishedAfterAKill kills it in each window, in both states that
// a segment can be given up in.
func TestGivingUpIsFinishedAfterAKill(t *testing.T) {
	for _, state := range []State{Sealed, Packed} {
		for name, damage := range map[string]func(t *testing.T, s *Spool, seg Segment, old []byte){
			"before the line is written": func(t *testing.T, s *Spool, seg Segment, old []byte) {
				write(t, s, seg, old)
				if seg.Name.State == Packed {
					remove(t, s, Segment{seg.Dir, seg.Name.in(Sealed)})
				}
			},
			"before the packed text goes": func(t *testing.T, s *Spool, seg Segment, old []byte) {
				if seg.Name.State == Packed {
					write(t, s, seg, old)
				}
			},
			"after it": func(*testing.T, *Spool, Segment, []byte) {},
		} {
			t.Run(seg(state)+" "+name, func(t *testing.T) {
				path := t.TempDir()
				s := openSpool(t, path)
				seg := fill(t, s, s.Writer(web), 0, 0, state)
				old, err := s.root.ReadFile(seg.Path())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := makeRoom(s, 1, true, true); err != nil {
					t.Fatal(err)
				}
				damage(t, s, seg, old)
				s.Close()

				s = openSpool(t, path)
				for range 2 { // and nothing changes when all is well
					if err := s.Recover(func(string) bool { return false }); err != nil {
						t.Fatal(err)
					}
					all := list(t, s)
					if len(all) != 1 {
						t.Fatalf("segments %v", all)
					}
					text, err := s.root.ReadFile(all[0].Path())
					want := "2026-11-23T19:03:01.123456789Z stderr F logfast: 1 lines (10047 bytes) lost, disk full, " +
						"2026-11-23T19:03:01.123456789Z–2026-11-23T19:03:01.123456789Z\n"
					if err != nil || string(text) != want {
						t.Fatalf("%.200q, %v; want %q", text, err, want)
					}
				}
				all := list(t, s)
				packed, err := s.Pack(all[0], nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Recover(func(string) bool { return false }); err != nil {
					t.Fatal(err)
				}
				m, err := s.Meta(packed)
				if err != nil || m.Lines != 1 || m.Lost == nil || m.Metadata()["lost-bytes"] != "10047" {
					t.Errorf("%+v, %v", m, err)
				}
				if again, err := makeRoom(s, 1, true, true); !errors.Is(err, ErrFull) || len(again) != 0 {
					t.Errorf("what was given up is given up again: %v, %v", again, err)
				}
			})
		}
	}
}

func seg(s State) string { return [...]string{Sealed: "sealed", Packed: "packed"}[s] }

func write(t *testing.T, s *Spool, seg Segment, data []byte) {
	t.Helper()
	if err := s.root.WriteFile(seg.Path(), data, 0o640); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s *Spool, seg Segment) {
	t.Helper()
	if err := s.root.Remove(seg.Path()); err != nil {
		t.Fatal(err)
	}
}

func TestTheArchiveDoesNotCount(t *testing.T) {
	s, path := openFull(t)
	used := s.Used()
	archive := filepath.Join(path, "archive")
	if err := os.Mkdir(archive, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(archive, "object"), make([]byte, 100_000), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := s.Measure(); err != nil || s.Used() != used {
		t.Errorf("%d bytes, then %d; %v", used, s.Used(), err)
	}
}

func TestALossIsOneLine(t *testing.T) {
	l := record.Lost{Lines: 12, Bytes: 3456, Reason: DiskFull, From: t0, To: t0.Add(5e8)}
	const want = "logfast: 12 lines (3456 bytes) lost, disk full, 2026-11-23T19:03:01.123456789Z–2026-11-23T19:03:01.623456789Z"
	if got := string(l.Text()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
