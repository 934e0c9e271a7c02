package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/go-plugins-helpers/sdk"

	"github.com/logfast/logfast/driver/capture/options"
	"github.com/logfast/logfast/driver/read/archive"
	"github.com/logfast/logfast/driver/read/logs"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/internal/show"
)

// captured is what the protocol asks of package capture.
type captured interface {
	Start(fifo string, info options.Info) error
	Stop(fifo string)
	Settle(ctx context.Context, containerID string)
	Describe(info options.Info) (spool.Stream, options.Options, error)
}

// server answers Docker's log driver protocol (moby daemon/logger/plugin.go).
// Docker calls it before logfast is ready: a call waits until then.
type server struct {
	ready chan struct{} // closed once able is set
	once  sync.Once     // of ready
	able  atomic.Pointer[able]
	reads *reads
}

// able is what the server can do at present.
type able struct {
	capture captured
	reader  *logs.Reader
	archive *archive.Archive
	failed  error // why logfast cannot work; every container is told
}

func newServer() *server { return &server{ready: make(chan struct{}), reads: newReads()} }

// become sets what the server answers with from now on.
func (s *server) become(a able) {
	s.able.Store(&a)
	s.once.Do(func() { close(s.ready) })
}

// listen makes the socket, in place of one that a killed process left.
func listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), l.Close())
	}
	return l, nil
}

// serve answers until the listener is closed.
func (s *server) serve(l net.Listener) error {
	h := http.NewServeMux()
	h.HandleFunc("/Plugin.Activate", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", sdk.DefaultContentTypeV1_1)
		_, _ = io.WriteString(w, `{"Implements": ["LogDriver"]}`+"\n")
	})
	h.HandleFunc("/LogDriver.StartLogging", s.start)
	h.HandleFunc("/LogDriver.StopLogging", s.stop)
	h.HandleFunc("/LogDriver.ReadLogs", s.readLogs)
	h.HandleFunc("/LogDriver.Capabilities", func(w http.ResponseWriter, _ *http.Request) {
		// With ReadLogs, Docker keeps no copy of its own.
		sdk.EncodeResponse(w, struct{ Cap struct{ ReadLogs bool } }{struct{ ReadLogs bool }{true}}, false)
	})
	// Neither answers nor idle connections have a time limit: docker logs -f
	// lasts as long as it likes, and Docker uses its connections again.
	docker := &http.Server{Handler: h, ReadHeaderTimeout: headerTime}
	if err := docker.Serve(l); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve Docker's requests: %w", err)
	}
	return nil
}

// headerTime is how long the headers of a request may take, once they have begun.
const headerTime = 10 * time.Second

// maxRequest bounds a request's body, in bytes. Docker sends a container's
// whole environment and labels; Linux allows 2 MiB of the former by default.
const maxRequest = 16 << 20

// readTimeout bounds how long a request's body may take. Docker sends it at once.
const readTimeout = 30 * time.Second

type request struct {
	File   string
	Info   options.Info
	Config readConfig
}

// decode reads a request, which is empty where Docker sends it a second time.
func decode(w http.ResponseWriter, r *http.Request) (req request, err error) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(readTimeout)) // a connection that has none is a test's
	err = json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req)
	_ = c.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, io.EOF):
		err = nil
	case errors.As(err, new(*http.MaxBytesError)):
		err = fmt.Errorf("the description of the container has more than %d MiB: start it with fewer labels, "+
			"options or variables", maxRequest>>20)
	}
	return req, err
}

func answer(w http.ResponseWriter, err error) {
	var body struct{ Err string }
	if err != nil {
		body.Err = "logfast: " + show.Error(err) // Docker prints it on a terminal
	}
	sdk.EncodeResponse(w, body, false)
}

// await waits until the server is ready, and returns nil where Docker gave up
// before.
func (s *server) await(r *http.Request) *able {
	select {
	case <-s.ready:
		return s.able.Load()
	case <-r.Context().Done():
		return nil
	}
}

func (s *server) start(w http.ResponseWriter, r *http.Request) {
	req, err := decode(w, r)
	if err == nil {
		able := s.await(r)
		if able == nil {
			return
		}
		if err = able.failed; err == nil {
			err = able.capture.Start(req.File, req.Info)
		}
	}
	if err != nil {
		removeFIFO(req.File)
	}
	answer(w, err)
}

// removeFIFO removes the FIFO of a container that does not start: Docker leaves
// it behind and never looks at it again (moby daemon/logger/plugin.go).
func removeFIFO(path string) {
	if fi, err := os.Lstat(path); err == nil && fi.Mode().Type() == os.ModeNamedPipe {
		_ = os.Remove(path) // best effort
	}
}

// stop always answers without an error: one would leave the FIFO and Docker's
// reference to the plugin behind for ever.
func (s *server) stop(w http.ResponseWriter, r *http.Request) {
	req, err := decode(w, r)
	if err == nil {
		able := s.await(r)
		if able == nil {
			return
		}
		if able.failed == nil {
			able.capture.Stop(req.File)
		}
	}
	answer(w, nil)
}
