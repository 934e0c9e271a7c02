package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/internal/durable"
)

// Stream is what is kept of a container: the origin of a segment's lines. It
// holds no secrets, and of the labels and the environment what was asked for.
type Stream struct {
	ID     string `json:"id"`              // 64 hexadecimal digits
	Name   string `json:"name"`            // without Docker's slash
	Image  string `json:"image,omitempty"` // as the container was started with
	Host   string `json:"host"`
	App    string `json:"app"`
	Group  string `json:"group,omitempty"`
	Format string `json:"format"` // a record.Format

	Labels map[string]string `json:"labels,omitempty"` // those that were asked for
	Env    map[string]string `json:"env,omitempty"`    // those that were asked for and look like no secret
	Scope  string            `json:"scope,omitempty"`  // of its errors: container, group or host

	// MaxFile and MaxSize bound the container's files on this host, as the options max-file
	// and max-size say: their number, and the bytes of text of each. 0: nothing bounds them.
	MaxFile int   `json:"max_file,omitempty"`
	MaxSize int64 `json:"max_size,omitempty"`

	// Whoever reads the text later finds the errors that capture has found, and
	// quotes no more than the container's options allow.
	Detect Value  `json:"detect,omitempty"` // detect.Options
	Redact string `json:"redact,omitempty"` // RE2, or ""
}

func (s *Stream) equal(o *Stream) bool { return reflect.DeepEqual(s, o) }

// ShortID is the id as docker ps shows it: its first 12 digits.
func (s *Stream) ShortID() string { return s.ID[:min(len(s.ID), 12)] }

// Dir is the stream's directory in the spool.
func (s *Stream) Dir() string { return FileName(s.Name) + "-" + FileName(s.ShortID()) }

// ActiveName is the name of the file that is being written.
func (s *Stream) ActiveName() string { return FileName(s.Name) + ".log" }

// Meta describes a sealed segment. It is fixed at the seal, but for what packing
// fills in (the sums, Index and Findings) and what is lost; it is kept in a hidden JSON file beside the segment.
type Meta struct {
	Key    string    `json:"key"` // of the object, below the store's prefix
	Stream Stream    `json:"stream"`
	Reason Reason    `json:"reason"`
	Seq    int       `json:"seq"`
	First  time.Time `json:"first"` // time of the first line
	Last   time.Time `json:"last"`  // latest time of a line
	Lines  int64     `json:"lines"` // newlines in the text
	Bytes  int64     `json:"bytes"` // of the text
	Errors int64     `json:"errors"`
	// LastError is the latest time of a line that reports an error; zero where
	// there is none, or a raw text does not tell.
	LastError time.Time `json:"last_error,omitzero"`
	SHA256    string    `json:"sha256,omitempty"` // of the text, hexadecimal

	// SHA256Object is the packed file's sum, hexadecimal: what the object
	// must have.
	SHA256Object string `json:"sha256_object,omitempty"`

	// Index is where in the packed file its stripes begin: see package pack.
	// Without it the file is read from its start.
	Index []int64 `json:"index,omitempty"`

	// Lost is what the text was before it was given up for one line, and
	// LostErrors how many errors it had.
	Lost       *record.Lost `json:"lost,omitempty"`
	LostErrors int64        `json:"lost_errors,omitempty"`

	// Absorbs is the stem of the segment after this one for which the line stands as well.
	// Its files go next.
	Absorbs string `json:"absorbs,omitempty"`

	// Partly says that Lost is a part of the text alone, which others have
	// truncated or removed: the rest is there, with a line in the place of that part.
	Partly bool `json:"partly,omitempty"`

	// Event is the event of the fast track that the segment belongs to: an
	// incident's ID, or "".
	Event string `json:"event,omitempty"`

	// Findings are the errors and losses in the text, found by an Observer when it
	// was packed; "" if there are none.
	Findings Value `json:"findings,omitempty"`
}

