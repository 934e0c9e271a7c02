// Command naive is a managed Docker logging plugin that throws every byte
// away: it opens the FIFO and reads it in a plain loop, as a first plugin
// does. What any plugin pays at least that is written like that, it pays.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

const socket = "/run/docker/plugins/naive.sock"

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "naive:", err)
		os.Exit(1)
	}
}

func serve() error {
	if err := os.MkdirAll("/run/docker/plugins", 0o755); err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	answers := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.docker.plugins.v1+json")
			_, _ = io.WriteString(w, body+"\n") // Docker has gone, then
		}
	}
	ok := answers(`{"Err":""}`)
	http.HandleFunc("/Plugin.Activate", answers(`{"Implements":["LogDriver"]}`))
	http.HandleFunc("/LogDriver.Capabilities", answers(`{"Cap":{"ReadLogs":false}}`))
	http.HandleFunc("/LogDriver.StopLogging", ok) // the reader ends with the FIFO
	http.HandleFunc("/LogDriver.StartLogging", func(w http.ResponseWriter, r *http.Request) {
		var req struct{ File string }
		err := json.NewDecoder(r.Body).Decode(&req)
		if err == nil {
			var f *os.File
			if f, err = os.Open(req.File); err == nil {
				go discard(f)
				ok(w, r)
				return
			}
		}
		answers(fmt.Sprintf(`{"Err":%q}`, err))(w, r)
	})
	return http.Serve(l, nil)
}

// discard reads until the FIFO has no writer.
func discard(f *os.File) {
	defer f.Close()
	for buf := make([]byte, 32<<10); ; {
		if _, err := f.Read(buf); err != nil {
			return
		}
	}
}
