package spool

import (
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"time"

	"github.com/logfast/logfast/internal/durable"
)

// Pack turns a sealed segment into a packed one. It may be repeated until it
// succeeds. run calls Step until nothing is left; nil does so at once. ahead,
// where it is not nil, is taken over, and of use where it is this text's
// beginning; it ends with Pack in any case.
//
//	write and fsync a temporary file   killed here: Recover removes it
//	write Meta with both sums          killed here: packed again
//	rename to .gz, fsync               killed here: Recover removes the text
//	remove the text
func (s *Spool) Pack(seg Segment, ahead *Packing, run func(*Packing) error) (_ Segment, err error) {
	defer func() { err = errors.Join(err, ahead.Drop()) }()
	release, ok := s.Hold(seg)
	if !ok {
		return seg, fmt.Errorf("pack %s: %w", seg.Path(), ErrHeld)
	}
	ended := s.startsPacking(seg)
	defer func() {
		release()
		ended() // who waits for it may hold it then
	}()
	was, _ := s.sizeOf(seg) // pack fails where there is none
	packed := Segment{Dir: seg.Dir, Name: seg.Name.in(Packed)}
	if err := s.pack(seg, packed, ahead, run); err != nil {
		return seg, fmt.Errorf("pack %s: %w", seg.Path(), err)
	}
	size, _ := s.sizeOf(packed) // 0 where it has gone on already
	s.used.Add(size - was)
	return packed, nil
}

// startsPacking notes that a segment is being packed, until the function that it returns is called.
func (s *Spool) startsPacking(seg Segment) (ends func()) {
	stem, done := path.Join(seg.Dir, seg.Name.Stem()), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs[stem] = done
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.packs, stem)
		close(done)
	}
}

// packingOf returns what is closed once a segment is no longer being packed.
func (s *Spool) packingOf(seg Segment) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done := s.packs[path.Join(seg.Dir, seg.Name.Stem())]; done != nil {
		return done
	}
	none := make(chan struct{})
	close(none)
	return none
}

// ErrHeld: the segment is being given up, or somebody else works on it.
var ErrHeld = errors.New("the segment is held")

func (s *Spool) pack(seg, packed Segment, ahead *Packing, run func(*Packing) error) error {
	m, err := s.Meta(seg)
	if err != nil {
		return err
	}
	switch {
	case m.givenUp() && m.Bytes != s.Size(seg):
		// giveUp could not write its one line: the text is here.
		was := m
		if m, err = s.describe(seg.Dir, seg.Name); err != nil {
			return err
		}
		m.Key, m.Event = was.Key, was.Event
	case m.givenUp() && s.Exists(packed):
		// giveUp could not remove what its one line stands for.
		if err := durable.Remove(s.root, packed.Path()); err != nil {
			return err
		}
	case s.Exists(packed) || s.Exists(Segment{Dir: seg.Dir, Name: seg.Name.in(Uploaded)}):
		// An earlier try renamed it and could not go on. To pack again would
		// put a file back that may be uploaded by now.
		return s.removePackedText(seg)
	}
	p, err := s.startPacking(seg, m, ahead)
	if err != nil {
		return err
	}
	err = p.finish(m, run)
	if err == nil {
		err = s.SaveMeta(seg, m)
	}
	if err == nil {
		err = p.commit(packed)
	}
	if err != nil {
		return errors.Join(err, p.Drop()) // left there it would take the room that the next try needs
	}
	return s.removeText(seg)
}

