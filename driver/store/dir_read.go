package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// Get opens an object as [Store] says. What is read is the file itself.
func (d *Dir) Get(ctx context.Context, key string) (io.ReadCloser, Attributes, error) {
	f, attrs, err := d.get(ctx, key)
	if err != nil {
		return nil, Attributes{}, fmt.Errorf("get %s from %s: %w", key, d.path, refusal(err))
	}
	return f, attrs, nil
}

// Head returns an object's attributes. ErrNotFound where there is none.
func (d *Dir) Head(ctx context.Context, key string) (Attributes, error) {
	body, attrs, err := d.Get(ctx, key)
	if err != nil {
		return Attributes{}, err
	}
	return attrs, body.Close()
}

func (d *Dir) get(ctx context.Context, key string) (*os.File, Attributes, error) {
	if err := ctx.Err(); err != nil {
		return nil, Attributes{}, err
	}
	if checkDirKey(key) != nil {
		return nil, Attributes{}, ErrNotFound
	}
	end, err := d.begin()
	if err != nil {
		return nil, Attributes{}, err
	}
	defer end()
	f, attrs, err := d.openObject(key)
	if errors.Is(err, errInTheWay) {
		err = ErrNotFound
	}
	return f, attrs, err
}

// openObject opens a plain file below plain directories: ErrNotFound where
// something is missing on the way, errInTheWay where it is something else.
// os.Root keeps out of reach what is outside; it would follow links inside.
func (d *Dir) openObject(key string) (*os.File, Attributes, error) {
	for i, c := range key + "/" {
		if c != '/' {
			continue
		}
		info, err := d.root.Lstat(key[:i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, Attributes{}, ErrNotFound
		case err != nil:
			return nil, Attributes{}, err
		case i < len(key) && !info.IsDir() || i == len(key) && !info.Mode().IsRegular():
			return nil, Attributes{}, fmt.Errorf("%s %w", key[:i], errInTheWay)
		}
	}
	f, err := durable.OpenRegular(d.root, key, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Attributes{}, ErrNotFound
	}
	if err != nil {
		return nil, Attributes{}, err
	}
	attrs, err := d.readAttributes(key, f)
	if err != nil {
		return nil, Attributes{}, errors.Join(err, f.Close())
	}
	return f, attrs, nil
}

// List lists objects as [Store] says. Its memory is one directory's names at
// each level of the tree.
func (d *Dir) List(ctx context.Context, prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := listing{d: d, ctx: ctx, prefix: prefix, after: after, yield: yield}
		if err := l.walk(""); err != nil && !errors.Is(err, errEnough) {
			yield(Entry{}, fmt.Errorf("list %s in %s: %w", prefix, d.path, refusal(err)))
		}
	}
}

// errEnough: who ranges over the listing has left the loop.
var errEnough = errors.New("enough")

type listing struct {
	d             *Dir
	ctx           context.Context
	prefix, after string
	yield         func(Entry, error) bool
}

// walk yields the objects in the directory dir, which is "" or ends in "/".
func (l *listing) walk(dir string) error {
	names, err := l.names(dir)
	if errors.Is(err, fs.ErrNotExist) && dir != "" {
		return nil // somebody has just deleted it
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		key := dir + name
		if strings.HasSuffix(key, "/") {
			// All keys below begin with key: either none can match, or
			// some may.
			if !strings.HasPrefix(key, l.prefix) && !strings.HasPrefix(l.prefix, key) ||
				key < l.after && !strings.HasPrefix(l.after, key) {
				continue
			}
			err = l.walk(key)
		} else if strings.HasPrefix(key, l.prefix) && key > l.after {
			err = l.object(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// names reads a directory: its files and, with a "/" behind them, directories,
// in the order of the keys they lead to. The slash has to be there for that:
// "a-b" sorts before "a/b", though the directory "a" before the file "a-b".
func (l *listing) names(dir string) ([]string, error) {
	end, err := l.d.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	f, err := l.d.root.OpenFile(path.Clean(dir), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case checkDirKey(name) != nil:
		case entry.IsDir():
			names = append(names, name+"/")
		case entry.Type().IsRegular():
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (l *listing) object(key string) error {
	entry, err := l.entry(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody has just deleted it
	}
	if err != nil {
		return err
	}
	if !l.yield(entry, nil) {
		return errEnough
	}
	return nil
}

func (l *listing) entry(key string) (Entry, error) {
	end, err := l.d.begin()
	if err != nil {
		return Entry{}, err
	}
	defer end()
	info, err := l.d.root.Lstat(key)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{Key: key, Size: info.Size(), Modified: info.ModTime()}
	// The object may be a file that was written long ago and linked; its
	// attributes were written when the store took it.
	if side, err := l.d.root.Lstat(attributesName(key)); err == nil {
		entry.Modified = side.ModTime()
	}
	return entry, nil
}

// Delete removes an object as [Deleter] says.
//
//	flock(".lock")
//	unlinkat("key") unlinkat(".key.attributes") fsync(directory)
//
// Killed between the two it leaves attributes that the next Put replaces. The
// directories stay.
func (d *Dir) Delete(ctx context.Context, key string) error {
	if err := d.remove(ctx, key); err != nil {
		return fmt.Errorf("delete %s from %s: %w", key, d.path, refusal(err))
	}
	return nil
}

func (d *Dir) remove(ctx context.Context, key string) (err error) {
	if err := cmp.Or(checkDirKey(key), ctx.Err()); err != nil {
		return err
	}
	end, err := d.begin()
	if err != nil {
		return err
	}
	defer end()
	f, _, err := d.openObject(key)
	if errors.Is(err, ErrNotFound) || errors.Is(err, errInTheWay) {
		return nil
	}
	if err != nil {
		return err
	}
	f.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := flock(d.lock, unix.LOCK_EX); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flock(d.lock, unix.LOCK_UN)) }()
	for _, name := range []string{key, attributesName(key)} {
		if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return durable.SyncDir(d.root, path.Dir(key))
}
