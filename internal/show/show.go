// Package show makes text from others safe to print. Names, keys, messages of a
// store and log lines are chosen by programs and people that logfast does not
// know: printed as they are, they can move the cursor, change what a terminal
// shows, reverse the order of letters, or run a command that is pasted.
package show

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Field returns a name, key, or message on one line, with everything escaped
// that is not visible: control characters, a byte that is not UTF-8, newlines and
// tabs, and the Unicode characters that have no width or reverse the order of
// letters. A text without these is returned as it is.
//
//	\x1b  \n  \t  \x9b (a byte)  \u009b  \u202e  \U000e0001
func Field(s string) string { return escape(s, false) }

// Line is Field for a line of a log: tabs stay.
func Line(s string) string { return escape(s, true) }

// AppendLine appends Line(line) to dst.
func AppendLine(dst, line []byte) []byte {
	if plain(line, true) {
		return append(dst, line...)
	}
	return append(dst, Line(string(line))...)
}

func escape(s string, tab bool) string {
	if plain(s, tab) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case visible(r), tab && r == '\t':
			b.WriteString(s[i : i+n])
		default:
			b.WriteString(escaped(r))
		}
		i += n
	}
	return b.String()
}

func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// plain reports whether a text is ASCII without control characters, as most is.
func plain[T string | []byte](s T, tab bool) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && (c != '\t' || !tab) || c > '~' {
			return false
		}
	}
	return true
}

// visible reports whether a character shows as itself and changes nothing but its
// own place.
func visible(r rune) bool {
	if r < 0x80 {
		return ' ' <= r && r <= '~'
	}
	switch {
	case !unicode.IsGraphic(r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return false
	case unicode.Is(unicode.Variation_Selector, r):
		return r == 0xfe0e || r == 0xfe0f // of an emoji
	}
	return true
}

// Visible reports whether Field changes nothing.
func Visible(s string) bool { return Field(s) == s }

// JSON escapes, in a JSON text, the characters that Field escapes, so that a
// terminal shows them. The value of the text stays the same. Control characters
// below U+0020 and bytes that are not UTF-8 cannot be in what encoding/json
// makes; newlines between values stay.
func JSON(text []byte) []byte {
	ascii := true
	for _, c := range text {
		if c >= 0x7f {
			ascii = false
			break
		}
	}
	if ascii {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r < 0x7f || visible(r):
			out = append(out, text[i:i+n]...)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
		i += n
	}
	return out
}

// Error returns an error's text for a terminal. Errors that were joined are a
// line each; every other newline is escaped, so that no text from others looks
// like a message of its own.
func Error(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		parts := make([]string, 0, len(joined.Unwrap()))
		for _, part := range joined.Unwrap() {
			parts = append(parts, part.Error())
		}
		raw := strings.Join(parts, "\n")
		if before, after, found := strings.Cut(err.Error(), raw); found && raw != "" {
			for i, part := range joined.Unwrap() {
				parts[i] = Error(part)
			}
			return Field(before) + strings.Join(parts, "\n") + Field(after)
		}
	}
	return Field(err.Error())
}

// Args escapes, for a format of fmt, the arguments that are text: strings,
// errors, and values that say themselves how they look.
func Args(args []any) []any {
	safe := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			safe[i] = Field(v)
		case []byte:
			safe[i] = Field(string(v))
		case error:
			safe[i] = Error(v)
		case fmt.Stringer:
			safe[i] = Field(v.String())
		default:
			safe[i] = arg
		}
	}
	return safe
}

// Shell quotes a word for a command to be pasted into a shell: the shell takes it
// for exactly this text, and runs nothing. A word that is safe as it is stays;
// others stand in single quotes. A word with characters that Field escapes is
// written as $'…', which bash, zsh and ksh understand: a pasted control character
// may be a key of the shell's line editor.
func Shell(word string) string {
	if word == "" {
		return "''"
	}
	if strings.Trim(word, safe) == "" && word[0] != '=' && word[0] != '%' {
		return word
	}
	if Visible(word) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(word) {
		switch c := word[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~' || c == '!':
			fmt.Fprintf(&b, `\x%02x`, c)
			// In bash a hexadecimal escape has two digits at most; in ksh all that follow.
			if i+1 < len(word) && strings.IndexByte(hexDigits, word[i+1]) >= 0 {
				b.WriteString("'$'")
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + "'"
}

const (
	safe      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	hexDigits = "0123456789abcdefABCDEF"
)

// Operand is Shell for a word after a command's options: one that begins with a
// hyphen must not be taken for an option.
func Operand(word string) string {
	if strings.HasPrefix(word, "-") {
		return "-- " + Shell(word)
	}
	return Shell(word)
}
