package plugin

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"
	"github.com/google/go-cmp/cmp"
)

// These tests hold the plugin to what moby's daemon/logger/loggertest holds
// drivers to, through the socket and with Docker's own codec.

// shown is a record as docker logs gets it.
type shown struct {
	Source, Line string
	Nano         int64
}

// sent are messages like those of loggertest: lines, a line of one chunk, one
// of two, a long one, and one after somebody has set the clock back.
func sent() []logdriver.LogEntry {
	now := time.Now().Truncate(time.Millisecond)
	ago := func(minutes int) int64 { return now.Add(time.Duration(-minutes) * time.Minute).UnixNano() }
	chunk := func(id string, ordinal int32, last bool) *logdriver.PartialLogEntryMetadata {
		return &logdriver.PartialLogEntryMetadata{Id: id, Ordinal: ordinal, Last: last}
	}
	return []logdriver.LogEntry{
		{Source: "stdout", TimeNano: ago(30), Line: []byte("a line")},
		{Source: "stdout", TimeNano: ago(20), Line: []byte("a line in one chunk"), Partial: true, PartialLogMetadata: chunk("a", 1, true)},
		{Source: "stderr", TimeNano: ago(15), Line: []byte("begun ..."), Partial: true, PartialLogMetadata: chunk("b", 1, false)},
		{Source: "stderr", TimeNano: ago(15), Line: []byte("... and ended"), Partial: true, PartialLogMetadata: chunk("b", 2, true)},
		{Source: "stderr", TimeNano: ago(10), Line: []byte("long " + strings.Repeat("a", 4096))},
		{Source: "stderr", TimeNano: ago(10), Line: []byte("one more")},
		{Source: "stdout", TimeNano: ago(90), Line: []byte("the clock was set back")},
	}
}

func expected(entries []logdriver.LogEntry) (all []shown) {
	for _, e := range entries {
		line := string(e.Line)
		if e.PartialLogMetadata == nil || e.PartialLogMetadata.Last {
			line += "\n"
		}
		all = append(all, shown{e.Source, line, e.TimeNano})
	}
	return all
}

func (l *logging) send(entries []logdriver.LogEntry) {
	l.Helper()
	for i := range entries {
		if err := l.enc.Encode(&entries[i]); err != nil {
			l.Fatal(err)
		}
	}
}

// collect decodes a stream to its end and closes it.
func collect(t *testing.T, body io.ReadCloser) (all []shown) {
	t.Helper()
	defer body.Close()
	d := logdriver.NewLogEntryDecoder(body)
	for {
		var e logdriver.LogEntry
		if err := d.Decode(&e); err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			return all
		}
		if e.Source != "" { // no heartbeat
			all = append(all, shown{e.Source, string(e.Line), e.TimeNano})
		}
	}
}

func at(e logdriver.LogEntry) time.Time { return time.Unix(0, e.TimeNano) }

func TestLoggertestTail(t *testing.T) {
	s := serve(t)
	mm := sent()
	want := expected(mm)
	configs := map[string]struct {
		config logger.ReadConfig
		want   []shown
	}{
		"exact":             {logger.ReadConfig{Tail: 7}, want},
		"less":              {logger.ReadConfig{Tail: 2}, want[5:]},
		"more":              {logger.ReadConfig{Tail: 100}, want},
		"all":               {logger.ReadConfig{Tail: -1}, want},
		"none":              {logger.ReadConfig{}, nil},
		"since":             {logger.ReadConfig{Tail: -1, Since: at(mm[1])}, want[1:6]}, // Docker itself drops the one set back
		"more than since":   {logger.ReadConfig{Tail: 7, Since: at(mm[1])}, want[1:6]},
		"less than since":   {logger.ReadConfig{Tail: 5, Since: at(mm[1])}, want[2:6]},
		"until":             {logger.ReadConfig{Tail: -1, Until: at(mm[2]).Add(-1)}, want[:2]},
		"since and until":   {logger.ReadConfig{Tail: -1, Since: at(mm[1]), Until: at(mm[1]).Add(1)}, want[1:2]},
		"tail before until": {logger.ReadConfig{Tail: 6, Until: at(mm[1])}, want[1:2]},
	}
	for _, live := range []bool{true, false} {
		info := infoOf(fmt.Sprint("tail", live), nil)
		l, empty := s.start(info), s.start(infoOf(fmt.Sprint("empty", live), nil))
		l.send(mm)
		if !live {
			l.stopLogging()
			empty.stopLogging()
			l, empty = s.start(info), s.start(empty.info)
		}
		for name, c := range configs {
			if d := cmp.Diff(c.want, collect(t, l.readLogs(context.Background(), c.config).Body)); d != "" {
				t.Errorf("live %v, %s: -want +got\n%.500s", live, name, d)
			}
			if got := collect(t, empty.readLogs(context.Background(), c.config).Body); got != nil {
				t.Errorf("live %v, %s: %v from nothing", live, name, got)
			}
		}
		l.stopLogging()
		empty.stopLogging()
	}
}

