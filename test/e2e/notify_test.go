//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
)

// bot is a receiver of webhooks that does what docs/notify.md tells a receiver
// to do.
type bot struct {
	*testing.T
	*notifytest.Receiver
	secret *standardwebhooks.Webhook
	store  func(key string) error // whether an object is there

	mu     sync.Mutex
	away   bool             // owned by mu
	events []incident.Event // that it took; owned by mu
	took   chan struct{}
}

func newBot(t *testing.T, secret string) *bot {
	t.Helper()
	check, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	b := &bot{T: t, Receiver: notifytest.NewReceiver(t), secret: check, took: make(chan struct{}, 100)}
	b.Answer(b.take)
	return b
}

func (b *bot) take(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	all := b.Requests()
	r := all[len(all)-1]
	if err := b.secret.Verify(r.Body, r.Header); err != nil {
		b.Errorf("signature: %v", err)
	}
	var e incident.Event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		b.Errorf("%v: %s", err, r.Body)
	}
	for _, o := range e.Data.Objects {
		if err := b.store(o.Key); err != nil {
			b.Errorf("told before its log was in the store: %s: %v", o.Key, err)
		}
	}
	b.events = append(b.events, e)
	b.took <- struct{}{}
	w.WriteHeader(http.StatusNoContent)
}

func (b *bot) goAway(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

func (b *bot) taken() []incident.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]incident.Event(nil), b.events...)
}

func arrives(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s never came", what)
	}
}

