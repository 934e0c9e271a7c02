// Package redact takes secrets out of log lines: passwords, tokens, keys, cookies, card
// numbers and e-mail addresses. It finds them in three ways:
//
//   - by name: a key such as password, in any notation, and the value behind it
//     (names.go, key.go, value.go, header.go);
//   - by notation: command lines, SQL, URLs (command.go, sql.go, url.go);
//   - by shape: tokens of known vendors, private keys, cards (vendor.go, pem.go, digits.go).
//
// Encodings that hide a name or a separator (percent, HTML, \u, colours) are decoded
// into a view of the text, which is searched as well (view.go).
//
// One pass over the text looks for the first three bytes of everything that is known
// (gram.go), so that a line without secrets costs one table look-up a byte. The work is
// linear in the text: no search looks further than a bound, or behind what it has taken.
// When in doubt the package takes too much.
package redact

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// Mark stands in the place of a secret.
const Mark = "[redacted]"

// rounds bounds how often a text is redacted until that changes nothing. A second round
// finds what the marks of the first have separated.
const rounds = 8

// Text returns the text without its secrets and without the parts of it that the caller
// knows to be secret. The result is the argument itself if there are none; the argument is
// never changed. Text of the result is the result. Text may be called by many goroutines.
func Text(text []byte, known ...Span) (redacted []byte) {
	defer func() {
		if recover() != nil { // a bug here must cost no more than a quoted text
			redacted = []byte(Mark)
		}
	}()
	return redact(text, known)
}

// scanners keeps scanners, since lines are short and many.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

func redact(text []byte, known []Span) []byte {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	for range rounds {
		*s = scanner{text: text, spans: append(s.spans[:0], known...)}
		s.all()
		next := s.replaced()
		if next == nil {
			break
		}
		text, known = next, nil
		if s.apart {
			break
		}
	}
	*s = scanner{spans: s.spans[:0]}
	return text
}

// String is Text for a string.
func String(text string) string { return string(Text([]byte(text))) }

// Half is Text for the beginning of a longer text, of which the rest is not known. Its last
// word, up to maxHalf bytes of it, may be half a secret, and is taken out.
func Half(text []byte, known ...Span) []byte {
	from := max(0, len(text)-maxHalf)
	if i := bytes.LastIndexAny(text[from:], " \t\r\n"); i >= 0 {
		from += i + 1
	}
	return Text(text, append(known, Span{from, len(text)})...)
}

// Lines is Text for lines that follow each other, each of which stays a line: a secret of
// many lines leaves a mark on each.
func Lines(lines []string) []string {
	joined := []byte(strings.Join(lines, "\n"))
	s := scanner{text: joined}
	func() {
		defer func() {
			if recover() != nil {
				s.spans = []Span{{0, len(joined)}}
			}
		}()
		s.all()
	}()
	slices.SortFunc(s.spans, func(a, b Span) int { return a.From - b.From })
	out := make([]string, len(lines))
	from, next := 0, 0
	var over []Span // those that reach into the line
	for i, line := range lines {
		to := from + len(line)
		over = slices.DeleteFunc(over, func(sp Span) bool { return sp.To <= from })
		for ; next < len(s.spans) && s.spans[next].From < to; next++ {
			over = append(over, s.spans[next])
		}
		var known []Span
		for _, sp := range over {
			known = append(known, Span{max(sp.From, from) - from, min(sp.To, to) - from})
		}
		out[i] = string(Text([]byte(line), known...))
		from = to + 1
	}
	return out
}

const maxHalf = 4 << 10

// Span is a part of a text: the bytes from From up to To.
type Span struct{ From, To int }

// scanner looks for secrets in one text. It belongs to one goroutine.
type scanner struct {
	text             []byte
	spans            []Span
	apart            bool // each mark stands between signs, so that it changes nothing around it
	reaching         bool // what reaches further than a value was seen: a private key, SQL, a command
	named            int  // end of the last name that was looked at
	takenFrom, taken int  // what was taken last, which needs no other look by name or prefix

	line       Span           // the last line that was looked for
	closings   [4]closingMemo // the last quotes that were looked for, by two bits of the quote
	programs   []int          // for each of flags, the last place of its program; nil before the first look
	following  []int          // and the next one
	lowered    []byte         // the text in small letters, for these
	hosts      []int          // the @ of the URLs with a user, in the order of the text
	rows, jwks int            // the ends of the last rows of SQL and of the last JSON Web Key

	work int // bytes that were looked at beyond the pass itself, for a test
}

