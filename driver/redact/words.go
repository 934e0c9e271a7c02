package redact

import (
	"bytes"
	"strings"
)

// trivial values say that there is no secret, or are put in its place.
var trivialWords = wordSet(`null nil none undefined true false ja nein oui non si sí yes no on off empty unset missing present provided
	redacted filtered masked hidden omitted removed censored unknown string str text varchar bytes bytea int
	integer bool boolean object any char number float required optional n/a na default ok failed passed expired
	invalid valid basic oidc oauth oauth2 ldap saml digest negotiate`)

// stateWords begin a sentence about a secret that does not say it: "password: must
// have 8 letters".
var stateWords = wordSet(`must should shall can can't cannot can’t may might is isn't isn’t was were are has have had does doesn't
	doesn’t did do will would won't required invalid unexpected expected missing not no failed failure failing
	error errors too field value this that these those the a an cannot could couldn't unable unknown unsupported
	expired mismatch mismatched please need needs needed requires request requested signature malformed illegal
	incorrect wrong verification validation authentication authorization permission denied forbidden unauthorized
	rejected rejecting refused revoked undefined null nil none parsing parse decode decoding decrypt decrypting
	encountered insufficient updated changed password passwords user line does already never only still
	cryptographic could minimum maximum at least length contains contain used use using because`)

// stateOf are words behind "password is" that are no password.
var stateOf = wordSet(`required invalid incorrect wrong expired missing empty blank null nil none weak strong too not no a an the in
	on at being now already about used stored set unset ok valid good bad correct needed mandatory optional hashed
	encrypted visible hidden same different identical unknown available unavailable deprecated supported
	unsupported disabled enabled changed unchanged reset short long unsafe common compromised leaked protected
	never still only also out outdated stale old new malformed readable known rejected accepted refused denied
	absent present defined undefined configured unauthorized forbidden refreshed revoked for from to with without
	stateless opaque issued it this that case-sensitive complex simple longer shorter more less mine yours theirs
	longest secret private public limited active inactive falsch ungültig richtig leer korrekt abgelaufen gültig
	nicht zu vergessen incorrecte incorrecta incorreta incorreto errada oublié obligatoire vereist verlopen
	ongeldig неверный always usually often both neither nor and or but as by of per unique ready there here true
	false insecure secure sensitive`)

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
	if len(bytes.Trim(v, "*.-_•●#…?")) == 0 || len(v) > 2 && (len(bytes.Trim(v, "x*")) == 0 || len(bytes.Trim(v, "X*")) == 0) {
		return true
	}
	return placeholder(v)
}

// placeholder reports whether a value stands for one: $1, ${NAME}, %s, {{ name }}, :name.
func placeholder(v []byte) bool {
	s := string(v)
	switch {
	case strings.HasPrefix(s, "$") && len(s) > 1 && strings.Trim(s[1:], "0123456789") == "",
		strings.HasPrefix(s, "${"), strings.HasPrefix(s, "$("), strings.HasPrefix(s, "{{"), strings.HasPrefix(s, "<%"),
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
	digits, letters, capitals, smalls, turns, hexes, slashes, odd := 0, 0, 0, 0, 0, 0, 0, 0
	wordy, runLen := 0, 0
	var was byte
	for _, c := range v {
		var is byte
		switch {
		case digitClass[c]:
			digits++
			is = 'd'
		case 'a' <= c && c <= 'z':
			letters++
			smalls++
			is = 'a'
		case 'A' <= c && c <= 'Z':
			letters++
			capitals++
			is = 'A'
		case c == '/':
			slashes++
		case c == ' ' || c == '\t' || c == '\n':
			return false
		case !tokenClass[c] && c != '%' && c != ':' && c != '|' && c != '$' && c != '!':
			odd++
		}
		if is == 'a' {
			runLen++
		} else {
			if runLen >= 4 {
				wordy += runLen
			}
			runLen = 0
		}
		if hexClass[c] {
			hexes++
		}
		if is != 0 && was != 0 && is != was {
			turns++
		}
		was = is
	}
	if runLen >= 4 {
		wordy += runLen
	}
	if odd > len(v)/4 {
		return false
	}
	switch {
	case hexes == len(v) && len(v) >= 12 && digits > 0 && letters > 0:
		return true
	case bytes.IndexByte(v, ':') >= 0, slashes > 2, v[0] == '/', v[0] == '.':
		return len(v) >= 40 && turns >= 12 && slashes < 4 && wordy*4 < len(v)
	case digits > 0 && letters > 0 && turns >= 3:
		return wordy*2 < len(v) || wordy*2 == len(v) && len(v) > 8 || len(v) >= 20 && turns >= 6
	case digits > 0 && letters > 0 && len(v) >= 16:
		return turns >= 1 && bytes.IndexByte(v, '-') < 0 && bytes.IndexByte(v, '.') < 0 && bytes.IndexByte(v, '_') < 0
	case digits == 0 && len(v) >= 20:
		return turns >= 8 && capitals >= 4 && wordy*2 < len(v)
	case letters == 0:
		return false
	}
	return false
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
