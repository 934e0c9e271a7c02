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
	if q := s.backslashes(v + n); (s.at(q) == '"' || s.at(q) == '\'' || s.at(q) == '`') && (q == v+n || n == 0 || k.quoted) {
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
		s.bracketed(v, k)
		return
	case '|', '>':
		if k.sep == colon && s.block(v, k) {
			return
		}
	case '\n', '\r':
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

// typed returns where a value begins that its type stands before: string(7) "x".
func (s *scanner) typed(v int) int {
	if !s.has(v, "string(") {
		return v
	}
	end := s.run(v+len("string("), &digitClass, 8)
	if s.at(end) != ')' {
		return v
	}
	return s.blanks(end + 1)
}

// quotedValue takes a value in quotes, of which q is the opening one, n backslashes and a
// quote that begin at v.
func (s *scanner) quotedValue(v, q int, k *key) {
	end := s.closing(q+1, s.text[q], q-v)
	switch k.kind {
	case header:
		s.scheme2(q+1, end)
	default:
		if !s.accept(q+1, end, k, true) {
			return
		}
	}
	if k.sep != tuple && k.sep != pair {
		return
	}
	s.named = max(s.named, min(end, s.named))
}

// closing returns the end of a text in quotes, which begins at i, behind a quote that has
// n backslashes before it. A quote with fewer ends a text around this one. The end is in
// front of the closing quote and its backslashes, or the end of all.
func (s *scanner) closing(i int, quote byte, n int) (end int) {
	from := i
	memo := &s.closings[quote&3]
	if memo.quote == quote && memo.n == n && memo.from <= i && i <= memo.end {
		return memo.end
	}
	defer func() { *memo = closingMemo{quote, n, from, end} }()
	for i < len(s.text) {
		j := bytes.IndexByte(s.text[i:], quote)
		if j < 0 {
			break
		}
		at := i + j
		if at > from && n == 0 && at+2 < len(s.text) && s.text[at+1] == quote && s.text[at-1] != '\\' { // doubled: it's
			i = at + 2
			continue
		}
		slashes := 0
		for at-slashes > from && s.text[at-slashes-1] == '\\' && slashes < 4*maxBackslashes {
			slashes++
		}
		if slashes < n || slashes%(2*(n+1)) == n {
			s.work += at - from
			return at - min(slashes, n)
		}
		i = at + 1
	}
	s.work += len(s.text) - from
	return len(s.text)
}

// accept takes what stands between two places if it fits the key's kind.
func (s *scanner) accept(from, to int, k *key, quoted bool) bool {
	v := s.text[from:to]
	if trivialValue(v[:min(len(v), 64)]) && len(v) < 64 || k.alone && !s.fitsAlone(v, k) {
		return false
	}
	if s.text[k.to-1]|0x20 == 's' && digitsOnly(v) && k.kind == secret { // a count: max_tokens
		return false
	}
	switch k.kind {
	case random:
		if !s.affordable(len(v)) {
			break
		}
		if len(v) <= maxRandom && !looksRandom(v) && !(k.query && len(v) >= 6 && hasDigit(v) && k.sep == equals && !bytes.ContainsAny(v, "/:. ")) {
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
		if quoted && len(v) < maxSentence && bytes.IndexByte(v[:min(len(v), 64)], ' ') > 0 && sentence(v[:min(len(v), 64)]) {
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
		return !(len(v) <= 3 && digitsOnly(v)) && !s.exact(k.from-4, "--- ") && !(k.sep == colon && digitsOnly(v[:min(1, len(v))]) && len(v) < 5)
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

// bracketed takes a list or an object.
func (s *scanner) bracketed(v int, k *key) {
	if k.kind == random || k.kind == number {
		if s.text[v] == '{' || k.sep != equals && s.text[v] != '[' {
			return
		}
		q := s.blanks(v + 1)
		if n := s.quotePrefix(q); s.at(q+n) == '"' || s.at(q+n) == '\'' { // auth=('bob', 'hunter2')
			if end := s.balanced(v); s.text[v] == '(' && end-v < maxRandom {
				s.take(v+1, end)
				return
			}
			s.quotedValue(q+n, q+n, k)
			return
		}
		if s.at(v+1) != '[' {
			s.plain(v+1, k)
		}
		return
	}
	if k.kind == header || s.text[v] == '[' && k.kind == cookies {
		q := s.blanks(v + 1)
		q += s.quotePrefix(q)
		if e := s.backslashes(q); s.at(e) == '"' || s.at(e) == '\'' {
			s.list(q, k)
			return
		}
	}
	end := s.balanced(v)
	if in := s.text[v+1 : end]; len(in) < maxSentence && (digitsOnly(bytes.Trim(in, " ")) && k.alone) || trivialValue(in[:min(len(in), 64)]) && len(in) < 64 || len(in) < maxSentence && sentence(bytes.Trim(in[:min(len(in), 64)], " [\"'")) {
		return
	}
	if s.text[v] == '{' && k.kind == secret && !bytes.ContainsAny(s.text[v:end], "\"'=") && bytes.IndexByte(s.text[v:end], ':') > 0 {
		if inner := s.text[v:end]; !hasLetterValue(inner) {
			return
		}
	}
	if s.text[v] == '{' && k.kind == secret && numbersOnly(s.text[v:end]) {
		return
	}
	if k.kind == header {
		s.scheme2(v+1, end)
		return
	}
	s.take(v+1, end)
}

// hasLetterValue reports whether an object without quotes has a value with a letter.
func hasLetterValue(v []byte) bool {
	for _, p := range bytes.Split(v[:min(len(v), 512)], []byte(":"))[1:] {
		if w := bytes.TrimLeft(p, " "); len(w) > 0 && letterClass[w[0]] {
			return true
		}
	}
	return len(v) > 512
}

// numbersOnly reports whether the values of an object in JSON are all numbers: counts.
func numbersOnly(v []byte) bool {
	if len(v) > 512 {
		return false
	}
	for _, p := range bytes.Split(v, []byte(":"))[1:] {
		if w := bytes.TrimLeft(p, " "); len(w) == 0 || !digitClass[w[0]] {
			return false
		}
	}
	return bytes.IndexByte(v, ':') > 0
}

// list takes the quoted texts of a list, whose first begins at q.
func (s *scanner) list(q int, k *key) {
	for range 64 {
		e := s.backslashes(q)
		quote := s.at(e)
		if quote != '"' && quote != '\'' {
			return
		}
		end := s.closing(e+1, quote, e-q)
		if k.kind == header {
			s.scheme2(e+1, end)
		} else {
			s.take(e+1, end)
		}
		q = s.blanks(end + e - q + 1)
		if s.at(q) != ',' {
			return
		}
		q = s.blanks(q + 1)
		q += s.quotePrefix(q)
	}
}

// balanced returns the place of the bracket that closes the one at i, outside quotes, or
// the end of the line.
func (s *scanner) balanced(i int) int {
	depth := 0
	from := i
	for ; i < len(s.text); i++ {
		switch c := s.text[i]; c {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			if depth--; depth == 0 {
				s.work += i - from
				return i
			}
		case '"', '\'':
			if c == '\'' && i > 0 && alnumClass[s.text[i-1]] && s.text[i-1] != 'b' && s.text[i-1] != 'u' {
				continue // an apostrophe
			}
			n := 0
			for s.at(i-1-n) == '\\' && n < maxBackslashes {
				n++
			}
			end := s.closing(i+1, c, n)
			if end >= len(s.text) {
				s.work += i - from
				return s.lineEnd(i)
			}
			i = end + n
		}
	}
	s.work += i - from
	return s.lineEnd(from)
}

// block takes a YAML block: | or > and indented lines.
func (s *scanner) block(v int, k *key) bool {
	end := v + 1
	for end-v < 4 && strings.IndexByte("+-123456789", s.at(end)) >= 0 && s.at(end) != 0 {
		end++
	}
	n := s.newline(s.blanks(end))
	if n == 0 {
		return false
	}
	from := s.blanks(end) + n
	to := from
	for to < len(s.text) && (s.text[to] == ' ' || s.text[to] == '\t') {
		to = s.lineEnd(to)
		to += s.newline(to)
	}
	if to == from {
		return false
	}
	s.take(from, to-1)
	_ = k
	return true
}

// content takes an element's content.
func (s *scanner) content(v int, k *key) {
	if s.has(v, "<![cdata[") {
		v += len("<![cdata[")
		end := bytes.Index(s.text[v:], []byte("]]"))
		if end < 0 {
			end = len(s.text) - v
		}
		s.work += end
		s.accept(v, v+end, k, true)
		return
	}
	if i := bytes.IndexByte(s.text[v:min(len(s.text), v+maxRandom)], '<'); i >= 0 && s.at(v+i+1) != '/' {
		return // elements within
	}
	end := bytes.Index(s.text[v:], []byte("</"))
	if end < 0 {
		end = s.lineEnd(v)
	} else {
		s.work += end
		end += v
	}
	if in := s.text[v:end]; len(in) < 32 && k.enclosed != 0 || k.quoted {
		if name, _ := classify(string(in[:min(len(in), 32)]), ""); name != none && wordLike(in) {
			return // the label of a field
		}
	}
	if s.affordable(end - v) {
		s.accept(v, end, k, true)
	} else {
		s.take(v, end)
	}
}

// partEnd returns the end of a form's part.
func (s *scanner) partEnd(v int) int {
	for i := v; i < len(s.text); i++ {
		if s.newline(i) > 0 || s.text[i] == '"' && !alnumClass[s.at(i+1)] {
			s.work += i - v
			return i
		}
	}
	return len(s.text)
}

// prose takes a value that is a word of a sentence.
func (s *scanner) prose(v int, k *key) {
	n := s.quotePrefix(v)
	if q := s.backslashes(v + n); s.at(q) == '"' || s.at(q) == '\'' || s.at(q) == '`' {
		end := s.closing(q+1, s.text[q], q-v-n)
		in := s.text[q+1 : end]
		if len(in) > 256 || k.sep == segment || k.sep == beside && s.refuses(k, in) {
			return
		}
		s.accept(q+1, end, k, true)
		return
	}
	end := s.unquotedTo(v, v+maxSentence, k)
	if end-v >= maxSentence {
		if k.sep == is {
			s.take(v, s.unquoted(v, k))
		}
		return
	}
	for end > v && strings.IndexByte(".,;:!?)", s.text[end-1]) >= 0 {
		end--
	}
	w := s.text[v:end]
	if len(w) == 0 || trivialValue(w) {
		return
	}
	switch k.sep {
	case is:
		word := strings.ToLower(string(w[:min(len(w), 64)]))
		if stateOf[word] || stateWords[word] || k.kind != number && (strings.HasSuffix(word, "ed") || strings.HasSuffix(word, "ing")) && !hasDigit(w) ||
			!k.spaced && !odd(w) && k.kind != phrase {
			return
		}
		if !k.spaced && !odd(w) && s.at(s.blanks(end)) != 0 && s.newline(s.blanks(end)) == 0 {
			return // "used to …", and a sentence goes on
		}
		if k.kind == phrase && k.spaced {
			end = s.words(end, v)
		}
		s.accept(v, end, k, false)
	case segment:
		if len(w) < 12 || k.kind != phrase && k.kind != secret || bytes.IndexByte(w, '/') >= 0 {
			if i := bytes.IndexAny(w, "/?#"); i >= 12 && (k.kind == phrase || k.kind == secret) && looksRandom(w[:i]) {
				s.take(v, v+i)
			}
			return
		}
		if looksRandom(w) {
			s.take(v, end)
		}
	default:
		if len(w) >= 10 && odd(w) && s.at(v-1) == '\t' {
			s.take(v, end)
		} else if len(w) >= 10 && looksRandom(w) && bytes.IndexAny(w, "=:/") < 0 || len(w) >= 16 && looksRandom(w) {
			s.take(v, end)
		}
	}
}

// refuses says whether a quoted text beside a name is not its value: a parser's token, an
// object's name.
func (s *scanner) refuses(k *key, in []byte) bool {
	switch s.wordBeforeName(k) {
	case "unexpected", "illegal", "invalid", "missing", "expected", "unknown", "bad", "no":
		return k.kind != phrase
	}
	return k.kind != phrase && k.kind != number && !looksRandom(in) || k.kind == phrase && bytes.IndexByte(in, ' ') >= 0 && sentence(in)
}

func (s *scanner) wordBeforeName(k *key) string {
	if s.at(k.from-1) != ' ' {
		return ""
	}
	return s.wordBefore(k.from - 1)
}

// odd reports whether a word is none of a sentence: it has digits or signs, or capitals within.
func odd(w []byte) bool {
	for i, c := range w {
		if digitClass[c] || !letterClass[c] && c != '-' && c != '\'' && c < 0x80 || i > 0 && 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

// plain takes a value without quotes.
func (s *scanner) plain(v int, k *key) {
	most := len(s.text)
	switch k.kind {
	case number:
		most = v + maxNumber
	case random:
		most = v + maxRandom + 1
	}
	end := s.unquotedTo(v, most, k)
	if k.kind == number && end-v >= maxNumber {
		return
	}
	if k.kind == random && end-v > maxRandom { // a word is not so long
		s.take(v, s.unquoted(v, k))
		return
	}
	if end == v {
		return
	}
	w := s.text[v:end]
	if trivialValue(w[:min(len(w), 64)]) && len(w) < 64 {
		return
	}
	if k.kind == number {
		end = s.grouped(v, end)
	}
	if k.spaced && k.sep == equals && s.isCode(v, end, k) || k.sep == option && stateWords[strings.ToLower(string(w[:min(len(w), 32)]))] ||
		k.kind == random && k.sep == colon && !k.spaced && s.at(k.from-1) == '/' { // an image and its tag
		return
	}
	if (k.kind == phrase || k.kind == secret) && k.sep == colon && k.spaced && !k.quoted {
		line := s.text[v:min(len(s.text), v+64)]
		word := strings.ToLower(string(w[:min(len(w), 32)]))
		if stateWords[strings.TrimRight(word, ",.;:)")] || k.kind == secret && k.alone && prosaic(w) ||
			k.kind == secret && bytes.HasPrefix(line, []byte("<")) || strings.HasPrefix(s.wordBeforeName(k), "unexpected") {
			return
		}
	}
	if k.kind == phrase && k.sep != option {
		end = s.words2(end, v, k)
	}
	s.accept(v, end, k, false)
}

// isCode reports whether what stands behind a = is no value but the next name and its =,
// or a program's call.
func (s *scanner) isCode(v, end int, k *key) bool {
	name := s.run(v, &nameClass, 48)
	if name == v {
		return false
	}
	if s.at(name) == '=' && s.at(k.to) == '=' {
		return true
	}
	return s.at(name) == '(' && name < end && s.at(k.to) == ' '
}

// prosaic reports whether a word could be one of a sentence: small letters alone.
func prosaic(w []byte) bool {
	w = bytes.TrimRight(w, ".,;:!")
	for _, c := range w {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// grouped extends a number by further groups of digits.
func (s *scanner) grouped(from, end int) int {
	for i := end; i < len(s.text) && i-from < 30; i++ {
		switch c := s.text[i]; {
		case digitClass[c]:
			end = i + 1
		case c != ' ' && c != '-':
			return end
		}
	}
	return end
}

// words2 extends a pass phrase by its further words: to the end of the line behind
// "password: ", else by words of letters alone, as long as nothing else follows.
func (s *scanner) words2(end, v int, k *key) int {
	if k.sep == colon && k.spaced && !k.quoted || k.sep == pair && k.spaced {
		return s.words(end, v)
	}
	if k.query || !wordLike(s.text[v:end]) {
		return end
	}
	last := end
	for i := end; ; {
		p := s.blanks(i)
		if p == i {
			break
		}
		e := s.run(p, &letterClass, 32)
		switch c := s.at(e); {
		case e == p && (c == 0 || c == '}' || c == ']' || c == '"' || c == '\''):
			return last
		case e == p:
			return end
		case c == '=' || c == ':': // the next name
			return last
		case c != 0 && c != ' ' && c != '}' && c != ']' && c != ',' && c != '"' && c != '\'' && c != '\n':
			e2 := s.run(e, &nameClass, 32)
			if s.at(e2) == '=' || s.at(e2) == ':' {
				return last
			}
			return end
		case c != ' ':
			return e
		}
		last, i = e, e
		if i-v > 256 {
			return last
		}
	}
	return last
}

func wordLike(w []byte) bool {
	for _, c := range w {
		if !letterClass[c] && c < 0x80 {
			return false
		}
	}
	return len(w) > 0
}

// words extends a value to the line's end, or to what begins another field.
func (s *scanner) words(end, v int) int {
	for i := end; i < len(s.text) && i-v < 512; i++ {
		c := s.text[i]
		if s.newline(i) > 0 || c == '|' || c == '\t' || (c == '"' || c == '\'' || c == '`') && !alnumClass[s.at(i+1)] || c == '<' {
			return max(end, trimBlanks(s.text, end, i))
		}
		if c == '}' || c == ']' || c == ')' {
			return max(end, trimBlanks(s.text, end, i))
		}
		if c == ' ' || c == ',' || c == ';' {
			p := s.blanks(i + 1)
			e := s.run(p, &nameClass, 40)
			if e > p && (s.at(e) == '=' || s.at(e) == ':' && s.at(e+1) != '/') {
				return max(end, i)
			}
		}
		s.work++
	}
	return min(len(s.text), max(end, v+512))
}

func trimBlanks(text []byte, from, to int) int {
	for to > from && (text[to-1] == ' ' || text[to-1] == '\\') {
		to--
	}
	return to
}

// unquoted returns the end of a value without quotes: a blank, or what parts it from the
// next field. A sign such as & or ; that no name follows is a part of it.
func (s *scanner) unquoted(v int, k *key) int { return s.unquotedTo(v, len(s.text), k) }

// unquotedTo is unquoted for a value that ends at most, or a little behind, at the latest.
func (s *scanner) unquotedTo(v, most int, k *key) int {
	i := v
	defer func() { s.work += i - v }()
	for i < min(len(s.text), most) {
		c := s.text[i]
		switch c {
		case ' ', '\t', '\n', '\r':
			return i
		case '"', '\'', '`':
			if !alnumClass[s.at(i+1)] || k.enclosed == c && s.closesEnclosed(i, k) {
				return i
			}
		case '\\':
			e := s.backslashes(i)
			if q := s.at(e); q == '"' || q == '\'' || q == 0 {
				if q == 0 || !alnumClass[s.at(e+1)] {
					return i
				}
				i = e + 1
				continue
			}
			if n := s.newline(i); n > 0 && s.nextField(i+n) {
				return i
			}
			i = e
			continue
		case '&', ';', ',', '|':
			if s.nextField(i + 1) {
				return i
			}
		case ')', ']', '}', '>':
			if s.ends(i + 1) {
				return i
			}
		case '<':
			if s.at(i+1) == '/' || s.has(i, "<br") {
				return i
			}
		case '(':
			if i > v && k.sep != is && k.sep != beside && s.callAt(v, i) {
				end := s.balanced(i)
				i = max(i+1, end)
				continue
			}
		case '[':
			if s.exact(i, Mark) {
				i += len(Mark)
				continue
			}
		}
		i++
	}
	return i
}

// callAt reports whether a value is a call: Secret('x').
func (s *scanner) callAt(v, i int) bool {
	c := s.at(i + 1)
	return i-v < 64 && letterClass[s.text[v]] && s.run(v, &nameClass, 64) == i && (c == '\'' || c == '"' || s.quotePrefix(i+1) > 0)
}

func (s *scanner) closesEnclosed(i int, k *key) bool {
	n := 0
	for s.at(i-1-n) == '\\' && n < maxBackslashes {
		n++
	}
	return n <= k.enclosing && !alnumClass[s.at(i+1)]
}

// ends reports whether a value is over behind a bracket.
func (s *scanner) ends(i int) bool {
	for i < len(s.text) && strings.IndexByte(")]}>", s.text[i]) >= 0 {
		i++
		s.work++
	}
	c := s.at(i)
	return i >= len(s.text) || spaceClass[c] || c == '"' || c == '\'' || c == ',' || c == ';' || c == '.' || c == '\\' || c == '&' || c == '<' || c == ':'
}

// nextField reports whether another field begins at i, or nothing more does.
func (s *scanner) nextField(i int) bool {
	if i >= len(s.text) || spaceClass[s.text[i]] || s.text[i] == '"' || s.text[i] == '\'' {
		return true
	}
	if s.has(i, "amp;") {
		i += 4
	}
	i += s.newline(i)
	for s.at(i) == '{' || s.at(i) == '[' {
		i++
	}
	end := s.run(i, &nameClass, 40)
	for s.at(end) == '[' || s.at(end) == ']' || s.at(end) == '%' { // a[b]=
		end = s.run(end+1, &nameClass, 40)
		if end-i > 120 {
			return false
		}
	}
	if s.at(end) == ' ' && s.at(i-1) == ';' { // ;User Id=
		end = s.run(end+1, &nameClass, 24)
		if s.at(end) == ' ' {
			end = s.run(end+1, &nameClass, 24)
		}
	}
	if s.at(end) == '"' || s.at(end) == '\'' {
		end++
	}
	c := s.at(end)
	return end > i && (c == '=' || c == ':' && s.at(end+1) != '/') || c == '"' && end == i
}
