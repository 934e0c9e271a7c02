//go:build integration

package s3

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
	"github.com/logfast/logfast/driver/store/s3/s3test"
)

func TestVersitygw(t *testing.T) {
	server := s3test.Start(t)
	server.SetEnv(t)
	t.Run("bucket", func(t *testing.T) { testStore(t, server, "", 0) })
	t.Run("prefix", func(t *testing.T) { testStore(t, server, "some/prefix/", 0) })
	t.Run("small pages", func(t *testing.T) { testStore(t, server, "p/", 2) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, server) })
}

func TestVersitygwTLS(t *testing.T) {
	server := s3test.StartTLS(t)
	server.SetEnv(t)
	testStore(t, server, "prefix/", 0)
}

func testStore(t *testing.T, server *s3test.Server, prefix string, pageSize int32) {
	buckets := 0
	objecttest.TestStore(t, func(t *testing.T) store.Store {
		buckets++
		bucket := fmt.Sprintf("bucket-%d-%d-%d", len(prefix), pageSize, buckets)
		server.CreateBucket(t, bucket)
		s := openServer(t, server, Options{Bucket: bucket, Prefix: prefix})
		s.pageSize = pageSize
		if prefix != "" { // what is beside the prefix is not the store's
			if err := openServer(t, server, Options{Bucket: bucket}).Put(t.Context(), "other",
				strings.NewReader("data"), objecttest.Describe([]byte("data"))); err != nil {
				t.Fatal(err)
			}
		}
		return s
	})
}

func testRefusals(t *testing.T, server *s3test.Server) {
	server.CreateBucket(t, "there")
	data := []byte("data")
	put := func(s *Store) error {
		return s.Put(t.Context(), "key", strings.NewReader("data"), objecttest.Describe(data))
	}
	expectBlocked(t, "no bucket", put(openServer(t, server, Options{Bucket: "missing"})))

	s := openServer(t, server, Options{Bucket: "there"})
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	expectBlocked(t, "wrong secret", put(openServer(t, server, Options{Bucket: "there"})))
	t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
	expectBlocked(t, "unknown account", put(openServer(t, server, Options{Bucket: "there"})))
	if err := put(s); err != nil {
		t.Errorf("the store that was open before: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(server.Dir, "there", "key")); err != nil || string(got) != "data" {
		t.Errorf("the server holds %q (%v), want %q", got, err, data)
	}
}

func openServer(t *testing.T, server *s3test.Server, opts Options) *Store {
	t.Helper()
	opts.Endpoint, opts.Region, opts.CAFile, opts.PathStyle = server.Endpoint, server.Region, server.CAFile, true
	return open(t, opts)
}

// A real server that ignores If-None-Match.
func TestRclone(t *testing.T) {
	server := s3test.StartRclone(t)
	server.SetEnv(t)
	server.CreateBucket(t, "logs")
	s := openServer(t, server, Options{Bucket: "logs", Prefix: "p/"})
	put := func(key, text string) error {
		return s.Put(t.Context(), key, strings.NewReader(text), objecttest.Describe([]byte(text)))
	}
	for range 2 {
		if err := put("key", "one"); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("key", "other"); !errors.Is(err, store.ErrExists) {
		t.Errorf("put over another object: %v, want ErrExists", err)
	}
	if notes := strings.Join(s.Learned(), "\n"); !strings.Contains(notes, "ignores If-None-Match") {
		t.Errorf("learned %q", notes)
	}
	body, _, err := s.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || string(got) != "one" {
		t.Errorf("got %q, %v", got, err)
	}
}
