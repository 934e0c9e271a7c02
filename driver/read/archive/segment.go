package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

// Segment is one segment of the archive, as far as it is known.
type Segment struct {
	Key      string       // of the object; empty while it is active
	File     string       // in the spool, from its directory on; empty: not there
	InStore  bool         // the store has it
	Active   bool         // it is still being written
	Stream   spool.Stream // where its lines come from; of the id perhaps 12 digits
	Reason   spool.Reason // why it was sealed
	Seq      int          // 0: unknown
	First    time.Time    // no line is before this, but for some of the same moment; zero: unknown
	Last     time.Time    // the latest line's; zero: unknown
	Lines    int64        // the counts are of the text; -1: unknown
	Bytes    int64
	Errors   int64
	Size     int64 // of the object or the file
	modified time.Time

	keyed     *spool.KeyReader // has read the key; nil: the key says nothing
	described bool             // all is known that anybody knows
	foreign   bool             // logfast did not write it
	gone      bool             // the store no longer has it
	spooled   spool.Segment    // where File is not empty
	meta      *spool.Meta      // of that, if all of it is known
	stripes   []int64          // of the object, see spool.Meta; nil: unknown
	file      *os.File         // the active one, opened when it was found
	order     int              // in its container
}

// knows reports whether a field of the stream is as known as it ever will be.
func (s *Segment) knows(field string) bool {
	return s.described || s.keyed != nil && s.keyed.Says(field)
}

// Name is how messages call the segment.
func (s *Segment) Name() string {
	if s.File != "" {
		return s.File
	}
	return s.Key
}

// Where says where the segment was found: "spool", "store" or "both".
func (s *Segment) Where() string {
	switch {
	case s.File == "":
		return "store"
	case s.InStore:
		return "both"
	}
	return "spool"
}

// container tells containers apart; segments of which it is not known are each
// one of their own.
func (s *Segment) container() string {
	if s.Stream.ID == "" {
		return "\x00" + s.Name()
	}
	return s.Stream.ShortID() // ids are random: the host adds nothing
}

// identity is the same for a segment in the spool and in the store, where it is
// known.
func (s *Segment) identity() string {
	if s.Stream.ID == "" || s.Seq == 0 || s.First.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s %d %d", s.Stream.ShortID(), s.Seq, s.First.UnixMicro())
}

// fromKey makes a segment of an entry in a listing.
func fromKey(keys *spool.KeyReader, e store.Entry) *Segment {
	s := &Segment{Key: e.Key, InStore: true, Size: e.Size, modified: e.Modified, Lines: -1, Bytes: -1, Errors: -1}
	if m, ok := keys.Read(e.Key); ok {
		s.keyed, s.Stream, s.Reason, s.Seq, s.First = keys, m.Stream, m.Reason, m.Seq, m.First
	}
	return s
}

// What metadata may say. Names are cut to 256 bytes before they are put there.
const maxName = 1 << 10

var (
	idPattern     = regexp.MustCompile(`^[0-9a-f]{1,64}$`)
	reasonPattern = regexp.MustCompile(`^[a-z-]{1,32}$`)
)

