// Package objecttest tests what each [store.Store] has to do. The tests of a store
// run it; nothing else imports it.
package objecttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/logfast/logfast/driver/store"
)

// TestStore runs the suite. Each call of open returns a store without objects,
// and cleans up after itself by t.Cleanup.
func TestStore(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"RoundTrip", testRoundTrip},
		{"BodyFromItsPosition", testBodyFromItsPosition},
		{"NotFound", testNotFound},
		{"PutAgain", testPutAgain},
		{"NeverOverwrites", testNeverOverwrites},
		{"WrongBody", testWrongBody},
		{"Invalid", testInvalid},
		{"Cancelled", testCancelled},
		{"List", testList},
		{"ListEntry", testListEntry},
		{"ConcurrentDifferent", testConcurrentDifferent},
		{"ConcurrentSame", testConcurrentSame},
		{"Delete", testDelete},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Describe returns the attributes with which data is put in these tests.
func Describe(data []byte) store.Attributes {
	return store.Attributes{
		Size:        int64(len(data)),
		SHA256:      sha256.Sum256(data),
		ContentType: "application/gzip",
	}
}

func testRoundTrip(t *testing.T, store store.Store) {
	large := make([]byte, 20<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(large) // never fails
	for key, data := range map[string][]byte{
		"empty.gz":    {},
		"one":         {0},
		"large":       large,
		"a b/+&%=?#~": []byte("a key that needs escaping"),
		"logs/dt=2026-11-23/host=web-1/app=zażółć/20261123T190301.123456Z-000042-error.log.gz": []byte("text"),
	} {
		attrs := Describe(data)
		attrs.Metadata = map[string]string{
			"first-time": "2026-11-23T19:03:01.123456Z",
			"lines":      "42",
			"image":      `registry.example:5000/app@sha256:0 "x"  y; z=1, ~`,
		}
		put(t, store, key, data, attrs)
		expect(t, store, key, data, attrs)
	}
}

func testBodyFromItsPosition(t *testing.T, store store.Store) {
	data := []byte("middle")
	body := strings.NewReader("front" + "middle" + "end")
	if _, err := body.Seek(int64(len("front")), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "key", body, Describe(data)); err != nil {
		t.Fatal(err)
	}
	expect(t, store, "key", data, Describe(data))
}

func testNotFound(t *testing.T, objects store.Store) {
	put(t, objects, "there/is/one", nil, Describe(nil))
	for _, key := range []string{
		"none", "there", "there/is", "there/is/one/more", "there/is/on", "", "../there", "/there/is/one",
	} {
		if r, _, err := objects.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get %q: %v, want ErrNotFound", key, err)
			if err == nil {
				r.Close()
			}
		}
	}
}

// testDelete is for the stores that can.
func testDelete(t *testing.T, objects store.Store) {
	deleter, ok := objects.(store.Deleter)
	if !ok {
		return
	}
	data := []byte("for a while")
	for _, key := range []string{"a/key", "a/other"} {
		put(t, objects, key, data, Describe(data))
	}
	for range 2 {
		if err := deleter.Delete(t.Context(), "a/key"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := objects.Get(t.Context(), "a/key"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("get what was deleted: %v, want ErrNotFound", err)
		}
	}
	expect(t, objects, "a/other", data, Describe(data))
	other := []byte("another in its place")
	put(t, objects, "a/key", other, Describe(other))
	expect(t, objects, "a/key", other, Describe(other))
}

func testPutAgain(t *testing.T, store store.Store) {
	data := []byte("the same")
	first := Describe(data)
	first.Metadata = map[string]string{"life": "first"}
	put(t, store, "a/key", data, first)
	second := first
	second.Metadata = map[string]string{"life": "second"}
	put(t, store, "a/key", data, second)
	expect(t, store, "a/key", data, first)
}

func testNeverOverwrites(t *testing.T, objects store.Store) {
	data := []byte("the first")
	attrs := Describe(data)
	attrs.Metadata = map[string]string{"life": "first"}
	put(t, objects, "a/key", data, attrs)
	for _, other := range []string{"the other", "", "longer than the first"} {
		err := objects.Put(t.Context(), "a/key", strings.NewReader(other), Describe([]byte(other)))
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("put %q over another object: %v, want ErrExists", other, err)
		}
		var taken *store.TakenError
		if !errors.As(err, &taken) {
			t.Errorf("put %q over another object: %v, want a TakenError", other, err)
		} else if diff := cmp.Diff(attrs, taken.By, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("the object that has the key (-put +got):\n%s", diff)
		}
	}
	expect(t, objects, "a/key", data, attrs)
}