func TestLoggertestFollow(t *testing.T) {
	s := serve(t)
	mm := sent()
	want := expected(mm)
	for name, c := range map[string]struct {
		before  int // messages sent before the follower comes
		restart bool
		config  logger.ReadConfig
		want    []shown
	}{
		"from nothing, all":  {0, false, logger.ReadConfig{Tail: -1}, want},
		"from nothing, 0":    {0, false, logger.ReadConfig{Tail: 0}, want},
		"from nothing, 1":    {0, false, logger.ReadConfig{Tail: 1}, want},
		"from nothing, 42":   {0, false, logger.ReadConfig{Tail: 42}, want},
		"in the middle":      {1, false, logger.ReadConfig{Tail: -1}, want},
		"since":              {0, false, logger.ReadConfig{Tail: -1, Since: at(mm[2])}, want[2:6]}, // as above
		"until":              {0, false, logger.ReadConfig{Tail: -1, Until: at(mm[2]).Add(-1)}, want[:2]},
		"since and until":    {0, false, logger.ReadConfig{Tail: -1, Since: at(mm[1]), Until: at(mm[2]).Add(-1)}, want[1:2]},
		"tail 0":             {2, false, logger.ReadConfig{Tail: 0}, want[2:]},
		"tail 1":             {2, false, logger.ReadConfig{Tail: 1}, want[1:]},
		"after another life": {3, true, logger.ReadConfig{Tail: -1}, want},
	} {
		t.Run(name, func(t *testing.T) {
			s := &served{T: t, spool: s.spool, http: s.http}
			l := s.start(infoOf(strings.NewReplacer(" ", "-", ",", "").Replace(name), nil))
			l.send(mm[:c.before])
			if c.restart {
				l.stopLogging()
				l = s.start(l.info)
			}
			c.config.Follow = true
			r := l.readLogs(context.Background(), c.config)
			got := make(chan []shown, 1)
			go func() { got <- collect(t, r.Body) }()
			l.send(mm[c.before:])
			if c.config.Until.IsZero() {
				l.stopLogging()
			} // else the follower ends by itself
			if d := cmp.Diff(c.want, <-got); d != "" {
				t.Errorf("-want +got\n%.1000s", d)
			}
			l.stopLogging()
		})
	}
}

// TestLoggertestConcurrent: Docker's copiers of both streams write at once,
// under one mutex.
func TestLoggertestConcurrent(t *testing.T) {
	s := serve(t)
	l := s.start(infoOf("concurrent", nil))
	r := l.readLogs(context.Background(), logger.ReadConfig{Tail: -1, Follow: true})
	got := make(chan []shown, 1)
	go func() { got <- collect(t, r.Body) }()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, source := range []string{"stdout", "stderr"} {
		wg.Go(func() {
			for i := range 1000 {
				mu.Lock()
				err := l.enc.Encode(&logdriver.LogEntry{Source: source, TimeNano: int64(i + 1), Line: fmt.Append(nil, i)})
				mu.Unlock()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	l.stopLogging()
	next := map[string]int{}
	for _, m := range <-got {
		if m.Line != fmt.Sprintln(next[m.Source]) {
			t.Fatalf("%s: %q, want %d", m.Source, m.Line, next[m.Source])
		}
		next[m.Source]++
	}
	if next["stdout"] != 1000 || next["stderr"] != 1000 {
		t.Fatal(next)
	}
}
