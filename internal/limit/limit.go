// Package limit reads files whose size is not known, up to a bound.
package limit

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// CAFile is how many bytes a file of certificates may have: the public
// authorities are a quarter of that.
const CAFile = 1 << 20

// ReadFile reads a regular file of at most so many bytes. A longer one is an
// error, and so is a device or a pipe, which may have no end.
func ReadFile(name string, most int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is not a regular file; name a file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("read %s: it has more than %d bytes; name a smaller file", name, most)
	}
	return data, err
}
