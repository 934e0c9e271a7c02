package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// latencyResult says how long lines took from the program's write until they
// could be read from the file, in milliseconds.
type latencyResult struct {
	Row   string    `json:"row"`
	Load  string    `json:"load"` // "quiet", "steady", "busy", "steady beside 4 busy"
	N     int       `json:"n"`
	Write quantiles `json:"write"` // since the program's write(2)
	// Stamp is the same since Docker stamped the line; where the file tells.
	// What is between is the wait for Docker, in the container's stdout.
	Stamp quantiles `json:"stamp"`
}

// quantiles are in milliseconds.
type quantiles struct{ P50, P99, Max float64 }

func quantilesOf(all []time.Duration) quantiles {
	var ms []float64
	for _, d := range all {
		ms = append(ms, d.Seconds()*1000)
	}
	if len(ms) == 0 {
		return quantiles{}
	}
	s := statOf(ms)
	return quantiles{s.Median, percentile(ms, 0.99), s.Max}
}

// paces are the containers that do not write all they can. A quiet one waits longer
// before each line than logfast takes for a pause between the lines of a steady one.
var paces = []struct {
	load         string
	every        time.Duration
	quick, lines int
}{
	{"quiet", 250 * time.Millisecond, 40, 120},
	{"steady", 50 * time.Millisecond, 80, 400},
}

