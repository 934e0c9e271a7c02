package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/driver/capture"
	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/ship"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/plugin/control"
	"github.com/logfast/logfast/plugin/metrics"
	"github.com/logfast/logfast/plugin/selflog"
)

// operator is what the operator's commands ask and order. It looks at capture
// and ship from outside; neither waits for it.
type operator struct {
	version string
	started time.Time
	environ []string
	cfg     *Config
	wrong   problems // with the settings, at the start
	store   *lateStore
	spool   *spool.Spool
	capture *capture.Driver
	shipper *ship.Shipper
	learned atomic.Int64 // how much of what the store learned is in the log
	teller  *teller
	log     *selflog.Log
	metrics *metrics.Metrics
	uploads uploads
}

// shipped is told of each segment that is in the store.
func (o *operator) shipped(s ship.Shipped) {
	if s.Meta.Errors > 0 && !s.Meta.LastError.IsZero() {
		o.metrics.Shipped(max(s.At.Sub(s.Meta.LastError), 0))
	}
	o.uploads.tell(s)
	learned := o.store.Learned()
	for _, note := range learned[min(int(o.learned.Swap(int64(len(learned)))), len(learned)):] {
		o.log.Warn("the store is not quite like S3; logfast adapts to it", "store", o.cfg.objectURL(""), "found", note)
	}
}

// removed is told of each segment that somebody has removed before it was shipped.
func (o *operator) removed(dir string, lost record.Lost) { o.capture.Removed(dir, lost) }

// serve answers on the control socket, and on TCP where LOGFAST_METRICS is set,
// until ctx ends. Where it cannot listen the rest goes on, and it tries again.
func (o *operator) serve(ctx context.Context) {
	s := &control.Server{
		Status: o.look, Health: o.health, Metrics: o.metrics.Handler(), Level: o.setLevel,
		Flush: o.flush, Check: func(ctx context.Context) []control.Finding { return Check(ctx, o.environ, true) },
		TestTargets: o.testTargets,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if o.cfg.Metrics != "" {
			o.keepServing(ctx, "metrics are not served over TCP; will try again", func() error {
				l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.cfg.Metrics)
				if err != nil {
					return err
				}
				return s.ServePublic(ctx, l)
			})
		}
	}()
	o.keepServing(ctx, "logfast's commands are not answered; will try again", func() error {
		dir, err := o.spool.State(control.Dir)
		if err != nil {
			return err
		}
		defer dir.Close() //nolint:errcheck // nothing is written by it
		// Whoever made it: nobody else may enter.
		if err := errors.Join(dir.Lchown(".", os.Geteuid(), os.Getegid()), dir.Chmod(".", 0o700)); err != nil {
			return err
		}
		l, err := control.Listen(dir)
		if err != nil {
			return err
		}
		there, end := control.Watch(ctx, dir)
		defer end()
		if err := s.Serve(there, l); err != nil {
			return err
		}
		return errSocketGone
	})
	<-done
}

// errSocketGone ends a serve whose socket nothing can reach any more.
var errSocketGone = errors.New("the socket in the spool was removed")

// serveAgain is how soon it is tried again to listen.
const serveAgain = 10 * time.Second

func (o *operator) keepServing(ctx context.Context, failed string, serve func() error) {
	for {
		err := serve()
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errSocketGone) {
			o.log.Warn("the socket for logfast's commands was removed; it is made anew")
			continue
		}
		o.log.Error(failed, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(serveAgain):
		}
	}
}

func (o *operator) setLevel(text string) error {
	level, err := parseLevel(text)
	if err != nil {
		return err
	}
	if was := o.log.Level.Level(); was != level {
		o.log.Level.Set(min(was, level))
		o.log.Info("log level set", "was", levelName(was), "is", levelName(level))
		o.log.Level.Set(level)
	}
	return nil
}

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

