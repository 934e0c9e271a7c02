//go:build integration

package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/s3"
	"github.com/logfast/logfast/driver/store/s3/s3test"
)

// bucket is an archive on a real server, behind a proxy that can be cut.
type bucket struct {
	*testing.T
	direct *s3.Store
	proxy  *s3test.Proxy
	store  *s3.Store // through the proxy
	key    *spool.KeyTemplate

	mu   sync.Mutex
	said []string // owned by mu
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	server := s3test.Start(t)
	server.CreateBucket(t, "logs")
	server.SetEnv(t)
	x := &bucket{T: t, proxy: s3test.StartProxy(t, server), key: mustKey(t, spool.DefaultKey)}
	open := func(endpoint string) *s3.Store {
		s, err := s3.Open(t.Context(), s3.Options{Bucket: "logs", Prefix: "some/prefix/", Endpoint: endpoint, Region: server.Region, PathStyle: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	x.direct, x.store = open(server.Endpoint), open(x.proxy.Endpoint)
	return x
}

func (x *bucket) archive() *Archive {
	return New(Config{Store: x.store, Key: x.key, Warn: func(err error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.said = append(x.said, err.Error())
	}})
}

func (x *bucket) put(s spool.Stream, seq int, text string) {
	x.Helper()
	m := describe(s, seq, spool.Size, text)
	data := pack(text)
	attrs := store.Attributes{Size: int64(len(data)), SHA256: sha256.Sum256(data), ContentType: "application/gzip", Metadata: m.Metadata()}
	if err := x.direct.Put(x.Context(), x.key.Render(m), bytes.NewReader(data), attrs); err != nil {
		x.Fatal(err)
	}
}

// fill puts segments of 12 containers on 3 hosts over 3 days, some larger than
// what is kept in memory, and returns their lines in order.
func (x *bucket) fill() (lines []string) {
	x.Helper()
	rnd := rand.New(rand.NewPCG(5, 6))
	at := map[string]time.Duration{}
	type stamped struct {
		at   time.Duration
		line string
	}
	var all []stamped
	for c := range 12 {
		s := stream(fmt.Sprint("c", c))
		s.Host = fmt.Sprint("host-", c%3)
		for seq := range 3 {
			at[s.Name] = time.Duration(seq)*24*time.Hour + time.Duration(c+1)*time.Microsecond
			var text strings.Builder
			n := 500
			if c == 0 {
				n = 12_000
			}
			for range n {
				at[s.Name] += time.Millisecond
				line := cri(at[s.Name], fmt.Sprintf("%s %x", s.Name, [8]uint64{rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64()}))
				text.WriteString(line)
				all = append(all, stamped{at[s.Name], line})
			}
			x.put(s, seq+1, text.String())
		}
	}
	slices.SortFunc(all, func(a, b stamped) int { return int(a.at - b.at) })
	for _, l := range all {
		lines = append(lines, l.line)
	}
	return lines
}

func (x *bucket) read(a *Archive, q Query) (lines []string, err error) {
	x.Helper()
	l, err := a.Segments(x.Context(), q)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if err := l.Describe(x.Context()); err != nil {
		return nil, err
	}
	err = a.Read(x.Context(), l.Segments, Selection{Since: q.Since, Until: q.Until}, func(line *Line) error {
		lines = append(lines, string(line.Raw)+"\n")
		return nil
	})
	return lines, err
}

func TestABucket(t *testing.T) {
	x := newBucket(t)
	want := x.fill()
	got, err := x.read(x.archive(), Query{})
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%d lines, want %d; %v", len(got), len(want), err)
	}
	day := begin.Truncate(24 * time.Hour).Add(24 * time.Hour)
	a := x.archive()
	got, err = x.read(a, Query{Since: day, Until: day.Add(24*time.Hour - 1), Hosts: []string{"host-1"}})
	wantDay := slices.DeleteFunc(slices.Clone(want), func(line string) bool {
		var c int
		fmt.Sscanf(line[40:], "c%d", &c)
		return !strings.HasPrefix(line, day.Format(time.DateOnly)) || c%3 != 1
	})
	if err != nil || len(got) == 0 || !slices.Equal(got, wantDay) {
		t.Errorf("%d lines of a host's day, want %d; %v", len(got), len(wantDay), err)
	}
	if n := a.Progress().Listed.Load(); n > 8 {
		t.Errorf("%d keys of 36 were listed for one host's day of 4, and those of the day after it", n)
	}
	if len(x.said) > 0 {
		t.Errorf("said %q", x.said)
	}
}

func TestAConnectionThatIsCutCostsNoLine(t *testing.T) {
	x := newBucket(t)
	want := x.fill()
	a := x.archive()
	l, err := a.Segments(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x.proxy.Do(10, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		panic(http.ErrAbortHandler) // the rest never comes
	})
	n := 0
	err = a.Read(t.Context(), l.Segments, Selection{}, func(line *Line) error {
		if got := string(line.Raw) + "\n"; got != want[n] {
			return fmt.Errorf("line %d is %q, want %q", n, got, want[n])
		}
		n++
		return nil
	})
	if err != nil || n != len(want) || len(x.said) > 0 || x.proxy.Faulted() != 10 {
		t.Errorf("%d lines of %d; %v; said %q; %d were cut", n, len(want), err, x.said, x.proxy.Faulted())
	}
}

func TestABucketThatRefuses(t *testing.T) {
	x := newBucket(t)
	x.fill()
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	s, err := s3.Open(t.Context(), s3.Options{Bucket: "logs", Endpoint: x.proxy.Endpoint, Region: "us-east-1", PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x.store = s
	if _, err := x.read(x.archive(), Query{}); !errors.Is(err, store.ErrBlocked) {
		t.Error(err)
	}
}

func TestFollowABucket(t *testing.T) {
	x := newBucket(t)
	x.put(stream("web"), 1, cri(0, "old"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := x.archive()
	l, err := a.Tail(ctx, Query{}, Selection{}, 1, func(*Line) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fresh := strings.Replace(cri(0, "new"), begin.Format("2006-01-02T15:04:05.000000000Z"), time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z"), 1)
	x.put(stream("web"), 2, fresh)
	var got string
	err = l.Follow(ctx, Query{}, Selection{}, func(line *Line) error {
		got += string(line.Raw) + "\n"
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || got != fresh {
		t.Errorf("%q, want %q; %v", got, fresh, err)
	}
}
