package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
)

// TestServicesOfOnesOwn posts through real services whose URLs let one say
// where they are.
func TestServicesOfOnesOwn(t *testing.T) {
	for form, path := range map[string]string{
		"generic://HOST/hook?disabletls=yes&template=json": "/hook",
		"generic+http://HOST/hook":                         "/hook",
		"mattermost://HOST/tokenhunter2?disabletls=yes":    "/hooks/tokenhunter2",
		"gotify://HOST/Aaa.bbb.ccc.ddd?disabletls=yes":     "/message",
		"ntfy://HOST/topichunter2?scheme=http":             "/topichunter2",
	} {
		kind, _, _ := strings.Cut(form, ":")
		t.Run(kind, func(t *testing.T) {
			r := notifytest.NewReceiver(t)
			r.Answer(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
			b := newBox(t, targets(t, strings.Replace(form, "HOST", strings.TrimPrefix(r.URL, "http://"), 1))...).start()
			defer b.end()
			b.add(outage(incident.TypeShipped))
			receive(t, "a message", r.Got())
			await.Until(t, "it is told", func() bool { return b.Health()[0].Told == 1 })
			got := r.Requests()[0]
			all := got.Header.Get("Title") + " " + string(got.Body)
			for _, want := range []string{"checkout: 502 GET /orders/{n}, 37 errors on web-1", "logfast incident 20261123T190301.123456Z-k3j2", "shop-checkout-1"} {
				if got.Path != path || !strings.Contains(all, want) {
					t.Errorf("%s %v %s\nlacks %s", got.Path, got.Header, got.Body, want)
				}
			}
			r.Answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hunter2", http.StatusInternalServerError) })
			if err := b.targets[0].sender.send(t.Context(), &message{subject: "s", text: "t"}); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Error(err)
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}

// theirs answers in the place of the services' own hosts.
func theirs(t *testing.T, r *notifytest.Receiver) {
	t.Helper()
	s := httptest.NewTLSServer(r)
	real := http.DefaultTransport
	here := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	http.DefaultTransport = here
	t.Cleanup(func() {
		http.DefaultTransport = real
		s.Close()
	})
}

func TestSlackDiscordAndTeams(t *testing.T) {
	for link, answer := range map[string]string{
		slackURL:                  "ok",
		"discord://token@1234567": "",
		"teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=example.webhook.office.com": "1",
	} {
		kind, _, _ := strings.Cut(link, ":")
		t.Run(kind, func(t *testing.T) {
			r := notifytest.NewReceiver(t)
			theirs(t, r)
			r.Answer(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) })
			b := newBox(t, targets(t, link)...).start()
			defer b.end()
			e := outage(incident.TypeShipped)
			e.Data.Samples[0].Text = "look <!channel> & @everyone"
			b.add(e)
			receive(t, "a message", r.Got())
			await.Until(t, "it is told", func() bool { return b.Health()[0].Told == 1 })
			if n := len(r.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
			text := wantOutage(t, r)
			if strings.Contains(text, "@everyone") || kind == "slack" && (strings.Contains(text, "<!channel>") || !strings.Contains(text, "&lt;!channel&gt; &amp;")) {
				t.Errorf("a log line calls everybody: %s", text)
			}
		})
	}
}

// wantOutage returns all strings of the first request's body, which has the subject
// and the command of the message about outage.
func wantOutage(t *testing.T, r *notifytest.Receiver) string {
	t.Helper()
	var body any
	if err := json.Unmarshal(r.Requests()[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	text := texts(body)
	for _, want := range []string{"checkout: 502 GET /orders/{n}, 37 errors on web-1", "docker logs --since"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nlacks %s", text, want)
		}
	}
	return text
}

// texts are all strings of a JSON value, one a line.
func texts(v any) (s string) {
	switch v := v.(type) {
	case string:
		return v + "\n"
	case []any:
		for _, e := range v {
			s += texts(e)
		}
	case map[string]any:
		for _, e := range v {
			s += texts(e)
		}
	}
	return s
}

// odd is a service that behaves as no service should.
type odd struct {
	types.Service
	send func(string) error
}

func (o odd) Send(text string, _ *types.Params) error { return o.send(text) }

func (o odd) Initialize(*url.URL, types.StdLogger) error { return nil }

func TestAServiceThatPanicsEndsNothing(t *testing.T) {
	c := &chat{kind: "odd", service: odd{send: func(string) error { panic("nil answer") }}, running: make(chan struct{}, 1)}
	for range 2 {
		if err := c.send(t.Context(), &message{}); err == nil || !strings.Contains(err.Error(), "nil answer") {
			t.Error(err)
		}
	}
	// A real one that does, where nobody answers.
	real := http.DefaultTransport
	defer func() { http.DefaultTransport = real }()
	http.DefaultTransport = nobody{}
	zulip := targets(t, "zulip://bot%40example.com:KEYHUNTER2@chat.example.com/?stream=s&topic=t")[0].sender
	if err := zulip.send(t.Context(), &message{subject: "s", text: "t"}); err == nil || strings.Contains(err.Error(), "HUNTER2") {
		t.Error(err)
	}
}

type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("nobody") }

// TestAServiceThatHangsIsLeft: at the end at once, and while it goes on after
// some time, so that the messages that follow have a chance.
func TestAServiceThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// hanging is a service whose first call lasts until hang is closed.
		hanging := func() (c *chat, hang chan struct{}, calls *atomic.Int64) {
			hang, calls = make(chan struct{}), new(atomic.Int64)
			return &chat{kind: "odd", running: make(chan struct{}, 1), service: odd{send: func(string) error {
				if calls.Add(1) == 1 {
					<-hang
				}
				return nil
			}}}, hang, calls
		}
		c, hang, calls := hanging()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := c.send(ctx, &message{}); !errors.Is(err, context.DeadlineExceeded) || calls.Load() != 1 {
				t.Errorf("it was called while the first call lasted: %v, %d", err, calls.Load())
			}
			cancel()
		}
		close(hang)
		synctest.Wait()
		if err := c.send(t.Context(), &message{}); err != nil {
			t.Error(err)
		}
		c, hang, _ = hanging()
		if err := c.send(t.Context(), &message{}); err == nil || !strings.Contains(err.Error(), "no answer after") {
			t.Error(err)
		}
		if err := c.send(t.Context(), &message{}); err != nil {
			t.Error(err)
		}
		close(hang)
	})
}

func TestTheDefaultClientDoesNotWaitForEver(t *testing.T) {
	targets(t, slackURL)
	if http.DefaultClient.Timeout != serviceTimeout {
		t.Error(http.DefaultClient.Timeout)
	}
}
