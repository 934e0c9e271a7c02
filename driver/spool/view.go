package spool

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
)

// View is a spool as somebody sees it who does not own it: another process
// may be writing there. It changes nothing and locks nothing.
type View struct{ spool *Spool }

// OpenView opens the spool in a directory for reading.
func OpenView(dir string) (*View, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	v := &View{&Spool{root: root, writers: map[string]*Writer{}, held: map[string]bool{}}}
	if _, err := v.spool.readDir("."); err != nil {
		return nil, errors.Join(fmt.Errorf("open the spool: %w", err), root.Close())
	}
	return v, nil
}

// Close ends the view. Files that were opened stay open.
func (v *View) Close() error { return v.spool.root.Close() }

// Dirs returns the containers' directories, sorted.
func (v *View) Dirs() ([]string, error) {
	var dirs []string
	err := v.spool.dirs(func(dir string, _ []os.DirEntry) error {
		dirs = append(dirs, dir)
		return nil
	})
	slices.Sort(dirs)
	return dirs, err
}

// Segments is as the Spool's: here the active segment, if there is one, is the
// last and in the state Active. Its number is a guess.
func (v *View) Segments(dir string) ([]Segment, error) { return v.spool.Segments(dir) }

// Open is as the Spool's OpenForReading.
func (v *View) Open(seg Segment) (*os.File, State, error) { return v.spool.OpenForReading(seg) }

// OpenText is as the Spool's.
func (v *View) OpenText(seg Segment, m *Meta) (*Text, error) { return v.spool.OpenText(seg, m) }

// Look is as the Spool's.
func (v *View) Look(seg Segment) (*Meta, error) { return v.spool.Look(seg) }

// Uploaded reports whether the segment is in the store, as its name says.
func (v *View) Uploaded(seg Segment) bool {
	_, err := v.spool.root.Lstat(path.Join(seg.Dir, seg.Name.in(Uploaded).String()))
	return seg.Name.State != Active && err == nil
}

// Hidden returns the names and sizes of the regular files in one of the spool's
// own directories, such as ".incidents". There are none if it does not exist.
func (v *View) Hidden(dir string) (map[string]int64, error) {
	entries, err := v.spool.readDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := map[string]int64{}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		fi, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // its name changed, or it was removed
		}
		if err != nil {
			return nil, err
		}
		files[e.Name()] = fi.Size()
	}
	return files, nil
}

// OpenHidden opens a file of Hidden for reading, by its path below the spool.
func (v *View) OpenHidden(name string) (*os.File, error) { return v.spool.openRegular(name) }
