//go:build integration

package ship

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/objecttest"
	"github.com/logfast/logfast/driver/store/s3"
	"github.com/logfast/logfast/driver/store/s3/s3test"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/internal/await"
)

// hurried is a pace at which hours of an outage are a second.
var hurried = pace{first: time.Millisecond, max: 4 * time.Millisecond, attempt: 20 * time.Second, slowest: 128 << 10, prune: time.Millisecond}

// rig is a spool of real segments, a real server, and a proxy between them.
type rig struct {
	*testing.T
	server *s3test.Server
	proxy  *s3test.Proxy
	bucket string
	dir    string
	key    string // template
	keep   time.Duration
	pace   pace
	texts  map[string]string // by key
	others map[string]string // objects that are not ours, by key

	spool    *spool.Spool
	log      lockedBuffer
	attempts atomic.Int64
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // owned by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// counted counts the attempts to put.
type counted struct {
	store.Store
	n *atomic.Int64
}

func (c counted) Put(ctx context.Context, key string, body io.ReadSeeker, attrs store.Attributes) error {
	c.n.Add(1)
	return c.Store.Put(ctx, key, body, attrs)
}

var buckets atomic.Int64

func newRig(t *testing.T, server *s3test.Server, keep time.Duration) *rig {
	t.Helper()
	x := emptyRig(t, server, keep, "logs/{name}-{seq}-{reason}.log.gz")
	random := rand.New(rand.NewPCG(1, 2))
	for i, size := range []int{100, 300 << 10, 3 << 20} {
		for n, reason := range []spool.Reason{spool.Error, spool.Size} {
			x.seal(fmt.Sprintf("c%d", i), n+1, reason, noise(random, size))
		}
	}
	return x
}

func emptyRig(t *testing.T, server *s3test.Server, keep time.Duration, key string) *rig {
	t.Helper()
	x := &rig{
		T: t, server: server, proxy: s3test.StartProxy(t, server), bucket: fmt.Sprint("bucket-", buckets.Add(1)),
		dir: inMemory(t), key: key, keep: keep, pace: hurried, texts: map[string]string{}, others: map[string]string{},
	}
	x.open()
	return x
}

func (x *rig) open() {
	x.Helper()
	key, err := spool.ParseKeyTemplate(x.key)
	if err != nil {
		x.Fatal(err)
	}
	if x.spool, err = spool.Open(x.dir, spool.Options{Key: key, Triage: triage.New(detect.Classic{}, nil), UID: -1, GID: -1}); err != nil {
		x.Fatal(err)
	}
}

// noise is text that gzip makes little smaller.
func noise(random *rand.Rand, size int) string {
	b := make([]byte, size/2)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return hex.EncodeToString(b)
}

func (x *rig) seal(name string, seq int, reason spool.Reason, line string) {
	x.Helper()
	w := x.spool.Writer(spool.Stream{ID: strings.Repeat("ab", 32), Name: name, Host: "h", App: name, Format: "cri"})
	at := time.Date(2026, 11, 23, 12, 0, seq, 0, time.UTC)
	text := at.Format("2006-01-02T15:04:05.000000000Z07:00") + " stdout F " + line + "\n"
	if _, err := w.Append(&spool.Batch{Text: []byte(text), First: at.UnixNano(), Last: at.UnixNano(), Lines: 1}, 1<<30); err != nil {
		x.Fatal(err)
	}
	if _, err := w.Seal(reason); err != nil {
		x.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		x.Fatal(err)
	}
	x.texts[fmt.Sprintf("logs/%s-%06d-%s.log.gz", name, seq, reason)] = text
}

// store opens the bucket: through the proxy, or past it.
func (x *rig) store(endpoint string) *s3.Store {
	x.Helper()
	s, err := s3.Open(context.Background(), s3.Options{Bucket: x.bucket, Endpoint: endpoint, Region: x.server.Region, PathStyle: true})
	if err != nil {
		x.Fatal(err)
	}
	return s
}

// start runs SHIP until the returned function is called.
func (x *rig) start() (s *Shipper, stop func()) {
	x.Helper()
	store := x.store(x.proxy.Endpoint)
	s = New(Config{Spool: x.spool, Store: counted{store, &x.attempts}, Keep: x.keep, Log: slog.New(slog.NewTextHandler(&x.log, nil))})
	s.pace = x.pace
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	return s, func() {
		cancel()
		wg.Wait()
		store.Close()
	}
}

// await waits until done, which nothing signals.
func (x *rig) await(what string, done func() bool) {
	x.Helper()
	await.Until(x, what, done, func() string {
		log := x.log.String()
		return fmt.Sprintf("%d attempts\n%s", x.attempts.Load(), log[max(0, len(log)-4000):])
	})
}

// everythingIsInTheSpool fails where a segment is not there any more, or is
// taken for uploaded.
func (x *rig) everythingIsInTheSpool() {
	x.Helper()
	pending, err := x.spool.List(spool.Sealed, spool.Packed)
	if err != nil || len(pending) != len(x.texts) {
		x.Errorf("during the trouble %d of %d segments are pending (%v)", len(pending), len(x.texts), err)
	}
}

// expectEnd checks the bucket and the spool once all is over.
func (x *rig) expectEnd() {
	x.Helper()
	store := x.store(x.server.Endpoint)
	defer store.Close()
	want := slices.Sorted(maps.Keys(x.texts))
	want = append(want, slices.Sorted(maps.Keys(x.others))...)
	slices.Sort(want)
	var got []string
	for entry, err := range store.List(x.Context(), "", "") {
		if err != nil {
			x.Fatal(err)
		}
		got = append(got, entry.Key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.Errorf("objects (-want +got):\n%s", diff)
	}
	objects := map[string][]byte{} // ours, by their sums
	for _, key := range got {
		body, attrs, err := store.Get(x.Context(), key)
		if err != nil {
			x.Fatal(err)
		}
		data, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			x.Fatal(err)
		}
		if other, foreign := x.others[key]; foreign {
			if string(data) != other {
				x.Errorf("the foreign object %s was changed", key)
			}
			continue
		}
		sum := sha256.Sum256([]byte(x.texts[key]))
		if packtest.Unpack(x.T, data) != x.texts[key] || attrs.SHA256 != sha256.Sum256(data) || attrs.Size != int64(len(data)) ||
			attrs.ContentType != "application/gzip" || attrs.Metadata["sha256"] != hex.EncodeToString(sum[:]) || attrs.Metadata["lines"] != "1" {
			x.Errorf("object %s: %d bytes, %+v", key, len(data), attrs)
		}
		objects[string(attrs.SHA256[:])] = data
	}
	x.expectSpool(objects)
}

func (x *rig) expectSpool(objects map[string][]byte) {
	x.Helper()
	left, err := x.spool.List()
	if err != nil {
		x.Fatal(err)
	}
	if x.keep == 0 {
		if top, _ := filepath.Glob(filepath.Join(x.dir, "[^.]*")); len(left) != 0 || len(top) != 0 {
			x.Errorf("left in the spool: %v %v", left, top)
		}
		return
	}
	if len(left) != len(x.texts) {
		x.Errorf("%d segments of %d are in the spool", len(left), len(x.texts))
	}
	for _, seg := range left {
		data, err := os.ReadFile(filepath.Join(x.dir, seg.Path()))
		if err != nil {
			x.Fatal(err)
		}
		sum := sha256.Sum256(data)
		if seg.Name.State != spool.Uploaded || !bytes.Equal(objects[string(sum[:])], data) {
			x.Errorf("%s is not the copy of an object", seg.Path())
		}
	}
	if temps, _ := filepath.Glob(filepath.Join(x.dir, "*", ".*.tmp")); len(temps) != 0 {
		x.Errorf("left: %v", temps)
	}
}

// trouble is a fault, and what has to be true while it lasts.
type trouble struct {
	begin   func(x *rig) // before SHIP starts
	enough  int          // attempts during it
	end     func(x *rig)
	partial bool     // some segments get through
	blocked bool     // it lasts until somebody changes something, and SHIP says so
	says    []string // what the log says, besides
	pace    pace     // instead of hurried
}

// refused is a trouble that the proxy makes for all requests.
func refused(status int, code string, says ...string) trouble {
	return trouble{
		begin: func(x *rig) { x.proxy.Do(-1, s3test.Refuse(status, code, 0)) }, enough: 60,
		end: func(x *rig) { x.proxy.Heal() }, blocked: len(says) > 0, says: append(says, code),
	}
}

// through is a trouble that happens to all requests on their way.
func through(f s3test.Fault, says string) trouble {
	return trouble{
		begin: func(x *rig) { x.proxy.Do(-1, f) }, enough: 20,
		end: func(x *rig) { x.proxy.Heal() }, says: []string{says},
	}
}

func some(t trouble) trouble { t.partial = true; return t }

func impatient(t trouble) trouble {
	t.enough, t.pace = uploads+4, pace{first: time.Millisecond, max: 4 * time.Millisecond, attempt: 300 * time.Millisecond, slowest: 1 << 40, prune: time.Millisecond}
	return t
}

var troubles = map[string]trouble{
	"500":                  refused(500, "InternalError"),
	"503 SlowDown":         refused(503, "SlowDown"),
	"403":                  refused(403, "AccessDenied", "s3:PutObject and s3:GetObject"),
	"no such bucket":       refused(404, "NoSuchBucket", "create the bucket"),
	"expired credentials":  refused(400, "ExpiredToken", "renews them"),
	"clock skew":           refused(403, "RequestTimeTooSkewed", "The clock of this machine"),
	"cut before the body":  through(s3test.CutBefore, "upload failed"),
	"cut within the body":  through(s3test.CutWithin, "upload failed"),
	"cut after the body":   through(s3test.CutAfter, "upload failed"),
	"half of it got there": through(s3test.CutThrough, "upload failed"),
	"never an answer":      impatient(through(s3test.Hang, "given up after")),
	// The put succeeds and nobody knows; then nobody may look.
	"lost answer":  through(s3test.LoseAnswer, "upload failed"),
	"wrong answer": through(s3test.WrongAnswer, "SlowDown"),
	"lost answer, then 403": {
		begin: func(x *rig) { x.proxy.Do(-1, s3test.LoseAnswer) }, enough: 12, says: []string{"uploads are blocked"},
		end: func(x *rig) {
			x.proxy.Do(-1, s3test.Refuse(403, "AccessDenied", 0))
			x.await("403", func() bool { return x.proxy.Faulted() > 20 })
			x.everythingIsInTheSpool()
			x.proxy.Heal()
		},
	},
	"slow": some(trouble{
		begin: func(x *rig) { x.proxy.Do(-1, s3test.Slow(20*time.Millisecond)) }, enough: 1,
		end: func(*rig) {},
	}),
	"every other request fails": some(trouble{
		begin: func(x *rig) {
			var n atomic.Int64
			x.proxy.Do(-1, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
				if n.Add(1)%2 == 0 {
					s3test.LoseAnswer(w, r, forward)
					return
				}
				forward.ServeHTTP(w, r)
			})
		}, enough: 1,
		end: func(*rig) {},
	}),
	// The proxy's clock is wrong, the server's is right: the SDK believes the
	// one, is refused by the other, and believes that.
	"clock skew that was told wrong": some(trouble{
		begin:  func(x *rig) { x.proxy.Do(3, s3test.Refuse(403, "RequestTimeTooSkewed", 3*time.Hour)) },
		enough: 3, says: []string{"clock"},
		end: func(*rig) {},
	}),
	"nobody listens": {
		begin: func(x *rig) { x.proxy.Down() }, enough: 300, says: []string{"connection refused"},
		end: func(x *rig) { x.proxy.Up(x) },
	},
	"the bucket is not there yet": {
		begin: func(x *rig) { x.bucket += "-later" }, enough: 60, blocked: true, says: []string{"NoSuchBucket", "create the bucket"},
		end: func(x *rig) { x.server.CreateBucket(x, x.bucket) },
	},
	"wrong secret, put right in the file": {
		begin: func(x *rig) { x.credentials(x.server.AccessKey, "wrong") }, enough: 60, blocked: true, says: []string{"SignatureDoesNotMatch", "credentials file"},
		end: func(x *rig) { x.credentials(x.server.AccessKey, x.server.SecretKey) },
	},
	"wrong account, put right in the file": {
		begin: func(x *rig) { x.credentials("nobody", "wrong") }, enough: 60, blocked: true, says: []string{"credentials file"},
		end: func(x *rig) { x.credentials(x.server.AccessKey, x.server.SecretKey) },
	},
	"no keys, put into the file": {
		begin: func(x *rig) { s3test.ClearEnv(x) }, enough: 20, blocked: true, says: []string{"no usable credentials", "credentials file"},
		end: func(x *rig) { x.credentials(x.server.AccessKey, x.server.SecretKey) },
	},
	"foreign objects at our keys": some(trouble{
		begin: func(x *rig) { x.foreign() }, enough: 1, says: []string{"a foreign object has the segment's key"},
		end: func(*rig) {},
	}),
	"the server is frozen": impatient(trouble{
		begin: func(x *rig) { x.server.Freeze(x) }, says: []string{"given up after"},
		end: func(x *rig) { x.server.Thaw(x) },
	}),
	"the server is killed and comes back": {
		begin: func(x *rig) { x.server.Kill(x) }, enough: 60, says: []string{"HTTP 502"},
		end: func(x *rig) { x.server.Restart(x) },
	},
}

