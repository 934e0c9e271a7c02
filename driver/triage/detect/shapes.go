package detect

import "bytes"

// This file knows words by their shape: keys, addresses, durations.

// isDuration reports whether a word is a number with a unit of time: "1.2ms".
func isDuration(word []byte) bool {
	i := 0
	for i < len(word) && (digit(word[i]) || word[i] == '.') {
		i++
	}
	if i == 0 || i == len(word) || !digit(word[0]) {
		return false
	}
	switch word[i] {
	case 'n', 'm', 's', 'u', 'h', 0xc2, 0xce: // "ns", "µs" in either spelling, "1h2m"
		return !bytes.ContainsAny(word[i:], ":/=")
	}
	return false
}

func isKeyByte(c byte) bool { return alnum(c) || c == '_' || c == '-' || c == '.' || c == '@' }

// keyOf cuts what stands before a key: "request{method" is "method".
func keyOf(b []byte) []byte {
	i := len(b)
	for i > 0 && isKeyByte(b[i-1]) {
		i--
	}
	return b[i:]
}

// keyFollows reports whether b begins with "key=".
func keyFollows(b []byte) bool {
	i := 0
	for i < len(b) && i < 32 && isKeyByte(b[i]) {
		i++
	}
	return i > 0 && i < len(b) && b[i] == '='
}

// host returns the length of a host that begins at b[i] and has a path behind
// it, as "api.example.com/users" has; 0 for none.
func host(b []byte, i int) int {
	from, dot := i, false
	for i < len(b) && i < from+253 && (alnum(b[i]) || b[i] == '.' || b[i] == '-' || b[i] == ':') {
		dot = dot || b[i] == '.' && i > from && alnum(b[i-1])
		i++
	}
	if i == from || i == len(b) || b[i] != '/' || !alnum(b[from]) ||
		!dot && !bytes.HasPrefix(b[from:], []byte("localhost")) {
		return 0
	}
	if bytes.HasPrefix(b[i:], []byte("//")) {
		return 0 // a scheme
	}
	return i - from
}

// addressed reports whether an address is at b[i]: "10.0.0.1", "[::1]:80".
func addressed(b []byte, i int) bool {
	end := wordEnd(b[:min(len(b), i+2*maxKey)], i)
	return i < end &&
		(b[i] == '[' || digit(b[i]) || bytes.IndexByte(b[i:end], '.') > 0 || bytes.IndexByte(b[i:end], ':') > 0)
}

// isAmount reports whether a value is a number, with a unit of time or without.
func isAmount(value []byte) bool {
	return isDuration(value) || all(value, func(c byte) bool { return digit(c) || c == '.' })
}

// durationAt reports whether a duration is at b[i]: "12ms", "12 ms", "1.5".
func durationAt(b []byte, i int) bool {
	end := wordEnd(b[:min(len(b), i+maxKey)], i)
	word := trim(b[i:end])
	if isDuration(word) {
		return true
	}
	if !all(word, func(c byte) bool { return digit(c) || c == '.' }) {
		return false
	}
	at := skipSpace(b, end)
	unit := trim(b[at:wordEnd(b[:min(len(b), at+maxKey)], at)])
	return len(unit) == 0 || means(unit, timeUnits)
}

// addressFollows reports whether the next word may be an address, as "10.0.0.1",
// or a request in quotes.
func addressFollows(b []byte, i int) bool {
	at := skipSpace(b, i)
	if at < len(b) && b[at] == '"' {
		return true // the request, as a rule
	}
	word := b[at:wordEnd(b, at)]
	return len(word) > 2 && bytes.ContainsAny(word, ".:") &&
		all(word, func(c byte) bool { return digit(c) || c == '.' || c == ':' || lower(c) >= 'a' && lower(c) <= 'f' })
}
