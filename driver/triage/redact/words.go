package redact

import (
	"bytes"
	"strings"
)

// trivial values say that there is no secret, or are put in its place.
var trivialWords = wordSet(`null nil none undefined true false ja nein oui non si sí yes no on off
	empty unset missing present provided redacted filtered masked hidden omitted removed censored unknown
	string str text varchar bytes bytea int integer bool boolean object any char number float required
	optional n/a na default ok failed passed expired invalid valid basic oidc oauth oauth2 ldap saml digest
	negotiate same-origin include omit &str string? option<string> optional[str] secretstr securestring char[]`)

// stateWords begin a sentence about a secret that does not say it: "password: must
// have 8 letters".
var stateWords = wordSet(`must should shall can can't cannot can’t may might is isn't isn’t was
	were are has have had does doesn't doesn’t did do will would won't required invalid unexpected expected
	missing not no failed failure failing error errors too field value this that these those the a an cannot
	could couldn't unable unknown unsupported expired mismatch mismatched please need needs needed requires
	request requested signature malformed illegal incorrect wrong verification validation authentication
	authorization permission denied forbidden unauthorized rejected rejecting refused revoked undefined null
	nil none parsing parse decode decoding decrypt decrypting encountered insufficient updated changed
	password passwords user line does already never only still cryptographic could minimum maximum at least
	length contains contain used use using because`)

// stateOf are words behind "password is" that are no password.
var stateOf = wordSet(`required invalid incorrect wrong expired missing empty blank null nil
	none weak strong too not no a an the in on at being now already about used stored set unset ok valid
	good bad correct needed mandatory optional hashed encrypted visible hidden same different identical
	unknown available unavailable deprecated supported unsupported disabled enabled changed unchanged reset
	short long unsafe common compromised leaked protected never still only also out outdated stale old new
	malformed readable known rejected accepted refused denied absent present defined undefined configured
	unauthorized forbidden refreshed revoked for from to with without stateless opaque issued it this that
	case-sensitive complex simple longer shorter more less mine yours theirs longest secret private public
	limited active inactive falsch ungültig richtig leer korrekt abgelaufen gültig nicht zu vergessen
	incorrecte incorrecta incorreta incorreto errada oublié obligatoire vereist verlopen ongeldig неверный
	always usually often both neither nor and or but as by of per unique ready there here true false
	insecure secure sensitive`)

// unquote takes quotes, backslashes and blanks from the ends.
func unquote(v []byte) []byte {
	for len(v) > 0 && quoteClass[v[0]] {
		v = v[1:]
	}
	for len(v) > 0 && quoteClass[v[len(v)-1]] {
		v = v[:len(v)-1]
	}
	return v
}

var (
	quoteClass  = classOf(" \t\r\n\\\"'`")
	closerClass = classOf(",;.)}]>")
	openerClass = classOf("([{<")
)

// trivialValue reports whether a value is no secret: empty, a placeholder, a word such
// as null, or what another redactor has left.
func trivialValue(v []byte) bool {
	v = unquote(v)
	if bytes.HasPrefix(v, []byte("{{")) && bytes.HasSuffix(v, []byte("}}")) ||
		bytes.HasPrefix(v, []byte("((")) && bytes.HasSuffix(v, []byte("))")) {
		return true
	}
	for len(v) > 0 && closerClass[v[len(v)-1]] {
		v = v[:len(v)-1]
	}
	for len(v) > 0 && openerClass[v[0]] {
		v = v[1:]
	}
	if len(v) == 0 || bytes.HasPrefix(v, []byte(Mark[1:len(Mark)-1])) {
		return true
	}
	if c := v[0]; digitClass[c] || len(v) > 16 && letterClass[c] && c != 'x' && c != 'X' {
		return false
	}
	if len(v) <= 16 && trivialWords[strings.ToLower(string(v))] {
		return true
	}
	if len(bytes.Trim(v, "*.-_•●#…?")) == 0 || len(v) > 2 && (len(bytes.Trim(v, "x*")) == 0 ||
		len(bytes.Trim(v, "X*")) == 0) {
		return true
	}
	return placeholder(v)
}

