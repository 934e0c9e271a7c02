package redact

import "strings"

// separated finds the separator behind a name and returns where the value begins.
func (s *scanner) separated(k *key) int {
	p := k.to
	if end := s.backslashes(p); s.at(end) == '"' || s.at(end) == '\'' || s.at(end) == '`' {
		if k.enclosed == s.at(end) {
			k.quoted, k.enclosed = true, 0
		}
		p = end + 1
	}
	for n := 0; n < 3 && s.at(p) == ']'; n++ {
		p++
	}
	if c := s.at(p); k.quoted && s.at(p-1) == ']' && c != 0 && c == s.at(k.from-1) {
		p++
	}
	if p < len(s.text) && s.text[p] == '>' {
		return s.elementAt(k, p)
	}
	q := s.blanks(p)
	if v := s.sign(k, q); k.sep != noSeparator {
		return v
	}
	if v := s.nested(k, p, q); k.sep != noSeparator {
		return v
	}
	if q > p && !k.flag {
		k.flag = s.isDirective(k)
	}
	if k.flag && (q > p || s.at(p) == ',') {
		k.sep = option
		if s.at(q) == ',' {
			q = s.blanks(q + 1)
		}
		return q
	}
	if s.at(k.from-1) == '<' || s.at(k.from-1) == ':' {
		if end := s.tagEnd(p); end > 0 {
			return s.elementAt(k, end)
		}
	}
	if c := s.at(p + 1 + s.quotePrefix(p+1)); s.at(p) == '(' && !asks(s.text[k.from:k.to]) && (c == '"' || c == '\'') &&
		(k.kind == phrase ||
			k.kind == secret) {
		k.sep = option
		return p + 1
	}
	if s.at(p) == '/' && s.at(k.from-1) != '.' {
		k.sep = segment
		return p + 1
	}
	if q > p && !k.quoted {
		return s.spoken(k, q)
	}
	return 0
}

// asks reports whether a name is that of a function whose argument is no secret: getToken.
func asks(name []byte) bool {
	first, _, _ := strings.Cut(strings.ToLower(string(name[:min(len(name), 6)])), "_")
	for _, w := range [...]string{"get", "has", "is", "find", "ask", "read", "load", "need"} {
		if strings.HasPrefix(first, w) {
			return true
		}
	}
	return false
}

// isDirective reports whether a value stands behind a name and a blank: in the files of
// Redis, LDAP, and in .netrc: login bob password X.
func (s *scanner) isDirective(k *key) bool {
	name := strings.ToLower(string(s.text[k.from:k.to]))
	if directives[name] {
		return true
	}
	if name != "password" && name != "passwd" || s.at(k.from-1) != ' ' {
		return false
	}
	i := k.from - 1
	for n := 0; i > 0 && s.text[i-1] != ' ' && n < 64; n++ {
		i--
	}
	switch s.wordBefore(i - 1) {
	case "login", "user", "username", "account":
		return s.at(i-1) == ' '
	}
	return false
}

// sign finds a separator that is a sign.
func (s *scanner) sign(k *key, q int) int {
	switch {
	case s.exact(q, "->") && !k.quoted: // odd words only: it is an operator of C as well
		if q == k.to || s.at(q+2) != ' ' {
			return 0
		}
		k.sep = is
		return s.blanks(q + 2)
	case s.exact(q, "=>"), s.exact(q, ":="), s.exact(q, "=="), s.exact(q, "->"):
		k.sep = equals
		q += 2
		if s.at(q) == '=' {
			q++
		}
	case s.at(q) == '=' && s.at(q+1) != '~':
		k.sep = equals
		q++
	case s.exact(q, ":: ") && q == k.to && (k.kind == phrase || k.kind == secret): // LDIF's base64
		k.sep = colon
		q += 2
	case s.exact(q, "::"), s.exact(q, "://"):
		return 0
	case s.at(q) == ':':
		if end := s.run(q+1, &letterClass, 24); end > q+1 && s.exact(end, " = ") { // Jwt:Key = X
			k.sep = equals
			q = end + len(" =")
			break
		}
		k.sep = colon
		q++
	case s.exact(q, "："), s.exact(q, "＝"):
		k.sep = colon
		q += len("：")
	case s.at(q) == '|' && q > k.to && s.at(k.from-1) == ' ' && s.at(k.from-2) == '|': // a table's row
		k.sep = is
		return s.blanks(q + 1)
	default:
		return 0
	}
	v := s.blanks(q)
	k.spaced = v > q
	return v
}

