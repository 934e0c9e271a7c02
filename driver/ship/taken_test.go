package ship

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/spool/pack/packtest"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/incident"
)

// classicKey gives the segments of an app that begin in one second the same key.
const classicKey = "{app}.log-{unix}.gz"

// replicas seals one segment of each of n containers of the app checkout, numbered
// from first, all of one second. It returns the texts in order.
func replicas(t testing.TB, target *spool.Spool, first, n int, at time.Time) (texts []string) {
	t.Helper()
	for i := first; i < first+n; i++ {
		w := target.Writer(spool.Stream{
			ID: strings.Repeat(fmt.Sprintf("%02x", i), 32), Name: fmt.Sprint("checkout-", i), Host: "h", App: "checkout", Format: "cri",
		})
		text := at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + fmt.Sprintf(" stdout F line of replica %d\n", i)
		if _, err := w.Append(&spool.Batch{Text: []byte(text), First: at.UnixNano(), Last: at.UnixNano(), Lines: 1}, 1<<20); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Seal(spool.Stop); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

// expectReplicas fails unless the objects are the replicas' texts, each once, under
// the template's key or beside it.
func expectReplicas(t testing.TB, objects map[string]string, texts []string, at time.Time) {
	t.Helper()
	first := fmt.Sprintf("checkout.log-%d.gz", at.Unix())
	var got []string
	for key, text := range objects {
		got = append(got, text)
		i := slices.Index(texts, text)
		sum := sha256.Sum256([]byte(text))
		beside := fmt.Sprintf("checkout-%s-000001-%x.log-%d.gz", strings.Repeat(fmt.Sprintf("%02x", i), 6), sum[:8], at.Unix())
		if key != first && key != beside {
			t.Errorf("%q has the key %s, want %s or %s", text, key, first, beside)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(texts, got); diff != "" {
		t.Errorf("texts in the store (-want +got):\n%s", diff)
	}
}

// loud are the lines of a log at WARN and above.
func loud(log string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestTakenKey_ReplicasOfOneSecond(t *testing.T) {
	for name, inDir := range map[string]bool{"memory": false, "directory": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBenchOf(t, 24*time.Hour, classicKey)
				b.cfg.Log = slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				var target store.Store = b.store
				if inDir {
					dir, err := store.OpenDir(inMemory(t), store.DirOptions{UID: -1, GID: -1})
					if err != nil {
						t.Fatal(err)
					}
					defer dir.Close()
					target, b.cfg.Store = dir, dir
				}
				at := time.Now()
				texts := replicas(t, b.spool, 0, 8, at)
				b.run(0)
				objects := b.texts()
				if inDir {
					objects = inStore(t, target)
				}
				if first := fmt.Sprintf("checkout.log-%d.gz", at.Unix()); objects[first] == "" {
					t.Errorf("no object has the key %s", first)
				}
				expectReplicas(t, objects, texts, at)
				if n := b.states(); n[spool.Uploaded] != 8 {
					t.Errorf("%v", n)
				}
				log := b.log.String()
				if lines := loud(log); len(lines) > 0 {
					t.Errorf("logged:\n%s", strings.Join(lines, ""))
				}
				if n := strings.Count(log, "level=DEBUG msg=\"another segment has the segment's key"); n != 7 {
					t.Errorf("%d taken keys are logged, want 7:\n%s", n, log)
				}
			})
		})
	}
}

// texts are the bench's objects, unpacked.
func (b *bench) texts() map[string]string {
	texts := map[string]string{}
	for key, data := range b.store.objects {
		texts[key] = unpackIfPacked(data)
	}
	return texts
}

// inStore are a store's objects, unpacked if they are packed.
func inStore(t testing.TB, store store.Store) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for e, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := store.Get(t.Context(), e.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			t.Fatal(err)
		}
		texts[e.Key] = unpackIfPacked(data)
	}
	return texts
}

