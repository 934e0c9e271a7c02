package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
)

// mine leaves what is made to whoever runs the tests.
var mine = store.DirOptions{UID: -1, GID: -1}

func TestDir(t *testing.T) {
	objecttest.TestStore(t, func(t *testing.T) store.Store {
		return openDir(t, t.TempDir()+"/made/here", mine)
	})
}

// What an operator who runs two plugins, or a plugin and a command, relies on.
func TestDirSharedByProcesses(t *testing.T) {
	path := t.TempDir()
	one, two := openDir(t, path, mine), openDir(t, path, mine)
	for round := range 10 {
		key := fmt.Sprintf("round/%d", round)
		var results [8]error
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() {
				results[i] = put([]*store.Dir{one, two}[i%2], key, fmt.Sprintf("writer %d", i))
			})
		}
		group.Wait()
		winner := -1
		for i, err := range results {
			if err == nil && winner < 0 {
				winner = i
			} else if !errors.Is(err, store.ErrExists) {
				t.Errorf("writer %d: %v, want ErrExists beside writer %d", i, err, winner)
			}
		}
		expect(t, one, key, fmt.Sprintf("writer %d", winner))
		expect(t, two, key, fmt.Sprintf("writer %d", winner))
	}
}

func TestDirModesAndOwner(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	opts := store.DirOptions{DirMode: 0o751, FileMode: 0o644, UID: os.Geteuid(), GID: os.Getegid()}
	if os.Geteuid() == 0 {
		opts.UID, opts.GID = 12345, 54321
	}
	path := t.TempDir() + "/store"
	d := openDir(t, path, opts)
	if err := put(d, "a/b/key", "data"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		"":                    os.ModeDir | 0o751,
		"a":                   os.ModeDir | 0o751,
		"a/b":                 os.ModeDir | 0o751,
		"a/b/key":             0o644,
		"a/b/.key.attributes": 0o644,
	} {
		info, err := os.Lstat(filepath.Join(path, name))
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		if info.Mode() != want || int(stat.Uid) != opts.UID || int(stat.Gid) != opts.GID {
			t.Errorf("%q has mode %v, owner %d:%d, want %v, %d:%d",
				name, info.Mode(), stat.Uid, stat.Gid, want, opts.UID, opts.GID)
		}
	}

	path = t.TempDir() + "/defaults"
	if err := put(openDir(t, path, mine), "a/key", "data"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": os.ModeDir | 0o750, "a": os.ModeDir | 0o750, "a/key": 0o640} {
		if info, err := os.Lstat(filepath.Join(path, name)); err != nil || info.Mode() != want {
			t.Errorf("%q has mode %v (%v), want %v", name, info.Mode(), err, want)
		}
	}
}

