package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/logfast/logfast/internal/refused"
)

// The plugin is root already: sudo and another role are no advice for it.
func TestCheck_AdviceForPluginAndOperator(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc/self/attr"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "proc/self/attr/current"), []byte("system_u:system_r:initrc_t:s0\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, inside := range []bool{true, false} {
		c := &checker{inside: inside, self: refused.Process{Root: root}}
		got := c.refused()
		if !strings.Contains(got, "domain initrc_t: see the denial with ausearch") || strings.Contains(got, "sudo -r sysadm_r") == inside {
			t.Errorf("inside the plugin %v: %s", inside, got)
		}
	}
}
