package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
	"github.com/logfast/logfast/driver/store/s3/s3test"
	"github.com/logfast/logfast/internal/flood"
)

func TestFlood_NoAnswerIsReadWithoutEnd(t *testing.T) {
	for what, answer := range map[string]http.HandlerFunc{
		"error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			flood.Pour(w, "<Error><Code>InternalError</Code>", flood.Size)
		},
		"one element": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Error><Message>")
			flood.Pour(w, "x", flood.Size)
		},
		"success": func(w http.ResponseWriter, _ *http.Request) { flood.Pour(w, "<html>", flood.Size) },
		"listing of one key": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<ListBucketResult><Contents><Key>")
			flood.Pour(w, "x", flood.Size)
		},
		"listing of many keys": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<ListBucketResult>")
			flood.Pour(w, "<Contents/>", flood.Size)
		},
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Meta-App", strings.Repeat("x", 8<<20))
		},
		"informational": func(w http.ResponseWriter, r *http.Request) {
			for n := 0; r.Context().Err() == nil && n < 1<<20; n++ {
				w.Header().Set("Link", strings.Repeat("x", 1<<10))
				w.WriteHeader(http.StatusEarlyHints)
			}
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
		},
	} {
		t.Run(what, func(t *testing.T) {
			setKeys(t)
			s := openAt(t, serve(t, answer), Options{})
			for call, f := range map[string]func() error{
				"put": func() error { return putData(t, s) },
				"get": func() error {
					body, _, err := s.Get(t.Context(), "key")
					if err != nil {
						return err
					}
					defer body.Close()
					if what == "success" || strings.HasPrefix(what, "listing") {
						return errors.New("an object may be large, and is not read at once")
					}
					_, err = io.Copy(io.Discard, body)
					return err
				},
				"list": func() error {
					for _, err := range s.List(t.Context(), "", "") {
						if err != nil {
							return err
						}
					}
					return nil
				},
			} {
				var err error
				n := flood.Allocated(func() { err = f() })
				if err == nil {
					t.Errorf("%s: no error", call)
				} else if len(err.Error()) > 4<<10 {
					t.Errorf("%s: the error has %d bytes", call, len(err.Error()))
				}
				// A page of 16 MiB, the buffers that doubled up to it, and the server's own share.
				if n > 128<<20 {
					t.Errorf("%s: %d MiB were allocated", call, n>>20)
				}
			}
		})
	}
}

func TestFlood_CredentialsAreNotReadWithoutEnd(t *testing.T) {
	s3test.ClearEnv(t)
	metadata := serve(t, func(w http.ResponseWriter, _ *http.Request) { flood.Pour(w, "x", flood.Size) })
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.URL+"/credentials")
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("a request without credentials") }), Options{})
	var err error
	if n := flood.Allocated(func() { err = putData(t, s) }); n > 32<<20 || err == nil {
		t.Errorf("%d MiB were allocated, %v", n>>20, err)
	}
	t.Log(err)
}

// slow is a body of which each byte takes a while.
type slow struct {
	ctx   context.Context
	pause time.Duration
}

func (s slow) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.pause):
		p[0] = 'x'
		return 1, nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func (slow) Close() error { return nil }

func TestDrip_ABodyThatComesByBytesEnds(t *testing.T) {
	for _, pause := range []time.Duration{time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			body := &boundedBody{body: slow{ctx, pause}, ctx: ctx, cancel: cancel, limit: 1 << 30}
			defer body.Close()
			began := time.Now()
			n, err := io.Copy(io.Discard, body)
			if took := time.Since(began); !errors.Is(err, errSlow) || took > 2*answerTime {
				t.Errorf("a byte each %v: %d bytes in %v, %v", pause, n, took, err)
			}
		})
	}
	// A reader that takes its time is no fault of the server.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		body := &boundedBody{body: slow{ctx, time.Millisecond}, ctx: ctx, cancel: cancel, limit: 1 << 30}
		defer body.Close()
		for range 100 {
			if _, err := body.Read(make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // the reader's, in the bubble's time
		}
	})
}

const html = "<!DOCTYPE html><html><body>Sign in to the network</body></html>"

// portal answers everything as a login page of a network does.
func portal(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, html)
}

