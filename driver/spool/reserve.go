package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// The reserve is room that making room may need itself, and what must be written on a full
// disk: bytes in one file, and inodes in empty ones.
const (
	reserveFile  = ".reserve"
	reserveSize  = 256 << 10
	reserveMost  = 8 << 20 // on a large disk, so that a large segment can be packed
	reserveFiles = 8
)

func reserveName(n int) string { return fmt.Sprintf("%s-%d", reserveFile, n) }

// useReserve calls f while the reserved room is the disk's, if there is any, and reports
// whether it did.
func (s *Spool) useReserve(f func()) bool {
	s.making.Lock()
	defer s.making.Unlock()
	some, _ := s.freeReserve() // f says what is wrong
	if some {
		f()
		_ = s.fillReserve(reserveFiles) // as far as there is room; MakeRoom does it again
	}
	return some
}

// freeReserve gives the reserved room back to the disk, and reports whether there was any.
func (s *Spool) freeReserve() (some bool, err error) {
	if fi, err := s.root.Lstat(reserveFile); err == nil && fi.Size() > 0 {
		some = true
	}
	errs := []error{s.root.Remove(reserveFile)}
	for n := range reserveFiles {
		err := s.root.Remove(reserveName(n))
		some = some || err == nil
		errs = append(errs, err)
	}
	for i, err := range errs {
		if errors.Is(err, os.ErrNotExist) {
			errs[i] = nil
		}
	}
	return some, errors.Join(errs...)
}

// fillReserve reserves room on the disk, and so many inodes, as far as there are any.
func (s *Spool) fillReserve(files int) error {
	f, err := s.openReserve(reserveFile)
	if Full(err) {
		return nil // then making room needs room of its own
	}
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(reserveSize)
	if fs, err := s.statfs(); err == nil {
		size = min(max(size, int64(fs.Blocks)*fs.Bsize/1024), reserveMost)
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if Full(err) || errors.Is(err, unix.EOPNOTSUPP) {
		err = nil
	}
	for n := range files {
		if err != nil {
			return err
		}
		var empty *os.File
		if empty, err = s.openReserve(reserveName(n)); err == nil {
			err = empty.Close()
		} else if Full(err) {
			return nil
		}
	}
	return err
}

// openReserve opens a file of the reserve. What is no file and has its name is moved away.
func (s *Spool) openReserve(name string) (*os.File, error) {
	f, err := durable.OpenRegular(s.root, name, os.O_WRONLY|os.O_CREATE, 0o600)
	if errors.Is(err, durable.ErrNotRegular) {
		if _, err = durable.Displace(s.root, name); err == nil {
			f, err = durable.OpenRegular(s.root, name, os.O_WRONLY|os.O_CREATE, 0o600)
		}
	}
	return f, err
}
