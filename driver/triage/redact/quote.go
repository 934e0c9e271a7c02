package redact

import (
	"bytes"
)

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
		s.schemeWithin(q+1, end)
	default:
		if !s.accept(q+1, end, k, true) {
			return
		}
		s.replacement(end+q-v+1, k)
	}
	if k.sep != tuple && k.sep != pair {
		return
	}
	s.named = max(s.named, min(end, s.named))
}

// replacement takes what a value in quotes that ends before i changes to: "old" => "new".
func (s *scanner) replacement(i int, k *key) {
	if k.quoted || !s.exact(i, " => ") && !s.exact(i, " -> ") {
		return
	}
	if q := i + len(" => "); s.at(q) == '"' {
		s.accept(q+1, s.closing(q+1, '"', 0), k, true)
	}
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
		if at > from && n == 0 && at+2 < len(s.text) && s.text[at+1] == quote &&
			s.text[at-1] != '\\' { // doubled: it's
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
	if end-v < maxSentence && harmless(s.text[v:end], k) {
		return
	}
	if k.kind == header {
		s.schemeWithin(v+1, end)
		return
	}
	s.take(v+1, end)
}

// harmless reports whether a list or an object, without its closing bracket, has no secret:
// nothing, a sentence, counts, or a schema.
func harmless(v []byte, k *key) bool {
	in := bytes.Trim(v[1:], " ")
	switch {
	case digitsOnly(in) && k.alone, len(in) < 64 && trivialValue(in),
		sentence(bytes.Trim(in[:min(len(in), 64)], " [\"'")):
		return true
	case v[0] != '{':
		return false
	}
	if bytes.Contains(v, []byte("in: header")) || bytes.Contains(v, []byte(`"in":"header"`)) {
		return true // OpenAPI's securitySchemes
	}
	return k.kind == secret && numbersOnly(v) ||
		bytes.Contains(v, []byte(`"type"`)) && bytes.Contains(v, []byte(`"string"`))
}

// numbersOnly reports whether the values of an object in JSON are all numbers: counts.
func numbersOnly(v []byte) bool {
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
			s.schemeWithin(e+1, end)
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
