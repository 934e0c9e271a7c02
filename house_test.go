package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers is the house from the ground up. A package imports packages of its own
// directory here and of the layers below. Directories in one layer do not import
// each other: capture, ship and read meet in the spool and nowhere else.
var layers = [][]string{
	{"internal", "bench/lines"},
	{"driver/format", "driver/settings"},
	{"driver/store"},
	{"driver/spool"},
	{"driver/triage"},
	{"driver/capture", "driver/ship", "driver/read"},
	{"plugin"},
	{"cli"},
	{"main", "bench", "scripts", "test"},
}

const module = "github.com/logfast/logfast"

// mayImport lists who alone may import what begins with a path.
var mayImport = map[string][]string{
	"github.com/aws/":                      {"driver/store/s3"},
	"github.com/docker/go-plugins-helpers": {"plugin"},
	"github.com/alecthomas/kong":           {"cli"},
	"github.com/klauspost/compress":        {"driver/spool/pack"},
	"github.com/prometheus/":               {"plugin/metrics"},
	"github.com/nicholas-fedor/shoutrrr":   {"driver/triage/notify"},
	"net/http":                             {"internal/plugintree", "plugin", "driver/store/s3", "driver/triage/notify", "bench", "test"},
}

// maxLines is how long a file of the program may be. The linter bounds functions
// and lines.
const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		if n := strings.Count(string(source), "\n"); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: divide it", path, n, maxLines)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// layerOf returns the number of a package's layer, and its directory in layers.
func layerOf(pkg string) (layer int, dir string) {
	for i, dirs := range layers {
		for _, d := range dirs {
			if within(pkg, d) && len(d) > len(dir) {
				layer, dir = i, d
			}
		}
	}
	return layer, dir
}

func within(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

func TestImportsGoDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		pkg := local(words[0])
		layer, dir := layerOf(pkg)
		if dir == "" {
			t.Errorf("%s is in no layer: add its directory to house_test.go", pkg)
			continue
		}
		seen[dir] = true
		for _, imported := range words[1:] {
			if imported == module || strings.HasPrefix(imported, module+"/") {
				if below, of := layerOf(local(imported)); of == "" || of != dir && below >= layer {
					t.Errorf("%s imports %s, which is not in a layer below", pkg, imported)
				}
				continue
			}
			for path, allowed := range mayImport {
				if strings.HasPrefix(imported, path) && !slices.ContainsFunc(allowed, func(dir string) bool { return within(pkg, dir) }) {
					t.Errorf("%s imports %s, which is for %v", pkg, imported, allowed)
				}
			}
		}
	}
	for _, dir := range slices.Concat(layers...) {
		if !seen[dir] {
			t.Errorf("no package is in %s: remove it from house_test.go", dir)
		}
	}
}

// local is a package's path below the module, "main" for the module's own.
func local(path string) string {
	if path == module {
		return "main"
	}
	return strings.TrimPrefix(path, module+"/")
}
