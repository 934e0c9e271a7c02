package detect

import "bytes"

func digit(c byte) bool { return '0' <= c && c <= '9' }
func space(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func letter(c byte) bool {
	c |= 0x20
	return 'a' <= c && c <= 'z'
}
func alnum(c byte) bool { return digit(c) || letter(c) }

func lower(c byte) byte {
	if upper(c) {
		return c | 0x20
	}
	return c
}

func all(b []byte, is func(byte) bool) bool {
	for _, c := range b {
		if !is(c) {
			return false
		}
	}
	return len(b) > 0
}

// number reads three digits that can be a status, 100 to 599.
func number(b []byte) (int, bool) {
	if len(b) != 3 || b[0] < '1' || b[0] > '5' || !digit(b[1]) || !digit(b[2]) {
		return 0, false
	}
	return int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0'), true
}

// fold reports whether b begins with a lower-case word, in any case.
func fold(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := range len(word) {
		if lower(b[i]) != word[i] {
			return false
		}
	}
	return true
}

// foldIs reports whether b is a lower-case word, in any case.
func foldIs(b []byte, word string) bool { return len(b) == len(word) && fold(b, word) }

// wordSet is a set of lower-case words to look for, by their first letter.
type wordSet [256][]string

func newWordSet(words ...string) *wordSet {
	var s wordSet
	for _, w := range words {
		s[w[0]] = append(s[w[0]], w)
		if letter(w[0]) {
			s[w[0]-0x20] = s[w[0]]
		}
	}
	return &s
}

// contains reports whether b contains one of the words, in any case.
func contains(b []byte, words *wordSet) bool {
	looked(len(b))
	for i, c := range b {
		for _, w := range words[c] {
			if fold(b[i:], w) {
				return true
			}
		}
	}
	return false
}

// work counts the bytes that are looked at ahead of a walk, if a test asks for
// it: they must be in proportion to a line's length.
var work *int

func looked(n int) {
	if work != nil {
		*work += n
	}
}

// closing returns where the first quote q of b[i:] is that no backslash
// escapes, or -1.
func closing(b []byte, i int, q byte) int {
	for i < len(b) {
		j := bytes.IndexByte(b[i:], q)
		if j < 0 {
			looked(len(b) - i)
			return -1
		}
		looked(j)
		j += i
		slashes := 0
		for k := j - 1; k >= i && b[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return j
		}
		i = j + 1
	}
	return -1
}

// word returns the end of the run without blanks that begins at b[i].
func wordEnd(b []byte, i int) int {
	from := i
	for i < len(b) && !space(b[i]) {
		i++
	}
	looked(i - from)
	return i
}

// skipSpaceBack returns where the blanks before b[i] begin.
func skipSpaceBack(b []byte, i int) int {
	for i > 0 && space(b[i-1]) {
		i--
	}
	return i
}

func skipSpace(b []byte, i int) int {
	from := i
	for i < len(b) && space(b[i]) {
		i++
	}
	looked(i - from)
	return i
}

// trim cuts the punctuation around a word.
func trim(b []byte) []byte {
	for len(b) > 0 && opens(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && closes(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func opens(c byte) bool {
	switch c {
	case '(', '[', '{', '<', '"', '\'':
		return true
	}
	return false
}

func closes(c byte) bool {
	switch c {
	case ')', ']', '}', '>', '"', '\'', ',', ';', ':', '.':
		return true
	}
	return false
}

// reason reports whether words begin like the reason phrase of a status, as
// "Internal Server Error" or "SERVICE_UNAVAILABLE" do.
func reason(status int, words []byte) bool {
	var first string
	switch status {
	case 500:
		first = "internal"
	case 501:
		first = "not"
	case 502:
		first = "bad"
	case 503:
		first = "service"
	case 504:
		first = "gateway"
	case 505:
		first = "http"
	case 506:
		first = "variant"
	case 507:
		first = "insufficient"
	case 508:
		first = "loop"
	case 509:
		first = "bandwidth"
	case 510:
		first = "not"
	case 511:
		first = "network"
	default:
		// Below 500 a wrong guess costs nothing but a later rule's turn.
		return status < 500 && len(words) > 0 && upper(words[0])
	}
	return fold(words, first) && (len(words) == len(first) || !digit(words[len(first)])) || fold(words, "server error")
}
