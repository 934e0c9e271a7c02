package detect

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/logfast/logfast/bench/lines"
)

// detectors are those that are measured.
var detectors = []struct {
	name string
	Detector
}{
	{"classic", Classic{}},
	{"auto", Auto{}},
}

// BenchmarkDetect looks at access log lines without an error; an operation is
// one line. The bytes a second are what a core can look at.
func BenchmarkDetect(b *testing.B) {
	const n = 4000
	text := lines.Text(1, n)
	all := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	for _, d := range detectors {
		b.Run(d.name, func(b *testing.B) {
			b.SetBytes(int64(len(text) / n))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, found := d.Detect(all[i]); found {
					b.Fatalf("%s reports an error", all[i])
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
	// What looking at each byte once costs, line by line.
	b.Run("count", func(b *testing.B) {
		b.SetBytes(int64(len(text) / n))
		i, found := 0, 0
		for b.Loop() {
			found += bytes.Count(all[i], []byte("\n"))
			if i++; i == n {
				i = 0
			}
		}
		if found != 0 {
			b.Fatal("a line holds a newline")
		}
	})
}

// BenchmarkDetectHostile looks at long lines that begin again and again what
// an error looks like: the time for a byte must not grow with the line.
func BenchmarkDetectHostile(b *testing.B) {
	for _, d := range detectors {
		for name, unit := range map[string]string{"protocol": "HTTP/", "request": `"GET / HTTP/1.1" `, "digits": "500", "spaces": " 5", "braces": `{"status":`, "quotes": `\"`} {
			for _, size := range []int{1 << 10, MaxLine} {
				b.Run(fmt.Sprintf("%s/%s/%d", d.name, name, size), func(b *testing.B) {
					line := []byte(strings.Repeat(unit, size/len(unit)))
					b.SetBytes(int64(len(line)))
					for b.Loop() {
						d.Detect(line)
					}
				})
			}
		}
	}
}
