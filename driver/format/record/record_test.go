package record

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var at = time.Date(2026, 11, 23, 19, 3, 1, 123456789, time.UTC).UnixNano()

func TestHowRecordsLook(t *testing.T) {
	for _, tt := range []struct {
		format Format
		r      Record
		want   string
	}{
		{CRI, Record{Time: at, Text: []byte("hello")}, "2026-11-23T19:03:01.123456789Z stdout F hello\n"},
		{CRI, Record{Time: at, Stream: Stderr, More: true, Text: []byte("begin ")}, "2026-11-23T19:03:01.123456789Z stderr P begin \n"},
		{CRI, Record{Time: at - 123456789}, "2026-11-23T19:03:01.000000000Z stdout F \n"},
		{CRI, Record{Time: -1}, "1969-12-31T23:59:59.999999999Z stdout F \n"},
		{CRI, Record{Time: at, Text: []byte("a\xff\x00\r")}, "2026-11-23T19:03:01.123456789Z stdout F a\xff\x00\r\n"},
		{CRI, Record{Time: at, More: true, Text: []byte("a\n2026-11-23T19:03:01.1Z stderr F forged")},
			"2026-11-23T19:03:01.123456789Z stdout F a\n2026-11-23T19:03:01.123456789Z stdout P 2026-11-23T19:03:01.1Z stderr F forged\n"},
		{Syslog, Record{Time: at, Text: []byte("hello")}, "<30>1 2026-11-23T19:03:01.123456Z web_1 shop 1a2b3c4d5e6f stdout - hello\n"},
		{Syslog, Record{Time: at, Stream: Stderr, More: true, Text: []byte("x")}, "<27>1 2026-11-23T19:03:01.123456Z web_1 shop 1a2b3c4d5e6f stderr+ - x\n"},
		{Raw, Record{Time: at, Text: []byte("hello")}, "hello\n"},
		{Raw, Record{Time: at, More: true, Text: []byte("hel")}, "hel"},
	} {
		w := NewWriter(tt.format, "web 1", "shop", "1a2b3c4d5e6f")
		if d := cmp.Diff(tt.want, string(w.Append(nil, &tt.r))); d != "" {
			t.Errorf("%v %+v: -want +got\n%s", tt.format, tt.r, d)
		}
	}
	if got := string(NewWriter(Syslog, "", "", "").Append(nil, &Record{})); got != "<30>1 1970-01-01T00:00:00.000000Z - - - stdout - \n" {
		t.Errorf("empty names: %q", got)
	}
}

func TestParseReadsWhatAppendWrote(t *testing.T) {
	for _, format := range []Format{CRI, Syslog} {
		rapid.Check(t, func(rt *rapid.T) {
			w := NewWriter(format, "host", "app", "id")
			for range 3 { // the writer keeps the text of a second
				want := Record{
					Time:   rapid.Int64Range(0, 4e18).Draw(rt, "time"),
					Stream: Stream(rapid.IntRange(0, 1).Draw(rt, "stream")),
					More:   rapid.Bool().Draw(rt, "more"),
					Text:   bytes.ReplaceAll(rapid.SliceOf(rapid.Byte()).Draw(rt, "text"), []byte("\n"), []byte(" ")),
				}
				if format == Syslog {
					want.Time -= want.Time % 1000
				}
				line, ok := bytes.CutSuffix(w.Append(nil, &want), []byte("\n"))
				if !ok || bytes.Contains(line, []byte("\n")) {
					rt.Fatalf("%q is not one line", line)
				}
				var got Record
				if err := Parse(format, line, &got); err != nil {
					rt.Fatalf("%q: %v", line, err)
				}
				got.Text, want.Text = append([]byte{}, got.Text...), append([]byte{}, want.Text...)
				if d := cmp.Diff(want, got); d != "" {
					rt.Fatal(d)
				}
			}
		})
	}
}

func TestParseRefusesOtherLines(t *testing.T) {
	for _, line := range []string{
		"", "hello", "2026-11-23T19:03:01Z", "2026-11-23T19:03:01Z stdout F",
		"2026-11-23T19:03:01Z stdin F x", "2026-11-23T19:03:01Z stdout X x",
		"2026-11-23T19:03:01Z stdout FF x", "yesterday stdout F x",
		"<30>1 2026-11-23T19:03:01.123456Z h a i stdout x y", "<30>1 when h a i stdout - y",
	} {
		for _, format := range []Format{CRI, Syslog} {
			if err := Parse(format, []byte(line), &Record{}); !errors.Is(err, ErrSyntax) {
				t.Errorf("%v %q: %v, want ErrSyntax", format, line, err)
			}
		}
	}
	var r Record
	if err := Parse(Raw, []byte("anything"), &r); err != nil || string(r.Text) != "anything" {
		t.Errorf("raw: %+v, %v", r, err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, name := range Formats() {
		if f, err := ParseFormat(name); err != nil || f.String() != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if _, err := ParseFormat("json"); err == nil || err.Error() != `format "json": allowed are cri, syslog, raw` {
		t.Errorf("json: %v", err)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	r := Record{Time: at, Text: bytes.Repeat([]byte("x"), 130)}
	for _, format := range []Format{CRI, Syslog, Raw} {
		w := NewWriter(format, "h", "a", "i")
		dst := w.Append(nil, &r)
		if n := testing.AllocsPerRun(100, func() {
			r.Time += 1e8 // a new second now and then
			dst = w.Append(dst[:0], &r)
		}); n != 0 {
			t.Errorf("%v: %v allocations a record", format, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-11-23T19:03:01.123456789Z stdout F hello", "more")
	f.Add("<27>1 2026-11-23T19:03:01.123456Z h a i stderr+ - x", "a\nb")
	f.Fuzz(func(t *testing.T, line, text string) {
		for _, format := range []Format{CRI, Syslog, Raw} {
			var r Record
			_ = Parse(format, []byte(line), &r)
			if format == Raw {
				continue
			}
			// Whatever a program writes, each line of the file is a record of its stream.
			out := NewWriter(format, line, line, line).Append(nil, &Record{Time: at, Stream: Stderr, Text: []byte(text)})
			for rec := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte("\n")), []byte("\n")) {
				if err := Parse(format, rec, &r); err != nil || r.Stream != Stderr || r.More {
					t.Fatalf("%v: %q reads back as %+v, %v", format, rec, r, err)
				}
			}
		}
	})
}
