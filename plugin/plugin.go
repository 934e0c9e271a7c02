// Package plugin makes a managed Docker plugin of logfast: it reads the
// environment, serves Docker's protocol and introduces CAPTURE and SHIP, which
// do not know each other.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // TLS roots, for the same reason
	_ "time/tzdata"                            // zones: the plugin's root has no files

	"github.com/logfast/logfast/driver"
	"github.com/logfast/logfast/driver/detect"
	"github.com/logfast/logfast/driver/read"
	"github.com/logfast/logfast/driver/segment"
	"github.com/logfast/logfast/driver/ship"
)

// Socket is where dockerd looks for the plugin, inside the plugin's root:
// the name that config.json gives.
const Socket = "/run/docker/plugins/logfast.sock"

// Main runs the plugin until SIGTERM or SIGINT. SIGHUP seals every active
// segment. Its own log goes to stderr, which Docker copies to the daemon's.
func Main(environ []string, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return run(ctx, Socket, environ, hup, stderr)
}

// run serves the socket until ctx ends. Where logfast cannot work it says so
// to every container that wants to start, and goes on: a plugin that exits is
// reported by dockerd as a socket that is missing, without a reason.
func run(ctx context.Context, socket string, environ []string, hup <-chan os.Signal, stderr io.Writer) error {
	level := new(slog.LevelVar)
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	l, err := listen(socket)
	if err != nil {
		return err
	}
	if secret := visibleSecret(environ); secret != "" {
		log.Warn("a secret is among the plugin's settings, where docker plugin inspect shows it: write it to /etc/logfast/credentials, or use a role, and set the variable to nothing", "variable", secret)
	}
	server := newServer()
	served := make(chan error, 1)
	go func() { served <- server.serve(l) }()

	work := func() error { return work(ctx, environ, hup, log, level, server) }
	keepWorking(ctx, log, work, func(err error) { server.become(able{failed: err}) })
	return errors.Join(l.Close(), <-served)
}

// visibleSecret names the variable by which somebody gave a secret, if any.
func visibleSecret(environ []string) string {
	for _, secret := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		for _, variable := range environ {
			if name, value, _ := strings.Cut(variable, "="); name == secret && value != "" {
				return secret
			}
		}
	}
	return ""
}

// workRetry is how soon logfast tries again to work: a disk may become writable,
// a directory may be mounted, another plugin may give the spool up. Meanwhile
// nobody reads the FIFOs of running containers.
const workRetry = 2 * time.Second

// keepWorking calls work until ctx ends; failed is told why where that returns
// early. A configuration stays as it is as long as the process, so one that is
// wrong is not tried again.
func keepWorking(ctx context.Context, log *slog.Logger, work func() error, failed func(error)) {
	said := ""
	for {
		err := work()
		if err == nil {
			return
		}
		failed(err)
		if text := err.Error(); text != said {
			said = text
			log.Error("logfast cannot work; containers that use it will not start", "err", err)
		}
		var again <-chan time.Time
		if wrong := (configError{}); !errors.As(err, &wrong) {
			again = time.After(workRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
		}
	}
}

// configError says what is wrong with the settings.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

// work opens everything, joins CAPTURE and SHIP and returns when ctx has ended
// and both have come to rest, or at once where something cannot be opened.
func work(ctx context.Context, environ []string, hup <-chan os.Signal, log *slog.Logger, level *slog.LevelVar, server *server) error {
	cfg, err := ReadConfig(environ)
	if err != nil {
		return configError{fmt.Errorf("%w\nset it right: docker plugin disable -f logfast, docker plugin set logfast NAME=value, docker plugin enable logfast", err)}
	}
	level.Set(cfg.LogLevel)
	detector, err := detect.New(cfg.Defaults.Detect) // of segments whose stream is not known any more
	if err != nil {
		return err
	}
	spool, err := segment.Open(cfg.Spool, segment.Options{Key: cfg.Key, Detector: detector, UID: cfg.UID, GID: cfg.GID, MaxDisk: cfg.MaxDisk})
	if err != nil {
		return err
	}
	store, closeStore, err := cfg.OpenStore(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("open the store: %w", err), spool.Close())
	}
	shipper := ship.New(ship.Config{Spool: spool, Store: store, Keep: cfg.Keep, Log: log})
	capture, err := driver.New(driver.Config{
		Spool: spool, Host: cfg.Host, Defaults: cfg.Defaults,
		Daily: cfg.Daily, OnFull: cfg.OnFull, Sealed: shipper.Wake, Log: log,
	})
	if err != nil {
		return errors.Join(err, closeStore(), spool.Close())
	}
	if err := capture.Recover(); err != nil {
		log.Error("recovery left something as it was", "err", err)
	}
	log.Info("logfast is ready", "spool", cfg.Spool, "bucket", cfg.S3.Bucket, "prefix", cfg.S3.Prefix, "directory", cfg.Dir, "host", cfg.Host)
	reader := read.New(read.Config{Spool: spool, Log: log, Heartbeat: heartbeat})
	server.become(able{capture: capture, reader: reader})

	var wg sync.WaitGroup
	wg.Go(func() { capture.Run(ctx) })
	wg.Go(func() { shipper.Run(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				capture.Seal()
			}
		}
	})
	wg.Wait()
	err = capture.Close() // which ends the followers, once they have all that was written
	server.reads.end(lastReads)
	if err := errors.Join(err, closeStore(), spool.Close()); err != nil {
		log.Error("stop", "err", err)
	}
	log.Info("logfast has stopped")
	return nil
}