// Metadata is what goes with the object into the store: lower-case names,
// printable ASCII values.
func (m *Meta) Metadata() map[string]string {
	meta := map[string]string{
		"first-time":   m.First.UTC().Format(time.RFC3339Nano),
		"last-time":    m.Last.UTC().Format(time.RFC3339Nano),
		"lines":        fmt.Sprint(m.Lines),
		"bytes":        fmt.Sprint(m.Bytes),
		"errors":       fmt.Sprint(m.Errors),
		"reason":       string(m.Reason),
		"sha256":       m.SHA256,
		"format":       m.Stream.Format,
		"container-id": m.Stream.ID,
	}
	// Of a key, nobody can tell what an operator's template put where.
	for name, value := range map[string]string{
		"host": m.Stream.Host, "app": m.Stream.App, "group": m.Stream.Group, "container": m.Stream.Name,
		"image": m.Stream.Image,
	} {
		if value != "" {
			meta[name] = value
		}
	}
	if m.Lost != nil {
		meta["lost-lines"] = fmt.Sprint(m.Lost.Lines)
		meta["lost-bytes"] = fmt.Sprint(m.Lost.Bytes)
	}
	for name, value := range meta {
		meta[name] = printable(value)
	}
	addStripes(meta, m.Index)
	addFields(meta, MetaLabels, m.Stream.Labels)
	addFields(meta, MetaEnv, m.Stream.Env)
	return meta
}

// WroteMetadata reports whether [Meta.Metadata] made an object's metadata: logfast
// wrote that object, on this host or another.
func WroteMetadata(metadata map[string]string) bool {
	sum, err := hex.DecodeString(metadata["sha256"])
	if err != nil || len(sum) != sha256.Size || metadata["reason"] == "" || metadata["format"] == "" {
		return false
	}
	for _, name := range []string{"first-time", "last-time"} {
		if _, err := time.Parse(time.RFC3339Nano, metadata[name]); err != nil {
			return false
		}
	}
	for _, name := range []string{"lines", "bytes", "errors"} {
		if _, err := strconv.ParseInt(metadata[name], 10, 64); err != nil {
			return false
		}
	}
	return true
}

