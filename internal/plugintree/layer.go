package plugintree

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// pack writes the directory as a compressed tar and returns the tar's digest.
func pack(to io.Writer, dir string) (digest string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // nothing is written by it
	packed := gzip.NewWriter(to)
	content := newDigester(packed)
	w := tar.NewWriter(content)
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return add(w, root, path, d)
	})
	err = errors.Join(err, w.Close(), packed.Close())
	return content.String(), err
}

// add writes one file or directory to the tar, as root's and of 1970.
func add(w *tar.Writer, root *os.Root, path string, d fs.DirEntry) error {
	fi, err := d.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: path, Mode: int64(fi.Mode().Perm()), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	switch {
	case fi.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, path+"/"
		return w.WriteHeader(h)
	case !fi.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file nor a directory", path)
	}
	h.Typeflag, h.Size = tar.TypeReg, fi.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
