package selflog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/logfast/logfast/internal/durable"
)

// The file's name below the spool, and that of the one before it.
const (
	FileName = ".logfast.log"
	OldName  = ".logfast.log.1"
)

// maxFile is the size at which a file is begun anew, in bytes: there are never
// more than twice as many.
const maxFile = 1 << 20

// File is the log's file in the spool: what logfast said last, whatever became
// of it and of the daemon's log. Where it ends by a panic or a fatal error of
// the runtime, that is in it too. A disk that takes no line loses that line
// here, and nothing else.
type File struct {
	root     durable.Root
	uid, gid int
	f        *os.File
	size     int64
}

// OpenFile opens the file in the directory root, which stays the caller's; uid
// and gid own it, -1 leaves that. Ended is false where what was written before
// does not end in a line with one of last, which say that a process ends by itself.
func OpenFile(root durable.Root, uid, gid int, last ...string) (file *File, ended bool, err error) {
	file = &File{root: root, uid: uid, gid: gid}
	if err := file.repair(); err != nil {
		return nil, false, fmt.Errorf("take the NUL bytes of a power cut out of logfast's own log: %w", err)
	}
	if err := file.open(); err != nil {
		return nil, false, fmt.Errorf("open logfast's own log: %w", err)
	}
	line, err := LastLine(file.f)
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("read logfast's own log: %w", err), file.f.Close())
	}
	ended = line == "" || slices.ContainsFunc(last, func(s string) bool { return strings.Contains(line, s) })
	return file, ended, nil
}

// repair takes the NUL bytes out that a power cut leaves, and ends a line that was
// cut off, so that tools read the file as text. The repaired file replaces the other
// at once.
func (f *File) repair() error {
	fi, err := f.root.Lstat(FileName)
	if errors.Is(err, os.ErrNotExist) || err == nil && (!fi.Mode().IsRegular() || fi.Size() > 2*maxFile) {
		return nil // open says what is wrong
	}
	if err != nil {
		return err
	}
	text, err := durable.ReadFile(f.root, FileName)
	if err != nil {
		return err
	}
	torn := len(text) > 0 && text[len(text)-1] != '\n'
	if !torn && bytes.IndexByte(text, 0) < 0 {
		return nil
	}
	var whole []byte
	for part := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == 0 }) {
		if whole = append(whole, part...); whole[len(whole)-1] != '\n' {
			whole = append(whole, '\n')
		}
	}
	return durable.WriteFile(f.root, FileName, whole, 0o640)
}

// LastLine returns the last line of what is in the file, "" for none. It looks at
// the file's last 16 KiB.
func LastLine(f *os.File) (string, error) {
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	const enough = 16 << 10
	tail, err := io.ReadAll(io.NewSectionReader(f, max(0, fi.Size()-enough), enough))
	text := strings.TrimSpace(string(tail))
	return text[strings.LastIndexByte(text, '\n')+1:], err
}

func (f *File) open() error {
	var err error
	if f.f, err = durable.OpenRegular(f.root, FileName, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640); errors.Is(err,
		durable.ErrNotRegular) {
		if _, err = durable.Displace(f.root, FileName); err == nil {
			f.f, err = durable.OpenRegular(f.root, FileName, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
		}
	}
	if err != nil {
		return err
	}
	fi, err := f.f.Stat()
	if err == nil && (f.uid >= 0 || f.gid >= 0) {
		err = f.f.Chown(f.uid, f.gid)
	}
	if err == nil {
		f.size = fi.Size()
		err = debug.SetCrashOutput(f.f, debug.CrashOptions{})
	}
	if err != nil {
		return errors.Join(err, f.f.Close())
	}
	return nil
}

// write appends a line, in a new file where this one is full. The tee's lock is
// held.
func (f *File) write(line []byte) {
	if f.f != nil && !f.inPlace() {
		f.f.Close() // somebody has removed it, or logrotate has moved it away
		f.f = nil
	}
	if f.f != nil && f.size+int64(len(line)) > maxFile {
		f.f.Close()
		f.f = nil
		if err := f.root.Rename(FileName, OldName); err != nil {
			return // the next line tries again
		}
	}
	if f.f == nil {
		if f.open() != nil {
			f.f = nil
			return
		}
		if f.size+int64(len(line)) > maxFile && f.size > 0 {
			return // it could not be moved away
		}
	}
	n, err := f.f.Write(line)
	f.size += int64(n)
	if err != nil && n > 0 { // a full disk has taken a part of it
		if f.f.Truncate(f.size-int64(n)) == nil {
			f.size -= int64(n)
		}
	}
}

// inPlace reports whether the name is still the open file's, and takes note of
// what others have cut off it or written to it.
func (f *File) inPlace() bool {
	named, err := f.root.Lstat(FileName)
	open, openErr := f.f.Stat()
	if err != nil || openErr != nil || !os.SameFile(named, open) {
		return false
	}
	f.size = open.Size()
	return true
}

// Close ends the file. Nobody may write to it any more.
func (f *File) Close() error {
	err := debug.SetCrashOutput(nil, debug.CrashOptions{})
	if f.f != nil {
		err = errors.Join(err, f.f.Close())
	}
	return err
}
