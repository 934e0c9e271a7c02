package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Root is a directory below which this package works: an [os.Root], or a
// [Lasting] directory. Its methods are those of os.Root.
type Root interface {
	Open(name string) (*os.File, error)
	OpenFile(name string, flag int, perm os.FileMode) (*os.File, error)
	OpenRoot(name string) (*os.Root, error)
	Mkdir(name string, perm os.FileMode) error
	Rename(from, to string) error
	Remove(name string) error
	Lstat(name string) (os.FileInfo, error)
	Chmod(name string, mode os.FileMode) error
	Lchown(name string, uid, gid int) error
	Chtimes(name string, atime, mtime time.Time) error
	Close() error
}

// ErrNotRegular means that a name belongs to something that is not a regular
// file: a FIFO, a device, a directory or a symbolic link.
var ErrNotRegular = errors.New("it is not a regular file; move it away")

// OpenRegular opens a regular file for what flag says. With os.O_CREATE it makes
// the file if there is none. It never waits, as opening a FIFO would, and follows
// no symbolic link at the end of the name: ErrNotRegular for these.
func OpenRegular(root Root, name string, flag int, perm os.FileMode) (*os.File, error) {
	for range 3 {
		named, err := root.Lstat(name)
		switch {
		case errors.Is(err, os.ErrNotExist) && flag&os.O_CREATE != 0:
			f, err := root.OpenFile(name, flag|os.O_EXCL, perm)
			if errors.Is(err, os.ErrExist) && flag&os.O_EXCL == 0 {
				continue // another process has made it meanwhile
			}
			return f, err
		case err != nil:
			return nil, err
		case !named.Mode().IsRegular():
			return nil, fmt.Errorf("open %s: %w", name, ErrNotRegular)
		}
		if flag&os.O_EXCL != 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrExist}
		}
		f, err := root.OpenFile(name, flag&^(os.O_CREATE|os.O_TRUNC)|unix.O_NONBLOCK, 0)
		if err != nil {
			if _, gone := root.Lstat(name); errors.Is(gone, os.ErrNotExist) || errors.Is(err, unix.ENXIO) {
				continue
			}
			return nil, err
		}
		is, err := f.Stat()
		if err == nil && !os.SameFile(is, named) {
			f.Close() // the name was replaced meanwhile; nothing was read or written
			continue
		}
		if err == nil && flag&os.O_TRUNC != 0 {
			err = f.Truncate(0)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
}

// ReadFile reads a regular file; see [OpenRegular].
func ReadFile(root Root, name string) ([]byte, error) {
	f, err := OpenRegular(root, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

// Displace moves away what has a name that this process needs, and returns the
// name that it has now. It removes nothing. An empty result without an error
// says that nothing had the name.
//
//	renameat(name, "name.replaced-<time>")
func Displace(root Root, name string) (string, error) {
	aside := path.Clean(name) + ".replaced-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	err := Do("rename", aside, func() error { return root.Rename(name, aside) })
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("move %s away: %w", name, err)
	}
	return aside, nil
}

// Lasting is a directory below another one. If somebody removes it, moves it away
// or puts something else in its place, its next use makes it anew, so that no
// process writes into a directory that nobody can find. Its methods may be
// called from several goroutines.
type Lasting struct {
	above Root
	name  string
	perm  os.FileMode

	mu   sync.Mutex // owns what follows; is held while the directory is looked at or made
	root *os.Root
	made int
}

// OpenLasting opens the directory name, and makes it if it is missing. What else
// has that name is moved away. The directory above stays the caller's.
func OpenLasting(above Root, name string, perm os.FileMode) (*Lasting, error) {
	l := &Lasting{above: above, name: name, perm: perm}
	if _, err := l.current(); err != nil {
		return nil, err
	}
	return l, nil
}

// current returns the directory that has the name now.
//
//	fstatat(name) fstat                     each time
//	[renameat] mkdirat fsync(above) openat  if it is not the one that is open
//
// A process that is killed between these steps makes the rest at its next start.
func (l *Lasting) current() (*os.Root, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	named, err := l.above.Lstat(l.name)
	if err == nil && l.root != nil {
		if open, err := l.root.Stat("."); err == nil && os.SameFile(open, named) {
			return l.root, nil
		}
	}
	if err == nil && !named.IsDir() {
		if _, err := Displace(l.above, l.name); err != nil {
			return nil, err
		}
		err = os.ErrNotExist
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := MkdirAll(l.above, l.name, l.perm); err != nil {
		return nil, err
	}
	root, err := l.above.OpenRoot(l.name)
	if err != nil {
		return nil, err
	}
	// Another goroutine may still use the old one: it is closed once none does.
	l.root = root
	l.made++
	return root, nil
}

// Made returns how often the directory was opened. It grows when the directory
// was replaced; it looks for that.
func (l *Lasting) Made() (int, error) {
	_, err := l.current()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made, err
}

// Open is as os.Root's.
func (l *Lasting) Open(name string) (f *os.File, err error) {
	return f, l.do(func(r *os.Root) error { f, err = r.Open(name); return err })
}

// OpenFile is as os.Root's.
func (l *Lasting) OpenFile(name string, flag int, perm os.FileMode) (f *os.File, err error) {
	return f, l.do(func(r *os.Root) error { f, err = r.OpenFile(name, flag, perm); return err })
}

// OpenRoot is as os.Root's.
func (l *Lasting) OpenRoot(name string) (sub *os.Root, err error) {
	return sub, l.do(func(r *os.Root) error { sub, err = r.OpenRoot(name); return err })
}

// Mkdir is as os.Root's.
func (l *Lasting) Mkdir(name string, perm os.FileMode) error {
	return l.do(func(r *os.Root) error { return r.Mkdir(name, perm) })
}

// Rename is as os.Root's.
func (l *Lasting) Rename(from, to string) error {
	return l.do(func(r *os.Root) error { return r.Rename(from, to) })
}

// Remove is as os.Root's.
func (l *Lasting) Remove(name string) error {
	return l.do(func(r *os.Root) error { return r.Remove(name) })
}

// Lstat is as os.Root's.
func (l *Lasting) Lstat(name string) (fi os.FileInfo, err error) {
	return fi, l.do(func(r *os.Root) error { fi, err = r.Lstat(name); return err })
}

// Chmod is as os.Root's.
func (l *Lasting) Chmod(name string, mode os.FileMode) error {
	return l.do(func(r *os.Root) error { return r.Chmod(name, mode) })
}

// Lchown is as os.Root's.
func (l *Lasting) Lchown(name string, uid, gid int) error {
	return l.do(func(r *os.Root) error { return r.Lchown(name, uid, gid) })
}

// Chtimes is as os.Root's.
func (l *Lasting) Chtimes(name string, atime, mtime time.Time) error {
	return l.do(func(r *os.Root) error { return r.Chtimes(name, atime, mtime) })
}

func (l *Lasting) do(f func(*os.Root) error) error {
	root, err := l.current()
	if err != nil {
		return err
	}
	return f(root)
}

// Close closes the directory. No other method may follow.
func (l *Lasting) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.root == nil {
		return nil
	}
	return l.root.Close()
}
