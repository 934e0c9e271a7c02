// Package notifytest has what tests tell incidents to: an HTTP receiver and a
// mail server, both real, on loopback.
package notifytest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Request is what a receiver got.
type Request struct {
	Path   string
	Header http.Header
	Body   []byte
}

// Receiver is an HTTP server that keeps what it gets.
type Receiver struct {
	URL string

	mu       sync.Mutex
	requests []Request                                    // owned by mu
	answer   func(w http.ResponseWriter, r *http.Request) // owned by mu; nil: 204
	got      chan struct{}
}

// NewReceiver starts a receiver that ends with the test.
func NewReceiver(t testing.TB) *Receiver {
	r := &Receiver{got: make(chan struct{}, 1<<16)}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

// Answer makes the receiver answer so from now on; nil is 204, No Content.
func (r *Receiver) Answer(f func(w http.ResponseWriter, r *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// ServeHTTP keeps the request and answers.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // cut off
	}
	r.mu.Lock()
	r.requests = append(r.requests, Request{req.URL.Path, req.Header.Clone(), body})
	answer := r.answer
	r.mu.Unlock()
	r.got <- struct{}{}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body)) // answer may read it, too
	answer(w, req)
}

// Got is signalled once for each request.
func (r *Receiver) Got() <-chan struct{} { return r.got }

// Requests returns all that came so far.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}
