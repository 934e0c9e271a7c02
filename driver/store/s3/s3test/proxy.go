package s3test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy stands in front of a [Server] and lets faults happen to requests. What
// it lets through is unchanged, its Host too, so that signatures hold.
type Proxy struct {
	Endpoint string // instead of the server's

	address string
	forward http.Handler

	mu      sync.Mutex
	server  *http.Server // owned by mu; nil while down
	fault   Fault        // owned by mu; nil: none
	left    int          // owned by mu; requests until it ends; negative: Heal does
	faulted int          // owned by mu
}

// Fault is what happens to a request instead of being passed on by forward.
type Fault func(w http.ResponseWriter, r *http.Request, forward http.Handler)

// StartProxy starts a proxy without faults, and stops it when the test ends.
func StartProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	target, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	silent := log.New(io.Discard, "", 0) // connections break off on purpose
	through := transport(t, s.CAFile)
	through.DisableCompression = true
	p := &Proxy{address: freeAddress(t), forward: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport: through,
		ErrorLog:  silent,
	}}
	p.Endpoint = "http://" + p.address
	p.Up(t)
	t.Cleanup(func() {
		p.Down()
		through.CloseIdleConnections()
	})
	return p
}

// Up lets the proxy listen. It does so from the start.
func (p *Proxy) Up(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(p.serve), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience,
	}
	p.mu.Lock()
	p.server = server
	p.mu.Unlock()
	go server.Serve(listener)
}

// Down breaks all connections off and refuses new ones.
func (p *Proxy) Down() {
	p.mu.Lock()
	server := p.server
	p.server = nil
	p.mu.Unlock()
	if server != nil {
		server.Close()
	}
}

// Do lets the fault happen to the next n requests, and to all until Heal where
// n is negative.
func (p *Proxy) Do(n int, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.left, p.faulted = f, n, 0
}

// Heal lets all requests pass from now on.
func (p *Proxy) Heal() { p.Do(0, nil) }

// Faulted is to how many requests the present fault has happened.
func (p *Proxy) Faulted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faulted
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault := p.fault
	switch {
	case fault == nil || p.left == 0:
		fault = nil
	default:
		p.left--
		p.faulted++
	}
	p.mu.Unlock()
	if fault == nil {
		p.forward.ServeHTTP(w, r)
		return
	}
	fault(w, r, p.forward)
}

// Refuse answers as S3 refuses, without asking the server. Its clock, which
// goes with an answer, is off by skew.
func Refuse(status int, code string, skew time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		w.Header().Set("X-Amz-Request-Id", "REQUEST1")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>The proxy says so.</Message></Error>`,
				code)
		}
	}
}

// Slow waits before it passes a request on, and before it passes on the answer.
func Slow(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		time.Sleep(d)
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		time.Sleep(d)
		replay(w, answer)
	}
}

// Hang takes the request and never answers.
func Hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done() // the client has given up
}

// CutBefore breaks the connection off before it has read of the body.
func CutBefore(w http.ResponseWriter, _ *http.Request, _ http.Handler) { cut(w) }

// CutWithin breaks the connection off in the middle of the body.
func CutWithin(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.CopyN(io.Discard, r.Body, max(r.ContentLength, 0)/2)
	cut(w)
}

// CutAfter breaks the connection off after the body, of which the server saw
// nothing.
func CutAfter(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.Copy(io.Discard, r.Body)
	cut(w)
}

// CutThrough passes half of the body on and breaks both connections off then.
func CutThrough(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r.Body, max(r.ContentLength, 0)/2), r.Body}
	forward.ServeHTTP(httptest.NewRecorder(), r)
	cut(w)
}

// LoseAnswer passes the request on, waits for the answer and breaks the
// connection off instead of passing that on.
func LoseAnswer(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	forward.ServeHTTP(httptest.NewRecorder(), r)
	cut(w)
}

// WrongAnswer passes the request on and answers that the server is busy.
func WrongAnswer(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	forward.ServeHTTP(httptest.NewRecorder(), r)
	Refuse(http.StatusServiceUnavailable, "SlowDown", 0)(w, r, forward)
}

func replay(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// cut closes the client's connection so that it learns of a reset.
func cut(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // breaks it off too
	}
	if c, ok := connection.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	connection.Close()
}
