//go:build e2e

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/logfast/logfast/internal/await"
)

// removeVisible is rm -rf of all in the spool that a shell's * names.
func (h *host) removeVisible() {
	h.Helper()
	names, err := filepath.Glob(filepath.Join(h.spool, "[^.]*"))
	if err != nil {
		h.Fatal(err)
	}
	for _, name := range names {
		removeAll(h.T, name)
	}
}

// removeAll is rm -rf until it succeeds: logfast may make a file in a directory
// between the look at what is in it and its removal.
func removeAll(t *testing.T, path string) {
	t.Helper()
	var err error
	for range 100 {
		if err = os.RemoveAll(path); !errors.Is(err, syscall.ENOTEMPTY) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPaths_FilesAreRemovedUnderARunningContainer removes the active file, then
// all that is visible in the spool, then the hidden files as well, while a busy
// container writes, and kills the plugin afterwards. The store, which is elsewhere,
// has in the end what the container wrote; docker logs goes on; the container does
// not wait.
func TestPaths_FilesAreRemovedUnderARunningContainer(t *testing.T) {
	for _, onFull := range []string{"drop", "block"} {
		t.Run(onFull, func(t *testing.T) {
			h, _ := enableS3(t, "LOGFAST_ON_FULL="+onFull)
			c := h.started("web", 2_000)
			grown := func(what string) {
				t.Helper()
				before := h.status().Captured.Lines
				await.Until(t, "lines are written after "+what, func() bool { return h.status().Captured.Lines > before+500 })
			}
			active := filepath.Join(c.dir(), c.app+".log")
			await.Until(t, "the active file is there", func() bool { return os.Remove(active) == nil })
			grown("rm of the active file")
			await.Until(t, "it is saved and shipped", func() bool {
				return slices.ContainsFunc(c.files(), func(s string) bool { return strings.HasSuffix(s, "-recover.uploaded.gz") })
			})
			for _, all := range []bool{false, true} {
				await.Until(t, "nothing waits for the store", func() bool { return h.status().Pending.Segments == 0 })
				if h.removeVisible(); all {
					for _, own := range []string{".streams", ".incidents", ".outbox", ".control", ".lock", ".reserve", ".logfast.log"} {
						removeAll(t, filepath.Join(h.spool, own))
					}
					await.Until(t, "the commands are answered again", func() bool { _, _, status := h.logfast("status"); return status == 0 })
				}
				grown("rm -rf of the spool's contents")
				if out := docker(t, "logs", "--tail", "1", c.id); len(out) == 0 {
					t.Error("docker logs says nothing")
				}
			}
			await.Until(t, "the stream is registered again", func() bool {
				cursors, _ := filepath.Glob(filepath.Join(h.spool, ".streams", "*"))
				return len(cursors) == 2
			})
			before := h.status().Captured
			h.replace(syscall.SIGKILL)
			await.Until(t, "the commands are answered", func() bool { _, _, status := h.logfast("status"); return status == 0 })
			grown("the kill")
			c.allow("stop")
			c.wait()
			await.Until(t, "everything is shipped", func() bool {
				return !slices.ContainsFunc(c.files(), func(s string) bool { return !strings.HasSuffix(s, ".uploaded.gz") })
			})
			got := audited(t, c.inStore())
			if got.Ends != 1 || got.Doubled != 0 || got.Torn != 0 || got.missing() > int(before.LostLines()) {
				t.Errorf("%+v, and %d lines counted as lost", got, before.LostLines())
			}
			if s := h.status(); s.Health == "unhealthy" {
				t.Errorf("%v", s.Reasons)
			}
		})
	}
}
