package spool

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// packed leaves one packed segment in a new spool, with its text.
func packed(t *testing.T, stream Stream) (path string, s *Spool, seg Segment, text string) {
	t.Helper()
	path = t.TempDir()
	s = openSpool(t, path)
	w := s.Writer(stream)
	text = appendLine(t, w, 0) + appendLine(t, w, 5)
	seal(t, w, Error)
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	seg, err := s.Pack(list(t, s)[0], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path, s, seg, text
}

func TestADamagedDescriptionIsRestoredWithItsKey(t *testing.T) {
	for _, format := range []string{"cri", "raw"} {
		for _, damage := range []string{"", "\x00\x00\x00", "{}", `{"key":`} {
			stream := web
			stream.Format = format
			path, s, seg, text := packed(t, stream)
			was, err := s.Meta(seg)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(path, dir, seg.Name.metaName())
			if err := os.WriteFile(name, []byte(damage), 0o640); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Meta(seg); !errors.Is(err, ErrNoMeta) {
				t.Fatalf("%s, %q: %v, want ErrNoMeta", format, damage, err)
			}
			file, err := os.ReadFile(filepath.Join(path, seg.Path()))
			if err != nil {
				t.Fatal(err)
			}
			m, err := s.Restore(seg, strings.NewReader(text), sha256.Sum256(file))
			if err != nil {
				t.Fatal(err)
			}
			if m.Key != was.Key || m.SHA256 != was.SHA256 || m.SHA256Object != was.SHA256Object || m.Lines != 2 || m.Bytes != int64(len(text)) {
				t.Errorf("%s, %q: restored %+v, was %+v", format, damage, m, was)
			}
			if again, err := s.Meta(seg); err != nil || again.Key != was.Key {
				t.Errorf("%s, %q: not kept: %v", format, damage, err)
			}
		}
	}
}

// A file that is there and cannot be read is not damaged: what it says must not
// be replaced by a guess.
func TestADescriptionThatCannotBeReadIsNotReplaced(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	appendLine(t, w, 0)
	seal(t, w, Error)
	seg := list(t, s)[0]
	name := filepath.Join(path, dir, seg.Name.metaName())
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// No file can be opened, as with a bad sector.
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	m, err := s.Meta(seg)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err == nil || errors.Is(err, ErrNoMeta) {
		t.Errorf("%+v, %v", m, err)
	}
	if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
		t.Errorf("it was replaced: %q, %v", after, err)
	}
}

func TestPackingWhatIsPackedRemovesTheTextAlone(t *testing.T) {
	for _, state := range []State{Packed, Uploaded} {
		path, s, seg, text := packed(t, web)
		if state == Uploaded {
			if err := s.Uploaded(seg); err != nil {
				t.Fatal(err)
			}
		}
		sealed := Segment{Dir: dir, Name: seg.Name.in(Sealed)}
		if err := os.WriteFile(filepath.Join(path, sealed.Path()), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		before := files(t, path)
		if _, err := s.Pack(sealed, nil, nil); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, f := range before {
			if f != sealed.Path() {
				want = append(want, f)
			}
		}
		if diff := cmp.Diff(want, files(t, path)); diff != "" {
			t.Errorf("%v: (-want +got):\n%s", state, diff)
		}
	}
}

func TestUploadedAndDeleteMayBeRepeated(t *testing.T) {
	path, s, seg, _ := packed(t, web)
	for range 2 {
		if err := s.Uploaded(seg); err != nil {
			t.Fatal(err)
		}
	}
	up := list(t, s)[0]
	release, _ := s.Hold(seg)
	if err := s.Delete(up); !errors.Is(err, ErrHeld) {
		t.Errorf("deleting what is being marked: %v", err)
	}
	release()
	for range 2 {
		if err := s.Delete(up); err != nil {
			t.Fatal(err)
		}
	}
	if got := files(t, path); got != nil {
		t.Errorf("left: %v", got)
	}
	if err := s.Uploaded(seg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("marking what is gone: %v", err)
	}
}

// A directory store may lie below the spool, and its keys may be like the names
// of segments. What is in it is neither shipped nor cut nor sealed nor pruned.
func TestOtherDirectoriesAreLeftAlone(t *testing.T) {
	path, s, seg, _ := packed(t, web)
	for _, f := range []string{
		"lost+found/", "archive/", "archive/web.log", "archive/" + seg.Name.String(), "archive/" + seg.Name.in(Uploaded).String(),
		"archive/" + seg.Name.Stem(), "archive/.x.tmp", "mine/", "mine/note.log",
	} {
		name := filepath.Join(path, f)
		if strings.HasSuffix(f, "/") {
			if err := os.Mkdir(name, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(name, []byte("no newline"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	before := []string{reserveFile} // Recover makes that
	for n := range reserveFiles {
		before = append(before, reserveName(n))
	}
	before = append(before, files(t, path)...)
	if err := s.Recover(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, files(t, path)); diff != "" {
		t.Errorf("recovery changed (-was +is):\n%s", diff)
	}
	if b, err := os.ReadFile(filepath.Join(path, "archive/web.log")); err != nil || string(b) != "no newline" {
		t.Errorf("archive/web.log: %q, %v", b, err)
	}
	if diff := cmp.Diff([]Segment{seg}, list(t, s)); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
}

func TestListTakesStates(t *testing.T) {
	_, s, seg, _ := packed(t, web)
	for state, want := range map[State]int{Sealed: 0, Packed: 1, Uploaded: 0} {
		got, err := s.List(state)
		if err != nil || len(got) != want {
			t.Errorf("%v: %v, %v", state, got, err)
		}
	}
	if err := s.Uploaded(seg); err != nil {
		t.Fatal(err)
	}
	if got, err := s.List(Sealed, Uploaded); err != nil || len(got) != 1 || got[0].Name.State != Uploaded {
		t.Errorf("%v, %v", got, err)
	}
}

// TestASealIsFinishedThoughSHIPWasFaster: the rename of a seal is done, its sync
// fails, and SHIP takes the segment before the seal is tried again. Its sums must
// stay, and the writer must not go on in a file without a name.
func TestASealIsFinishedThoughSHIPWasFaster(t *testing.T) {
	path := t.TempDir()
	s := openSpool(t, path)
	w := s.Writer(web)
	appendLine(t, w, 0)
	stop := durable.Intercept(func(step durable.Step, do func() error) error {
		if err := do(); err != nil {
			return err
		}
		if step.Op == "rename" && strings.HasSuffix(step.Name, "-error") {
			return errors.New("perhaps not durable")
		}
		return nil
	})
	_, err := w.Seal(Error)
	stop()
	if err == nil {
		t.Fatal("the seal did not fail")
	}
	seg, err := s.Pack(list(t, s)[0], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	was, err := s.Meta(seg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Uploaded(seg); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(Error); err != nil {
		t.Fatal(err)
	}
	appendLine(t, w, 5)
	if _, err := os.Stat(filepath.Join(path, dir, "web.log")); err != nil {
		t.Error(err)
	}
	seg.Name.State = Uploaded
	if m, err := s.Meta(seg); err != nil || m.SHA256Object != was.SHA256Object || m.SHA256Object == "" {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
