package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/spool"
)

// TestTheShortCutFindsTheSame compares what grep finds with what a plain look
// at every line finds.
func TestTheShortCutFindsTheSame(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	words := []string{"GET", "get", "POST", "order", "Order", "4711", "timeout", "TIMEOUT", "refused", "ſtreet", "K", "\u212a", "50", "502", "503", "a.b", "stdout", "é"}
	var text strings.Builder
	var texts []string
	for i := range 6_000 {
		var line []string
		for range 1 + rnd.IntN(8) {
			line = append(line, words[rnd.IntN(len(words))])
		}
		at := time.Duration(i) * time.Millisecond
		s := strings.Join(line, " ")
		if i%997 == 0 { // long ones in pieces
			long := strings.Repeat(s+" ", 3000)
			texts = append(texts, long)
			for len(long) > longPiece {
				text.WriteString(piece(at, long[:longPiece]))
				long = long[longPiece:]
			}
			text.WriteString(cri(at, long))
			continue
		}
		texts = append(texts, s)
		text.WriteString(cri(at, s))
	}
	x := newRig(t, spool.DefaultKey)
	x.put(stream("web"), 1, text.String())
	for _, pattern := range []string{
		"order", "(?i)order", "order 4711", "(?i)TIMEOUT|refused", "50[23]", "^GET.*refused$", "ſtreet", "(?i)street", "(?i)k", "(?i)order K",
		"timeout|refused|502", "(order|Order) (GET|get)", "a\\.b", "stdout", "2026", "é", "(?i)É", "x*", "", "no such", "order +4711 +order",
		"refused .*(502|503) .*timeout", "[0-9]{4}", "(?i)(order ){2}", "\\bK\\b",
	} {
		re := regexp.MustCompile(pattern)
		var want []string
		for _, s := range texts {
			if re.MatchString(s) {
				want = append(want, s)
			}
		}
		for _, invert := range []bool{false, true} {
			if invert {
				want = slices.DeleteFunc(slices.Clone(texts), re.MatchString)
			}
			var got []string
			l, err := x.archive().Segments(t.Context(), Query{})
			if err != nil {
				t.Fatal(err)
			}
			if err := x.archive().Read(t.Context(), l.Segments, Selection{Lines: true, Pattern: mustPattern(t, pattern), Invert: invert}, func(line *Line) error {
				got = append(got, string(line.Text))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q, invert %v: %d lines, want %d", pattern, invert, len(got), len(want))
			}
		}
	}
	x.silent()
}

func TestLiteralsOfPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"order":              "order",
		"order [0-9]+ ship":  "order ", // the longest
		"a+bcd":              "bcd",
		"(GET|POST) /cart":   " /cart",
		"(?i)Order":          "order",
		"(?i)ask":            "a",
		"(?i)sks":            "",
		"502|503":            "50",
		"timeout|refused":    "timeout refused",
		"x*":                 "",
		"a|":                 "",
		"[0-9]":              "",
		"(ab){2,}":           "ab",
		"a|b|c|d|e|f|g|h|ij": "ij", // too many beside it; see below
	} {
		p := mustPattern(t, pattern)
		var got []string
		for _, l := range p.literals {
			got = append(got, string(l.text))
		}
		if pattern == "a|b|c|d|e|f|g|h|ij" {
			if len(got) > 0 { // [a-h]|ij has no text of its own
				t.Errorf("%s: %q", pattern, got)
			}
			continue
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
	for _, tt := range []struct{ pattern, want string }{{"a(b", "missing closing )"}, {`\1`, "invalid escape"}} {
		if _, err := ParsePattern(tt.pattern, false, false); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "-F") {
			t.Errorf("%s: %v", tt.pattern, err)
		}
	}
}

func FuzzLiteral(f *testing.F) {
	f.Add("Order 4711", "an ORDER 4711 came", "or|er")
	f.Fuzz(func(t *testing.T, word, text, pattern string) {
		if strings.Contains(text, "\n") {
			return
		}
		for _, s := range []string{word, pattern} {
			for _, fold := range []bool{false, true} {
				p, err := ParsePattern(s, s == word, fold)
				if err != nil {
					continue
				}
				find := finder{literals: p.literals}
				find.begin()
				found := len(p.literals) == 0 || find.find([]byte(text), 0) >= 0
				if p.Match([]byte(text)) && !found {
					t.Errorf("%q (fold %v) matches %q, and none of %s is found", s, fold, text, fmt.Sprint(p.literals))
				}
			}
		}
	})
}

func TestHasLong(t *testing.T) {
	for n, want := range map[int]bool{0: false, 100: false, longPiece - 1: false, longPiece: true, longPiece + 40: true} {
		block := bytes.Repeat(append(bytes.Repeat([]byte("x"), 130), '\n'), 500)
		block = append(append(block, bytes.Repeat([]byte("y"), n)...), '\n')
		block = append(block, block[:1310]...)
		if got := hasLong(block); got != want {
			t.Errorf("a line of %d bytes: %v", n, got)
		}
	}
}
