package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// sideFile is the JSON in which a [Dir] keeps [Attributes].
type sideFile struct {
	Size        int64             `json:"size"`
	SHA256      string            `json:"sha256"` // hexadecimal
	ContentType string            `json:"content_type"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// stageBody brings body under a name in .incoming, durable but for the name,
// and returns the name.
func (d *Dir) stageBody(ctx context.Context, body io.ReadSeeker, attrs Attributes) (string, error) {
	if f, ok := body.(*os.File); ok {
		if name, ok, err := d.adopt(f, attrs.Size); ok || err != nil {
			return name, err
		}
	}
	return d.stage(func(w io.Writer) error {
		digest := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, digest), contextReader{ctx, io.LimitReader(body, attrs.Size)})
		switch {
		case err != nil:
			return err
		case n < attrs.Size:
			return fmt.Errorf("%w: the body has %d bytes, its attributes say %d", io.ErrUnexpectedEOF, n, attrs.Size)
		case [32]byte(digest.Sum(nil)) != attrs.SHA256:
			return fmt.Errorf("the body's SHA-256 is %x, its attributes say %x", digest.Sum(nil), attrs.SHA256)
		}
		return nil
	})
}

// adopt stages f itself, by another name, and says whether it could. It leaves
// alone what would have to be changed: the inode is the caller's too.
//
//	fsync(f) linkat("/proc/self/fd/f", ".incoming/x", AT_SYMLINK_FOLLOW)
func (d *Dir) adopt(f *os.File, size int64) (name string, ok bool, err error) {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", false, err
	}
	info, err := f.Stat()
	if err != nil {
		return "", false, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if at != 0 || info.Mode() != d.opts.FileMode || info.Size() != size ||
		d.opts.UID >= 0 && int(stat.Uid) != d.opts.UID || d.opts.GID >= 0 && int(stat.Gid) != d.opts.GID {
		return "", false, nil
	}
	if err := f.Sync(); err != nil {
		return "", false, err
	}
	name = rand.Text()
	err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()),
		int(d.incoming.Fd()), name, unix.AT_SYMLINK_FOLLOW)
	// Whatever hinders the link (another file system, another owner under
	// fs.protected_hardlinks, no /proc) does not hinder a copy.
	return path.Join(incomingName, name), err == nil, nil
}

func (d *Dir) stageAttributes(attrs Attributes) (string, error) {
	return d.stage(func(w io.Writer) error {
		return json.NewEncoder(w).Encode(sideFile{
			Size:        attrs.Size,
			SHA256:      hex.EncodeToString(attrs.SHA256[:]),
			ContentType: attrs.ContentType,
			Metadata:    attrs.Metadata,
		})
	})
}

// stage makes a file in .incoming, lets write fill it, and returns its name.
// The file's bytes, mode and owner are durable; its name is not.
func (d *Dir) stage(write func(io.Writer) error) (string, error) {
	name := path.Join(incomingName, rand.Text())
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(d.opts.FileMode) // while it is ours: another's would take CAP_FOWNER
	}
	if err == nil {
		err = f.Chown(d.opts.UID, d.opts.GID)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, d.root.Remove(name))
	}
	return name, nil
}

// unstage removes what was staged. Where it cannot, a sweep does.
func (d *Dir) unstage(name string) { _ = d.root.Remove(name) }

// sweep empties .incoming.
func (d *Dir) sweep() error {
	names, err := d.incoming.Readdirnames(-1)
	for _, name := range names {
		err = errors.Join(err, d.root.Remove(path.Join(incomingName, name)))
	}
	return err
}

// makeDirs makes the directories of a key where they are missing. syncUp makes
// them durable.
func (d *Dir) makeDirs(dir string) error {
	made := ""
	for part := range strings.SplitSeq(dir, "/") {
		made = path.Join(made, part)
		err := d.root.Mkdir(made, d.opts.DirMode)
		if errors.Is(err, fs.ErrExist) {
			continue // openObject has seen that it is no symbolic link
		}
		if err != nil {
			return err
		}
		// Window: a crash right here leaves the directory with the mode
		// that the umask gives it and the process's owner: stricter, not
		// laxer.
		if err := d.root.Chmod(made, d.opts.DirMode); err != nil {
			return err
		}
		if err := d.root.Chown(made, d.opts.UID, d.opts.GID); err != nil {
			return err
		}
	}
	return nil
}

// makeTop makes the store's directory, and those above it, where they are
// missing, durably.
//
//	mkdir chmod chown fsync(directory above)
func (d *Dir) makeTop(dir string) error {
	above := filepath.Dir(dir)
	err := os.Mkdir(dir, d.opts.DirMode)
	if errors.Is(err, fs.ErrNotExist) && above != dir {
		if err := d.makeTop(above); err != nil {
			return err
		}
		err = os.Mkdir(dir, d.opts.DirMode)
	}
	if errors.Is(err, fs.ErrExist) {
		// Window: an earlier life made it and died before the fsync. Who
		// may not read the directory above has not made it either.
		if err := syncTop(above); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, d.opts.DirMode); err != nil {
		return err
	}
	if err := os.Chown(dir, d.opts.UID, d.opts.GID); err != nil {
		return err
	}
	return syncTop(above)
}

func syncTop(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(durable.SyncDir(root, "."), root.Close())
}

// readAttributes reads the side file of the object f. Where somebody has put
// the object there by hand and it has none, or another object's, the
// attributes are its size alone.
func (d *Dir) readAttributes(key string, f *os.File) (Attributes, error) {
	info, err := f.Stat()
	if err != nil {
		return Attributes{}, err
	}
	bare := Attributes{Size: info.Size()}
	data, err := durable.ReadFile(d.root, attributesName(key))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotRegular) {
		return bare, nil
	}
	if err != nil {
		return Attributes{}, err
	}
	if attrs, ok := parseAttributes(data); ok && attrs.Size == info.Size() {
		return attrs, nil
	}
	return bare, nil
}

func parseAttributes(data []byte) (Attributes, bool) {
	var side sideFile
	if json.Unmarshal(data, &side) != nil {
		return Attributes{}, false
	}
	digest, err := hex.DecodeString(side.SHA256)
	if err != nil || len(digest) != sha256.Size {
		return Attributes{}, false
	}
	return Attributes{
		Size:        side.Size,
		SHA256:      [32]byte(digest),
		ContentType: side.ContentType,
		Metadata:    side.Metadata,
	}, true
}

// contextReader reads until its context is over.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// flock waits for the lock how on f, or gives it up.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("flock "+f.Name(), err)
		}
	}
}
