package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/bench/lines"
	"github.com/logfast/logfast/driver/format/frame"
)

// streamsResult is what many quiet streams cost.
type streamsResult struct {
	Streams int     `json:"streams"`
	Start   float64 `json:"start"` // seconds until all were started
	Stop    float64 `json:"stop"`  // seconds until all were stopped
	Writing int     `json:"writing"`
	// Memory that is resident, in bytes, and share of one core, in percent.
	RSSNone, RSSIdle, RSSWriting int64
	CPUIdle, CPUWriting          float64
}

// measureStreams plays Docker for many containers: FIFOs in the plugin's own
// directory, requests over the plugin's own socket, frames as dockerd writes
// them. A tenth of the streams gets a line a second.
func (b *bench) measureStreams(ctx context.Context) error {
	counts, span := []int{1000, 5000}, 15*time.Second
	if b.quick {
		counts, span = []int{200}, 4*time.Second
	}
	if err := raiseFiles(); err != nil {
		return err
	}
	for _, n := range counts {
		// A process of its own, which no busy container has grown.
		if err := b.again(ctx, nil); err != nil {
			return err
		}
		res, err := b.streams(ctx, n, span)
		if err != nil {
			return fmt.Errorf("%d streams: %w", n, err)
		}
		b.results.Streams = append(b.results.Streams, res)
		b.say("  %d streams: %.0f MiB, %.2f %% of a core; %d of them writing: %.0f MiB, %.2f %%; started in %.1f s, "+
			"stopped in %.1f s", n,
			mib(res.RSSIdle), res.CPUIdle, res.Writing, mib(res.RSSWriting), res.CPUWriting, res.Start, res.Stop)
	}
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// again gives logfast a new process and a new spool.
func (b *bench) again(ctx context.Context, prepare func(spool string) error) error {
	if err := b.logfast.disable(); err != nil {
		return err
	}
	return b.logfast.enable(ctx, b.work, prepare)
}

func raiseFiles() error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return err
	}
	r.Cur = r.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &r)
}

// pipe is a stream's FIFO, as dockerd holds it.
type pipe struct {
	path string // inside the plugin
	fd   int    // open for reading and writing
}

func (b *bench) streams(ctx context.Context, n int, span time.Duration) (res streamsResult, err error) {
	p := b.logfast
	res = streamsResult{Streams: n, Writing: n / 10}
	if res.RSSNone, _, err = rssOf(p.pid); err != nil {
		return res, err
	}
	client := clientOf(p.inside("/run/docker/plugins/" + p.sock))
	defer client.CloseIdleConnections()
	var pipes []pipe
	defer func() {
		for _, f := range pipes {
			err = errors.Join(err, unix.Close(f.fd))
			// the plugin removes what nobody writes to
			if e := os.Remove(p.inside(f.path)); !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}()
	for i := range n {
		f := pipe{path: fmt.Sprintf("/run/docker/logging/bench-%d", i)}
		if err := unix.Mkfifo(p.inside(f.path), 0o700); err != nil {
			return res, err
		}
		if f.fd, err = unix.Open(p.inside(f.path), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
			return res, err
		}
		pipes = append(pipes, f)
	}
	began := time.Now()
	err = each(ctx, pipes, func(i int, f pipe) error {
		id := sha256.Sum256([]byte(f.path))
		return ask(ctx, &client, "StartLogging", map[string]any{"File": f.path, "Info": map[string]any{
			"ContainerID": hex.EncodeToString(id[:]), "ContainerName": fmt.Sprintf("/quiet-%d", i),
			"ContainerImageName": "quiet",
		}})
	})
	if err != nil {
		return res, err
	}
	res.Start = time.Since(began).Seconds()
	if err := pause(ctx, 2*time.Second); err != nil {
		return res, err
	}
	if res.CPUIdle, res.RSSIdle, err = b.share(ctx, span, nil); err != nil {
		return res, err
	}
	write := func(ctx context.Context) error { return writeLines(ctx, pipes[:res.Writing]) }
	if res.CPUWriting, res.RSSWriting, err = b.share(ctx, span, write); err != nil {
		return res, err
	}
	began = time.Now()
	err = each(ctx, pipes, func(_ int, f pipe) error {
		return ask(ctx, &client, "StopLogging", map[string]any{"File": f.path})
	})
	res.Stop = time.Since(began).Seconds()
	return res, err
}

// share returns how much of a core the plugin used for a time, in percent, and
// its memory at the end.
func (b *bench) share(ctx context.Context, span time.Duration,
	meanwhile func(context.Context) error) (percent float64, rss int64, err error) {
	before, err := cpuOf(b.logfast.pid)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	short, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	if meanwhile != nil {
		if err := meanwhile(short); err != nil {
			return 0, 0, err
		}
	}
	<-short.Done()
	if ctx.Err() != nil {
		return 0, 0, ctx.Err()
	}
	after, err := cpuOf(b.logfast.pid)
	if err != nil {
		return 0, 0, err
	}
	rss, _, err = rssOf(b.logfast.pid)
	return 100 * (after - before).Seconds() / time.Since(began).Seconds(), rss, err
}

// writeLines writes each FIFO a line a second, spread over the second, until
// ctx ends.
func writeLines(ctx context.Context, pipes []pipe) error {
	g := lines.New(3)
	var line, buf []byte
	began := time.Now()
	due := func(i int) time.Time { return began.Add(time.Duration(i) * time.Second / time.Duration(len(pipes))) }
	for i := 0; pause(ctx, time.Until(due(i))) == nil; i++ {
		line = g.Append(line[:0])
		buf = frame.Append(buf[:0], &frame.Entry{Source: []byte("stdout"), TimeNano: time.Now().UnixNano(), Line: line})
		if _, err := unix.Write(pipes[i%len(pipes)].fd, buf); err != nil {
			return fmt.Errorf("write a frame: %w", err)
		}
	}
	return nil
}

// each calls do for each FIFO, eight at a time, as Docker does when a host
// starts.
func each(ctx context.Context, pipes []pipe, do func(int, pipe) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	next := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range next {
				if err := do(i, pipes[i]); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for i := range pipes {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(append(errs[:min(3, len(errs))], ctx.Err())...)
}

func ask(ctx context.Context, c *http.Client, method string, in any) error {
	var answer struct{ Err string }
	if err := call(ctx, c, http.MethodPost, "/LogDriver."+method, in, &answer); err != nil {
		return err
	}
	if answer.Err != "" {
		return fmt.Errorf("%s: %s", method, answer.Err)
	}
	return nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
