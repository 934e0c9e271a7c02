package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
)

// What a put is on the wire, over http and https, where the SDK would do
// different things by itself.
func TestPutRequest(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("secure=%v", secure), func(t *testing.T) {
			var (
				requests int
				header   http.Header
				body     []byte
				request  *http.Request
			)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					return
				}
				requests++
				header, request = r.Header.Clone(), r
				body, _ = io.ReadAll(r.Body)
				w.Header().Set("X-Amz-Checksum-Sha256", header.Get("X-Amz-Checksum-Sha256"))
			}))
			opts := Options{
				Prefix:       "some/prefix/",
				Region:       "eu-central-1",
				SSE:          "aws:kms:dsse",
				SSEKMSKeyID:  "arn:aws:kms:eu-central-1:1:key/2",
				StorageClass: "STANDARD_IA",
			}
			if secure {
				server.StartTLS()
				opts.CAFile = writePEM(t, server.Certificate().Raw)
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			setKeys(t)
			t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
			t.Setenv("AWS_REGION", "us-west-2")
			s := openAt(t, server, opts)

			data := []byte("logs")
			attrs := objecttest.Describe(data)
			attrs.Metadata = map[string]string{"lines": "42"}
			if err := s.Put(t.Context(), "dt=2026-11-23/a b+c.gz", bytes.NewReader(data), attrs); err != nil {
				t.Fatal(err)
			}
			if requests != 1 {
				t.Errorf("made %d requests, want 1", requests)
			}
			if string(body) != "logs" || request.ContentLength != 4 || len(request.TransferEncoding) > 0 || len(request.Trailer) > 0 {
				t.Errorf("sent %q, length %d, transfer encoding %v, trailer %v; want the bytes as they are",
					body, request.ContentLength, request.TransferEncoding, request.Trailer)
			}
			want := map[string]string{
				"Content-Type":                                "application/gzip",
				"Content-Encoding":                            "",
				"If-None-Match":                               "*",
				"X-Amz-Checksum-Sha256":                       "mPOPEtsiGoz4ynqt/c11mwHVLrTrs+7bstl+koBcaWA=",
				"X-Amz-Content-Sha256":                        fmt.Sprintf("%x", attrs.SHA256),
				"X-Amz-Decoded-Content-Length":                "",
				"X-Amz-Meta-Lines":                            "42",
				"X-Amz-Meta-Sha256-Object":                    fmt.Sprintf("%x", attrs.SHA256),
				"X-Amz-Sdk-Checksum-Algorithm":                "",
				"X-Amz-Server-Side-Encryption":                "aws:kms:dsse",
				"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": opts.SSEKMSKeyID,
				"X-Amz-Storage-Class":                         "STANDARD_IA",
				"X-Amz-Trailer":                               "",
			}
			got := maps.Clone(want)
			for name := range got {
				got[name] = header.Get(name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if got, want := request.Method+" "+request.URL.EscapedPath(), "PUT /bucket/some/prefix/dt%3D2026-11-23/a%20b%2Bc.gz"; got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
			if a := header.Get("Authorization"); !strings.Contains(a, "Credential=AKIDEXAMPLE/") || !strings.Contains(a, "/eu-central-1/s3/") {
				t.Errorf("signed as %q, want by AKIDEXAMPLE for eu-central-1", a)
			}
			if agent := header.Get("User-Agent"); !strings.Contains(agent, "logfast") {
				t.Errorf("the user agent %q does not name logfast", agent)
			}
		})
	}
}

// Options that are not set are not sent.
func TestPutRequestPlain(t *testing.T) {
	setKeys(t)
	var got []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return
		}
		take(w, r)
		for name := range r.Header {
			if name != "X-Amz-Meta-Sha256-Object" && (strings.HasPrefix(name, "X-Amz-Server") || strings.HasPrefix(name, "X-Amz-Storage") || strings.HasPrefix(name, "X-Amz-Meta")) {
				got = append(got, name)
			}
		}
		if length := r.Header.Get("Content-Length"); r.ContentLength != 0 || length != "0" {
			t.Errorf("an empty object has the length %d (%q)", r.ContentLength, length)
		}
		if r.URL.Path != "/bucket/key" {
			t.Errorf("asked for %s in path style, want /bucket/key", r.URL.Path)
		}
	})
	// The SDK uses path style with a bare address in any case.
	server.URL = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	s := openAt(t, server, Options{})
	if err := s.Put(t.Context(), "key", strings.NewReader(""), objecttest.Describe(nil)); err != nil {
		t.Error(err)
	}
	if len(got) > 0 {
		t.Errorf("sent %v for options that are not set", got)
	}
}

