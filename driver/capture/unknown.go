package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/logfast/logfast/driver/capture/fifo"
	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
)

// An unknown FIFO belongs to a running container of which the registry says nothing
// any more: it was left out of a copy of the spool, or something deleted it. Docker
// calls StartLogging once in a container's life, so the container would wait for
// ever, and docker stop with it. Its lines go into a directory of their own instead.
const unknownName = "unknown"

// claimWait is how long an unknown FIFO without a byte in it waits for its
// StartLogging, which Docker repeats for half a minute. A FIFO that holds bytes does
// not wait: Docker writes only after StartLogging was answered.
const claimWait = 40 * time.Second

// unknowns looks for unknown FIFOs.
type unknowns struct {
	seen map[string]time.Time // when they were seen first, by path; owned by the one job that looks

	// mu guards what follows. It is held for steps in memory only.
	mu   sync.Mutex
	next time.Time // when to look next
	busy bool      // a job looks
}

// begin reports whether it is time to look, and notes that a job looks.
func (u *unknowns) begin(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy || now.Before(u.next) {
		return false
	}
	u.busy = true
	return true
}

// end notes that the job has ended, and when the next one is due.
func (u *unknowns) end(next time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy, u.next = false, next
}

// due returns when to look next, unless a job looks.
func (u *unknowns) due() (next time.Time, some bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.next, !u.busy
}

// startAdoptUnknown looks for unknown FIFOs in a job, where it is time.
func (d *Driver) startAdoptUnknown(now time.Time) (done <-chan struct{}) {
	if d.cfg.FIFOs == "" || !d.unknown.begin(now) {
		return nil
	}
	return d.jobs.start(func() {
		next := now.Add(recheck)
		if d.adoptUnknown(now) {
			next = now.Add(retry)
		}
		d.unknown.end(next)
		d.wakeUp()
	})
}

// adoptUnknown begins to read the unknown FIFOs that have a writer, and reports
// whether it has to look again soon.
func (d *Driver) adoptUnknown(now time.Time) (waiting bool) {
	files, err := os.ReadDir(d.cfg.FIFOs)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			d.cfg.Log.Error("the directory of Docker's FIFOs cannot be read, so a container that is not registered "+
				"would wait for ever", "directory", d.cfg.FIFOs, "err", err)
		}
		return false
	}
	seen := map[string]time.Time{}
	for _, f := range files {
		path := filepath.Join(d.cfg.FIFOs, f.Name())
		if f.Type() != os.ModeNamedPipe || d.reads(path) {
			continue
		}
		first, again := d.unknown.seen[path]
		if !again {
			first = now
		}
		seen[path] = first
		written, bytes, err := fifo.Look(path)
		switch {
		case err != nil || !written: // it has gone, or is left of an engine that is no more
		case bytes == 0 && now.Sub(first) < claimWait:
			waiting = true
		default:
			if err := d.adopt(path); err != nil {
				waiting = true
				d.cfg.Log.Error("a running container that is not registered cannot be read; will try again",
					"fifo", path, "err", err)
			}
		}
	}
	d.unknown.seen = seen
	return waiting
}

// reads reports whether the FIFO at this path is read, or is about to be.
func (d *Driver) reads(path string) bool {
	return d.claims.Held(path) || d.streams.has(path)
}

// adopt registers an unknown FIFO and begins to read it. Killed later, the next
// process finds it in the registry.
func (d *Driver) adopt(path string) error {
	defer d.claims.Lock(path)()
	if known, _ := d.streams.lookUp(path); known != nil {
		return nil // Docker has started it meanwhile
	}
	opts := d.cfg.Defaults
	if opts.Scope == options.ScopeGroup {
		opts.Scope = options.ScopeContainer // its group is not known
	}
	desc := spool.Stream{
		ID: unknownID(path), Name: unknownName, Host: d.cfg.Host, App: unknownName,
		Format: opts.Format.String(), Scope: string(opts.Scope), Detect: triage.Options(opts.Detect),
		Redact: opts.Redact,
	}
	s, err := newStream(d, &journal.Entry{FIFO: path, Stream: desc, Options: opts, Unknown: true}, d.journal.Add)
	if err != nil {
		return err
	}
	s.writer = d.cfg.Spool.Writer(desc)
	if !d.streams.launch(s) { // the next process reads it
		return errors.Join(s.abandon(), s.fifo.Close())
	}
	d.cfg.Log.Error("a running container is not registered; its lines are kept in a directory of their own: restart "+
		"the container, so that Docker starts its stream anew",
		"directory", s.dir, "fifo", path)
	return nil
}

var fifoName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// unknownID is the id of the container to which an unknown FIFO belongs: the
// FIFO's name, which Docker makes of 64 random digits, or a sum of any other.
func unknownID(path string) string {
	if name := filepath.Base(path); fifoName.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:])
}

// takeOver ends a stream that reads a FIFO as unknown, now that Docker says whose
// it is. What is left in the FIFO is for the next stream. Its caller has claimed the
// FIFO.
//
//	seal, close, unregister   killed here: the FIFO is unknown again, and adopted
//	register anew
func (d *Driver) takeOver(s *stream) error {
	s.handOver.Store(true)
	s.interrupt()
	select {
	case <-s.done:
		d.cfg.Log.Info("Docker has started the stream of a container that was not registered", "directory", s.dir)
		return nil
	case <-time.After(d.stopWait):
		return errors.New("the disk does not answer, and the container's lines were kept elsewhere until now: start " +
			"the container again")
	}
}
