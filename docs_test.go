package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// code returns all of the program's sources, without tests.
func code(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || path == "bench" || path == "test" || path == "demo"):
			return fs.SkipDir
		case d.Type().IsRegular() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			source, err := os.ReadFile(path)
			all.Write(source)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`" ?\+\n\t*"`).ReplaceAllString(all.String(), "") // texts in two lines
}

// TestTroubleshootingQuotesWhatIsSaid keeps docs/troubleshooting.md true.
func TestTroubleshootingQuotesWhatIsSaid(t *testing.T) {
	page, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("(?m)^### `(.+)`$").FindAllStringSubmatch(string(page), -1)
	if headings := strings.Count(string(page), "\n### "); len(quoted) < 20 || headings != len(quoted) {
		t.Errorf("%d headings quote a message, of %d", len(quoted), headings)
	}
	if strings.Contains(string(page), "```") {
		t.Error("a block of commands: add the page to TestTheCommandsInTheDocsWork")
	}
	source := code(t)
	for _, q := range quoted {
		if !strings.Contains(source, q[1]) {
			t.Errorf("docs/troubleshooting.md quotes %q, which nobody says", q[1])
		}
	}
}

// TestLinksInTheDocsLead checks the files that pages link to, and the headings.
func TestLinksInTheDocsLead(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	anchor := func(heading string) string {
		heading = strings.ToLower(regexp.MustCompile(`[^\w -]`).ReplaceAllString(heading, ""))
		return strings.ReplaceAll(heading, " ", "-")
	}
	for _, page := range append(pages, "README.md", "ARCHITECTURE.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(link[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			there, err := os.ReadFile(target)
			if fi, statErr := os.Stat(target); statErr == nil && fi.IsDir() {
				err = nil
			}
			if err != nil {
				t.Errorf("%s links to %s: %v", page, link[1], err)
				continue
			}
			found := heading == ""
			for _, h := range regexp.MustCompile("(?m)^#+ (.+)$").FindAllStringSubmatch(string(there), -1) {
				found = found || anchor(h[1]) == heading
			}
			if !found {
				t.Errorf("%s links to %s, and %s has no such heading", page, link[1], target)
			}
		}
	}
}

// TestTheGuaranteesNameTestsThatExist keeps docs/guarantees.md true.
func TestTheGuaranteesNameTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Type().IsRegular() && strings.HasSuffix(path, "_test.go"):
			source, err := os.ReadFile(path)
			tests.Write(source)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(string(page), -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("docs/guarantees.md names %s, which does not exist", name)
		}
	}
}

// TestArchitecture_NamesWhatIsThere wants each package in ARCHITECTURE.md, and
// each path that the page names in the tree.
func TestArchitecture_NamesWhatIsThere(t *testing.T) {
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`((?:driver|plugin|cli|internal|test)(?:/[a-z0-9_./]+)?)`").FindAllStringSubmatch(string(page), -1) {
		named[m[1]] = true
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", m[1])
		}
	}
	out, err := exec.Command("go", "list", "./cli/...", "./driver/...", "./internal/...", "./plugin/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		if dir := local(strings.TrimSpace(pkg)); !named[dir] && dir != "driver/settings/generate" {
			t.Errorf("ARCHITECTURE.md does not name the package %s", dir)
		}
	}
}
