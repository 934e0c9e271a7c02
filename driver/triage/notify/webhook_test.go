package notify

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
)

// read makes the targets of a file's text; the test fails where it is wrong.
func targets(t *testing.T, text string) []*Target {
	t.Helper()
	all, errs := ReadTargets(text, shippedOnly)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return all
}

const patience = 20 * time.Second

func receive(t *testing.T, what string, got <-chan struct{}) {
	t.Helper()
	select {
	case <-got:
	case <-time.After(patience):
		t.Fatalf("%s: nothing came", what)
	}
}

const oldSecret, newSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "sixteen bytes or more"

// TestAWebhookGetsTheCloudEvent checks what comes as a receiver would, with the
// specification's own library.
func TestAWebhookGetsTheCloudEvent(t *testing.T) {
	r := notifytest.NewReceiver(t)
	b := newBox(t, targets(t, r.URL+`/hooks/logfast?x=y secret=`+oldSecret+` secret="`+newSecret+`" header="Authorization: Bearer t" header="X-Team: ops"`)...).start()
	defer b.end()
	want := b.add(outage(incident.TypeShipped))
	receive(t, "the event", r.Got())
	got := r.Requests()[0]
	for _, secret := range []string{oldSecret, ""} {
		check, err := standardwebhooks.NewWebhook(secret)
		if secret == "" {
			check, err = standardwebhooks.NewWebhookRaw([]byte(newSecret))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := check.Verify(got.Body, got.Header); err != nil {
			t.Error(err)
		}
		got.Body[0] ^= 1
		if check.Verify(got.Body, got.Header) == nil {
			t.Error("a body that was changed is taken for ours")
		}
		got.Body[0] ^= 1
	}
	h := got.Header
	if got.Path != "/hooks/logfast" || h.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" || h.Get("Authorization") != "Bearer t" || h.Get("X-Team") != "ops" || h.Get("Webhook-Id") != want.ID+"-shipped" {
		t.Errorf("%s %v", got.Path, h)
	}
	var event incident.Event
	if err := json.Unmarshal(got.Body, &event); err != nil || event.SpecVersion != "1.0" || event.ID != want.ID || event.Data.Errors != 37 || len(event.Data.Objects) != 1 {
		t.Errorf("%v\n%s", err, got.Body)
	}
}

// TestAWebhookWithACertificateOfOnesOwn is told with ca=, and not without.
func TestAWebhookWithACertificateOfOnesOwn(t *testing.T) {
	security := certificate(t)
	got := 0
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got++ }))
	s.TLS, s.Config.ErrorLog = security, log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	for options, want := range map[string]string{"": "certificate", " ca=" + caFile(t, security): ""} {
		err := targets(t, s.URL+"/hook"+options)[0].sender.send(t.Context(), &message{id: "id", at: time.Now(), event: []byte("{}")})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", options, err, want)
		}
	}
	if got != 1 {
		t.Errorf("%d requests", got)
	}
}

func TestWithoutASecretNothingIsSigned(t *testing.T) {
	h := http.Header{}
	sign(h, nil, "id", time.Unix(5, 0), nil)
	if h.Get("Webhook-Signature") != "" || h.Get("Webhook-Id") != "id" || h.Get("Webhook-Timestamp") != "5" {
		t.Errorf("%v", h)
	}
}

// TestAReceiverInTroubleGetsItInTheEnd answers wrongly in many ways, then well.
func TestAReceiverInTroubleGetsItInTheEnd(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, answer := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"400": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no, and my token is hunter2-hunter2", http.StatusBadRequest)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"cut off":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hangs":    hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := notifytest.NewReceiver(t)
			r.Answer(answer)
			all := targets(t, r.URL+"/hunter2-hunter2")
			all[0].sender.(*webhook).client.Timeout = 200 * time.Millisecond
			var log safeBuffer
			b := newBox(t, all...)
			b.log = &log
			b.start()
			defer b.end()
			b.add(outage(incident.TypeShipped))
			receive(t, "the first attempt", r.Got())
			receive(t, "the second", r.Got())
			r.Answer(nil)
			receive(t, "the third", r.Got())
			await.Until(t, "it is told", func() bool { return b.Health()[0].Told == 1 })
			if h := b.Health()[0]; h.Failed < 2 || h.LastError != nil || h.Waiting != 0 {
				t.Errorf("%+v", h)
			}
			first := r.Requests()[0]
			for _, again := range r.Requests() {
				if string(again.Body) != string(first.Body) || again.Header.Get("Webhook-Id") != first.Header.Get("Webhook-Id") || again.Path != first.Path {
					t.Errorf("another attempt brings something else: %s", again.Body)
				}
			}
			if text := log.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "will try again") || !strings.Contains(text, "takes messages again") {
				t.Errorf("the log: %s", text)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	hook := targets(t, "http://"+l.Addr().String()+"/hunter2-hunter2")[0].sender
	err = hook.send(t.Context(), &message{id: "x"})
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
}

func TestAReceiverThatIsGoneIsToldNothing(t *testing.T) {
	r := notifytest.NewReceiver(t)
	r.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	b := newBox(t, targets(t, r.URL)...).start()
	defer b.end()
	b.add(event(1, incident.TypeShipped, "a"))
	b.add(event(2, incident.TypeShipped, "a"))
	receive(t, "one attempt each", r.Got())
	receive(t, "one attempt each", r.Got())
	await.Until(t, "both are given up", func() bool { h := b.Health()[0]; return h.GivenUp == 2 && h.Waiting == 0 })
}

