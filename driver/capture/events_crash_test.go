package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/capture/events"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/ship"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/fasttrack"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/internal/durable/crashtest"
)

// outage is one event of a group of two containers: errors in both, a seal by an
// operator in the middle of it, errors again; then quiet, and SHIP. It is lived by
// processes one after the other, with a fault at one step on the disk or in the
// store. Whatever happens, one incident has to come of it, and all errors in it.
type outage struct {
	*testing.T
	*crashtest.Process
	root string

	mu        sync.Mutex // guards opened; the others change in steps
	objects   map[string][]byte
	announced map[string]bool
	opened    map[string]bool
}

const outageQuiet = 30 * time.Second

func outageStream(name string) spool.Stream {
	return spool.Stream{
		ID: strings.Repeat(fmt.Sprintf("%x", name)[:6], 11)[:64], Name: name, Host: "h", App: name, Group: "shop", Format: "cri", Scope: "group",
		Detect: triage.Options(detect.Options{Mode: detect.ModeClassic}),
	}
}

// outageStore is a store in memory whose puts are steps.
type outageStore struct{ *outage }

func (s outageStore) Put(_ context.Context, key string, body io.ReadSeeker, _ store.Attributes) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return s.Step(durable.Step{Op: "put", Name: key}, func() error {
		if was, taken := s.objects[key]; taken && !bytes.Equal(was, data) {
			return store.ErrExists
		}
		s.objects[key] = data
		return nil
	})
}

func (s outageStore) Get(context.Context, string) (io.ReadCloser, store.Attributes, error) {
	return nil, store.Attributes{}, store.ErrNotFound
}

func (s outageStore) List(context.Context, string, string) iter.Seq2[store.Entry, error] { return nil }

// live lives one process's life: CAPTURE without FIFOs, and SHIP. What the
// containers write is written where write is true. In a later life their streams
// are taken up again where resumed is.
func (o *outage) live(write, resumed bool) {
	o.Helper()
	key, err := spool.ParseKeyTemplate("k/{name}-{seq}-{reason}.log.gz")
	if err != nil {
		o.Fatal(err)
	}
	sp, err := spool.Open(o.root, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1})
	if err != nil {
		o.Fatal(err)
	}
	defer sp.Close()
	log := slog.New(slog.DiscardHandler)
	state, err := sp.State(incident.StateDir)
	if err != nil {
		o.Fatal(err)
	}
	shipper := ship.New(ship.Config{
		Spool: sp, Store: outageStore{o}, Keep: time.Hour, Log: log, Incidents: incident.NewDir(state),
		Announce: func(e *incident.Event) error {
			return o.Step(durable.Step{Op: "announce", Name: "incident"}, func() error { o.announced[e.ID] = true; return nil })
		},
	})
	d := &Driver{
		cfg: Config{Spool: sp, Host: "h", Sealed: shipper.Wake, Log: log, Opened: func(e *incident.Event) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if !o.Dead() {
				o.opened[e.Data.ID] = true
			}
		}},
		shared: shared{spool: sp, log: log, syncer: newSyncer()},
		wake:   make(chan struct{}, 1), notice: make(chan struct{}, 1),
	}
	d.streams = newRoster(func(scope string) { d.events.Ended(scope) }, d.wakeUp)
	d.events = events.Open(events.Config{Spool: sp, Host: "h", Log: log, WakeUp: d.wakeUp})
	d.sealer = &sealer{
		cfg: &d.cfg, events: d.events, jobs: &d.jobs, streams: d.streams, dropped: d.countDropped, daily: d.cfg.Daily.Next,
	}
	opts := options.Options{Scope: options.ScopeGroup, Policy: fasttrack.Policy{Quiet: outageQuiet, MaxDelay: time.Hour}}
	var entries []journal.Entry
	for _, name := range []string{"web", "api"} {
		s := &stream{
			shared: &d.shared, owner: d, path: name, desc: outageStream(name), opts: opts,
			writer: sp.Writer(outageStream(name)),
		}
		entries = append(entries, journal.Entry{FIFO: name, Stream: s.desc, Options: opts})
		s.dir = s.desc.Dir()
		d.streams.read[name] = s
		d.streams.scopes.add(s)
	}
	stop := durable.Intercept(o.Step)
	defer stop()
	if !write {
		lives := func(string) bool { return resumed }
		if !resumed {
			entries = nil
		}
		if err := errors.Join(d.events.Load(), sp.Recover(lives)); err != nil && !errors.Is(err, crashtest.ErrPower) {
			o.Error(err)
		}
		d.events.Recovered(entries)
		for _, s := range d.streams.read {
			if resumed && !o.Dead() {
				if _, err := s.writer.Resume(0, 0, 0); err != nil {
					o.Error(err)
				}
				s.writer.Rejoin(s.event)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx) })
	wg.Go(func() { shipper.Run(ctx) })
	if write {
		o.write(d, "web")
		o.write(d, "api")
		time.Sleep(time.Second)
		o.write(d, "web")
		_ = d.sealer.seal(d.streams.read["web"], spool.Manual)
		time.Sleep(time.Second)
		o.write(d, "web")
	}
	time.Sleep(10 * time.Minute) // the bubble's time
	synctest.Wait()
	cancel()
	wg.Wait()
	d.jobs.wait(stopWait)
	if err := errors.Join(d.events.Close(), state.Close()); err != nil {
		o.Error(err)
	}
}

