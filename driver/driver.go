// Package driver is CAPTURE: it takes what containers write out of Docker's
// FIFOs and leaves it as text in the spool. It waits for the local disk and
// for nothing else; what becomes of a sealed segment it does not know.
package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/fifo"
	"github.com/logfast/logfast/driver/incident"
	"github.com/logfast/logfast/driver/segment"
)

// Config is what a Driver needs. All fields but Labels, BootFile, Opened and Soon must be set.
type Config struct {
	Spool    *segment.Spool
	Host     string   // this host's name, for syslog records and keys
	Defaults Options  // of a container without options
	Labels   []string // which of a container's labels are kept, for incidents
	Daily    Daily    // when every segment is sealed
	OnFull   OnFull   // what gives way when the spool is full
	Sealed   func()   // called after a segment was sealed, or an incident closed; must not wait
	Log      *slog.Logger

	// BootFile is the file with the kernel's boot id; "" is Linux's own.
	BootFile string

	// Soon, if set, is told that an event of the fast track has opened: the
	// active segment in this directory of the spool will be sealed at the latest
	// at the time by. It must not wait.
	Soon func(dir string, by time.Time)

	// Opened, if set, is called with the early notice of each incident, some
	// milliseconds after its first error. It may wait: one notice waits for the
	// other then, and nothing else does. The last ones may come after Run.
	Opened func(*incident.Event)
}

// Driver keeps one stream for each running container.
type Driver struct {
	cfg      Config
	poller   *fifo.Poller
	pool     *pool
	lane     *lane
	registry *registry
	events   *events
	syncer   *syncer
	daily    func(now time.Time) time.Time // the next daily time; a test has its own
	wake     chan struct{}                 // the fast track's next time may have changed
	notice   chan struct{}                 // an event may have been opened
	closing  chan struct{}                 // closed by Close
	enlarged atomic.Int64                  // see pace
	ended    counts                        // of streams that have ended, and of segments given up then

	reattached atomic.Int64 // streams

	dropAfter time.Duration // see the constant; a test has its own

	// starting is held while a stream is opened and registered, which waits for
	// the disk; mu never is.
	starting sync.Mutex

	mu      sync.Mutex
	streams map[string]*stream // by FIFO path, owned by mu
	closed  bool               // owned by mu
	pressed time.Time          // when sealLargest was there last, owned by mu
	unheard [][]entry          // streams of one container each that could not be taken up, owned by mu
	left    []segment.Stream   // whose last segment could not be sealed at their end, owned by mu
}

// New makes a driver. Recover comes next, then Run, and Close at the end.
func New(cfg Config) (*Driver, error) {
	registry, err := openRegistry(cfg.Spool, cfg.BootFile)
	if err != nil {
		return nil, err
	}
	pool, err := newPool()
	if err != nil {
		return nil, errors.Join(err, registry.close())
	}
	poller, err := fifo.NewPoller()
	if err != nil {
		return nil, errors.Join(err, pool.close(), registry.close())
	}
	d := &Driver{cfg: cfg, poller: poller, pool: pool, lane: newLane(), registry: registry, syncer: newSyncer(), daily: cfg.Daily.next, wake: make(chan struct{}, 1), notice: make(chan struct{}, 1), closing: make(chan struct{}), dropAfter: dropAfter, streams: map[string]*stream{}}
	d.events = openEvents(cfg.Spool, cfg.Host, cfg.Log, d.wakeUp)
	return d, nil
}

// Recover brings the spool into order and takes up the streams of the process
// before this one, killed or stopped while their containers went on. Call it
// once, before Start. Its error says what was left as it is; all else works.
func (d *Driver) Recover() error {
	entries, err := d.registry.load()
	errs := []error{err, d.events.load(d.cfg.Spool)}
	live := map[string][]entry{} // by directory
	for _, e := range entries {
		live[e.Stream.Dir()] = append(live[e.Stream.Dir()], e)
	}
	errs = append(errs, d.cfg.Spool.Recover(func(dir string) bool { return live[dir] != nil }))
	d.events.recovered(entries)
	for _, entries := range live {
		errs = append(errs, d.reattach(entries))
	}
	return errors.Join(errs...)
}

