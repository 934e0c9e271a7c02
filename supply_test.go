package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every module that go.mod requires directly has its row in
// docs/dependencies.md, and no other has.
func TestDependenciesAreArguedFor(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.+) \\| (.+) \\|$").FindAllStringSubmatch(string(page), -1) {
		if rows[row[1]] {
			t.Errorf("docs/dependencies.md has two rows for %s", row[1])
		}
		rows[row[1]] = true
	}
	direct := 0
	for _, required := range mod.Require {
		if required.Indirect {
			continue
		}
		direct++
		if !rows[required.Path] {
			t.Errorf("go.mod requires %s: give it a row in docs/dependencies.md that says what for, why, and what else was weighed:\n| `%s` | … | … |", required.Path, required.Path)
		}
		delete(rows, required.Path)
	}
	for path := range rows {
		t.Errorf("docs/dependencies.md argues for %s, which go.mod does not require directly: take the row out", path)
	}
	if direct < 10 {
		t.Fatalf("only %d direct requirements were found", direct)
	}
}

// maxBinary is how large the program may be: hosts pull it, and keep two at an
// upgrade.
const maxBinary = 30_000_000

func TestBinaryIsSmall(t *testing.T) {
	program := released(t)
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= maxBinary {
		t.Errorf("the binary has %d bytes, more than %d: see what grew with go tool nm -size -sort size", info.Size(), maxBinary)
	}
	t.Logf("%d bytes", info.Size())
}

// What is linked has a licence, and the licences come along.
func TestLicensesOfWhatIsLinked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "LICENSES")
	if out, err := exec.Command("scripts/licenses.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program := released(t)
	linked, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "INDEX"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(index), "\n")
	modules := 0
	for line := range strings.Lines(string(linked)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "dep" {
			continue
		}
		modules++
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, words[1]+" "+words[2]+" ") }) {
			t.Errorf("%s %s is linked, and INDEX has no licence of it", words[1], words[2])
		}
		if files, err := filepath.Glob(filepath.Join(dir, words[1], "*")); err != nil || len(files) == 0 {
			t.Errorf("%s: no licence file (%v)", words[1], err)
		}
	}
	if modules < 10 {
		t.Fatalf("only %d modules were found in the binary", modules)
	}
}

// released is the program, built as a release is.
func released(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "logfast")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -funcalign=16", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}
