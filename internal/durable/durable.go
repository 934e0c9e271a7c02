// Package durable holds every primitive that makes a change on disk survive a
// crash. Each function lists the system calls it makes, in order; a caller can
// read off what a crash between two of them leaves behind.
//
// All paths are relative to an [os.Root], so nothing here follows a symbolic
// link out of the tree that the root opened.
package durable

import (
	"errors"
	"fmt"
	"io"
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
//	openat(".name.tmp", O_CREAT|O_TRUNC) write fsync close
//	renameat(".name.tmp", "name")
//	fsync(directory)
//
// A crash before the rename leaves ".name.tmp", which IsTemp recognises and
// the next WriteFile of the same name overwrites.
func WriteFile(root *os.Root, name string, data []byte, perm os.FileMode) error {
	dir, base := path.Split(name)
	temp := path.Join(dir, "."+strings.TrimPrefix(base, ".")+tempSuffix)
	var f *os.File
	err := Do("create", temp, func() (err error) {
		f, err = root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
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
	if err != nil {
		if gone := Unlink(root, temp); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
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
func Rename(root *os.Root, from, to string) error {
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
func Remove(root *os.Root, name string) error {
	if err := Unlink(root, name); err != nil {
		return err
	}
	return SyncDir(root, path.Dir(name))
}

// Unlink unlinks a file or an empty directory. A power cut may bring it back:
// for names whose return does no harm.
//
//	unlinkat(name)
func Unlink(root *os.Root, name string) error {
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
func MkdirAll(root *os.Root, name string, perm os.FileMode) error {
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
func SyncDir(root *os.Root, dir string) error {
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

// Lock takes the file name as a lock for this process; closing what it returns
// gives it up, and so does the end of the process. ErrLocked where another
// process holds it.
//
//	openat(name, O_CREAT) flock(LOCK_EX|LOCK_NB)
func Lock(root *os.Root, name string) (io.Closer, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
	}
	return f, nil
}
