// Package durable holds every primitive that makes a change on disk survive a
// crash. Each function lists the system calls it makes, in order; a caller can
// read off what a crash between two of them leaves behind.
//
// All paths are relative to a [Root], so nothing here follows a symbolic
// link out of the tree that the root opened.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// tempSuffix ends the hidden name under which WriteFile collects its bytes.
const tempSuffix = ".tmp"

// WriteFile replaces or creates the file name with data, atomically: a reader,
// and whoever looks after a crash, sees the old bytes or the new ones.
//
//	[unlinkat(".name.tmp")] openat(".name.tmp", O_CREAT|O_EXCL) write fsync close
//	renameat(".name.tmp", "name")
//	fsync(directory)
//
// A crash before the rename leaves ".name.tmp", which IsTemp recognises and
// the next WriteFile of the same name removes. What is not a file and has one of
// the two names is replaced, or moved away if it is a directory.
func WriteFile(root Root, name string, data []byte, perm os.FileMode) error {
	dir, base := path.Split(name)
	temp := path.Join(dir, "."+strings.TrimPrefix(base, ".")+tempSuffix)
	var f *os.File
	err := Do("create", temp, func() (err error) {
		f, err = createTemp(root, temp, perm)
		return err
	})
	if err == nil {
		err = Do("write", temp, func() error { _, err := f.Write(data); return err })
	}
	if err == nil {
		err = Sync(f, temp)
	}
	if f != nil {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, Unlink(root, temp))
		}
	}
	if err != nil {
		return err
	}
	err = Rename(root, temp, name)
	if named, statErr := root.Lstat(name); err != nil && statErr == nil && named.IsDir() {
		// Somebody has put a directory there, which no rename replaces.
		if _, err = Displace(root, name); err == nil {
			err = Rename(root, temp, name)
		}
	}
	if err != nil {
		if gone := Unlink(root, temp); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// createTemp makes a new file. What a crash, or somebody else, has left under its
// name goes: opening it could wait for ever, if it is a FIFO.
func createTemp(root Root, temp string, perm os.FileMode) (*os.File, error) {
	const flag = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := root.OpenFile(temp, flag, perm)
	if !errors.Is(err, os.ErrExist) {
		return f, err
	}
	if err := root.Remove(temp); err != nil {
		if _, err := Displace(root, temp); err != nil { // a directory with something in it
			return nil, err
		}
	}
	return root.OpenFile(temp, flag, perm)
}

// IsTemp reports whether base is a name under which WriteFile left an
// unfinished file behind. It may be removed when no WriteFile is under way.
func IsTemp(base string) bool {
	return strings.HasPrefix(base, ".") && strings.HasSuffix(base, tempSuffix)
}

// Rename moves a file to a new name and makes the move durable.
//
//	renameat(from, to) fsync(directory of to) [fsync(directory of from)]
//
// An error after the rename itself means "done, but perhaps not durable".
func Rename(root Root, from, to string) error {
	if err := Do("rename", to, func() error { return root.Rename(from, to) }); err != nil {
		return err
	}
	if err := SyncDir(root, path.Dir(to)); err != nil {
		return err
	}
	if path.Dir(from) != path.Dir(to) {
		return SyncDir(root, path.Dir(from))
	}
	return nil
}

// Remove unlinks a file or an empty directory and makes that durable.
//
//	unlinkat(name) fsync(directory)
func Remove(root Root, name string) error {
	if err := Unlink(root, name); err != nil {
		return err
	}
	return SyncDir(root, path.Dir(name))
}

// Unlink unlinks a file or an empty directory. A power cut may bring it back:
// for names whose return does no harm.
//
//	unlinkat(name)
func Unlink(root Root, name string) error {
	return Do("remove", name, func() error { return root.Remove(name) })
}

// Sync makes the bytes of an open file durable; name is the file's.
//
//	fsync(f)
func Sync(f *os.File, name string) error {
	return Do("fsync", name, f.Sync)
}

// MkdirAll makes a directory, and its parents, where they are missing. Each
// new directory's entry is durable when it returns.
//
//	mkdirat(d) fsync(parent)   for each d that is missing
func MkdirAll(root Root, name string, perm os.FileMode) error {
	made := ""
	for part := range strings.SplitSeq(path.Clean(name), "/") {
		made = path.Join(made, part)
		err := Do("mkdir", made, func() error { return root.Mkdir(made, perm) })
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := SyncDir(root, path.Dir(made)); err != nil {
			return err
		}
	}
	return nil
}

// SyncDir makes the entries of a directory durable.
//
//	openat(dir, O_DIRECTORY) fsync close
func SyncDir(root Root, dir string) error {
	return Do("fsync directory", dir, func() error {
		f, err := root.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// ErrLocked: another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock takes the directory root, and the file name in it, as a lock for this
// process; closing what it returns releases both, and so does the end of the
// process. ErrLocked if another process holds one of them.
//
// The directory is what counts: nobody can remove it while it is this process's
// and put another one at its place in which the same files are. The file keeps
// earlier versions away, which lock nothing else. A file system that cannot lock
// a directory has the file alone.
//
//	openat(".") flock(LOCK_EX|LOCK_NB)
//	openat(name, O_CREAT) flock(LOCK_EX|LOCK_NB)
func Lock(root Root, name string) (*Held, error) {
	h := &Held{root: root, name: name}
	dir, err := root.OpenFile(".", os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	h.dir = dir
	err = flock(dir)
	if errors.Is(err, unix.EBADF) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOLCK) ||
		errors.Is(err, unix.EINVAL) {
		err = nil // as on NFS
	}
	if err == nil {
		err = h.lockFile()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), h.Close())
	}
	return h, nil
}

// Held is a lock that this process holds. It belongs to one goroutine at a time.
type Held struct {
	root      Root
	name      string
	dir, file *os.File
}

func (h *Held) lockFile() error {
	f, err := OpenRegular(h.root, h.name, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, ErrNotRegular) {
		if _, err = Displace(h.root, h.name); err == nil {
			f, err = OpenRegular(h.root, h.name, os.O_RDWR|os.O_CREATE, 0o600)
		}
	}
	if err != nil {
		return err
	}
	if err := flock(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if h.file != nil {
		h.file.Close() // it has no name any more
	}
	h.file = f
	return nil
}

// Keep makes the lock's file anew if somebody has removed or replaced it. It
// reports whether that was necessary.
func (h *Held) Keep() (bool, error) {
	named, err := h.root.Lstat(h.name)
	if err == nil {
		if is, err := h.file.Stat(); err == nil && os.SameFile(is, named) {
			return false, nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return true, h.lockFile()
}

// Close releases the lock.
func (h *Held) Close() error {
	var errs []error
	for _, f := range []*os.File{h.file, h.dir} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func flock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}