// nested finds a value that stands in a place of its own beside its name: in a tuple, as
// the value of a pair, behind the header of a form's part.
func (s *scanner) nested(k *key, p, q int) int {
	if k.quoted && s.at(q) == ',' {
		v := s.blanks(q + 1)
		n := s.quotePrefix(v)
		if c := s.at(s.backslashes(v + n)); (c == '"' || c == '\'') && (k.kind == header || k.kind == cookies ||
			s.opensTuple(k.from)) {
			k.sep = tuple
			return v
		}
	}
	if k.quoted && s.exact(p, ";s:") { // PHP's serialize: s:8:"password";s:6:"X";
		if end := s.run(p+len(";s:"), &digitClass, 8); s.at(end) == ':' && s.at(end+1) == '"' {
			k.sep = tuple
			return end + 1
		}
	}
	if s.at(p) == ',' && s.at(k.from-1) == '{' && s.at(s.blanks(p+1)) == '"' { // Erlang
		k.sep = tuple
		return s.blanks(p + 1)
	}
	if s.at(p) == ',' && s.exact(s.blanks(p+1), `<<"`) {
		k.sep = tuple
		return s.blanks(p+1) + len("<<")
	}
	if s.exact(p, "</") && s.at(k.from-1) == '>' { // <key>NAME</key><string>VALUE</string>
		if end := s.tagEnd(p + 2); end > 0 {
			for end++; spaceClass[s.at(end)]; {
				end++
			}
			if end = s.tagEnd(end + 1); end > 0 {
				k.sep = element
				return end + 1
			}
		}
	}
	// name: KEY, value: VALUE
	w := p
	for w-p < 48 && w < len(s.text) && (strings.IndexByte(" \t\r\n,;\"'\\}{/", s.text[w]) >= 0 ||
		s.text[w] == 'n' && s.text[w-1] == '\\' && s.at(w+1) == ' ') {
		w++
	}
	s.work += w - p
	if w > p || k.quoted {
		for _, word := range [...]string{"value", "val", "content", "data", "default"} {
			if !s.has(w, word) || letterClass[s.at(w+len(word))] {
				continue
			}
			end := w + len(word)
			if e := s.backslashes(end); s.at(e) == '"' || s.at(e) == '\'' {
				end = e + 1
			}
			pairKey := *k
			if v := s.sign(&pairKey, s.blanks(end)); pairKey.sep != noSeparator {
				k.sep, k.spaced = pair, pairKey.spaced
				return v
			}
		}
	}
	if k.quoted && s.at(k.from-2-k.enclosing) == '=' || s.at(k.from-1) == '=' {
		if s.at(q) == '>' {
			return s.elementAt(k, q)
		}
		if v := s.blankLine(p); v > 0 {
			k.sep = part
			return v
		}
	}
	return 0
}

// opensTuple reports whether a quoted name that begins at from is a tuple's first.
func (s *scanner) opensTuple(from int) bool {
	i := from - 2
	for i >= 0 && from-i < 8 && (s.text[i] == '\\' || s.text[i] == ' ' || s.text[i] == 'b' || s.text[i] == 'u') {
		i--
	}
	return s.at(i) == '(' || s.at(i) == '[' || s.at(i) == '{'
}

// quotePrefix returns how many letters of a literal's type stand before its quote: b”, N”.
func (s *scanner) quotePrefix(i int) int {
	for n := range 3 {
		switch c := s.at(i + n); {
		case c == '"' || c == '\'' || c == '\\':
			return n
		case strings.IndexByte("bBuUrRfFN@L$", c) < 0 || c == 0:
			return 0
		}
	}
	return 0
}

// blankLine returns the end of the first blank line from i on, if it is near.
func (s *scanner) blankLine(i int) int {
	most := min(len(s.text), i+256)
	for from := i; from < most; from++ {
		if n := s.newline(from); n > 0 {
			if m := s.newline(from + n); m > 0 {
				s.work += from - i
				return from + n + m
			}
			from += n - 1
		}
	}
	s.work += most - i
	return 0
}

// tagEnd returns the > of an element whose name ends at i, if it is near.
func (s *scanner) tagEnd(i int) int {
	most := min(len(s.text), i+256)
	for p := i; p < most; p++ {
		switch s.text[p] {
		case '>':
			s.work += p - i
			if s.text[p-1] == '/' {
				return 0
			}
			return p
		case '<', '\n':
			s.work += p - i
			return 0
		}
	}
	s.work += most - i
	return 0
}

// elementAt makes the name that of an element whose content begins behind the > at p.
func (s *scanner) elementAt(k *key, p int) int {
	if s.at(p-1) == '/' || k.from < 1 {
		return 0
	}
	if c := s.at(k.from - 1); c != '<' && c != ':' && c != '"' && c != '\'' && !k.quoted && c != '=' {
		return 0
	}
	k.sep = element
	return p + 1
}
