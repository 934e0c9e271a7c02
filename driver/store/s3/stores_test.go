package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
	"github.com/logfast/logfast/driver/store/s3/s3test"
	"github.com/logfast/logfast/internal/await"
)

// openImitated opens a store at an imitation, with the settings that it needs.
func openImitated(t *testing.T, store s3test.Imitated) (*Store, *s3test.Imitation) {
	t.Helper()
	server := s3test.Imitate(t, store.Deviations)
	server.SetEnv(t)
	return open(t, Options{
		Bucket: "bucket", Prefix: "some/prefix/", Endpoint: server.URL, PathStyle: true,
		ACL: store.Options["LOGFAST_S3_ACL"], SSE: store.Options["LOGFAST_S3_SSE"],
	}), server
}

// warmUp lets a store find out about its server, by a large and a small put.
func warmUp(t *testing.T, s *Store) {
	t.Helper()
	large := make([]byte, 2<<20) // the size from which on the SDK would expect 100-continue
	for _, data := range [][]byte{large, []byte("small")} {
		key := "warm-" + rand.Text()
		if err := s.Put(t.Context(), key, bytes.NewReader(data), objecttest.Describe(data)); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}

// The whole suite on every store, once the store knows its server.
func TestStores_Conform(t *testing.T) {
	for _, objects := range s3test.Stores {
		t.Run(objects.Name, func(t *testing.T) {
			objecttest.TestStore(t, func(t *testing.T) store.Store {
				s, _ := openImitated(t, objects)
				warmUp(t, s)
				return s
			})
		})
	}
}

// The first puts of a store, when it does not know yet whether its server overwrites,
// may all be of one key.
func TestStores_FirstPutsOfOneKey(t *testing.T) {
	for _, objects := range s3test.Stores {
		t.Run(objects.Name, func(t *testing.T) {
			s, _ := openImitated(t, objects)
			errs := make([]error, 8)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					text := fmt.Sprint("segment ", i)
					errs[i] = s.Put(t.Context(), "key", strings.NewReader(text), objecttest.Describe([]byte(text)))
				})
			}
			wg.Wait()
			body, _, err := s.Get(t.Context(), "key")
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			stored := 0
			for i, err := range errs {
				if err == nil {
					stored++
					if want := fmt.Sprint("segment ", i); string(got) != want {
						t.Errorf("%q was stored, and there is %q", want, got)
					}
				} else if !errors.Is(err, store.ErrExists) {
					t.Errorf("put %d: %v", i, err)
				}
			}
			if stored != 1 {
				t.Errorf("%d puts succeeded, want one", stored)
			}
		})
	}
}

// meeting is a body whose first read waits until the other's has begun.
type meeting struct {
	*strings.Reader
	once         sync.Once
	begun, other chan struct{}
	ctx          context.Context
}

func (m *meeting) ReadAt(b []byte, off int64) (int, error) {
	m.once.Do(func() { close(m.begun) })
	select {
	case <-m.other:
		return m.Reader.ReadAt(b, off)
	case <-m.ctx.Done():
		return 0, m.ctx.Err()
	}
}

// TestStores_PutsOfOneKeyDoNotWait: once it is known that the server honours
// If-None-Match, a slow upload holds no other one of its key.
func TestStores_PutsOfOneKeyDoNotWait(t *testing.T) {
	s, _ := openImitated(t, s3test.Stores[0]) // AWS
	warmUp(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), await.Patience)
	defer cancel()
	first, second := make(chan struct{}), make(chan struct{})
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, body := range []*meeting{{begun: first, other: second}, {begun: second, other: first}} {
		text := fmt.Sprint("segment ", i)
		body.Reader, body.ctx = strings.NewReader(text), ctx
		wg.Go(func() { errs[i] = s.Put(ctx, "key", body, objecttest.Describe([]byte(text))) })
	}
	wg.Wait()
	stored := 0
	for _, err := range errs {
		if err == nil {
			stored++
		} else if !errors.Is(err, store.ErrExists) {
			t.Error(err)
		}
	}
	if stored != 1 {
		t.Errorf("%d puts succeeded, want one", stored)
	}
}

