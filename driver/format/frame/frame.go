// Package frame reads and writes what Docker sends through a log FIFO: a
// 4-byte big-endian length, then that many bytes of a protobuf LogEntry.
//
//	message LogEntry {
//	  string source = 1;
//	  int64  time_nano = 2;
//	  bytes  line = 3;
//	  bool   partial = 4;
//	  PartialLogEntryMetadata partial_log_metadata = 5;
//	}
//	message PartialLogEntryMetadata { bool last = 1; string id = 2; int32 ordinal = 3; }
//
// The format's source is moby's api/types/plugins/logdriver; its codec is the
// oracle of this package's tests. It is written anew here because the capture
// path decodes each line in place and must not allocate.
package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderSize is the length of a frame's length, in bytes.
const HeaderSize = 4

// MaxSize bounds a frame's message, in bytes. Docker cuts lines at 16 KiB, so
// its frames stay under 17 KiB; a larger length means that the bytes are not a
// frame. The bound is half of the smallest pipe that Docker makes (64 KiB), so
// a whole frame always fits into a FIFO.
const MaxSize = 32 << 10

// Entry is one LogEntry. Its slices alias the buffer that it was decoded from.
type Entry struct {
	Source   []byte // "stdout" or "stderr"
	TimeNano int64  // nanoseconds since 1970, UTC
	Line     []byte // without its newline
	Partial  bool   // a chunk of a line longer than Docker's buffer, the last chunk too

	// Of a partial chunk only.
	ID      []byte // the same for all chunks of a line
	Ordinal int32  // from 1
	Last    bool   // the line ends here
}

// More reports whether the line goes on in a later entry of the same source.
func (e *Entry) More() bool { return e.Partial && !e.Last }

// ErrIncomplete: the buffer ends before the frame does.
var ErrIncomplete = errors.New("frame: incomplete")

// CorruptError says why bytes are not a frame.
type CorruptError struct{ Reason string }

func (e *CorruptError) Error() string { return "frame: corrupt: " + e.Reason }

var (
	errTooLong  = &CorruptError{fmt.Sprintf("length above %d", MaxSize)}
	errVarint   = &CorruptError{"bad varint"}
	errOverrun  = &CorruptError{"a field runs past the message"}
	errWireType = &CorruptError{"unknown wire type"}
	errFieldNum = &CorruptError{"bad field number"}
	errMistyped = &CorruptError{"a known field has another type"}
)

// Decode reads the frame at the start of b into e and returns its length,
// header included. It returns ErrIncomplete where b ends too early and a
// *CorruptError where b does not start with a frame; Resync finds the next.
// Unknown fields are passed over. It does not allocate.
func Decode(b []byte, e *Entry) (int, error) {
	if len(b) < HeaderSize {
		return 0, ErrIncomplete
	}
	size := binary.BigEndian.Uint32(b)
	if size > MaxSize {
		return 0, errTooLong
	}
	end := HeaderSize + int(size)
	if len(b) < end {
		return 0, ErrIncomplete
	}
	*e = Entry{}
	if message := b[HeaderSize:end:end]; !decodePlain(message, e) {
		*e = Entry{}
		if err := decodeEntry(message, e); err != nil {
			return 0, err
		}
	}
	return end, nil
}