// An object counts as stored when the server has proved it.
func TestPut_OnlyWhatIsProvedCounts(t *testing.T) {
	attrs := objecttest.Describe([]byte("data"))
	digest := fmt.Sprintf("%x", attrs.SHA256)
	sum := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Checksum-Sha256", r.Header.Get("X-Amz-Checksum-Sha256"))
	}
	md5 := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum([]byte("data"))))
	}
	opaque := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"`+strings.Repeat("ab", 16)+`"`) }
	nothing := func(http.ResponseWriter, *http.Request) {}
	ours := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Meta-Sha256-Object", digest)
		w.Header().Set("Content-Length", "4")
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for what, test := range map[string]struct {
		put, head http.HandlerFunc
		blocked   bool   // ErrBlocked
		text      string // of the error; empty: none
	}{
		"checksum, seen":           {put: sum, head: ours},
		"MD5, seen":                {put: md5, head: ours},
		"ETag of KMS, seen":        {put: opaque, head: ours},
		"no ETag, seen":            {put: nothing, head: ours},
		"checksum, may not look":   {put: sum, head: status(403)},
		"MD5, may not look":        {put: md5, head: status(403)},
		"checksum, busy":           {put: sum, head: status(503)},
		"checksum, no metadata":    {put: sum, head: nothing},
		"page":                     {put: portal, head: portal, blocked: true, text: "does not answer like S3"},
		"page, no such object":     {put: portal, head: status(404), blocked: true, text: "does not answer like S3"},
		"page, may not look":       {put: portal, head: status(403), blocked: true, text: "s3:GetObject"},
		"page, busy":               {put: portal, head: status(503), text: "a HEAD to confirm it failed"},
		"ETag of a file, page":     {put: opaque, head: portal, blocked: true, text: "does not answer like S3"},
		"checksum, no such object": {put: sum, head: status(404), blocked: true, text: "finds no such object"},
		"other bytes": {put: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Checksum-Sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
		}, head: ours, text: "changed on the way"},
		"checksum, other size": {put: sum, head: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
		}, blocked: true, text: "5 bytes, not 4"},
		"checksum, other object": {put: sum, head: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Meta-Sha256-Object", strings.Repeat("1", 64))
		}, blocked: true, text: "an object with the SHA-256 1111"},
	} {
		t.Run(what, func(t *testing.T) {
			setKeys(t)
			s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if r.Method == http.MethodHead {
					test.head(w, r)
				} else {
					test.put(w, r)
				}
			}), Options{})
			for range 2 { // the first put, and one after it
				err := putData(t, s)
				if (err == nil) != (test.text == "") || err != nil && !strings.Contains(err.Error(), test.text) {
					t.Errorf("put: %v, want %q", err, test.text)
				}
				if errors.Is(err, store.ErrBlocked) != test.blocked || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) {
					t.Errorf("put: %v, blocked: want %v", err, test.blocked)
				}
			}
		})
	}
}

// A proved put costs a HEAD the first time, and none after that.
func TestPut_TheFirstIsLookedAt(t *testing.T) {
	setKeys(t)
	heads := 0
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			heads++
		}
		take(w, r)
	}), Options{})
	for range 3 {
		if err := putData(t, s); err != nil {
			t.Fatal(err)
		}
	}
	if heads != 1 {
		t.Errorf("%d HEADs for three puts", heads)
	}
}

func TestList_WhatIsNoListing(t *testing.T) {
	for what, test := range map[string]struct{ body, text string }{
		"page":            {html, "does not answer like S3"},
		"empty":           {"", "does not answer like S3"},
		"text":            {"OK", "does not answer like S3"},
		"other XML":       {"<?xml version='1.0'?><ListAllMyBucketsResult/>", "ListAllMyBucketsResult"},
		"error":           {"<Error><Code>InternalError</Code></Error>", "InternalError"},
		"JSON":            {`{"keys": []}`, "does not answer like S3"},
		"cut":             {strings.TrimSuffix(page(false, "p/a"), "</ListBucketResult>"), ""},
		"outside":         {page(false, "other/a"), `"other/a"`},
		"size":            {strings.Replace(page(false, "p/a"), "<Size>7<", "<Size>-7<", 1), "-7 bytes"},
		"in no order":     {page(false, "p/b", "p/a"), "repeats itself or is not in order"},
		"a key twice":     {page(false, "p/b", "p/b"), "repeats itself or is not in order"},
		"again and again": {page(true, "p/a"), "repeats itself"},
		"the same token":  {strings.Replace(page(true), "<Is", "<NextContinuationToken>x</NextContinuationToken><Is", 1), "would never end"},
	} {
		t.Run(what, func(t *testing.T) {
			setKeys(t)
			s := openAt(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, test.body) }), Options{Prefix: "p/"})
			n := 0
			var err error
			for _, err = range s.List(t.Context(), "", "") {
				if n++; n > 1000 {
					t.Fatal("the listing goes on and on")
				}
			}
			if err == nil || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), "list s3://bucket/p/") {
				t.Errorf("list: %v, want an error with %q", err, test.text)
			}
			if isPage := strings.Contains(test.text, "like S3"); isPage && !errors.Is(err, store.ErrBlocked) {
				t.Errorf("list: %v, want ErrBlocked", err)
			}
		})
	}
}

// Tokens that change for ever, and pages without a key.
func TestList_EmptyPagesEnd(t *testing.T) {
	setKeys(t)
	n := 0
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		token := fmt.Sprintf("<NextContinuationToken>t%d</NextContinuationToken><Is", n)
		if n < 4 || n > 5 {
			io.WriteString(w, strings.Replace(page(true), "<Is", token, 1))
			return
		}
		if want := fmt.Sprintf("t%d", n-1); n == 4 && r.URL.Query().Get("continuation-token") != want {
			t.Errorf("asked %s, want the token %s", r.URL, want)
		}
		io.WriteString(w, page(true, fmt.Sprint("key", n)))
	}), Options{})
	var keys []string
	var err error
	for e, failed := range s.List(t.Context(), "", "") {
		if err = failed; err == nil {
			keys = append(keys, e.Key)
		}
	}
	if strings.Join(keys, " ") != "key4 key5" || err == nil || n > 5+maxEmpty {
		t.Errorf("%v, %v after %d pages", keys, err, n)
	}
}

func TestGet_WithoutALength(t *testing.T) {
	data := bytes.Repeat([]byte("text "), 50_000)
	sum := sha256.Sum256(data)
	for what, test := range map[string]struct {
		digest bool // tells the SHA-256
		head   int  // length that a HEAD tells; negative: none
		body   func(w http.ResponseWriter)
		size   int64
		fails  bool
	}{
		"whole":                {false, -1, func(w http.ResponseWriter) { w.Write(data) }, -1, false},
		"whole, with sum":      {true, -1, func(w http.ResponseWriter) { w.Write(data) }, -1, false},
		"whole, HEAD has it":   {false, len(data), func(w http.ResponseWriter) { w.Write(data) }, int64(len(data)), false},
		"cut":                  {false, -1, func(w http.ResponseWriter) { w.Write(data[1:]); panic(http.ErrAbortHandler) }, -1, true},
		"short, with sum":      {true, -1, func(w http.ResponseWriter) { w.Write(data[1:]) }, -1, true},
		"short, HEAD has it":   {false, len(data), func(w http.ResponseWriter) { w.Write(data[1:]) }, int64(len(data)), true},
		"longer, HEAD has it":  {false, len(data), func(w http.ResponseWriter) { w.Write(data); w.Write(data) }, int64(len(data)), true},
		"changed, with sum":    {true, len(data), func(w http.ResponseWriter) { w.Write(bytes.ToUpper(data)) }, int64(len(data)), true},
		"empty, HEAD has more": {false, len(data), func(http.ResponseWriter) {}, int64(len(data)), true},
	} {
		t.Run(what, func(t *testing.T) {
			setKeys(t)
			s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				if test.digest {
					w.Header().Set("X-Amz-Meta-Sha256-Object", fmt.Sprintf("%x", sum))
				}
				if r.Method == http.MethodHead {
					if test.head >= 0 {
						w.Header().Set("Content-Length", fmt.Sprint(test.head))
					}
					return
				}
				w.(http.Flusher).Flush() // so it has no length
				test.body(w)
			}), Options{})
			body, attrs, err := s.Get(t.Context(), "key")
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if (err != nil) != test.fails || err == nil && !bytes.Equal(got, data) || attrs.Size != test.size {
				t.Errorf("read %d bytes, %v, of size %d; want %d and failure %v", len(got), err, attrs.Size, test.size, test.fails)
			}
		})
	}
}

// The sum is compared with the last byte: io.ReadFull does not ask for the end.
func TestGet_ChangedBytesAreAnError(t *testing.T) {
	setKeys(t)
	s := openAt(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Meta-Sha256-Object", strings.Repeat("01", 32))
		io.WriteString(w, "data")
	}), Options{})
	body, _, err := s.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.ReadAll(body); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("read: %v, want an error about the SHA-256", err)
	}
}