// reattach takes up the streams of one container, which share its segment: all
// find out what of theirs is in it before one of them writes. Where one cannot be
// opened, Run tries again with all.
func (d *Driver) reattach(entries []entry) error {
	var streams []*stream
	var errs []error
	for _, e := range entries {
		if wrong := e.sound(&d.cfg.Defaults); wrong != nil {
			d.cfg.Log.Error("options of a running container are not understood; it is read all the same", "container", e.Stream.Name, "err", errors.Join(wrong...))
		}
		s, err := newStream(d, &e, d.registry.known)
		if _, gone := os.Lstat(e.FIFO); err != nil && errors.Is(gone, os.ErrNotExist) {
			errs = append(errs, d.registry.remove(e.FIFO)) // dockerd has removed it since
			continue
		}
		if err != nil {
			err = fmt.Errorf("take up the stream of %s: %w", e.Stream.Name, err)
			for _, s := range streams {
				err = errors.Join(err, s.fifo.Close(), s.cursor.close())
			}
			d.mu.Lock()
			d.unheard = append(d.unheard, entries)
			d.mu.Unlock()
			d.wakeUp()
			return err
		}
		streams = append(streams, s)
	}
	for _, s := range streams {
		s.writer = d.cfg.Spool.Writer(s.desc)
		if err := s.resume(); err != nil {
			d.cfg.Log.Error("resume: lines may be doubled", "container", s.desc.Name, "err", err)
		}
	}
	for _, s := range streams {
		d.launch(s)
		d.reattached.Add(1)
		d.cfg.Log.Info("stream resumed", "container", s.desc.Name, "id", s.desc.ShortID())
	}
	return errors.Join(errs...)
}

// hear tries again to take up what could not be.
func (d *Driver) hear() {
	d.mu.Lock()
	none := len(d.unheard) == 0
	d.mu.Unlock()
	if none {
		return
	}
	d.starting.Lock()
	defer d.starting.Unlock()
	d.mu.Lock()
	unheard, closed := d.unheard, d.closed
	d.unheard = nil
	d.mu.Unlock()
	if closed {
		return // the next process takes them up
	}
	for _, entries := range unheard {
		if err := d.reattach(entries); err != nil {
			d.cfg.Log.Error("a running container is not heard; will try again", "err", err)
		}
	}
}

// stopWait is how long an answer to Docker waits for a stream to drain. A
// drain takes milliseconds; a disk that hangs must not hold Docker's locks.
const stopWait = 5 * time.Second

// Start begins to read the FIFO of a container. The error says which option is
// wrong. Starting a FIFO that is being read changes nothing. A container may
// have several streams, as when Docker reads a stopped one's logs while it
// starts; they share its segment.
func (d *Driver) Start(fifoPath string, info Info) error {
	if fifoPath == "" || info.ContainerID == "" {
		return errors.New("the request names no FIFO or no container; Docker sends these when it tries again after a failure: start the container again")
	}
	desc, opts, err := d.Describe(info)
	if err != nil {
		return err
	}
	d.starting.Lock()
	defer d.starting.Unlock()
	d.mu.Lock()
	closed, known := d.closed, d.streams[fifoPath] != nil
	d.mu.Unlock()
	switch {
	case closed:
		return errors.New("logfast is shutting down")
	case known:
		return nil
	}
	s, err := newStream(d, &entry{FIFO: fifoPath, Stream: desc, Options: opts}, d.registry.add)
	if err != nil {
		return err
	}
	s.writer = d.cfg.Spool.Writer(desc)
	d.launch(s)
	d.cfg.Log.Info("stream started", "container", desc.Name, "id", desc.ShortID(), "format", desc.Format, "scope", opts.Scope)
	return nil
}

// Describe returns the stream that a container is, and its options. The error
// says which option is wrong.
func (d *Driver) Describe(info Info) (segment.Stream, Options, error) {
	return parseInfo(d.cfg.Host, d.cfg.Defaults, d.cfg.Labels, info)
}

func (d *Driver) launch(s *stream) {
	d.mu.Lock()
	d.streams[s.path] = s
	d.mu.Unlock()
	go s.run()
}

