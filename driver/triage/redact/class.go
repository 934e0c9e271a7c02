package redact

import (
	"unicode"
	"unicode/utf8"
)

// class is a set of bytes.
type class [256]bool

func classOf(ranges string) (c class) {
	for i := 0; i < len(ranges); i++ {
		if i+2 < len(ranges) && ranges[i+1] == '-' {
			for b := int(ranges[i]); b <= int(ranges[i+2]); b++ {
				c[b] = true
			}
			i += 2
			continue
		}
		c[ranges[i]] = true
	}
	return c
}

var (
	digitClass  = classOf("0-9")
	letterClass = classOf("A-Za-z")
	alnumClass  = classOf("0-9A-Za-z")
	hexClass    = classOf("0-9A-Fa-f")
	wordClass   = classOf("0-9A-Za-z_")
	urlClass    = classOf("0-9A-Za-z_-")  // base64 for URLs
	base64Class = classOf("0-9A-Za-z+/=") // base64
	tokenClass  = classOf("0-9A-Za-z_.~+/=-")
	nameClass   = classOf("0-9A-Za-z_.-")
	spaceClass  = classOf(" \t\r\n")
)

// lower maps the ASCII capital letters to the small ones.
var lower = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

// run returns the end of the bytes of a class from i on. It looks at no more than most of them.
func (s *scanner) run(i int, c *class, most int) int {
	end := i
	for end < len(s.text) && end-i < most && c[s.text[end]] {
		end++
	}
	s.work += end - i
	return end
}

// blanks returns the end of the blanks from i on: spaces, tabs and no-break spaces.
func (s *scanner) blanks(i int) int {
	from := i
	for i < len(s.text) && i-from < 256 {
		switch {
		case s.text[i] == ' ' || s.text[i] == '\t':
			i++
		case s.exact(i, "\u00a0"):
			i += 2
		default:
			s.work += i - from
			return i
		}
	}
	s.work += i - from
	return i
}

// letterAt returns how many bytes at i belong to a name: a letter of any language, a
// digit, or one of _ . and the hyphen. It returns 0 if there is none.
func (s *scanner) letterAt(i int) int {
	if i >= len(s.text) {
		return 0
	}
	c := s.text[i]
	if c < utf8.RuneSelf {
		if nameClass[c] {
			return 1
		}
		return 0
	}
	r, size := utf8.DecodeRune(s.text[i:min(len(s.text), i+utf8.UTFMax)])
	if unicode.IsLetter(r) || unicode.IsMark(r) {
		return size
	}
	return 0
}

// letterBefore is letterAt for what ends at i.
func (s *scanner) letterBefore(i int) int {
	if i <= 0 {
		return 0
	}
	c := s.text[i-1]
	if c < utf8.RuneSelf {
		if nameClass[c] {
			return 1
		}
		return 0
	}
	r, size := utf8.DecodeLastRune(s.text[max(0, i-utf8.UTFMax):i])
	if unicode.IsLetter(r) || unicode.IsMark(r) {
		return size
	}
	return 0
}

// newline returns how many bytes at i are a line's end, which may be escaped: \n, \\r.
func (s *scanner) newline(i int) int {
	switch s.at(i) {
	case '\n':
		return 1
	case '\r':
		if s.at(i+1) == '\n' {
			return 2
		}
		return 1
	case '\\':
		end := s.backslashes(i)
		if c := s.at(end); c == 'n' {
			return end + 1 - i
		} else if c == 'r' {
			return end + 1 - i + s.newlineAfter(end+1)
		}
	}
	return 0
}

// newlineAfter is the \n behind an escaped \r.
func (s *scanner) newlineAfter(i int) int {
	if end := s.backslashes(i); end > i && s.at(end) == 'n' {
		return end + 1 - i
	}
	return 0
}

// backslashes returns the end of the backslashes at i. More than a text that was
// quoted five times has are not looked at.
func (s *scanner) backslashes(i int) int {
	end := i
	for end < len(s.text) && end-i < maxBackslashes && s.text[end] == '\\' {
		end++
	}
	return end
}

const maxBackslashes = 31

// lineEnd returns the end of the line that i is in, real or escaped.
func (s *scanner) lineEnd(i int) int {
	if s.line.From <= i && i < s.line.To {
		return s.line.To
	}
	from := i
	defer func() { s.line = Span{from, i} }()
	for i < len(s.text) {
		if c := s.text[i]; c == '\n' || c == '\r' || c == '\\' && s.newline(i) > 0 {
			break
		}
		i++
	}
	s.work += i - from
	return i
}
