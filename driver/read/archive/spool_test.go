package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/triage"
	"github.com/logfast/logfast/driver/triage/detect"
)

// owner is the process that writes the rig's spool.
type owner struct {
	*rig
	spool *spool.Spool
}

func (x *rig) own() *owner {
	x.Helper()
	s, err := spool.Open(x.spool, spool.Options{Key: x.key, Triage: triage.New(detect.Auto{}, nil), UID: -1, GID: -1})
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() { s.Close() })
	return &owner{x, s}
}

func (o *owner) append(w *spool.Writer, text string) {
	o.Helper()
	m := describe(spool.Stream{}, 0, "", text)
	if _, err := w.Append(&spool.Batch{Text: []byte(text), First: m.First.UnixNano(), Last: m.Last.UnixNano(), Lines: m.Lines}, 1<<40); err != nil {
		o.Fatal(err)
	}
}

func (o *owner) seal(w *spool.Writer) {
	o.Helper()
	if _, err := w.Seal(spool.Error); err != nil {
		o.Fatal(err)
	}
}

// pack packs every sealed segment.
func (o *owner) pack() {
	o.Helper()
	for _, seg := range o.list(spool.Sealed) {
		if _, err := o.spool.Pack(seg, nil, nil); err != nil {
			o.Fatal(err)
		}
	}
}

// upload puts every packed segment into the store, and says so in the spool.
func (o *owner) upload() {
	o.Helper()
	for _, seg := range o.list(spool.Packed) {
		m, err := o.spool.Meta(seg)
		if err != nil {
			o.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(o.rig.spool, seg.Path()))
		if err != nil {
			o.Fatal(err)
		}
		o.object(m.Key, data, m.Metadata())
		if err := o.spool.Uploaded(seg); err != nil {
			o.Fatal(err)
		}
	}
}

func (o *owner) list(states ...spool.State) []spool.Segment {
	o.Helper()
	all, err := o.spool.List(states...)
	if err != nil {
		o.Fatal(err)
	}
	return all
}

