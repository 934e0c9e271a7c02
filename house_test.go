package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors is the house: a package imports only packages of lower floors. Rooms
// of one floor are strangers, but for those that stand inside another's door:
// a store below driver/object may import it.
var floors = map[string]int{
	"internal/durable":         0,
	"internal/daemonjson":      0,
	"internal/suggest":         0,
	"driver/fifo":              1,
	"driver/frame":             1,
	"driver/record":            1,
	"driver/detect":            1,
	"driver/object":            1,
	"driver/object/objecttest": 2,
	"driver/object/s3":         2,
	"driver/object/s3/s3test":  2,
	"driver/segment":           2,
	"driver/incident":          2,
	"driver/fasttrack":         2,
	"driver/ship":              3,
	"driver/read":              3,
	"driver":                   3,
	"plugin":                   4,
	"cli":                      5,
	"":                         6, // main
	"demo/s3ls":                6,
	"scripts/sbom":             6,
	"test/e2e/emit":            6,
	"bench/lines":              0,
	"bench/emit":               6,
	"bench/naive":              6,
	"bench":                    6,
}

const module = "github.com/logfast/logfast"

// mayImport lists who alone may import what begins with a path.
var mayImport = map[string][]string{
	"github.com/aws/":                      {"driver/object/s3", "driver/object/s3/s3test"},
	"github.com/docker/go-plugins-helpers": {"plugin"},
	"github.com/alecthomas/kong":           {"cli"},
	"github.com/klauspost/compress":        {"driver/ship", "driver/read"},
	"net/http":                             {"plugin", "driver/object/s3", "driver/object/s3/s3test", "bench", "bench/naive"},
}

func TestImportsGoDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		room := local(words[0])
		floor, known := floors[room]
		if !known {
			t.Errorf("%s has no floor: give it one in house_test.go", words[0])
			continue
		}
		seen++
		for _, imported := range words[1:] {
			if imported == module || strings.HasPrefix(imported, module+"/") {
				if below, known := floors[local(imported)]; !known || below >= floor {
					t.Errorf("%s, on floor %d, imports %s, on floor %d", room, floor, imported, below)
				}
				continue
			}
			for path, allowed := range mayImport {
				if strings.HasPrefix(imported, path) && !slices.Contains(allowed, room) {
					t.Errorf("%s imports %s, which is for %v", room, imported, allowed)
				}
			}
		}
	}
	if seen < 12 {
		t.Fatalf("only %d packages were looked at", seen)
	}
}

func local(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}
