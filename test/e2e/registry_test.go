//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/internal/await"
	"github.com/logfast/logfast/plugin/control"
)

// TestARegistryThatIsLost: while the plugin is disabled, somebody moves the spool
// without its hidden files. Its container goes on, all of its lines are kept, docker
// stop returns, and status says what to do.
func TestARegistryThatIsLost(t *testing.T) {
	h := enableOn(t, t.TempDir())
	c := h.started("web", 5_000)
	docker(t, "plugin", "disable", "-f", pluginName)
	if err := os.Rename(filepath.Join(h.spool, ".streams"), filepath.Join(t.TempDir(), "streams")); err != nil {
		t.Fatal(err)
	}
	docker(t, "plugin", "enable", pluginName)
	var s control.Status
	await.Until(t, "the container is read", func() bool {
		s = h.status()
		return len(s.Streams) == 1 && s.Streams[0].Lines > 20_000 // more than waited
	})
	if s.Health != control.Unhealthy || len(s.Reasons) == 0 || !strings.Contains(s.Reasons[0], "not registered") || len(s.Streams) != 1 || !s.Streams[0].Unknown {
		t.Errorf("%s, %v, %+v", s.Health, s.Reasons, s.Streams)
	}
	if _, stderr, code := h.logfast("status"); code == 0 || !strings.Contains(stderr, "restart these containers") {
		t.Errorf("logfast status: %d, %s", code, stderr)
	}
	c.allow("stop")
	c.wait() // it would hang with a FIFO that nothing reads
	h.wantNoStreams()
	u := *c
	u.app, u.id = "unknown", s.Streams[0].ID
	got := audited(t, c.onDisk()+u.onDisk())
	if d := cmp.Diff(audit{Lines: got.Lines, Ends: 1}, got); d != "" || got.Lines == 0 {
		t.Fatalf("-want +got\n%s", d)
	}
	t.Logf("%d lines, each once", got.Lines)
}