func testWrongBody(t *testing.T, store store.Store) {
	data := []byte("what the attributes tell of")
	for what, body := range map[string]string{
		"short":     "what the",
		"empty":     "",
		"different": "what the attributes lie of.",
	} {
		if err := store.Put(t.Context(), "key", strings.NewReader(body), Describe(data)); err == nil {
			t.Errorf("put of a %s body succeeded", what)
		}
		expectKeys(t, store, "", "", nil)
	}
	longer := Describe(data)
	longer.Size++
	if err := store.Put(t.Context(), "key", bytes.NewReader(data), longer); err == nil {
		t.Error("put of a body with the right digest and less than its size succeeded")
	}
	expectKeys(t, store, "", "", nil)
	put(t, store, "key", data, Describe(data))
	expect(t, store, "key", data, Describe(data))
}

func testInvalid(t *testing.T, objects store.Store) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..",
		"nul\x00", "line\nfeed", "del\x7f", "not\xffutf8", strings.Repeat("long/", 205),
	} {
		if err := objects.Put(t.Context(), key, strings.NewReader(""),
			Describe(nil)); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("put with the key %q: %v, want ErrInvalid", key, err)
		}
	}
	for what, change := range map[string]func(*store.Attributes){
		"negative size":         func(a *store.Attributes) { a.Size = -1 },
		"no content type":       func(a *store.Attributes) { a.ContentType = "" },
		"header injection":      func(a *store.Attributes) { a.ContentType = "text/plain\r\nX-Evil: 1" },
		"upper-case name":       func(a *store.Attributes) { a.Metadata = map[string]string{"Lines": "1"} },
		"empty name":            func(a *store.Attributes) { a.Metadata = map[string]string{"": "1"} },
		"name with a colon":     func(a *store.Attributes) { a.Metadata = map[string]string{"a:b": "1"} },
		"value beyond ASCII":    func(a *store.Attributes) { a.Metadata = map[string]string{"app": "zażółć"} },
		"value with a new line": func(a *store.Attributes) { a.Metadata = map[string]string{"app": "a\nb"} },
		"value with an edge":    func(a *store.Attributes) { a.Metadata = map[string]string{"app": " a"} },
		"too much": func(a *store.Attributes) {
			a.Metadata = map[string]string{"app": strings.Repeat("x", store.MaxMetadata-len("app")+1)}
		},
	} {
		attrs := Describe(nil)
		change(&attrs)
		if err := objects.Put(t.Context(), "key", strings.NewReader(""), attrs); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("put with attributes with %s: %v, want ErrInvalid", what, err)
		}
	}
	expectKeys(t, objects, "", "", nil)

	// A long key (a store may need some of the 1024 bytes for a prefix) and the
	// most metadata that the contract promises.
	key := strings.Repeat("long/", 180) + "long"
	attrs := Describe(nil)
	attrs.Metadata = map[string]string{"app": strings.Repeat("x", store.MaxMetadata-len("app"))}
	put(t, objects, key, nil, attrs)
	expect(t, objects, key, nil, attrs)
}

func testCancelled(t *testing.T, objects store.Store) {
	put(t, objects, "there", nil, Describe(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := []byte("data")
	if err := objects.Put(ctx, "key", bytes.NewReader(data), Describe(data)); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v, want context.Canceled", err)
	}
	if _, _, err := objects.Get(ctx, "there"); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v, want context.Canceled", err)
	}
	var pairs int
	for entry, err := range objects.List(ctx, "", "") {
		if pairs++; !errors.Is(err, context.Canceled) || entry != (store.Entry{}) {
			t.Errorf("list: %v, %v, want context.Canceled alone", entry, err)
		}
	}
	if pairs != 1 {
		t.Errorf("list yielded %d pairs, want the error once", pairs)
	}

	// Cancelled while the body is read.
	ctx, cancel = context.WithCancel(t.Context())
	body := &cancelling{ReadSeeker: bytes.NewReader(data), cancel: cancel}
	if err := objects.Put(ctx, "key", body, Describe(data)); !errors.Is(err, context.Canceled) {
		t.Errorf("put with a body that cancels: %v, want context.Canceled", err)
	}
	expectKeys(t, objects, "", "", []string{"there"})
}

// cancelling is a body whose first read ends the context of the put and brings
// a byte. The rest of it cannot be read.
type cancelling struct {
	io.ReadSeeker
	cancel func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.cancel == nil {
		return 0, io.ErrUnexpectedEOF
	}
	c.cancel()
	c.cancel = nil
	return c.ReadSeeker.Read(p[:1])
}