// removeText removes the text of a segment whose packed file is durable. It is
// not durable itself on purpose: a text that comes back is removed by Recover.
func (s *Spool) removeText(seg Segment) error {
	if err := durable.Unlink(s.root, seg.Path()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// removePackedText is removeText where nobody knows whether the packed file's
// name is durable. That the name is there says that its bytes are.
func (s *Spool) removePackedText(seg Segment) error {
	if err := durable.SyncDir(s.root, seg.Dir); err != nil {
		return err
	}
	return s.removeText(seg)
}

// Exists reports whether the segment's file is there, in the state of its name.
func (s *Spool) Exists(seg Segment) bool {
	_, err := s.root.Lstat(seg.Path())
	return err == nil
}

// Gone reports whether the segment's file is not there. An error that hides it, as when
// no descriptor is left, says nothing of that.
func (s *Spool) Gone(seg Segment) bool {
	_, err := s.root.Lstat(seg.Path())
	return errors.Is(err, os.ErrNotExist)
}

// create opens a new file for appending. It fails where the name is taken.
func (s *Spool) create(name string) (f *os.File, err error) {
	err = durable.Do("create", name, func() (err error) {
		f, err = s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, fileMode)
		return err
	})
	if err == nil {
		err = s.own(name)
	}
	if err != nil && f != nil {
		err = errors.Join(err, f.Close(), durable.Unlink(s.root, name))
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// OpenSegment opens a segment's file for reading.
func (s *Spool) OpenSegment(seg Segment) (*os.File, error) {
	return durable.OpenRegular(s.root, seg.Path(), os.O_RDONLY, 0)
}

// Size is how many bytes the segment's file has, 0 where there is none any more.
func (s *Spool) Size(seg Segment) int64 {
	size, _ := s.sizeOf(seg)
	return size
}

// There returns since when a segment has been there, no later than now: the time of
// its name or, if that has not come yet because the clock was ahead, of its file. If
// that has not come either the file gets the time now, so that the next process, too,
// counts from the first time that it was seen with the clock set right.
func (s *Spool) There(seg Segment, now time.Time) time.Time {
	if !seg.Name.Time.After(now) {
		return seg.Name.Time
	}
	fi, err := s.root.Lstat(seg.Path())
	if err != nil || !fi.ModTime().After(now) {
		if err != nil {
			return now
		}
		return fi.ModTime()
	}
	_ = s.root.Chtimes(seg.Path(), now, now) // else the next call tries again
	return now
}

// Uploaded turns a packed segment, whose object is confirmed, into an
// uploaded one. Killed before it, the same object is put again, which changes
// nothing. It may be repeated until it succeeds.
func (s *Spool) Uploaded(seg Segment) error {
	done := Segment{Dir: seg.Dir, Name: seg.Name.in(Uploaded)}
	err := durable.Rename(s.root, seg.Path(), done.Path())
	if errors.Is(err, os.ErrNotExist) && s.Exists(done) {
		err = durable.SyncDir(s.root, seg.Dir) // an earlier try renamed it
	}
	if err != nil {
		return fmt.Errorf("mark %s uploaded: %w", seg.Path(), err)
	}
	return nil
}

// Delete removes an uploaded segment, and its directory once that is empty and
// no stream uses it. It may be repeated until it succeeds; a segment that is
// gone already is no error.
//
//	record that it is the last    killed here: see noteDeleted
//	remove the packed file        killed here: Recover removes the Meta
//	remove Meta                   killed here: Recover removes the directory
//	remove .stream.json           killed here: Recover removes the directory
//	remove the directory
//
// None of it is durable by itself: what a power cut brings back is an uploaded
// segment, with or without its Meta, and is deleted again.
func (s *Spool) Delete(seg Segment) error {
	if seg.Name.State != Uploaded {
		return fmt.Errorf("delete %s: it is not uploaded", seg.Path())
	}
	release, ok := s.Hold(seg)
	if !ok { // it is being marked: its directory must not go before that is synced
		return fmt.Errorf("delete %s: %w", seg.Path(), ErrHeld)
	}
	defer release()
	s.noteRemoved(seg)
	defer s.noteDeleted(seg)()
	size, _ := s.sizeOf(seg) // 0 where an earlier try removed it
	for _, name := range []string{seg.Path(), path.Join(seg.Dir, seg.Name.metaName())} {
		if err := durable.Unlink(s.root, name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete: %w", err)
		}
		s.used.Add(-size)
		size = 0
	}
	if err := s.removeUnused(seg.Dir); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// containerDir is how the name of a container's directory ends.
var containerDir = regexp.MustCompile(`-[0-9a-f]{12}$`)

// removeUnused removes a container's directory that holds nothing but its
// description, or not even that. The lock keeps a writer from opening there
// meanwhile. Other empty directories, such as lost+found, are not ours.
func (s *Spool) removeUnused(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writers[dir] != nil {
		return nil
	}
	entries, err := s.readDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	described := false
	for _, e := range entries {
		if e.Name() != streamFile {
			return nil
		}
		described = true
	}
	if described {
		if err := durable.Unlink(s.root, path.Join(dir, streamFile)); err != nil {
			return err
		}
	} else if !containerDir.MatchString(dir) {
		return nil
	}
	return durable.Unlink(s.root, dir)
}
