package incident

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/internal/durable"
)

// StateDir is the hidden directory below the spool in which incidents are on
// their way from the fast track to the store.
const StateDir = ".incidents"

// Record is what capture knows of an event of the fast track: ship makes the
// incident of it and of its members.
type Record struct {
	ID     string    `json:"id"`
	Host   string    `json:"host"`
	Scope  string    `json:"scope"` // container, group or host
	Name   string    `json:"name"`  // of the scope in the fast track
	First  time.Time `json:"first"` // of the first error
	Last   time.Time `json:"last"`  // of the last
	Closed Closed    `json:"closed,omitempty"`
	At     time.Time `json:"at,omitzero"` // when it was closed

	// Members are the segments that belong to it, known once it is closed.
	Members []Member `json:"members,omitempty"`
	Missing int      `json:"-"` // members that are gone; see Incident.Missing
}

// Member is a segment of the spool.
type Member struct {
	Dir  string `json:"dir"`
	Stem string `json:"stem"` // its name without what tells the state
}

// State is how far an incident has come. It shows in the file's name.
type State string

// The states, in the order of an incident's life.
const (
	Open     State = "open"          // a Record; a segment that belongs to it may have been sealed
	Closing  State = "closed"        // a Record, complete
	Built    State = "json"          // the Event, as it goes into the store
	Uploaded State = "uploaded.json" // the Event; it is in the store and announced
)

// Entry is one file of the directory.
type Entry struct {
	ID    string
	State State
}

// Dir is the directory of an open spool. Its methods may be called from several
// goroutines; each incident belongs to one at a time: to capture until it is
// closed, to ship from then on. Each may be repeated until it succeeds.
type Dir struct {
	open func() (durable.Root, error)

	mu   sync.Mutex   // held while the directory is opened, never while it is used
	root durable.Root // nil until it is open; owned by mu
}

// NewDir takes what Spool.State has opened.
func NewDir(root durable.Root) *Dir { return &Dir{root: root} }

// OpenDir opens the directory when it is needed first: a disk on which that is not
// possible yet keeps nothing else from working. Each method tries again.
func OpenDir(open func() (durable.Root, error)) *Dir { return &Dir{open: open} }

// Ready opens the directory, unless that has been done.
func (d *Dir) Ready() error {
	_, err := d.at()
	return err
}

func (d *Dir) at() (durable.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root != nil {
		return d.root, nil
	}
	root, err := d.open()
	if err != nil {
		return nil, fmt.Errorf("open the incidents: %w", err)
	}
	d.root = root
	return root, nil
}

// Stamp is the layout of the time in an ID: UTC, microseconds.
const Stamp = "20060102T150405.000000Z"

// NewID makes an incident's ID, of the time of its first error and of chance.
func NewID(first time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return first.UTC().Format(Stamp) + "-" + hex.EncodeToString(b[:])
}

var namePattern = regexp.MustCompile(`^(\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8})\.(open|closed|json|uploaded\.json)$`)

// TimeOf returns the time in an ID.
func TimeOf(id string) (time.Time, error) {
	stamp, _, _ := strings.Cut(id, "-")
	return time.Parse(Stamp, stamp)
}

func (e Entry) file() string { return e.ID + "." + string(e.State) }

// Close gives the directory up.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return nil
	}
	return d.root.Close()
}

// List returns what is there, sorted by time. An incident that was found between
// two states is in the later one, and what is left of the earlier one goes:
//
//	capture has closed it again after an error that was none   Close
//	killed between the write of the event and the removal      Build
func (d *Dir) List() ([]Entry, error) {
	root, err := d.at()
	if err != nil {
		return nil, err
	}
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []Entry
	var errs []error
	for _, name := range names {
		m := namePattern.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		e := Entry{m[1], State(m[2])}
		if (e.State == Open || e.State == Closing) &&
			(slices.Contains(names, Entry{e.ID, Built}.file()) ||
				slices.Contains(names, Entry{e.ID, Uploaded}.file())) {
			errs = append(errs, d.remove(e))
			continue
		}
		all = append(all, e)
	}
	return all, errors.Join(errs...)
}

// Unbuilt returns the incidents that are still to be made of their segments.
func (d *Dir) Unbuilt() (map[string]bool, error) {
	all, err := d.List()
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, e := range all {
		if e.State == Open || e.State == Closing {
			ids[e.ID] = true
		}
	}
	return ids, nil
}

// Clean removes what a crash has left of a write. Nobody may be writing.
func (d *Dir) Clean() error {
	root, err := d.at()
	if err != nil {
		return err
	}
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	var errs []error
	for _, name := range names {
		if durable.IsTemp(name) {
			errs = append(errs, durable.Unlink(root, name))
		}
	}
	return errors.Join(append(errs, err)...)
}

// MarkOpen notes durably that there is an event, before the first segment that
// belongs to it is sealed.
//
//	write r to <id>.open   killed before: no segment names the event
//	                       killed after: its segments name it, or seal later
func (d *Dir) MarkOpen(r *Record) error { return d.write(Entry{r.ID, Open}, r) }