func TestDirLinksWhatItCan(t *testing.T) {
	const data = "the body"
	for _, test := range []struct {
		name   string
		linked bool
		body   func(t *testing.T, f *os.File) *os.File
	}{
		{"as it is", true, func(t *testing.T, f *os.File) *os.File { return f }},
		{"read before", true, func(t *testing.T, f *os.File) *os.File {
			io.Copy(io.Discard, f)
			f.Seek(0, io.SeekStart)
			return f
		}},
		{"not from the start", false, func(t *testing.T, f *os.File) *os.File {
			must(t, os.WriteFile(f.Name(), []byte("xx"+data), 0))
			_, err := f.Seek(2, io.SeekStart)
			must(t, err)
			return f
		}},
		{"longer", false, func(t *testing.T, f *os.File) *os.File {
			must(t, os.WriteFile(f.Name(), []byte(data+"xx"), 0))
			return f
		}},
		{"other mode", false, func(t *testing.T, f *os.File) *os.File {
			must(t, f.Chmod(0o600))
			return f
		}},
		{"deleted", false, func(t *testing.T, f *os.File) *os.File {
			must(t, os.Remove(f.Name()))
			return f
		}},
		{"other file system", false, func(t *testing.T, f *os.File) *os.File {
			fd, err := unix.MemfdCreate("body", unix.MFD_CLOEXEC)
			must(t, err)
			memory := os.NewFile(uintptr(fd), "memfd")
			t.Cleanup(func() { memory.Close() })
			_, err = memory.WriteString(data)
			must(t, err)
			_, err = memory.Seek(0, io.SeekStart)
			must(t, err)
			must(t, memory.Chmod(0o640))
			return memory
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			long := time.Now().Add(-time.Hour)
			must(t, os.WriteFile(dir+"/segment", []byte(data), 0o600))
			must(t, os.Chmod(dir+"/segment", 0o640))
			must(t, os.Chtimes(dir+"/segment", long, long))
			f, err := os.Open(dir + "/segment")
			must(t, err)
			defer f.Close()
			body := test.body(t, f)

			d := openDir(t, dir+"/store", mine)
			before := time.Now().Truncate(time.Second)
			must(t, d.Put(t.Context(), "a/key", body, objecttest.Describe([]byte(data))))
			expect(t, d, "a/key", data)

			one, err := body.Stat()
			must(t, err)
			two, err := os.Lstat(dir + "/store/a/key")
			must(t, err)
			if os.SameFile(one, two) != test.linked {
				t.Errorf("the object is the body's file: %v, want %v", !test.linked, test.linked)
			}
			if two.Mode() != 0o640 {
				t.Errorf("the object has mode %v, want 0640", two.Mode())
			}
			for entry, err := range d.List(t.Context(), "", "") {
				if err != nil || entry.Modified.Before(before) {
					t.Errorf("listed as %v (%v), want the time of the put", entry, err)
				}
			}
			expectEmpty(t, dir+"/store/.incoming")
		})
	}
}

// What has been read of a file is not part of the body, though the file has the
// body's size.
func TestDirLinksNoFileAtItsEnd(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/segment", []byte("data"), 0o640))
	f, err := os.Open(dir + "/segment")
	must(t, err)
	defer f.Close()
	_, err = f.Seek(0, io.SeekEnd)
	must(t, err)
	d := openDir(t, dir+"/store", mine)
	if err := d.Put(t.Context(), "key", f, objecttest.Describe([]byte("data"))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("put: %v, want io.ErrUnexpectedEOF", err)
	}
	expectKeys(t, d)
}

func TestDirFollowsNoSymlink(t *testing.T) {
	top := t.TempDir()
	outside, path := top+"/outside", top+"/store"
	must(t, os.Mkdir(outside, 0o755))
	must(t, os.WriteFile(outside+"/secret", []byte("secret"), 0o644))
	d := openDir(t, path, mine)
	must(t, put(d, "inside/key", "data"))
	for name, target := range map[string]string{
		"absolute":         outside,
		"relative":         "../outside",
		"within":           "inside",
		"file":             outside + "/secret",
		"filewithin":       "inside/key",
		"dangling":         outside + "/new",
		".side.attributes": outside + "/secret",
	} {
		must(t, os.Symlink(target, path+"/"+name))
	}
	must(t, os.Symlink(outside, path+"/inside/deep"))

	for _, key := range []string{
		"absolute/key", "absolute/secret", "relative/key", "relative/secret", "within/key", "within/new",
		"file", "filewithin", "dangling", "inside/deep/secret", "inside/deep/er/key", "absolute",
	} {
		if err := put(d, key, "data"); !errors.Is(err, store.ErrBlocked) {
			t.Errorf("put %s: %v, want ErrBlocked", key, err)
		}
		if _, _, err := d.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get %s: %v, want ErrNotFound", key, err)
		}
	}
	must(t, put(d, "side", "data")) // replaces the link that has its attributes' name
	expect(t, d, "side", "data")
	expectKeys(t, d, "inside/key", "side")

	entries, err := os.ReadDir(outside)
	must(t, err)
	secret, err := os.ReadFile(outside + "/secret")
	if len(entries) != 1 || string(secret) != "secret" || err != nil {
		t.Errorf("outside now has %v, and the secret is %q", entries, secret)
	}

	for _, own := range []string{".incoming", ".lock"} {
		planted := t.TempDir()
		must(t, os.Symlink(outside, planted+"/"+own))
		d := openDir(t, planted, mine)
		must(t, put(d, "key", "data"))
		if entries, err := os.ReadDir(outside); len(entries) != 1 || err != nil {
			t.Errorf("%s was followed: outside now has %v, %v", own, entries, err)
		}
	}
}