// write writes one line that reports an error, until it is written. A process
// that has died writes none: what it would have written stays in the FIFO.
func (o *outage) write(d *Driver, name string) {
	o.Helper()
	s := d.streams.read[name]
	now := time.Now().UTC()
	text := fmt.Sprintf("%s stdout F \"GET /pay HTTP/1.1\" 502 1\n", now.Format("2006-01-02T15:04:05.000000000Z07:00"))
	for range 10 {
		if o.Dead() {
			return
		}
		s.first.Set(&record.Record{Time: now.UnixNano()}, []byte(text), &detect.Match{Status: 502, Rule: "classic"})
		_, err := s.writer.Append(&spool.Batch{Text: []byte(text), First: now.UnixNano(), Last: now.UnixNano(), Lines: 1, Errors: 1, Event: s.event}, 1<<20)
		if err == nil {
			d.wakeUp()
			return
		}
		if !errors.Is(err, crashtest.ErrPower) {
			o.Fatal(err)
		}
		time.Sleep(time.Second)
	}
}

// check looks at the end of it all.
func (o *outage) check() {
	o.Helper()
	errors, logs := 0, 0
	var events []incident.Event
	for key, data := range o.objects {
		if !strings.HasPrefix(key, incident.Prefix) {
			logs++
			errors += strings.Count(packtest.Unpack(o.T, data), " 502 ")
			continue
		}
		var e incident.Event
		if err := json.Unmarshal(data, &e); err != nil {
			o.Fatal(err)
		}
		events = append(events, e)
	}
	if errors == 0 && len(events) == 0 {
		return // it died before the first line was written
	}
	if len(events) != 1 {
		o.Fatalf("%d incidents of one outage: %v", len(events), events)
	}
	e := events[0]
	if in := e.Data; int(in.Errors) != errors || in.ByStatus["502"] != in.Errors || len(in.Objects) != logs || in.Missing != 0 {
		o.Errorf("the incident has %d errors in %d objects, the store %d in %d", in.Errors, len(in.Objects), errors, logs)
	}
	for _, object := range e.Data.Objects {
		if int64(len(o.objects[object.Key])) != object.Size {
			o.Errorf("object %s has %d bytes, says the incident, but %d", object.Key, object.Size, len(o.objects[object.Key]))
		}
	}
	if len(o.announced) != 1 || !o.announced[e.ID] {
		o.Errorf("announced %v, want %s alone", o.announced, e.ID)
	}
	for id := range o.opened {
		if id != e.ID {
			o.Errorf("the early notice was of %s, the incident is %s", id, e.ID)
		}
	}
	left, err := filepath.Glob(filepath.Join(o.root, incident.StateDir, "*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".uploaded.json") {
		o.Errorf("left: %v", left)
	}
}

func newOutage(t *testing.T, f crashtest.Fault) *outage {
	root, err := os.MkdirTemp("/dev/shm", "logfast-test-")
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	o := &outage{T: t, root: root, objects: map[string][]byte{}, announced: map[string]bool{}, opened: map[string]bool{}}
	return o.process(f)
}

// process begins a process with a fault, on the same disk and store.
func (o *outage) process(f crashtest.Fault) *outage {
	p := &crashtest.Process{Fault: f, Name: func(s durable.Step) string { return s.Op + " " + filepath.Base(s.Name) }}
	return &outage{T: o.T, Process: p, root: o.root, objects: o.objects, announced: o.announced, opened: o.opened}
}

func outageSteps(t *testing.T) (steps []string) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t, crashtest.None)
		o.live(true, false)
		o.check()
		if e := len(o.opened); e != 1 {
			t.Errorf("%d early notices", e)
		}
		steps = o.Steps()
	})
	for _, want := range []string{".open", ".closed", "announce incident", ".uploaded.json"} {
		if !slices.ContainsFunc(steps, func(s string) bool { return strings.HasSuffix(s, want) }) {
			t.Errorf("no step %s among %v", want, steps)
		}
	}
	return steps
}

// TestOneOutageIsOneIncident fails each step of an outage, done or not, in a
// process that goes on; and in one that dies, with its containers or without.
func TestOneOutageIsOneIncident(t *testing.T) {
	steps := outageSteps(t)
	for at, name := range steps {
		for _, done := range []bool{false, true} {
			for _, next := range []string{"it goes on", "it dies", "all die"} {
				if done && (next != "it goes on" || !strings.HasPrefix(name, "rename") && !strings.HasPrefix(name, "put")) {
					continue // a death after a step is one before the next; and other steps done twice are done once
				}
				t.Run(fmt.Sprintf("%d %s/done=%v/%s", at, name, done, next), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						o := newOutage(t, crashtest.Fault{At: at, Done: done, Dies: next != "it goes on"})
						o.live(true, false)
						if !o.Failed() {
							t.Fatal("the step did not fail")
						}
						if o.Fault.Dies {
							o = o.process(crashtest.None)
							o.live(false, next == "it dies")
						}
						o.check()
					})
				})
			}
		}
	}
}

// TestOneOutageIsOneIncidentAfterTwoCrashes kills the process after a crash too,
// at its steps.
func TestOneOutageIsOneIncidentAfterTwoCrashes(t *testing.T) {
	steps := outageSteps(t)
	const stride = 11 // a number of the pairs: the others are like their neighbours
	for at := 0; at < len(steps); at += stride {
		for _, resumed := range []bool{false, true} {
			for second, more := at%stride, true; more; second += stride {
				synctest.Test(t, func(t *testing.T) {
					o := newOutage(t, crashtest.Fault{At: at, Dies: true})
					o.live(true, false)
					middle := o.process(crashtest.Fault{At: second, Dies: true})
					middle.live(false, resumed)
					more = middle.Failed()
					last := middle.process(crashtest.None)
					last.live(false, false)
					last.check()
					if t.Failed() {
						t.Logf("killed at step %d of %v, then at %d of %v; resumed: %v", at, steps, second, middle.Steps(), resumed)
					}
				})
				if t.Failed() {
					return
				}
			}
		}
	}
}
