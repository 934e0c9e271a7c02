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
	h, err := newHost(b.logfast, n)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	began := time.Now()
	if err := h.start(ctx, nil); err != nil {
		return res, err
	}
	res.Start = time.Since(began).Seconds()
	if err := pause(ctx, 2*time.Second); err != nil {
		return res, err
	}
	if res.CPUIdle, res.RSSIdle, err = share(ctx, p, span, nil); err != nil {
		return res, err
	}
	write := func(ctx context.Context) error { return writeLines(ctx, h.pipes[:res.Writing], 1, 0) }
	if res.CPUWriting, res.RSSWriting, err = share(ctx, p, span, write); err != nil {
		return res, err
	}
	began = time.Now()
	err = h.stop(ctx)
	res.Stop = time.Since(began).Seconds()
	return res, err
}

// host plays Docker for containers that are not there.
type host struct {
	plugin *plugin
	client http.Client
	pipes  []pipe
}

// newHost makes the FIFOs of n containers, in the plugin's directory.
func newHost(p *plugin, n int) (h *host, err error) {
	h = &host{plugin: p, client: clientOf(p.inside("/run/docker/plugins/" + p.sock))}
	for i := range n {
		f := pipe{path: fmt.Sprintf("/run/docker/logging/bench-%d", i)}
		if err := unix.Mkfifo(p.inside(f.path), 0o700); err != nil {
			return nil, errors.Join(err, h.close())
		}
		if f.fd, err = unix.Open(p.inside(f.path), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
			return nil, errors.Join(err, h.close())
		}
		h.pipes = append(h.pipes, f)
	}
	return h, nil
}

// close removes what newHost made. The plugin removes FIFOs that nothing writes to.
func (h *host) close() (err error) {
	h.client.CloseIdleConnections()
	for _, f := range h.pipes {
		err = errors.Join(err, unix.Close(f.fd))
		if e := os.Remove(h.plugin.inside(f.path)); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// start asks the plugin to read the FIFOs, with these options of each container.
func (h *host) start(ctx context.Context, options map[string]string) error {
	return each(ctx, h.pipes, func(i int, f pipe) error {
		id := sha256.Sum256([]byte(f.path))
		return ask(ctx, &h.client, "StartLogging", map[string]any{"File": f.path, "Info": map[string]any{
			"ContainerID": hex.EncodeToString(id[:]), "ContainerName": fmt.Sprintf("/bench-%d", i),
			"ContainerImageName": "bench", "Config": options,
		}})
	})
}

// stop is start's counterpart.
func (h *host) stop(ctx context.Context) error {
	return each(ctx, h.pipes, func(_ int, f pipe) error {
		return ask(ctx, &h.client, "StopLogging", map[string]any{"File": f.path})
	})
}

// share returns how much of a core a plugin used for a time, in percent, and its
// memory at the end, in bytes.
func share(ctx context.Context, p *plugin, span time.Duration,
	meanwhile func(context.Context) error) (percent float64, rss int64, err error) {
	before, err := cpuOf(p.pid)
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
	after, err := cpuOf(p.pid)
	if err != nil {
		return 0, 0, err
	}
	rss, _, err = rssOf(p.pid)
	return 100 * (after - before).Seconds() / time.Since(began).Seconds(), rss, err
}

// writeLines writes each FIFO so many lines a second, spread over the second, until
// ctx ends. Lines of an access log are continued to length bytes if they are shorter.
func writeLines(ctx context.Context, pipes []pipe, rate, length int) error {
	g := lines.New(3)
	var line, buf []byte
	began := time.Now()
	due := func(i int) time.Time {
		return began.Add(time.Duration(i) * time.Second / time.Duration(len(pipes)*rate))
	}
	for i := 0; pause(ctx, time.Until(due(i))) == nil; i++ {
		line = g.Append(line[:0])
		for len(line) < length {
			line = g.Append(append(line, ' '))
		}
		if length > 0 {
			line = line[:length]
		}
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
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
