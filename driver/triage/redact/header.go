package redact

import (
	"bytes"
	"strings"
)

// schemes are those of Authorization with one word of credentials behind.
var schemes = wordSet(`bearer basic token negotiate ntlm apikey api-key splunk geniekey dpop
	kerberos privatetoken key jwt sso-key client-id`)

// credentials takes an Authorization header's value: without its scheme, if that is known
// or stands before other words.
func (s *scanner) credentials(v int, k *key) {
	end := s.headerEnd(v, k)
	i := s.run(v, &nameClass, 32)
	scheme := strings.ToLower(string(s.text[v:i]))
	gap := s.gap(i)
	switch {
	case trivialValue(s.text[v:end][:min(64, end-v)]) && end-v < 64:
	case schemes[scheme] && gap > i && gap < end:
		to := min(s.unquoted(gap, k), end)
		for to > gap && s.text[to-1] == ',' {
			to--
		}
		if stateWords[strings.ToLower(string(s.text[gap:to][:min(to-gap, 24)]))] || trivialValue(s.text[gap:to]) {
			return
		}
		s.take(gap, to)
	case gap > i && gap < end && scheme != "" && !hasDigit(s.text[v:i]):
		if k.sep == colon && (stateWords[scheme] || scheme == "user") {
			return
		}
		s.take(gap, end)
	case k.spaced && k.sep == colon && stateWords[scheme]:
	default:
		s.take(v, min(end, s.unquoted(v, k)))
	}
}

// gap returns the end of the blanks behind a scheme, which may be encoded.
func (s *scanner) gap(i int) int {
	for p := i; ; {
		switch {
		case s.at(p) == ' ' || s.at(p) == '+':
			p++
		case s.exact(p, "%20"):
			p += 3
		default:
			return p
		}
		if p-i > 32 {
			return p
		}
	}
}

// headerEnd returns the end of a header's line: in a text with quotes, the closing one.
func (s *scanner) headerEnd(v int, k *key) int {
	if k.enclosed != 0 {
		return min(s.closing(v, k.enclosed, k.enclosing), s.lineEnd(v))
	}
	end := s.lineEnd(v)
	line := s.text[v:end]
	if i := bytes.IndexAny(line, "\"'"); i > 0 && line[i-1] != '=' && line[i-1] != '\\' &&
		s.run(v, &nameClass, 32) < v+i {
		return v + i
	}
	return end
}

// schemeWithin is credentials for a value of which both ends are known.
func (s *scanner) schemeWithin(from, to int) {
	if trivialValue(s.text[from:to][:min(64, to-from)]) && to-from < 64 {
		return
	}
	i := min(to, s.run(from, &nameClass, 32))
	if gap := min(to, s.gap(i)); gap > i && gap < to && i > from {
		from = gap
	}
	s.take(from, to)
}

// cookieList takes a cookie header's value without quotes.
func (s *scanner) cookieList(v int, k *key) {
	i := v
	for {
		start := i
		for i < len(s.text) && !spaceClass[s.text[i]] && s.text[i] != ';' && !s.quoteEnds(i) {
			i++
		}
		s.work += i - start
		listed := i > start && s.at(i-1) == ',' && s.at(i) == ' '
		if s.at(i) != ';' && !listed {
			break
		}
		p := i
		if s.at(p) == ';' {
			p++
		}
		next := s.blanks(p)
		if e := s.run(next, &nameClass, 64); e == next ||
			s.at(e) != '=' && s.at(e) != ';' && e < len(s.text) && !spaceClass[s.at(e)] {
			break
		}
		i = next
	}
	for i > v && strings.IndexByte("]})", s.text[i-1]) >= 0 {
		i--
	}
	s.accept(v, i, k, false)
}

func (s *scanner) quoteEnds(i int) bool {
	switch s.text[i] {
	case '"', '\'':
		return true
	case '\\':
		e := s.backslashes(i)
		return s.at(e) == '"' || s.at(e) == '\'' || s.newline(i) > 0
	}
	return false
}

// scheme takes credentials behind the words Bearer and Basic wherever they stand.
func (s *scanner) scheme(at int) {
	i := at + len("basic")
	if lower[s.text[at]] == 'b' && s.has(at, "bearer") {
		i = at + len("bearer")
	}
	gap := s.gap(i)
	if gap == i || letterClass[s.at(at-1)] {
		return
	}
	s.reaching = true
	end := s.run(gap, &tokenClass, len(s.text))
	for end > gap && s.text[end-1] == '.' {
		end--
	}
	token := s.text[gap:end]
	if len(token) < 8 {
		return
	}
	if len(token) >= 20 && !prosaic(token) || bytes.ContainsAny(token, "0123456789=") ||
		bytes.ContainsAny(token[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		if i := bytes.IndexByte(token, '='); i > 0 && i+1 < len(token) && token[i+1] != '=' ||
			s.at(end-1) == '=' && s.at(end) == '"' && i < 24 && wordLike(token[:i]) {
			return // Bearer realm=…
		}
		s.take(gap, end)
	}
}

// sasl takes what is sent with AUTH PLAIN and its like.
func (s *scanner) sasl(at int) {
	i := s.run(at, &nameClass, 16)
	i = s.blanks(i)
	i = s.blanks(s.run(i, &nameClass, 16))
	end := s.run(i, &base64Class, len(s.text))
	if end-i >= 8 && (looksRandom(s.text[i:end]) || s.text[end-1] == '=' ||
		bytes.ContainsAny(s.text[i+1:end], "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
		s.take(i, end)
	}
}
