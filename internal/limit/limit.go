// Package limit reads files of which nobody has checked the size.
package limit

import (
	"fmt"
	"io"
	"os"
)

// CAFile is how many bytes a file of certificates may have: the public
// authorities are a quarter of that.
const CAFile = 1 << 20

// ReadFile reads a file of at most so many bytes. A longer one, or one that is
// not a regular file, is an error: a device or a pipe may have no end.
func ReadFile(name string, most int64) ([]byte, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("read %s: it has more than %d bytes; name a smaller file", name, most)
	}
	return data, err
}
