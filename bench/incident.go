package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/logfast/logfast/bench/lines"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
)

// incidentResult says how long after the quiet period an error's object was
// in the store.
type incidentResult struct {
	Bytes  int64     `json:"bytes"` // of the segment's text
	Quiet  float64   `json:"quiet"` // the quiet period, seconds
	Beyond []float64 `json:"beyond"`
}

// A record of an access log in the format cri: what Docker's stamp adds, too.
const recordBytes = 130 + criHead + 1

// measureIncident lets a container write a long segment that ends in an error,
// and waits for the object in a directory store.
func (b *bench) measureIncident(ctx context.Context) error {
	size, runs := 100_000_000, 3
	if b.quick {
		size, runs = 20_000_000, 2
	}
	const quiet = time.Second
	r := b.row("logfast").with("", map[string]string{"max-size": "4GB", "quiet-period": quiet.String()})
	res := &incidentResult{Quiet: quiet.Seconds()}
	for range runs {
		beyond, bytes, err := b.incident(ctx, r, size/recordBytes, quiet)
		if err != nil {
			return err
		}
		res.Bytes, res.Beyond = bytes, append(res.Beyond, beyond.Seconds())
	}
	b.results.Incident = res
	b.say("  %.0f MB, from the error to the object: the quiet period and %s s", float64(res.Bytes)/1e6,
		statOf(res.Beyond))
	return nil
}

func (b *bench) incident(ctx context.Context, r row, count int,
	quiet time.Duration) (beyond time.Duration, text int64, err error) {
	gate, err := os.MkdirTemp(b.work, "gate-")
	if err != nil {
		return 0, 0, err
	}
	c, err := b.create(ctx, r, gate, "-count", strconv.Itoa(count), "-error", "-hold")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, b.engine.remove(c.id)) }()
	if err := b.engine.start(ctx, c.id); err != nil {
		return 0, 0, err
	}
	if err := ready(ctx, gate, 1); err != nil {
		return 0, 0, err
	}
	if err := open(gate, "go"); err != nil {
		return 0, 0, err
	}
	// The key's default template; see docs/layout.md.
	pattern := filepath.Join(b.logfast.spool, "archive/logs/dt=*/host=*/app="+c.name, "*-error.log.gz")
	var visible time.Time
	for deadline := time.Now().Add(2 * time.Minute); visible.IsZero(); {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			visible = time.Now()
			break
		}
		if time.Now().After(deadline) {
			return 0, 0, fmt.Errorf("no object came: %s", pattern)
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
	written, text, err := lastStamp(pattern)
	if err != nil {
		return 0, 0, err
	}
	if err := open(gate, "end"); err != nil {
		return 0, 0, err
	}
	if err := b.engine.wait(ctx, c.id); err != nil {
		return 0, 0, err
	}
	return visible.Sub(written) - quiet, text, nil
}

// lastStamp unpacks an object and returns the time in its last line and the
// length of its text.
func lastStamp(pattern string) (stamped time.Time, size int64, err error) {
	found, _ := filepath.Glob(pattern)
	f, err := os.Open(found[0])
	if err != nil {
		return stamped, 0, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return stamped, 0, err
	}
	var last string
	s := bufio.NewScanner(z)
	for s.Scan() {
		size += int64(len(s.Bytes())) + 1
		if line := s.Bytes(); len(line) > len(mark)+digits && line[len(line)-digits-1] == '=' {
			last = string(line)
		}
	}
	if err := s.Err(); err != nil {
		return stamped, 0, err
	}
	_, nano, _ := strings.Cut(last, mark)
	n, err := strconv.ParseInt(nano, 10, 64)
	if err != nil {
		return stamped, 0, fmt.Errorf("the object's last stamp, %q: %w", last, err)
	}
	return time.Unix(0, n), size, nil
}

// packingResult compares a busy container's run while segments are packed with
// one while none are.
type packingResult struct {
	Lines   int      `json:"lines"`
	Without []sample `json:"without"`
	With    []sample `json:"with"`
	// Covered says whether segments were left to pack when the run ended.
	Covered bool `json:"covered"`
}

// measurePacking gives logfast a spool of sealed segments, as one that was
// restored from a backup, and lets a container write while they are packed.
func (b *bench) measurePacking(ctx context.Context) error {
	size, count, runs := 100_000_000, 40, 5 // more than can be packed meanwhile
	if b.quick {
		size, count, runs = 50_000_000, 40, 1
	}
	stock := filepath.Join(b.work, "stock")
	if err := makeStock(stock, size, count); err != nil {
		return fmt.Errorf("make sealed segments: %w", err)
	}
	res := &packingResult{Lines: b.lines / 2, Covered: true}
	l := load{containers: 1, lines: res.Lines, unsettled: true}
	for range runs {
		if err := b.again(ctx, nil); err != nil {
			return err
		}
		without, err := b.emit(ctx, b.unsealed(), l)
		if err != nil {
			return err
		}
		if err := b.again(ctx,
			func(spool string) error { _, err := run(ctx, "cp", "-al", stock+"/.", spool); return err }); err != nil {
			return err
		}
		with, err := b.emit(ctx, b.unsealed(), l)
		if err != nil {
			return err
		}
		left, _ := filepath.Glob(filepath.Join(b.logfast.spool, "stock-*", "*-size"))
		res.Covered = res.Covered && len(left) > 0
		res.Without, res.With = append(res.Without, without), append(res.With, with)
		b.say("  %.2f s without, %.2f s with packing; %d of %d segments were left", without.Wall, with.Wall, len(left),
			count)
	}
	b.results.Packing = res
	return b.again(ctx, nil)
}

// makeStock makes a spool of sealed segments that share one text on the disk.
func makeStock(dir string, size, count int) error {
	key, err := spool.ParseKeyTemplate(spool.DefaultKey)
	if err != nil {
		return err
	}
	sp, err := spool.Open(dir, spool.Options{Key: key, Triage: triage.New(detect.Off{}, nil), UID: -1, GID: -1})
	if err != nil {
		return err
	}
	w := sp.Writer(spool.Stream{ID: strings.Repeat("0", 64), Name: "stock", Host: "bench", App: "stock", Format: "raw"})
	now := time.Now().UnixNano()
	const n = 10_000
	text := lines.Text(4, n)
	for written := 0; written < size; written += len(text) {
		if _, err := w.Append(&spool.Batch{Text: text, First: now, Last: now, Lines: n}, segment1); err != nil {
			return err
		}
	}
	first, err := w.Seal(spool.Size)
	if err != nil {
		return err
	}
	if _, err := w.Close(); err != nil {
		return err
	}
	if err := sp.Close(); err != nil {
		return err
	}
	first = filepath.Join(dir, first)
	meta, err := os.ReadFile(hidden(first))
	if err != nil {
		return err
	}
	var m map[string]any
	if err := json.Unmarshal(meta, &m); err != nil {
		return err
	}
	for i := 2; i <= count; i++ {
		number := fmt.Sprintf("-%06d-", i)
		next := strings.Replace(first, "-000001-", number, 1)
		if err := os.Link(first, next); err != nil {
			return err
		}
		m["seq"], m["key"] = i, fmt.Sprintf("stock/%d", i)
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := os.WriteFile(hidden(next), text, 0o640); err != nil {
			return err
		}
	}
	return nil
}

// segment1 is a size limit that is never reached.
const segment1 = 1 << 40

// hidden is where a segment's description is.
func hidden(path string) string {
	dir, name := filepath.Split(path)
	return dir + "." + name + ".json"
}
