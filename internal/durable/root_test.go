package durable

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// planted puts each thing that is not a regular file at a path.
var planted = map[string]func(path string) error{
	"a FIFO":        func(path string) error { return unix.Mkfifo(path, 0o600) },
	"a socket":      func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
	"a link":        func(path string) error { return os.Symlink("/etc/passwd", path) },
	"a link within": func(path string) error { return os.Symlink("other", path) },
	"a directory":   func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) },
	"a device":      func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
}

// TestOpenRegular_RefusesWhatIsNoFile and never waits for it.
func TestOpenRegular_RefusesWhatIsNoFile(t *testing.T) {
	for what, plant := range planted {
		t.Run(what, func(t *testing.T) {
			root := openRoot(t)
			if err := plant(filepath.Join(root.Name(), "state")); err != nil {
				t.Fatal(err)
			}
			for _, flag := range []int{os.O_RDONLY, os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_TRUNC} {
				if f, err := OpenRegular(root, "state", flag, 0o600); !errors.Is(err, ErrNotRegular) {
					t.Errorf("flags %x: %v, %v", flag, f, err)
				}
			}
			if _, err := ReadFile(root, "state"); !errors.Is(err, ErrNotRegular) {
				t.Error(err)
			}
		})
	}
}

// TestWriteFile_ReplacesWhatIsNoFile under the name, and under the temporary one.
func TestWriteFile_ReplacesWhatIsNoFile(t *testing.T) {
	for what, plant := range planted {
		for _, name := range []string{"state", ".state.tmp"} {
			t.Run(what+" at "+name, func(t *testing.T) {
				root := openRoot(t)
				if err := plant(filepath.Join(root.Name(), name)); err != nil {
					t.Fatal(err)
				}
				if err := WriteFile(root, "state", []byte("new"), 0o600); err != nil {
					t.Fatal(err)
				}
				if got, err := ReadFile(root, "state"); string(got) != "new" {
					t.Errorf("%q, %v", got, err)
				}
				lock, err := Lock(root, "lock")
				if err != nil {
					t.Fatal(err)
				}
				lock.Close()
			})
		}
	}
}

// TestLock_ReplacesWhatIsNoFile so that nobody keeps a plugin from starting.
func TestLock_ReplacesWhatIsNoFile(t *testing.T) {
	for what, plant := range planted {
		t.Run(what, func(t *testing.T) {
			root := openRoot(t)
			if err := plant(filepath.Join(root.Name(), "lock")); err != nil {
				t.Fatal(err)
			}
			lock, err := Lock(root, "lock")
			if err != nil {
				t.Fatal(err)
			}
			lock.Close()
		})
	}
}

// TestLasting_IsMadeAnew after each thing that can become of a directory.
func TestLasting_IsMadeAnew(t *testing.T) {
	ways := map[string]func(path string) error{
		"removed":  os.RemoveAll,
		"moved":    func(path string) error { return os.Rename(path, path+"-old") },
		"replaced": func(path string) error { return errors.Join(os.Rename(path, path+"-old"), os.Mkdir(path, 0o755)) },
	}
	for what, plant := range planted {
		if what != "a directory" {
			ways["replaced by "+what] = func(path string) error { return errors.Join(os.RemoveAll(path), plant(path)) }
		}
	}
	for how, change := range ways {
		t.Run(how, func(t *testing.T) {
			root := openRoot(t)
			l, err := OpenLasting(root, "state", 0o700)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := WriteFile(l, "a", []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := change(filepath.Join(root.Name(), "state")); err != nil {
				t.Fatal(err)
			}
			if err := WriteFile(l, "b", []byte("after"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(root.Name(), "state", "b")); string(got) != "after" {
				t.Errorf("%q, %v", got, err)
			}
			if made, err := l.Made(); made != 2 || err != nil {
				t.Errorf("opened %d times, %v", made, err)
			}
		})
	}
}