func (o *operator) status() control.Status {
	c, up := o.capture.Snapshot(), o.shipper.Counts()
	h, err := o.shipper.Health()
	s := control.Status{
		Version: o.version, Started: o.started, Now: time.Now(), Host: o.cfg.Host, Store: o.cfg.objectURL(""),
		Learned: o.store.Learned(), LogLevel: levelName(o.log.Level.Level()),
		Streams: []control.Stream{}, Captured: counts(c.Total), Reattached: c.Reattached, Events: []control.Event{},
		Seals:   map[string]int64{},
		Pending: control.Pending{Segments: h.Pending, Bytes: h.Bytes, Oldest: h.Oldest},
		Uploads: control.Uploads{
			Attempts: map[string]int64{}, Bytes: up.Bytes, Last: h.LastUpload, Stalled: h.Stalled.Seconds(),
			Blocked: text(h.Blocked), LastError: text(h.LastError), SpoolError: text(err),
		},
		Targets: o.teller.targets(),
		Disk:    control.Disk{Used: o.spool.Used(), Budget: o.spool.Budget()},
	}
	for _, at := range c.Streams {
		s.Streams = append(s.Streams, control.Stream{
			Container: at.Name, ID: at.ShortID(), App: at.App, Since: at.Since, Active: at.Active,
			Counts:  counts(at.Counts),
			Unknown: at.Unknown, Unregistered: at.Unregistered, Trouble: text(at.Trouble),
			TroubleSince: at.TroubleSince, Notices: at.Notices,
		})
	}
	for _, l := range c.Lost {
		s.Lost = append(s.Lost, control.RecentLoss(l))
	}
	for _, e := range c.Events {
		s.Events = append(s.Events, control.Event{Scope: e.Scope, First: e.First, Last: e.Last, Due: e.Due})
	}
	for reason, n := range o.spool.Seals() {
		s.Seals[string(reason)] = n
	}
	for result, n := range up.Attempts {
		s.Uploads.Attempts[string(result)] = n
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(o.cfg.Spool, &fs); err == nil {
		s.Disk.Free, s.Disk.Size = int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize
		if os.Geteuid() == 0 {
			s.Disk.Free = int64(fs.Bfree) * fs.Bsize
		}
		s.Disk.InodesFree, s.Disk.Inodes = int64(fs.Ffree), int64(fs.Files)
	}
	for i := range o.wrong {
		if p := o.wrong[i]; p.effect() != blocked || o.store.why() != nil {
			s.WrongSettings = append(s.WrongSettings, p.control())
		}
	}
	if s.Uploads.Blocked == "" {
		s.Uploads.Blocked = text(o.store.why())
	}
	s.Disk.Trouble = text(c.Spool)
	s.Health, s.Reasons = judge(&s, o.cfg.Stall)
	return s
}

// look is the status for an operator, who has seen then what was lost. Metrics and
// health checks look at nothing.
func (o *operator) look() control.Status {
	s := o.status()
	o.capture.Looked(s.Now)
	return s
}

func counts(c capture.Counts) control.Counts {
	to := control.Counts{Lines: c.Lines, Bytes: c.Bytes, Errors: c.Errors, Resyncs: c.Resyncs}
	for _, l := range c.Lost {
		to.Lost = append(to.Lost, control.Loss{Reason: l.Reason, Lines: l.Lines, Bytes: l.Bytes})
	}
	return to
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (o *operator) health() (control.Health, []string) {
	s := o.status()
	return s.Health, s.Reasons
}

// troubleTooLong is how long a stream may not write until that is unhealthy: as
// long as lines wait with LOGFAST_ON_FULL=drop before they are discarded.
const troubleTooLong = 10 * time.Second

// failingTooOften is how many attempts at a target fail in a row until that is
// degraded: a restart of the receiver fails fewer.
const failingTooOften = 3

// judge says whether logfast does its work, and why not.
func judge(s *control.Status, stall time.Duration) (health control.Health, reasons []string) {
	health = control.Healthy
	worse := func(h control.Health, format string, args ...any) {
		if h == control.Unhealthy || health == control.Healthy {
			health = h
		}
		reasons = append(reasons, fmt.Sprintf(format, args...))
	}
	if len(s.Lost) > 0 {
		worse(control.Degraded, "%s", lostReason(s))
	}
	for _, w := range s.WrongSettings {
		if w.Effect == control.TargetLeftOut {
			worse(control.Degraded, "a target of incidents is wrong: %s; %s", w.Problem, w.InUse)
			continue
		}
		worse(control.Unhealthy, "a setting is wrong: %s; %s", w.Problem, w.InUse)
	}
	for i := range s.Targets {
		if t := &s.Targets[i]; t.Failing >= failingTooOften {
			worse(control.Degraded, "%s takes no messages (%d attempts failed in a row): %s", t.Name, t.Failing,
				t.Refusal)
		} else if t.LastError != "" && t.Failed == 0 {
			worse(control.Degraded, "%s gets no messages: %s", t.Name, t.LastError)
		}
	}
	stalled := time.Duration(s.Uploads.Stalled * float64(time.Second))
	because := cmp.Or(s.Uploads.Blocked, s.Uploads.LastError, s.Uploads.SpoolError, "no error was seen")
	switch {
	case stalled >= stall:
		worse(control.Unhealthy, "nothing was uploaded for %v, and %d segments are pending: %s",
			stalled.Round(time.Second), s.Pending.Segments, because)
	case s.Uploads.Blocked != "":
		worse(control.Degraded, "the store refuses, and %d segments wait in the spool: %s", s.Pending.Segments, because)
	case s.Uploads.LastError != "" && s.Pending.Segments > 0:
		worse(control.Degraded, "nothing can be uploaded at present, and %d segments wait in the spool: %s",
			s.Pending.Segments, s.Uploads.LastError)
	case s.Uploads.SpoolError != "":
		worse(control.Degraded, "the spool cannot be read: %s", s.Uploads.SpoolError)
	}
	if dirs := unknownDirs(s); len(dirs) > 0 {
		worse(control.Unhealthy, "%d running containers are not registered, because files of the spool's hidden "+
			"directories were deleted or not copied; their lines are kept in %s: restart these containers, so that "+
			"Docker starts their streams anew",
			len(dirs), someOf(dirs))
	}
	if s.Disk.Trouble != "" {
		worse(control.Unhealthy, "%s", s.Disk.Trouble)
	}
	judgeStreams(s, worse)
	if d := &s.Disk; d.Inodes > 0 && d.InodesFree < min(lowInodes, d.Inodes/20) {
		worse(control.Degraded, "the spool's file system has %d of %d inodes left: soon no file can be made there",
			d.InodesFree, d.Inodes)
	}
	return health, reasons
}

// judgeStreams reports streams whose lines cannot be written, or that a restart
// would not find again.
func judgeStreams(s *control.Status, worse func(h control.Health, format string, args ...any)) {
	var longest time.Duration
	troubled := 0
	var first *control.Stream
	for i := range s.Streams {
		if at := &s.Streams[i]; at.Trouble != "" {
			troubled++
			if long := s.Now.Sub(at.TroubleSince); first == nil || long > longest {
				longest, first = long, at
			}
		}
	}
	if first != nil {
		h := control.Degraded
		if longest >= troubleTooLong {
			h = control.Unhealthy
		}
		worse(h, "the disk takes nothing of %d containers, of %s for %v: %s", troubled, first.Container,
			longest.Round(time.Second), first.Trouble)
	}
	unregistered := 0
	for i := range s.Streams {
		if s.Streams[i].Unregistered {
			unregistered++
		}
	}
	if unregistered > 0 {
		worse(control.Degraded,
			"the disk has no room to register %d containers: if logfast is killed now, it will not find them again",
			unregistered)
	}
}

// lowInodes is how many free inodes are few, unless that is more than a twentieth of all.
const lowInodes = 1000

// unknownDirs are the directories of the containers that are read as unknown.
func unknownDirs(s *control.Status) (dirs []string) {
	for i := range s.Streams {
		if at := &s.Streams[i]; at.Unknown {
			dirs = append(dirs, at.Container+"-"+at.ID)
		}
	}
	return dirs
}

// someOf names a few of many.
func someOf(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// lostReason says what was lost lately: how much, of which containers, when and why.
func lostReason(s *control.Status) string {
	var lines, bytes int64
	var parts []string
	for _, l := range s.Lost {
		lines, bytes = lines+l.Lines, bytes+l.Bytes
		parts = append(parts,
			fmt.Sprintf("%d of %s, last at %s (%s)", l.Lines, l.Container, l.Last.UTC().Format(time.RFC3339), l.Reason))
	}
	return fmt.Sprintf("lost: %d lines, %d bytes: %s", lines, bytes, someOf(parts))
}
