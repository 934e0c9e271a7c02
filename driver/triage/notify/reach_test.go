package notify

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/triage/notify/notifytest"
)

// doorman accepts connections and reports what each of them sends.
func doorman(t *testing.T, security *tls.Config) (address string, sent <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	texts := make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if security != nil {
				c = tls.Server(c, security)
			}
			text, err := io.ReadAll(c)
			if security != nil && err != nil {
				text = []byte(err.Error())
			}
			c.Close()
			texts <- string(text)
		}
	}()
	return l.Addr().String(), texts
}

// TestReach_ConnectsAndSendsNothing connects to a target of each kind.
func TestReach_ConnectsAndSendsNothing(t *testing.T) {
	security := certificate(t)
	plain, sentPlain := doorman(t, nil)
	encrypted, sentEncrypted := doorman(t, security)
	const mail = "/?from=a@example.com&to=b@example.com"
	for line, sent := range map[string]<-chan string{
		"http://" + plain + "/hunter2hunter2":                                              sentPlain,
		"http://" + plain + "/hunter2hunter2 as=slack":                                     sentPlain,
		"smtp://" + plain + mail:                                                           sentPlain,
		"ntfy://" + plain + "/topic?scheme=http":                                           sentPlain,
		"https://" + encrypted + "/hunter2hunter2 ca=" + caFile(t, security):               sentEncrypted,
		"smtp://" + encrypted + mail + "&encryption=ImplicitTLS ca=" + caFile(t, security): sentEncrypted,
		"smtp://" + encrypted + mail + "&encryption=ImplicitTLS&skiptlsverify=yes":         sentEncrypted,
	} {
		r := ReachAll(t.Context(), targets(t, line))[0]
		if r.Err != nil || r.Address != plain && r.Address != encrypted || r.Advice() != "" {
			t.Errorf("%s: %+v", line, r)
			continue
		}
		if text := <-sent; text != "" {
			t.Errorf("%s: it sent %q", line, text)
		}
	}
}

// TestReach_SaysWhatToLookAt has targets that cannot be reached.
func TestReach_SaysWhatToLookAt(t *testing.T) {
	encrypted, _ := doorman(t, certificate(t))
	plain := notifytest.NewReceiver(t)
	for line, want := range map[string][2]string{
		"http://" + closed(t) + "/hunter2hunter2":             {"connection refused", "whether the receiver runs"},
		"http://hunter2.invalid/hunter2hunter2":               {"hunter2.invalid", "DNS"},
		"https://" + encrypted + "/hunter2hunter2":            {"certificate", "ca=/etc/logfast/ca.pem"},
		"https://" + strings.TrimPrefix(plain.URL, "http://"): {"TLS", "the port"},
	} {
		r := ReachAll(t.Context(), targets(t, line))[0]
		if r.Err == nil || !strings.Contains(strings.ToLower(r.Err.Error()), strings.ToLower(want[0])) ||
			!strings.Contains(r.Advice(), want[1]) || strings.Contains(r.Err.Error(), "hunter2hunter2") {
			t.Errorf("%s: %v; %s", line, r.Err, r.Advice())
		}
	}
}

// TestReach_ConnectsToTheProxy: a host behind a proxy may have no name here.
func TestReach_ConnectsToTheProxy(t *testing.T) {
	proxy, sent := doorman(t, nil)
	target := targets(t, "https://bot.invalid/hunter2hunter2")[0]
	transport := target.sender.(*webhook).client.Transport.(*http.Transport)
	transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	r := ReachAll(t.Context(), []*Target{target})[0]
	if r.Err != nil || r.Address != proxy || !r.Proxy {
		t.Fatalf("%+v", r)
	}
	if text := <-sent; text != "" {
		t.Errorf("it sent %q", text)
	}
}

// TestReach_KnowsWhereServicesAre has URLs that name their host, and others.
func TestReach_KnowsWhereServicesAre(t *testing.T) {
	for line, want := range map[string]string{
		"ntfy://push.example.com/topic":                             "push.example.com:443 encrypted",
		"ntfy://push.example.com:8080/topic?scheme=http":            "push.example.com:8080 plain",
		"gotify://push.example.com/Aaa.bbb.ccc.ddd":                 "push.example.com:443 encrypted",
		"mattermost://chat.example.com/tokenhunter2?disabletls=yes": "chat.example.com:80 plain",
		"discord://tokenhunter2@123456789012345678":                 "discord.com:443 encrypted",
		slackURL: "slack.com:443 encrypted",
		"pushover://shoutrrr:APITOKENhunter2@USERKEYhunter2":               "api.pushover.net:443 encrypted",
		"generic://example.com/hook":                                       "unknown",
		"smtp://mail.example.com:465/?from=a@example.com&to=b@example.com": "mail.example.com:465 encrypted",
		"smtp://mail.example.com:587/?from=a@example.com&to=b@example.com": "mail.example.com:587 plain",
		"https://bot.example.com/x":                                        "bot.example.com:443 encrypted",
	} {
		e, ok := targets(t, line)[0].sender.(interface{ endpoint() (endpoint, bool) }).endpoint()
		got := "unknown"
		if ok {
			got = fmt.Sprint(e.address, map[bool]string{true: " encrypted", false: " plain"}[e.security != nil])
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