func unpackIfPacked(data []byte) string {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return string(data)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestTakenKey_Foreign: foreign objects have the key, the key beside it, and more of
// them than an attempt tries. Each stays and is named once.
func TestTakenKey_Foreign(t *testing.T) {
	for _, n := range []int{1, 2, 3, 2*keysTried + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 24*time.Hour)
				text := b.seal("web", 0, spool.Stop)
				sum := sha256.Sum256([]byte(text))
				beside := fmt.Sprintf("web-000001-stop-abababababab-000001-%x", sum[:8])
				keys := []string{"web-000001-stop.log.gz", beside + ".log.gz"}
				for i := 2; i <= n; i++ {
					keys = append(keys, fmt.Sprintf("%s-%d.log.gz", beside, i))
				}
				for _, key := range keys[:n] {
					b.store.objects[key] = []byte("foreign " + key)
				}
				b.run(time.Hour)
				for _, key := range keys[:n] {
					if string(b.store.objects[key]) != "foreign "+key {
						t.Errorf("%s was overwritten", key)
					}
					packed := b.only()
					packed.Name.State = spool.Packed
					says := fmt.Sprintf("msg=\"a foreign object has the segment's key; taking another\" segment=%s key=%s instead=", packed.Path(), key)
					if c := strings.Count(b.log.String(), says); c != 1 {
						t.Errorf("%s is named %d times, want once", key, c)
					}
				}
				if c := strings.Count(b.log.String(), "foreign object"); c != n {
					t.Errorf("%d messages of %d foreign objects:\n%s", c, n, b.log.String())
				}
				if data := b.store.objects[keys[n]]; len(b.store.objects) != n+1 || packtest.Unpack(t, data) != text {
					t.Errorf("%v", b.keys())
				}
				m, err := b.spool.Meta(b.only())
				if err != nil || m.Key != keys[n] || b.only().Name.State != spool.Uploaded {
					t.Errorf("%s has the key %s (%v), want %s", b.only().Path(), m.Key, err, keys[n])
				}
			})
		})
	}
}

// only is the one segment in the spool.
func (b *bench) only() spool.Segment {
	b.Helper()
	all, err := b.spool.List()
	if err != nil || len(all) != 1 {
		b.Fatalf("%v, %v", all, err)
	}
	return all[0]
}

// TestTakenKey_AcrossLives: a key that was put under is put under again, after a
// lost answer too, when it is not the first one.
func TestTakenKey_AcrossLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, 24*time.Hour, classicKey)
		at := time.Now()
		texts := replicas(t, b.spool, 0, 8, at)
		lost := map[string]bool{}
		b.store.fail = func(key string, _ int) error {
			if len(lost) < 4 && !lost[key] && strings.HasPrefix(key, "checkout-") {
				lost[key] = true
				b.store.lose = true
			}
			return nil
		}
		for range 3 {
			b.run(time.Second)
		}
		b.run(time.Hour)
		if len(lost) != 4 {
			t.Errorf("%d answers were lost", len(lost))
		}
		expectReplicas(t, b.texts(), texts, at)
	})
}

// TestTakenKey_ForeignIsNamedOnce: eight segments find one foreign object.
func TestTakenKey_ForeignIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, 24*time.Hour, classicKey)
		at := time.Now()
		key := fmt.Sprintf("checkout.log-%d.gz", at.Unix())
		b.store.objects[key] = []byte("foreign")
		texts := replicas(t, b.spool, 0, 8, at)
		b.run(0)
		if got := loud(b.log.String()); len(got) != 1 || !strings.Contains(got[0], "a foreign object") || !strings.Contains(got[0], " key="+key+" ") {
			t.Errorf("want one message that names %s:\n%s", key, strings.Join(got, ""))
		}
		objects := b.texts()
		if objects[key] != "foreign" {
			t.Error("it was overwritten")
		}
		delete(objects, key)
		expectReplicas(t, objects, texts, at)
	})
}

