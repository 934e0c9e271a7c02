// Package capture reads what containers write from Docker's FIFOs and writes it as
// text to the spool. It waits for the local disk and for nothing else, and does
// not know what happens to a sealed segment.
package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/logfast/logfast/driver/capture/events"
	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/keylock"
	"github.com/logfast/logfast/internal/wake"
)

// Config is what a Driver needs. All fields but FIFOs, Labels, KeyLabels, Env, BootFile, Opened
// and Soon must be set.
type Config struct {
	Spool    *spool.Spool
	Host     string          // this host's name, for syslog records and keys
	Defaults options.Options // of a container without options
	// Labels, KeyLabels and Env are what is kept of each container's labels and environment,
	// besides what its options choose; see [options.Rules].
	Labels, KeyLabels, Env []string
	Strict                 bool          // refuse each option that cannot be used: see options.Rules
	Daily                  options.Daily // when every segment is sealed

	// Routes are the patterns of routes for early notices; nil: none.
	Routes *incident.Routes

	OnFull options.OnFull // what gives way when the spool is full
	Sealed func()         // called after a segment was sealed, or an incident closed; must not wait
	Log    *slog.Logger

	// BootFile is the file with the kernel's boot id; "" is Linux's own.
	BootFile string

	// FIFOs, if set, is the directory in which Docker makes the FIFOs of this
	// plugin's containers. Those that are not registered are read from there.
	FIFOs string

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
//
// Lock order, of this package, of events and of the spool's writers:
//
//	a claim of one FIFO → roster.mu → {Events.mu, jobs.mu}
//	registrar.mu → jobs.mu
//	Spool.making → Writer.mu → Spool.mu
//	Spool.making → Writer.mu → Event.marking → Events.mu
//
// A claim, Spool.making, Writer.mu, Event.marking, Cursor.mu and meter.mu are held
// while a disk or a FIFO is waited for. All other locks are held for steps in memory
// only: what takes nothing else, such as Snapshot, waits for no disk. A lock that is
// not in the list is held while no other one is taken. Jobs wait for the disk in place
// of Run, Start and Stop.
type Driver struct {
	shared
	cfg     Config
	poller  *fifo.Poller
	journal *journal.Journal
	streams *roster
	sealer  *sealer
	wake    chan struct{} // the fast track's next time may have changed
	notice  chan struct{} // an event may have been opened

	displaced atomic.Pointer[error] // what is wrong with the spool's directory; nil: nothing

	registered int // see registryMoved, whose goroutine owns it

	guardEvery time.Duration // see the constant; 0: never, in a test
	stopWait   time.Duration // see the constant; a test has its own

	// These have locks of their own.
	jobs      jobs
	losses    losses
	claims    keylock.Locks // of FIFO paths that are opened or registered: two at once would read the same frames
	registrar registrar
	unknown   unknowns
	noticed   noticed
}

// New makes a driver. Recover comes next, then Run, and Close at the end.
func New(cfg Config) (*Driver, error) {
	j, err := journal.Open(cfg.Spool, cfg.BootFile)
	if err != nil {
		return nil, err
	}
	pool, err := newPool()
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	poller, err := fifo.NewPoller()
	if err != nil {
		return nil, errors.Join(err, pool.close(), j.Close())
	}
	d := &Driver{
		shared: shared{
			spool: cfg.Spool, log: cfg.Log, pool: pool, lane: newLane(), syncer: newSyncer(),
			onFull: cfg.OnFull, closing: make(chan struct{}), dropAfter: dropAfter,
		},
		cfg: cfg, poller: poller, journal: j, guardEvery: guardEvery, stopWait: stopWait,
		wake: make(chan struct{}, 1), notice: make(chan struct{}, 1),
	}
	d.streams = newRoster(func(scope string) { d.events.Ended(scope) }, d.wakeUp)
	d.sealer = &sealer{cfg: &d.cfg, jobs: &d.jobs, streams: d.streams, dropped: d.countDropped, daily: cfg.Daily.Next}
	d.registrar = registrar{
		journal: j, spool: cfg.Spool, log: cfg.Log, jobs: &d.jobs, wakeUp: d.wakeUp,
		waiting: map[*stream]*journal.Entry{},
	}
	d.losses.spool, d.losses.save = cfg.Spool, d.wakeUp
	cfg.Spool.SetRoomMaker(d.makeRoom)
	d.events = events.Open(events.Config{
		Spool: cfg.Spool, Host: cfg.Host, Log: cfg.Log, Routes: cfg.Routes, WakeUp: d.wakeUp,
	})
	d.sealer.events = d.events
	return d, nil
}

// stopWait is how long an answer to Docker waits for a stream to drain. A
// drain takes milliseconds; a disk that hangs must not hold Docker's locks.
const stopWait = 5 * time.Second

// Start begins to read the FIFO of a container. The error says which option is
// wrong. Starting a FIFO that is being read changes nothing. A container may
// have several streams, as when Docker reads a stopped one's logs while it
// starts; they share its segment.
func (d *Driver) Start(fifoPath string, info options.Info) error {
	if fifoPath == "" || info.ContainerID == "" {
		return errors.New("the request names no FIFO or no container; Docker sends these when it tries again after a " +
			"failure: start the container again")
	}
	desc, opts, err := d.Describe(info)
	if err != nil {
		return err
	}
	// The container's earlier stream, or this one as unknown, finds out first what of
	// its last batch is in the segment.
	d.awaitPending(func(p *pending) bool { return p.has(fifoPath) || p.writes(desc.Dir()) })
	defer d.claims.Lock(fifoPath)()
	known, closed := d.streams.lookUp(fifoPath)
	switch {
	case closed:
		return errShuttingDown
	case known != nil && known.unknown:
		if err := d.takeOver(known); err != nil {
			return err
		}
	case known != nil:
		return nil
	}
	e := &journal.Entry{FIFO: fifoPath, Stream: desc, Options: opts}
	s, err := newStream(d, e, d.registrar.add)
	if err != nil {
		return explain(err)
	}
	d.registrar.later(s, e)
	s.writer = d.cfg.Spool.Writer(desc)
	if !d.streams.launch(s) {
		d.registrar.end(s)
		return errors.Join(errShuttingDown, s.abandon(), s.fifo.Close(), d.journal.Remove(fifoPath))
	}
	d.noticed.log(d.cfg.Log, &desc, opts.Notices)
	d.cfg.Log.Info("stream started", "container", desc.Name, "id", desc.ShortID(), "format", desc.Format,
		"scope", opts.Scope)
	return nil
}

var errShuttingDown = errors.New("logfast is shutting down")

// Describe returns the stream that a container is, and its options. The error
// says which option is wrong.
func (d *Driver) Describe(info options.Info) (spool.Stream, options.Options, error) {
	rules := options.Rules{
		Host: d.cfg.Host, Defaults: d.cfg.Defaults, Strict: d.cfg.Strict,
		Labels: d.cfg.Labels, KeyLabels: d.cfg.KeyLabels, Env: d.cfg.Env,
	}
	return rules.Parse(info)
}

// Stop drains the FIFO, seals what is there and forgets the stream. It returns
// within seconds whatever happens. An unknown FIFO is ignored.
func (d *Driver) Stop(fifoPath string) {
	d.stopPending(fifoPath)
	if s, _ := d.streams.lookUp(fifoPath); s != nil {
		d.end(s)
	}
}

// Close seals all streams and takes no new ones. Their containers may go on: what
// they write waits in their FIFOs until the next process takes them up. Call it
// once Run has returned.
func (d *Driver) Close() error {
	d.streams.close()
	streams := d.streams.all()
	for _, s := range streams {
		s.detach.Store(true)
	}
	close(d.closing) // a drain that stops trying now leaves its stream registered
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(func() { d.end(s) })
	}
	wg.Wait()
	if left := d.streams.all(); len(left) > 0 {
		return fmt.Errorf("%d streams do not end", len(left)) // they go on using what would be closed
	}
	d.turns.ended.Wait() // it ends with the streams
	if left := d.jobs.wait(d.stopWait) + d.syncer.jobs.wait(d.stopWait); left > 0 {
		return fmt.Errorf("the disk does not answer %d calls", left)
	}
	d.streams.endEmpty(d.events.Scopes()) // the next process continues the incidents of the others
	var errs []error
	for _, p := range d.streams.unread() {
		for _, r := range p.opened {
			errs = append(errs, r.Close())
		}
	}
	d.takeDamages()
	d.sealer.startDue(time.Now())
	d.jobs.start(d.saveLosses)
	if left := d.jobs.wait(d.stopWait); left > 0 {
		return fmt.Errorf("the disk does not answer %d calls", left)
	}
	d.events.Notify(d.sealer.expect, d.cfg.Opened)
	return errors.Join(append(errs, d.poller.Close(), d.pool.close(), d.journal.Close(), d.events.Close())...)
}

