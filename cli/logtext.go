package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"github.com/logfast/logfast/driver/format/record"
)

// readSize is how many bytes are read at once: a call for each is a small part
// of what it takes to look at them.
const readSize = 1 << 20

// logText is the text of a log file.
type logText struct {
	io.Reader
	file *os.File // nil: standard input
}

// openLog opens a log file, packed or not; - is standard input.
func openLog(name string, stdin io.Reader) (io.ReadCloser, error) {
	t := &logText{Reader: stdin}
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w: name a log file, or - for standard input", err)
		}
		t.Reader, t.file = f, f
	}
	text := bufio.NewReader(t.Reader)
	t.Reader = text
	if magic, _ := text.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		packed, err := gzip.NewReader(text)
		if err != nil {
			_ = t.Close()
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
		t.Reader = packed
	}
	return t, nil
}

// Close closes the file.
func (t *logText) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// splitRecord takes the record's head from a line of a log file. ok is false if it has none.
func splitRecord(line []byte) (r record.Record, ok bool) {
	switch { // by the first byte: to try both formats takes longer than to detect
	case len(line) == 0:
	case line[0] == '<':
		return record.Split(record.Syslog, line)
	case len(line) > 30 && line[10] == 'T' && line[30] == ' ':
		return record.Split(record.CRI, line)
	}
	return r, false
}
