package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
)

// closed is an address at which nothing listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestTrial_EachTargetGetsATestInItsForm has targets of each kind that take the
// message, and the answer of each.
func TestTrial_EachTargetGetsATestInItsForm(t *testing.T) {
	hook, chat, push := notifytest.NewReceiver(t), notifytest.NewReceiver(t), notifytest.NewReceiver(t)
	box := (&notifytest.Mailbox{}).Start(t)
	chat.Answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok hunter2hunter2\nmore") })
	push.Answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	all := targets(t, strings.Join([]string{
		hook.URL + "/hook secret=" + newSecret16,
		chat.URL + "/hunter2hunter2 as=slack",
		chat.URL + "/hunter2hunter2 as=discord",
		chat.URL + "/hunter2hunter2 as=teams",
		"ntfy://" + strings.TrimPrefix(push.URL, "http://") + "/topichunter2?scheme=http",
		"smtp://" + box.Address + "/?from=logfast@example.com&to=oncall@example.com",
	}, "\n"))
	got := TestAll(t.Context(), all, "web-1")
	for i, want := range []string{
		"204 No Content", `200 OK: "ok …"`, `200 OK: "ok …"`, `200 OK: "ok …"`, "200 OK", "250 2.0.0 OK: queued",
	} {
		if got[i].Err != nil || got[i].Target != all[i] || got[i].Answer != want {
			t.Errorf("%s: %q %v, want %q", all[i].Name, got[i].Answer, got[i].Err, want)
		}
	}
	const text = "Test message from logfast on web-1, sent by logfast notify --test: nothing is wrong."
	r := hook.Requests()[0]
	var e incident.Event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Type != TypeTest || e.SpecVersion != "1.0" || e.Source != "/logfast/web-1" ||
		e.ID != r.Header.Get("Webhook-Id") ||
		!fromLogfast(&http.Request{Header: r.Header}, r.Body, []byte(newSecret16)) ||
		!bytes.Contains(r.Body, []byte(text)) {
		t.Errorf("%v %s", r.Header, r.Body)
	}
	bodies := map[string]bool{}
	for _, r := range chat.Requests() {
		var body struct{ Text, Content, Type string }
		if err := json.Unmarshal(r.Body, &body); err != nil || !bytes.Contains(r.Body, []byte(text)) {
			t.Errorf("%v: %s", err, r.Body)
		}
		bodies[body.Text+body.Content+body.Type] = true
	}
	if !bodies[text] || !bodies["message"] || len(bodies) != 2 { // Slack's and Discord's are the line alone
		t.Errorf("%v", bodies)
	}
	if body := string(push.Requests()[0].Body); !strings.Contains(body, text) {
		t.Error(body)
	}
	if subject := box.Mails()[0].Header.Get("Subject"); subject != "[test] logfast on web-1: nothing is wrong" {
		t.Error(subject)
	}
}

// TestTrial_SaysWhatRefused has targets that do not take the message.
func TestTrial_SaysWhatRefused(t *testing.T) {
	away := notifytest.NewReceiver(t)
	away.Answer(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no channel for "+r.URL.Path, http.StatusBadRequest)
	})
	box := (&notifytest.Mailbox{Refuse: "gone@example.com"}).Start(t)
	broken := Target{Name: "broken", Kind: "webhook", sender: panicking{}}
	all := append(targets(t, strings.Join([]string{
		away.URL + "/hunter2hunter2",
		away.URL + "/hunter2hunter2 as=slack",
		"ntfy://" + strings.TrimPrefix(away.URL, "http://") + "/topichunter2?scheme=http",
		"smtp://" + box.Address + "/?from=logfast@example.com&to=gone@example.com",
		"http://" + closed(t) + "/hunter2hunter2",
	}, "\n")), &broken)
	got := TestAll(t.Context(), all, "web-1")
	for i, want := range []string{
		`answered 400 Bad Request: "no channel for /…"`,
		"slack: the receiver answered 400 Bad Request; check the target's URL",
		"ntfy: the service answered 400 Bad Request: ", "mail: recipient …: 550 ",
		"connection refused", "panic",
	} {
		if err := got[i].Err; err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q %v, want %q", all[i].Name, got[i].Answer, err, want)
		}
		if i < 4 && whyOf(got[i].Err) != WaitRefused || i >= 4 && whyOf(got[i].Err) != WaitFailed {
			t.Errorf("%s waits because it is %s: %v", all[i].Name, whyOf(got[i].Err), got[i].Err)
		}
	}
}

// panicking is a sender with a defect.
type panicking struct{}

func (panicking) send(context.Context, *message) error { panic("panic") }

// TestTrial_LeavesTheQueueAlone tests a target that fails, while an event waits for
// it and after it takes messages again.
func TestTrial_LeavesTheQueueAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var program ear
		program.refuse(func(context.Context, *message) error { return errDown })
		b := newBox(t, program.target("webhook", false, shippedOnly...)).start()
		defer b.end()
		b.add(event(1, incident.TypeShipped, "a"))
		synctest.Wait()
		before := b.Health()[0]
		if got := TestAll(t.Context(), b.targets, "web-1"); got[0].Err == nil {
			t.Error("the target is down")
		}
		program.refuse(func(context.Context, *message) error { return nil })
		if got := TestAll(t.Context(), b.targets, "web-1"); got[0].Err != nil {
			t.Error(got[0].Err)
		}
		synctest.Wait()
		after := b.Health()[0]
		if after.Failed != before.Failed || after.Failing != before.Failing || after.Waiting != 1 ||
			after.Messages != 0 || len(after.Waits) != 1 || !after.LastTold.IsZero() ||
			!after.Waits[0].Until.Equal(before.Waits[0].Until) {
			t.Errorf("%+v\nbefore %+v", after, before)
		}
	})
}

// TestTrial_EndsAfterItsTime tests a target that answers nothing.
func TestTrial_EndsAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent ear
		silent.refuse(func(ctx context.Context, _ *message) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		got := TestAll(t.Context(), []*Target{silent.target("chat", true)}, "web-1")
		if err := got[0].Err; err == nil || err.Error() != "no answer within 30s" || time.Since(began) != testTime {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestTrial_FindsTargets(t *testing.T) {
	all := []*Target{
		{Name: "webhook-3f2a1b at bot.example.com"}, {Name: "webhook-3f9999 at bot.example.com"}, {Name: "slack-3f2a1b"},
	}
	for word, want := range map[string]string{
		"": "3", "webhook-3f2a1b": "1", "webhook-3f9999 at bot.example.com": "1", "slack": "1",
		"webhook": `begins the names of 2 targets`, "webhook-3f2a1c": `did you mean "webhook-3f2a1b"?`,
		"x": "there are webhook-3f2a1b, ",
	} {
		found, err := Find(all, word)
		got := fmt.Sprint(len(found))
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
	if _, err := Find(nil, "x"); err == nil || !strings.Contains(err.Error(), "no target is configured") {
		t.Error(err)
	}
}
