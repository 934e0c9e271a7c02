package show

import "testing"

func TestMiddle(t *testing.T) {
	for _, tt := range []struct {
		text string
		most int
		want string
	}{
		{"short", 5, "short"},
		{"abcdefghijklmno", 13, "abcd\n…\nlmno"},
		{"äöüäöüäöü", 12, "ä\n…\nü"}, // no rune is cut
	} {
		if got := Middle(tt.text, tt.most); got != tt.want || len(got) > max(tt.most, len(tt.text)) {
			t.Errorf("%q in %d bytes: %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}

func TestWholeRunes(t *testing.T) {
	for text, want := range map[string]string{"": "", "ab": "ab", "aä": "aä", "a\xc3": "a", "a\xe2\x80": "a", "…": "…"} {
		if got := WholeRunes(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