func TestDirKeysOfItsOwn(t *testing.T) {
	d := openDir(t, t.TempDir(), mine)
	for _, key := range []string{
		".key", "a/.b/c", ".incoming/x", ".lock", ".key.attributes", "a/..b",
		strings.Repeat("x", 244), strings.Repeat("x", 244) + "/a",
	} {
		if err := put(d, key, "data"); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("put %q: %v, want ErrInvalid", key, err)
		}
		if _, _, err := d.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get %q: %v, want ErrNotFound", key, err)
		}
	}
	longest := strings.Repeat("x", 243)
	must(t, put(d, longest+"/"+longest, "data"))
	expect(t, d, longest+"/"+longest, "data")

	must(t, put(d, "a/b", "data"))
	for _, key := range []string{"a", "a/b/c", "a/b/c/d"} {
		if err := put(d, key, "data"); !errors.Is(err, store.ErrBlocked) {
			t.Errorf("put %s beside a/b: %v, want ErrBlocked", key, err)
		}
	}
	expectKeys(t, d, "a/b", longest+"/"+longest)
}

// A file that somebody put there by hand is an object, though nothing but its
// size is known of it.
func TestDirForeignFile(t *testing.T) {
	for what, side := range map[string]string{
		"no attributes":        "",
		"torn attributes":      `{"size":4,"sha2`,
		"another's attributes": `{"size":5,"sha256":"` + strings.Repeat("00", 32) + `"}`,
		"no digest":            `{"size":4,"sha256":"00"}`,
	} {
		path := t.TempDir()
		d := openDir(t, path, mine)
		must(t, os.WriteFile(path+"/key", []byte("data"), 0o644))
		if side != "" {
			must(t, os.WriteFile(path+"/.key.attributes", []byte(side), 0o644))
		}
		f, attrs, err := d.Get(t.Context(), "key")
		must(t, err)
		f.Close()
		if diff := cmp.Diff(store.Attributes{Size: 4}, attrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if err := put(d, "key", "data"); err != nil {
			t.Errorf("%s: put of the same bytes: %v", what, err)
		}
		if err := put(d, "key", "atad"); !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: put of other bytes: %v, want ErrExists", what, err)
		}
	}
}

func TestDirDeniedIsBlocked(t *testing.T) {
	path := t.TempDir() + "/store"
	d := openDir(t, path, mine)
	must(t, put(d, "a/key", "data"))
	must(t, os.Chmod(path+"/a", 0))
	must(t, os.Chmod(path, 0o555))
	t.Cleanup(func() { os.Chmod(path+"/a", 0o700); os.Chmod(path, 0o700) })
	unprivileged(func() {
		if err := put(d, "a/new", "data"); !errors.Is(err, store.ErrBlocked) {
			t.Errorf("put: %v, want ErrBlocked", err)
		}
		if err := put(d, "b/new", "data"); !errors.Is(err, store.ErrBlocked) {
			t.Errorf("put in a new directory: %v, want ErrBlocked", err)
		}
		if _, _, err := d.Get(t.Context(), "a/key"); !errors.Is(err, store.ErrBlocked) {
			t.Errorf("get: %v, want ErrBlocked", err)
		}
		for _, err := range d.List(t.Context(), "", "") {
			if !errors.Is(err, store.ErrBlocked) {
				t.Errorf("list: %v, want ErrBlocked", err)
			}
		}
		if d, err := store.OpenDir(path+"/below", mine); !errors.Is(err, store.ErrBlocked) {
			t.Errorf("open: %v, want ErrBlocked", err)
			if err == nil {
				d.Close()
			}
		}
	})
	for err, blocked := range map[error]bool{
		unix.EROFS: true, unix.EPERM: true, unix.EACCES: true, unix.EXDEV: true, unix.EOPNOTSUPP: true,
		unix.ENOSPC: false, unix.EDQUOT: false, unix.EIO: false, unix.EMFILE: false, unix.ENOENT: false,
	} {
		err := store.Refusal(&os.PathError{Op: "write", Path: "key", Err: err})
		if errors.Is(err, store.ErrBlocked) != blocked {
			t.Errorf("%v is blocked: %v, want %v", err, !blocked, blocked)
		}
	}
}

