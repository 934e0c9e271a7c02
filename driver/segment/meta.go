package segment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/logfast/logfast/driver/detect"
	"github.com/logfast/logfast/driver/record"
	"github.com/logfast/logfast/internal/durable"
)

// Stream is what is kept of a container: the origin of a segment's lines. It
// holds no environment, no labels and no secrets.
type Stream struct {
	ID     string `json:"id"`              // 64 hexadecimal digits
	Name   string `json:"name"`            // without Docker's slash
	Image  string `json:"image,omitempty"` // as the container was started with
	Host   string `json:"host"`
	App    string `json:"app"`
	Group  string `json:"group,omitempty"`
	Format string `json:"format"` // a record.Format
}

// ShortID is the id as docker ps shows it: its first 12 digits.
func (s *Stream) ShortID() string { return s.ID[:min(len(s.ID), 12)] }

// Dir is the stream's directory in the spool.
func (s *Stream) Dir() string { return FileName(s.Name) + "-" + FileName(s.ShortID()) }

// ActiveName is the name of the file that is being written.
func (s *Stream) ActiveName() string { return FileName(s.Name) + ".log" }

// Meta describes a sealed segment. It is fixed at the seal, but for SHA256,
// which packing fills in, and Lost; it is kept in a hidden JSON file beside the segment.
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
	SHA256 string    `json:"sha256,omitempty"` // of the text, hexadecimal

	// Lost is what the text was before it was given up for one line.
	Lost *record.Lost `json:"lost,omitempty"`
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
	if m.Stream.Image != "" {
		meta["image"] = m.Stream.Image
	}
	if m.Lost != nil {
		meta["lost-lines"] = fmt.Sprint(m.Lost.Lines)
		meta["lost-bytes"] = fmt.Sprint(m.Lost.Bytes)
	}
	for name, value := range meta {
		meta[name] = printable(value)
	}
	return meta
}

// printable keeps a header's value within ASCII and 256 bytes.
func printable(s string) string {
	b := []byte(s[:min(len(s), 256)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return string(b)
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
	data, err := s.root.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// Meta reads what was fixed about a segment at its seal. Where that file is
// lost or damaged it is made anew from the segment and its directory.
func (s *Spool) Meta(seg Segment) (*Meta, error) {
	m := &Meta{}
	name := path.Join(seg.Dir, seg.Name.metaName())
	err := s.readJSON(name, m)
	if err == nil && m.Key != "" {
		return m, nil
	}
	if seg.Name.State > Sealed {
		return nil, fmt.Errorf("segment %s: its description %s cannot be used and its text is packed: %w", seg.Path(), name, errors.Join(err, errNoKey))
	}
	if m, err = s.describe(seg.Dir, seg.Name); err != nil {
		return nil, err
	}
	return m, s.writeJSON(name, m)
}

var errNoKey = errors.New("no key")

// SaveMeta replaces what is kept about a segment.
func (s *Spool) SaveMeta(seg Segment, m *Meta) error {
	return s.writeJSON(path.Join(seg.Dir, seg.Name.metaName()), m)
}

// describe reads a text file through and says what a seal would have known.
func (s *Spool) describe(dir string, name Name) (*Meta, error) {
	m := &Meta{Reason: name.Reason, Seq: name.Seq}
	if err := s.readJSON(path.Join(dir, streamFile), &m.Stream); err != nil {
		m.Stream = Stream{Name: dir, Format: record.CRI.String()}
	}
	file := path.Join(dir, name.String())
	if name.State == Active {
		file = path.Join(dir, name.Active)
	}
	f, err := s.root.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	format, _ := record.ParseFormat(m.Stream.Format)
	if err := m.scan(f, format, s.find); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	m.Key = s.key.Render(m)
	return m, nil
}

// maxRecord bounds a line that scan takes for a record, in bytes: Docker's
// 16 KiB of text and room for what stands before it.
const maxRecord = 64 << 10

// scan takes size, times, lines and errors from a file of records.
func (m *Meta) scan(f *os.File, format record.Format, find detect.Detector) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	m.Bytes = fi.Size()
	var rec record.Record
	var joiner [2]detect.Joiner
	for r := bufio.NewReaderSize(f, maxRecord); ; {
		line, err := r.ReadSlice('\n')
		if text, whole := bytes.CutSuffix(line, []byte("\n")); whole && record.Parse(format, text, &rec) == nil {
			if rec.Time != 0 {
				m.saw(time.Unix(0, rec.Time).UTC())
			}
			if joined, ok := joiner[rec.Stream].Add(rec.Text, rec.More); ok {
				if _, found := find.Detect(joined); found {
					m.Errors++
				}
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = r.ReadSlice('\n')
		}
		if bytes.HasSuffix(line, []byte("\n")) {
			m.Lines++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if m.First.IsZero() { // a raw file keeps no times of its own
		m.saw(fi.ModTime().UTC())
	}
	return nil
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
