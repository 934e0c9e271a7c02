// Package plugin makes a managed Docker plugin of logfast: it reads the
// environment, serves Docker's protocol and connects the packages capture and ship,
// which do not know each other.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "time/tzdata" // zones: the plugin's root has no files

	_ "golang.org/x/crypto/x509roots/fallback" // TLS roots, for the same reason

	"github.com/logfast/logfast/driver/capture"
	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/read/logs"
	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/ship"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/durable"
	"github.com/logfast/logfast/plugin/metrics"
	"github.com/logfast/logfast/plugin/selflog"
)

// Socket is where dockerd looks for the plugin, inside the plugin's root:
// the name that config.json gives.
const Socket = "/run/docker/plugins/logfast.sock"

// Main runs the plugin until SIGTERM or SIGINT. SIGHUP seals every active
// segment. Its own log goes to stdout below WARN and to stderr from WARN on: Docker
// copies both to the daemon's log, stderr as errors. Main drops the privileges that
// logfast does not need, for good.
func Main(version string, environ []string, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	log := selflog.NewSplit(stdout, stderr)
	if err := keepCapabilities(needed); err != nil {
		log.Warn("logfast keeps privileges that it does not need", "err", err)
	}
	if err := relaxTimers(); err != nil {
		log.Warn("logfast needs more of the processor than it should while little is written", "err", err)
	}
	debug.SetGCPercent(gcPercent)
	return run(ctx, version, Socket, environ, hup, log)
}

// gcPercent is how much may be allocated before memory is collected, in percent of what
// is in use. Streams allocate nothing for a line, so collecting is rare, and half of Go's
// default keeps a host with thousands of containers small.
const gcPercent = 40

// run serves the socket until ctx ends. Where logfast cannot work it says so
// to every container that wants to start, and goes on: a plugin that exits is
// reported by dockerd as a socket that is missing, without a reason.
func run(ctx context.Context, version, socket string, environ []string, hup <-chan os.Signal, log *selflog.Log) error {
	defer log.Flush()
	l, err := listen(socket)
	if err != nil {
		return err
	}
	if secret := visibleSecret(environ); secret != "" {
		log.Warn("a secret is among the plugin's settings, where docker plugin inspect shows it: write it to "+
			"/etc/logfast/credentials, or use a role, and set the variable to nothing", "variable", secret)
	}
	server := newServer()
	served := make(chan error, 1)
	go func() { served <- server.serve(l) }()

	work := func() error { return work(ctx, version, readSettings(environ), environ, hup, log, server) }
	keepWorking(ctx, work, func(err error, again bool) {
		server.become(able{failed: err})
		if !again {
			defer keepLogOf(environ, log)()
			log.Error(cannotWork, "err", err)
		}
	})
	return errors.Join(l.Close(), <-served)
}

// visibleSecret names the variable by which a secret was set, if any.
func visibleSecret(environ []string) string {
	if all := visibleSecrets(environ); len(all) > 0 {
		return all[0]
	}
	return ""
}

// visibleSecrets names all of them, in the order of environ.
func visibleSecrets(environ []string) (names []string) {
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" {
			continue
		}
		// The names of proxies have no case.
		if settings.Of(name).Secret == settings.IsSecret ||
			settings.Of(strings.ToUpper(name)).Secret == settings.InURL && hasUser(value) {
			names = append(names, name)
		}
	}
	return names
}

// hasUser reports whether a URL may have a password.
func hasUser(value string) bool {
	u, err := url.Parse(value)
	return err == nil && u.User != nil || err != nil && strings.Contains(value, "@")
}

// workRetry is how soon logfast tries again to work: a disk may become writable,
// a directory may be mounted, another plugin may give the spool up. Meanwhile
// nobody reads the FIFOs of running containers.
const workRetry = 2 * time.Second

// keepWorking calls work until ctx ends; failed is called with the reason if that
// returns early, and with whether it was the same the last time.
func keepWorking(ctx context.Context, work func() error, failed func(err error, again bool)) {
	said := ""
	for {
		err := work()
		if err == nil {
			return
		}
		failed(err, err.Error() == said)
		said = err.Error()
		select {
		case <-ctx.Done():
			return
		case <-time.After(workRetry):
		}
	}
}

