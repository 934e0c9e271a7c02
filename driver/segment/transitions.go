package segment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/logfast/logfast/internal/durable"
)

// Pack turns a sealed segment into a packed one: compress writes to dst what
// unpacks to src.
//
//	write and fsync a temporary file   killed here: Recover removes it
//	write Meta with the text's sha256  killed here: packed again
//	rename to .gz, fsync               killed here: Recover removes the text
//	remove the text
func (s *Spool) Pack(seg Segment, compress func(dst io.Writer, src io.Reader) error) (Segment, error) {
	fail := func(err error) (Segment, error) { return seg, fmt.Errorf("pack %s: %w", seg.Path(), err) }
	release, ok := s.Hold(seg)
	if !ok {
		return fail(ErrHeld)
	}
	defer release()
	m, err := s.Meta(seg)
	if err != nil {
		return fail(err)
	}
	src, err := s.root.Open(seg.Path())
	if err != nil {
		return fail(err)
	}
	defer src.Close()
	packed := Segment{Dir: seg.Dir, Name: seg.Name.in(Packed)}
	temp := path.Join(seg.Dir, "."+packed.Name.String()+".tmp")
	if err := s.root.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	dst, err := s.create(temp)
	if err != nil {
		return fail(err)
	}
	sum := sha256.New()
	err = compress(dst, io.TeeReader(src, sum))
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return fail(errors.Join(err, s.root.Remove(temp)))
	}
	m.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := s.SaveMeta(seg, m); err != nil {
		return fail(err)
	}
	if err := durable.Rename(s.root, temp, packed.Path()); err != nil {
		return fail(err)
	}
	// Not durable on purpose: a text that comes back is removed by Recover.
	if err := s.root.Remove(seg.Path()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	size, err := s.sizeOf(packed)
	s.used.Add(size - m.Bytes)
	return packed, err
}

// ErrHeld: the segment is being given up, or somebody else works on it.
var ErrHeld = errors.New("the segment is held")

// create opens a new file for appending. It fails where the name is taken.
func (s *Spool) create(name string) (*os.File, error) {
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, fileMode)
	if err != nil {
		return nil, err
	}
	if err := s.own(name); err != nil {
		return nil, errors.Join(err, f.Close(), s.root.Remove(name))
	}
	return f, nil
}

// OpenSegment opens a segment's file for reading.
func (s *Spool) OpenSegment(seg Segment) (*os.File, error) {
	return s.root.OpenFile(seg.Path(), os.O_RDONLY, 0)
}

// Uploaded turns a packed segment, whose object is confirmed, into an
// uploaded one. Killed before it, the same object is put again, which changes
// nothing.
func (s *Spool) Uploaded(seg Segment) error {
	done := Segment{Dir: seg.Dir, Name: seg.Name.in(Uploaded)}
	if err := durable.Rename(s.root, seg.Path(), done.Path()); err != nil {
		return fmt.Errorf("mark %s uploaded: %w", seg.Path(), err)
	}
	return nil
}

// Delete removes an uploaded segment, and its directory once that is empty and
// no stream uses it. Killed in between, Recover removes the Meta.
func (s *Spool) Delete(seg Segment) error {
	if seg.Name.State != Uploaded {
		return fmt.Errorf("delete %s: it is not uploaded", seg.Path())
	}
	size, err := s.sizeOf(seg)
	if err == nil {
		err = s.root.Remove(seg.Path())
	}
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	s.used.Add(-size)
	if err := s.root.Remove(path.Join(seg.Dir, seg.Name.metaName())); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete: %w", err)
	}
	return s.removeUnused(seg.Dir)
}

// removeUnused removes a container's directory that holds nothing but its
// description. The lock keeps a writer from opening there meanwhile.
func (s *Spool) removeUnused(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writers[dir] != nil {
		return nil
	}
	entries, err := s.readDir(dir)
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	for _, e := range entries {
		if e.Name() != streamFile {
			return nil
		}
	}
	if err := s.root.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}
