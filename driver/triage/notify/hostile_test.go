package notify

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/flood"
)

// everyService has a URL for each of shoutrrr's services. HOST is one that the
// service itself connects to; the others connect to hosts of their own.
var everyService = map[string]string{
	"bark":       "bark://:devicekey@bark.example.com/",
	"discord":    "discord://token@1234567",
	"generic":    "generic://HOST/hook?disabletls=yes&template=json",
	"gotify":     "gotify://HOST/Aaa.bbb.ccc.ddd?disabletls=yes",
	"googlechat": "googlechat://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN",
	"hangouts":   "hangouts://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN",
	"ifttt":      "ifttt://key/?events=event1&value1=text",
	"join":       "join://shoutrrr:apikey@join/?devices=device1",
	"lark":       "lark://open.larksuite.com/token?secret=secret",
	"matrix":     "matrix://:token@matrix.example.com/?rooms=!room:example.com",
	"mattermost": "mattermost://HOST/token?disabletls=yes",
	"notifiarr":  "notifiarr://apikey?channel=123456789",
	"ntfy":       "ntfy://HOST/topic?scheme=http",
	"opsgenie":   "opsgenie://api.opsgenie.com/token",
	"pagerduty":  "pagerduty://events.pagerduty.com/eb243592faa24ba2a5511afdf565c889",
	"pushbullet": "pushbullet://o.abcdefghijklmnopqrstuvwxyz012345/device",
	"pushover":   "pushover://shoutrrr:apitoken@userkey",
	"rocketchat": "rocketchat://chat.example.com/token-a/token-b",
	"signal":     "signal://signal.example.com:8080/+1234567890/+0987654321",
	"slack":      slackURL,
	"teams": "teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/" +
		"44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=example.webhook.office.com",
	"telegram": "telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@channel",
	"wecom":    "wecom://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
	"zulip":    "zulip://bot%40example.com:key@chat.example.com/?stream=s&topic=t",
}

// everyKind returns a sender of each service. All of them are answered by answer.
func everyKind(t *testing.T, answer http.HandlerFunc) map[string]sender {
	t.Helper()
	r := notifytest.NewReceiver(t)
	theirs(t, r)
	r.Answer(answer)
	all := map[string]sender{}
	for kind, link := range everyService {
		all[kind] = targets(t, strings.Replace(link, "HOST", strings.TrimPrefix(r.URL, "http://"), 1))[0].sender
	}
	return all
}

// A service that shoutrrr adds needs a row in everyService, so that it is tested.
func TestHostile_EveryServiceIsKnownHere(t *testing.T) {
	var r router.ServiceRouter
	for _, kind := range r.ListServices() {
		if everyService[kind] == "" && !slices.Contains(deaf, kind) && kind != "smtp" {
			t.Errorf("everyService has no URL for %s", kind)
		}
	}
}

func TestHostile_NoServicesAnswerIsReadWithoutEnd(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
		for kind, s := range everyKind(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			flood.Pour(w, "x", flood.Size)
		}) {
			t.Run(fmt.Sprint(kind, status), func(t *testing.T) {
				if n := flood.Allocated(func() { s.send(t.Context(), &message{subject: "s", text: "t"}) }); n > 32<<20 {
					t.Errorf("%d MiB were allocated", n>>20)
				}
			})
		}
	}
}

func TestHostile_NoServiceFollowsARedirect(t *testing.T) {
	elsewhere := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere <- r.URL.String() }))
	defer other.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		for kind, s := range everyKind(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				elsewhere <- r.URL.String()
				return
			}
			http.Redirect(w, r, other.URL+"/elsewhere", status)
		}) {
			err := s.send(t.Context(), &message{subject: "s", text: "t"})
			if err == nil {
				t.Errorf("%s: a redirect counts as sent", kind)
			}
			select {
			case to := <-elsewhere:
				t.Errorf("%s followed a redirect to %s", kind, to)
			default:
			}
		}
	}
}

// What was not taken is never counted as sent, whatever the service makes of it.
func TestHostile_AFailureIsAFailure(t *testing.T) {
	for what, answer := range map[string]http.HandlerFunc{
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"page of a proxy": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, "<html>Bad gateway</html>")
		},
		"nothing":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
	} {
		for kind, s := range everyKind(t, answer) {
			if kind == "discord" && (what == "no answer" || what == "page of a proxy") {
				continue // it tries again by itself, for half a minute
			}
			err := s.send(t.Context(), &message{subject: "s", text: "t"})
			if err == nil {
				t.Errorf("%s, %s: it counts as sent", kind, what)
			}
		}
	}
}

