package store_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
)

var (
	background = context.Background()
	errPower   = errors.New("power cut")
)

// putSteps are the steps after which Put may die, as it names them, with
// whether the object is there by then.
var putSteps = []struct {
	name    string
	visible bool
}{
	{"stage the body", false},
	{"stage the attributes", false},
	{"rename the attributes", false},
	{"sync the attributes", false},
	{"link the object", true},
	{"sync", true},
}

func TestDirPutSteps(t *testing.T) {
	d := openDir(t, t.TempDir(), mine)
	var got []string
	d.FailAfter(func(done string) error {
		got = append(got, done)
		return nil
	})
	must(t, put(d, "a/b/key", "data"))
	var want []string
	for _, step := range putSteps {
		want = append(want, step.name)
	}
	// The second time finds the object, and cannot know that it is durable.
	must(t, put(d, "a/b/key", "data"))
	if diff := cmp.Diff(append(want, "sync"), got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// Whatever step a Put dies after, the object is there whole or not at all, and
// whoever puts next succeeds: the same bytes always, others where it is not.
func TestDirPutDiesAfterEachStep(t *testing.T) {
	for _, step := range putSteps {
		for _, next := range []string{"the same", "another"} {
			t.Run(step.name+" then "+next, func(t *testing.T) {
				path := t.TempDir()
				dying := openDir(t, path, mine)
				dying.FailAfter(func(done string) error {
					if done == step.name {
						return errPower
					}
					return nil
				})
				if err := put(dying, "a/b/key", "the same"); !errors.Is(err, errPower) {
					t.Fatalf("put: %v, want the power cut", err)
				}

				d := openDir(t, path, mine)
				if step.visible {
					expect(t, d, "a/b/key", "the same")
					expectKeys(t, d, "a/b/key")
				} else {
					if _, _, err := d.Get(t.Context(), "a/b/key"); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("get: %v, want ErrNotFound", err)
					}
					expectKeys(t, d)
				}
				err := put(d, "a/b/key", next)
				if step.visible && next == "another" {
					if !errors.Is(err, store.ErrExists) {
						t.Errorf("put of another: %v, want ErrExists", err)
					}
					next = "the same"
				} else {
					must(t, err)
				}
				expect(t, d, "a/b/key", next)
				expectKeys(t, d, "a/b/key")
				expectEmpty(t, path+"/.incoming")
			})
		}
	}
}

// A process that dies cleans nothing up. What it staged goes when the store is
// opened by one process alone, and not under the hands of another.
func TestDirSweepsWhatTheDeadStaged(t *testing.T) {
	path := t.TempDir()
	first := openDir(t, path, mine)
	must(t, os.WriteFile(path+"/.incoming/left", []byte("half an obj"), 0o600))
	openDir(t, path, mine)
	if _, err := os.Lstat(path + "/.incoming/left"); err != nil {
		t.Errorf("swept while another has the store open: %v", err)
	}

	path = t.TempDir()
	d, err := store.OpenDir(path, mine)
	must(t, err)
	must(t, d.Close())
	must(t, os.WriteFile(path+"/.incoming/left", []byte("half an obj"), 0o600))
	d = openDir(t, path, mine)
	expectEmpty(t, path+"/.incoming")
	expectKeys(t, d)
	expectKeys(t, first)
}

// Somebody who knows nothing of the lock puts a file under the key, of the
// same size, between the look and the link.
func TestDirNeverOverwritesAStranger(t *testing.T) {
	for stranger, want := range map[string]error{"atad": store.ErrExists, "data": nil} {
		path := t.TempDir()
		d := openDir(t, path, mine)
		d.FailAfter(func(done string) error {
			if done == "sync the attributes" {
				return os.WriteFile(path+"/key", []byte(stranger), 0o644)
			}
			return nil
		})
		if err := put(d, "key", "data"); !errors.Is(err, want) {
			t.Errorf("put over %q: %v, want %v", stranger, err, want)
		}
		f, attrs, err := d.Get(t.Context(), "key")
		must(t, err)
		must(t, f.Close())
		if diff := cmp.Diff(store.Attributes{Size: 4}, attrs); diff != "" {
			t.Errorf("the stranger's attributes (-want +got):\n%s", diff)
		}
		if got, err := os.ReadFile(path + "/key"); err != nil || string(got) != stranger {
			t.Errorf("the stranger's file holds %q (%v), want %q", got, err, stranger)
		}
		expectEmpty(t, path+"/.incoming")
	}
}

// The link body is staged like a copy, and dies like one.
func TestDirLinkDies(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/segment", []byte("data"), 0o640))
	must(t, os.Chmod(dir+"/segment", 0o640))
	f, err := os.Open(dir + "/segment")
	must(t, err)
	defer f.Close()
	d := openDir(t, dir+"/store", mine)
	for _, step := range putSteps[:4] {
		d.FailAfter(func(done string) error {
			if done == step.name {
				return errPower
			}
			return nil
		})
		if err := d.Put(background, "key", f, objecttest.Describe([]byte("data"))); !errors.Is(err, errPower) {
			t.Errorf("put: %v, want the power cut", err)
		}
		expectKeys(t, d)
		expectEmpty(t, dir+"/store/.incoming")
		if got, err := os.ReadFile(dir + "/segment"); err != nil || string(got) != "data" {
			t.Errorf("the body's file holds %q (%v), want it as it was", got, err)
		}
	}
	d.FailAfter(nil)
	must(t, d.Put(background, "key", f, objecttest.Describe([]byte("data"))))
	expect(t, d, "key", "data")
}

// Nobody else may place an object while the attributes are there and the object
// is not: its attributes would take their place.
func TestDirPlacesOneAtATime(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path, mine)
	other, err := os.OpenFile(path+"/.lock", os.O_RDWR, 0)
	must(t, err)
	defer other.Close()
	free := map[string]bool{}
	d.FailAfter(func(done string) error {
		if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			free[done] = true
			return unix.Flock(int(other.Fd()), unix.LOCK_UN)
		}
		return nil
	})
	must(t, put(d, "key", "data"))
	want := map[string]bool{"stage the body": true, "stage the attributes": true, "sync": true}
	if diff := cmp.Diff(want, free); diff != "" {
		t.Errorf("the lock is free after these steps (-want +got):\n%s", diff)
	}
}
