package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"golang.org/x/sys/unix"

	"github.com/logfast/logfast/plugin/control"
	"github.com/logfast/logfast/plugin/selflog"
)

// BenchmarkStop ends a plugin that reads a thousand containers, each of which has an
// open incident. Docker kills it after 10 s.
func BenchmarkStop(b *testing.B) {
	const containers = 1000
	for b.Loop() {
		b.StopTimer()
		spool, dir := b.TempDir(), b.TempDir()
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		socket := filepath.Join(dir, "logfast.sock")
		var log output
		go func() {
			done <- run(ctx, "bench", socket, []string{"LOGFAST_SPOOL=" + spool, "LOGFAST_HOST=h", "LOGFAST_LOG_LEVEL=error"}, nil, selflog.New(&log))
		}()
		for {
			if _, err := os.Stat(socket); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		client := clientOf(socket)
		for i := range containers {
			path := filepath.Join(dir, fmt.Sprint("fifo", i))
			if err := unix.Mkfifo(path, 0o600); err != nil {
				b.Fatal(err)
			}
			w, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { w.Close() })
			body, err := json.Marshal(map[string]any{"File": path, "Info": map[string]any{"ContainerID": fmt.Sprintf("%064x", i), "ContainerName": fmt.Sprint("/c", i)}})
			if err != nil {
				b.Fatal(err)
			}
			r, err := client.Post("http://logfast/LogDriver.StartLogging", "application/json", bytes.NewReader(body))
			if err != nil || r.StatusCode != http.StatusOK {
				b.Fatal(err, r)
			}
			r.Body.Close()
			e := logdriver.LogEntry{Source: "stdout", TimeNano: time.Now().UnixNano(), Line: []byte(`"GET /cart HTTP/1.1" 500 12`)}
			if err := logdriver.NewLogEntryEncoder(w).Encode(&e); err != nil {
				b.Fatal(err)
			}
		}
		client.CloseIdleConnections()
		for open := 0; open < containers; time.Sleep(10 * time.Millisecond) {
			s, err := control.NewClient(spool).Status(b.Context())
			if err != nil {
				b.Fatal(err, log.String())
			}
			open = len(s.Events)
		}
		b.StartTimer()
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err, log.String())
		}
	}
}