// TestTakenKey_SilentStore: a store that does not say whose an object is leaves no
// reason to call it foreign.
func TestTakenKey_SilentStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		b.store.silent = true
		b.store.objects["web-000001-stop.log.gz"] = []byte("of somebody")
		b.seal("web", 0, spool.Stop)
		b.run(0)
		if log := b.log.String(); len(loud(log)) > 0 || strings.Contains(log, "foreign") ||
			strings.Count(log, "level=INFO msg=\"another object has the segment's key, and the store does not say whose") != 1 {
			t.Errorf("logged:\n%s", log)
		}
		if n := b.states(); len(b.keys()) != 2 || n[spool.Uploaded] != 1 {
			t.Errorf("%v, %v", b.keys(), n)
		}
	})
}

// TestTakenKey_SameTextPackedOtherwise: only equal bytes prove that a segment is
// stored; metadata alone does not.
func TestTakenKey_SameTextPackedOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 24*time.Hour)
		b.cfg.Log = slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		text := b.seal("web", 0, spool.Stop)
		m, err := b.spool.Look(b.only())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		m.SHA256 = fmt.Sprintf("%x", sum)
		b.store.objects[m.Key], b.store.attrs[m.Key] = []byte("packed otherwise"), store.Attributes{Metadata: m.Metadata()}
		b.run(0)
		log := b.log.String()
		if len(loud(log)) > 0 || strings.Count(log, "level=DEBUG msg=\"the segment's text is in the store already") != 1 {
			t.Errorf("logged:\n%s", log)
		}
		if keys := b.keys(); len(keys) != 2 || string(b.store.objects[m.Key]) != "packed otherwise" {
			t.Errorf("%v", keys)
		}
	})
}

// TestTakenKey_Incident: the same incident from an earlier life is normal, another
// object is foreign; both stay. The key beside may be taken too.
func TestTakenKey_Incident(t *testing.T) {
	for name, tt := range map[string]struct {
		attrs   store.Attributes
		silent  bool
		foreign int // messages, for each object
	}{
		"own":     {attrs: store.Attributes{ContentType: incidentType}},
		"foreign": {attrs: store.Attributes{ContentType: "text/plain"}, foreign: 1},
		"silent":  {silent: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, time.Hour)
				b.store.silent = tt.silent
				dir := b.withIncidents(nil)
				r := b.event(dir, "web")
				taken := []string{incident.Key(r.ID, "h")}
				b.store.objects[taken[0]], b.store.attrs[taken[0]] = []byte("first"), tt.attrs
				failed := false
				b.store.fail = func(key string, _ int) error {
					name := strings.TrimSuffix(taken[0], ".json") + "-"
					if !strings.HasPrefix(key, name) || len(taken) > 1 {
						return nil
					}
					if !failed { // and the loop begins anew
						failed = true
						return errors.New("connection reset")
					}
					taken = append(taken, key)
					b.store.objects[key], b.store.attrs[key] = []byte("second"), tt.attrs
					return nil
				}
				b.run(10 * time.Minute)
				if len(taken) != 2 {
					t.Fatalf("the key beside was never put: %v\n%s", b.store.tries, b.log.String())
				}
				third := strings.TrimSuffix(taken[1], ".json") + "-2.json"
				for key, want := range map[string]string{taken[0]: "first", taken[1]: "second", third: ""} {
					got, ok := b.store.objects[key]
					if !ok || want != "" && string(got) != want {
						t.Errorf("%s is %q, want %q", key, got, want)
					}
				}
				if got := fmt.Sprint(states(t, dir)); got != "[uploaded.json]" || len(b.keys()) != 4 {
					t.Errorf("%s, %v", got, b.keys())
				}
				for _, key := range taken {
					says := fmt.Sprintf("level=ERROR msg=\"a foreign object has the incident's key; taking another\" incident=%s key=%q\n", r.ID, key)
					if n := strings.Count(b.log.String(), says); n != tt.foreign {
						t.Errorf("%s is called foreign %d times, want %d:\n%s", key, n, tt.foreign, b.log.String())
					}
				}
				if n := strings.Count(b.log.String(), "foreign"); n != 2*tt.foreign {
					t.Errorf("%d messages:\n%s", n, b.log.String())
				}
			})
		})
	}
}
