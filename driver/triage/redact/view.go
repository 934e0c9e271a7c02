package redact

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// maxViews is how often a text is decoded: what was encoded more often stays.
const maxViews = 3

// decode undoes one layer of encoding: %41, \u0041, \x41, \/, &quot;, and the colours of
// a terminal, which it drops. It returns what is left and, for each byte of it and its
// end, the place in the text; nil if nothing is encoded.
func decode(text []byte) (view []byte, pos []int) {
	if !encoded(text) {
		return nil, nil
	}
	first := 0
	for ; first < len(text); first++ {
		if size, _ := decodeAt(text[first:]); size > 0 {
			break
		}
	}
	if first == len(text) {
		return nil, nil
	}
	view = append(make([]byte, 0, len(text)), text[:first]...)
	pos = make([]int, first, len(text)+1)
	for i := range pos {
		pos[i] = i
	}
	for i := first; i < len(text); {
		size, with := decodeAt(text[i:])
		if size == 0 {
			view, pos = append(view, text[i]), append(pos, i)
			i++
			continue
		}
		for j := range len(with) {
			view, pos = append(view, with[j]), append(pos, i)
		}
		i += size
	}
	return view, append(pos, len(text))
}

// decodeAt returns how many bytes at the start of a text are an encoding, and of what.
func decodeAt(t []byte) (int, string) {
	switch t[0] {
	case '%':
		return percent(t)
	case '\\':
		return escape(t)
	case '&':
		return entity(t)
	case 0x1b:
		return colour(t), ""
	}
	return 0, ""
}

func encoded(text []byte) bool {
	return bytes.IndexByte(text, '%') >= 0 || bytes.IndexByte(text, 0x1b) >= 0 ||
		bytes.IndexByte(text, '\\') >= 0 ||
		bytes.Contains(text, []byte("&#")) || bytes.IndexByte(text, '&') >= 0 && bytes.IndexByte(text, ';') >= 0
}

// compose makes of the places of a view's view those in the text.
func compose(first, second []int) []int {
	if first == nil {
		return second
	}
	for i, at := range second {
		second[i] = first[at]
	}
	return second
}

func percent(t []byte) (int, string) {
	if len(t) < 3 || !hexClass[t[1]] || !hexClass[t[2]] {
		return 0, ""
	}
	c := unhex(t[1])<<4 | unhex(t[2])
	return 3, string([]byte{c})
}

// escape decodes \uXXXX, \xXX and \/ with any number of backslashes.
func escape(t []byte) (int, string) {
	n := 0
	for n < len(t) && n < maxBackslashes && t[n] == '\\' {
		n++
	}
	if n == len(t) {
		return 0, ""
	}
	digits := 0
	switch t[n] {
	case '/':
		return n + 1, "/"
	case 'u':
		digits = 4
	case 'x':
		digits = 2
	case '0', 'e':
		if m := colour(append([]byte{0x1b}, t[n+1:min(len(t), n+16)]...)); m > 0 && t[n] == 'e' {
			return n + m, ""
		}
		if bytes.HasPrefix(t[n:], []byte("033[")) {
			return n + 3, "\x1b"
		}
		return 0, ""
	default:
		return 0, ""
	}
	if len(t) < n+1+digits {
		return 0, ""
	}
	r := rune(0)
	for _, c := range t[n+1 : n+1+digits] {
		if !hexClass[c] {
			return 0, ""
		}
		r = r<<4 | rune(unhex(c))
	}
	if digits == 2 {
		return n + 3, string([]byte{byte(r)})
	}
	return n + 5, string(r)
}

var entities = map[string]string{
	"quot": `"`, "amp": "&", "lt": "<", "gt": ">", "apos": "'", "nbsp": "\u00a0", "colon": ":", "equals": "=",
	"commat": "@", "sol": "/",
}

func entity(t []byte) (int, string) {
	end := bytes.IndexByte(t[:min(len(t), 10)], ';')
	if end < 2 {
		return 0, ""
	}
	name := string(t[1:end])
	if with, known := entities[name]; known {
		return end + 1, with
	}
	if name[0] != '#' || len(name) < 2 {
		return 0, ""
	}
	base, digits := 10, name[1:]
	if digits[0]|0x20 == 'x' {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil || !utf8.ValidRune(rune(n)) {
		return 0, ""
	}
	return end + 1, string(rune(n))
}

// colour returns how many bytes are a terminal's "select graphic rendition".
func colour(t []byte) int {
	if len(t) < 3 || t[1] != '[' {
		return 0
	}
	for i := 2; i < len(t) && i < 24; i++ {
		switch c := t[i]; {
		case c == 'm' || c == 'K':
			return i + 1
		case !digitClass[c] && c != ';':
			return 0
		}
	}
	return 0
}

func unhex(c byte) byte {
	if digitClass[c] {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
