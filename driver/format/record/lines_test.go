package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/logfast/logfast/bench/lines"
)

// TestLines_Parts puts a text together from what Next and NextBlock return, with
// buffers that hold few lines, or not one.
func TestLines_Parts(t *testing.T) {
	for _, text := range []string{
		"", "\n", "\n\n", "a", "a\n", "a\nbc\n\ndef", "0123456789\nab\n", "0123456789012345678901234567890123456789", "01234567\n",
	} {
		for size := 1; size < 12; size++ {
			for _, longest := range []int{0, 16, 1 << 10} {
				for _, next := range []func(*Lines) bool{(*Lines).Next, (*Lines).NextBlock} {
					for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
						l := NewLines(r, make([]byte, size), longest)
						var got []byte
						for next(l) {
							if l.Offset != int64(len(got)) || l.Begins != (l.Offset == 0 || text[l.Offset-1] == '\n') {
								t.Errorf("%q by %d up to %d: offset %d, begins %v, after %q", text, size, longest, l.Offset, l.Begins, got)
							}
							if l.Torn() != (!l.Ends && len(got)+len(l.Text) == len(text)) && len(l.Text) < max(size, longest) {
								t.Errorf("%q by %d up to %d: torn %v at %q", text, size, longest, l.Torn(), l.Text)
							}
							got = append(got, l.Line()...)
						}
						if string(got) != text || l.Err() != nil {
							t.Errorf("%q by %d up to %d: %q, %v", text, size, longest, got, l.Err())
						}
					}
				}
			}
		}
	}
}

func TestLines_Numbers(t *testing.T) {
	broken := errors.New("broken")
	l := NewLines(io.MultiReader(strings.NewReader("a\n0123456789\nb\nc"), iotest.ErrReader(broken)), make([]byte, 4), 0)
	var got []string
	for l.Next() {
		if l.Begins {
			got = append(got, string(rune('0'+l.Number))+string(l.Text))
		}
	}
	if want := "1a 20123 3b 4c"; strings.Join(got, " ") != want || !errors.Is(l.Err(), broken) {
		t.Errorf("%q, want %s; %v", got, want, l.Err())
	}
}

func TestCountLines(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "a": 0, "a\n": 1, "\n\na": 2} {
		n, torn, err := CountLines(strings.NewReader(text), make([]byte, 2))
		if n != want || torn != (text != "" && !strings.HasSuffix(text, "\n")) || err != nil {
			t.Errorf("%q: %d, %v, %v", text, n, torn, err)
		}
	}
}

// TestParser_IsParse compares the two on records, and on what is nearly one.
func TestParser_IsParse(t *testing.T) {
	const good = "2026-11-23T19:03:04.123456789Z stdout F text"
	all := []string{good, good, "", "text", strings.Replace(good, "F", "P", 1), strings.Replace(good, "stdout", "stderr", 1)}
	for i := range good {
		for _, c := range []string{"", "0", "9", " ", "Z", "x", "-"} {
			all = append(all, good[:i]+c+good[i+1:])
		}
	}
	for f := range Formats() {
		p := Parser{Format: Format(f)}
		for _, line := range all {
			var got, want Record
			ok := p.Parse([]byte(line), &got)
			if err := Parse(p.Format, []byte(line), &want); ok != (err == nil) ||
				ok && (got.Time != want.Time || got.Stream != want.Stream || got.More != want.More || !bytes.Equal(got.Text, want.Text)) {
				t.Errorf("%s %q: %+v, %v; want %+v, %v", p.Format, line, got, ok, want, err)
			}
		}
	}
}

// BenchmarkLines divides access log records into lines and parses them; an
// operation is 1000.
func BenchmarkLines(b *testing.B) {
	w := NewWriter(CRI, "", "", "")
	var text []byte
	at := int64(1795503600123456789)
	for line := range bytes.Lines(lines.Text(1, 1000)) {
		text = w.Append(text, &Record{Time: at, Text: bytes.TrimSuffix(line, newline)})
		at += 3e6
	}
	buf, r := make([]byte, 64<<10), bytes.NewReader(nil)
	run := func(name string, f func(line []byte)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(text)
				l, n := NewLines(r, buf, 0), 0
				for l.Next() {
					f(l.Text)
					n++
				}
				if n != 1000 {
					b.Fatal(n)
				}
			}
		})
	}
	run("divide", func([]byte) {})
	p, rec := Parser{}, Record{}
	run("parse", func(line []byte) {
		if !p.Parse(line, &rec) {
			b.Fatal(string(line))
		}
	})
}