// Stop drains the FIFO, seals what is there and forgets the stream. It returns
// within seconds whatever happens; an unknown FIFO is none of its business.
func (d *Driver) Stop(fifoPath string) {
	d.hear() // it may be one of those
	for _, s := range d.find(func(s *stream) bool { return s.path == fifoPath }) {
		d.end(s)
	}
}

// Seal seals the active segments of the containers with these ids now, or of
// all where there is none, because an operator asked for it. What the error says
// is in the log as well.
func (d *Driver) Seal(ids ...string) error {
	d.sealLeft()
	var errs []error
	for _, s := range d.find(func(s *stream) bool { return len(ids) == 0 || slices.Contains(ids, s.desc.ID) }) {
		errs = append(errs, d.sealWithRoom(s, segment.Manual))
	}
	return errors.Join(errs...)
}

// Close seals all streams and takes no new ones. Their containers may go on: what
// they write waits in their FIFOs until the next process takes them up. Call it
// once Run has returned.
func (d *Driver) Close() error {
	d.starting.Lock()
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.starting.Unlock()
	streams := d.find(func(*stream) bool { return true })
	for _, s := range streams {
		s.detach.Store(true)
	}
	close(d.closing) // a drain that gives up now leaves its stream registered
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(func() { d.end(s) })
	}
	wg.Wait()
	if left := d.find(func(*stream) bool { return true }); len(left) > 0 {
		return fmt.Errorf("%d streams do not end", len(left)) // they go on using what would be closed
	}
	d.events.ended(func(string) bool { return false })
	d.sealDue(time.Now())
	d.events.tell(d.soon, d.cfg.Opened)
	return errors.Join(d.poller.Close(), d.pool.close(), d.registry.close(), d.events.close())
}

// end stops a stream and waits, not for ever, until it is drained and sealed.
func (d *Driver) end(s *stream) {
	s.interrupt()
	select {
	case <-s.done:
	case <-time.After(stopWait):
		d.cfg.Log.Error("stream does not end: the disk takes none of its last lines; they wait in the FIFO", "container", s.desc.Name, "id", s.desc.ShortID())
	}
}

// find returns the streams for which want is true, in the order of their names.
func (d *Driver) find(want func(*stream) bool) []*stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []*stream
	for _, s := range d.streams {
		if want(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *stream) int { return strings.Compare(a.desc.Dir(), b.desc.Dir()) })
	return found
}

// forget is a stream's last word. Where it was the last of a scope, there is
// nothing left to wait for in that.
func (d *Driver) forget(s *stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.streams, s.path)
	d.ended.fold(&s.counts)
	d.events.ended(func(scope string) bool {
		for _, other := range d.streams {
			if inScope(scope, &other.desc) {
				return true
			}
		}
		return false
	})
	d.wakeUp()
}

func (d *Driver) wakeUp() {
	for _, c := range []chan struct{}{d.wake, d.notice} {
		select {
		case c <- struct{}{}:
		default: // there is a wake-up to come already
		}
	}
}

// seal seals a stream's active segment and reports whether that worked.
func (d *Driver) seal(s *stream, reason segment.Reason) bool {
	return d.sealWithRoom(s, reason) == nil
}

// sealWithRoom is seal for a disk that may be full: what describes a segment
// needs room as well.
func (d *Driver) sealWithRoom(s *stream, reason segment.Reason) error {
	path, err := s.writer.Seal(reason)
	if segment.Full(err) {
		if roomErr := d.makeRoom(0, true); roomErr == nil {
			path, err = s.writer.Seal(reason)
		} else {
			err = errors.Join(err, roomErr)
		}
	}
	d.sealed(s.desc.Name, path, err)
	return err
}

// sealed tells SHIP, and the log, how a seal ended; path is empty where there
// was nothing to seal.
func (d *Driver) sealed(container, path string, err error) {
	switch {
	case err != nil:
		d.cfg.Log.Error("seal failed; the segment stays active and will be sealed later", "container", container, "err", err)
	case path != "":
		d.cfg.Log.Info("segment sealed", "container", container, "segment", path)
		d.cfg.Sealed()
	}
}

