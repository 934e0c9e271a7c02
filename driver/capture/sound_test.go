package capture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/capture/journal"
	"github.com/logfast/logfast/driver/spool"
)

// TestReattach_OptionsThatAreNotUnderstood damages the registered options of a
// running container, as another version or a bad disk may, and wants its lines read.
func TestReattach_OptionsThatAreNotUnderstood(t *testing.T) {
	for name, damage := range map[string][2]string{
		"pattern, too large": {`"pattern": "x"`, `"pattern": "(a{900}b?){1}(c{900}d{900})"`},
		"pattern, wrong":     {`"pattern": "x"`, `"pattern": "("`},
		"exclude":            {`"pattern": "x"`, `"exclude_path": "healthz"`},
		"redact":             {`"redact": "y"`, `"redact": "("`},
		"scope":              {`"Scope": "container"`, `"Scope": "galaxy"`},
		"another type":       {`"Scope": "container"`, `"Scope": {"of": "galaxy"}`},
		"fsync":              {`"Fsync": "interval"`, `"Fsync": "sometimes"`},
		"size":               {`"MaxSize": 1048576`, `"MaxSize": -1`},
		"size, another type": {`"MaxSize": 1048576`, `"MaxSize": "1MB"`},
		"mode":               {`"pattern": "x"`, `"mode": "smart"`},
		"times":              {`"Quiet": 3600000000000`, `"Quiet": 0`},
		"format":             {`"format": "cri"`, `"format": "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h := newHostIn(t, dir, func(*Config, *spool.Options) {})
			c := h.start("web", map[string]string{"pattern": "x", "redact": "y"})
			c.line(1, "before")
			h.eventually("the line is read", func() bool { return strings.Contains(c.text(), "before") })
			h.stop()
			file := filepath.Join(dir, journal.Dir, journal.Name(c.fifo)+journal.EntrySuffix)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			damaged := strings.ReplaceAll(string(data), damage[0], damage[1])
			if damaged == string(data) {
				t.Fatalf("%s lacks %s", data, damage[0])
			}
			if err := os.WriteFile(file, []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
			again := newHostIn(t, dir, func(*Config, *spool.Options) {})
			if err := again.Recover(); err != nil {
				t.Fatal(err)
			}
			again.run()
			c.line(2, "after")
			c.host = again
			again.eventually("the line after it is read", func() bool { return strings.Contains(c.text(), "after") })
			again.Stop(c.fifo)
		})
	}
}
