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
	"internal/refused":         0,
	"internal/limit":           0,
	"internal/suggest":         0,
	"internal/plugintree":      1,
	"driver/fifo":              1,
	"driver/frame":             1,
	"driver/record":            1,
	"driver/detect":            1,
	"driver/expression":        0,
	"driver/redact":            1,
	"driver/object":            1,
	"driver/object/objecttest": 2,
	"driver/object/s3":         2,
	"driver/object/s3/s3test":  2,
	"driver/incident":          2,
	"driver/pack":              1,
	"driver/fasttrack":         2,
	"driver/segment":           2,
	"driver/triage":            3,
	"driver/notify":            4,
	"driver/notify/notifytest": 4,
	"driver/ship":              4,
	"driver/read":              4,
	"driver/archive":           4,
	"driver":                   4,
	"internal/show":            0,
	"internal/sum":             0,
	"plugin/selflog":           1,
	"plugin/control":           2,
	"plugin/metrics":           3,
	"plugin":                   5,
	"cli":                      6,
	"":                         7, // main
	"scripts/sbom":             7,
	"test/e2e/emit":            7,
	"test/e2e/goserver":        7,
	"test/e2e/without":         7,
	"bench/lines":              0,
	"bench/emit":               7,
	"bench/naive":              7,
	"bench":                    7,
}

const module = "github.com/logfast/logfast"

// mayImport lists who alone may import what begins with a path.
var mayImport = map[string][]string{
	"github.com/aws/":                      {"driver/object/s3", "driver/object/s3/s3test"},
	"github.com/docker/go-plugins-helpers": {"plugin"},
	"github.com/alecthomas/kong":           {"cli"},
	"github.com/klauspost/compress":        {"driver/pack", "driver/ship", "driver/read", "driver/archive"},
	"github.com/prometheus/":               {"plugin/metrics"},
	"github.com/nicholas-fedor/shoutrrr":   {"driver/notify"},
	"net/http":                             {"internal/plugintree", "plugin", "plugin/control", "plugin/metrics", "driver/object/s3", "driver/object/s3/s3test", "driver/notify", "driver/notify/notifytest", "bench", "bench/naive", "test/e2e/goserver"},
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