// credentials writes the file where the SDK finds keys, and takes them from the
// environment.
func (x *rig) credentials(key, secret string) {
	x.Helper()
	if os.Getenv("AWS_ACCESS_KEY_ID") != "" {
		s3test.ClearEnv(x)
	}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key, secret)
	if err := os.WriteFile(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
}

// foreign puts somebody else's objects under three of our keys, one of them of
// the same size as ours will have. Ours then take the other key.
func (x *rig) foreign() {
	x.Helper()
	store := x.store(x.server.Endpoint)
	defer store.Close()
	for _, key := range slices.Sorted(maps.Keys(x.texts))[:3] {
		text := x.texts[key]
		data := []byte("foreign " + key)
		if err := store.Put(x.Context(), key, bytes.NewReader(data), objecttest.Describe(data)); err != nil {
			x.Fatal(err)
		}
		x.others[key] = string(data)
		delete(x.texts, key)
		sum := sha256.Sum256([]byte(text))
		name := strings.TrimPrefix(strings.TrimSuffix(key, ".log.gz"), "logs/")
		x.texts[fmt.Sprintf("logs/%s-abababababab-%s-%x.log.gz", name, strings.Split(name, "-")[1], sum[:8])] = text
	}
}

// TestNoTroubleOfS3LosesOrDoublesASegment lets each trouble last for a while and
// end, with copies that are kept and with copies that are pruned at once. Each
// segment is one object then, with its bytes, and SHIP was not started anew.
func TestNoTroubleOfS3LosesOrDoublesASegment(t *testing.T) {
	server := s3test.Start(t)
	for _, name := range slices.Sorted(maps.Keys(troubles)) {
		for _, keep := range []time.Duration{0, 100_000 * time.Hour} {
			t.Run(fmt.Sprintf("%s/keep=%v", name, keep > 0), func(t *testing.T) {
				before := goleak.IgnoreCurrent()
				server.SetEnv(t)
				x := newRig(t, server, keep)
				defer x.spool.Close()
				server.CreateBucket(t, x.bucket)
				troubles[name].happen(x)
				x.proxy.Down()
				if !strings.Contains(name, "server is") { // its process has goroutines
					goleak.VerifyNone(t, before)
				}
			})
		}
	}
}

