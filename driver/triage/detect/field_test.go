package detect

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
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
		if parts[0] == "?" {
			continue // undecidable by the line alone
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

// TestFieldLines holds detection to what it reaches on files of lines that
// programs print: shared ones, and our own. "go test -v" shows every format's
// score and each line that is judged wrongly.
func TestFieldLines(t *testing.T) {
	const floor, formatFloor = 0.99, 0.9 // of F1
	for _, path := range []string{"testdata/dev.tsv", "testdata/field.tsv", "testdata/lines.tsv", "testdata/heldout.tsv"} {
		t.Run(path, func(t *testing.T) {
			var total score
			formats := map[string]*score{}
			for _, s := range corpus(t, path) {
				m, found := Auto{}.Detect([]byte(s.line))
				if formats[s.format] == nil {
					formats[s.format] = &score{}
				}
				formats[s.format].add(s.positive, found)
				total.add(s.positive, found)
				if found != s.positive {
					e := Auto{}.Explain([]byte(s.line))
					t.Logf("an error: %v, found: %v %s (%d by %q): %s: %s", s.positive, found, m.Rule, e.Status, e.Rule, s.format, s.line)
				}
			}
			for _, name := range slices.Sorted(maps.Keys(formats)) {
				f := formats[name]
				t.Logf("%-18s %v", name, f)
				if f.f1() < formatFloor {
					t.Errorf("%s: F1 is below %v: %v", name, formatFloor, f)
				}
			}
			t.Logf("%-18s %v", "all", total)
			if total.f1() < floor || total.hit+total.quiet < 100 {
				t.Errorf("F1 is below %v, or the lines are few: %v", floor, total)
			}
		})
	}
}

// wrappings are what log collectors make of a program's line.
func wrappings(line string) []string {
	quoted, _ := json.Marshal(line)
	text := string(quoted)
	return []string{
		"web-1  | " + line,
		"Mar  1 10:02:11 node-2 app[123]: " + line,
		"2026-03-01T10:02:11.123456789Z stderr F " + line,
		"\x1b[32m" + line + "\x1b[0m",
		`{"log":` + text[:len(text)-1] + `\n","stream":"stdout","time":"2026-03-01T10:02:11.1Z"}`,
		`{"insertId":"a","severity":"ERROR","textPayload":` + text + `}`,
		`{"date":1.5,"kubernetes":{"pod_name":"web-503"},"log":` + strings.ReplaceAll(text, "/", `\/`) + `}`,
	}
}

// TestFieldLines_Wrapped holds detection to the same verdicts behind the heads
// of compose, syslog and CRI, in colours, and within collectors' JSON.
func TestFieldLines_Wrapped(t *testing.T) {
	var total score
	for _, s := range corpus(t, "testdata/heldout.tsv") {
		for _, line := range wrappings(s.line) {
			m, found := Auto{}.Detect([]byte(line))
			total.add(s.positive, found)
			if found != s.positive {
				t.Logf("an error: %v, found: %v %s: %s: %s", s.positive, found, m.Rule, s.format, line)
			}
		}
	}
	t.Log(total)
	if precision := ratio(total.hit, total.hit+total.alarm); total.f1() < 0.99 || precision < 0.99 {
		t.Errorf("F1 or precision is below 0.99: %v", total)
	}
}

// TestTheClassicFilterIsBeaten shows that the floor is no small thing.
func TestTheClassicFilterIsBeaten(t *testing.T) {
	var auto, classic score
	for _, s := range corpus(t, "testdata/field.tsv") {
		_, found := Auto{}.Detect([]byte(s.line))
		auto.add(s.positive, found)
		_, found = Classic{}.Detect([]byte(s.line))
		classic.add(s.positive, found)
	}
	t.Logf("classic: %v", classic)
	if classic.f1() > 0.6 || auto.f1() < classic.f1()+0.3 {
		t.Errorf("auto %v, classic %v", auto, classic)
	}
}
