package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage/detect"
)

// begin is the time of the first line in these tests.
var begin = time.Date(2026, 3, 23, 19, 3, 1, 123456789, time.UTC)

// rig is a directory store and a spool.
type rig struct {
	*testing.T
	store, spool string
	dir          *store.Dir
	key          *spool.KeyTemplate

	mu   sync.Mutex
	said []string // owned by mu
}

func newRig(t *testing.T, template string) *rig {
	t.Helper()
	goleak.VerifyNone(t, goleak.IgnoreCurrent())
	x := &rig{T: t, store: ramDir(t), spool: ramDir(t)}
	var err error
	if x.key, err = spool.ParseKeyTemplate(template); err != nil {
		t.Fatal(err)
	}
	if x.dir, err = store.OpenDir(x.store, store.DirOptions{UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.dir.Close() })
	return x
}

// ramDir is a directory in which a sync costs nothing.
func ramDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "logfast-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// archive opens what the rig has.
func (x *rig) archive() *Archive {
	x.Helper()
	view, err := store.OpenDirView(x.store)
	if err != nil {
		x.Fatal(err)
	}
	spool, err := spool.OpenView(x.spool)
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() { view.Close(); spool.Close() })
	return New(Config{Store: view, Spool: spool, Key: x.key, Warn: func(err error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.said = append(x.said, err.Error())
	}})
}

// stream is a container of the tests.
func stream(name string) spool.Stream {
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	return spool.Stream{ID: id, Name: name, Host: "web-1", App: "app-" + name, Group: "shop", Format: "cri"}
}

// cri is a record of the tests, so long after the first line.
func cri(after time.Duration, text string) string {
	return string(record.NewWriter(record.CRI, "", "", "").Append(nil, &record.Record{Time: begin.Add(after).UnixNano(), Text: []byte(text)}))
}

// piece is cri for a line that goes on.
func piece(after time.Duration, text string) string {
	return string(record.NewWriter(record.CRI, "", "", "").Append(nil, &record.Record{Time: begin.Add(after).UnixNano(), Text: []byte(text), More: true}))
}

// describe makes the Meta of a segment's text.
func describe(s spool.Stream, seq int, reason spool.Reason, text string) *spool.Meta {
	m := &spool.Meta{Stream: s, Seq: seq, Reason: reason, Lines: int64(strings.Count(text, "\n")), Bytes: int64(len(text)), First: begin, Last: begin}
	for i, line := range slices.Collect(strings.Lines(text)) {
		var r record.Record
		if record.Parse(record.CRI, []byte(strings.TrimSuffix(line, "\n")), &r) != nil {
			continue
		}
		at := time.Unix(0, r.Time).UTC()
		if i == 0 {
			m.First, m.Last = at, at
		}
		if at.After(m.Last) {
			m.Last = at
		}
	}
	return m
}

// put puts a segment into the store and returns its key.
func (x *rig) put(s spool.Stream, seq int, text string) string {
	x.Helper()
	m := describe(s, seq, spool.Size, text)
	m.Key = x.key.Render(m)
	x.object(m.Key, pack(text), m.Metadata())
	return m.Key
}

func (x *rig) object(key string, data []byte, metadata map[string]string) {
	x.Helper()
	attrs := store.Attributes{Size: int64(len(data)), SHA256: sha256.Sum256(data), ContentType: "application/gzip", Metadata: metadata}
	if err := x.dir.Put(context.Background(), key, bytes.NewReader(data), attrs); err != nil {
		x.Fatal(err)
	}
}

func pack(texts ...string) []byte {
	var b bytes.Buffer
	for _, text := range texts {
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
	}
	return b.Bytes()
}

// read returns the lines of a query, as they are stored.
func (x *rig) read(a *Archive, q Query, sel Selection) (lines []string) {
	x.Helper()
	l, err := a.Segments(x.Context(), q)
	if err != nil {
		x.Fatal(err)
	}
	defer l.Close()
	if sel.Since.IsZero() {
		sel.Since, sel.Until = q.Since, q.Until
	}
	if err := a.Read(x.Context(), l.Segments, sel, func(line *Line) error {
		lines = append(lines, string(line.Raw)+"\n")
		return nil
	}); err != nil {
		x.Fatal(err)
	}
	return lines
}

func (x *rig) want(got []string, want ...string) {
	x.Helper()
	if d := cmp.Diff(strings.Join(want, ""), strings.Join(got, "")); d != "" {
		x.Errorf("-want +got\n%.3000s", d)
	}
}