// measureLatency measures a quiet and a steady container of each row, side by side, then
// one busy container of each row in turn, and then a steady one beside busy ones.
func (b *bench) measureLatency(ctx context.Context) error {
	var rows []row
	for _, r := range b.rows() {
		switch {
		case r.file == nil:
			continue
		case r.name == "local": // must not begin another file
			r = r.with("", map[string]string{"max-size": "4g"})
		case r.plugin == b.logfast:
			r = r.with("", map[string]string{"max-size": "4GB"})
		}
		rows = append(rows, r)
	}
	var made []func(context.Context) (latencyResult, error)
	for _, p := range paces {
		for _, r := range rows {
			watch, err := b.watch(ctx, r, p.load, "-every", p.every.String(),
				"-count", strconv.Itoa(pick(b.quick, p.quick, p.lines)))
			if err != nil {
				return err
			}
			made = append(made, watch)
		}
	}
	found := make([]latencyResult, len(made))
	errs := make([]error, len(made))
	var wg sync.WaitGroup
	for i, watch := range made {
		wg.Go(func() { found[i], errs[i] = watch(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	b.results.Latency = found
	for _, r := range rows {
		watch, err := b.watch(ctx, r, "busy", "-stamps", "-count", strconv.Itoa(b.lines/2))
		if err != nil {
			return err
		}
		busy, err := watch(ctx)
		if err != nil {
			return err
		}
		b.results.Latency = append(b.results.Latency, busy)
	}
	for _, r := range rows {
		beside, err := b.beside(ctx, r, 4)
		if err != nil {
			return err
		}
		b.results.Latency = append(b.results.Latency, beside)
	}
	for _, l := range b.results.Latency {
		b.say("  %s %-10s %5d lines, ms p50/p99/max: %.2f/%.2f/%.2f since the write; %.2f/%.2f/%.2f since "+
			"Docker's stamp", l.Load, l.Row, l.N,
			l.Write.P50, l.Write.P99, l.Write.Max, l.Stamp.P50, l.Stamp.P99, l.Stamp.Max)
	}
	return nil
}

// beside measures a steady container while n others write all they can, which
// are killed then.
func (b *bench) beside(ctx context.Context, r row, n int) (res latencyResult, err error) {
	gate, err := os.MkdirTemp(b.work, "gate-")
	if err != nil {
		return res, err
	}
	for range n {
		c, err := b.create(ctx, r, gate, "-count", "1000000000")
		if err != nil {
			return res, err
		}
		defer func() { err = errors.Join(err, b.engine.remove(c.id)) }()
		if err := b.engine.start(ctx, c.id); err != nil {
			return res, err
		}
	}
	watch, err := b.watch(ctx, r, fmt.Sprintf("steady beside %d busy", n), "-every", "20ms", "-count", "110")
	if err == nil {
		err = ready(ctx, gate, n)
	}
	if err == nil {
		err = open(gate, "go")
	}
	if err == nil {
		err = pause(ctx, 500*time.Millisecond)
	}
	if err != nil {
		return res, err
	}
	return watch(ctx)
}

// watch starts a container and returns what lets it go, watches its file until
// it has ended, and removes it.
func (b *bench) watch(ctx context.Context, r row, load string,
	args ...string) (func(context.Context) (latencyResult, error), error) {
	gate, err := os.MkdirTemp(b.work, "gate-")
	if err != nil {
		return nil, err
	}
	c, err := b.create(ctx, r, gate, args...)
	if err == nil {
		err = b.engine.start(ctx, c.id)
	}
	if err == nil {
		err = ready(ctx, gate, 1)
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (latencyResult, error) {
		ended := make(chan error, 1)
		go func() { ended <- b.engine.wait(ctx, c.id) }()
		if err := open(gate, "go"); err != nil {
			return latencyResult{}, err
		}
		t, err := follow(ctx, r.file(b, c), ended)
		if err == nil && t.n < 50 {
			err = fmt.Errorf("%s: only %d stamps in %s", r.name, t.n, r.file(b, c))
		}
		err = errors.Join(err, b.engine.remove(c.id))
		return latencyResult{r.name, load, t.n, quantilesOf(t.write), quantilesOf(t.stamp)}, err
	}, nil
}

// times is what a file's stamps tell.
type times struct {
	n            int
	write, stamp []time.Duration
}

// skipped stamps come before the file is watched, or while it is made.
const skipped = 10

// follow reads a file as it grows, until its container has ended.
func follow(ctx context.Context, path string, ended <-chan error) (t times, err error) {
	var f *os.File
	for {
		if f, err = os.Open(path); err == nil {
			break
		}
		select {
		case err := <-ended:
			return t, errors.Join(err, fmt.Errorf("%s never came to be", path))
		case <-ctx.Done():
			return t, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	defer f.Close()
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, unix.Close(watch)) }()
	if _, err := unix.InotifyAddWatch(watch, path, unix.IN_MODIFY); err != nil {
		return t, err
	}
	buf := make([]byte, 0, 1<<20)
	events := make([]byte, 4096)
	for over := false; ; {
		n, err := f.Read(buf[len(buf):cap(buf)])
		now := time.Now()
		if n > 0 {
			buf = t.scan(buf[:len(buf)+n], now)
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return t, err
		}
		if over {
			return t, nil
		}
		select {
		case err := <-ended:
			if err != nil {
				return t, err
			}
			over = true
			continue
		default:
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(watch), Events: unix.POLLIN}}, 50); err != nil &&
			!errors.Is(err, unix.EINTR) {
			return t, err
		}
		for { // the events themselves do not matter
			if n, err := unix.Read(watch, events); err != nil || n < len(events) {
				break
			}
		}
	}
}

const (
	mark   = "stamp="
	digits = 19
	// A CRI record begins with a time of 30 bytes; see docs/layout.md.
	criTime = len("2026-11-23T19:03:01.123456789Z")
	criHead = criTime + len(" stdout F ")
)

// scan takes the stamps in text, which was there at time now, and returns what
// may be the beginning of another.
func (t *times) scan(text []byte, now time.Time) []byte {
	at := 0
	for {
		i := bytes.Index(text[at:], []byte(mark))
		if i < 0 || at+i+len(mark)+digits > len(text) {
			break
		}
		at += i
		nano, err := strconv.ParseInt(string(text[at+len(mark):at+len(mark)+digits]), 10, 64)
		if t.n++; err == nil && t.n > skipped {
			t.write = append(t.write, now.Sub(time.Unix(0, nano)))
			if at >= criHead {
				if stamped, err := time.Parse(time.RFC3339Nano,
					string(text[at-criHead:at-criHead+criTime])); err == nil {
					t.stamp = append(t.stamp, now.Sub(stamped))
				}
			}
		}
		at += len(mark) + digits
	}
	rest := text[max(at, len(text)-criHead-len(mark)-digits):]
	return append(text[:0], rest...)
}
