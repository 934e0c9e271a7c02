package plugin

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/docker/docker/daemon/logger"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/internal/await"
)

// usage is what this process, with the plugin in it, holds.
type usage struct {
	goroutines, files int
	heap, resident    int64 // bytes
}

func measure(t *testing.T) (u usage) {
	t.Helper()
	runtime.GC()         // the first collection keeps what is in a sync.Pool, such as an encoder
	debug.FreeOSMemory() // collects as well
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int64 // pages
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return usage{runtime.NumGoroutine(), len(entries), int64(m.HeapAlloc), resident * int64(os.Getpagesize())}
}

// TestStartingAndStoppingLeavesNothing starts and stops streams through the
// socket, 1,000 times and with LOGFAST_TEST_LONG ("make chaos") 10,000 times. Most
// stay without a line, as those of docker logs do. Afterwards the process has as
// many goroutines and open files as after the first tenth, and no more memory;
// registry and spool hold nothing of them but what was written.
func TestStartingAndStoppingLeavesNothing(t *testing.T) {
	cycles := 1_000
	if os.Getenv("LOGFAST_TEST_LONG") != "" {
		cycles = 10_000
	}
	const eachWrites = 20 // a cycle of so many writes a line
	s := serve(t, "LOGFAST_LOG_LEVEL=warn")
	fifos := t.TempDir()
	cycle := func(n int) {
		path := filepath.Join(fifos, fmt.Sprintf("%064d", n))
		if err := unix.Mkfifo(path, 0o700); err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info := logger.Info{ContainerID: fmt.Sprintf("%064d", n%7), ContainerName: fmt.Sprintf("/c%d", n%7)}
		if got := s.call("LogDriver.StartLogging", startRequest(t, path, info)); got != "" {
			t.Fatalf("start %d: %s", n, got)
		}
		if n%eachWrites == 0 {
			entry := logdriver.LogEntry{Source: "stdout", TimeNano: time.Now().UnixNano(), Line: fmt.Append(nil, n)}
			if err := logdriver.NewLogEntryEncoder(w).Encode(&entry); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.call("LogDriver.StopLogging", `{"File":"`+path+`"}`); got != "" {
			t.Fatalf("stop %d: %s", n, got)
		}
		w.Close()
		if err := os.Remove(path); err != nil { // as dockerd does, so it must be there
			t.Error(err)
		}
	}
	settled := func() {
		t.Helper()
		await.Until(t, "all is uploaded", func() bool {
			return len(slices.DeleteFunc(find(t, s.spool, "c*", "c*"), func(p string) bool {
				return strings.HasSuffix(p, ".uploaded.gz")
			})) == 0
		})
	}
	for n := range cycles / 10 {
		cycle(n)
	}
	settled()
	before := measure(t)
	for n := cycles / 10; n < cycles; n++ {
		cycle(n)
	}
	settled()
	after := measure(t)
	for deadline := time.Now().Add(20 * time.Second); (after.goroutines > before.goroutines || after.files > before.files) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		after = measure(t)
	}
	t.Logf("after %d cycles %+v, after %d %+v", cycles/10, before, cycles, after)
	if after.goroutines > before.goroutines || after.files > before.files {
		t.Errorf("goroutines or open files were left")
	}
	if after.heap > before.heap+2<<20 || after.resident > before.resident+32<<20 {
		t.Errorf("memory was left")
	}
	if left := append(find(t, s.spool, ".streams", "*"), find(t, fifos, "*")...); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if got := len(find(t, s.spool, "archive/logs/*/*/*/*.gz")); got != cycles/eachWrites {
		t.Errorf("%d objects, want %d", got, cycles/eachWrites)
	}
	if log := s.log.String(); log != "" {
		t.Errorf("the log says %s", log)
	}
}
