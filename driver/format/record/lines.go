package record

import (
	"bytes"
	"errors"
	"io"
)

// Lines divides a text into lines. A line of a pipe is there as soon as its
// newline was read. A line that is longer than the buffer comes in parts. Lines
// belongs to one goroutine, and allocates nothing but a larger buffer.
//
// Its fields describe the line, or part, that Next has found. They are valid
// until the next call.
type Lines struct {
	Text   []byte // without the newline
	Number int64  // of the line, from 1
	Offset int64  // of the first byte of Text
	Begins bool   // Text is the beginning of a line
	Ends   bool   // a newline follows Text

	text     io.Reader
	buf      []byte
	longest  int // bytes that buf may grow to
	from, to int // what of buf is not returned yet
	err      error
}

// NewLines returns the lines of a text. It reads into buf, which grows up to so
// many bytes if a line, with its newline, is longer than it.
func NewLines(text io.Reader, buf []byte, longest int) *Lines {
	return &Lines{text: text, buf: buf, longest: longest, Ends: true, Offset: -1} // behind a line before the first
}

// Next finds the next line. It returns false at the end of the text, and if the
// text cannot be read: see Err.
func (l *Lines) Next() bool {
	l.pass()
	for searched := 0; ; {
		if i := bytes.IndexByte(l.buf[l.from+searched:l.to], '\n'); i >= 0 {
			return l.found(searched+i, true)
		}
		if searched = l.to - l.from; !l.more() {
			return l.found(searched, false)
		}
	}
}

// NextBlock finds as many whole lines as the buffer holds, without the last
// newline. Number does not count them.
func (l *Lines) NextBlock() bool {
	l.pass()
	for {
		for l.to-l.from < len(l.buf) && l.more() {
			continue // a full block is cheaper
		}
		if i := bytes.LastIndexByte(l.buf[l.from:l.to], '\n'); i >= 0 {
			return l.found(i, true)
		}
		if !l.more() {
			return l.found(l.to-l.from, false)
		}
	}
}

// pass moves behind what was found last.
func (l *Lines) pass() {
	l.Offset += int64(len(l.Text))
	if l.Begins = l.Ends; l.Ends {
		l.Offset++
		l.Number++
	}
}

// found describes the next n bytes.
func (l *Lines) found(n int, ends bool) bool {
	l.Text, l.Ends = l.buf[l.from:l.from+n], ends
	if l.from += n; ends {
		l.from++
	}
	return ends || n > 0
}

// more reads once. It returns false if it cannot, because the text has ended or
// the buffer is full.
func (l *Lines) more() bool {
	if l.err != nil {
		return false
	}
	if l.from > 0 {
		l.from, l.to = 0, copy(l.buf, l.buf[l.from:l.to])
	}
	if l.to == len(l.buf) {
		if l.to >= l.longest {
			return false
		}
		l.buf = append(l.buf, make([]byte, min(max(len(l.buf), 1), l.longest-len(l.buf)))...)
	}
	var n int
	n, l.err = l.text.Read(l.buf[l.to:])
	l.to += n
	return true
}

// Line is Text, with its newline if it ends in one.
func (l *Lines) Line() []byte {
	if l.Ends {
		return l.Text[:len(l.Text)+1]
	}
	return l.Text
}

// Torn reports whether Text is what the text has after its last newline.
func (l *Lines) Torn() bool { return !l.Ends && l.err != nil && l.from == l.to }

// Err returns why the text could not be read; nil if it has ended, or goes on.
func (l *Lines) Err() error {
	if errors.Is(l.err, io.EOF) {
		return nil
	}
	return l.err
}

// CountLines returns how many newlines a text has, and whether it goes on after
// the last of them.
func CountLines(text io.Reader, buf []byte) (n int64, torn bool, err error) {
	for err == nil {
		var got int
		if got, err = text.Read(buf); got > 0 {
			n += int64(bytes.Count(buf[:got], newline))
			torn = buf[got-1] != '\n'
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, torn, err
}

var newline = []byte("\n")
