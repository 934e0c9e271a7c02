package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDashboardAndRulesNameMetricsThatExist compares deploy/ with a scrape, both
// ways: what is told is shown.
func TestDashboardAndRulesNameMetricsThatExist(t *testing.T) {
	m := New(full)
	told := map[string]bool{}
	for _, at := range regexp.MustCompile(`(?m)^# TYPE (logfast_\w+)`).FindAllStringSubmatch(scrape(t, m), -1) {
		told[at[1]] = true
	}
	shown := map[string]bool{}
	for _, file := range []string{"../../deploy/grafana/logfast.json", "../../deploy/prometheus/logfast.rules.yml", "../../deploy/prometheus/logfast.rules.test.yml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\blogfast_\w+`).FindAllString(string(b), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		for _, name := range names {
			if base := strings.TrimSuffix(name, "_bucket"); told[base] {
				name = base
			}
			if !told[name] {
				t.Errorf("%s names %s, which nobody tells", file, name)
			}
			shown[name] = true
		}
	}
	for name := range told {
		if !shown[name] {
			t.Errorf("%s is told, and neither the dashboard nor a rule shows it", name)
		}
	}
}

// TestTheDashboardIsWhole looks for what Grafana needs to show it.
func TestTheDashboardIsWhole(t *testing.T) {
	b, err := os.ReadFile("../../deploy/grafana/logfast.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || len(d.Panels) < 10 {
		t.Errorf("%+v", d)
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if p.Title == "" || ids[p.ID] || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d: %+v", i, p)
		}
		ids[p.ID] = true
		for _, q := range d.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies on %s", p.Title, q.Title)
			}
		}
		for _, target := range p.Targets {
			if !strings.Contains(target.Expr, `{instance=~"$instance"}`) || target.LegendFormat == "" {
				t.Errorf("%s: %+v", p.Title, target)
			}
		}
	}
}
