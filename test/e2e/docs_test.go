//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
)

// block is a piece of a page that is to be typed.
type block struct {
	line   int
	text   string
	notRun string // why it cannot be run here
}

var notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// blocks finds what a page has the reader type.
func blocks(t *testing.T, page string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	mark := ""
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := notRun.FindStringSubmatch(line); m != nil {
			if len(strings.Fields(m[1])) < 4 || lines[i+1] != "```sh" {
				t.Errorf("%s:%d: a mark needs a reason, and a block below it", page, i+1)
			}
			mark = m[1]
			continue
		}
		if line == "```sh" {
			b := block{line: i + 2, notRun: mark}
			for i++; lines[i] != "```"; i++ {
				b.text += lines[i] + "\n"
			}
			all = append(all, b)
		} else if strings.HasPrefix(line, "```") {
			for i++; !strings.HasPrefix(lines[i], "```"); i++ {
			}
		}
		mark = ""
	}
	return all
}

// TestTheCommandsInTheDocsWork types what the pages say, one page after the
// other, on a host whose plugin, container, image and directories have other
// names: those are put in.
func TestTheCommandsInTheDocsWork(t *testing.T) {
	h, _ := enableS3(t, "LOGFAST_NOTIFY="+notifytest.NewReceiver(t).URL)
	bin := t.TempDir()
	program, err := filepath.Abs("../../build/logfast")
	if err != nil {
		t.Fatal(err)
	}
	real, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	// An argument that is "logfast" names the plugin, and what it shows has the
	// paths that it sees. Containers need no network, and the machine may have none.
	wrapper := fmt.Sprintf(`#!/bin/sh
for a; do
	[ "$a" = logfast ] && a=%[1]s
	set -- "$@" "$a"
	shift
done
[ "$1 $2" = "plugin inspect" ] && %[2]s "$@" | sed 's,/etc/logfast,%[3]s,g' && exit
if [ "$1" = run ]; then
	shift
	set -- run --network none "$@"
fi
exec timeout 100 %[2]s "$@"
`, pluginName, real, h.config)
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "logfast")); err != nil {
		t.Fatal(err)
	}
	// What is optional in /etc/logfast must be there where that is elsewhere.
	if err := os.WriteFile(filepath.Join(h.config, "notify"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\b(web|trial|rival)\b`)
	for _, page := range []string{"operations", "migration"} {
		t.Run(page, func(t *testing.T) {
			h := h.in(t)
			c := h.run(page+"-web", []step{out("one\n" + serverError), {Await: "end"}})
			await.Until(t, "its lines are on disk", func() bool { return strings.Count(c.onDisk(), "\n") == 2 })
			prefix := strings.TrimSuffix(c.app, "web")
			t.Cleanup(func() {
				for _, other := range []string{"trial", "rival"} {
					tryDocker("rm", "-f", prefix+other)
				}
			})
			dir := t.TempDir()
			for _, b := range blocks(t, "../../docs/"+page+".md") {
				if b.notRun != "" {
					t.Logf("%s.md:%d is not run: %s", page, b.line, b.notRun)
					continue
				}
				text := names.ReplaceAllString(b.text, prefix+"$1")
				text = strings.NewReplacer("/var/log/logfast", h.spool, "/etc/logfast", h.config, "s3://new-logs", "s3://logs/new",
					" IMAGE", " "+image, "127.0.0.1:9323", "127.0.0.1:"+freePort(t)).Replace(text)
				ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
				shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
				shell.Dir = dir
				shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LOGFAST_SPOOL="+h.spool)
				out, err := shell.CombinedOutput()
				cancel()
				if err != nil {
					t.Errorf("%s.md:%d: %v\n%s→ %s", page, b.line, err, b.text, out)
				}
			}
		})
	}
}

// TestInstall installs the program and its completion somewhere, and types.
func TestInstall(t *testing.T) {
	prefix := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "PATH="+prefix+"/bin:"+os.Getenv("PATH"))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run("make", "-C", "../..", "install", "PREFIX="+prefix)
	if got := run(prefix+"/bin/logfast", "version"); !strings.HasPrefix(got, "logfast ") {
		t.Error(got)
	}
	got := run("bash", "-ec", "source "+prefix+`/share/bash-completion/completions/logfast
COMP_WORDS=(logfast flu) COMP_CWORD=1
_logfast
echo "${COMPREPLY[@]}"`)
	if got != "flush\n" {
		t.Errorf("completed to %q", got)
	}
	run("make", "-C", "../..", "uninstall", "PREFIX="+prefix)
	if left, _ := filepath.Glob(prefix + "/*/logfast"); left != nil {
		t.Errorf("left: %v", left)
	}
}
