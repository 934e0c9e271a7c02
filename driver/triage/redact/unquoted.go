package redact

import (
	"bytes"
	"strings"
)

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
	if s.text[v] == '!' && k.sep == colon && (s.exact(end, " |") || s.exact(end, " >")) { // !vault |
		s.block(end + 1)
		return
	}
	if k.sep == colon && k.spaced && s.isStatus(v, end) {
		return
	}
	if k.kind == number {
		end = s.grouped(v, end)
	}
	if k.spaced && k.sep == equals && s.isCode(v, end, k) ||
		k.sep == option && stateWords[strings.ToLower(string(w[:min(len(w), 32)]))] ||
		k.kind == random && k.sep == colon && !k.spaced && s.at(k.from-1) == '/' { // an image and its tag
		return
	}
	if (k.kind == phrase || k.kind == secret) && k.sep == colon && k.spaced && !k.quoted {
		line := s.text[v:min(len(s.text), v+64)]
		word := strings.ToLower(string(w[:min(len(w), 32)]))
		if stateWords[strings.TrimRight(word, ",.;:)")] || k.kind == secret && k.alone && prosaic(w) ||
			k.kind == secret && bytes.HasPrefix(line, []byte("<")) ||
			strings.HasPrefix(s.wordBeforeName(k), "unexpected") {
			return
		}
	}
	if k.kind == secret && k.sep == colon && k.spaced &&
		bytes.IndexByte(s.text[k.from:k.to], '-') >= 0 { // a header's list
		for s.at(end) == ',' && tokenClass[s.at(end+1)] {
			end = s.unquoted(end+1, k)
		}
	}
	if k.kind == phrase && k.sep != option {
		end = s.phraseEnd(end, v, k)
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
	if s.at(name) == '=' && s.at(k.to) == '=' || s.at(k.to) == ' ' && isExpression(s.text[v:end]) ||
		s.at(k.to) == ' ' && bytes.Equal(s.text[v:name], s.text[k.to-min(name-v, k.to-k.from):k.to]) {
		return true // this.token = token
	}
	return s.at(name) == '(' && name < end && s.at(k.to) == ' '
}

// isExpression reports whether a value is a program's: request.headers.authorization,
// os.environ["DB_PASSWORD"].
func isExpression(w []byte) bool {
	if open := bytes.IndexAny(w, "[("); open > 0 && bytes.IndexByte(w[:open], '.') > 0 {
		return identifiers(w)
	}
	for _, object := range [...]string{
		"req.", "request.", "process.env.", "os.environ", "self.", "this.", "config.", "settings.", "params",
		"ENV[", "event.",
	} {
		if bytes.HasPrefix(w, []byte(object)) {
			return identifiers(w)
		}
	}
	return false
}

func identifiers(w []byte) bool {
	for _, c := range w {
		if !letterClass[c] && strings.IndexByte("._[]\"'();,", c) < 0 {
			return false
		}
	}
	return true
}

// isStatus reports whether an answer's status stands for a value: "cannot fetch token: 401
// Unauthorized".
func (s *scanner) isStatus(v, end int) bool {
	return end == v+3 && (s.text[v] == '4' || s.text[v] == '5') && digitClass[s.text[v+1]] && digitClass[s.text[v+2]] &&
		s.at(end) == ' ' && 'A' <= s.at(end+1) && s.at(end+1) <= 'Z' && letterClass[s.at(end+2)]
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

// phraseEnd extends a pass phrase by its further words: to the end of the line behind
// "password: ", else by words of letters alone, as long as nothing else follows.
func (s *scanner) phraseEnd(end, v int, k *key) int {
	if k.sep == colon && k.spaced && !k.quoted || k.sep == pair && k.spaced {
		return s.words(end, v)
	}
	if i := k.from - 1; k.sep == equals && (s.at(i) == ';' ||
		s.at(i) == ' ' && s.at(i-1) == ';') { // a connection string
		field := s.text[end:min(len(s.text), end+128)]
		if i := bytes.IndexAny(field, ";\"'\n\r"); i >= 0 && field[i] == ';' &&
			bytes.IndexByte(field[:i], '=') < 0 {
			return end + i
		}
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
		if s.newline(i) > 0 || c == '|' || c == '\t' || (c == '"' || c == '\'' ||
			c == '`') && !alnumClass[s.at(i+1)] || c == '<' {
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
	return i-v < 64 && letterClass[s.text[v]] && s.run(v, &nameClass, 64) == i && (c == '\'' || c == '"' ||
		s.quotePrefix(i+1) > 0)
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
	return i >= len(s.text) || spaceClass[c] || c == '"' || c == '\'' || c == ',' || c == ';' || c == '.' ||
		c == '\\' || c == '&' || c == '<' || c == ':'
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