// work opens everything, joins capture and ship and returns when ctx has ended
// and both have come to rest, or at once where something cannot be opened.
func work(ctx context.Context, version string, set *effective, environ []string, hup <-chan os.Signal, log *selflog.Log,
	server *server) error {
	cfg := set.Config
	log.Level.Set(cfg.LogLevel)
	detector, err := detect.New(cfg.Defaults.Detect) // of segments whose stream is not known any more
	if err != nil {
		return err
	}
	spool, err := spool.Open(cfg.Spool, spool.Options{
		Key: cfg.Key, Triage: triage.New(detector, cfg.Routes), UID: cfg.UID, GID: cfg.GID, MaxDisk: cfg.MaxDisk,
		Log: log.Logger,
	})
	if err != nil {
		return err
	}
	defer keepLog(cfg.Spool, cfg.UID, cfg.GID, log)()
	set.report(log.Logger)
	store := newLateStore(set.openStore)
	incidents := incident.OpenDir(func() (durable.Root, error) { return spool.State(incident.StateDir) })
	teller := newTeller(cfg, spool, log.Logger)
	operator := &operator{
		teller: teller, version: version, started: time.Now(), environ: environ, cfg: cfg, wrong: set.wrong,
		store: store, spool: spool, log: log,
	}
	operator.metrics = metrics.New(operator.status)
	shipper := ship.New(ship.Config{
		Spool: spool, Store: store, Keep: cfg.Keep, Stall: cfg.Stall, Log: log.Logger,
		Shipped: operator.shipped, Removed: operator.removed, Incidents: incidents, Announce: teller.announce,
	})
	capture, err := capture.New(capture.Config{
		Spool: spool, FIFOs: cfg.FIFOs, Host: cfg.Host, Defaults: cfg.Defaults,
		Labels: cfg.Labels, KeyLabels: cfg.Key.Labels(), Env: cfg.Key.Env(), Strict: cfg.Strict,
		Routes: cfg.Routes, Daily: cfg.Daily, OnFull: cfg.OnFull, Sealed: shipper.Wake,
		Soon: shipper.Soon, Opened: teller.opened, Log: log.Logger,
	})
	if err != nil {
		return errors.Join(err, teller.close(), incidents.Close(), store.close(), spool.Close())
	}
	if err := capture.Recover(); err != nil {
		log.Error("recovery left something as it was", "err", err)
	}
	operator.capture, operator.shipper = capture, shipper
	log.Info("logfast is ready", "version", version, "spool", cfg.Spool, "bucket", cfg.S3.Bucket,
		"prefix", cfg.S3.Prefix, "directory", cfg.Dir, "host", cfg.Host)
	reader := logs.New(logs.Config{Spool: spool, Log: log.Logger, Heartbeat: heartbeat})
	older := archive.New(archive.Config{
		Store: store, Key: cfg.Key, Temp: cfg.Spool, CheckSpace: spool.CheckCopy, // the plugin's root has no /tmp
		Warn: func(err error) { log.Warn("docker logs: the archive cannot be read in full", "err", err) },
	})
	server.become(able{capture: capture, reader: reader, archive: older})

	var wg sync.WaitGroup
	wg.Go(func() { capture.Run(ctx) })
	wg.Go(func() { shipper.Run(ctx) })
	wg.Go(func() { store.run(ctx, log.Logger) })
	wg.Go(func() { operator.serve(ctx) })
	wg.Go(func() { teller.run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				_ = capture.Seal() // which logs what went wrong
			}
		}
	})
	wg.Wait()
	err = capture.Close() // which ends the followers, once they have all that was written, and gives its last notices
	server.reads.end(lastReads)
	if err := errors.Join(err, teller.close(), incidents.Close(), store.close(), spool.Close()); err != nil {
		log.Error("stop", "err", err)
	}
	log.Info(hasStopped)
	return nil
}

// What the log's last line says, of a process that ends by itself.
const (
	hasStopped = "logfast has stopped"
	cannotWork = "logfast cannot work; containers that use it will not start"
)

// report logs what is wrong with the settings, and keeps what is right.
func (s *effective) report(log *slog.Logger) {
	for i := range s.wrong {
		log.Error(wrongSetting, "err", s.wrong[i].err, "in_its_place", s.wrong[i].inUse)
	}
	if err := s.keep(); err != nil {
		log.Error("the settings cannot be kept for a later start with something wrong", "err", err)
	}
}

// openStore opens the store, if its settings are right by now.
func (s *effective) openStore(ctx context.Context) (Store, func() error, error) {
	cfg, err := s.storeConfig()
	if err != nil {
		return nil, nil, err
	}
	cfg.UID, cfg.GID = s.UID, s.GID
	store, end, err := cfg.OpenStore(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open the store: %w", err)
	}
	return store, end, nil
}

// wrongSetting begins what is logged of each.
const wrongSetting = "a setting is wrong; containers run all the same"

// keepLog keeps the log in the spool as well, until what it returns is called.
// Where that does not work it is said, and all else goes on.
func keepLog(spool string, uid, gid int, log *selflog.Log) (end func()) {
	end = func() {}
	root, err := os.OpenRoot(spool)
	if err != nil {
		log.Error("logfast's own log is not kept in the spool", "err", err)
		return end
	}
	f, ended, err := selflog.OpenFile(root, uid, gid, hasStopped, cannotWork)
	if err != nil {
		log.Error("logfast's own log is not kept in the spool", "err", errors.Join(err, root.Close()))
		return end
	}
	log.Keep(f)
	if !ended {
		log.Warn("the process before this one did not end by itself: it was killed, or died")
	}
	return func() {
		log.Flush()
		log.Keep(nil)
		if err := errors.Join(f.Close(), root.Close()); err != nil {
			log.Error("close logfast's own log", "err", err)
		}
	}
}

// keepLogOf is keepLog where nothing of the configuration may be relied on but
// where the spool is. In one that another process has, nothing is written.
func keepLogOf(environ []string, log *selflog.Log) (end func()) {
	sp := settings.SpoolDir
	for _, v := range environ {
		if dir, ok := strings.CutPrefix(v, settings.Spool+"="); ok && filepath.IsAbs(dir) {
			sp = dir
		}
	}
	root, err := os.OpenRoot(sp)
	if err != nil {
		return func() {}
	}
	defer root.Close() //nolint:errcheck // nothing is written by it
	lock, err := durable.Lock(root, spool.LockFile)
	if err != nil {
		return func() {}
	}
	forget := keepLog(sp, -1, -1, log)
	return func() {
		forget()
		_ = lock.Close() // which the process's end does as well
	}
}
