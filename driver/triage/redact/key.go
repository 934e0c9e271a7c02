package redact

import (
	"bytes"
	"strings"
)

// separator is what parts a key from its value.
type separator uint8

const (
	noSeparator separator = iota
	equals                // = => := ==
	colon                 // :
	element               // <key>value</
	tuple                 // "key", "value"
	pair                  // name: key, value: value
	is                    // key is value
	beside                // key 'value', key value
	option                // --key value
	part                  // name="key", a blank line, value
	segment               // /key/value
)

// key is a name and where it stands.
type key struct {
	from, to  int
	kind      kind
	alone     bool // it is one word: "pass", not "smtp_pass"
	quoted    bool // it has quotes of its own
	enclosed  byte // the quote in front of it, if that is not its own
	enclosing int  // that quote's backslashes
	sep       separator
	spaced    bool // there was a blank behind the separator
	query     bool // it is one of a URL's query
	flag      bool // hyphens stand before it
}

// maxName bounds a name to each side of where it is recognised.
const maxName = 64

// name looks at the name around a keyword, and takes its value.
func (s *scanner) name(at int) {
	if at < s.named {
		return
	}
	k := s.nameAt(at)
	s.named = k.to
	before := ""
	if s.at(k.from-1) == ' ' && (s.has(k.from, "key") || s.has(k.from, "code")) {
		before = s.wordBefore(k.from - 1)
	}
	k.kind, k.alone = recall(s.text[k.from:k.to], before)
	if k.kind == none {
		return
	}
	k.kind = s.together(&k)
	s.reaching = s.reaching || k.to-k.from > 32
	v := s.separated(&k)
	if k.sep == noSeparator {
		return
	}
	k.query = s.at(k.from-1) == '?' || s.at(k.from-1) == '&' || s.at(k.from-1) == ';' && k.sep == equals
	if k.kind == codeName || k.kind == cardName {
		if k.kind == cardName || !k.query {
			return
		}
		k.kind = random
	}
	s.value(v, &k)
}

// nameAt returns the name around a place.
func (s *scanner) nameAt(at int) key {
	k := key{from: at, to: at}
	for at-k.from < maxName {
		n := s.letterBefore(k.from)
		if n == 0 || k.from-n < s.named {
			break
		}
		k.from -= n
	}
	for k.to-at < maxName {
		n := s.letterAt(k.to)
		if n == 0 {
			break
		}
		k.to += n
	}
	if k.to == at { // the keyword begins with what is no letter
		for k.to-at < 3 && s.letterAt(k.to) == 0 {
			k.to++
		}
	}
	s.work += k.to - k.from
	for k.to > k.from && (s.text[k.to-1] == '.' || s.text[k.to-1] == '-') {
		k.to--
	}
	for k.from < k.to && (s.text[k.from] == '-' || s.text[k.from] == '.') {
		k.flag = k.flag || s.text[k.from] == '-'
		k.from++
	}
	if s.at(k.from-1) == '\\' && k.from < k.to && strings.IndexByte("nrt", s.text[k.from]) >= 0 {
		k.from++ // an escaped line's end
	}
	if c := s.at(k.from - 1); c == '"' || c == '\'' || c == '`' {
		k.enclosed = c
		for k.enclosing < maxBackslashes && s.at(k.from-2-k.enclosing) == '\\' {
			k.enclosing++
		}
	}
	return k
}

// wordBefore returns the word that ends at i, in small letters.
func (s *scanner) wordBefore(i int) string {
	if i < 0 {
		return ""
	}
	from := i
	for i-from < 24 && from > 0 && alnumClass[s.text[from-1]] {
		from--
	}
	return strings.ToLower(string(s.text[from:i]))
}

// together extends a name by a further word: "session id", "card number", "seed phrase".
func (s *scanner) together(k *key) kind {
	if s.at(k.to) != ' ' {
		return k.kind
	}
	end := s.run(k.to+1, &letterClass, 10)
	name, next := strings.ToLower(string(s.text[k.from:k.to])), strings.ToLower(string(s.text[k.to+1:end]))
	switch {
	case next == "id" && strings.HasPrefix(name, "sess"), next == "phrase", next == "cookie", next == "string" &&
		k.kind == secret,
		next == "value" && k.kind != random && s.at(k.to+1) == 'v',
		next == "code" && (codeOf[name] || k.kind == number):
		k.to = end
		if k.kind == random || k.kind == number {
			return secret
		}
		if next == "phrase" {
			return phrase
		}
	case name == "social" && next == "security":
		k.to = s.run(end+1, &letterClass, 8)
		return number
	case next == "number" && (k.kind == cardName || k.kind == number || name == "security"):
		k.to = end
		return number
	}
	return k.kind
}

