package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/durable"
)

// DeletedDir is the hidden directory below the spool that says whose segments were deleted.
//
// A remaining segment says by its number that there were earlier ones. If none remains, or
// the numbers began again since, nothing else in the spool says so: Delete writes a record
// when it deletes the last segment of a directory. There is one record a container, an empty
// file whose name holds everything:
//
//	<id>-<first>-<last>
//
// The times are those of the earliest and the latest deleted line that a record was written
// for. A file without content costs no block on a full disk, and needs no sync to be whole:
// neither the record nor the deletion is synced, and a file system with a journal commits
// both in their order. MakeRoom may delete thousands of segments while streams wait for it.
//
// A record stays as long as there are no more than maxDeleted: a plugin is not notified when a
// container is removed, and one that ended a year ago can still be read.
const DeletedDir = ".deleted"

// maxDeleted bounds the records, in memory and in the directory. When there are more, those
// whose lines ended first are removed: they are the least likely to be asked for.
const maxDeleted = 10_000

// deletedTime is the layout of a time in the name of a record.
const deletedTime = "20060102T150405.000000000Z"

var deletedName = regexp.MustCompile(`^([0-9A-Za-z]{1,64})-(\d{8}T\d{6}\.\d{9}Z)-(\d{8}T\d{6}\.\d{9}Z)$`)

// Deleted says which lines of a container were deleted: at least some from From to To. What was
// before From was deleted as well.
type Deleted struct{ From, To time.Time }

func (d Deleted) name(id string) string {
	return fmt.Sprintf("%s-%s-%s", id, d.From.UTC().Format(deletedTime), d.To.UTC().Format(deletedTime))
}

// join returns what both say.
func (d Deleted) join(other Deleted) Deleted {
	if other.From.Before(d.From) {
		d.From = other.From
	}
	if other.To.After(d.To) {
		d.To = other.To
	}
	return d
}

// deletedRecords are the records of a spool.
type deletedRecords struct {
	most int // see maxDeleted

	writing sync.Mutex   // owns what follows; is held while a record is written
	dir     durable.Root // nil: not open yet
	failing bool         // the last record could not be written, and that was logged

	mu sync.Mutex         // is never held while the disk is waited for; inside writing
	of map[string]Deleted // by the container's id, owned by mu
}

// load reads the records of earlier processes. What has no record's name is left alone.
func (r *deletedRecords) load(s *Spool) error {
	r.most, r.of = maxDeleted, map[string]Deleted{}
	entries, err := s.readDir(DeletedDir)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	for _, e := range entries {
		if id, d, ok := parseDeleted(e.Name()); ok {
			if was, twice := r.of[id]; twice {
				d = d.join(was)
			}
			r.of[id] = d
		}
	}
	return err
}

func parseDeleted(name string) (id string, d Deleted, ok bool) {
	m := deletedName.FindStringSubmatch(name)
	if m == nil {
		return "", Deleted{}, false
	}
	from, fromErr := time.Parse(deletedTime, m[2])
	to, toErr := time.Parse(deletedTime, m[3])
	return m[1], Deleted{from, to}, fromErr == nil && toErr == nil
}

// Deleted returns which lines of the container with this id were deleted, and whether that is
// known. It may say nothing of deleted segments that others follow in their directory.
func (s *Spool) Deleted(id string) (Deleted, bool) {
	s.deleted.mu.Lock()
	defer s.deleted.mu.Unlock()
	d, ok := s.deleted.of[id]
	return d, ok
}

// lastOf returns what is deleted with a segment, if none follows it in its directory.
// It reports false as well if the directory is missing already, or the container is not known.
func (s *Spool) lastOf(seg Segment) (id string, d Deleted, last bool, err error) {
	follows, err := s.follows(seg)
	if errors.Is(err, os.ErrNotExist) {
		return "", Deleted{}, false, nil
	}
	if err != nil || follows {
		return "", Deleted{}, false, err
	}
	m, err := s.Look(seg)
	d = Deleted{m.First, m.Last}
	if err != nil {
		d = Deleted{seg.Name.Time, seg.Name.Time}
	}
	_, _, known := parseDeleted(d.name(m.Stream.ID))
	return m.Stream.ID, d, known, nil
}

// follows reports whether a segment with a higher number is in the same directory. It reads
// the directory in small pieces: nearly always the first one has the answer.
func (s *Spool) follows(seg Segment) (bool, error) {
	dir, err := s.root.OpenFile(seg.Dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(32)
		for _, e := range entries {
			if n, ok := ParseName(e.Name()); ok && n.Seq > seg.Name.Seq {
				return true, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// noteDeleted records that a segment is about to be deleted, if none follows it in its
// directory. It never keeps the segment from being deleted: without the record docker logs
// lacks a notice, and without the deletion a disk may stay full. Call the function that it
// returns after the deletion, which may have made the room that the record needs.
//
//	[mkdir .deleted, fsync]
//	create the record, or rename the one before  killed here: the segment is still there,
//	                                             and no older than the record says
//	(delete the segment)
func (s *Spool) noteDeleted(seg Segment) (again func()) {
	id, d, last, err := s.lastOf(seg)
	if err == nil && last {
		err = s.deleted.note(s, id, d)
	}
	return func() {
		if err != nil && last {
			err = s.deleted.note(s, id, d)
		}
		if err != nil || last {
			s.deletedNoted(seg, err)
		}
	}
}

// deletedNoted logs the first failure to write a record, and the next one once a record was
// written in between.
func (s *Spool) deletedNoted(seg Segment, err error) {
	s.deleted.writing.Lock()
	defer s.deleted.writing.Unlock()
	if err != nil && !s.deleted.failing {
		s.log.Warn("cannot record which lines were deleted: "+
			"after a restart docker logs may not say that they are missing",
			"segment", seg.Path(), "dir", DeletedDir, "err", err)
	}
	s.deleted.failing = err != nil
}

// note writes the record of a container, together with what its record says already.
func (r *deletedRecords) note(s *Spool, id string, d Deleted) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	was, known := r.of[id]
	r.mu.Unlock()
	if known {
		if d = d.join(was); d.name(id) == was.name(id) {
			return nil
		}
	}
	if r.dir == nil {
		dir, err := s.State(DeletedDir)
		if err != nil {
			return err
		}
		r.dir = dir
	}
	err := os.ErrNotExist
	if known {
		err = durable.Do("rename", d.name(id), func() error { return r.dir.Rename(was.name(id), d.name(id)) })
	}
	if errors.Is(err, os.ErrNotExist) { // or another program has removed it
		err = durable.Do("create", d.name(id), func() error {
			f, err := durable.OpenRegular(r.dir, d.name(id), os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			return f.Close()
		})
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.of[id] = d
	r.mu.Unlock()
	return r.evictLocked()
}

// evictLocked removes the oldest records if there are too many, and some more, so that the
// next record does not evict again. The caller holds writing.
func (r *deletedRecords) evictLocked() error {
	r.mu.Lock()
	var ids []string
	if len(r.of) > r.most {
		for id := range r.of {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b string) int {
			if c := r.of[a].To.Compare(r.of[b].To); c != 0 {
				return c
			}
			return strings.Compare(a, b)
		})
		ids = ids[:len(ids)-r.most+r.most/16]
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = r.of[id].name(id)
		delete(r.of, id)
	}
	r.mu.Unlock()
	var errs []error
	for _, name := range names {
		if err := durable.Unlink(r.dir, name); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err) // the next process reads it again
		}
	}
	return errors.Join(errs...)
}

func (r *deletedRecords) close() error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.dir == nil {
		return nil
	}
	return r.dir.Close()
}
