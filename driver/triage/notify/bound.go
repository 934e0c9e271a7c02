package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of what a target may answer.
const (
	maxHeader  = 64 << 10 // bytes in an answer's headers, informational ones included
	maxAnswer  = 1 << 20  // bytes in a chat service's answer; they have some hundred
	maxSession = 1 << 20  // bytes that a mail server may send in one session
)

// standard is Go's own transport, as it was before boundHTTP.
var standard = http.DefaultTransport.(*http.Transport)

// newTransport is Go's own transport, with the proxies of the environment, for
// requests that are hours apart. It unpacks nothing by itself.
func newTransport() *http.Transport { return restrained(standard) }

func restrained(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.DisableKeepAlives = true
	t.DisableCompression = true
	t.MaxResponseHeaderBytes = maxHeader
	return t
}

// bounded is a transport whose answers have a bounded size, are there within
// serviceTimeout, and are no redirects: a message, and the token in its URL, may
// end where nobody meant it to.
type bounded struct {
	base func() http.RoundTripper
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), serviceTimeout)
	answer, err := b.base().RoundTrip(r.WithContext(ctx))
	switch {
	case err != nil:
		failing.note(r, nil, err)
		cancel()
		return nil, err
	case answer.StatusCode >= 300:
		failing.note(r, answer, errors.New("the service answered "+answer.Status))
	case strings.Contains(answer.Header.Get("Content-Type"), "html"):
		failing.note(r, answer, errors.New("a page answered, not the service; "+
			"check the proxy, and whether the network asks for a login"))
	default:
		failing.note(r, answer, nil)
	}
	if answer.StatusCode >= 300 && answer.StatusCode < 400 && answer.Header.Get("Location") != "" {
		_ = answer.Body.Close()
		cancel()
		return nil, fmt.Errorf("the service answered %d, a redirect; redirects are not followed: set the URL of the "+
			"place that it leads to", answer.StatusCode)
	}
	answer.Body = &boundedBody{ReadCloser: answer.Body, left: maxAnswer, cancel: cancel}
	return answer, nil
}

// CloseIdleConnections is what http.Client's method of this name looks for.
func (b bounded) CloseIdleConnections() {
	if t, ok := b.base().(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// failing collects answers and failures for services that keep them to themselves.
var failing failures

type failures struct {
	mu      sync.Mutex
	watches map[*watch]bool // owned by mu
}

// watch holds the last answer and the last failure of the requests that contain one
// of its marks.
type watch struct {
	marks []string

	code   int    // of the last answer; guarded by failures.mu, as is all below
	status string // the same with its text
	err    error
}

func (f *failures) watch(marks ...string) *watch {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &watch{marks: marks}
	if f.watches == nil {
		f.watches = map[*watch]bool{}
	}
	f.watches[w] = true
	return w
}

// end ends a watch and returns what it saw.
func (f *failures) end(w *watch) (code int, status string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watches, w)
	return w.code, w.status, w.err
}

// note keeps the outcome of a request. answer is nil if there was none.
func (f *failures) note(r *http.Request, answer *http.Response, err error) {
	text := textOf(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watches {
		if !slices.ContainsFunc(w.marks, func(mark string) bool { return strings.Contains(text, mark) }) {
			continue
		}
		w.code, w.status = 0, ""
		if answer != nil {
			w.code, w.status = answer.StatusCode, answer.Status
		}
		if err != nil {
			w.err = err
		}
	}
}

// textOf is the text of a request in which a service's token may stand.
func textOf(r *http.Request) string {
	var b strings.Builder
	b.WriteString(r.URL.Host + r.URL.Path + "?" + r.URL.RawQuery)
	for _, values := range r.Header {
		for _, v := range values {
			b.WriteString("\n" + v)
		}
	}
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			b.WriteByte('\n')
			io.Copy(&b, io.LimitReader(body, maxHeader)) //nolint:errcheck // it comes from memory
			body.Close()
		}
	}
	return b.String()
}

type boundedBody struct {
	io.ReadCloser
	left   int64
	cancel func()
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes, which no chat service's is; check the target's URL",
			maxAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func (b *boundedBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

var bounding sync.Mutex // guards the replacement of Go's default client and transport

// boundHTTP bounds Go's default client and default transport, which most of
// shoutrrr's services post through without a bound of their own, and which
// nothing else in this program uses.
func boundHTTP() {
	bounding.Lock()
	defer bounding.Unlock()
	http.DefaultClient.Timeout = serviceTimeout
	if _, done := http.DefaultClient.Transport.(bounded); !done {
		http.DefaultClient.Transport = bounded{func() http.RoundTripper { return http.DefaultTransport }}
	}
	if _, done := http.DefaultTransport.(bounded); !done {
		base := http.DefaultTransport
		if t, ok := base.(*http.Transport); ok {
			base = restrained(t)
		}
		http.DefaultTransport = bounded{func() http.RoundTripper { return base }}
	}
}

// boundClients bounds the clients that a service has made for itself: some come
// with a transport of their own.
func boundClients(service any) {
	seen := map[any]bool{}
	var look func(v reflect.Value, depth int)
	look = func(v reflect.Value, depth int) {
		switch v.Kind() {
		case reflect.Interface:
			look(v.Elem(), depth)
		case reflect.Pointer:
			if v.IsNil() || seen[v.UnsafePointer()] {
				return
			}
			seen[v.UnsafePointer()] = true
			if v.Type() == reflect.TypeFor[*http.Client]() {
				boundClient((*http.Client)(v.UnsafePointer()))
				return
			}
			look(v.Elem(), depth+1)
		case reflect.Struct:
			for i := 0; i < v.NumField() && depth < 5; i++ {
				look(v.Field(i), depth)
			}
		}
	}
	look(reflect.ValueOf(service), 0)
}

// boundClient bounds a client that has a transport of its own; the others use
// Go's default.
func boundClient(c *http.Client) {
	if c.Timeout == 0 {
		c.Timeout = serviceTimeout
	}
	switch t := c.Transport.(type) {
	case nil, bounded:
	case *http.Transport:
		own := restrained(t)
		c.Transport = bounded{func() http.RoundTripper { return own }}
	default:
		c.Transport = bounded{func() http.RoundTripper { return t }}
	}
}

// errTalkative says that a mail server said too much.
var errTalkative = errors.New("the server sent more than " + fmt.Sprint(maxSession) +
	" bytes, which no mail server does in a session; check the host and the port")

// sessionConn is a connection from which a bounded number of bytes is read.
type sessionConn struct {
	net.Conn
	left int64
}

func (c *sessionConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTalkative
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// newSession bounds what is read from a connection to a mail server, and until
// when: the deadline of the session holds for each read and write.
func newSession(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until.Add(time.Second)); err != nil { // ctx ends first, and has the cause
			return nil, err
		}
	}
	return &sessionConn{Conn: conn, left: maxSession}, nil
}
