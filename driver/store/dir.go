package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// Dir is a [Store] in a directory: the object with the key "logs/web-1/a.gz" is
// the file logs/web-1/a.gz, to be read, copied and deleted with any tool. Beside
// it, .a.gz.attributes holds its [Attributes] as JSON. The store's own files
// are in .incoming and .lock at the top.
//
// Names that begin with a dot are never objects: no segment of a key may. A
// segment has at most 243 bytes, and a key cannot go on where another key ends
// ("a/b" beside "a"). Symbolic links are not followed, neither out of the
// directory nor inside it. The directory is one file system that has hard
// links. Several processes may use it at once.
type Dir struct {
	path string
	opts DirOptions
	view bool // makes nothing, and has nothing but root

	use      sync.RWMutex // held by each call while it uses what follows, and to replace it
	root     *os.Root
	incoming *os.File   // .incoming; a shared flock on it says that somebody may be staging there
	mu       sync.Mutex // held around lock's flock, which parts processes but not goroutines
	lock     *os.File   // .lock; flocked while one object takes its place

	step func(done string) error // nil but in tests: fails Put after the step named
}

// DirOptions says what a [Dir] makes its files and directories like.
type DirOptions struct {
	DirMode  fs.FileMode // permissions of new directories; 0 means 0750
	FileMode fs.FileMode // permissions of new files; 0 means 0640
	UID, GID int         // who owns what is new; -1 leaves it to the process. Zero is root.
}

const (
	incomingName     = ".incoming"
	lockName         = ".lock"
	attributesSuffix = ".attributes"
	maxSegment       = 255 - len(".") - len(attributesSuffix) // bytes: a file name has at most 255
)

// errInTheWay: something that is no object, and not made by a Dir, has the
// name that an object or its directory needs.
var errInTheWay = errors.New("is in the way: neither a plain file nor a directory where one belongs")

// OpenDir opens the store in the directory path, and makes the directory when
// it is missing. Close ends it. The errors are those of the operating system,
// with [ErrBlocked] where it denies access.
func OpenDir(path string, opts DirOptions) (*Dir, error) {
	d := &Dir{path: path, opts: opts}
	d.opts.DirMode = cmp.Or(opts.DirMode, 0o750)
	d.opts.FileMode = cmp.Or(opts.FileMode, 0o640)
	if err := d.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the directory store %s: %w", path, refusal(err)), d.Close())
	}
	return d, nil
}

