package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
)

// A kernel that dies leaves an active file with the size that it was to have, and
// not always with the bytes: the end is NUL bytes then, or half a record, or half a
// record and NUL bytes. A process that is killed leaves half a record at most.

// Died notes that the machine may have stopped, by a power cut or a panic of the
// kernel, since the active segment of this container was written, and makes anew
// what describes the container if that is lost. It comes before Recover.
func (s *Spool) Died(of *Stream) error {
	dir := of.Dir()
	s.died[dir] = true
	return s.ensureStream(dir, of)
}

// ensureStream writes the description of a directory's container if it is missing
// or damaged. Without the directory it does nothing.
func (s *Spool) ensureStream(dir string, of *Stream) error {
	var was Stream
	err := s.readJSON(path.Join(dir, streamFile), &was)
	if err == nil && was.ID != "" || unreadable(err) {
		return nil
	}
	if fi, err := s.root.Lstat(dir); err != nil || !fi.IsDir() {
		return nil //nolint:nilerr // nothing of the container is left
	}
	return s.writeJSON(path.Join(dir, streamFile), of)
}

// cutTorn cuts what is no whole record off the end of an active file and returns
// the file's size then. A torn record's bytes were still in the FIFO when it was
// written, so after a process was killed cutting loses nothing that could be
// completed. holes says that the kernel may have died: then a record with NUL bytes
// that no program wrote is torn as well.
//
// Raw text has no records: it ends without a newline after each chunk of a long
// line, and such chunks were taken out of the FIFO. Only NUL bytes at its end are
// cut, and only if the kernel may have died: a program that prints them and ends
// without a newline is rare, and they say nothing.
func (s *Spool) cutTorn(file string, holes bool) (int64, error) {
	f, err := durable.OpenRegular(s.root, file, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var of Stream
	if err := s.describeStream(path.Dir(file), f, &of); err != nil {
		return 0, err
	}
	format, _ := record.ParseFormat(of.Format)
	t := torn{text: f, holes: holes, block: make([]byte, maxRecord)}
	var end int64
	if format == record.Raw {
		end, err = fi.Size(), nil
		if holes {
			end, err = t.withoutNULs(end)
		}
	} else {
		format, t.parse = sniff(f, fi.Size(), format)
		t.format = format
		end, err = t.wholeRecords(fi.Size())
	}
	if err != nil || end == fi.Size() {
		return end, err
	}
	err = errors.Join(f.Truncate(end), f.Sync())
	// The time of the last write stands for the times that a raw text does not keep.
	_ = s.root.Chtimes(file, fi.ModTime(), fi.ModTime()) // best effort
	return end, err
}

// torn finds where the whole records of a text end.
type torn struct {
	text   io.ReaderAt
	format record.Format
	parse  bool // the text's lines are records
	holes  bool
	block  []byte
}

// wholeRecords returns where the last whole record before end ends.
func (t *torn) wholeRecords(end int64) (int64, error) {
	for end > 0 {
		start, err := record.LastLines(t.text, end, 1, t.block, nil)
		if err != nil {
			return end, err
		}
		whole, err := t.whole(start, end)
		if err != nil || whole {
			return end, err
		}
		end = start
	}
	return 0, nil
}

// whole reports whether the last line, from start to end, is a whole record.
func (t *torn) whole(start, end int64) (bool, error) {
	line := t.block[:min(end-start, int64(len(t.block)))]
	if _, err := t.text.ReadAt(line, end-int64(len(line))); err != nil {
		return false, err
	}
	var rec record.Record
	text, ends := bytes.CutSuffix(line, []byte("\n"))
	if !ends || !t.parse {
		return ends, nil
	}
	isRecord := int64(len(line)) == end-start && record.Parse(t.format, text, &rec) == nil
	return isRecord && (!t.holes || !hole(line, start)), nil
}

// withoutNULs returns where the text before the NUL bytes at its end ends.
func (t *torn) withoutNULs(end int64) (int64, error) {
	for end > 0 {
		b := t.block[:min(int64(len(t.block)), end)]
		if _, err := t.text.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if n := len(bytes.TrimRight(b, "\x00")); n > 0 {
			return end + int64(n-len(b)), nil
		}
		end -= int64(len(b))
	}
	return 0, nil
}

// Bytes that never reached the disk are whole sectors, or all to the file's end. A
// program's own NUL bytes are few, as a rule, and end anywhere.
const (
	sector   = 512
	longHole = 16
)

// hole reports whether a line that begins at offset at has NUL bytes that look like
// ones that no program wrote.
func hole(line []byte, at int64) bool {
	for i := 0; ; {
		n := bytes.IndexByte(line[i:], 0)
		if n < 0 {
			return false
		}
		from := i + n
		for i = from; i < len(line) && line[i] == 0; {
			i++
		}
		if i-from >= longHole || (at+int64(i))%sector == 0 {
			return true
		}
	}
}

// sniff returns the format of a text's lines: the one that is expected or, if no
// line has that, the other one with records. ok is false if no line is a record at
// all. It looks at the text's beginning and end.
func sniff(text io.ReaderAt, size int64, expected record.Format) (format record.Format, ok bool) {
	block := make([]byte, maxRecord)
	for _, format := range []record.Format{expected, record.CRI, record.Syslog} {
		for _, at := range []int64{0, max(0, size-int64(len(block)))} {
			n, _ := text.ReadAt(block, at)
			var rec record.Record
			for line := range bytes.Lines(block[:n]) {
				if line, whole := bytes.CutSuffix(line, []byte("\n")); whole &&
					record.Parse(format, line, &rec) == nil {
					return format, true
				}
			}
		}
	}
	return expected, false
}