var directives = wordSet(`requirepass masterauth bindpw rootpw auth_pass rpcpassword
	aws_secret_access_key aws_session_token`)

// spoken finds a value in prose: "password is X", "API key provided: X", "token X".
func (s *scanner) spoken(k *key, q int) int {
	if c := s.at(q); c == '"' || c == '\'' || c == '`' || c == '\\' && s.at(s.backslashes(q)) == '"' ||
		s.quotePrefix(q) > 0 {
		k.sep = beside
		return q
	}
	if k.kind != phrase && k.kind != secret && k.kind != number {
		return 0
	}
	p := q
	for n := range 5 {
		if s.at(p) == '(' { // (for bob)
			i := bytes.IndexByte(s.text[p:min(len(s.text), p+40)], ')')
			if i < 0 {
				break
			}
			p = s.blanks(p + i + 1)
		}
		end := p
		for end-p < 24 && s.letterAt(end) > 0 {
			end += s.letterAt(end)
		}
		word := strings.ToLower(string(s.text[p:end]))
		if n > 0 && k.kind == phrase && s.at(p) == '\'' {
			if v := s.afterAccount(p); v > 0 { // SET PASSWORD FOR 'bob'@'%' = 'X'
				k.sep = equals
				return v
			}
		}
		if isWords[word] || word == "to" && n > 0 || word == "=" {
			v := end
			if s.at(v) == ':' {
				v++
			}
			if v = s.blanks(v); v > end {
				k.sep, k.spaced = is, word != "to" // what is set to something has a look of its own
				return v
			}
			return 0
		}
		if n > 0 && innocent[word] && !linkWords[word] && s.at(end) == ':' {
			return 0 // password hash algorithm: argon2id
		}
		if n > 0 && (s.at(end) == ':' && s.at(end+1) == ' ' || s.at(end) == '=') && end > p {
			v := s.blanks(end + 1)
			k.sep, k.spaced = is, false
			return v
		}
		if n == 0 && !linkWords[word] || end == p {
			break
		}
		p = s.blanks(end)
	}
	if v := s.announced(k, q); v > 0 {
		k.sep, k.spaced = is, true
		return v
	}
	k.sep = beside
	return q
}

// afterAccount returns the place behind 'name'@'host' = that begins at p, 0 for none.
func (s *scanner) afterAccount(p int) int {
	for range 2 {
		end := p + 1
		for end-p < maxName && end < len(s.text) && s.text[end] != '\'' {
			end++
		}
		p = end + 1
		if s.at(p) != '@' || s.at(p+1) != '\'' {
			break
		}
		p++
	}
	s.work += maxName
	if p = s.blanks(p); s.at(p) != '=' {
		return 0
	}
	return s.blanks(p + 1)
}

// announced returns where a value begins that a sentence about a password ends in:
// "use this password to proceed to installation: 8d3a2c1f0a6f5b1c".
func (s *scanner) announced(k *key, q int) int {
	if k.kind != phrase {
		return 0
	}
	p := q
	for p-q < 48 && (letterClass[s.at(p)] || s.at(p) == ' ') {
		p++
	}
	s.work += p - q
	if s.at(p) != ':' {
		return 0
	}
	v := s.blanks(p + 1)
	for n := s.newline(v); n > 0 && v-p < 8; n = s.newline(v) {
		v = s.blanks(v + n)
	}
	end := v
	for end-v < maxName && end < len(s.text) && !spaceClass[s.text[end]] {
		end++
	}
	s.work += end - v
	if v == p+1 || !looksRandom(s.text[v:end]) {
		return 0
	}
	return v
}

// isWords are "is" in some languages.
var isWords = wordSet(`is was are lautet ist war est era es è é er är jest is: это`)

// linkWords may stand between a name and the words or signs before its value.
var linkWords = wordSet(`for of set changed reset updated used provided given sent entered
	received supplied tried value string hash generated created issued as is was rotated`)
