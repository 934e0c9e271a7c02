// Package flood is for tests against servers that send without end.
package flood

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// Size is how much such a server sends, in bytes.
const Size = 300 << 20

// Pour writes a text again and again, until there are so many bytes of it or the
// client has gone.
func Pour(w io.Writer, text string, bytes int) {
	block := []byte(strings.Repeat(text, 1+(64<<10)/len(text)))
	for ; bytes > 0; bytes -= len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// Allocated returns how many bytes f allocates, freed ones included.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Listen listens on the loopback interface until the test ends. It gives each
// connection to handle, one after the other, and closes it then.
func Listen(t testing.TB, handle func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			handle(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}