func (tr trouble) happen(x *rig) {
	if tr.pace != (pace{}) {
		x.pace = tr.pace
	}
	tr.begin(x)
	s, stop := x.start()
	defer stop()
	x.await("the trouble", func() bool { return int(x.attempts.Load()) >= tr.enough })
	if !tr.partial {
		x.everythingIsInTheSpool()
	}
	if tr.blocked {
		x.await("blocked", func() bool { h, _ := s.Health(); return h.Blocked != nil })
		x.await("said out loud", func() bool { return strings.Contains(x.log.String(), "level=ERROR msg=\"uploads are blocked") })
	}
	tr.end(x)
	x.await("all uploaded", func() bool {
		h, err := s.Health()
		return err == nil && h.Pending == 0 && strings.Count(x.log.String(), "segment uploaded") == len(x.texts)
	})
	if x.keep == 0 {
		x.await("pruned", func() bool { left, _ := filepath.Glob(filepath.Join(x.dir, "[^.]*")); return len(left) == 0 })
	}
	stop()
	for _, word := range tr.says {
		if !strings.Contains(x.log.String(), word) {
			x.Errorf("the log does not say %q", word)
		}
	}
	if h, err := s.Health(); err != nil || h.Blocked != nil || h.LastError != nil || h.LastUpload.IsZero() {
		x.Errorf("health afterwards: %+v, %v", h, err)
	}
	x.expectEnd()
}

