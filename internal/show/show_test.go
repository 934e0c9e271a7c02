package show

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestField(t *testing.T) {
	for in, want := range map[string]string{
		"web-1":                    "web-1",
		"müller 日本語 🙂":             "müller 日本語 🙂",
		"❤️":                       "❤️",
		"a\u00a0b\u3000c":          "a\u00a0b\u3000c",
		"\x1b]0;owned\x07":         `\x1b]0;owned\x07`,
		"\u009b31m":                `\u009b31m`,
		"\x9b31m":                  `\x9b31m`,
		"a\rb\bc\x7f":              `a\rb\x08c\x7f`,
		"one\ntwo\tthree":          `one\ntwo\tthree`,
		"\u202egpj.exe\u2066":      `\u202egpj.exe\u2066`,
		"a\u200b\u200d\ufeffb":     `a\u200b\u200d\ufeffb`,
		"\u2028\u2029\u0085\u00ad": `\u2028\u2029\u0085\u00ad`,
		"\u3164\u115f\u034f":       `\u3164\u115f\u034f`,
		"\U000e0041\U000e0100":     `\U000e0041\U000e0100`,
		"\xff\xed\xa0\x80":         `\xff\xed\xa0\x80`,
		`C:\x1b`:                   `C:\x1b`,
	} {
		if got := Field(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Line("a\tb\x1b"); got != "a\tb\\x1b" {
		t.Errorf("%q", got)
	}
	if got := string(AppendLine([]byte("> "), []byte("a\tb\x9b"))); got != "> a\tb\\x9b" {
		t.Errorf("%q", got)
	}
}

func FuzzField(f *testing.F) {
	f.Add("web\x1b[2J\u009b\x9b\u202e\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Field(s), Line(s)} {
			if !utf8.ValidString(got) {
				t.Fatalf("%q: not UTF-8: %q", s, got)
			}
			for _, r := range got {
				if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Bidi_Control, r)) {
					t.Fatalf("%q: %q", s, got)
				}
			}
			if Field(got) != got && !strings.Contains(got, "\t") {
				t.Fatalf("%q: not stable: %q", s, got)
			}
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var was, is string
		shown := JSON(encoded)
		if json.Unmarshal(encoded, &was) != nil || json.Unmarshal(shown, &is) != nil || was != is || !Visible(string(shown)) {
			t.Fatalf("%q: %s became %s", s, encoded, shown)
		}
	})
}

func TestError(t *testing.T) {
	forged := errors.New("refused\nlogfast: all is well\x1b[A")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{forged, `refused\nlogfast: all is well\x1b[A`},
		{errors.Join(forged, errors.New("b")), "refused\\nlogfast: all is well\\x1b[A\nb"},
		{fmt.Errorf("open \x07: %w!", errors.Join(errors.New("a\n"), errors.Join(errors.New("b"), errors.New("c")))), "open \\x07: a\\n\nb\nc!"},
		{fmt.Errorf("%w and %w\n", errors.New("a"), errors.New("b")), `a and b\n`},
	} {
		if got := Error(tt.err); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.err, got, tt.want)
		}
	}
}

type stringer struct{}

func (stringer) String() string { return "\x1b" }

func TestArgs(t *testing.T) {
	got := fmt.Sprintf("%s %v %d %s %v %5.1f", Args([]any{"a\nb", errors.New("\x07"), 3, stringer{}, []byte("\x9b"), 1.5})...)
	if want := `a\nb \x07 3 \x1b \x9b   1.5`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShell(t *testing.T) {
	for in, want := range map[string]string{
		"logs/dt=2026-11-23/host=web-1/a.log.gz": "logs/dt=2026-11-23/host=web-1/a.log.gz",
		"":                                       "''",
		"logs/$(touch x)":                        "'logs/$(touch x)'",
		"it's":                                   `'it'\''s'`,
		"=ls":                                    "'=ls'",
		"~root":                                  "'~root'",
		"a\x1b[A'\n1":                            `$'a\x1b[A\'\x0a'$'1'`,
	} {
		if got := Shell(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := Operand("--config=x"); got != "-- --config=x" {
		t.Error(got)
	}
}

func FuzzShell(f *testing.F) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		f.Skip("no bash")
	}
	for _, s := range []string{"logs/$(touch x)`id`;|&<>*?[a]{b,c}~!#\"'\\", "\x1b0\u202eabc\xff1", "-n", "a\nb\tc\r", "!!", "$'x'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) || len(s) > 1000 {
			t.Skip() // no argument has a NUL
		}
		quoted := Shell(s)
		if !Visible(quoted) {
			t.Fatalf("%q", quoted)
		}
		out, err := exec.Command(bash, "--norc", "-c", "printf %s "+quoted).Output()
		if err != nil || string(out) != s {
			t.Fatalf("%q: %s printed %q, %v", s, quoted, out, err)
		}
	})
}