func TestHostile_ALoginPageIsNotTelegram(t *testing.T) {
	s := everyKind(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!DOCTYPE html><html>Sign in</html>") })["telegram"]
	if err := s.send(t.Context(), &message{subject: "s", text: "t"}); err == nil || !strings.Contains(err.Error(), "a page answered") {
		t.Error(err)
	}
}

func TestHostile_AMailServerWithoutEnd(t *testing.T) {
	for what, talk := range map[string]func(net.Conn){
		"greeting":        func(c net.Conn) { flood.Pour(c, "220-welcome\r\n", flood.Size) },
		"greeting, a row": func(c net.Conn) { io.WriteString(c, "220 "); flood.Pour(c, "x", flood.Size) },
		"greeting, bytes": func(c net.Conn) { flood.Pour(c, "\x00", flood.Size) },
		"answer": func(c net.Conn) {
			io.WriteString(c, "220 mail\r\n")
			bufio.NewReader(c).ReadString('\n')
			flood.Pour(c, "250-SIZE\r\n", flood.Size)
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := targets(t, "smtp://"+flood.Listen(t, talk)+"/?from=a@example.com&to=b@example.com")[0].sender
			var err error
			n := flood.Allocated(func() { err = s.send(t.Context(), &message{subject: "s", text: "t", at: time.Now()}) })
			if err == nil || n > 48<<20 {
				t.Errorf("%d MiB were allocated, %v", n>>20, err)
			}
			if strings.HasPrefix(what, "greeting") && err != nil && what != "greeting, bytes" && !strings.Contains(err.Error(), "no mail server does") {
				t.Error(err)
			}
		})
	}
}

func TestHostile_AWebhooksAnswer(t *testing.T) {
	r := notifytest.NewReceiver(t)
	for what, answer := range map[string]http.HandlerFunc{
		"body": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			flood.Pour(w, "x", flood.Size)
		},
		"headers": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 4<<20)) },
		"informational": func(w http.ResponseWriter, r *http.Request) {
			for n := 0; n < 1<<20 && r.Context().Err() == nil; n++ {
				w.Header().Set("Link", strings.Repeat("x", 1<<10))
				w.WriteHeader(http.StatusEarlyHints)
			}
		},
	} {
		r.Answer(answer)
		s := targets(t, r.URL)[0].sender
		var err error
		if n := flood.Allocated(func() { err = s.send(t.Context(), &message{id: "x", event: []byte("{}")}) }); err == nil || n > 48<<20 {
			t.Errorf("%s: %d MiB were allocated, %v", what, n>>20, err)
		}
	}
}

// hostile are texts that call everybody, hide a link or do something else in one
// chat or another, with what must not remain of them.
var hostile = map[string]string{
	"look <!channel> now":                                   "<!channel>",
	"look <!here|here>":                                     "<!here",
	"look <!subteam^S123>":                                  "<!subteam",
	"look <@U123> <@&456> <@!789>":                          "<@",
	"look <users/all>":                                      "<users/",
	"look <https://evil.example|bank.example>":              "<https:",
	`look <at user_id="all">all</at>`:                       "<at ",
	`<a href="https://evil.example">bank</a>`:               "<a ",
	`<img src=x onerror=alert(1)>`:                          "<img",
	"hi @everyone":                                          "@everyone",
	"hi @here @all @channel @room":                          "@(here|all|channel|room)",
	"hi @**all** @_**all**":                                 `@(\*|_)`,
	"hi @admin@example.com":                                 "@admin",
	"see [bank](https://evil.example)":                      `\]\(`,
	"see ![pixel](https://evil.example/p.png)":              `\]\(`,
	"see [bank][1] and [1]: https://evil":                   `\]\[|\]:`,
	"see [bank|https://evil.example]":                       `\|http`,
	"&lt;!channel&gt; &#64;everyone &commat;":               `&(lt|#64|commat);`,
	"bell\x07 esc\x1b[31mred c1\u009b31m nul\x00":           "[\x00-\x09\x0b-\x1f\x7f-\u009f]",
	"left \u202egnp.exe \u2066iso \u200f":                   "[\u202a-\u202e\u2066-\u2069\u200e\u200f]",
	"soft\u00ad zero\u2060 bom\ufeff tag\U000e0041 j\u200d": "[\u00ad\u2060\ufeff\U000e0041\u200d]",
	"/poll shall we":                                        "^/",
	"!avatar(everyone)":                                     "^!",
	"a line\r\nBcc: other":                                  "\r",
}

