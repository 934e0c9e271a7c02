package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/settings"
)

// placesOfNames are the product's files that may have the name of a setting besides
// the table, and why.
var placesOfNames = map[string]string{
	"driver/store/s3/s3test":             "a package for tests",
	"driver/triage/incident/incident.go": "words of an incident, which is a published format",
}

// TestSettings_NamesHaveOnePlace fails if the program has the name of a setting as a
// string of its own, such as "LOGFAST_KEEP", "LOGFAST_KEEP=" or `env:"LOGFAST_KEEP"`.
// Names in the middle of a message are text, which TestSettings_NamedOnesExist checks.
func TestSettings_NamesHaveOnePlace(t *testing.T) {
	var names []string
	for _, s := range settings.All() {
		if s.Variable != "" {
			names = append(names, regexp.QuoteMeta(s.Variable))
		}
		if strings.Contains(s.Option, "-") { // others are words of which a string may be something else
			names = append(names, regexp.QuoteMeta(s.Option))
		}
	}
	place := regexp.MustCompile(`(^|")(` + strings.Join(names, "|") + `)(=[^ ]*)?("|$)`)
	literals(t, func(path string, at token.Position, text string) {
		if strings.HasPrefix(path, "driver/settings/") || allowed(path) {
			return
		}
		if found := place.FindString(text); found != "" {
			t.Errorf("%s:%d: %s: use the name in driver/settings", path, at.Line, found)
		}
	})
}

func allowed(path string) bool {
	for place := range placesOfNames {
		if path == place || strings.HasPrefix(path, place+"/") {
			return true
		}
	}
	return false
}

// literals calls f for each string of the program, as it is at run time.
func literals(t *testing.T, f func(path string, at token.Position, text string)) {
	t.Helper()
	for _, dir := range []string{"cli", "driver", "internal", "plugin", "scripts"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					f(path, set.Position(lit.Pos()), text)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSettings_NamedOnesExist fails if a message of the program, a page, a script or an
// alert names a variable that logfast does not have.
func TestSettings_NamedOnesExist(t *testing.T) {
	name := regexp.MustCompile(`\bLOGFAST_[A-Z][A-Z0-9_]*`)
	known := settings.Variables()
	check := func(where, text string) {
		for _, found := range name.FindAllString(text, -1) {
			if !slices.Contains(known, strings.TrimSuffix(found, "_")) && !slices.Contains(notSettings, found) {
				t.Errorf("%s names %s, which driver/settings does not have", where, found)
			}
		}
	}
	literals(t, func(path string, at token.Position, text string) { check(path+":"+strconv.Itoa(at.Line), text) })
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*/*", "examples/*/*", "scripts/*.sh", "config.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, path := range files {
			if fi, err := os.Stat(path); err == nil && fi.IsDir() {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			check(path, string(text))
		}
	}
}

// notSettings are names that begin like a variable and are switches of tests.
var notSettings = []string{"LOGFAST_CRASH_IMAGES"}