// end stops a stream and waits, not for ever, until it is drained and sealed.
func (d *Driver) end(s *stream) {
	s.interrupt()
	select {
	case <-s.done:
	case <-time.After(d.stopWait):
		d.cfg.Log.Error("stream does not end: the disk takes none of its last lines; they wait in the FIFO",
			"container", s.desc.Name, "id", s.desc.ShortID())
	}
}

func (d *Driver) wakeUp() {
	wake.Up(d.wake)
	wake.Up(d.notice)
}

// recheck bounds how long Run trusts its timer, so that a host whose clock was
// set, or which slept, keeps its daily time.
const recheck = time.Minute

func (d *Driver) saveLosses() {
	if err := d.losses.writeFile(); err != nil {
		d.cfg.Log.Warn("what was lost lately is in memory alone, and status forgets it with the process; "+
			"will try again", "err", err)
	}
}

// touchEvery is how often the registry's files are made to look young.
const touchEvery = 12 * time.Hour

func (d *Driver) touch() {
	if err := d.journal.Touch(time.Now()); err != nil {
		d.cfg.Log.Warn("the times of the registry's files are not refreshed: something that cleans by age "+
			"could take them", "err", err)
	}
}

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
	wg.Go(func() { d.guard(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-d.notice:
				d.events.Notify(d.sealer.expect, d.cfg.Opened)
			}
		}
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	d.sealer.begin(time.Now())
	touched := time.Now() // when the registry was last; Recover has touched it
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		now := time.Now()
		d.reattachPending(func(p *pending) bool { return !p.again.After(now) })
		d.startAdoptUnknown(now)
		d.registrar.start()
		if at, some := d.losses.due(); some && !at.After(now) {
			d.jobs.start(d.saveLosses)
		}
		d.sealer.start(now)
		if now.Sub(touched).Abs() >= touchEvery {
			touched = now
			d.jobs.start(d.touch)
		}
		timer.Reset(d.pause())
	}
}

// pause is how long Run may sleep.
func (d *Driver) pause() time.Duration {
	pause := d.sealer.pause()
	if at, some := d.losses.due(); some {
		pause = min(pause, time.Until(at))
	}
	if at, some := d.unknown.due(); some && d.cfg.FIFOs != "" {
		pause = min(pause, time.Until(at))
	}
	if d.registrar.pending() {
		pause = min(pause, retry)
	}
	if at, some := d.streams.again(); some {
		pause = min(pause, time.Until(at))
	}
	return pause
}

var errStopped = errors.New("the stream was stopped")