// TestAnErrorOnTheEngineIsTold lets a container answer 5xx: a webhook gets one
// CloudEvent and a mailbox one mail, once the log is in the store, though the
// plugin is killed before the webhook takes it.
func TestAnErrorOnTheEngineIsTold(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	h, _ := enableS3(t, "LOGFAST_QUIET_PERIOD=1s")
	hook, box := newBot(t, secret), (&notifytest.Mailbox{}).Start(t)
	hook.store = func(key string) error {
		body, _, err := h.store.Get(context.Background(), key)
		if err == nil {
			body.Close()
		}
		return err
	}
	targets := fmt.Sprintf("# who is told\n%s/logfast secret=%s\nsmtp://%s/?from=logfast@example.com&to=oncall@example.com\n", hook.URL, secret, box.Address)
	if err := os.WriteFile(filepath.Join(h.config, "notify"), []byte(targets), 0o600); err != nil {
		t.Fatal(err)
	}
	docker(t, "plugin", "disable", pluginName)
	docker(t, "plugin", "enable", "--timeout", "0", pluginName)

	hook.goAway(true)
	fail := func(path string) step {
		return out(fmt.Sprintf("10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] \"GET %s HTTP/1.1\" 502 0\n", path))
	}
	c := h.run("web", []step{fail("/orders/17"), fail("/orders/18"), {Await: "go"}, fail("/cart"), {Await: "end"}})
	arrives(t, "the mail", box.Got())
	arrives(t, "an attempt", hook.Got())
	// A mail that the server has and that is not marked yet would come twice.
	await.Until(t, "the mail is marked", func() bool {
		marked, _ := filepath.Glob(filepath.Join(h.spool, ".outbox", "smtp-*", "*.told-*"))
		return len(marked) == 1
	})
	h.replace(syscall.SIGKILL)
	hook.goAway(false)
	arrives(t, "the event", hook.took)
	e := hook.taken()[0]
	if e.Type != incident.TypeShipped || e.Data.Errors != 2 || e.Data.ByStatus["502"] != 2 || len(e.Data.Objects) != 1 || len(e.Data.Containers) != 1 || e.Data.Containers[0].ID != c.id {
		t.Errorf("%+v", e)
	}
	mail := box.Mails()[0]
	if want := "502 GET /orders/{n}, 2 errors on web-1"; !strings.Contains(mail.Header.Get("Subject"), want) {
		t.Errorf("subject %q, want … %s", mail.Header.Get("Subject"), want)
	}
	text := strings.ReplaceAll(string(mail.Raw), "=\r\n", "")
	for _, want := range []string{"logfast incident " + e.ID, "docker logs --since ", c.app, "GET /orders/17", "s3://logs/prefix/logs/"} {
		if !strings.Contains(text, want) {
			t.Errorf("the mail lacks %q:\n%s", want, text)
		}
	}
	// Another kind of error is told too. What came before it came once.
	c.allow("go")
	arrives(t, "the second event", hook.took)
	arrives(t, "the second mail", box.Got())
	if events := hook.taken(); len(events) != 2 || events[0].ID == events[1].ID || !strings.Contains(box.Mails()[1].Header.Get("Subject"), "/cart") {
		t.Errorf("%d events: %+v", len(events), events)
	}
	c.allow("end")
	c.wait()
	await.Until(t, "everything is shipped", c.shipped)
	if n := len(box.Mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestABadTargetIsExplainedOnTheEngine(t *testing.T) {
	h := enable(t, "LOGFAST_NOTIFY=slak://hook:hunter2-hunter2@webhook")
	h.run("web", []step{{Count: 1, Line: "it starts all the same"}})
	out, _, _ := h.logfast("status")
	if !strings.Contains(out, ": degraded\n") || !strings.Contains(out, `did you mean "slack"?`) || strings.Contains(out, "hunter2") {
		t.Errorf("status:\n%s", out)
	}
}

// TestNotifyTest_OnTheEngine lets the plugin send a test message to receivers on
// loopback: the exit status says whether each took it.
func TestNotifyTest_OnTheEngine(t *testing.T) {
	hook, chat, box := notifytest.NewReceiver(t), notifytest.NewReceiver(t), (&notifytest.Mailbox{}).Start(t)
	chat.Answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mail := "smtp://" + box.Address + "/?from=logfast@example.com&to=oncall@example.com"
	h := enable(t, "LOGFAST_NOTIFY="+hook.URL+"/hunter2hunter2,"+mail)
	line := chat.URL + "/hunter2hunter2 as=slack\n"
	if err := os.WriteFile(filepath.Join(h.config, "notify"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	docker(t, "plugin", "disable", pluginName)
	docker(t, "plugin", "enable", "--timeout", "0", pluginName)
	await.Until(t, "the plugin answers", func() bool {
		_, _, status := h.logfast("status")
		return status == 0
	})
	out, errs, status := h.logfast("notify", "--test")
	if status != 0 || strings.Count(out, "ok    ") != 3 || strings.Contains(out+errs, "hunter2") {
		t.Fatalf("status %d:\n%s%s", status, out, errs)
	}
	for _, want := range []string{": 204 No Content\n", `: 200 OK: "ok"` + "\n", ": 250 "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var e struct{ Type string }
	if err := json.Unmarshal(hook.Requests()[0].Body, &e); err != nil || e.Type != "io.github.logfast.test.v1" {
		t.Errorf("%v: %s", err, hook.Requests()[0].Body)
	}
	if subject := box.Mails()[0].Header.Get("Subject"); !strings.HasPrefix(subject, "[test] logfast on ") {
		t.Error(subject)
	}
	hook.Answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	out, errs, status = h.logfast("notify", "--test")
	if status != 1 || strings.Count(out, "ok    ") != 2 ||
		!strings.Contains(out, "the receiver answered 403 Forbidden") ||
		!strings.Contains(errs, "1 of 3 targets did not take the test message") {
		t.Errorf("status %d:\n%s%s", status, out, errs)
	}
	if _, errs, status = h.logfast("notify", "--test", "smtp"); status != 0 {
		t.Errorf("status %d:\n%s", status, errs)
	}
	out, _, status = h.logfast("notify")
	if status != 0 || strings.Count(out, "no message was sent since the plugin started") != 3 {
		t.Errorf("a test counts as a message; status %d:\n%s", status, out)
	}
}
