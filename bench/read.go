package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// readResult is what docker logs takes for a stopped container, in seconds.
type readResult struct {
	Row   string    `json:"row"`
	Lines int       `json:"lines"`
	All   []float64 `json:"all"`
	Tail  []float64 `json:"tail"` // --tail 10
}

// measureReading measures docker logs, of the rows that keep what they get and
// read it back themselves.
func (b *bench) measureReading(ctx context.Context) (err error) {
	var rows []row
	for _, r := range b.rows() {
		switch {
		case r.plugin == b.naive, r.plugin == b.logfast && !b.logfast.reads:
			continue
		case r.name == "local":
			r = r.with("", map[string]string{"max-size": "4g"}) // or it would drop what is old
		}
		rows = append(rows, r)
	}
	gate, err := os.MkdirTemp(b.work, "gate-")
	if err != nil {
		return err
	}
	if err := open(gate, "go"); err != nil {
		return err
	}
	var ids []string
	defer func() {
		for _, id := range ids {
			err = errors.Join(err, b.engine.remove(id))
		}
	}()
	var all []readResult
	for _, r := range rows {
		c, err := b.create(ctx, r, gate, "-count", strconv.Itoa(b.lines))
		if err != nil {
			return err
		}
		ids = append(ids, c.id)
		if err := b.engine.start(ctx, c.id); err != nil {
			return err
		}
		if err := b.engine.wait(ctx, c.id); err != nil {
			return err
		}
		if err := b.settle(ctx, r, b.lines, c.id); err != nil {
			return err
		}
		all = append(all, readResult{Row: r.name, Lines: b.lines})
	}
	for range pick(b.quick, 1, 3) {
		for i := range rows {
			took, err := readLogs(ctx, b.lines, ids[i])
			if err != nil {
				return fmt.Errorf("%s: %w", rows[i].name, err)
			}
			all[i].All = append(all[i].All, took)
			if took, err = readLogs(ctx, 10, "--tail", "10", ids[i]); err != nil {
				return fmt.Errorf("%s: %w", rows[i].name, err)
			}
			all[i].Tail = append(all[i].Tail, took)
		}
	}
	b.results.Reading = all
	for _, r := range all {
		b.say("  docker logs of %-10s %s s; --tail 10 %s s", r.Row, statOf(r.All), statOf(r.Tail))
	}
	return nil
}

// readLogs runs docker logs and returns how long it took, in seconds. It fails
// where that printed another number of lines.
func readLogs(ctx context.Context, want int, args ...string) (float64, error) {
	c := exec.CommandContext(ctx, "docker", append([]string{"logs"}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		return 0, err
	}
	n, readErr := countLines(out)
	err = c.Wait()
	took := time.Since(began).Seconds()
	if err = errors.Join(readErr, err); err != nil {
		return 0, fmt.Errorf("docker logs: %w\n%s", err, stderr.Bytes())
	}
	if n != want {
		return 0, fmt.Errorf("docker logs printed %d lines of %d", n, want)
	}
	return took, nil
}

func countLines(r io.Reader) (n int, err error) {
	for buf := make([]byte, 256<<10); ; {
		got, err := r.Read(buf)
		n += bytes.Count(buf[:got], []byte("\n"))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
