package capture

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/spool"
)

// TestNotices_AreLoggedOnceAndShownAfterARestart starts a container with another driver's
// options, again and again, and then a new process.
func TestNotices_AreLoggedOnceAndShownAfterARestart(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	h := newHostIn(t, dir, func(c *Config, _ *spool.Options) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	c := h.container("web", map[string]string{"max-size": "10k", "awslogs-group": "g"})
	for range 3 {
		if err := h.Start(c.fifo, c.info); err != nil {
			t.Fatal(err)
		}
		h.Stop(c.fifo)
	}
	if err := h.Start(c.fifo, c.info); err != nil {
		t.Fatal(err)
	}
	for _, option := range []string{"max-size", "awslogs-group"} {
		if n := strings.Count(log.String(), "option "+option); n != 1 {
			t.Errorf("%s was logged %d times:\n%s", option, n, &log)
		}
	}
	shown := func(h *host) {
		t.Helper()
		at := h.Snapshot().Streams
		if len(at) != 1 || len(at[0].Notices) != 2 || !strings.Contains(at[0].Notices[0], "awslogs-group") {
			t.Errorf("%+v", at)
		}
	}
	shown(h)
	h.stop()
	next := newHostIn(t, dir, func(*Config, *spool.Options) {})
	if err := next.Recover(); err != nil {
		t.Fatal(err)
	}
	shown(next)
	next.Stop(c.fifo)
}
