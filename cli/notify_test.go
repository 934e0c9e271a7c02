package cli

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/plugin/control"
)

// serving serves a plugin's control socket in a spool until the test ends.
func serving(t *testing.T, server *control.Server) (spool string) {
	t.Helper()
	spool = t.TempDir()
	if err := os.Mkdir(filepath.Join(spool, control.Dir), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(spool, control.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	l, err := control.Listen(root)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return spool
}

// notifying is a plugin with targets, on the socket of a spool.
func notifying(t *testing.T, s control.Status, tested []control.Tested) (spool string) {
	t.Helper()
	return serving(t, &control.Server{
		Metrics: http.NotFoundHandler(), Status: func() control.Status { return s },
		TestTargets: func(_ context.Context, target string) (all []control.Tested, err error) {
			for _, t := range tested {
				if strings.HasPrefix(t.Target, target) {
					all = append(all, t)
				}
			}
			return all, nil
		},
	})
}

// TestNotify_ListsTargetsWithTheirState has one of each state.
func TestNotify_ListsTargetsWithTheirState(t *testing.T) {
	at := time.Date(2026, 11, 24, 15, 4, 5, 0, time.Local)
	spool := notifying(t, control.Status{Now: now, Targets: []control.Target{
		{Name: "webhook-3f2a1b at bot", Messages: 3, LastTold: now.Add(-5 * time.Minute)},
		{
			Name: "slack-111111 at hooks.slack.com", Failed: 4, Failing: 4, Refusal: "400 no", LastError: "400 no",
			Waiting: 2,
			Waits:   []control.Wait{{Why: "refused", Events: 2, Until: at, Error: "400 no"}},
		},
		{Name: "smtp-222222 at mail", Failed: 4, LastError: "timeout"},
		{Name: "ntfy-333333"},
		{Name: "discord-444444", LastError: "the outbox is not open: EIO"},
	}, WrongSettings: []control.Setting{
		{Variables: []string{"LOGFAST_NOTIFY"}, Problem: "target 2: unknown service", Effect: control.TargetLeftOut},
		{Variables: []string{"LOGFAST_STALL"}, Problem: "no time", Effect: control.Replaced},
	}}, nil)
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		return Run(append([]string{"notify", "--spool", spool}, args...), &out, &errs), out.String(), errs.String()
	}
	want := `webhook-3f2a1b at bot            took a message 5m00s ago
slack-111111 at hooks.slack.com  takes no messages (4 attempts failed in a row): 400 no
                                 2 refused: 400 no; retry at 15:04:05
smtp-222222 at mail              did not take the last message: timeout
ntfy-333333                      no message was sent since the plugin started; logfast notify --test sends one
discord-444444                   gets no messages: the outbox is not open: EIO
LOGFAST_NOTIFY                   left out: target 2: unknown service
`
	if code, out, errs := run(); code != 0 || out != want {
		t.Errorf("%d: %s%s\nwant\n%s", code, out, errs, want)
	}
	code, out, _ := run("slack-111111", "--json")
	if code != 0 || strings.Count(out, `"name"`) != 1 || !strings.Contains(out, `"failing": 4`) {
		t.Errorf("%d: %s", code, out)
	}
	for word, want := range map[string]string{
		"x": `no target "x"; there are webhook-3f2a1b, `, "smpt-222222": `did you mean "smtp-222222"?`,
		"s": `"s" begins the names of 2 targets`,
	} {
		if code, _, errs := run(word); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d: %s", word, code, errs)
		}
	}
	if code, out, errs := run("nt"); code != 0 || !strings.HasPrefix(out, "ntfy-333333 ") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	names := operands("target", spool)
	if !slices.Equal(names, []string{"discord-444444", "ntfy-333333", "slack-111111", "smtp-222222", "webhook-3f2a1b"}) {
		t.Errorf("completion: %v", names)
	}
}

// TestNotify_TestFailsWhereOneRefused has one target of each answer.
func TestNotify_TestFailsWhereOneRefused(t *testing.T) {
	spool := notifying(t, control.Status{}, []control.Tested{
		{Target: "webhook-3f2a1b at bot", Answer: "204 No Content"},
		{Target: "smtp-222222 at mail", Error: "550 \x1b[2Jno such user"},
	})
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := Run(append([]string{"notify", "--test", "--spool", spool}, args...), &out, &errs)
		return code, out.String(), errs.String()
	}
	code, out, errs := run()
	const took = "ok    webhook-3f2a1b at bot: 204 No Content\n"
	if code != 1 || !strings.HasPrefix(out, took+"FAIL  smtp-222222 at mail: 550 ") || strings.Contains(out, "\x1b") ||
		!strings.Contains(errs, "1 of 2 targets did not take the test message") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if code, out, errs := run("webhook-3f2a1b"); code != 0 || out != took || errs != "" {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if code, out, _ := run("--json"); code != 1 || !strings.Contains(out, `"answer": "204 No Content"`) {
		t.Errorf("%d: %s", code, out)
	}
}