// What a program has printed calls nobody and hides no link, in any chat.
func TestDefuse_EveryKind(t *testing.T) {
	for kind := range everyService {
		for text, bad := range hostile {
			got := defuse(kind, "", text)
			if kind == "slack" && strings.HasPrefix(text, "&") {
				if !strings.HasPrefix(got, "&amp;lt;!channel&amp;gt;") { // which shows as it was printed
					t.Errorf("slack: %q became %q", text, got)
				}
				continue
			}
			if regexp.MustCompile(bad).MatchString(got) {
				t.Errorf("%s: %q became %q, which has %q", kind, text, got, bad)
			}
		}
		plain := "checkout: 502 GET /orders/{n}?a=1&b=2, 37 errors on web-1 (größe) [info] it's \"ok\"\n  | Traceback\n"
		if got := defuse(kind, "", plain); got != plain && kind != "slack" {
			t.Errorf("%s: a harmless text became %q", kind, got)
		}
	}
}

// The same as it is sent, in every place of a message.
func TestDefuse_WhatIsSent(t *testing.T) {
	for _, link := range []string{"mattermost://HOST/token?disabletls=yes", "gotify://HOST/Aaa.bbb.ccc.ddd?disabletls=yes", "ntfy://HOST/topic?scheme=http"} {
		r := notifytest.NewReceiver(t)
		r.Answer(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
		b := newBox(t, targets(t, strings.Replace(link, "HOST", strings.TrimPrefix(r.URL, "http://"), 1))...).start()
		e := outage(incident.TypeShipped)
		const evil = "<!channel> @all [bank](https://evil.example)\u202e"
		e.Data.Host, e.Data.Fingerprints[0].App, e.Data.Fingerprints[0].Route = evil, evil, "/"+evil
		e.Data.Samples[0].Text, e.Data.Samples[0].Context = evil, evil+"\n"+evil
		e.Data.Samples[0].Container, e.Data.Containers[0].Name, e.Data.Containers[0].Image = evil, evil, evil
		e.Data.Objects[0].Key = evil
		b.add(e)
		receive(t, "a message", r.Got())
		b.end()
		got := r.Requests()[0]
		all := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got.Header.Get("Title") + string(got.Body))
		for _, bad := range []string{"<!channel>", "@all", "](", "\u202e"} {
			if strings.Contains(all, bad) {
				t.Errorf("%s: %q is in %s", link, bad, all)
			}
		}
	}
}

// Telegram refuses a text whose markup is wrong, so it is escaped for the
// parse mode that the URL sets.
func TestDefuse_TelegramsParseModes(t *testing.T) {
	for mode, want := range map[string]string{
		"None":       "<" + gap + "b>1_2*3 [x]" + gap + "(https://e.example) &" + gap + "amp;",
		"HTML":       "&lt;b&gt;1_2*3 [x]" + gap + "(https://e.example) &amp;amp;",
		"Markdown":   `<b>1\_2\*3 \[x]` + gap + `(https://e.example) &amp;`,
		"MarkdownV2": `\<b\>1\_2\*3 \[x\]` + gap + `\(https://e\.example\) &amp;`,
	} {
		c := targets(t, everyService["telegram"]+"&parsemode="+mode)[0].sender.(*chat)
		if got := defuse("telegram", markupOf(c.service), "<b>1_2*3 [x](https://e.example) &amp;"); got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
	}
}

// A mail is plain text, with the headers that logfast sets and no others.
func TestDefuse_Mail(t *testing.T) {
	box := (&notifytest.Mailbox{}).Start(t)
	s := targets(t, "smtp://"+box.Address+"/?from=a@example.com&to=b@example.com&usehtml=yes")[0].sender
	if err := s.send(t.Context(), &message{
		id: "x", at: time.Now(), subject: "evil\r\nBcc: c@example.com\r\n\r\n<b>", text: "\u202e<b>bold</b>\x1b[1m\r\n.\r\nQUIT\r\n",
	}); err != nil {
		t.Fatal(err)
	}
	got := box.Mails()[0]
	if got.Header.Get("Bcc") != "" || len(got.To) != 1 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%v", got.Header)
	}
	if raw := string(got.Raw); strings.ContainsAny(raw, "\x1b") || strings.Contains(raw, "=E2=80=AE") || !strings.Contains(raw, "<b>bold</b>") {
		t.Errorf("%q", raw)
	}
}