// silent fails where something was complained about.
func (x *rig) silent() {
	x.Helper()
	if len(x.said) > 0 {
		x.Errorf("said: %q", x.said)
	}
}

func TestManyStreamsAreOneText(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	rnd := rand.New(rand.NewPCG(1, 2))
	type stamped struct {
		at   time.Duration
		line string
	}
	var all []stamped
	for c := range 24 {
		s := stream(fmt.Sprint("c", c))
		at := time.Duration(rnd.IntN(1e9))
		for seq := range 4 {
			var text strings.Builder
			for range rnd.IntN(400) + 1 {
				at += time.Duration(rnd.IntN(2e7)) + 1
				line := cri(at, fmt.Sprintf("%s %d", s.Name, at))
				text.WriteString(line)
				all = append(all, stamped{at, line})
			}
			x.put(s, seq+1, text.String())
		}
	}
	slices.SortFunc(all, func(a, b stamped) int { return int(a.at - b.at) })
	lines := x.read(x.archive(), Query{}, Selection{})
	if len(lines) != len(all) {
		t.Fatalf("%d lines of %d", len(lines), len(all))
	}
	for i := range lines {
		if lines[i] != all[i].line {
			t.Fatalf("line %d is %q, want %q", i, lines[i], all[i].line)
		}
	}
	x.silent()
}

func TestOneContainersLinesStayInTheirOrder(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	// The pieces of a long line bear its first time, also in the next segment,
	// which then begins before the one that it follows.
	s := stream("web")
	first := cri(2*time.Second, "other") + piece(time.Second, "long ")
	second := piece(time.Second, "line ") + cri(3*time.Second, "end") + cri(4*time.Second, "after")
	x.put(s, 1, first)
	x.put(s, 2, second)
	x.want(x.read(x.archive(), Query{}, Selection{}), first, second)
	// As a line it is whole again, and found as one.
	p, err := ParsePattern("long line end", false, false)
	if err != nil {
		t.Fatal(err)
	}
	x.want(x.read(x.archive(), Query{}, Selection{Lines: true, Pattern: p}),
		piece(time.Second, "long ")+piece(time.Second, "line ")+cri(3*time.Second, "end"))
	x.silent()
}

func TestTheRangeIsExact(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	var lines []string
	s := stream("web")
	for day := range 4 { // 4 days of 3 segments of 5 lines
		for n := range 3 {
			var text []string
			for i := range 5 {
				text = append(text, cri(time.Duration(day)*24*time.Hour+time.Duration(n)*time.Hour+time.Duration(i)*time.Minute, fmt.Sprint(day, n, i)))
			}
			x.put(s, day*3+n+1, strings.Join(text, ""))
			lines = append(lines, text...)
		}
	}
	at := func(i int) time.Time {
		var r record.Record
		if err := record.Parse(record.CRI, []byte(strings.TrimSuffix(lines[i], "\n")), &r); err != nil {
			t.Fatal(err)
		}
		return time.Unix(0, r.Time).UTC()
	}
	for from := 0; from < len(lines); from += 13 {
		for to := from; to < len(lines); to += 17 {
			x.want(x.read(x.archive(), Query{Since: at(from), Until: at(to)}, Selection{}), lines[from:to+1]...)
		}
		x.want(x.read(x.archive(), Query{Since: at(from)}, Selection{}), lines[from:]...)
		x.want(x.read(x.archive(), Query{Until: at(from)}, Selection{}), lines[:from+1]...)
	}
	x.silent()
}