// TestTakenKeyS3: eight containers of an app end their segments in one second, with
// a template that gives them all the same key, which another host's segment or a
// foreign object may have already. All arrive under keys of their own. Only the
// foreign object is worth a message, and only one.
func TestTakenKeyS3(t *testing.T) {
	server := s3test.Start(t)
	server.SetEnv(t)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	key := fmt.Sprintf("checkout.log-%d.gz", at.Unix())
	foreign := []byte("put by another program")
	for _, by := range []string{"none", "another host", "foreign"} {
		t.Run(by, func(t *testing.T) {
			x := emptyRig(t, server, 100_000*time.Hour, classicKey)
			defer x.spool.Close()
			server.CreateBucket(t, x.bucket)
			store := x.store(server.Endpoint)
			defer store.Close()
			texts := replicas(t, x.spool, 0, 8, at)
			switch by {
			case "another host":
				other := newBenchOf(t, 24*time.Hour, classicKey)
				other.cfg.Store = store
				texts = append(texts, replicas(t, other.spool, 8, 1, at)...)
				other.drain(1)
			case "foreign":
				if err := store.Put(t.Context(), key, bytes.NewReader(foreign), objecttest.Describe(foreign)); err != nil {
					t.Fatal(err)
				}
			}
			_, stop := x.start()
			defer stop()
			x.await("all uploaded", func() bool { return strings.Count(x.log.String(), "segment uploaded") == 8 })
			stop()
			objects := inStore(t, store)
			got := loud(x.log.String())
			if by == "foreign" {
				if objects[key] != string(foreign) {
					t.Errorf("%s was overwritten", key)
				}
				delete(objects, key)
				if len(got) != 1 || !strings.Contains(got[0], "a foreign object has the segment's key; taking another") ||
					!strings.Contains(got[0], "key="+key+" ") {
					t.Errorf("want one message that names %s:\n%s", key, strings.Join(got, ""))
				}
			} else if len(got) != 0 || objects[key] == "" {
				t.Errorf("%s is %q; logged:\n%s", key, objects[key], strings.Join(got, ""))
			}
			expectReplicas(t, objects, texts, at)
		})
	}
}

