package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

const (
	listings = 8  // prefixes that are listed at once
	asked    = 32 // objects that are asked for their attributes at once
	maxDays  = 366
)

// Segments returns what may hold lines that the query wants, sorted by time. The
// spool is looked at first: what leaves it meanwhile is in the store by then.
// Close the list.
func (a *Archive) Segments(ctx context.Context, q Query) (*List, error) {
	l := &List{a: a, since: q.Since, keys: map[string]bool{}, stems: map[string]map[string]bool{}}
	if err := l.find(ctx, q); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// List is segments in the order of time. It holds the active ones open.
type List struct {
	a        *Archive
	Segments []*Segment
	Foreign  []string // keys of objects that logfast did not write, which are left out

	// What was there, wanted or not, for a follower to tell what is new.
	since time.Time                  // of the query
	keys  map[string]bool            // in the store, from the day of since on
	stems map[string]map[string]bool // of sealed segments, by directory of the spool
}

// Close closes what the list holds open.
func (l *List) Close() {
	for _, s := range l.Segments {
		if s.file != nil {
			s.file.Close() // nothing was written to it
		}
	}
	l.Segments = nil
}

func (l *List) find(ctx context.Context, q Query) error {
	if l.a.cfg.Spool != nil {
		if err := l.spool(q); err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
	}
	if l.a.cfg.Store != nil {
		found, err := l.list(ctx, &q)
		if err != nil {
			return err
		}
		l.join(found)
		if err := l.settle(ctx, &q); err != nil {
			return err
		}
	}
	sortByTime(l.Segments)
	return nil
}

// spool finds the segments of the spool. It does not open those that are
// outside the query by their name alone.
func (l *List) spool(q Query) error {
	dirs, err := l.a.cfg.Spool.Dirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := l.directory(dir, &q); err != nil {
			l.a.warn(dir, err)
		}
	}
	return nil
}

// directory finds the segments of one directory. The active one is opened
// between two looks at the others: where it was sealed meanwhile it may be
// another than it was, so all is done again.
func (l *List) directory(dir string, q *Query) error {
	for {
		segments, err := l.a.cfg.Spool.Segments(dir)
		if err != nil {
			return err
		}
		n := len(segments)
		if n == 0 || segments[n-1].Name.State != spool.Active {
			l.sealed(dir, segments, q)
			return nil
		}
		active, err := l.active(segments[n-1], q)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		again, err := l.a.cfg.Spool.Segments(dir)
		if err == nil && len(again) > 0 && highest(again) == highest(segments) {
			l.sealed(dir, segments[:n-1], q)
			if active != nil {
				l.Segments = append(l.Segments, active)
			}
			return nil
		}
		if active != nil {
			active.file.Close()
		}
		if err != nil {
			return err
		}
	}
}

// highest is the last number of a sealed segment.
func highest(segments []spool.Segment) int {
	for _, seg := range slices.Backward(segments) {
		if seg.Name.State != spool.Active {
			return seg.Name.Seq
		}
	}
	return 0
}

func (l *List) sealed(dir string, segments []spool.Segment, q *Query) {
	l.stems[dir] = map[string]bool{}
	for _, seg := range segments {
		l.stems[dir][seg.Name.Stem()] = true
		byName := Segment{First: seg.Name.Time}
		if q.time(&byName) == no {
			continue
		}
		m, err := l.a.cfg.Spool.Look(seg)
		s := fromSpool(seg, m, err == nil)
		// A store that is named says itself what it has: it may be another than then.
		s.InStore = l.a.cfg.Store == nil && l.a.cfg.Spool.Uploaded(seg)
		if q.judge(s) != no {
			l.Segments = append(l.Segments, s)
		}
	}
}

// active opens the active segment; nil where it is not wanted, or has no
// record yet.
func (l *List) active(seg spool.Segment, q *Query) (*Segment, error) {
	m, _ := l.a.cfg.Spool.Look(seg) // never complete
	s := fromSpool(seg, m, false)
	if q.judge(s) == no {
		return nil, nil
	}
	f, _, err := l.a.cfg.Spool.Open(seg)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil || fi.Size() == 0 {
		return nil, errors.Join(err, f.Close())
	}
	s.file, s.Size, s.Bytes = f, fi.Size(), fi.Size()
	s.First = firstTime(f, s.Stream.Format)
	if s.First.IsZero() {
		s.First = fi.ModTime() // nobody knows; it comes last
	}
	return s, nil
}

// list finds the segments of the store by key.
func (l *List) list(ctx context.Context, q *Query) ([]*Segment, error) {
	a := l.a
	var mu sync.Mutex // owns found and l.keys
	var found []*Segment
	take := func(e store.Entry) bool {
		mu.Lock()
		defer mu.Unlock()
		if s := fromKey(a.keys, e); q.judge(s) != no {
			found = append(found, s)
		}
		l.keys[e.Key] = true
		return true
	}
	prefixes := a.prefixes(q, time.Now())
	err := together(ctx, len(prefixes), listings, func(ctx context.Context, i int) error {
		return a.entries(ctx, prefixes[i], take)
	})
	if err != nil || len(found) > 0 {
		return found, err
	}
	// Where no key at all is of this template, keys are of another one.
	root := a.keys.Prefix(nil)
	used := root == ""
	err = a.entries(ctx, root, func(store.Entry) bool { used = true; return false })
	if err != nil || used {
		return nil, err
	}
	err = a.entries(ctx, "", func(e store.Entry) bool { return strings.HasPrefix(e.Key, incidents) || take(e) })
	return found, err
}