// TestRead_StartsAtTheStripeThatIsNeeded has a packed segment of several stripes, of
// which the first cannot be unpacked, and counts how much of the text is read: on the
// host, and in the store once the host has it no longer.
func TestRead_StartsAtTheStripeThatIsNeeded(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	o := x.own()
	w := o.spool.Writer(stream("web"))
	defer w.Close()
	const last = 1500 // 15 MB, a line in 10 seconds, none after midnight
	lines := make([]string, last+1)
	for i := range lines {
		at, pad := time.Duration(i)*10*time.Second, strings.Repeat("x", 10_000)
		if lines[i] = cri(at, fmt.Sprint(i, pad)); i%100 == 90 { // a long line
			lines[i] = piece(at, fmt.Sprint(i, pad)) + cri(at, "end")
		}
		o.append(w, lines[i])
	}
	o.seal(w)
	o.pack()
	seg := o.list(spool.Packed)[0]
	m, err := o.spool.Meta(seg)
	if err != nil || len(m.Index) < 4 {
		t.Fatalf("%v stripes, %v", len(m.Index), err)
	}
	f, err := os.OpenFile(filepath.Join(x.spool, seg.Path()), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 1000), m.Index[0]); err != nil {
		t.Fatal(err)
	}
	tail := func(joined bool) {
		t.Helper()
		a := x.archive()
		var got []string
		l, err := a.Tail(t.Context(), Query{}, Selection{Lines: joined}, 10, func(line *Line) error {
			got = append(got, string(line.Raw)+"\n")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		x.want(got, lines[last-9:]...)
		if n := a.Progress().Bytes.Load(); n > 3*maxLine {
			t.Errorf("tail reads %d bytes of the text", n)
		}
		a = x.archive()
		since := begin.Add((last - 9) * 10 * time.Second)
		x.want(x.read(a, Query{Since: since}, Selection{Since: since, Lines: joined}), lines[last-9:]...)
		if n := a.Progress().Bytes.Load(); n > 2*maxLine {
			t.Errorf("since reads %d bytes of the text", n)
		}
	}
	tail(false)
	tail(true)
	packed, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	o.object(m.Key, packed, m.Metadata())
	if err := os.RemoveAll(filepath.Dir(f.Name())); err != nil {
		t.Fatal(err)
	}
	tail(false)
	tail(true)
	x.silent()
}

// TestTail_LongLines compares the last lines of a text, of which many have pieces on
// both streams, with those of the whole text.
func TestTail_LongLines(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	o := x.own()
	w := o.spool.Writer(stream("web"))
	defer w.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		at := time.Duration(i) * time.Second
		text := cri(at, fmt.Sprint(i))
		for range rnd.IntN(4) * rnd.IntN(20) {
			text = piece(at, fmt.Sprint(i, strings.Repeat("x", longPiece))) + text
		}
		if rnd.IntN(2) == 0 {
			text = strings.ReplaceAll(text, "stdout", "stderr")
		}
		o.append(w, text)
	}
	for _, sel := range []Selection{{}, {Lines: true}} {
		all := x.read(x.archive(), Query{}, sel)
		for _, n := range []int{1, 2, 7, 40} {
			var got []string
			l, err := x.archive().Tail(t.Context(), Query{}, sel, n, func(line *Line) error {
				got = append(got, string(line.Raw)+"\n")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			x.want(got, all[len(all)-n:]...)
		}
	}
	x.silent()
}

// TestAnotherStoreHasNothingOfTheSpool: a segment went to the bucket before; the one that
// is named now does not have it.
func TestAnotherStoreHasNothingOfTheSpool(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	o := x.own()
	w := o.spool.Writer(stream("web"))
	defer w.Close()
	o.append(w, cri(0, "line"))
	o.seal(w)
	o.pack()
	for _, seg := range o.list(spool.Packed) {
		if err := o.spool.Uploaded(seg); err != nil {
			t.Fatal(err)
		}
	}
	l, err := x.archive().Segments(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(l.Segments) != 1 || l.Segments[0].Where() != "spool" {
		t.Errorf("%+v", l.Segments)
	}
}

func TestSpoolAndStoreTogether(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	o := x.own()
	web, db := stream("web"), stream("db")
	elsewhere := stream("elsewhere")
	elsewhere.Host = "db-1"
	w, d := o.spool.Writer(web), o.spool.Writer(db)
	defer w.Close()
	defer d.Close()
	var lines []string
	for i := range 8 {
		lines = append(lines, cri(time.Duration(i)*time.Second, fmt.Sprint("line ", i)))
	}
	o.append(w, lines[0])
	o.seal(w)
	o.pack()
	o.upload() // in both
	o.append(w, lines[1])
	o.append(d, lines[2])
	o.seal(w)
	o.pack() // packed
	o.append(w, lines[3])
	o.seal(w)             // sealed
	o.append(w, lines[5]) // active, as is db's
	x.put(elsewhere, 1, lines[4]+lines[6])
	o.append(d, lines[7])
	a := x.archive()
	x.want(x.read(a, Query{}, Selection{}), lines...)
	x.want(x.read(a, Query{Hosts: []string{"web-1"}, Since: begin.Add(time.Second)}, Selection{}), lines[1], lines[2], lines[3], lines[5], lines[7])

	l, err := a.Segments(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range l.Segments {
		got = append(got, fmt.Sprintf("%s %s %d %v", s.Stream.Name, s.Where(), s.Lines, s.Active))
	}
	want := []string{"web both 1 false", "web spool 1 false", "db spool 2 true", "web spool 1 false", "elsewhere store 2 false", "web spool 1 true"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// What leaves the spool after it was listed is read from the store, and the
	// active segment as it was.
	o.pack()
	o.upload()
	for _, seg := range o.list(spool.Uploaded) {
		if err := o.spool.Delete(seg); err != nil {
			t.Fatal(err)
		}
	}
	o.append(w, cri(time.Minute, "later"))
	o.seal(w)
	var text strings.Builder
	if err := a.Read(t.Context(), l.Segments, Selection{}, func(line *Line) error {
		text.Write(append(line.Raw, '\n'))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	x.want([]string{text.String()}, lines...)
	x.silent()
	// A spool that is gone is none of the readers' making.
	if entries, err := os.ReadDir(x.spool); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "logfast") }) {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestTail(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	o := x.own()
	w := o.spool.Writer(stream("local"))
	defer w.Close()
	var lines []string
	for i := range 300 {
		line := cri(time.Duration(i)*time.Hour, fmt.Sprint("line ", i))
		lines = append(lines, line)
		switch {
		case i >= 290:
			o.append(w, line)
		case i%10 == 9:
			x.put(stream(fmt.Sprint("c", i%3)), i, strings.Join(lines[i-9:], ""))
		}
	}
	a := x.archive()
	for _, n := range []int{0, 1, 10, 11, 25, 299, 300, 1000} {
		for _, sel := range []Selection{{}, {Lines: true}, {Lines: true, Pattern: mustPattern(t, "line .*5$")}} {
			want := lines
			if sel.Pattern != nil {
				want = slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return !strings.HasSuffix(s, "5\n") })
			}
			var got []string
			l, err := a.Tail(t.Context(), Query{}, sel, n, func(line *Line) error {
				got = append(got, string(line.Raw)+"\n")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			x.want(got, want[max(0, len(want)-n):]...)
		}
	}
	x.silent()
}

func mustPattern(t *testing.T, s string) *Pattern {
	t.Helper()
	p, err := ParsePattern(s, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFollow(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	o := x.own()
	web := stream("web")
	w := o.spool.Writer(web)
	defer w.Close()
	old, before := cri(0, "old"), cri(time.Second, "before")
	o.append(w, old)
	o.seal(w)
	o.append(w, before)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 100)
	write := func(line *Line) error { got <- string(line.Raw) + "\n"; return nil }
	a := x.archive()
	l, err := a.Tail(ctx, Query{}, Selection{}, 1, write)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want ...string) {
		t.Helper()
		for _, line := range want {
			select {
			case have := <-got:
				if have != line {
					t.Fatalf("%q, want %q", have, line)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%q never came", line)
			}
		}
	}
	expect(before)
	done := make(chan error)
	go func() { done <- l.Follow(ctx, Query{}, Selection{}, write) }()
	n := 1
	next := func() string { n++; return cri(time.Duration(n)*time.Second, fmt.Sprint("line ", n)) }
	grow := func() { line := next(); o.append(w, line); expect(line) }
	grow() // in the segment that was open
	one, two := next(), next()
	o.append(w, one)
	o.seal(w)
	o.append(w, two)
	o.seal(w)
	o.pack()
	expect(one, two) // sealed and packed between two looks
	grow()           // in a segment that it has never seen
	grow()
	o.seal(w)
	o.pack()
	o.upload()
	for _, seg := range o.list(spool.Uploaded) {
		if err := o.spool.Delete(seg); err != nil {
			t.Fatal(err)
		}
	}
	grow()
	// A container that is new, and an object of another host.
	fresh := o.spool.Writer(stream("new"))
	defer fresh.Close()
	line := next()
	o.append(fresh, line)
	expect(line)
	other := stream("other")
	other.Host = "db-1"
	line = string(record.NewWriter(record.CRI, "", "", "").Append(nil, &record.Record{Time: time.Now().UnixNano(), Text: []byte("from afar")}))
	x.put(other, 1, line)
	expect(line)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.Close()
	if len(got) > 0 {
		t.Errorf("more came: %q", <-got)
	}
	x.silent()
}

func TestASpoolThatNobodyOwnsIsOnlyRead(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	o := x.own()
	w := o.spool.Writer(stream("web"))
	o.append(w, cri(0, "line"))
	o.seal(w)
	w.Close()
	before := tree(t, x.spool) + tree(t, x.store)
	x.want(x.read(x.archive(), Query{}, Selection{}), cri(0, "line"))
	if after := tree(t, x.spool) + tree(t, x.store); after != before {
		t.Errorf("reading changed\n%s\ninto\n%s", before, after)
	}
	if _, err := spool.OpenView(filepath.Join(x.spool, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := store.OpenDirView(filepath.Join(x.store, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// tree lists everything below a directory with its content.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(data)
			path += " " + hex.EncodeToString(sum[:8])
		}
		fmt.Fprintln(&b, path)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
