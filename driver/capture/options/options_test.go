package options

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/settings"
	"github.com/logfast/logfast/driver/triage/fasttrack"
)

// someRules are those of a plugin without settings of its own.
func someRules() Rules {
	return Rules{Host: "h", Defaults: Options{
		MaxSize: 100e6, Policy: fasttrack.Policy{Quiet: MinQuiet, MaxDelay: MinQuiet},
	}}
}

func TestAppAndGroup(t *testing.T) {
	for name, tt := range map[string]struct {
		info       Info
		app, group string
	}{
		"plain":   {Info{ContainerName: "/web"}, "web", ""},
		"compose": {Info{ContainerName: "/shop-web-2", ContainerLabels: map[string]string{composeProject: "shop", composeService: "web"}}, "shop-web", "shop"},
		"swarm":   {Info{ContainerName: "/x", ContainerLabels: map[string]string{swarmStack: "shop", swarmService: "shop_web"}}, "shop_web", "shop"},
		"options": {Info{ContainerName: "/x", Config: map[string]string{"tag": "{{.ImageName}}/{{.Name}}", "group": "g"}, ContainerImageName: "nginx:1", ContainerLabels: map[string]string{composeProject: "p"}}, "nginx:1/x", "g"},
		"label":   {Info{ContainerName: "/x", Config: map[string]string{"tag": `{{if .Name}}{{index .ContainerLabels "team" | upper}}{{else}}-{{end}}/{{slice .ID 0 4}}`}, ContainerID: "0123456789abcdef", ContainerLabels: map[string]string{"team": "blue"}}, "BLUE/0123", ""},
		"long":    {Info{ContainerName: "/" + strings.Repeat("x", 9999), ContainerLabels: map[string]string{composeProject: strings.Repeat("p", 9999)}}, strings.Repeat("x", 512), strings.Repeat("p", 512)},
		"ids":     {Info{Config: map[string]string{"tag": "{{.ID}} {{.FullID}} {{.ImageID}} {{.ImageFullID}} {{.DaemonName}}"}, ContainerID: "0123456789abcdef", ContainerImageID: "sha256:fedcba9876543210", DaemonName: "docker"}, "0123456789ab 0123456789abcdef fedcba987654 sha256:fedcba9876543210 docker", ""},
	} {
		rules := someRules()
		stream, _, err := rules.Parse(tt.info)
		if err != nil || stream.App != tt.app || stream.Group != tt.group {
			t.Errorf("%s: app %q, group %q, %v", name, stream.App, stream.Group, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"100MB": 100e6, "100m": 100e6, "64KiB": 64 << 10, "2GiB": 2 << 30, "70000": 70000} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("%s: %d, %v", in, got, err)
		}
	}
}

// TestOptions_EachOfTheTableHasAParser: an option that the table lists is read, and no
// other has a parser.
func TestOptions_EachOfTheTableHasAParser(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(parsers)), slices.Sorted(slices.Values(settings.Options())); !slices.Equal(got, want) {
		t.Errorf("parsers of %q\nwant %q", got, want)
	}
	for _, s := range settings.All() {
		if s.Option == "" || s.Default == "" {
			continue
		}
		var o Options
		if err := o.Set(s.Option, s.Default); err != nil {
			t.Errorf("the default of %s: %v", s.Option, err)
		}
	}
	var o Options
	if err := o.Set("fromat", "cri"); err == nil || !strings.Contains(err.Error(), `did you mean "format"?`) {
		t.Errorf("an unknown option: %v", err)
	}
}