// placeholder reports whether a value stands for one: $1, ${NAME}, %s, {{ name }}, :name.
func placeholder(v []byte) bool {
	s := string(v)
	switch {
	case strings.HasPrefix(s, "$") && len(s) > 1 && strings.Trim(s[1:], "0123456789") == "",
		strings.HasPrefix(s, "${"), strings.HasPrefix(s, "$("), strings.HasPrefix(s, "{{"), strings.HasPrefix(s,
			"<%"),
		len(s) == 2 && s[0] == '%', s == "%[1]s", s == "?":
		return true
	case s[0] == '$' && len(s) > 2 && strings.Trim(s[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "":
		return true
	}
	return false
}

// sentence reports whether the words of a value are about a secret.
func sentence(v []byte) bool {
	v = unquote(v)
	first, rest, more := bytes.Cut(v, []byte(" "))
	w := strings.ToLower(string(bytes.TrimRight(first, ",.;:)")))
	return stateWords[w] && (!more || len(bytes.TrimSpace(rest)) > 0)
}

// looksRandom reports whether a value looks as if chance had made it: no blank, long, and
// letters and digits that alternate, or hexadecimal digits, or capital and small letters.
func looksRandom(v []byte) bool {
	v = unquote(v)
	if len(v) < 8 || uuidLike(v) {
		return false
	}
	v = bytes.TrimPrefix(v, []byte("s:"))                         // signed, says Express
	if i := bytes.LastIndexByte(v, ':'); i > 0 && len(v)-i > 20 { // an id and its secret
		return looksRandom(v[i+1:])
	}
	n, ok := countKinds(v)
	if !ok || n.odd > len(v)/4 {
		return false
	}
	mixed := n.digits > 0 && n.letters > 0
	switch {
	case n.hexes == len(v) && len(v) >= 12 && mixed:
		return true
	case bytes.IndexByte(v, ':') >= 0, n.slashes > 2, len(v) > 0 && (v[0] == '/' || v[0] == '.'):
		return len(v) >= 40 && n.turns >= 12 && n.slashes < 4 && n.wordy*4 < len(v)
	case mixed && n.turns >= 3:
		return n.wordy*2 < len(v) || n.wordy*2 == len(v) && len(v) > 8 || len(v) >= 20 && n.turns >= 6
	case mixed && len(v) >= 16:
		return !bytes.ContainsAny(v, "-._")
	case n.digits == 0 && len(v) >= 20:
		return n.turns >= 8 && n.capitals >= 4 && n.wordy*2 < len(v)
	}
	return false
}

// kinds counts what a value is made of.
type kinds struct {
	digits, letters, capitals, hexes, slashes int
	odd                                       int // signs that tokens do not have
	turns                                     int // from a digit, a small or a capital letter to another of these
	wordy                                     int // small letters of which four or more stand together
}

// countKinds counts, and returns false if there are blanks.
func countKinds(v []byte) (n kinds, ok bool) {
	run := 0
	var was byte
	for _, c := range v {
		var is byte
		switch {
		case digitClass[c]:
			n.digits++
			is = 'd'
		case 'a' <= c && c <= 'z':
			n.letters++
			is = 'a'
		case 'A' <= c && c <= 'Z':
			n.letters++
			n.capitals++
			is = 'A'
		case c == '/':
			n.slashes++
		case spaceClass[c]:
			return n, false
		case !tokenClass[c] && c != '%' && c != ':' && c != '|' && c != '$' && c != '!':
			n.odd++
		}
		if hexClass[c] {
			n.hexes++
		}
		if is == 'a' {
			run++
		} else {
			n.endRun(&run)
		}
		if is != 0 && was != 0 && is != was {
			n.turns++
		}
		was = is
	}
	n.endRun(&run)
	return n, true
}

func (n *kinds) endRun(run *int) {
	if *run >= 4 {
		n.wordy += *run
	}
	*run = 0
}

// uuidLike reports whether v is 8-4-4-4-12 hexadecimal digits.
func uuidLike(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (c == '-') || !hyphen && !hexClass[c] {
			return false
		}
	}
	return true
}
