package control

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
	"strings"
	"time"

	"github.com/logfast/logfast/internal/durable"
)

// Server answers what an operator asks. All fields must be set. The functions
// may be called from several goroutines.
type Server struct {
	Status  func() Status
	Health  func() (Health, []string)
	Metrics http.Handler
	Level   func(level string) error // sets the level of logfast's own log

	// Flush seals and ships what the containers have written, all where none is
	// named, and tells each step until that is done or ctx ends. An unknown
	// container is an error.
	Flush func(ctx context.Context, containers []string, tell func(Flush)) error

	Check func(ctx context.Context) []Finding

	// TestTargets sends a test message to the target of that name, or to all if the
	// name is empty, and returns what each answered. An unknown target is an error.
	TestTargets func(ctx context.Context, target string) ([]Tested, error)
}

// Listen makes the socket in dir, the spool's [Dir], in place of one that a
// killed process left. dir must be one that root alone can enter.
func Listen(dir durable.Root) (net.Listener, error) {
	fail := func(err error) (net.Listener, error) {
		return nil, fmt.Errorf("listen for logfast's commands: %w", err)
	}
	if err := dir.Remove(Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		if _, err := durable.Displace(dir, Socket); err != nil { // a directory with something in it
			return fail(err)
		}
	}
	at, err := dir.Open(".")
	if err != nil {
		return fail(err)
	}
	defer at.Close()
	// By the open directory: no link leads elsewhere, and no path is too long.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: through(at, Socket), Net: "unix"})
	if err != nil {
		return fail(err)
	}
	l.SetUnlinkOnClose(false) // that name is over
	if err := dir.Chmod(Socket, 0o600); err != nil {
		return fail(errors.Join(err, l.Close()))
	}
	return l, nil
}

// Watch returns a context that ends once the socket in dir is not the one any
// more that Listen has just made there: somebody has removed it, or the
// directory, and nothing can reach the listener.
func Watch(ctx context.Context, dir durable.Root) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	made, err := dir.Lstat(Socket)
	if err != nil {
		cancel()
		return ctx, cancel
	}
	go func() {
		defer cancel()
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if is, err := dir.Lstat(Socket); err != nil || !os.SameFile(is, made) {
				return
			}
		}
	}()
	return ctx, cancel
}

// watchEvery is how often a socket is looked at whether it is still there.
const watchEvery = time.Second

// through is a name of a file in an open directory. Linux takes 107 bytes at
// most for a socket's path.
func through(dir *os.File, name string) string {
	return filepath.Join(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()), name)
}

// Serve answers on l until ctx ends. What is being answered then is cut off.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	mux := s.public()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Status()) })
	mux.HandleFunc("GET /check", func(w http.ResponseWriter, r *http.Request) { reply(w, s.Check(r.Context())) })
	mux.HandleFunc("POST /flush", s.flush)
	mux.HandleFunc("POST /notify/test", s.testTargets)
	mux.HandleFunc("PUT /level", s.level)
	// A flush takes as long as the uploads do, so an answer has no time limit.
	return serve(ctx, l, &http.Server{Handler: mux}, &crowd{most: maxOperators})
}

// ServePublic answers with nothing but metrics and health. Whoever reaches the
// address may connect, so all of a request is bounded: its size, its time, and
// how many there are.
func (s *Server) ServePublic(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.public(), ReadTimeout: headerTime, WriteTimeout: answerTime, MaxHeaderBytes: maxHeader,
	}
	return serve(ctx, l, server, &crowd{most: maxPublic, active: true})
}

// The bounds of connections.
const (
	headerTime   = 10 * time.Second // until a request is there
	answerTime   = 30 * time.Second // until its answer is read
	idleTime     = 30 * time.Second // between two requests
	maxHeader    = 16 << 10         // bytes in a public request's headers
	maxPublic    = 32               // connections to LOGFAST_METRICS
	maxOperators = 64               // connections to the control socket
)

func (s *Server) public() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics)
	mux.HandleFunc("GET /healthz", s.healthz)
	return mux
}

func serve(ctx context.Context, l net.Listener, server *http.Server, crowd *crowd) error {
	server.ReadHeaderTimeout, server.IdleTimeout, server.ConnState = headerTime, idleTime, crowd.changed
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever could be told has gone
}

// healthz answers 200 while work is done, with why somebody should look all
// the same, and 503 where it is not.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	health, reasons := s.Health()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if health == Unhealthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, string(health)+"\n")
	for _, reason := range reasons {
		_, _ = io.WriteString(w, reason+"\n")
	}
}

// maxBody bounds what an operator sends, in bytes.
const maxBody = 1 << 20

// requestBody is a request's body, bounded in size and time.
type requestBody struct {
	io.Reader
	done func() // ends the bound of time: what follows may last
}

func bodyOf(w http.ResponseWriter, r *http.Request) requestBody {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(headerTime)) // all connections here can
	return requestBody{http.MaxBytesReader(w, r.Body, maxBody), func() { _ = connection.SetReadDeadline(time.Time{}) }}
}

func (s *Server) flush(w http.ResponseWriter, r *http.Request) {
	var containers []string
	body := bodyOf(w, r)
	err := json.NewDecoder(body).Decode(&containers)
	body.done()
	if err != nil {
		http.Error(w, "the containers are no JSON list: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, now := json.NewEncoder(w), http.NewResponseController(w)
	_ = now.Flush() // r.Context ends where nobody listens
	tell := func(f Flush) {
		_ = out.Encode(f)
		_ = now.Flush()
	}
	switch err = s.Flush(r.Context(), containers, tell); {
	case r.Context().Err() != nil: // the client has gone, or the plugin ends, which the client sees
	case err != nil:
		tell(Flush{Error: err.Error()})
	default:
		tell(Flush{Done: true})
	}
}

func (s *Server) testTargets(w http.ResponseWriter, r *http.Request) {
	body := bodyOf(w, r)
	target, err := io.ReadAll(body)
	body.done()
	var all []Tested
	if err == nil {
		all, err = s.TestTargets(r.Context(), string(target))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, all)
}

func (s *Server) level(w http.ResponseWriter, r *http.Request) {
	level, err := io.ReadAll(bodyOf(w, r))
	if err == nil {
		err = s.Level(strings.TrimSpace(string(level)))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
