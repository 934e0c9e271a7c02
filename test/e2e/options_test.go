//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// jsonFileOptions are all that Docker documents for json-file, and the drivers' common
// ones, as daemon-wide log-opts give them to each container.
var jsonFileOptions = []string{
	"max-size=10k", "max-file=3", "compress=true", "tag={{.Name}}", "labels=team,zone", "labels-regex=^(stage|tier)$",
	"env=REGION", "env-regex=^(APP|DB)_", "mode=non-blocking", "max-buffer-size=4m",
}

// TestOptions_OfJSONFileStartContainers starts containers with every documented option of
// json-file, and with another driver's.
func TestOptions_OfJSONFileStartContainers(t *testing.T) {
	h := enable(t)
	for _, app := range []string{"web", "db"} {
		c := h.run(app, []step{out("one\n"), {Await: "end"}}, jsonFileOptions...)
		other := h.run("other"+app, []step{out("two\n"), {Await: "end"}}, "awslogs-group=g", "tag={{.Command}}", "max-file=abc")
		status, _, _ := h.logfast("status")
		for _, want := range []string{"option max-size: it is 10000 bytes; allowed are 64KiB", "unknown option awslogs-group of the driver awslogs: set LOGFAST_STORE", "option tag={{.Command}}", `option max-file: "abc"`} {
			if !strings.Contains(status, want) {
				t.Errorf("the status lacks %q:\n%s", want, status)
			}
		}
		for _, c := range []*container{c, other} {
			c.allow("end")
			c.wait()
		}
		if got := docker(t, "logs", c.id); got != "one" {
			t.Errorf("docker logs: %q", got)
		}
	}
}
