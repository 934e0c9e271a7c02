package plugin

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/triage/notify"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/plugin/control"
)

// TestTargets_GetATestMessageFromThePlugin asks a plugin that runs, over its socket.
func TestTargets_GetATestMessageFromThePlugin(t *testing.T) {
	bot, away := notifytest.NewReceiver(t), notifytest.NewReceiver(t)
	away.Answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hunter2hunter2", http.StatusForbidden) })
	file := notifyFile(t, away.URL+"/hunter2hunter2 as=slack", "slak://x")
	s := serve(t, "LOGFAST_NOTIFY="+bot.URL+"/hook", "LOGFAST_NOTIFY_FILE="+file)
	c := control.NewClient(s.spool)
	s.awaitControl(c)
	all, err := c.TestTargets(t.Context(), "")
	if err != nil || len(all) != 3 || control.Refused(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if all[0].Answer != "204 No Content" || !strings.Contains(all[1].Error, "403 Forbidden") || all[1].Kind != "slack" ||
		all[2].Target != "LOGFAST_NOTIFY_FILE" ||
		!strings.Contains(all[2].Error, "a target is wrong, and is left out: ") {
		t.Errorf("%+v", all)
	}
	var e struct{ Type string }
	if err := json.Unmarshal(bot.Requests()[0].Body, &e); err != nil || e.Type != notify.TypeTest {
		t.Errorf("%v: %s", err, bot.Requests()[0].Body)
	}
	id, _, _ := strings.Cut(all[0].Target, " ")
	if one, err := c.TestTargets(t.Context(), id); err != nil || len(one) != 1 || one[0].Target != all[0].Target {
		t.Errorf("%+v, %v", one, err)
	}
	_, err = c.TestTargets(t.Context(), "discord")
	if err == nil || !strings.Contains(err.Error(), `no target "discord"`) {
		t.Error(err)
	}
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range status.Targets {
		if target.Messages+target.Failed != 0 || target.Failing != 0 || target.LastError != "" ||
			!target.LastTold.IsZero() {
			t.Errorf("a test is counted: %+v", target)
		}
	}
	s.stop()
	if log := s.log.String(); strings.Contains(log, "hunter2") || !strings.Contains(log, "a test message was taken") ||
		!strings.Contains(log, "a test message was not taken") {
		t.Error(log)
	}
}

// TestTargets_AreNotThere says how to configure one.
func TestTargets_AreNotThere(t *testing.T) {
	environ := []string{"LOGFAST_NOTIFY_FILE=" + notifyFile(t)}
	_, err := TestTargets(t.Context(), environ, "")
	if err == nil || !strings.Contains(err.Error(), "write its URL into /etc/logfast/notify") {
		t.Error(err)
	}
	targets, left := Targets(append(environ, "LOGFAST_NOTIFY=https://a.example slak://x"))
	if len(targets) != 1 || len(left) != 1 {
		t.Errorf("%+v %+v", targets, left)
	}
}

// TestCheck_ConnectsToTargets has one that can be reached and one that cannot: the
// latter is a warning, and nothing is sent to either.
func TestCheck_ConnectsToTargets(t *testing.T) {
	bot := notifytest.NewReceiver(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	all := Check(t.Context(), []string{
		"LOGFAST_SPOOL=" + t.TempDir(), "LOGFAST_NOTIFY_FILE=" + notifyFile(t),
		"LOGFAST_NOTIFY=" + bot.URL + "/hook http://" + l.Addr().String() + "/hunter2hunter2 generic://example.com/hook",
	}, false)
	var found []control.Finding
	for _, f := range all {
		if f.Check == "notify" {
			found = append(found, f)
		}
	}
	if len(found) != 3 || control.Failed(all) || len(bot.Requests()) != 0 {
		t.Fatalf("%+v", all)
	}
	reached := " can be reached at " + strings.TrimPrefix(bot.URL, "http://") +
		"; to send a test message: logfast notify --test webhook-"
	if f := found[0]; f.Result != control.OK || !strings.Contains(f.Detail, reached) {
		t.Errorf("%+v", f)
	}
	if f := found[1]; f.Result != control.Warn || strings.Contains(f.Detail, "hunter2") ||
		!strings.Contains(f.Detail, " cannot be reached: "+l.Addr().String()) ||
		!strings.Contains(f.Remedy, "whether the receiver runs") ||
		!strings.Contains(f.Remedy, "run logfast check there") {
		t.Errorf("%+v", f)
	}
	if f := found[2]; f.Result != control.OK || !strings.Contains(f.Detail, "did not connect") {
		t.Errorf("%+v", f)
	}
}