// A key that is taken, and what the object says that has it.
func TestPutTaken(t *testing.T) {
	attrs := objecttest.Describe([]byte("data"))
	for what, test := range map[string]struct {
		head func(http.ResponseWriter)
		want error
		text string
		host string // of the object that has the key
	}{
		"with metadata": {head: func(w http.ResponseWriter) { w.Header().Set("X-Amz-Meta-Host", "h") }, want: store.ErrExists, host: "h"},
		"the same": {head: func(w http.ResponseWriter) {
			w.Header().Set("X-Amz-Meta-Sha256-Object", fmt.Sprintf("%x", attrs.SHA256))
		}},
		"another":      {head: func(w http.ResponseWriter) { w.Header().Set("X-Amz-Meta-Sha256-Object", strings.Repeat("0", 64)) }, want: store.ErrExists},
		"a stranger":   {head: func(w http.ResponseWriter) {}, want: store.ErrExists},
		"may not see":  {head: func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, want: store.ErrBlocked, text: "to see by what"},
		"gone again":   {head: func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, text: "is free now"},
		"out of order": {head: func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, text: "HTTP 503"},
	} {
		t.Run(what, func(t *testing.T) {
			setKeys(t)
			s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut {
					refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
					return
				}
				if r.Method != http.MethodHead || r.URL.Path != "/bucket/p/key" {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				test.head(w)
			}), Options{Prefix: "p/"})
			err := putData(t, s)
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("put: %v, want %v", err, test.want)
			}
			var taken *store.TakenError
			if errors.As(err, &taken) != (test.want == store.ErrExists) || errors.Is(err, store.ErrExists) != (taken != nil) {
				t.Errorf("put: %v says who has the key: %v", err, taken)
			}
			if taken != nil && taken.By.Metadata["host"] != test.host {
				t.Errorf("the object that has the key is %+v, want the host %q", taken.By, test.host)
			}
			if test.text == "" && test.want == nil && err != nil {
				t.Errorf("put: %v, want nil", err)
			}
			if test.text != "" && (err == nil || !strings.Contains(err.Error(), test.text)) {
				t.Errorf("put: %v, want an error with %q", err, test.text)
			}
			if test.want == nil && kinds(err) != nil {
				t.Errorf("put: %v, want nothing that lasts", err)
			}
		})
	}
}

// A store that keeps no metadata cannot say who has a key.
func TestPutTaken_WithoutMetadata(t *testing.T) {
	setKeys(t)
	puts := 0
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodHead && r.URL.Path == "/bucket/key":
			w.Header().Set("Content-Length", "4")
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", "5")
		case r.URL.Path == "/bucket/key" && puts == 0:
			puts++
			take(w, r)
		default:
			refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
		}
	}), Options{})
	if err := putData(t, s); err != nil {
		t.Fatal(err)
	}
	err := s.Put(t.Context(), "other", strings.NewReader("data"), objecttest.Describe([]byte("data")))
	var taken *store.TakenError
	if !errors.Is(err, store.ErrExists) || errors.As(err, &taken) {
		t.Errorf("put: %v, %v, want a plain ErrExists", err, taken)
	}
}

func TestPutRefusesWithoutAsking(t *testing.T) {
	setKeys(t)
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked %s %s", r.Method, r.URL) }),
		Options{Prefix: strings.Repeat("p", 99) + "/"})
	large := objecttest.Describe(nil)
	large.Size = 5<<30 + 1
	err := s.Put(t.Context(), "key", strings.NewReader(""), large)
	if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "5368709121") {
		t.Errorf("put of more than 5 GiB: %v, want ErrInvalid with the size", err)
	}
	if err := s.Put(t.Context(), strings.Repeat("k", store.MaxKey-99), strings.NewReader(""), objecttest.Describe(nil)); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("put of a key that is too long with its prefix: %v, want ErrInvalid", err)
	}
	own := objecttest.Describe(nil)
	own.Metadata = map[string]string{digestName: "mine"}
	if err := s.Put(t.Context(), "key", strings.NewReader(""), own); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("put with the store's own metadata: %v, want ErrInvalid", err)
	}
}

// Pages are asked for by the last key that came, whatever it was.
func TestListPages(t *testing.T) {
	setKeys(t)
	pages := map[string]string{ // by start-after
		"":          page(true, "p/", "p/a", "p/a/"),
		"p/a/":      page(true, "p/folder/"),
		"p/folder/": page(false, "p/z &amp; z"),
		"p/y":       page(true),
	}
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		body, ok := pages[query.Get("start-after")]
		if !ok || query.Get("list-type") != "2" || query.Get("prefix") != "p/x" || query.Get("max-keys") != "2" {
			t.Errorf("asked %s", r.URL)
		}
		io.WriteString(w, body)
	}), Options{Prefix: "p/"})
	s.pageSize = 2
	for after, want := range map[string][]string{"": {"a", "z & z"}, "y": nil} {
		list := s.List(t.Context(), "x", after)
		for range 2 { // a sequence may be ranged over again
			var got []string
			for entry, err := range list {
				if err != nil {
					t.Fatal(err)
				}
				if entry.Size != 7 || !entry.Modified.Equal(time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)) {
					t.Errorf("listed %+v", entry)
				}
				got = append(got, entry.Key)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("keys after %q (-want +got):\n%s", after, diff)
			}
		}
	}
}

func page(truncated bool, keys ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<ListBucketResult><IsTruncated>%v</IsTruncated>", truncated)
	for _, key := range keys {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><Size>7</Size><LastModified>2026-11-23T19:03:01.000Z</LastModified></Contents>", key)
	}
	return b.String() + "</ListBucketResult>"
}

// An object that another program put has no digest that this one could know.
func TestGetForeign(t *testing.T) {
	setKeys(t)
	s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Amz-Meta-Sha256-Object", "not hexadecimal")
		w.Header().Set("X-Amz-Meta-App", "checkout")
		io.WriteString(w, "data")
	}), Options{})
	body, attrs, err := s.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	want := store.Attributes{Size: 4, ContentType: "text/plain", Metadata: map[string]string{"app": "checkout"}}
	if diff := cmp.Diff(want, attrs); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}