// recheck bounds how long Run trusts its timer, so that a host whose clock was
// set, or which slept, keeps its daily time.
const recheck = time.Minute

// sealRetry is how soon a failed seal is tried again.
const sealRetry = 5 * time.Second

// Run seals segments when their time comes and syncs what is written, until
// ctx ends.
func (d *Driver) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		d.syncer.run(ctx, func(s *stream, err error) {
			d.cfg.Log.Error("sync failed; will try again", "container", s.desc.Name, "err", err)
		})
	})
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-d.notice:
				d.events.tell(d.soon, d.cfg.Opened)
			}
		}
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	daily := d.daily(time.Now())
	var tried time.Time // when sealLeft was called last
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		now := time.Now()
		d.hear()
		d.sealDue(now)
		if now.Sub(tried) >= sealRetry {
			tried = now
			d.sealLeft()
		}
		if !now.Before(daily) {
			d.sealOlder(daily)
		}
		daily = d.daily(now) // also if it has not come: the clock may have been set back
		timer.Reset(d.pause(daily))
	}
}

// pause is how long Run may sleep. The daily time is a time of the wall clock, all
// others are durations: a clock that is set does not make them longer or shorter.
func (d *Driver) pause(daily time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	pause := min(time.Until(daily), recheck)
	if next, some := d.events.next(); some {
		pause = min(pause, time.Until(next))
	}
	if len(d.left) > 0 {
		pause = min(pause, sealRetry)
	}
	if len(d.unheard) > 0 {
		pause = min(pause, retry)
	}
	return pause
}

// leave notes that a stream has ended and its last segment is still active.
func (d *Driver) leave(desc segment.Stream) {
	d.mu.Lock()
	d.left = append(d.left, desc)
	d.mu.Unlock()
	d.wakeUp()
}

// sealLeft seals what streams have left active at their end, as their end would
// have. What cannot be sealed now is tried again.
func (d *Driver) sealLeft() {
	d.mu.Lock()
	left := d.left
	d.left = nil
	d.mu.Unlock()
	for _, desc := range left {
		w := d.cfg.Spool.Writer(desc)
		_, err := w.Resume(0, 0, 0) // a stream of the container's next life may have it by now
		path, closeErr := w.Close()
		if err = errors.Join(err, closeErr); segment.Full(err) {
			err = errors.Join(err, d.makeRoom(0, true))
		}
		if err == nil {
			d.sealed(desc.Name, path, nil)
			continue
		}
		d.cfg.Log.Warn("the last segment of a container cannot be sealed yet", "container", desc.Name, "err", err)
		d.mu.Lock()
		d.left = append(d.left, desc)
		d.mu.Unlock()
	}
}

// soon says which segments an event's end will seal.
func (d *Driver) soon(scope string, by time.Time) {
	if d.cfg.Soon == nil {
		return
	}
	for _, s := range d.find(func(s *stream) bool { return inScope(scope, &s.desc) }) {
		d.cfg.Soon(s.desc.Dir(), by)
	}
}

// sealDue seals the scopes whose fast track is over, and closes their incidents.
// What cannot be sealed or closed now is tried again.
func (d *Driver) sealDue(now time.Time) {
	for _, e := range d.events.due(now) {
		sealed := true
		if e.Closed == incident.ClosedQuiet || e.Closed == incident.ClosedMaxDelay {
			for _, s := range d.find(func(s *stream) bool { return inScope(e.Name, &s.desc) }) {
				sealed = d.seal(s, segment.Error) && sealed
			}
		}
		if d.events.finish(e, sealed, now) {
			d.cfg.Sealed()
		}
	}
}

// sealOlder seals the segments that began before the daily time. What began
// after it was begun because the day changed in the lines themselves, or while
// the clock was ahead: that is sealed as well.
func (d *Driver) sealOlder(daily time.Time) {
	future := time.Now().Add(stepBack)
	for _, s := range d.find(func(s *stream) bool {
		began := s.writer.Began()
		return began.Before(daily) || began.After(future)
	}) {
		d.seal(s, segment.Schedule)
	}
}

var errStopped = errors.New("the stream was stopped")