// describe adds what the store keeps beside an object. ours reports whether logfast
// wrote the object, as far as one can tell; the error says what in the metadata
// cannot be, which is left out.
func (s *Segment) describe(attrs store.Attributes) (ours bool, err error) {
	s.described = true
	m := attrs.Metadata
	var wrong []error
	bad := func(name string) {
		wrong = append(wrong, fmt.Errorf("its metadata says %s=%.80q, which cannot be", name, m[name]))
	}
	text := func(to *string, name string) {
		switch {
		case m[name] == "":
		case len(m[name]) > maxName,
			name == "container-id" && !idPattern.MatchString(m[name]),
			name == "reason" && !reasonPattern.MatchString(m[name]),
			name == "format" && !slices.Contains(record.Formats(), m[name]):
			bad(name)
		default:
			*to = m[name]
		}
	}
	text(&s.Stream.ID, "container-id")
	text(&s.Stream.Host, "host")
	text(&s.Stream.App, "app")
	text(&s.Stream.Group, "group")
	text(&s.Stream.Name, "container")
	text(&s.Stream.Image, "image")
	text(&s.Stream.Format, "format")
	text((*string)(&s.Reason), "reason")
	for name, to := range map[string]*map[string]string{
		spool.MetaLabels: &s.Stream.Labels, spool.MetaEnv: &s.Stream.Env,
	} {
		switch fields, err := spool.ReadFields(m[name]); {
		case err != nil:
			bad(name)
		case fields != nil:
			*to = fields
		}
	}
	if s.stripes, err = spool.ReadStripes(m[spool.MetaStripes]); err != nil {
		bad(spool.MetaStripes)
	}
	for name, to := range map[string]*time.Time{"first-time": &s.First, "last-time": &s.Last} {
		switch at, err := time.Parse(time.RFC3339Nano, m[name]); {
		case m[name] == "":
		case err != nil || !record.Sane(at):
			bad(name)
		default:
			*to = at
		}
	}
	counts := map[string]int64{"lines": -1, "bytes": -1, "errors": -1}
	for name := range counts {
		n, err := strconv.ParseInt(m[name], 10, 64)
		if err == nil {
			counts[name] = n
		} else if m[name] != "" {
			bad(name)
		}
	}
	if err := possible(counts["lines"], counts["bytes"], counts["errors"], attrs.Size); err != nil {
		wrong = append(wrong, fmt.Errorf("its metadata cannot be: %w", err))
	} else {
		s.Lines, s.Bytes, s.Errors = known(counts["lines"],
			s.Lines), known(counts["bytes"], s.Bytes), known(counts["errors"], s.Errors)
	}
	return s.keyed != nil || s.Stream.ID != "" && !s.First.IsZero(), errors.Join(wrong...)
}

// known returns a count, or if it is not known what is known already.
func known(n, before int64) int64 {
	if n < 0 {
		return before
	}
	return n
}

// ratio is how many times as long as a packed text its text can be: RFC 1951 allows
// 258 bytes for two bits.
const ratio = 1032

// possible says what of the counts of an object's text cannot be; -1 is not known.
func possible(lines, bytes, errs, size int64) error {
	if bytes < 0 && size > 0 {
		bytes = size * ratio
	}
	if bytes < 0 {
		bytes = max(lines, errs, 0) // as many as need be: neither is known
	}
	if size > 0 && bytes/ratio > size {
		return fmt.Errorf("%d bytes of text do not fit into an object of %d bytes", bytes, size)
	}
	return spool.CheckCounts(max(lines, 0), bytes, max(errs, 0))
}

// fromSpool makes a segment of a file; m is what is kept about it.
func fromSpool(seg spool.Segment, m *spool.Meta, certain bool) *Segment {
	s := &Segment{
		Key: m.Key, File: seg.Path(), Stream: m.Stream, Reason: seg.Name.Reason, Seq: seg.Name.Seq,
		First: seg.Name.Time, Lines: -1, Bytes: -1, Errors: -1, spooled: seg, described: true,
	}
	if certain {
		s.meta = m
		s.First, s.Last, s.Lines, s.Bytes, s.Errors = m.First, m.Last, m.Lines, m.Bytes, m.Errors
	}
	if seg.Name.State == spool.Active {
		s.Active, s.Key, s.Reason, s.File = true, "", "", path.Join(seg.Dir, seg.Name.Active)
	}
	if s.Stream.ID == "" { // of a directory whose description is lost, its name tells
		if i := strings.LastIndexByte(seg.Dir, '-'); i >= 0 {
			s.Stream.Name, s.Stream.ID = seg.Dir[:i], seg.Dir[i+1:]
		}
	}
	return s
}

// countLines counts the lines of an active segment; -1 if it cannot be read.
func (s *Segment) countLines() {
	var err error
	if s.Lines, _, err = record.CountLines(io.NewSectionReader(s.file, 0, s.Size),
		make([]byte, blockSize)); err != nil {
		s.Lines = -1
	}
}
