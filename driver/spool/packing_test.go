package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/internal/durable"
)

// packedText is what the segment's packed file unpacks to.
func packedText(t *testing.T, s *Spool, seg Segment) string {
	t.Helper()
	file, err := s.root.ReadFile(seg.Path())
	if err != nil {
		t.Fatal(err)
	}
	return packtest.Unpack(t, file)
}

func startAhead(t *testing.T, s *Spool) *Packing {
	t.Helper()
	p, active, err := s.PackAhead(dir, nil)
	if err != nil || !active || p == nil {
		t.Fatalf("%v, active %v, %v", p, active, err)
	}
	return p
}

func TestPackingAheadFollowsTheSegmentUpToItsSeal(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	if p, active, err := s.PackAhead(dir, nil); p != nil || active || err != nil {
		t.Fatalf("of nothing: %v, %v, %v", p, active, err)
	}
	text := appendLine(t, w, 0)
	p := startAhead(t, s)
	if more, err := p.Step(1 << 20); more || err != nil || p.Left() != 0 {
		t.Fatalf("%v, %v, %d left", more, err, p.Left())
	}
	text += appendLine(t, w, 5)
	if p.Left() != 0 {
		t.Fatal("what was not known to be whole would be packed")
	}
	if again, active, err := s.PackAhead(dir, p); again != p || !active || err != nil || p.Left() == 0 {
		t.Fatalf("brought up to date: %v, %v, %d left", active, err, p.Left())
	}
	seal(t, w, Error)
	if again, active, err := s.PackAhead(dir, p); again != p || active || err != nil {
		t.Fatalf("after the seal: active %v, %v", active, err)
	}
	next := appendLine(t, w, 10)
	if again, active, err := s.PackAhead(dir, p); again != p || active || err != nil {
		t.Fatalf("the next segment was taken for it: %v, %v", active, err)
	}
	seg, err := s.Pack(list(t, s)[0], p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := packedText(t, s, seg); got != text {
		t.Errorf("packed %q, want %q", got, text)
	}
	if got, _ := os.ReadFile(filepath.Join(path, dir, "web.log")); string(got) != next {
		t.Errorf("the active segment is %q", got)
	}
}

func TestPackingAheadOfAnotherSegmentIsGivenUp(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	first := appendLine(t, w, 0)
	seal(t, w, Error)
	appendLine(t, w, 5)
	p := startAhead(t, s)
	if _, err := p.Step(1 << 20); err != nil {
		t.Fatal(err)
	}
	sealed := list(t, s)[0]
	if p.Of(sealed) {
		t.Error("it says that it is of the sealed segment")
	}
	seg, err := s.Pack(sealed, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := packedText(t, s, seg); got != first {
		t.Errorf("packed %q, want %q", got, first)
	}
	for _, f := range files(t, path) {
		if durable.IsTemp(filepath.Base(f)) {
			t.Errorf("left behind: %s", f)
		}
	}
}

// TestATextIsNotRemovedForAFileThatIsNotItsOwn has somebody take the temporary
// name while the text is packed.
func TestATextIsNotRemovedForAFileThatIsNotItsOwn(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	text := appendLine(t, w, 0)
	seal(t, w, Stop)
	sealed := list(t, s)[0]
	_, err := s.Pack(sealed, nil, func(p *Packing) error {
		name := filepath.Join(path, p.temp)
		if err := os.Remove(name); err != nil {
			return err
		}
		return os.WriteFile(name, nil, 0o640)
	})
	if err == nil || !strings.Contains(err.Error(), "another file") {
		t.Fatalf("Pack: %v", err)
	}
	if got, _ := s.root.ReadFile(sealed.Path()); string(got) != text {
		t.Fatalf("the text is now %q", got)
	}
	seg, err := s.Pack(sealed, nil, nil)
	if err != nil || packedText(t, s, seg) != text {
		t.Fatalf("the next try: %v", err)
	}
}
