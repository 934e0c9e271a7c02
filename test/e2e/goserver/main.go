// Command goserver is a Go web server with the standard library's logging, as
// people write it: it answers its own requests, some of them badly, and waits.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	mux := http.NewServeMux()
	mux.HandleFunc("/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		if r.URL.Query().Has("fail") {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		log.Info("request", "method", r.Method, "path", r.URL.Path, "status", status, "bytes", 0,
			"authorization", r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("out of stock") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "goserver:", err)
		os.Exit(1)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // which never asks twice
	go func() {
		for _, path := range []string{"/users/17", "/users/18?fail", "/panic", "/users/19?fail", "/users/20"} {
			request, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+path, nil)
			if err != nil {
				fmt.Fprintln(os.Stderr, "goserver:", err)
				os.Exit(1)
			}
			request.Header.Set("Authorization", "Bearer of-a-token")
			if response, err := client.Do(request); err == nil { // a panic ends the connection
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		}
	}()
	fmt.Fprintln(os.Stderr, "goserver:", http.Serve(l, mux))
}
