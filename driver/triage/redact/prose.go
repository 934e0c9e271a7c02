package redact

import (
	"bytes"
	"strings"
)

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
		if stateOf[word] || stateWords[word] || k.kind != number && (strings.HasSuffix(word, "ed") ||
			strings.HasSuffix(word, "ing")) && !hasDigit(w) ||
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
			if i := bytes.IndexAny(w, "/?#"); i >= 12 && (k.kind == phrase ||
				k.kind == secret) && looksRandom(w[:i]) {
				s.take(v, v+i)
			}
			return
		}
		if looksRandom(w) {
			s.take(v, end)
		}
	default:
		if k.kind == number {
			if digits := len(bytes.Trim(w, "0123456789")) == 0; len(w) == len("078-05-1120") && w[3] == '-' &&
				w[6] == '-' || digits && len(w) >= 4 && len(w) <= 8 {
				s.accept(v, end, k, false)
			}
			return
		}
		if len(w) >= 10 && odd(w) && s.at(v-1) == '\t' {
			s.take(v, end)
		} else if k.kind == phrase && s.said(w, k) ||
			len(w) >= 10 && looksRandom(w) && !bytes.ContainsAny(w, "=:/") || len(w) >= 16 && looksRandom(w) {
			s.take(v, end)
		}
	}
}

// said reports whether a word behind "with password" is one: it has digits or signs, and is
// no name of an algorithm.
func (s *scanner) said(w []byte, k *key) bool {
	return len(w) >= 5 && odd(w) && hasDigit(w) && !bytes.ContainsAny(w, "=:/.()") &&
		(withWords[s.wordBeforeName(k)] || s.at(k.from-1) == '(') &&
		!algorithms[strings.ToLower(string(w[:min(len(w), 16)]))]
}

var (
	withWords = wordSet(`with using tried sent entered used try wrong bad incorrect new old
	default temporary initial generated their his her my your`)
	algorithms = wordSet(`md5 sha1 sha256 sha384 sha512 sha-1 sha-256 base64 argon2 argon2i
	argon2id bcrypt pbkdf2 scrypt oauth2 utf8 utf-8 ntlmv2 pkcs12 pkcs8 hmac-sha256`)
)

// refuses says whether a quoted text beside a name is not its value: a parser's token, an
// object's name.
func (s *scanner) refuses(k *key, in []byte) bool {
	switch s.wordBeforeName(k) {
	case "unexpected", "illegal", "invalid", "missing", "expected", "unknown", "bad", "no":
		return k.kind != phrase && !looksRandom(in)
	}
	return k.kind != phrase && k.kind != number && !looksRandom(in) ||
		k.kind == phrase && bytes.IndexByte(in, ' ') >= 0 && sentence(in)
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
