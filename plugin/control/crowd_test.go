package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// piped is a listener whose connections are in memory.
type piped struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p *piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *piped) Close() error {
	select {
	case <-p.ended:
	default:
		close(p.ended)
	}
	return nil
}

func (*piped) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

func (p *piped) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// serving runs serve in the bubble of a test until it ends.
func serving(t *testing.T, serve func(context.Context, net.Listener) error) *piped {
	t.Helper()
	l := &piped{conns: make(chan net.Conn), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

const get = "GET /metrics HTTP/1.1\r\nHost: logfast\r\n\r\n"

// ask sends a request on a connection that is kept, and reads the answer.
func ask(c net.Conn) error {
	if _, err := io.WriteString(c, get); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

// open reports whether the other side keeps a connection, waiting for it so long.
func open(c net.Conn, wait time.Duration) bool {
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return false
	}
	_, err := io.Copy(io.Discard, c)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func TestCrowd_HundredsOfConnectionsShutNobodyOut(t *testing.T) {
	for name, begin := range map[string]func(net.Conn) error{
		"silent":      func(net.Conn) error { return nil },
		"idle":        ask,
		"half a line": func(c net.Conn) error { _, err := io.WriteString(c, get[:9]); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := serving(t, still().ServePublic)
				var all []net.Conn
				for range 200 {
					c := l.dial()
					defer c.Close()
					if err := begin(c); err != nil {
						t.Fatal(err)
					}
					all = append(all, c)
				}
				synctest.Wait()
				scrape := l.dial()
				defer scrape.Close()
				if err := ask(scrape); err != nil {
					t.Errorf("a scrape among 200 connections: %v", err)
				}
				kept := 0
				for _, c := range all {
					if open(c, time.Nanosecond) {
						kept++
					}
				}
				if kept >= maxPublic {
					t.Errorf("%d of 200 connections are kept", kept)
				}
				for _, c := range all {
					if open(c, time.Minute) {
						t.Error("a connection is kept for ever")
					}
				}
			})
		})
	}
}

// A client that does not read its answer, and one that sends headers without end.
func TestCrowd_SlowAndLongRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := still()
		s.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
					return
				}
			}
		})
		l := serving(t, s.ServePublic)
		lazy := l.dial()
		defer lazy.Close()
		if _, err := io.WriteString(lazy, get); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(time.Hour) // in the bubble's time
		if _, err := io.Copy(io.Discard, lazy); err != nil || time.Since(began) > 2*time.Hour {
			t.Errorf("the answer nobody read: %v", err)
		}
		long := l.dial()
		defer long.Close()
		refused := make(chan struct{})
		go func() {
			defer close(refused)
			if _, err := io.WriteString(long, strings.TrimSuffix(get, "\r\n")); err != nil {
				return
			}
			for range 1000 {
				if _, err := io.WriteString(long, "X: "+strings.Repeat("x", 1<<10)+"\r\n"); err != nil {
					return
				}
			}
		}()
		answer, _ := io.ReadAll(long)
		<-refused
		if !strings.Contains(string(answer), "400") && !strings.Contains(string(answer), "431") {
			t.Errorf("headers without end were answered %q", answer)
		}
	})
}

// A flush lasts as long as the uploads do, among any number of connections.
func TestCrowd_AFlushIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := still()
		s.Flush = func(ctx context.Context, _ []string, tell func(Flush)) error {
			for range 10 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(10 * time.Minute):
					tell(Flush{})
				}
			}
			return nil
		}
		l := serving(t, s.Serve)
		flush := l.dial()
		defer flush.Close()
		if _, err := io.WriteString(flush, "POST /flush HTTP/1.1\r\nHost: logfast\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the request is read: a connection without one may be closed for another
		for range 2 * maxOperators {
			c := l.dial()
			defer c.Close()
		}
		text, err := io.ReadAll(flush)
		if err != nil || !strings.Contains(string(text), `"done":true`) {
			t.Errorf("a flush of 100 minutes: %q, %v", text, err)
		}
	})
}
