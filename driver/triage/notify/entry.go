package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
)

// state is what became of an event at a target. A transition is one rename.
type state string

const (
	waiting state = "waiting"
	told    state = "told"
	folded  state = "folded"
	givenUp state = "given-up"
)

// stamp is the layout of the times in the names: UTC, milliseconds.
const stamp = "20060102T150405.000Z"

const fileMode = 0o600

// entry is one event in one target's directory. Its queue owns it.
type entry struct {
	key   string // id and type: the file's name without its state
	state state
	at    time.Time // since when it is in that state, as its name has it
	mono  time.Time // the same on this process's monotonic clock, which no one sets; see clock
	file  string    // the name that the file has on disk
	size  int64
	brief

	sending   bool      // it is on its way: leave it alone
	tried     bool      // by this process
	failures  int       // attempts to tell it alone, in this process
	notBefore time.Time // the next of them
	err       error     // why the last of them failed
}

// brief is what is kept in memory of an event.
type brief struct {
	typ      string
	id       string
	host     string
	lead     incident.Fingerprint // that failed most often, of the app that is the cause; zero: none
	kind     string               // of most of the errors
	kinds    []string             // of all fingerprints
	cause    string               // what failed, in a few words; "" if the log does not say
	errors   int64
	byStatus map[string]int64
	first    time.Time
	last     time.Time
}

func briefOf(e *incident.Event) brief {
	b := brief{
		typ: e.Type, id: e.Data.ID, host: e.Data.Host,
		errors: e.Data.Errors, byStatus: e.Data.ByStatus, first: e.Data.First, last: e.Data.Last,
	}
	for i := range e.Data.Fingerprints {
		for _, k := range e.Data.Fingerprints[i].ByKind() {
			if !slices.Contains(b.kinds, k.ID) {
				b.kinds = append(b.kinds, k.ID)
			}
		}
	}
	if len(e.Data.Fingerprints) > 0 {
		b.lead = e.Data.Fingerprints[0]
		b.kind = b.lead.ByKind()[0].ID
		if c, of := e.Data.CauseOf(b.kind); c != nil {
			b.cause, b.lead = c.Short(), *of
		}
	}
	if len(b.kinds) == 0 && len(e.Data.Samples) > 0 {
		s := &e.Data.Samples[0]
		b.lead.ID, b.lead.Status = s.Fingerprint, s.Status
		b.kind = s.Fingerprint
		b.kinds = append(b.kinds, b.kind)
	}
	if b.lead.App == "" {
		b.lead.App = e.Subject
	}
	return b
}

func keyOf(id, typ string) string {
	if typ == incident.TypeOpened {
		return id + "-opened"
	}
	return id + "-shipped"
}

// wanted is the name that says what the entry is in memory.
func (e *entry) wanted() string {
	return e.key + "." + string(e.state) + "-" + e.at.UTC().Format(stamp)
}

// become changes the entry in memory; save makes it so on disk.
func (e *entry) become(s state, at time.Time) {
	e.state, e.at, e.mono = s, at.UTC().Truncate(time.Millisecond), at
}

// clock is since when the entry is in its state, as far as this process can measure:
// the wall clock may have been set meanwhile.
func (e *entry) clock() time.Time {
	if e.mono.IsZero() {
		return e.at
	}
	return e.mono
}

// loaded places an entry of an earlier process on this process's monotonic clock.
// One that waits since a time that has not come yet waits since now.
func (e *entry) loaded(now time.Time) {
	since := e.at.Sub(now)
	if e.state == waiting {
		since = min(since, 0)
	}
	e.mono = now.Add(since)
}

var entryName = regexp.MustCompile(
	`^([A-Za-z0-9][A-Za-z0-9._-]*)\.(waiting|told|folded|given-up)-(\d{8}T\d{6}\.\d{3}Z)$`)

func parseEntry(file string) (*entry, bool) {
	m := entryName.FindStringSubmatch(file)
	if m == nil {
		return nil, false
	}
	at, err := time.Parse(stamp, m[3])
	if err != nil {
		return nil, false
	}
	return &entry{key: m[1], state: state(m[2]), at: at, file: file}, true
}

// load reads a target's directory: what the process before left, in the order
// of time. A file that no process of ours has finished goes.
func load(dir durable.Root) ([]*entry, error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	files, err := d.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var all []*entry
	for _, f := range files {
		if durable.IsTemp(f.Name()) { // killed in Add: whoever added does so again
			if err := durable.Unlink(dir, f.Name()); err != nil {
				return nil, err
			}
			continue
		}
		e, ok := parseEntry(f.Name())
		if !ok {
			continue
		}
		if fi, err := f.Info(); err == nil {
			e.size = fi.Size()
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return a.at.Compare(b.at) })
	// A process may have died before it knew that a name was durable; it is now.
	return all, durable.SyncDir(dir, ".")
}

// read returns the event and its bytes.
func read(dir durable.Root, e *entry) (*incident.Event, []byte, error) {
	body, err := durable.ReadFile(dir, e.file)
	if err != nil {
		return nil, nil, err
	}
	var event incident.Event
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", e.file, err)
	}
	return &event, body, nil
}

// save gives the entries' files the names of what the entries became, and
// returns those for which it could not. It may be repeated with them.
//
//	rename each         killed here: the others are as they were. A message was
//	fsync directory     told then and is told again, or what is left of it: at
//	                    least once is what is promised.
func save(dir durable.Root, all []*entry) (left []*entry, err error) {
	var errs []error
	moved := false
	for _, e := range all {
		to := e.wanted()
		if e.file == to {
			continue
		}
		err := durable.Do("rename", to, func() error { return dir.Rename(e.file, to) })
		if err != nil && !errors.Is(err, os.ErrNotExist) { // an earlier try renamed it, or somebody removed it
			errs = append(errs, err)
			left = append(left, e)
			continue
		}
		e.file, moved = to, true
	}
	if moved {
		if err := durable.SyncDir(dir, "."); err != nil {
			errs = append(errs, err)
		}
	}
	return left, errors.Join(errs...)
}