// TestAnyMixtureOfTroublesEndsWell draws a fault for each request, and now and
// then SHIP dies and starts anew.
func TestAnyMixtureOfTroublesEndsWell(t *testing.T) {
	server := s3test.Start(t)
	server.SetEnv(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	x := newRig(t, server, 100_000*time.Hour)
	defer func() { x.spool.Close() }()
	server.CreateBucket(t, x.bucket)
	for n := range 40 {
		x.seal("many", n+1, spool.Size, noise(random, random.IntN(20<<10)))
	}
	faults := []s3test.Fault{
		s3test.CutBefore, s3test.CutWithin, s3test.CutAfter, s3test.CutThrough, s3test.LoseAnswer, s3test.WrongAnswer,
		s3test.Slow(time.Millisecond), s3test.Refuse(500, "InternalError", 0), s3test.Refuse(503, "SlowDown", 0), s3test.Refuse(403, "AccessDenied", 0),
		s3test.Refuse(404, "NoSuchBucket", 0), s3test.Refuse(400, "ExpiredToken", 0), s3test.Refuse(403, "RequestTimeTooSkewed", time.Hour),
		s3test.Refuse(409, "ConditionalRequestConflict", 0),
		func(w http.ResponseWriter, r *http.Request, forward http.Handler) { forward.ServeHTTP(w, r) },
	}
	var mu sync.Mutex
	x.proxy.Do(-1, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		mu.Lock()
		f := faults[random.IntN(len(faults))]
		mu.Unlock()
		f(w, r, forward)
	})
	for life := range 10 {
		_, stop := x.start()
		until := int64((life + 1) * 25)
		x.await("attempts", func() bool {
			pending, _ := x.spool.List(spool.Sealed, spool.Packed)
			return x.attempts.Load() >= until || len(pending) == 0
		})
		stop()
		if err := x.spool.Close(); err != nil {
			t.Fatal(err)
		}
		x.open()
		if err := x.spool.Recover(func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	x.proxy.Heal()
	_, stop := x.start()
	defer stop()
	x.await("all uploaded", func() bool {
		pending, err := x.spool.List(spool.Sealed, spool.Packed)
		return err == nil && len(pending) == 0
	})
	stop()
	x.expectEnd()
}