func (d *Dir) open() (err error) {
	if err := d.makeTop(filepath.Clean(d.path)); err != nil {
		return err
	}
	if d.root, err = os.OpenRoot(d.path); err != nil {
		return err
	}
	incoming, err := d.root.Lstat(incomingName)
	if err == nil && !incoming.IsDir() {
		_, err = durable.Displace(d.root, incomingName)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.root.Mkdir(incomingName, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if d.incoming, err = d.root.OpenFile(incomingName, os.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
		return err
	}
	if d.lock, err = durable.OpenRegular(d.root, lockName, os.O_RDWR|os.O_CREATE, 0o600); errors.Is(err,
		durable.ErrNotRegular) {
		if _, err = durable.Displace(d.root, lockName); err == nil {
			d.lock, err = durable.OpenRegular(d.root, lockName, os.O_RDWR|os.O_CREATE, 0o600)
		}
	}
	if err != nil {
		return err
	}
	// Window: a process died while staging. What it left is nobody's as
	// soon as no process has the store open, and goes then.
	if unix.Flock(int(d.incoming.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		if err := d.sweep(); err != nil {
			return err
		}
	}
	return flock(d.incoming, unix.LOCK_SH)
}

// begin keeps the store's directories from being replaced until done is called.
// If somebody has removed or replaced one of them since they were opened, it opens
// the store anew, and makes what is missing: what is put from then on is where
// others look for it.
func (d *Dir) begin() (done func(), err error) {
	d.use.RLock()
	if d.view || d.inPlace() {
		return d.use.RUnlock, nil
	}
	d.use.RUnlock()
	d.use.Lock()
	if !d.inPlace() {
		err = errors.Join(d.closeAll(), d.open())
	}
	d.use.Unlock()
	if err != nil {
		return nil, fmt.Errorf("the directory was removed or replaced: %w", err)
	}
	d.use.RLock()
	return d.use.RUnlock, nil
}

// inPlace reports whether what is open still has its names.
func (d *Dir) inPlace() bool {
	if d.root == nil || d.incoming == nil || d.lock == nil {
		return false
	}
	open, err := d.root.Stat(".")
	named, namedErr := os.Stat(d.path)
	if err != nil || namedErr != nil || !os.SameFile(open, named) {
		return false
	}
	for name, f := range map[string]*os.File{incomingName: d.incoming, lockName: d.lock} {
		open, err := f.Stat()
		named, namedErr := d.root.Lstat(name)
		if err != nil || namedErr != nil || !os.SameFile(open, named) {
			return false
		}
	}
	return true
}

// Close gives up what the store holds open. No other method may be under way
// or follow.
func (d *Dir) Close() error {
	d.use.Lock()
	defer d.use.Unlock()
	return d.closeAll()
}

func (d *Dir) closeAll() error {
	var errs []error
	for _, f := range []*os.File{d.incoming, d.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	if d.root != nil {
		errs = append(errs, d.root.Close())
	}
	d.root, d.incoming, d.lock = nil, nil, nil
	return errors.Join(errs...)
}

// Put stores an object as [Store] says. A body that is an *os.File at its
// start, of the right size, mode and owner, on the same file system, is not
// copied: the object becomes a second hard link to it.
//
//	linkat(body, ".incoming/x") | openat(O_EXCL) write    and fsync
//	openat(".incoming/y", O_EXCL) write fsync             the attributes
//	flock(".lock")
//	renameat(".incoming/y", ".key.attributes") fsync(directory)
//	linkat(".incoming/x", "key")                          fails where key is taken
//	fsync(directory), fsync of each directory above it
//	unlinkat(".incoming/x")
//
// Everything before the second linkat changes nothing that Get or List see.
func (d *Dir) Put(ctx context.Context, key string, body io.ReadSeeker, attrs Attributes) error {
	if err := d.put(ctx, key, body, attrs); err != nil {
		return fmt.Errorf("put %s into %s: %w", key, d.path, refusal(err))
	}
	return nil
}

func (d *Dir) put(ctx context.Context, key string, body io.ReadSeeker, attrs Attributes) error {
	if err := cmp.Or(checkDirKey(key), attrs.Check(), ctx.Err()); err != nil {
		return err
	}
	end, err := d.begin()
	if err != nil {
		return err
	}
	defer end()
	if done, err := d.settle(key, attrs); done || err != nil {
		return err
	}
	if err := d.makeDirs(path.Dir(key)); err != nil {
		return err
	}
	content, err := d.stageBody(ctx, body, attrs)
	if err != nil {
		return err
	}
	defer d.unstage(content)
	if err := d.did("stage the body"); err != nil {
		return err
	}
	side, err := d.stageAttributes(attrs)
	if err != nil {
		return err
	}
	defer d.unstage(side) // nothing is there any more where place has moved it
	if err := d.did("stage the attributes"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = d.place(content, side, key)
	if errors.Is(err, fs.ErrExist) { // another Put was faster
		if done, err := d.settle(key, attrs); done || err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return d.syncUp(key)
}

// place makes a staged object visible under key; fs.ErrExist where the key is
// taken. Its caller makes that durable.
func (d *Dir) place(content, side, key string) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := flock(d.lock, unix.LOCK_EX); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flock(d.lock, unix.LOCK_UN)) }()

	if _, err := d.root.Lstat(key); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	// Window: attributes of an object that never came, after a crash right
	// here. They do no harm, and no other process is just placing that
	// object: the rename replaces them.
	if err := d.root.Rename(side, attributesName(key)); err != nil {
		return err
	}
	if err := d.did("rename the attributes"); err != nil {
		return err
	}
	// Window: power fails and the disk has the object's name but not the
	// attributes'. It cannot have: they are durable before it is made.
	if err := durable.SyncDir(d.root, path.Dir(key)); err != nil {
		return err
	}
	if err := d.did("sync the attributes"); err != nil {
		return err
	}
	err = d.root.Link(content, key)
	if errors.Is(err, fs.ErrExist) {
		// Somebody who asks for no lock has put a file here since Lstat.
		// It must not pass for the object that these attributes tell of.
		return errors.Join(err, d.root.Remove(attributesName(key)))
	}
	if err != nil {
		return err
	}
	return d.did("link the object")
}

// settle says whether key is done: its object has these attributes' bytes,
// durably. A TakenError if the object has other bytes.
func (d *Dir) settle(key string, attrs Attributes) (done bool, err error) {
	f, have, err := d.openObject(key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if have.SHA256 == [32]byte{} {
		digest := sha256.New()
		if _, err := io.Copy(digest, f); err != nil {
			return false, err
		}
		have.SHA256 = [32]byte(digest.Sum(nil))
	}
	if have.SHA256 != attrs.SHA256 {
		return false, &TakenError{By: have}
	}
	// Window: the earlier Put died between making the object visible and
	// making its name durable, so that is done here again.
	return true, d.syncUp(key)
}

// syncUp makes the names in key's directory durable, and the directory's in
// the one above it, up to the top. It asks not which are new: a Put that died
// may have made them and not got here.
func (d *Dir) syncUp(key string) error {
	for dir := path.Dir(key); ; dir = path.Dir(dir) {
		if err := durable.SyncDir(d.root, dir); err != nil {
			return err
		}
		if dir == "." {
			return d.did("sync")
		}
	}
}

func (d *Dir) did(step string) error {
	if d.step == nil {
		return nil
	}
	return d.step(step)
}

// checkDirKey is [CheckKey] and what a Dir asks besides.
func checkDirKey(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(key, "/") {
		if strings.HasPrefix(segment, ".") {
			return fmt.Errorf("%w: %q in its key begins with a dot, which a directory store keeps for itself",
				ErrInvalid, segment)
		}
		if len(segment) > maxSegment {
			return fmt.Errorf("%w: %q in its key has %d bytes, more than %d", ErrInvalid, segment, len(segment),
				maxSegment)
		}
	}
	return nil
}

// attributesName is the file in which the attributes of key's object are.
func attributesName(key string) string {
	dir, base := path.Split(key)
	return dir + "." + base + attributesSuffix
}

// refusal adds ErrBlocked to what only a person can change. A full disk is
// none of these: it is to be waited for.
func refusal(err error) error {
	for _, lasting := range []error{fs.ErrPermission, unix.EROFS, unix.EXDEV, errors.ErrUnsupported, errInTheWay} {
		if errors.Is(err, lasting) {
			return fmt.Errorf("%w: %w", ErrBlocked, err)
		}
	}
	return err
}