func TestRetryAfter(t *testing.T) {
	for in, want := range map[string]time.Duration{"": 0, "soon": 0, "-5": 0, "120": 2 * time.Minute} {
		if got := retryAfter(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
	if got := retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)); got < 59*time.Minute || got > time.Hour {
		t.Error(got)
	}
	synctest.Test(t, func(t *testing.T) {
		var hook ear
		var tries atomic.Int64
		hook.refuse(func(context.Context, *message) error {
			if tries.Add(1) == 1 {
				return refusal{text: "429", after: 40 * time.Minute}
			}
			return nil
		})
		b := newBox(t, hook.target("webhook", false, both...)).start()
		defer b.end()
		b.add(event(1, incident.TypeShipped, "a"))
		time.Sleep(39 * time.Minute)
		if tries.Load() != 1 {
			t.Fatalf("%d attempts", tries.Load())
		}
		time.Sleep(2 * time.Minute)
		if tries.Load() != 2 {
			t.Fatalf("%d attempts", tries.Load())
		}
	})
}

// TestProxiesOfTheEnvironment: the transport asks Go's own function, which reads
// the environment once, before any test could change it.
func TestProxiesOfTheEnvironment(t *testing.T) {
	hook := targets(t, "https://hooks.example.com/x")[0].sender.(*webhook)
	asks := hook.client.Transport.(*http.Transport).Proxy
	if reflect.ValueOf(asks).Pointer() != reflect.ValueOf(http.ProxyFromEnvironment).Pointer() {
		t.Error("the environment's proxies are not asked for")
	}
}

func TestADeadTargetDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead, hangs, person, program ear
		dead.refuse(func(context.Context, *message) error { return errDown })
		hangs.refuse(func(ctx context.Context, _ *message) error { <-ctx.Done(); return ctx.Err() })
		b := newBox(t, dead.target("dead", false, both...), hangs.target("hangs", true, both...), person.target("chat", true, both...), program.target("webhook", false, both...)).start()
		defer b.end()
		for n := range 3 {
			b.add(event(n, incident.TypeShipped, "a"+string(rune('0'+n))))
			time.Sleep(time.Second)
			if len(person.all()) != n+1 || len(program.all()) != n+1 {
				t.Fatalf("after %d: %d and %d", n+1, len(person.all()), len(program.all()))
			}
		}
		if h := b.Health(); h[0].Waiting != 3 || h[1].Waiting != 3 {
			t.Errorf("%+v", h)
		}
	})
}

// TestOneThatIsRefusedHoldsNoOther is the same within a target.
func TestOneThatIsRefusedHoldsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hook ear
		poison := keyOf(event(0, incident.TypeShipped).ID, incident.TypeShipped)
		var attempts atomic.Int64
		hook.refuse(func(_ context.Context, m *message) error {
			if m.id == poison {
				attempts.Add(1)
				return refusal{text: "400"}
			}
			return nil
		})
		b := newBox(t, hook.target("webhook", false, both...)).start()
		defer b.end()
		for n := range 20 {
			b.add(event(n, incident.TypeShipped, "a"))
		}
		time.Sleep(time.Minute)
		if n := len(hook.all()); n != 19 {
			t.Errorf("%d of 19 within a minute", n)
		}
		time.Sleep(maxAge)
		if h := b.Health()[0]; h.GivenUp != 1 || h.Waiting != 0 {
			t.Errorf("after a day: %+v", h)
		}
		if n := attempts.Load(); n < 100 || n > 700 {
			t.Errorf("%d attempts in a day", n)
		}
	})
}

func TestThePausesGrowAndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		var hook ear
		hook.refuse(func(context.Context, *message) error { attempts.Add(1); return errDown })
		var log safeBuffer
		b := newBox(t, hook.target("webhook", false, both...))
		b.log = &log
		b.start()
		defer b.end()
		b.add(event(1, incident.TypeShipped, "a"))
		time.Sleep(23 * time.Hour)
		if n := attempts.Load(); n < 200 || n > 700 {
			t.Errorf("%d attempts in 23 hours", n)
		}
		if b.Health()[0].Waiting != 1 {
			t.Error("given up too soon")
		}
		time.Sleep(2 * time.Hour)
		if h := b.Health()[0]; h.GivenUp != 1 || h.Waiting != 0 || !strings.Contains(log.String(), "events were given up") {
			t.Errorf("after a day: %+v", h)
		}
	})
}

func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hook ear
		hook.refuse(func(context.Context, *message) error { return errDown })
		b := newBox(t, hook.target("webhook", false, both...)).start()
		defer func() { b.end() }()
		for n := range maxWaiting + 50 {
			b.add(event(n, incident.TypeShipped, "a"))
		}
		if h := b.Health()[0]; h.Waiting != maxWaiting || h.GivenUp != 50 {
			t.Errorf("%+v", h)
		}
		hook.refuse(nil)
		time.Sleep(10 * time.Minute)
		if n := len(hook.all()); n != maxWaiting {
			t.Errorf("%d told", n)
		}
		b.end()
		b.start()
		before := b.queues[0].remembered()
		time.Sleep(8 * 24 * time.Hour)
		if n := b.queues[0].remembered(); before != maxWaiting+50 || n != 0 {
			t.Errorf("%d remembered, %d after a week", before, n)
		}
	})
}

func (q *queue) remembered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.known)
}