// prefixes are what begins all keys that the query can want.
func (a *Archive) prefixes(q *Query, now time.Time) []string {
	known := map[string]string{}
	for name, wanted := range map[string][]string{"host": q.Hosts, "app": q.Apps, "group": q.Groups} {
		if value, ok := only(wanted); ok {
			known[name] = value
		}
	}
	whole := []string{a.keys.Prefix(known)}
	if q.Since.IsZero() {
		return whole
	}
	until := now
	if !q.Until.IsZero() {
		until = q.Until
	}
	days := days(q.Since, until.Add(slack))
	if len(days) > maxDays {
		return whole
	}
	var prefixes []string
	for _, day := range days {
		known["dt"] = day
		prefixes = append(prefixes, a.keys.Prefix(known))
	}
	return slices.Compact(prefixes) // one, where the day comes too late in a key
}

// days lists the UTC days of a range, as keys have them.
func days(from, to time.Time) (days []string) {
	for day := from.UTC().Truncate(24 * time.Hour); !day.After(to) && len(days) <= maxDays; day = day.AddDate(0, 0, 1) {
		days = append(days, day.Format("2006-01-02"))
	}
	return days
}

// entries calls f for the store's entries until it returns false. What fails on
// the way goes on where it was.
func (a *Archive) entries(ctx context.Context, prefix string, f func(store.Entry) bool) error {
	after := ""
	return retry(ctx, func() error {
		for e, err := range a.cfg.Store.List(ctx, prefix, after) {
			if err != nil {
				return err
			}
			after = e.Key
			a.progress.Listed.Add(1)
			if !f(e) {
				break
			}
		}
		return nil
	})
}

// join adds what the store has and the spool does not.
func (l *List) join(found []*Segment) {
	byKey, byIdentity := map[string]*Segment{}, map[string]*Segment{}
	for _, s := range l.Segments {
		if s.Key != "" {
			byKey[s.Key] = s
		}
		if id := s.identity(); id != "" {
			byIdentity[id] = s
		}
	}
	for _, s := range found {
		same := byKey[s.Key]
		if same == nil && s.identity() != "" {
			same = byIdentity[s.identity()]
		}
		if same != nil {
			same.InStore, same.Key = true, s.Key
			continue
		}
		l.Segments = append(l.Segments, s)
	}
}

// settle asks the store about the segments of which the keys say too little.
func (l *List) settle(ctx context.Context, q *Query) error {
	var open []*Segment
	for _, s := range l.Segments {
		if !s.knows("id") || q.judge(s) == maybe {
			open = append(open, s)
		}
	}
	if err := l.a.ask(ctx, open); err != nil {
		return err
	}
	l.Segments = slices.DeleteFunc(l.Segments, func(s *Segment) bool {
		if s.foreign {
			l.Foreign = append(l.Foreign, s.Key)
		}
		return s.foreign || s.gone || q.judge(s) == no
	})
	slices.Sort(l.Foreign)
	return nil
}

// Describe completes what is known about every segment of the list.
func (l *List) Describe(ctx context.Context) error {
	if err := l.a.ask(ctx, l.Segments); err != nil {
		return err
	}
	l.Segments = slices.DeleteFunc(l.Segments, func(s *Segment) bool { return s.gone })
	for _, s := range l.Segments {
		if s.Active && s.Lines < 0 {
			s.countLines()
		}
	}
	return nil
}

// describe completes a segment, and says what of its metadata is left out.
func (a *Archive) describe(s *Segment, attrs store.Attributes) (ours bool) {
	ours, err := s.describe(attrs)
	if err != nil && ours {
		a.note(s.Key, err)
	}
	return ours
}

// ask reads the attributes of those objects of which it has not been done yet.
func (a *Archive) ask(ctx context.Context, segments []*Segment) error {
	var open []*Segment
	for _, s := range segments {
		if !s.described {
			open = append(open, s)
		}
	}
	return together(ctx, len(open), asked, func(ctx context.Context, i int) error {
		s := open[i]
		var attrs store.Attributes
		err := retry(ctx, func() (err error) {
			attrs, err = a.cfg.Store.Head(ctx, s.Key)
			return err
		})
		a.progress.Asked.Add(1)
		switch {
		case errors.Is(err, store.ErrNotFound):
			s.gone = true // deleted since it was listed
		case err != nil:
			return err
		default:
			s.foreign = !a.describe(s, attrs)
		}
		return nil
	})
}

// sortByTime sorts segments by their first lines; of one container by their
// numbers, unless these have begun anew. The pieces of a long line all bear its
// first time, so a segment may begin a little before the one that it follows.
func sortByTime(all []*Segment) {
	slices.SortStableFunc(all, func(x, y *Segment) int {
		return cmp.Or(x.First.Compare(y.First), cmp.Compare(x.container(), y.container()), cmp.Compare(x.Seq, y.Seq))
	})
	last := map[string][]*Segment{}
	for _, s := range all {
		of := last[s.container()]
		of = append(of, s)
		for i := len(of) - 1; i > 0 && of[i].Seq > 0 && of[i].Seq < of[i-1].Seq &&
			of[i].First.Sub(of[i-1].First) < slack; i-- {
			of[i], of[i-1] = of[i-1], of[i]
		}
		last[s.container()] = of
	}
	for _, of := range last {
		for i, s := range of {
			s.order = i
		}
	}
}