func testList(t *testing.T, store store.Store) {
	expectKeys(t, store, "", "", nil)
	// In order by bytes. A walk of the directories would put the three
	// below "a/" before "a-b", and "a/c/d" before "a/c-d".
	keys := []string{"Z", "a!", "a-b", "a/b", "a/c-d", "a/c/d", "a/c/d.gz", "a/c0", "a0", "a~", "b/c/d/e", "ż/ł"}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(keys)) {
		put(t, store, keys[i], []byte(keys[i]), Describe([]byte(keys[i])))
	}
	marks := append([]string{
		"", "0", "a", "a/", "a/c", "a/c/", "a.", "aa", "b/c", "b/c/d/", "b/c/d/e/f", "b/d", "ż", "żż",
	}, keys...)
	for _, prefix := range marks {
		for _, after := range marks {
			var want []string
			for _, key := range keys {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, key)
				}
			}
			expectKeys(t, store, prefix, after, want)
		}
	}
	for entry, err := range store.List(t.Context(), "a", "") {
		if err != nil || entry.Key != "a!" {
			t.Errorf("first of the list: %v, %v, want a!", entry, err)
		}
		break
	}
}

func testListEntry(t *testing.T, store store.Store) {
	before := time.Now().Truncate(time.Second) // what S3 tells
	put(t, store, "key", []byte("four"), Describe([]byte("four")))
	for entry, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Key != "key" || entry.Size != 4 {
			t.Errorf("listed as %+v, want key with 4 bytes", entry)
		}
		if entry.Modified.Before(before) || entry.Modified.After(time.Now()) {
			t.Errorf("listed as modified at %v, want between %v and now", entry.Modified, before)
		}
	}
}

func testConcurrentDifferent(t *testing.T, objects store.Store) {
	for round := range 5 {
		const writers = 8
		key := fmt.Sprintf("round/%d", round)
		results := together(writers, func(i int) error {
			data := fmt.Appendf(nil, "the bytes of writer %d", i)
			attrs := Describe(data)
			attrs.Metadata = map[string]string{"writer": fmt.Sprint(i)}
			return objects.Put(t.Context(), key, bytes.NewReader(data), attrs)
		})
		var winners []int
		for i, err := range results {
			if err == nil {
				winners = append(winners, i)
			} else if !errors.Is(err, store.ErrExists) {
				t.Errorf("writer %d: %v, want nil or ErrExists", i, err)
			}
		}
		if len(winners) != 1 {
			t.Fatalf("writers %v were told that their bytes have the key, want exactly one", winners)
		}
		data := fmt.Appendf(nil, "the bytes of writer %d", winners[0])
		attrs := Describe(data)
		attrs.Metadata = map[string]string{"writer": fmt.Sprint(winners[0])}
		expect(t, objects, key, data, attrs)
	}
}

func testConcurrentSame(t *testing.T, store store.Store) {
	data := []byte("the bytes of all")
	for i, err := range together(8, func(int) error {
		return store.Put(t.Context(), "key", bytes.NewReader(data), Describe(data))
	}) {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	expect(t, store, "key", data, Describe(data))
	expectKeys(t, store, "", "", []string{"key"})
}

// together calls f n times at once and returns what each call returned.
func together(n int, f func(i int) error) []error {
	results := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			results[i] = f(i)
		})
	}
	close(start)
	group.Wait()
	return results
}

func put(t *testing.T, store store.Store, key string, data []byte, attrs store.Attributes) {
	t.Helper()
	if err := store.Put(t.Context(), key, bytes.NewReader(data), attrs); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func expect(t *testing.T, store store.Store, key string, data []byte, attrs store.Attributes) {
	t.Helper()
	r, have, err := store.Get(t.Context(), key)
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Errorf("read %q: %v", key, err)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%q has %d other bytes than the %d put", key, len(got), len(data))
	}
	if diff := cmp.Diff(attrs, have, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("attributes of %q (-put +got):\n%s", key, diff)
	}
}

func expectKeys(t *testing.T, store store.Store, prefix, after string, want []string) {
	t.Helper()
	var got []string
	for entry, err := range store.List(t.Context(), prefix, after) {
		if err != nil {
			t.Errorf("list %q after %q: %v", prefix, after, err)
			return
		}
		got = append(got, entry.Key)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("list %q after %q (-want +got):\n%s", prefix, after, diff)
	}
}
