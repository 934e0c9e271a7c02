package store

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
)

// DirView reads the objects of a [Dir] that somebody else may be writing to. It
// makes nothing in the directory, and takes no lock.
type DirView struct{ dir Dir }

// OpenDirView opens the store in an existing directory for reading.
func OpenDirView(path string) (*DirView, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the directory store: %w", refusal(err))
	}
	return &DirView{dir: Dir{path: path, view: true, root: root}}, nil
}

// Close ends the view.
func (v *DirView) Close() error { return v.dir.root.Close() }

// Get is as the Dir's. The body is an *os.File.
func (v *DirView) Get(ctx context.Context, key string) (io.ReadCloser, Attributes, error) {
	return v.dir.Get(ctx, key)
}

// Head returns an object's attributes. ErrNotFound where there is none.
func (v *DirView) Head(ctx context.Context, key string) (Attributes, error) {
	return v.dir.Head(ctx, key)
}

// List is as the Dir's.
func (v *DirView) List(ctx context.Context, prefix, after string) iter.Seq2[Entry, error] {
	return v.dir.List(ctx, prefix, after)
}
