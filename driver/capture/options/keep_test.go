package options

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeep_ChoosesAsJSONFileDoes chooses labels and variables by name and by expression.
func TestKeep_ChoosesAsJSONFileDoes(t *testing.T) {
	labels := map[string]string{"team": "blue", "zone": "eu", "com.example.a": "1", "com.example.b": "2", "other": "x", "api-token": "t"}
	env := []string{"REGION=eu-1", "APP_ENV=prod", "APP_MODE=a=b", "DB_PASSWORD=hunter2", "PATH=/bin", "EMPTY=", "BARE", "REGION=eu-2"}
	for name, tt := range map[string]struct {
		config      map[string]string
		labels, env map[string]string
		notices     []string
	}{
		"nothing":     {},
		"names":       {config: map[string]string{"labels": "team,none", "env": "REGION, EMPTY,,BARE"}, labels: map[string]string{"team": "blue"}, env: map[string]string{"REGION": "eu-2", "EMPTY": ""}},
		"expressions": {config: map[string]string{"labels-regex": `^com\.example\.`, "env-regex": "^APP_"}, labels: map[string]string{"com.example.a": "1", "com.example.b": "2"}, env: map[string]string{"APP_ENV": "prod", "APP_MODE": "a=b"}},
		"both":        {config: map[string]string{"labels": "team", "labels-regex": "zo"}, labels: map[string]string{"team": "blue", "zone": "eu"}},
		"secrets": {
			config:  map[string]string{"env": "DB_PASSWORD,REGION", "env-regex": "DB_", "labels": "api-token"},
			env:     map[string]string{"REGION": "eu-2"},
			notices: []string{"labels that look like secrets are not kept: api-token; choose other names", "environment variables that look like secrets are not kept: DB_PASSWORD; choose other names"},
		},
		"bad": {config: map[string]string{"env-regex": "(", "env": "REGION"}, env: map[string]string{"REGION": "eu-2"}, notices: []string{`option env-regex: pattern "(", at byte 1: missing closing ) "("; the syntax is RE2's; the default is used`}},
	} {
		rules := someRules()
		stream, o, err := rules.Parse(Info{ContainerName: "/web", Config: tt.config, ContainerLabels: labels, ContainerEnv: env})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(tt.labels, stream.Labels) + cmp.Diff(tt.env, stream.Env) + cmp.Diff(tt.notices, o.Notices); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// TestKeep_NoSecretIsKept chooses everything there is, and wants no value of a secret in
// what is kept, in notices or in a refusal.
func TestKeep_NoSecretIsKept(t *testing.T) {
	const value = "hunter2-1f9a"
	var env []string
	for _, name := range []string{
		"PASSWORD", "DB_PASSWD", "MYSQL_PWD", "PGPASS", "CLIENT_SECRET", "GITHUB_TOKEN", "AWS_ACCESS_KEY_ID", "API_KEY", "apikey", "MasterKey",
		"GOOGLE_CREDENTIALS", "CREDS", "BASIC_AUTH", "PRIVATE_DATA", "SENTRY_DSN", "SESSION_SALT", "COOKIE", "JWT", "PSK",
	} {
		env = append(env, name+"="+value)
	}
	env = append(env, "DATABASE_URL=postgres://app:"+value+"@db/app", "X=Authorization: Bearer "+value+value, "MODE=fast")
	// The @ that shows the password is behind what is kept of the value.
	env = append(env, "LONG_URL=postgres://app:"+value+strings.Repeat("x", maxLabel)+"@db/app")
	for _, config := range []map[string]string{{"env-regex": "."}, {"env-regex": ".", "format": "x"}, {"tag": "{{.}}"}, {"tag": "{{.ContainerEnv}}"}} {
		rules := someRules()
		stream, o, err := rules.Parse(Info{ContainerName: "/web", Config: config, ContainerEnv: env})
		all, _ := json.Marshal(struct {
			A, B any
			C    string
		}{stream, o, fmt.Sprint(err)})
		if strings.Contains(string(all), value) {
			t.Errorf("%v: %s", config, all)
		}
		if err == nil && config["env-regex"] != "" && (len(stream.Env) != 1 || stream.Env["MODE"] != "fast" || !strings.Contains(fmt.Sprint(o.Notices), "API_KEY, ")) {
			t.Errorf("%q\n%q", stream.Env, o.Notices)
		}
	}
}

// TestKeep_LabelsOfAKeyAreNoSecrets: everyone who lists the store sees them. What only
// LOGFAST_LABELS names is kept whatever it looks like.
func TestKeep_LabelsOfAKeyAreNoSecrets(t *testing.T) {
	labels := map[string]string{"team": "blue", "api-token": "hunter2", "db": "postgres://app:hunter2@db", "my-key": "k"}
	notice := []string{"labels that look like secrets are not kept: api-token, db; choose other names"}
	for name, tt := range map[string]struct {
		labels []string // of LOGFAST_LABELS
		config map[string]string
		want   map[string]string
	}{
		"of the key alone":    {want: map[string]string{"team": "blue"}},
		"of LOGFAST_LABELS":   {labels: []string{"api-token", "my-key"}, want: map[string]string{"team": "blue", "my-key": "k"}},
		"of an option":        {config: map[string]string{"labels": "db,api-token"}, want: map[string]string{"team": "blue"}},
		"of an option, again": {labels: []string{"my-key"}, config: map[string]string{"labels": "my-key"}, want: map[string]string{"team": "blue", "my-key": "k"}},
	} {
		rules := someRules()
		rules.Labels, rules.KeyLabels = tt.labels, []string{"api-token", "team", "db", "none"}
		stream, o, err := rules.Parse(Info{ContainerName: "/web", Config: tt.config, ContainerLabels: labels})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(tt.want, stream.Labels) + cmp.Diff(notice, o.Notices); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// TestKeep_IsBounded chooses far too much.
func TestKeep_IsBounded(t *testing.T) {
	info := Info{Config: map[string]string{"labels-regex": ".", "env": strings.Repeat("a,", 1<<20), "env-regex": "."}, ContainerLabels: map[string]string{}}
	for i := range 10_000 {
		info.ContainerLabels[fmt.Sprint("l", i)] = strings.Repeat("\xff", 2000)
		info.ContainerEnv = append(info.ContainerEnv, fmt.Sprintf("E%d=%s", i, strings.Repeat("word ", 1000)))
	}
	info.ContainerLabels[strings.Repeat("n", 1000)] = ""
	rules := someRules()
	stream, o, err := rules.Parse(info)
	if err != nil || len(stream.Labels) != maxLabels || len(stream.Env) != maxLabels || len(stream.Env["E0"]) != maxLabel {
		t.Errorf("%d labels, %d variables, %v", len(stream.Labels), len(stream.Env), err)
	}
	if said := fmt.Sprint(o.Notices); !strings.Contains(said, "labels: 9951 are not kept; allowed are 50") || !strings.Contains(said, "option env: it has 2097152 bytes") || len(said) > 4000 {
		t.Errorf("%.4000s", said)
	}
}
