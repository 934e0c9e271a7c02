package settings

import (
	"slices"
	"strings"
	"testing"
)

func TestTable_RowsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		name := s.Variable + s.Option
		for _, n := range []string{s.Variable, s.Option} {
			if n != "" && seen[n] {
				t.Errorf("%s has two rows", n)
			}
			seen[n] = true
		}
		switch {
		case name == "":
			t.Errorf("a row has neither a variable nor an option: %+v", s)
		case !strings.HasSuffix(s.Help, "."):
			t.Errorf("%s: the help is no sentence: %q", name, s.Help)
		case s.SDK:
			continue
		case s.Default == "" == (s.Unset == ""):
			t.Errorf("%s: give either its default or what applies without one", name)
		case len(s.Values) == 0 == (s.Kind == ""):
			t.Errorf("%s: give either the values or what a value looks like", name)
		case s.Example == "" || s.Example == s.Default:
			t.Errorf("%s: the example %q is not useful", name, s.Example)
		case len(s.Values) > 0 && !slices.Contains(s.Values, s.Example):
			t.Errorf("%s: the example %q is not allowed", name, s.Example)
		case len(s.Values) > 0 && s.Default != "" && !slices.Contains(s.Values, s.Default):
			t.Errorf("%s: the default %q is not allowed", name, s.Default)
		}
	}
}

func TestValues_EmptyIsUnset(t *testing.T) {
	v := Environ([]string{Format + "=", Keep + "=1d", Keep + "=2d", "=x", "none"})
	if v.Of(Format) != "cri" || v.Of(Keep) != "2d" || v.Of(Host) != "" || v.Of("LOGFAST_NONE") != "" {
		t.Errorf("%q", v)
	}
}

func TestLists(t *testing.T) {
	if names := Variables(); !slices.Contains(names, Spool) || !slices.Contains(names, CAFile) ||
		slices.Contains(names, Token) || slices.Contains(names, "") {
		t.Errorf("variables: %q", names)
	}
	if names := Options(); len(names) != 21 || !slices.Contains(names, OptTag) || slices.Contains(names, "") {
		t.Errorf("options: %q", names)
	}
}
