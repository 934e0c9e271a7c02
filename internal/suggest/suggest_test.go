package suggest

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"format", "group", "fast-track-scope", "tag"}
	for typed, want := range map[string]string{
		"fromat":           `; did you mean "format"?`,
		"fast_track_scope": `; did you mean "fast-track-scope"?`,
		"gruop":            `; did you mean "group"?`,
		"syslog-address":   "",
		"":                 "",
	} {
		if got := Nearest(typed, known); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestMisspelt(t *testing.T) {
	known := []string{"format", "max-file", "tag"}
	for typed, want := range map[string]bool{
		"fromat": true, "max_file": true, "tags": true, "no-file": false, "gap": false, "t": false, "": false,
	} {
		if got := Misspelt(typed, known); got != want {
			t.Errorf("%q: %t", typed, got)
		}
	}
}