// What a server cannot do is found once, and done without from then on.
func TestStores_LearnOnce(t *testing.T) {
	for _, store := range s3test.Stores {
		t.Run(store.Name, func(t *testing.T) {
			s, server := openImitated(t, store)
			warmUp(t, s)
			notes := strings.Join(s.Learned(), "\n")
			for _, words := range store.Learns {
				if !strings.Contains(notes, words) {
					t.Errorf("learned %q, not %q", notes, words)
				}
			}
			if len(s.Learned()) != len(store.Learns) {
				t.Errorf("learned %q, want %d things", s.Learned(), len(store.Learns))
			}
			if s.Versioned() != store.Deviations.Versioned {
				t.Errorf("versioned: %v", s.Versioned())
			}
			server.Requests()
			if err := putData(t, s); err != nil {
				t.Fatal(err)
			}
			want := []string{"PUT some/prefix/key"}
			if strings.Contains(notes, "If-None-Match") {
				want = []string{"HEAD some/prefix/key", "PUT some/prefix/key"}
			}
			if store.Deviations.OpaqueETag && store.Deviations.IgnoreChecksum {
				want = append(want, "HEAD some/prefix/key") // the only proof there is
			}
			if got := server.Requests(); !slices.Equal(got, want) {
				t.Errorf("asked %q, want %q", got, want)
			}
		})
	}
}

// A refusal that no other header helps stays what it is.
func TestStores_RefusalsThatAreNotAboutHeaders(t *testing.T) {
	for what, test := range map[string]struct {
		store s3test.Imitated
		words string
	}{
		"ACL": {s3test.Imitated{Deviations: s3test.Deviations{NeedsACL: "bucket-owner-full-control"}}, "LOGFAST_S3_ACL"},
		"SSE": {s3test.Imitated{Deviations: s3test.Deviations{NeedsSSE: "aws:kms"}}, "LOGFAST_S3_SSE"},
		"no ACL": {s3test.Imitated{
			Deviations: s3test.Deviations{NoACL: s3test.Refusal{Status: 400, Code: "AccessControlListNotSupported", Message: "The bucket does not allow ACLs"}},
			Options:    map[string]string{"LOGFAST_S3_ACL": "private"},
		}, "LOGFAST_S3_ACL to nothing"},
	} {
		t.Run(what, func(t *testing.T) {
			s, server := openImitated(t, test.store)
			err := putData(t, s)
			if !errors.Is(err, store.ErrBlocked) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("put: %v, want ErrBlocked with %q", err, test.words)
			}
			if n := len(server.Requests()); n != 1 || len(s.Learned()) > 0 {
				t.Errorf("%d requests, learned %q", n, s.Learned())
			}
		})
	}
}

// A store with the right to put alone works, if its answers prove the put.
func TestStores_PutOnly(t *testing.T) {
	deny := map[string]bool{"GET": true, "HEAD": true, "LIST": true, "DELETE": true}
	for what, d := range map[string]s3test.Deviations{
		"AWS":      {Deny: deny},
		"MD5":      {Deny: deny, IgnoreChecksum: true},
		"ignores":  {Deny: deny, IgnoreChecksum: true, IgnoreCondition: true},
		"refuses":  {Deny: deny, Condition: s3test.Refusal{Status: 501, Code: "NotImplemented"}},
		"no proof": {Deny: deny, IgnoreChecksum: true, OpaqueETag: true},
	} {
		t.Run(what, func(t *testing.T) {
			s, _ := openImitated(t, s3test.Imitated{Deviations: d})
			for _, key := range []string{"one", "two"} {
				err := s.Put(t.Context(), key, strings.NewReader("data"), objecttest.Describe([]byte("data")))
				if (err != nil) != (what == "no proof") {
					t.Errorf("put: %v", err)
				}
				if err != nil && !strings.Contains(err.Error(), "s3:GetObject") {
					t.Errorf("put: %v, want the right that is missing", err)
				}
			}
		})
	}
}

func TestStores_ArchivedObject(t *testing.T) {
	s, _ := openImitated(t, s3test.Imitated{Deviations: s3test.Deviations{Archived: true}})
	key := "logs/app=it's/1.gz"
	if err := s.Put(t.Context(), key, strings.NewReader("data"), objecttest.Describe([]byte("data"))); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Get(t.Context(), key)
	want := `aws s3api restore-object --bucket bucket --key 'some/prefix/logs/app=it'\''s/1.gz' --restore-request`
	if !errors.Is(err, store.ErrArchived) || !strings.Contains(err.Error(), "restore it first") || !strings.Contains(err.Error(), want) {
		t.Errorf("get: %v, want ErrArchived with %s", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "s3:GetObject") {
		t.Errorf("get: %v, which is no matter of rights", err)
	}
}