// MarkClosed hands the event over to ship. All its members are sealed.
//
//	write r to <id>.open          killed here: the next life closes it again
//	rename to <id>.closed, fsync  killed here: it is ship's
func (d *Dir) MarkClosed(r *Record) error {
	root, err := d.at()
	if err != nil {
		return err
	}
	open, closed := Entry{r.ID, Open}, Entry{r.ID, Closing}
	if _, err := root.Lstat(open.file()); errors.Is(err, os.ErrNotExist) {
		return durable.SyncDir(root, ".") // an earlier try has renamed it
	} else if err != nil {
		return fmt.Errorf("close incident %s: %w", r.ID, err)
	}
	if err := d.write(open, r); err != nil {
		return err
	}
	return durable.Rename(root, open.file(), closed.file())
}

// Drop forgets an event without members.
func (d *Dir) Drop(id string) error { return d.remove(Entry{id, Open}) }

// Build keeps the event that tells of a closed incident. It never changes from
// then on, so that putting it can be repeated.
//
//	write e to <id>.json   killed here: List removes <id>.closed
//	remove <id>.closed
func (d *Dir) Build(id string, event []byte) error {
	root, err := d.at()
	if err != nil {
		return err
	}
	if err := durable.WriteFile(root, Entry{id, Built}.file(), event, 0o600); err != nil {
		return fmt.Errorf("keep incident %s: %w", id, err)
	}
	return d.remove(Entry{id, Closing})
}

// MarkUploaded notes that the incident is in the store and announced. Killed
// before it, both are done again, which changes nothing.
func (d *Dir) MarkUploaded(id string) error {
	root, err := d.at()
	if err != nil {
		return err
	}
	built, uploaded := Entry{id, Built}, Entry{id, Uploaded}
	err = durable.Rename(root, built.file(), uploaded.file())
	if errors.Is(err, os.ErrNotExist) && exists(root, uploaded) {
		err = durable.SyncDir(root, ".") // an earlier try has renamed it
	}
	if err != nil {
		return fmt.Errorf("mark incident %s uploaded: %w", id, err)
	}
	return nil
}

// Delete removes an uploaded incident.
func (d *Dir) Delete(id string) error { return d.remove(Entry{id, Uploaded}) }

// Record reads the record of an open or closed incident.
func (d *Dir) Record(e Entry) (*Record, error) {
	r := &Record{}
	data, err := d.Read(e)
	if err == nil {
		err = json.Unmarshal(data, r)
	}
	if err == nil && r.ID != e.ID {
		err = errors.New("it names another incident")
	}
	if read := (*os.PathError)(nil); err != nil && !errors.As(err, &read) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read incident %s: %w", e.file(), err)
	}
	return r, nil
}

// ErrDamaged: an incident's file does not hold what it should. Its segments name it
// all the same.
var ErrDamaged = errors.New("the file is damaged")

// Event reads the event of an incident that is built or uploaded, and its bytes.
func (d *Dir) Event(e Entry) (*Event, []byte, error) {
	event := &Event{}
	data, err := d.Read(e)
	if err != nil {
		return nil, nil, fmt.Errorf("read incident %s: %w", e.file(), err)
	}
	if err = json.Unmarshal(data, event); err == nil && event.ID != e.ID {
		err = errors.New("it names another incident")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read incident %s: %w: %w", e.file(), ErrDamaged, err)
	}
	return event, data, nil
}

// Forget removes an incident of which nothing is left to tell.
func (d *Dir) Forget(e Entry) error { return d.remove(e) }

// There returns since when an incident has been there, no later than now: the time
// of its ID or, if that has not come yet because the clock was ahead, of its file. If
// that has not come either the file gets the time now, as a segment's does.
func (d *Dir) There(e Entry, now time.Time) time.Time {
	if at, err := TimeOf(e.ID); err == nil && !at.After(now) {
		return at
	}
	fi, err := d.root.Lstat(e.file())
	if err != nil {
		return now
	}
	if !fi.ModTime().After(now) {
		return fi.ModTime()
	}
	_ = d.root.Chtimes(e.file(), now, now) // else the next call tries again
	return now
}

// Read returns a file's bytes.
func (d *Dir) Read(e Entry) ([]byte, error) {
	root, err := d.at()
	if err != nil {
		return nil, err
	}
	return durable.ReadFile(root, e.file())
}

func (d *Dir) write(e Entry, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	root, err := d.at()
	if err != nil {
		return err
	}
	if err := durable.WriteFile(root, e.file(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("note incident %s: %w", e.ID, err)
	}
	return nil
}

func exists(root durable.Root, e Entry) bool {
	_, err := root.Lstat(e.file())
	return err == nil
}

func (d *Dir) remove(e Entry) error {
	root, err := d.at()
	if err != nil {
		return err
	}
	if err := durable.Remove(root, e.file()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove incident %s: %w", e.file(), err)
	}
	return nil
}