func TestWhatTheKeysRuleOutIsNotListed(t *testing.T) {
	a := New(Config{Key: mustKey(t, spool.DefaultKey)})
	now := begin.Add(48 * time.Hour)
	for name, tt := range map[string]struct {
		q    Query
		want []string
	}{
		"all":      {Query{}, []string{"logs/dt="}},
		"since":    {Query{Since: begin.Add(24 * time.Hour)}, []string{"logs/dt=2026-03-24/host=", "logs/dt=2026-03-25/host="}},
		"a day":    {Query{Since: begin, Until: begin.Add(time.Hour)}, []string{"logs/dt=2026-03-23/host="}},
		"midnight": {Query{Since: begin, Until: begin.Truncate(24 * time.Hour).Add(24*time.Hour - 1)}, []string{"logs/dt=2026-03-23/host=", "logs/dt=2026-03-24/host="}},
		"host":     {Query{Since: begin, Until: begin, Hosts: []string{"web/1"}}, []string{"logs/dt=2026-03-23/host=web_1/app="}},
		"both":     {Query{Since: begin, Until: begin, Hosts: []string{"h"}, Apps: []string{"a"}}, []string{"logs/dt=2026-03-23/host=h/app=a/"}},
		"two":      {Query{Since: begin, Until: begin, Hosts: []string{"h", "i"}}, []string{"logs/dt=2026-03-23/host="}},
		"pattern":  {Query{Since: begin, Until: begin, Hosts: []string{"h*"}}, []string{"logs/dt=2026-03-23/host="}},
		"years":    {Query{Since: begin.AddDate(-3, 0, 0)}, []string{"logs/dt="}},
	} {
		if d := cmp.Diff(tt.want, a.prefixes(&tt.q, now)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	classic := New(Config{Key: mustKey(t, "{app}.log-{unix}.gz")})
	if got := classic.prefixes(&Query{Since: begin, Apps: []string{"web"}}, now); !slices.Equal(got, []string{"web.log-"}) {
		t.Errorf("%q", got)
	}
}

func mustKey(t *testing.T, template string) *spool.KeyTemplate {
	t.Helper()
	k, err := spool.ParseKeyTemplate(template)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOperatorsTemplates(t *testing.T) {
	for _, template := range []string{
		spool.DefaultKey, "{app}.log-{unix}.gz", "{seq}-{id}", "by/{group}/{host}-{name}/{time}", "x/{dt}/{app}-{name}-{seq}.log.gz",
	} {
		t.Run(template, func(t *testing.T) {
			x := newRig(t, template)
			web, db := stream("web"), stream("db")
			db.Host = "db-1"
			w1, w2, d1 := cri(0, "one"), cri(25*time.Hour, "two"), cri(time.Minute, "three")
			x.put(web, 1, w1)
			x.put(web, 2, w2)
			x.put(db, 1, d1)
			a := x.archive()
			x.want(x.read(a, Query{}, Selection{}), w1, d1, w2)
			x.want(x.read(a, Query{Apps: []string{"app-web"}}, Selection{}), w1, w2)
			x.want(x.read(a, Query{Hosts: []string{"db-*"}}, Selection{}), d1)
			x.want(x.read(a, Query{Containers: []string{"web"}}, Selection{}), w1, w2)
			x.want(x.read(a, Query{Containers: []string{db.ID[:5]}}, Selection{}), d1)
			x.want(x.read(a, Query{Groups: []string{"shop"}, Since: begin.Add(time.Second)}, Selection{}), d1, w2)
			x.want(x.read(a, Query{Groups: []string{"other"}}, Selection{}))
			// Whoever does not know the template finds the same.
			a.keys = mustKey(t, "elsewhere/{dt}/{seq}").Reader()
			x.want(x.read(a, Query{Apps: []string{"app-web"}, Until: begin.Add(time.Hour)}, Selection{}), w1)
			x.silent()
		})
	}
}

func TestForeignObjects(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	s := stream("web")
	text := cri(0, "ours")
	x.put(s, 1, text)
	other := describe(s, 2, spool.Size, cri(time.Second, "elsewhere"))
	x.object("logs/dt=2026-03-23/other-name.gz", pack(cri(time.Second, "elsewhere")), other.Metadata())
	x.object("logs/dt=2026-03-23/README", []byte("not a log"), nil)
	x.object("logs/dt=2026-03-23/host=web-1/app=x/notes.txt", []byte("not a log"), map[string]string{"reason": "none"})
	x.object("incidents/dt=2026-03-23/x.json", []byte("{}"), nil)
	// A copy that has lost its attributes: the key says enough.
	bare := "logs/dt=2026-03-23/host=h/app=a/20260323T190305.000000Z-000007-1a2b3c4d5e6f-error.log.gz"
	x.object(bare, pack(cri(4*time.Second, "bare")), nil)
	a := x.archive()
	l, err := a.Segments(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if want := []string{"logs/dt=2026-03-23/README", "logs/dt=2026-03-23/host=web-1/app=x/notes.txt"}; !slices.Equal(l.Foreign, want) {
		t.Errorf("foreign are %q", l.Foreign)
	}
	x.want(x.read(a, Query{}, Selection{}), text, cri(time.Second, "elsewhere"), cri(4*time.Second, "bare"))
	x.silent()
}

func TestDamagedObjects(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	good, bad, cut := stream("good"), stream("bad"), stream("cut")
	x.put(good, 1, cri(0, "good"))
	m := describe(bad, 1, spool.Size, cri(0, "bad"))
	x.object(x.key.Render(m), []byte("\x1f\x8b\x08garbage that is no deflate stream at all"), m.Metadata())
	var text strings.Builder
	for i := range 5000 {
		text.WriteString(cri(time.Duration(i+1)*time.Second, fmt.Sprint(rand.Uint64())))
	}
	m = describe(cut, 1, spool.Size, text.String())
	packed := pack(text.String())
	x.object(x.key.Render(m), packed[:len(packed)/2], m.Metadata())
	a := x.archive()
	for range 2 { // it is said once
		lines := x.read(a, Query{}, Selection{})
		if len(lines) < 1000 || lines[0] != cri(0, "good") || !strings.HasPrefix(text.String(), strings.Join(lines[1:], "")) {
			t.Errorf("%d lines, the first %q", len(lines), lines[0])
		}
	}
	slices.Sort(x.said)
	if len(x.said) != 2 || !strings.Contains(x.said[0], bad.ID[:12]) || !strings.Contains(x.said[1], "unexpected EOF") || !a.Failed() {
		t.Errorf("said %q; failed: %v", x.said, a.Failed())
	}
}

func TestSeveralGzipMembers(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	one, two, three := cri(0, "one"), cri(time.Second, "two"), cri(2*time.Second, "three")
	m := describe(stream("web"), 1, spool.Size, one+two+three)
	x.object(x.key.Render(m), pack(one+two[:10], two[10:], three), m.Metadata())
	x.want(x.read(x.archive(), Query{}, Selection{}), one, two, three)
	x.silent()
}

func TestFormats(t *testing.T) {
	for _, known := range []bool{true, false} {
		for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
			x := newRig(t, spool.DefaultKey)
			s := stream("web")
			w := record.NewWriter(format, "h", "a", "i")
			var text []byte
			for i, line := range []string{"GET / 200", "", "POST /x 500"} {
				text = w.Append(text, &record.Record{Time: begin.Add(time.Duration(i) * time.Second).UnixNano(), Stream: record.Stream(i % 2), Text: []byte(line)})
			}
			m := describe(s, 1, spool.Size, "")
			m.Stream.Format = format.String()
			metadata := m.Metadata()
			if !known {
				delete(metadata, "format")
			}
			x.object(x.key.Render(m), pack(string(text)), metadata)
			a := x.archive()
			l, err := a.Segments(t.Context(), Query{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if err := a.Read(t.Context(), l.Segments, Selection{Lines: true}, func(line *Line) error {
				got = append(got, fmt.Sprintf("%s %s %q", line.Time.UTC().Format("05.000000"), line.Stream, line.Text))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			want := []string{`01.123456 stdout "GET / 200"`, `02.123456 stderr ""`, `03.123456 stdout "POST /x 500"`}
			if format == record.Raw {
				want = []string{`01.123456 stdout "GET / 200"`, `01.123456 stdout ""`, `01.123456 stdout "POST /x 500"`}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%v, known %v: -want +got\n%s", format, known, d)
			}
			x.silent()
		}
	}
}

func TestStatusSelectsLines(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	ok, bad, gateway := cri(0, `10.0.0.1 - - "GET / HTTP/1.1" 200 502`), cri(time.Second, `10.0.0.1 - - "GET / HTTP/1.1" 500 12`), cri(2*time.Second, `{"method":"GET","path":"/x","status":502}`)
	x.put(stream("web"), 1, ok+bad+gateway)
	for list, want := range map[string]string{"500-599": bad + gateway, "502": gateway, "503": ""} {
		statuses, err := detect.ParseStatuses(list)
		if err != nil {
			t.Fatal(err)
		}
		d, err := detect.New(detect.Options{Status: statuses})
		if err != nil {
			t.Fatal(err)
		}
		x.want(x.read(x.archive(), Query{}, Selection{Lines: true, Status: d}), want)
	}
}

func TestReadEndsWithItsCallerAndItsContext(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	for c := range 8 {
		for seq := range 5 {
			x.put(stream(fmt.Sprint("c", c)), seq+1, strings.Repeat(cri(time.Duration(seq)*time.Second, "line"), 2000))
		}
	}
	a := x.archive()
	l, err := a.Segments(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := 0
	if err := a.Read(t.Context(), l.Segments, Selection{}, func(*Line) error {
		if n++; n == 100 {
			return errEnough
		}
		return nil
	}); err != errEnough || n != 100 {
		t.Errorf("%v after %d lines", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := a.Read(ctx, l.Segments, Selection{}, func(*Line) error { cancel(); return nil }); err != context.Canceled {
		t.Error(err)
	}
	goleak.VerifyNone(t, goleak.IgnoreCurrent())
}
