package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/ship"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/wake"
	"github.com/logfast/logfast/plugin/control"
)

// uploads tells whoever listens which segments are in the store. Its zero value
// is ready.
type uploads struct {
	mu        sync.Mutex
	listeners map[*listener]bool // owned by mu
}

// listener collects what was told since it listens.
type listener struct {
	mu    sync.Mutex
	heard []ship.Shipped // owned by mu
	more  chan struct{}  // heard has grown
}

func (u *uploads) listen() (l *listener, end func()) {
	l = &listener{more: make(chan struct{}, 1)}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.listeners == nil {
		u.listeners = map[*listener]bool{}
	}
	u.listeners[l] = true
	return l, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.listeners, l)
	}
}

func (u *uploads) tell(s ship.Shipped) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for l := range u.listeners {
		l.mu.Lock()
		l.heard = append(l.heard, s)
		l.mu.Unlock()
		wake.Up(l.more)
	}
}

func (l *listener) take() []ship.Shipped {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}

// flushTick is how often a flush says why it still waits, and looks whether
// somebody removed what it waits for.
const flushTick = time.Second

// flush seals what the containers have written by now, ships it and what else
// of theirs is pending, and tells each step.
func (o *operator) flush(ctx context.Context, names []string, tell func(control.Flush)) error {
	containers, err := o.resolve(names)
	if err != nil {
		return err
	}
	uploads, end := o.uploads.listen() // before the seal: nothing that it seals is missed
	defer end()
	var ids, dirs []string
	for _, c := range containers {
		ids = append(ids, c.ID)
		dirs = append(dirs, dirOf(c))
	}
	wanted := func(dir string) bool { return len(names) == 0 || slices.Contains(dirs, dir) }
	o.settle(ctx, ids)
	sealErr := o.capture.Seal(ids...)
	pending, err := o.pending(wanted)
	o.shipper.Wake()
	o.shipper.Retry()
	if err = errors.Join(sealErr, err); err != nil {
		return err
	}
	f := flusher{operator: o, tell: tell, wanted: wanted, waiting: map[string]control.Segment{}}
	all := []control.Segment{}
	for _, at := range pending {
		f.waiting[stem(at.seg)] = at.Segment
		all = append(all, at.Segment)
	}
	// What was shipped while the spool was listed is not in the list.
	early := uploads.take()
	for _, s := range early {
		if _, listed := f.waiting[stem(s.Segment)]; !listed && wanted(s.Segment.Dir) {
			at := o.describe(s.Segment, s.Meta)
			f.waiting[stem(s.Segment)] = at
			all = append(all, at)
		}
	}
	tell(control.Flush{Sealed: all})
	return f.wait(ctx, uploads, early)
}

// flusher waits for segments.
type flusher struct {
	*operator
	tell    func(control.Flush)
	wanted  func(dir string) bool
	waiting map[string]control.Segment // by stem
	missing map[string]bool            // of these, by stem: not found when it was looked last
}

func (f *flusher) wait(ctx context.Context, uploads *listener, heard []ship.Shipped) error {
	tick := time.NewTicker(flushTick)
	defer tick.Stop()
	for {
		for _, s := range heard {
			if _, ours := f.waiting[stem(s.Segment)]; ours {
				at := f.describe(s.Segment, s.Meta)
				at.Bytes = s.Size
				delete(f.waiting, stem(s.Segment))
				f.tell(control.Flush{Shipped: &at})
			}
		}
		if len(f.waiting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-uploads.more:
		case <-tick.C:
			if err := f.look(); err != nil {
				return err
			}
		}
		heard = uploads.take()
	}
}

// look says why segments are still waiting, and which are gone.
func (f *flusher) look() error {
	h, err := f.shipper.Health()
	if err != nil {
		return err
	}
	there, err := f.pending(f.wanted)
	if err != nil {
		return err
	}
	all := map[string]bool{}
	for _, at := range there {
		all[stem(at.seg)] = true
	}
	uploaded, err := f.spool.List(spool.Uploaded)
	if err != nil {
		return err
	}
	for _, seg := range uploaded {
		all[stem(seg)] = true // its upload is about to be heard of
	}
	// Twice, for a listing may miss a segment on its way from one state to the
	// next, and an uploaded copy may be deleted before its upload is heard of.
	missing := map[string]bool{}
	for s, at := range f.waiting {
		switch {
		case all[s]:
		case f.missing[s]:
			delete(f.waiting, s)
			f.tell(control.Flush{Gone: &at})
		default:
			missing[s] = true
		}
	}
	f.missing = missing
	switch {
	case h.Blocked != nil:
		f.tell(control.Flush{Waiting: h.Blocked.Error()})
	case h.LastError != nil:
		f.tell(control.Flush{Waiting: h.LastError.Error()})
	}
	return nil
}

type pendingSegment struct {
	seg spool.Segment
	control.Segment
}

// pending lists the segments that wait for the store in the directories wanted.
func (o *operator) pending(wanted func(dir string) bool) ([]pendingSegment, error) {
	segs, err := o.spool.List(spool.Sealed, spool.Packed)
	if err != nil {
		return nil, err
	}
	var all []pendingSegment
	for _, seg := range segs {
		if !wanted(seg.Dir) {
			continue
		}
		m, _ := o.spool.Meta(seg) // ship makes one where it can, and says what is wrong
		all = append(all, pendingSegment{seg, o.describe(seg, m)})
	}
	return all, nil
}

func (o *operator) describe(seg spool.Segment, m *spool.Meta) control.Segment {
	s := control.Segment{Path: seg.Path(), Container: seg.Dir}
	if m != nil {
		s.Container, s.Key, s.Bytes = m.Stream.Name, m.Key, m.Bytes
		s.Object = o.cfg.objectURL(m.Key)
	}
	return s
}

// resolve finds the containers of these names among those that are read and
// those of which the spool has segments.
func (o *operator) resolve(names []string) ([]control.Container, error) {
	if len(names) == 0 {
		return nil, nil
	}
	known := map[control.Container]bool{}
	for _, s := range o.capture.Snapshot().Streams {
		known[control.Container{Name: s.Name, ID: s.ID}] = true
	}
	segs, err := o.spool.All()
	if err != nil {
		return nil, fmt.Errorf("list the spool: %w", err)
	}
	seen := map[string]bool{}
	for _, seg := range segs {
		if seen[seg.Dir] {
			continue
		}
		if m, _ := o.spool.Look(seg); m.Stream.ID != "" {
			seen[seg.Dir] = true
			known[control.Container{Name: m.Stream.Name, ID: m.Stream.ID}] = true
		}
	}
	var all []control.Container
	for c := range known {
		all = append(all, c)
	}
	return control.Resolve(names, all)
}

// settle waits, not for long, until what Docker has written by now is in the
// containers' segments.
func (o *operator) settle(ctx context.Context, ids []string) {
	if len(ids) == 0 {
		for _, s := range o.capture.Snapshot().Streams {
			ids = append(ids, s.ID)
		}
	}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() { o.capture.Settle(ctx, id) })
	}
	wg.Wait()
}

func dirOf(c control.Container) string {
	s := spool.Stream{Name: c.Name, ID: c.ID}
	return s.Dir()
}

// stem names a segment whatever its state.
func stem(seg spool.Segment) string { return seg.Dir + "/" + seg.Name.Stem() }
