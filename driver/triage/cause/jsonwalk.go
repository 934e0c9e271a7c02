package cause

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonField is a string, a number, or a word in a JSON text, with the keys that lead to it.
// Keys are in small letters, without "_", "-", and "@", and joined by dots: error.stacktrace.
// Elements of an array have the array's path.
type jsonField struct {
	path   string
	raw    string // a string's text between its quotes
	quoted bool
}

// What is read of a JSON text at most.
const (
	maxFields = 400
	maxDepth  = 10
)

// jsonWalker reads the fields of one JSON text, which may be cut off. What is no JSON ends
// the walk: it is not reported, since the fields before it are of use.
type jsonWalker struct {
	text   string
	i      int
	fields []jsonField
}

func jsonFieldsOf(text string) []jsonField {
	w := jsonWalker{text: text}
	w.value("", 0)
	return w.fields
}

func (w *jsonWalker) space() {
	for w.i < len(w.text) && strings.IndexByte(" \t\r\n", w.text[w.i]) >= 0 {
		w.i++
	}
}

// value reads a value and returns whether the walk can go on.
func (w *jsonWalker) value(path string, depth int) bool {
	w.space()
	if w.i >= len(w.text) || len(w.fields) >= maxFields || depth > maxDepth {
		return false
	}
	switch c := w.text[w.i]; c {
	case '{', '[':
		return w.group(path, depth, c == '{')
	case '"':
		raw, ok := w.quoted()
		w.fields = append(w.fields, jsonField{path, raw, true})
		return ok
	}
	from := w.i
	for w.i < len(w.text) && strings.IndexByte(",}] \t\r\n", w.text[w.i]) < 0 {
		w.i++
	}
	w.fields = append(w.fields, jsonField{path: path, raw: w.text[from:w.i]})
	return w.i > from
}

func (w *jsonWalker) group(path string, depth int, object bool) bool {
	for w.i++; ; {
		if w.space(); w.i >= len(w.text) {
			return false
		}
		switch w.text[w.i] {
		case '}', ']':
			w.i++
			return true
		case ',':
			w.i++
			continue
		}
		at := path
		if object {
			if w.text[w.i] != '"' {
				return false
			}
			key, ok := w.quoted()
			if w.space(); !ok || w.i >= len(w.text) || w.text[w.i] != ':' {
				return false
			}
			w.i++
			at = joinPath(path, key)
		}
		if !w.value(at, depth+1) {
			return false
		}
	}
}

// quoted reads a string. ok is false if the text ends within it.
func (w *jsonWalker) quoted() (raw string, ok bool) {
	from := w.i + 1
	for i := from; i < len(w.text); i++ {
		switch w.text[i] {
		case '\\':
			i++
		case '"':
			w.i = i + 1
			return w.text[from:i], true
		}
	}
	w.i = len(w.text)
	return w.text[min(from, len(w.text)):], false
}

var keyLetters = strings.NewReplacer("_", "", "-", "", "@", "")

func joinPath(path, key string) string {
	if len(key) > 64 {
		key = key[:64]
	}
	key = strings.ToLower(key)
	if key != "@x" && key != "@l" && key != "@m" && key != "@mt" && key != "@i" { // Serilog's
		key = keyLetters.Replace(key)
	}
	if path == "" {
		return key
	}
	if len(path) > 256 {
		return path
	}
	return path + "." + key
}

// text is the value without JSON's escapes.
func (f *jsonField) text() string {
	s := f.raw
	if !f.quoted || strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r', 'b', 'f':
		case 'u':
			r, n := unicodeEscape(s[i-1:])
			b.WriteRune(r)
			i += n - 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// unicodeEscape reads \uXXXX, or two of them that make one character, and returns how many
// bytes it has read.
func unicodeEscape(s string) (r rune, n int) {
	one := func(s string) (rune, bool) {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return utf8.RuneError, false
		}
		v, err := strconv.ParseUint(s[2:6], 16, 16)
		return rune(v), err == nil
	}
	r, ok := one(s)
	if !ok {
		return utf8.RuneError, 2
	}
	if utf16.IsSurrogate(r) {
		if second, ok := one(s[6:]); ok {
			if both := utf16.DecodeRune(r, second); both != utf8.RuneError {
				return both, 12
			}
		}
		return utf8.RuneError, 6
	}
	return r, 6
}
