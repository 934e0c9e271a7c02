package detect

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWords_ListsAreUsed compares the lists of words.txt with the names in the sources.
func TestWords_ListsAreUsed(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			program.Write(text)
		}
	}
	used := slices.Clone(meaningNames[:])
	for _, m := range regexp.MustCompile(`\bwords\("([^"]+)"\)|"((?:key|parent):[^"]+)"`).FindAllStringSubmatch(program.String(), -1) {
		used = append(used, m[1]+m[2])
	}
	for _, name := range used {
		if len(words(name)) == 0 {
			t.Errorf("words.txt has no list %q", name)
		}
	}
	for name, list := range wordLists {
		if !slices.Contains(used, name) {
			t.Errorf("nothing uses the list %q of words.txt", name)
		}
		for i, word := range list {
			if slices.Contains(list[:i], word) {
				t.Errorf("%s: %q stands there twice", name, word)
			}
		}
	}
	if meaning(1)<<(len(meaningNames)-1) != ownResponses {
		t.Error("meaningNames are not those of the bits")
	}
}

// TestWords_KeysSayOneThing fails for a key in two lists, of which one would be lost.
func TestWords_KeysSayOneThing(t *testing.T) {
	for _, prefix := range []string{"key:", "parent:"} {
		in := map[string]string{}
		for name, list := range wordLists {
			if !strings.HasPrefix(name, prefix) && (prefix != "key:" || name != "message-keys") ||
				name == "parent:foreign-part" {
				continue
			}
			for _, word := range list {
				key := string(normal(make([]byte, 0, maxKey), []byte(word)))
				if in[key] != "" && in[key] != name {
					t.Errorf("%s is in %s and in %s", key, in[key], name)
				}
				in[key] = name
			}
		}
	}
}

func TestParseWords(t *testing.T) {
	lists := parseWords("# a comment\n\n[a b] says what\none \"two words \"  #3\n\"[four\"\n# no word\n\n[c]\nfive\n")
	if got := lists["a b"]; !slices.Equal(got, []string{"one", "two words ", "#3", "[four"}) {
		t.Errorf("%q", got)
	}
	if got := lists["c"]; !slices.Equal(got, []string{"five"}) || len(lists) != 2 {
		t.Errorf("%q of %q", got, lists)
	}
}
