package redact

import (
	"bytes"
	"strings"
)

// value takes the value at v of a key, if it is one.
func (s *scanner) value(v int, k *key) {
	if v >= len(s.text) {
		return
	}
	switch k.sep {
	case element:
		s.content(v, k)
		return
	case part:
		s.accept(v, s.partEnd(v), k, false)
		return
	case is, beside, segment:
		s.prose(v, k)
		return
	}
	if v = s.typed(v); v >= len(s.text) {
		return
	}
	n := s.quotePrefix(v)
	if c := s.at(v); (c == '\'' || c == '"') && s.at(v+1) == c && alnumClass[s.at(v+2)] { // quotes within quotes
		if i := bytes.Index(s.text[v+2:], []byte{c, c}); i > 0 {
			s.accept(v+2, v+2+i, k, true)
			return
		}
	}
	if q := s.backslashes(v + n); (s.at(q) == '"' || s.at(q) == '\'' || s.at(q) == '`') && (q == v+n || n == 0 ||
		k.quoted) {
		s.quotedValue(v+n, q, k)
		return
	}
	if s.exact(v, "“") || s.exact(v, "«") {
		end := v + bytes.IndexAny(s.text[v:min(len(s.text), v+256)], "”»")
		if end > v {
			s.accept(v+len("“"), end, k, true)
			return
		}
	}
	switch s.text[v] {
	case '[', '{', '(':
		if s.exact(v, Mark) {
			break
		}
		if s.exact(v, "{{") && s.isTemplate(v, "}}") || s.exact(v, "((") && s.isTemplate(v, "))") {
			return
		}
		s.bracketed(v, k)
		return
	case '|', '>':
		if k.sep == colon && s.block(v) {
			return
		}
	case '\n', '\r':
		if k.sep == colon && (k.kind == phrase || k.kind == secret) {
			s.items(v)
		}
		return
	}
	switch k.kind {
	case header:
		s.credentials(v, k)
	case cookies:
		s.cookieList(v, k)
	default:
		s.plain(v, k)
	}
}

// isTemplate reports whether {{ name }}, {{ name | filter }} or ((name)) begins at v.
func (s *scanner) isTemplate(v int, closing string) bool {
	end := bytes.Index(s.text[v:min(len(s.text), v+maxName)], []byte(closing))
	if end < 0 {
		return false
	}
	for _, c := range s.text[v+2 : v+end] {
		if !letterClass[c] && strings.IndexByte(" ._-|$()'\"", c) < 0 {
			return false
		}
	}
	return true
}

// accept takes what stands between two places if it fits the key's kind.
func (s *scanner) accept(from, to int, k *key, quoted bool) bool {
	v := s.text[from:to]
	if trivialValue(v[:min(len(v), 64)]) && len(v) < 64 || k.alone && !s.fitsAlone(v, k) {
		return false
	}
	if s.text[k.to-1]|0x20 == 's' && digitsOnly(v) && (k.kind == secret || len(v) <= 3 && s.has(k.to-5, "_pass")) {
		return false // a count: max_tokens, min_pass
	}
	if k.kind == secret && k.sep == colon && !k.spaced && s.at(k.from-1) == ':' { // a resource's name
		return false
	}
	switch k.kind {
	case random:
		if !s.affordable(len(v)) {
			break
		}
		short := k.query && k.sep == equals && len(v) >= 6 && hasDigit(v) && !bytes.ContainsAny(v, "/:. ")
		if s.has(k.to-3, "sid") && len(v) >= 8 && hasDigit(v) && !bytes.ContainsAny(v, "/ ") {
			short = true // connect.sid
		}
		if len(v) <= maxRandom && !short && !looksRandom(v) {
			return false
		}
	case number:
		if !s.numeric(v) {
			return false
		}
	case cookies:
		if !bytes.ContainsAny(v[:min(len(v), 4096)], "=") && !looksRandom(v[:min(len(v), maxRandom)]) {
			return false
		}
	case secret, phrase:
		if quoted && len(v) < maxSentence && bytes.IndexByte(v[:min(len(v), 64)], ' ') > 0 &&
			sentence(v[:min(len(v), 64)]) {
			return false
		}
	}
	s.take(from, to)
	return true
}

// maxRandom bounds a value that is looked at as a whole; a longer one is taken.
const (
	maxRandom   = 256
	maxNumber   = 40
	maxSentence = 512
)

// affordable says whether a value may still be looked at closely, whose search may have
// been for nothing: in a text made to be slow it may not, and is taken.
func (s *scanner) affordable(n int) bool {
	s.work += n
	return s.work < 64*len(s.text)+1<<20
}

func hasDigit(v []byte) bool { return bytes.ContainsAny(v, "0123456789") }

// fitsAlone sorts out values of names that are words of other trades as well: three
// passed tests are no password.
func (s *scanner) fitsAlone(v []byte, k *key) bool {
	name := strings.ToLower(string(s.text[k.from:k.to]))
	switch name {
	case "pass", "passe":
		if k.sep == is && k.spaced || k.sep == colon && s.wordBeforeName(k) != "" {
			if !odd(v) {
				return false // a render pass
			}
		}
		few := len(v) <= 3 || k.sep == colon && len(v) < 5
		return (!few || !digitsOnly(v)) && !s.exact(k.from-4, "--- ")
	case "sig", "signature":
		return (k.sep == equals || k.quoted) && (hasDigit(v) || len(v) > 12) || looksRandom(v)
	}
	return true
}

func digitsOnly(v []byte) bool { return len(v) > 0 && len(bytes.Trim(v, "0123456789.,")) == 0 }

// numeric reports whether a value may be that of a PIN or a number of persons and cards.
func (s *scanner) numeric(v []byte) bool {
	v = unquote(v)
	digits := 0
	for _, c := range v {
		switch {
		case digitClass[c]:
			digits++
		case c != ' ' && c != '-' && c != '.' && c != '/' && !letterClass[c]:
			return false
		}
	}
	return digits >= 3 && len(v) <= 24
}
