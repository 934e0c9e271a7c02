package archive

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/spool"
	"github.com/logfast/logfast/driver/store"
)

// TestAround_NumbersOfOthers asks for lines that an incident may name and no text
// has.
func TestAround_NumbersOfOthers(t *testing.T) {
	text := strings.Repeat("line\n", 10)
	for _, tt := range []struct {
		lines   []int64
		context int64
		want    int
	}{
		{[]int64{math.MaxInt64 - 5}, 10, 5}, {[]int64{math.MaxInt64, math.MinInt64, 0, -1}, math.MaxInt64, 10}, {[]int64{5}, math.MaxInt64, 10}, {[]int64{5, 5, 6}, 0, 2},
	} {
		found, err := around(strings.NewReader(text), tt.lines, tt.context)
		if tt.lines[0] == math.MaxInt64-5 {
			tt.want = 0 // the text has ended
		}
		if err != nil || len(found) != tt.want {
			t.Errorf("%v: %d lines, %v", tt.lines, len(found), err)
		}
	}
	long := strings.Repeat("x", 2*MaxAroundLine)
	found, err := around(strings.NewReader(long+"\n"+long), []int64{1, 2}, 0)
	if err != nil || len(found) != 2 || len(found[0].Text) != MaxAroundLine || !found[0].Cut || !found[1].Cut {
		t.Errorf("%d lines, %v", len(found), err)
	}
	endless := io.LimitReader(repeated(strings.Repeat("x", 1000)+"\n"), 1<<30)
	if found, err = around(endless, []int64{1}, 1<<40); !errors.Is(err, ErrTooMuch) || len(found) == 0 {
		t.Errorf("%d lines, %v", len(found), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = around(until{ctx, repeated("\n")}, []int64{1 << 50}, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// repeated is a text again and again, without end.
type repeated string

func (r repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], r)
	}
	return n, nil
}

// TestDescribe_Metadata describes a segment by metadata that cannot be.
func TestDescribe_Metadata(t *testing.T) {
	good := map[string]string{
		"container-id": strings.Repeat("1a2b", 16), "first-time": "2026-03-23T19:03:05Z", "last-time": "2026-03-23T19:03:06Z", "lines": "5", "bytes": "500", "errors": "1", "reason": "error", "format": "cri", "app": "shop",
		"labels": `{"team":"blue"}`, "env": `{"STAGE":"prod"}`,
	}
	s := &Segment{Lines: -1, Bytes: -1, Errors: -1}
	if ours, err := s.describe(store.Attributes{Size: 100, Metadata: good}); !ours || err != nil || s.Lines != 5 || s.Bytes != 500 || s.Errors != 1 || s.Stream.App != "shop" || s.Stream.Labels["team"] != "blue" || s.Stream.Env["STAGE"] != "prod" {
		t.Fatalf("%v, %v, %+v", ours, err, s)
	}
	for name, values := range map[string][]string{
		"container-id": {"../..", strings.Repeat("a", 65), "\x1b"},
		"first-time":   {"9999-01-01T00:00:00Z", "0001-01-01T01:00:00Z", "1969-12-31T00:00:00Z", "yesterday"},
		"last-time":    {"2300-01-01T00:00:00Z"},
		"lines":        {"-1", "501", "9223372036854775807", "9223372036854775808", "1e9", "0x5"},
		"bytes":        {"-5", "4", "9223372036854775807", "200000"},
		"errors":       {"-1", "9223372036854775807"},
		"reason":       {"\u009b", strings.Repeat("a", 100)},
		"format":       {"xml"},
		"app":          {strings.Repeat("a", 2000)},
		"labels":       {"[]", `{"a":1}`, `{"a":"` + strings.Repeat("a", 2000) + `"}`},
		"env":          {"x"},
	} {
		for _, value := range values {
			m := map[string]string{}
			for k, v := range good {
				m[k] = v
			}
			m[name] = value
			s := &Segment{Lines: -1, Bytes: -1, Errors: -1}
			_, err := s.describe(store.Attributes{Size: 100, Metadata: m})
			left := map[string]bool{
				"container-id": s.Stream.ID == "", "first-time": s.First.IsZero(), "last-time": s.Last.IsZero(), "reason": s.Reason == "", "format": s.Stream.Format == "", "app": s.Stream.App == "",
				"lines": s.Lines < 0 || s.Lines <= s.Bytes, "bytes": s.Bytes <= 500, "errors": s.Errors <= 5,
				"labels": s.Stream.Labels == nil, "env": s.Stream.Env == nil,
			}
			if !left[name] || s.Lines > 500 || value != "-1" && value != "-5" && err == nil {
				t.Errorf("%s=%q: %v, %+v", name, value, err, s)
			}
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add("1a2b3c4d5e6f", "2026-03-23T19:03:05Z", "5", "500", "1", "error", "cri", int64(100))
	f.Fuzz(func(t *testing.T, id, at, lines, bytes, errs, reason, format string, size int64) {
		s := &Segment{Lines: -1, Bytes: -1, Errors: -1}
		_, _ = s.describe(store.Attributes{Size: size, Metadata: map[string]string{
			"container-id": id, "first-time": at, "last-time": at, "lines": lines, "bytes": bytes, "errors": errs, "reason": reason, "format": format,
		}})
		if s.Lines < -1 || s.Bytes < -1 || s.Errors < -1 || s.Lines > 1<<50 || s.Bytes > 1<<50 || !s.First.IsZero() && s.First.Year() > 2262 {
			t.Fatalf("%+v", s)
		}
	})
}

// FuzzScan scans any text: whatever is in it, all of it comes out, and no more is
// kept than a few times the longest line.
func FuzzScan(f *testing.F) {
	f.Add([]byte("2026-03-23T19:03:05.000000000Z stdout P a\n2026-03-23T19:03:05.000000000Z stdout F b\n"), uint8(0), true)
	f.Add([]byte("9999-03-23T19:03:05.000000000Z stdout F a\n"), uint8(0), true)
	f.Add([]byte("\n\n\x00"), uint8(2), false)
	f.Fuzz(func(t *testing.T, text []byte, format uint8, lines bool) {
		out := 0
		s := &scanner{
			sel: &Selection{Lines: lines}, seg: &Segment{First: begin, Stream: spool.Stream{Format: record.Format(format % 3).String()}}, size: 64, most: 256,
			fresh: func() *batch { return &batch{} }, read: func(int) {},
		}
		s.send = func(_ context.Context, b *batch, _ bool) bool {
			for _, r := range b.refs {
				out += int(r.rawEnd-r.raw) + 1
			}
			if len(b.buf) > 16*s.most {
				t.Fatalf("a batch of %d bytes", len(b.buf))
			}
			return true
		}
		if err := s.scan(t.Context(), strings.NewReader(string(text))); err != nil {
			t.Fatal(err)
		}
		if out < len(text) {
			t.Fatalf("%d bytes of %d", out, len(text))
		}
		for i := range s.joins {
			if cap(s.joins[i].raw) > 16*s.most {
				t.Fatalf("%d bytes are kept", cap(s.joins[i].raw))
			}
		}
	})
}

// TestRing keeps the last lines whatever their sizes.
func TestRing(t *testing.T) {
	r := &ring{most: 3}
	add := func(text string) {
		r.add(&Line{Time: time.Unix(int64(len(text)), 0), Raw: []byte("> " + text), Text: []byte(text)})
	}
	has := func(want ...string) {
		t.Helper()
		var got []string
		for i := range r.n {
			got = append(got, string(r.at(i).Text)[:1])
		}
		if strings.Join(got, "") != strings.Join(want, "") {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, text := range []string{"a", "b", "c", "d"} {
		add(text)
	}
	has("b", "c", "d")
	long := strings.Repeat("l", maxRing/2)
	add(long)
	has("c", "d", "l")
	add(strings.Replace(long, "l", "m", 1))
	has("m")
	add("e")
	add("f")
	add("g")
	has("e", "f", "g")
	if !r.full || r.size != 3*(3+lineSize) {
		t.Errorf("%v, %d bytes", r.full, r.size)
	}
}

// remote hides that a body is a file, as it is of S3.
type remote struct{ Store }

func (r remote) Get(ctx context.Context, key string) (io.ReadCloser, store.Attributes, error) {
	body, attrs, err := r.Store.Get(ctx, key)
	if err != nil {
		return nil, attrs, err
	}
	return struct {
		io.Reader
		io.Closer
	}{body, body}, attrs, nil
}

// TestByKey_OfARemoteStore reads an object that no listing has named.
func TestByKey_OfARemoteStore(t *testing.T) {
	x := newRig(t, spool.DefaultKey)
	key := x.put(stream("web"), 1, cri(0, "line 1")+cri(time.Second, "line 2"))
	a := x.archive()
	a.cfg.Store, a.cfg.Spool = remote{a.cfg.Store}, nil
	found, err := a.Around(t.Context(), key, []int64{2}, 0)
	if err != nil || len(found) != 1 || !strings.HasSuffix(found[0].Text, "line 2") {
		t.Errorf("%v, %v", found, err)
	}
}