// closingMemo is the end of a text in quotes, so that it is not looked for again from within.
type closingMemo struct {
	quote     byte
	n         int
	from, end int
}

// all finds the secrets of the text and of its decoded views.
func (s *scanner) all() {
	s.look()
	pos := []int(nil)
	text := s.text
	for range maxViews {
		view, at := decode(text)
		if view == nil {
			return
		}
		pos = compose(pos, at)
		v := scanner{text: view}
		v.look()
		s.work += v.work + len(view)
		s.reaching = s.reaching || v.reaching || len(v.spans) > 0
		for _, sp := range v.spans {
			s.spans = append(s.spans, Span{pos[sp.From], pos[sp.To]})
		}
		text = view
	}
}

// look finds the secrets of the text as it stands.
func (s *scanner) look() {
	s.grams()
	s.ats()
	s.digits()
	s.bare()
}

// mark says that a part of the text is secret.
func (s *scanner) mark(from, to int) {
	if from < to {
		s.spans = append(s.spans, Span{from, to})
	}
}

// take marks a part that needs no further look.
func (s *scanner) take(from, to int) {
	s.mark(from, to)
	if to > s.taken {
		s.takenFrom, s.taken = from, to
	}
}

// replaced returns the text with a mark for each secret, nil if that is the text itself.
func (s *scanner) replaced() []byte {
	slices.SortFunc(s.spans, func(a, b Span) int { return a.From - b.From })
	var out []byte
	done := 0
	s.apart = bytes.IndexByte(s.text, '<') < 0 && !s.reaching && bytes.IndexByte(s.text, 0x1b) < 0
	for i := 0; i < len(s.spans); {
		sp := s.spans[i]
		for i++; i < len(s.spans) && s.spans[i].From <= sp.To; i++ {
			sp.To = max(sp.To, s.spans[i].To)
		}
		sp = s.whole(sp)
		if sp.From < done { // a mark was widened over the next one
			sp.From = done
		}
		if sp.From >= sp.To || string(s.text[sp.From:sp.To]) == Mark {
			continue
		}
		s.apart = s.apart && sp.From > 0 && beforeMark[s.text[sp.From-1]] && (sp.To == len(s.text) ||
			afterMark[s.text[sp.To]])
		out = append(append(out, s.text[done:sp.From]...), Mark...)
		done = sp.To
	}
	if done == 0 {
		return nil
	}
	return append(out, s.text[done:]...)
}

// whole widens a part so that it has no half of an earlier mark.
func (s *scanner) whole(sp Span) Span {
	near := func(at int) (int, int) { // the mark that at is within
		from := max(0, at-len(Mark)+1)
		i := bytes.Index(s.text[from:min(len(s.text), at+len(Mark)-1)], []byte(Mark))
		if i < 0 || from+i >= at {
			return at, at
		}
		return from + i, from + i + len(Mark)
	}
	sp.From, _ = near(sp.From)
	_, sp.To = near(sp.To)
	return sp
}

// A mark between these has not joined or parted words.
var (
	beforeMark = classOf(" =:\"'/&")
	afterMark  = classOf(" &\"',;)}]")
)

// at returns the byte at i, 0 outside the text.
func (s *scanner) at(i int) byte {
	if i < 0 || i >= len(s.text) {
		return 0
	}
	return s.text[i]
}

// has reports whether the text has word at i, whatever the case of its ASCII letters.
// The word is in small letters.
func (s *scanner) has(i int, word string) bool {
	if i < 0 || i+len(word) > len(s.text) {
		return false
	}
	for j := range len(word) {
		if lower[s.text[i+j]] != word[j] {
			return false
		}
	}
	return true
}

// exact reports whether the text has word at i.
func (s *scanner) exact(i int, word string) bool {
	return i >= 0 && i+len(word) <= len(s.text) && string(s.text[i:i+len(word)]) == word
}
