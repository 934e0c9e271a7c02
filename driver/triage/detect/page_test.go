package detect

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/detection.md")

// TestPage_TablesAreOfTheRules fails if docs/detection.md does not show the rules as
// they are: run go generate ./driver/triage/detect.
func TestPage_TablesAreOfTheRules(t *testing.T) {
	const path = "../../../docs/detection.md"
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(old)
	tables := map[string]*strings.Builder{}
	for _, r := range everyRule() {
		if tables[r.list] == nil {
			tables[r.list] = &strings.Builder{}
			tables[r.list].WriteString("| rule | what it reads | example | finds |\n|---|---|---|---|\n")
		}
		fmt.Fprintf(tables[r.list], "| %s | %s | %s | %s |\n", r.name, cell(r.doc), code(r.example), result(r.finds))
	}
	for list, table := range tables {
		begin := "<!-- " + list + ": written by go generate ./driver/triage/detect -->\n"
		end := "<!-- end of " + list + " -->\n"
		head, rest, ok := strings.Cut(page, begin)
		_, tail, okEnd := strings.Cut(rest, end)
		if !ok || !okEnd {
			t.Fatalf("%s has no marks of the table %s: %q, %q", path, list, begin, end)
		}
		page = head + begin + "\n" + table.String() + "\n" + end + tail
	}
	if page == string(old) {
		return
	}
	if !*update {
		t.Fatalf("%s does not show the rules as they are: run go generate ./driver/triage/detect", path)
	}
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// code shows a line as it is; only blanks at its ends are lost.
func code(line string) string {
	mark := "`"
	if strings.Contains(line, mark) {
		mark = "``"
	}
	return cell(mark + strings.TrimSpace(strings.ReplaceAll(line, "\t", `\t`)) + mark)
}

func result(m Match) string {
	switch {
	case m.Rule == "":
		return "nothing"
	case m.Status == 0:
		return "no status, by `" + m.Rule + "`"
	}
	return fmt.Sprintf("%d, by `%s`", m.Status, m.Rule)
}
