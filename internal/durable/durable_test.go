package durable

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func openRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestWriteFileReplacesAndLeavesNoTemp(t *testing.T) {
	root := openRoot(t)
	for _, want := range []string{"first", "second, longer", ""} {
		if err := WriteFile(root, "state", []byte(want), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := root.ReadFile("state")
		if err != nil || string(got) != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
	}
	entries, err := os.ReadDir(root.Name())
	if err != nil || len(entries) != 1 {
		t.Fatalf("directory holds %v, %v; want state alone", entries, err)
	}
}

func TestWriteFileOverALeftTemp(t *testing.T) {
	root := openRoot(t)
	if err := root.WriteFile(".state.tmp", []byte("torn by a crash, and longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !IsTemp(".state.tmp") || IsTemp("state") || IsTemp(".state") {
		t.Fatal("IsTemp does not tell a temporary name from others")
	}
	if err := WriteFile(root, "state", []byte("new"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, _ := root.ReadFile("state"); string(got) != "new" {
		t.Fatalf("read %q", got)
	}
}

func TestNothingFollowsALinkOut(t *testing.T) {
	root := openRoot(t)
	outside := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(outside, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A planted temporary name must not be written through.
	if err := os.Symlink(outside, filepath.Join(root.Name(), ".state.tmp")); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(root, "state", []byte("x"), 0o640); err != nil {
		t.Error(err)
	}
	if err := os.Symlink(outside, filepath.Join(root.Name(), "lock")); err != nil {
		t.Fatal(err)
	}
	l, err := Lock(root, "lock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, _ := os.ReadFile(outside); string(got) != "precious" {
		t.Fatalf("the file outside now holds %q", got)
	}
}

func TestMkdirAllIsIdempotent(t *testing.T) {
	root := openRoot(t)
	for range 2 {
		if err := MkdirAll(root, "a/b/c", 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := root.Stat("a/b/c"); err != nil || !fi.IsDir() {
		t.Fatalf("a/b/c: %v", err)
	}
	if err := root.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(root, "file/d", 0o750); err == nil {
		t.Fatal("a directory was made under a file")
	}
}

func TestLockHasOneHolder(t *testing.T) {
	root := openRoot(t)
	first, err := Lock(root, "lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(root, "lock"); !errors.Is(err, ErrLocked) {
		t.Fatalf("second lock: %v, want ErrLocked", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(root, "lock")
	if err != nil {
		t.Fatalf("after the first was given up: %v", err)
	}
	again.Close()
}
