package detect

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// sample is one line of a corpus: whether it reports a server error, what
// wrote it.
type sample struct {
	positive     bool
	format, line string
}

// corpus reads a file of label, format and line, split by tabs. A \e in a line
// of ours stands for ESC.
func corpus(t testing.TB, path string) []sample {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []sample
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		parts := strings.SplitN(lines.Text(), "\t", 3)
		if n == 1 && parts[0] == "label" || strings.HasPrefix(parts[0], "#") || lines.Text() == "" {
			continue
		}
		if len(parts) != 3 || parts[0] != "0" && parts[0] != "1" {
			t.Fatalf("%s:%d: want label, format and line, split by tabs: %q", path, n, lines.Text())
		}
		out = append(out, sample{parts[0] == "1", parts[1], strings.ReplaceAll(parts[2], `\e[`, "\x1b[")})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// score counts how a detector's answers agree with labels.
type score struct{ hit, miss, alarm, quiet int }

func (s *score) add(positive, found bool) {
	switch {
	case positive && found:
		s.hit++
	case positive:
		s.miss++
	case found:
		s.alarm++
	default:
		s.quiet++
	}
}

func (s score) String() string {
	return fmt.Sprintf("precision %.3f, recall %.3f, F1 %.3f; %d hits, %d missed, %d false alarms, %d quiet",
		ratio(s.hit, s.hit+s.alarm), ratio(s.hit, s.hit+s.miss), s.f1(), s.hit, s.miss, s.alarm, s.quiet)
}

func (s score) f1() float64 { return ratio(2*s.hit, 2*s.hit+s.miss+s.alarm) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

func TestFieldLines(t *testing.T) {
	for _, path := range []string{"testdata/dev.tsv", "testdata/field.tsv"} {
		t.Run(path, func(t *testing.T) {
			var total score
			for _, s := range corpus(t, path) {
				m, found := Auto{}.Detect([]byte(s.line))
				total.add(s.positive, found)
				if found != s.positive {
					e := Auto{}.Explain([]byte(s.line))
					t.Logf("want %v, got %v (%s; explained %d %s): %s: %s", s.positive, found, m.Rule, e.Status, e.Rule, s.format, s.line)
				}
			}
			t.Log(total)
		})
	}
}
