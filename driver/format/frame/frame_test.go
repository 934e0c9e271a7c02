package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/plugins/logdriver"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// theirs encodes e with Docker's own codec.
func theirs(tb testing.TB, e *Entry) []byte {
	tb.Helper()
	m := &logdriver.LogEntry{Source: string(e.Source), TimeNano: e.TimeNano, Line: e.Line, Partial: e.Partial}
	if e.Partial {
		m.PartialLogMetadata = &logdriver.PartialLogEntryMetadata{Last: e.Last, Id: string(e.ID), Ordinal: e.Ordinal}
	}
	var b bytes.Buffer
	if err := logdriver.NewLogEntryEncoder(&b).Encode(m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func entries() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{
			Source:   []byte(rapid.SampledFrom([]string{"stdout", "stderr", ""}).Draw(t, "source")),
			TimeNano: rapid.Int64().Draw(t, "time"),
			Line:     rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "line"),
		}
		if e.Partial = rapid.Bool().Draw(t, "partial"); e.Partial {
			e.ID = rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "id")
			e.Ordinal = rapid.Int32().Draw(t, "ordinal")
			e.Last = rapid.Bool().Draw(t, "last")
		}
		return e
	})
}

func TestAppendAndDecodeAgreeWithDocker(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := entries().Draw(rt, "entry")
		ours := Append([]byte("before"), &e)
		if want := append([]byte("before"), theirs(t, &e)...); !bytes.Equal(ours, want) {
			rt.Fatalf("Append wrote\n% x, Docker\n% x", ours, want)
		}
		b := slices.Concat(ours[len("before"):], []byte("the next frame"))
		var got Entry
		n, err := Decode(b, &got)
		if err != nil || n != len(b)-len("the next frame") {
			rt.Fatalf("Decode: %d, %v", n, err)
		}
		// An absent field and an empty one are the same in protobuf.
		norm := func(e Entry) Entry {
			e.Source, e.Line, e.ID = append([]byte{}, e.Source...), append([]byte{}, e.Line...), append([]byte{}, e.ID...)
			return e
		}
		if d := cmp.Diff(norm(e), norm(got)); d != "" {
			rt.Fatal(d)
		}
	})
}

func TestDecodeOfEachPrefixIsIncomplete(t *testing.T) {
	e := Entry{Source: []byte("stderr"), TimeNano: 1, Line: []byte("x"), Partial: true, ID: []byte("i"), Ordinal: 2, Last: true}
	whole := Append(nil, &e)
	for n := range whole {
		if _, err := Decode(whole[:n], &Entry{}); !errors.Is(err, ErrIncomplete) {
			t.Fatalf("%d of %d bytes: %v, want ErrIncomplete", n, len(whole), err)
		}
	}
}

func frameOf(message string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
}

func TestDecodeRefusesWhatIsNoFrame(t *testing.T) {
	for name, b := range map[string][]byte{
		"hostile length":      {0xff, 0xff, 0xff, 0xff, 1, 2, 3},
		"one above the bound": binary.BigEndian.AppendUint32(nil, MaxSize+1),
		"text":                []byte("GET / HTTP/1.1 200\n and so on, a line of text"),
		"line overruns":       frameOf("\x1a\x7fshort"),
		"varint without end":  frameOf("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		"group wire type":     frameOf("\x0b\x00"),
		"field zero":          frameOf("\x02\x00"),
		"source as a number":  frameOf("\x08\x01"),
		"time as bytes":       frameOf("\x12\x01x"),
		"partial overruns":    frameOf("\x2a\x02\x12\x09"),
		"fixed64 overruns":    frameOf("\x31\x01\x02"),
	} {
		var corrupt *CorruptError
		if _, err := Decode(b, &Entry{}); !errors.As(err, &corrupt) {
			t.Errorf("%s: %v, want a CorruptError", name, err)
		}
	}
}

func TestDecodePassesOverUnknownFields(t *testing.T) {
	b := frameOf("\x0a\x06stdout" + "\x31\x01\x02\x03\x04\x05\x06\x07\x08" + "\x3d\x01\x02\x03\x04" + "\x42\x03new" + "\x1a\x02hi")
	var e Entry
	if n, err := Decode(b, &e); err != nil || n != len(b) || string(e.Line) != "hi" {
		t.Fatalf("%d, %v, line %q", n, err, e.Line)
	}
}

func TestResyncFindsTheNextFrame(t *testing.T) {
	e := Entry{Source: []byte("stdout"), TimeNano: 7, Line: []byte("found")}
	next := Append(nil, &e)
	for _, garbage := range []string{"x", "\xff\xff\xff\xff", "\x0a\x06std lure", "a longer run of garbage \x0a\x06stderr"} {
		b := append([]byte(garbage), next...)
		for tries := 0; ; tries++ {
			if tries > len(b) {
				t.Fatalf("%q: no frame found", garbage)
			}
			var got Entry
			if _, err := Decode(b, &got); err == nil && string(got.Source) == "stdout" {
				if string(got.Line) != "found" {
					t.Fatalf("%q: line %q", garbage, got.Line)
				}
				break
			}
			b = b[Resync(b):]
		}
	}
}

func TestResyncKeepsABeginningAtTheEnd(t *testing.T) {
	e := Entry{Source: []byte("stdout"), Line: []byte("x")}
	next := Append(nil, &e)
	for cut := 1; cut < HeaderSize+len(plausible); cut++ {
		b := append(bytes.Repeat([]byte{0xee}, 100), next[:cut]...)
		if skip := Resync(b); skip < 1 || skip > 100 {
			t.Fatalf("with %d bytes of the next frame: skips %d of 100 bytes of garbage", cut, skip)
		}
	}
}

func TestDecodeAndAppendDoNotAllocate(t *testing.T) {
	e := Entry{Source: []byte("stdout"), TimeNano: 1 << 60, Line: bytes.Repeat([]byte("x"), 130), Partial: true, ID: bytes.Repeat([]byte("f"), 64), Ordinal: 3}
	b := Append(nil, &e)
	var got Entry
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Decode(b, &got); err != nil {
			t.Error(err)
		}
		b = Append(b[:0], &e)
	}); n != 0 {
		t.Fatalf("%v allocations a frame, want none", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, &Entry{Source: []byte("stdout"), TimeNano: 1, Line: []byte("hello")}))
	f.Add(Append(nil, &Entry{Source: []byte("stderr"), Partial: true, ID: []byte("id"), Ordinal: 1, Last: true}))
	f.Add([]byte("\x00\x00\x00\x02\x0b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Entry
		n, err := Decode(b, &e)
		if skip := Resync(b); skip < 1 || len(b) > 0 && skip > len(b) {
			t.Fatalf("Resync of %d bytes skips %d", len(b), skip)
		}
		if err != nil {
			return
		}
		var m logdriver.LogEntry
		if err := logdriver.NewLogEntryDecoder(bytes.NewReader(b[:n])).Decode(&m); err != nil {
			t.Fatalf("decoded, though Docker says %v", err)
		}
		if string(e.Source) != m.Source || e.TimeNano != m.TimeNano || !bytes.Equal(e.Line, m.Line) || e.Partial != m.Partial {
			t.Fatalf("decoded %+v, Docker %+v", e, &m)
		}
		if p := m.PartialLogMetadata; p != nil && (e.Last != p.Last || string(e.ID) != p.Id || e.Ordinal != p.Ordinal) {
			t.Fatalf("decoded %+v, Docker %+v", e, p)
		}
	})
}