// decodePlain reads the message of a whole line as Docker writes it: source,
// time and line in this order, and nothing else. It returns false for every
// other message, with e in no particular state.
func decodePlain(b []byte, e *Entry) bool {
	const source = 2 + 6 // len("stdout"): both sources have six letters
	if len(b) < source+2 || b[0] != 1<<3|wireBytes || b[1] != source-2 || b[source] != 2<<3|wireVarint {
		return false
	}
	e.Source = b[2:source:source]
	at := source + 1
	var nano uint64
	for shift := 0; ; shift += 7 {
		if at >= len(b) || shift > 56 { // 63 bits are enough until the year 2262
			return false
		}
		c := b[at]
		at++
		nano |= uint64(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	e.TimeNano = int64(nano)
	if at+2 > len(b) || b[at] != 3<<3|wireBytes {
		return false
	}
	size := int(b[at+1])
	if at += 2; size >= 0x80 {
		if at >= len(b) || b[at] >= 0x80 {
			return false // 16 KiB and more, which Docker sends as a chunk
		}
		size = size&0x7f | int(b[at])<<7
		at++
	}
	e.Line = b[at:]
	return size == len(e.Line)
}

func decodeEntry(b []byte, e *Entry) error {
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		switch f.num {
		case 1:
			err, e.Source = f.want(wireBytes), f.bytes
		case 2:
			err, e.TimeNano = f.want(wireVarint), int64(f.varint)
		case 3:
			err, e.Line = f.want(wireBytes), f.bytes
		case 4:
			err, e.Partial = f.want(wireVarint), f.varint != 0
		case 5:
			if err = f.want(wireBytes); err == nil {
				err = decodePartial(f.bytes, e)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func decodePartial(b []byte, e *Entry) error {
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		switch f.num {
		case 1:
			err, e.Last = f.want(wireVarint), f.varint != 0
		case 2:
			err, e.ID = f.want(wireBytes), f.bytes
		case 3:
			err, e.Ordinal = f.want(wireVarint), int32(f.varint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Wire types of protobuf's encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

type field struct {
	num    int32
	wire   uint64
	varint uint64 // of wireVarint
	bytes  []byte // of wireBytes
}

func (f *field) want(wire uint64) error {
	if f.wire != wire {
		return errMistyped
	}
	return nil
}

func nextField(b []byte) (f field, rest []byte, err error) {
	tag, n := uvarint(b)
	if n <= 0 {
		return f, nil, errVarint
	}
	b = b[n:]
	f.num, f.wire = int32(tag>>3), tag&7
	if f.num <= 0 {
		return f, nil, errFieldNum
	}
	switch f.wire {
	case wireVarint:
		if f.varint, n = uvarint(b); n <= 0 {
			return f, nil, errVarint
		}
		return f, b[n:], nil
	case wireBytes:
		size, n := uvarint(b)
		if n <= 0 {
			return f, nil, errVarint
		}
		b = b[n:]
		if size > uint64(len(b)) {
			return f, nil, errOverrun
		}
		f.bytes = b[:size:size]
		return f, b[size:], nil
	case wireFixed64, wireFixed32:
		size := 8
		if f.wire == wireFixed32 {
			size = 4
		}
		if len(b) < size {
			return f, nil, errOverrun
		}
		return f, b[size:], nil
	}
	return f, nil, errWireType
}

// uvarint is binary.Uvarint with its most frequent case, one byte, inlined.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

// plausible begins each message that Docker writes: field 1, six bytes, of
// which every source shares "std".
var plausible = []byte("\x0a\x06std")

// Resync returns how many bytes of b to skip, at least one, until what may be
// the next frame: a length within MaxSize followed by a message that begins
// with a source. Where b holds none it keeps only as many bytes at the end as
// the start of one could have.
func Resync(b []byte) int {
	for from := 1; from < len(b); {
		i := bytes.Index(b[from:], plausible)
		if i < 0 {
			break
		}
		at := from + i - HeaderSize
		if at >= 1 && binary.BigEndian.Uint32(b[at:]) <= MaxSize {
			return at
		}
		from += i + 1
	}
	keep := HeaderSize + len(plausible) - 1
	return max(1, len(b)-keep)
}

// Append writes e as one frame at the end of dst, byte for byte as Docker's
// own codec would.
func Append(dst []byte, e *Entry) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if len(e.Source) > 0 {
		dst = appendBytes(dst, 1, e.Source)
	}
	if e.TimeNano != 0 {
		dst = appendVarint(dst, 2, uint64(e.TimeNano))
	}
	if len(e.Line) > 0 {
		dst = appendBytes(dst, 3, e.Line)
	}
	if e.Partial {
		dst = appendVarint(dst, 4, 1)
		var scratch [96]byte // an id has 64 bytes
		dst = appendBytes(dst, 5, appendPartial(scratch[:0], e))
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-HeaderSize))
	return dst
}

func appendPartial(dst []byte, e *Entry) []byte {
	if e.Last {
		dst = appendVarint(dst, 1, 1)
	}
	if len(e.ID) > 0 {
		dst = appendBytes(dst, 2, e.ID)
	}
	if e.Ordinal != 0 {
		dst = appendVarint(dst, 3, uint64(int64(e.Ordinal)))
	}
	return dst
}

func appendVarint(dst []byte, num int, v uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(num<<3|wireVarint)), v)
}

func appendBytes(dst []byte, num int, v []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(num<<3|wireBytes)), uint64(len(v)))
	return append(dst, v...)
}
