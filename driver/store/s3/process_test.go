package s3

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/store"
	"github.com/logfast/logfast/driver/store/s3/s3test"
)

func TestProcess_Words(t *testing.T) {
	for command, want := range map[string][]string{
		"/etc/logfast/keys":                     {"/etc/logfast/keys"},
		"  /opt/k --profile  web\t-v ":          {"/opt/k", "--profile", "web", "-v"},
		`"/opt/my keys" --for 'a "b" $c' --x=y`: {"/opt/my keys", "--for", `a "b" $c`, "--x=y"},
		`keys ""`:                               {"keys", ""},
		`keys "it's"`:                           {"keys", "it's"},
		"":                                      nil,
		"keys | jq .":                           nil,
		"keys > /tmp/x":                         nil,
		"A=b keys":                              nil,
		"keys $HOME":                            nil,
		`keys "$HOME"`:                          nil,
		"keys `id`":                             nil,
		"keys *":                                nil,
		"~/keys":                                nil,
		"keys 'open":                            nil,
		`keys a\ b`:                             nil,
		"keys; rm x":                            nil,
		"keys\nmore":                            nil,
	} {
		if got := words(command); !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
}

// credential_process works without any shell, as in a plugin, and says what to do if
// it cannot.
func TestProcess_WithoutAShell(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "keys")
	script := "#!/bin/sh\nprintf '{\"Version\":1,\"AccessKeyId\":\"FROMPROCESS\",\"SecretAccessKey\":\"%s\"}' \"$2\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		command string
		text    string // of the error; empty: it works
	}{
		"program":    {program + " --secret 'hunter 2'", ""},
		"no program": {"/usr/local/bin/keys --x", "A plugin sees none of the host's programs"},
		"not found":  {"aws-vault-like exec", "A plugin sees none of the host's programs"},
		"shell":      {program + " --secret x | cat", "needs a shell"},
	} {
		t.Run(what, func(t *testing.T) {
			s3test.ClearEnv(t)
			t.Setenv("PATH", dir+"/nothing")
			if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte("[default]\nregion = eu-west-1\ncredential_process = "+test.command+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			signed := ""
			s := openAt(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				signed = r.Header.Get("Authorization")
				take(w, r)
			}), Options{})
			err := putData(t, s)
			switch {
			case test.text == "" && (err != nil || !strings.Contains(signed, "FROMPROCESS")):
				t.Errorf("put: %v, signed as %s", err, signed)
			case test.text != "" && (!errors.Is(err, store.ErrBlocked) || !strings.Contains(err.Error(), test.text)):
				t.Errorf("put: %v, want ErrBlocked with %q", err, test.text)
			}
			if _, remedy := store.Advice(errorOr(err)); test.text != "" && !strings.Contains(remedy, "/etc/logfast") {
				t.Errorf("remedy %q", remedy)
			}
		})
	}
}

func errorOr(err error) error {
	if err == nil {
		return errors.New("none")
	}
	return err
}