// printable keeps a header's value within ASCII and 256 bytes, without spaces
// around it.
func printable(s string) string {
	b := []byte(s[:min(len(s), 256)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return strings.Trim(string(b), " ")
}

// streamFile describes a directory's container, for a recovery to read.
const streamFile = ".stream.json"

func (s *Spool) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(s.root, name, append(data, '\n'), fileMode); err != nil {
		return err
	}
	return s.own(name)
}

func (s *Spool) readJSON(name string, v any) error {
	if fi, err := s.root.Lstat(name); err == nil && fi.Size() > maxJSON {
		return fmt.Errorf("read %s: it has %d bytes, more than %d", name, fi.Size(), maxJSON)
	}
	data, err := durable.ReadFile(s.root, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// unreadable says that a file is there and was not read, which passes: it is
// neither lost nor damaged, and must not be replaced by less.
func unreadable(err error) bool {
	var failed *os.PathError
	return errors.As(err, &failed) && !errors.Is(err, os.ErrNotExist)
}

// Meta reads what was fixed about a segment at its seal. Where that file is
// lost or damaged it is made anew from the segment and its directory; of a
// packed one by Restore, and the error wraps ErrNoMeta.
func (s *Spool) Meta(seg Segment) (*Meta, error) {
	m := &Meta{}
	name := path.Join(seg.Dir, seg.Name.metaName())
	err := s.readJSON(name, m)
	if err == nil {
		if wrong := m.check(seg.Name); wrong != nil {
			err = fmt.Errorf("read %s: %w", name, wrong)
		}
	}
	switch {
	case err == nil:
		return m, nil
	case unreadable(err):
		return nil, err
	case seg.Name.State > Sealed:
		return nil, fmt.Errorf("segment %s: %w: %w", seg.Path(), ErrNoMeta, err)
	}
	if m, err = s.describe(seg.Dir, seg.Name); err != nil {
		return nil, err
	}
	return m, s.writeJSON(name, m)
}

// ErrNoMeta: what was kept about a packed segment cannot be used.
var ErrNoMeta = errors.New("its description is lost or damaged")

// Restore makes a packed segment's Meta anew, with the key that it had. text is
// what it unpacks to, packed the packed file's sum.
func (s *Spool) Restore(seg Segment, text io.Reader, packed [sha256.Size]byte) (*Meta, error) {
	sum := sha256.New()
	known := &Meta{First: seg.Name.Time}
	if err := s.describeStream(seg.Dir, nil, &known.Stream); err != nil {
		return nil, err
	}
	observer := s.triage.Observe(known)
	m, err := s.describeText(&known.Stream, seg.Name, io.TeeReader(text, io.MultiWriter(sum, observer)), seg.Name.Time)
	if err != nil {
		return nil, fmt.Errorf("restore the description of %s: %w", seg.Path(), err)
	}
	if m.Findings, err = observer.Findings(); err != nil {
		return nil, fmt.Errorf("restore the description of %s: %w", seg.Path(), err)
	}
	m.SHA256, m.SHA256Object = hex.EncodeToString(sum.Sum(nil)), hex.EncodeToString(packed[:])
	return m, s.SaveMeta(seg, m)
}

// SaveMeta replaces what is kept about a segment.
func (s *Spool) SaveMeta(seg Segment, m *Meta) error {
	return s.writeJSON(path.Join(seg.Dir, seg.Name.metaName()), m)
}

// describe reads a text file through and says what a seal would have known.
func (s *Spool) describe(dir string, name Name) (*Meta, error) { return s.describeAs(nil, dir, name) }

// describeAs is describe for a stream that is known, or nil.
func (s *Spool) describeAs(of *Stream, dir string, name Name) (*Meta, error) {
	file := path.Join(dir, name.String())
	if name.State == Active {
		file = path.Join(dir, name.Active)
	}
	f, err := durable.OpenRegular(s.root, file, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if of == nil {
		of = &Stream{}
		if err := s.describeStream(dir, f, of); err != nil {
			return nil, err
		}
	}
	m, err := s.describeText(of, name, f, fi.ModTime().UTC())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return m, nil
}

// describeText describes a text; written stands for the times that a raw text
// does not keep.
func (s *Spool) describeText(of *Stream, name Name, text io.Reader, written time.Time) (*Meta, error) {
	m := &Meta{Reason: name.Reason, Seq: name.Seq, Stream: *of}
	format, _ := record.ParseFormat(m.Stream.Format)
	if err := m.scan(text, format, s.triage.Errors(&m.Stream)); err != nil {
		return nil, err
	}
	if m.First.IsZero() {
		m.saw(written)
	}
	if name.State != Active && !m.First.Truncate(time.Microsecond).Equal(name.Time) {
		m.First = name.Time // so that the key is the one of the seal
	}
	m.Key = s.key.Render(m)
	return m, nil
}

// describeStream reads whose the segments of a directory are. If the description
// of the container is lost or damaged, that of one of its segments says it, and if
// there is none, a text of the directory tells at least its format; text may be nil.
func (s *Spool) describeStream(dir string, text io.ReaderAt, of *Stream) error {
	err := s.readJSON(path.Join(dir, streamFile), of)
	if err == nil && of.check() == nil || unreadable(err) {
		return err
	}
	*of = Stream{Name: dir, Format: record.CRI.String()}
	entries, err := s.readDir(dir)
	if err != nil {
		return err
	}
	last := 0
	for _, e := range entries {
		var m Meta
		n, ok := ParseName(strings.TrimPrefix(strings.TrimSuffix(e.Name(), metaSuffix), "."))
		if ok && n.metaName() == e.Name() && n.Seq > last && s.readJSON(path.Join(dir, e.Name()), &m) == nil &&
			m.Stream.Dir() == dir && m.Stream.check() == nil {
			*of, last = m.Stream, n.Seq
		}
	}
	if last > 0 || text == nil {
		return nil
	}
	if format, ok := sniff(text, math.MaxInt64, record.CRI); ok {
		of.Format = format.String()
	} else if n, _ := text.ReadAt(make([]byte, 1), 0); n > 0 {
		of.Format = record.Raw.String()
	}
	return nil
}

// maxRecord bounds a line that scan takes for a record, in bytes: Docker's
// 16 KiB of text and room for what stands before it.
const maxRecord = 64 << 10

// scan takes size, times, lines and errors from records; a raw text has no times.
func (m *Meta) scan(text io.Reader, format record.Format, isError func(record.Stream, []byte, bool) bool) error {
	var rec record.Record
	parser := record.Parser{Format: format}
	lines := record.NewLines(text, make([]byte, maxRecord), 0)
	for lines.Next() {
		m.Bytes += int64(len(lines.Line()))
		if lines.Ends {
			m.Lines++
		}
		if !lines.Begins || !lines.Ends || !parser.Parse(lines.Text, &rec) {
			continue
		}
		if rec.Time != 0 {
			m.saw(time.Unix(0, rec.Time).UTC())
		}
		if isError(rec.Stream, rec.Text, rec.More) {
			m.Errors++
			if rec.Time != 0 {
				m.sawError(time.Unix(0, rec.Time).UTC())
			}
		}
	}
	return lines.Err()
}

// saw takes a line's time into account.
func (m *Meta) saw(at time.Time) {
	if m.First.IsZero() {
		m.First = at
	}
	if at.After(m.Last) {
		m.Last = at
	}
}

// sawError takes the time of a line that reports an error into account.
func (m *Meta) sawError(at time.Time) {
	if at.After(m.LastError) {
		m.LastError = at
	}
}