// unprivileged runs f as nobody, also when root runs the tests, on a thread
// that ends with it.
func unprivileged(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread()
			unix.SetfsuidRetUid(65534)
		}
		f()
	}()
	<-done
}

func openDir(t *testing.T, path string, opts store.DirOptions) *store.Dir {
	t.Helper()
	d, err := store.OpenDir(path, opts)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func put(d *store.Dir, key, data string) error {
	body := []byte(data)
	attrs := objecttest.Describe(body)
	attrs.Metadata = map[string]string{"of": data}
	return d.Put(background, key, bytes.NewReader(body), attrs)
}

func expect(t *testing.T, d *store.Dir, key, data string) {
	t.Helper()
	f, attrs, err := d.Get(t.Context(), key)
	if err != nil {
		t.Error(err)
		return
	}
	got, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || string(got) != data {
		t.Errorf("%s holds %q (%v), want %q", key, got, err, data)
	}
	attrs.Metadata = nil
	if diff := cmp.Diff(objecttest.Describe([]byte(data)), attrs); diff != "" {
		t.Errorf("attributes of %s (-want +got):\n%s", key, diff)
	}
}

func expectKeys(t *testing.T, d *store.Dir, want ...string) {
	t.Helper()
	var got []string
	for entry, err := range d.List(t.Context(), "", "") {
		must(t, err)
		got = append(got, entry.Key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func expectEmpty(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%s holds %v (%v), want nothing", dir, entries, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDir_IsMadeAnew: an operator empties, removes or replaces the directory, or a
// part of it, while the store is open.
func TestDir_IsMadeAnew(t *testing.T) {
	for how, change := range map[string]func(path string) error{
		"removed":  os.RemoveAll,
		"moved":    func(path string) error { return os.Rename(path, path+"-old") },
		"replaced": func(path string) error { return errors.Join(os.Rename(path, path+"-old"), os.Mkdir(path, 0o755)) },
		"staging":  func(path string) error { return os.RemoveAll(path + "/.incoming") },
		"lock":     func(path string) error { return os.Remove(path + "/.lock") },
		"a FIFO": func(path string) error {
			return errors.Join(os.RemoveAll(path+"/.incoming"), unix.Mkfifo(path+"/.incoming", 0o600), os.Remove(path+"/.lock"), unix.Mkfifo(path+"/.lock", 0o600))
		},
	} {
		t.Run(how, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			d := openDir(t, path, mine)
			must(t, put(d, "logs/a", "before"))
			must(t, change(path))
			must(t, put(d, "logs/b", "after"))
			expect(t, d, "logs/b", "after")
			got, err := os.ReadFile(path + "/logs/b")
			if string(got) != "after" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestDir_AFIFOIsNoObject: neither as an object nor as its attributes.
func TestDir_AFIFOIsNoObject(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, mine)
	must(t, put(d, "a", "data"))
	must(t, os.Remove(path+"/.a.attributes"))
	must(t, unix.Mkfifo(path+"/.a.attributes", 0o600))
	must(t, unix.Mkfifo(path+"/b", 0o600))
	expectKeys(t, d, "a")
	f, _, err := d.Get(t.Context(), "a")
	must(t, err)
	f.Close()
	if _, _, err := d.Get(t.Context(), "b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}
