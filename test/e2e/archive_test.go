//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/internal/await"
)

// desk runs the built program on this host's spool and its bucket, as somebody
// at a desk would.
func (h *host) desk(endpoint string, args ...string) (string, int) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, "../../build/logfast", args...)
	c.Env = append(os.Environ(), h.deskEnv(endpoint)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) || stderr.Len() > 0 {
		h.Fatalf("logfast %q: %v\n%s", args, err, stderr.String())
	}
	return string(out), c.ProcessState.ExitCode()
}

// deskEnv is the environment of desk; the credentials are those of the test's
// own, which s3test has set.
func (h *host) deskEnv(endpoint string) []string {
	return []string{"LOGFAST_STORE=s3://logs/prefix", "LOGFAST_SPOOL=" + h.spool, "AWS_ENDPOINT_URL_S3=" + endpoint, "AWS_REGION=us-east-1", "TZ=UTC"}
}

// TestTheArchiveFromADesk: what containers wrote through the plugin is what
// logfast ls, cat, grep and tail give, from the spool and the bucket together.
func TestTheArchiveFromADesk(t *testing.T) {
	h, p := enableS3(t, "LOGFAST_QUIET_PERIOD=1s", "LOGFAST_MAX_DELAY=2s")
	endpoint := "http://" + p.address
	// One has ended and is in the bucket alone, one ships an error and goes on,
	// one has only an active segment.
	ended := h.run("ended", []step{{Count: 2000, Line: "ended"}}, "group=desk")
	ended.wait()
	await.Until(t, "the ended one's lines are shipped", ended.shipped)
	erring := h.run("erring", []step{
		out("before\n"), out(serverError), {Await: "more"}, out("after\n"), {Await: "end"},
	}, "group=desk")
	await.Until(t, "the error is shipped", func() bool { return erring.ended("error") == 1 })
	erring.allow("more")
	quiet := h.run("quiet", []step{out("quiet one\n"), out("quiet two\n"), {Await: "go"}, out("followed\n"), {Await: "end"}}, "group=desk")
	defer erring.allow("end")
	defer quiet.allow("end")
	await.Until(t, "all is written", func() bool {
		return strings.Contains(erring.onDisk(), "after") && strings.Contains(quiet.onDisk(), "quiet two")
	})
	texts := map[string]string{ended.app: ended.inStore(), erring.app: erring.onDisk(), quiet.app: quiet.onDisk()}
	if err := os.RemoveAll(ended.dir()); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, text := range texts {
		all = append(all, slices.Collect(strings.Lines(text))...)
	}
	slices.Sort(all)
	if len(all) != 2000+3+2 {
		t.Fatalf("%d lines", len(all))
	}

	got, status := h.desk(endpoint, "cat", "--group", "desk", "--since", "1h")
	lines := slices.Collect(strings.Lines(got))
	if !slices.IsSortedFunc(lines, func(a, b string) int { return strings.Compare(a[:30], b[:30]) }) {
		t.Error("cat: not in the order of time")
	}
	slices.Sort(lines)
	if status != 0 || !slices.Equal(lines, all) {
		t.Errorf("cat: status %d, %d lines of %d", status, len(lines), len(all))
	}
	for app, text := range texts {
		if got, status := h.desk(endpoint, "cat", "--container", app); status != 0 || got != text {
			t.Errorf("cat --container %s: status %d, %d bytes, want %d", app, status, len(got), len(text))
		}
	}
	if got, _ := h.desk(endpoint, "cat", "--no-spool", "--status", "500", "--output", "text"); got != serverError {
		t.Errorf("cat --status: %q", got)
	}
	listed, _ := h.desk(endpoint, "ls")
	for _, want := range []string{ended.app + " +stop +2000 .* store ", erring.app + " +error +2 .* 1  both ", erring.app + " +active +1 .* spool ", quiet.app + " +active +2 .* spool "} {
		if !regexp.MustCompile(want).MatchString(listed) {
			t.Errorf("ls: no %q in\n%s", want, listed)
		}
	}
	if got, status := h.desk(endpoint, "grep", "--output", "text", "ended 1[0-9]*9$|^quiet|cart"); status != 0 || strings.Count(got, "\n") != countNines()+3 {
		t.Errorf("grep: status %d\n%s", status, got)
	}
	if got, status := h.desk(endpoint, "grep", "-c", "nobody wrote this"); status != 1 || got != "0\n" {
		t.Errorf("grep of nothing: status %d, %q", status, got)
	}
	if got, _ := h.desk(endpoint, "tail", "-n", "1", "--container", ended.app, "--output", "text"); got != "1999 ended 1999\n" {
		t.Errorf("tail: %q", got)
	}
	in := h.incident(1)
	if got, status := h.desk(endpoint, "incidents"); status != 0 || !strings.Contains(got, " 500 ") || !strings.Contains(got, erring.app) || strings.Count(got, "\n") != 2 {
		t.Errorf("incidents: status %d\n%s", status, got)
	}
	if got, status := h.desk(endpoint, "incident", in.ID[:len(in.ID)-2]); status != 0 || !strings.Contains(got, in.ID) || !strings.Contains(got, strings.TrimSuffix(serverError, "\n")) || !strings.Contains(got, "before") {
		t.Errorf("incident: status %d\n%s", status, got)
	}
	followWhatComes(t, h, endpoint, quiet)
}

// countNines is how many of 0 to 1999 begin with 1 and end in 9.
func countNines() (n int) {
	for i := range 2000 {
		if s := fmt.Sprint(i); strings.HasPrefix(s, "1") && len(s) > 1 && strings.HasSuffix(s, "9") {
			n++
		}
	}
	return n
}

// followWhatComes follows a container until its next line is there, and ends it
// as ^C does.
func followWhatComes(t *testing.T, h *host, endpoint string, c *container) {
	t.Helper()
	tail := exec.Command("../../build/logfast", "tail", "-f", "-n", "1", "--container", c.app, "--output", "text")
	tail.Env = append(os.Environ(), h.deskEnv(endpoint)...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tail.Stdout = w
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	read := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if n, err := r.Read(got); err != nil || string(got[:n]) != want {
			t.Errorf("tail -f: %q, want %q; %v", got[:n], want, err)
		}
	}
	read("quiet two\n")
	c.allow("go")
	read("followed\n")
	if err := tail.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if tail.Wait(); tail.ProcessState.ExitCode() != 130 {
		t.Errorf("tail -f ended with %d", tail.ProcessState.ExitCode())
	}
}
