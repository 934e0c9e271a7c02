package show

import "unicode/utf8"

// Middle returns at most so many bytes of a text in UTF-8, of which both ends say most. A
// line with an ellipsis stands for what is left out.
func Middle(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const between = "\n…\n"
	half := (most - len(between)) / 2
	tail := s[len(s)-half:]
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return WholeRunes(s[:half]) + between + tail
}

// WholeRunes returns s without a last rune that is cut.
func WholeRunes(s string) string {
	for i := 1; i <= utf8.UTFMax && i <= len(s); i++ {
		if utf8.RuneStart(s[len(s)-i]) {
			if !utf8.FullRuneInString(s[len(s)-i:]) {
				return s[:len(s)-i]
			}
			break
		}
	}
	return s
}
