package notify

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
)

// URLs as the services show them. The tokens are invented.
const (
	slackHook      = "https://hooks.slack.com/services/T00HUNTER/B00HUNTER/hunter2hunter2hunter2"
	discordHook    = "https://discord.com/api/webhooks/123456789012345678/hunter2-hunter2_hunter2"
	connectorHook  = "https://example.webhook.office.com/webhookb2/hunter2-1111@hunter2-2222/IncomingWebhook/hunter233/hunter2-4444"
	workflowPath   = "/workflows/hunter2hunter2/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=hunter2"
	logicHook      = "https://prod-12.westeurope.logic.azure.com:443" + workflowPath
	powerHook      = "https://defaulthunter2.11.environment.api.powerplatform.com:443/powerautomate/automations/direct" + workflowPath
	mattermostHook = "https://chat.example.com/hooks/hunter2hunter2hunter2abcde"
	googleHook     = "https://chat.googleapis.com/v1/spaces/AAAAhunter2/messages?key=hunter2key&token=hunter2token"
)

func TestIncoming_URLsAreRecognised(t *testing.T) {
	for line, want := range map[string]string{
		slackHook: "slack",
		"https://hooks.slack-gov.com/services/T0/B0/x": "slack",
		discordHook: "discord",
		"https://ptb.discord.com/api/v10/webhooks/12/x":        "discord",
		"https://discordapp.com/api/webhooks/12/x?thread_id=3": "discord",
		connectorHook: "teams",
		"https://outlook.office.com/webhook/a@b/IncomingWebhook/c": "teams",
		logicHook: "teams",
		powerHook: "teams",
		"https://prod-58.usgovtexas.logic.azure.us:443" + workflowPath:                                       "teams",
		"https://d.11.environment.api.gov.powerplatform.microsoft.us:443/powerautomate" + workflowPath:       "teams",
		"https://d.11.environment.api.powerplatform.partner.microsoftonline.cn/powerautomate" + workflowPath: "teams",
		mattermostHook: "mattermost",
		"http://chat.internal:8065/sub/hooks/hunter2hunter2hunter2abcde": "mattermost",
		googleHook:                        "googlechat",
		googleHook + "&threadKey=logfast": "googlechat",

		// Others stay webhooks.
		"https://bot.example.com/logfast":                                  "webhook",
		"https://chat.example.com/hooks/short":                             "webhook",
		"https://hooks.slack.com.example.com/services/T0/B0/x":             "webhook",
		"http://hooks.slack.com/services/T0/B0/x":                          "webhook",
		"https://hooks.slack.com/workflows/T0/A0/1/x":                      "webhook",
		"https://discord.com/api/webhooks/12/x/github":                     "webhook",
		"https://discord.com/api/webhooks/12/x/slack":                      "webhook",
		"https://prod-12.logic.azure.us.example.com" + workflowPath:        "webhook",
		strings.Split(powerHook, "&")[0]:                                   "webhook", // it wants a token
		"https://prod-12.westeurope.logic.azure.com/workflows/x/runs":      "webhook",
		"https://chat.googleapis.com/v1/spaces/AAAA/messages?key=hunter2k": "webhook",

		// as= and secret= say otherwise.
		slackHook + " as=cloudevents":                          "webhook",
		mattermostHook + " secret=" + newSecret16:              "webhook",
		logicHook + " secret=" + newSecret16:                   "webhook",
		"https://bot.example.com/x as=mattermost":              "mattermost",
		"https://bot.example.com/x as=text on=first":           "text",
		"https://bot.example.com/x header=\"A: b\" as=discord": "discord",
	} {
		target := targets(t, line)[0]
		if target.Kind != want || target.folds != (want != "webhook") || !strings.HasPrefix(target.dir, "webhook-") {
			t.Errorf("%s: %s, folds %v, in %s; want %s", line, target.Kind, target.folds, target.dir, want)
		}
		if strings.Contains(target.Name, "hunter2hunter2") || !strings.HasPrefix(target.Name, want+"-") {
			t.Errorf("%s: the name is %s", line, target.Name)
		}
	}
}

func TestIncoming_WrongOptionsAreRefusedWithWhatToType(t *testing.T) {
	for line, want := range map[string]string{
		slackHook + " as=slak":                  `did you mean "slack"?; write one of`,
		slackHook + " as=":                      "write one of cloudevents, discord, googlechat, mattermost, slack, teams, text",
		slackHook + " secret=hunter2hunter2abc": "write as=cloudevents",
		slackURL + " as=slack":                  "as= is for webhooks, whose URLs begin with https://",
		slackHook + " az=slack":                 "and as=",
	} {
		_, errs := ReadTargets(line, shippedOnly)
		if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v\nwant … %s …", line, err, want)
		}
	}
}

// TestIncoming_DiscordAnswersForWhatItSaved: without wait=true Discord answers 204
// before it knows whether it saves the message.
func TestIncoming_DiscordAnswersForWhatItSaved(t *testing.T) {
	queries := make(chan string, 3)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { queries <- r.URL.RawQuery }))
	defer s.Close()
	for query, want := range map[string]string{
		"": "wait=true", "?thread_id=3": "thread_id=3&wait=true", "?wait=false": "wait=false",
	} {
		target := targets(t, s.URL+"/api/webhooks/12/hunter2"+query+" as=discord")[0]
		if err := target.sender.send(t.Context(), &message{subject: "s", text: "t"}); err != nil {
			t.Error(err)
		}
		if got := <-queries; got != want {
			t.Errorf("%s: the query is %q", query, got)
		}
	}
}

// strict answers as the service does: 400 for what it does not take.
func strict(kind string, answer int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Text, Content *string
			Type          string
			Mentions      *struct{ Parse []string } `json:"allowed_mentions"`
			Attachments   []struct {
				ContentType string
				Content     struct {
					Type, Version string
					Body          []struct{ Type, Text string }
				}
			}
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		ok := err == nil && r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/json; charset=utf-8" &&
			r.Header.Get("User-Agent") == "logfast" && r.Header.Get("Webhook-Id") == ""
		switch kind {
		case "discord":
			ok = ok && body.Content != nil && len(utf16.Encode([]rune(*body.Content))) <= 2000 &&
				body.Mentions != nil && body.Mentions.Parse != nil && len(body.Mentions.Parse) == 0
		case "teams":
			ok = ok && body.Type == "message" && len(body.Attachments) == 1 && r.ContentLength < 28<<10 &&
				body.Attachments[0].ContentType == "application/vnd.microsoft.card.adaptive" &&
				body.Attachments[0].Content.Type == "AdaptiveCard" && len(body.Attachments[0].Content.Body) > 5
		default:
			ok = ok && body.Text != nil && *body.Text != ""
		}
		if !ok {
			answer = http.StatusBadRequest
		}
		w.WriteHeader(answer)
	}
}

// TestIncoming_EachServiceTakesTheMessage posts to the URL that the service shows.
func TestIncoming_EachServiceTakesTheMessage(t *testing.T) {
	for link, answer := range map[string]int{
		slackHook: 200, discordHook: 204, connectorHook: 200, logicHook: 202, powerHook: 202, mattermostHook: 200, googleHook: 200,
		"https://chat.example.com/hooks/a/b as=text": 200,
	} {
		target := targets(t, link)[0]
		t.Run(target.Name, func(t *testing.T) {
			r := notifytest.NewReceiver(t)
			theirs(t, r)
			target.sender.(*incoming).hook.client.Transport = http.DefaultTransport
			check := strict(target.Kind, answer)
			r.Answer(func(w http.ResponseWriter, q *http.Request) {
				raw, _, _ := strings.Cut(link, " ")
				if target.Kind == "discord" {
					raw += "?wait=true"
				}
				if "https://"+q.Host+q.URL.RequestURI() != raw {
					t.Errorf("posted to %s%s", q.Host, q.URL.RequestURI())
				}
				check(w, q)
			})
			b := newBox(t, target).start()
			defer b.end()
			e := outage(incident.TypeShipped)
			e.Data.Samples[0].Text = "look <!channel> & @everyone [a](https://b) " + strings.Repeat("é😀", 200)
			e.Data.Samples[0].Context = strings.Repeat(strings.Repeat("😀", 400)+"\n", 4)
			b.add(e)
			receive(t, "a message", r.Got())
			await.Until(t, "it is told", func() bool { return b.Health()[0].Told+b.Health()[0].Failed == 1 })
			if h := b.Health()[0]; h.LastError != nil {
				t.Fatal(h.LastError)
			}
			text := wantOutage(t, r)
			for _, call := range []string{"<!channel>", "@everyone", "[a](https"} {
				if strings.Contains(text, call) {
					t.Errorf("a log line has a meaning to the chat, %s: %s", call, text)
				}
			}
		})
	}
}

func TestIncoming_Refusals(t *testing.T) {
	for name, tt := range map[string]struct {
		answer     int
		as, header string
		body, want string
		gone       bool
		after      time.Duration
	}{
		"slow down":     {answer: 429, header: "7", want: "429", after: 7 * time.Second},
		"overloaded":    {answer: 503, header: "9", want: "503", after: 9 * time.Second},
		"broken":        {answer: 500, want: "500"},
		"not a chat":    {answer: 400, body: "invalid_payload", want: `write as=cloudevents if the receiver is a program, not slack: "invalid_payload"`},
		"forbidden":     {answer: 403, want: "make a new URL in the chat"},
		"unknown":       {answer: 404, want: "check the target's URL"},
		"gone":          {answer: 410, want: "410", gone: true},
		"redirect":      {answer: 302, want: "redirects are not followed"},
		"Teams refuses": {answer: 200, as: "teams", body: "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", want: "429", after: time.Minute},
		"Teams takes":   {answer: 200, as: "teams", body: "1"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", tt.header)
			w.WriteHeader(tt.answer)
			w.Write([]byte(tt.body + r.URL.Path))
		}))
		as := tt.as
		if as == "" {
			as = "slack"
		}
		err := targets(t, s.URL+"/services/hunter2hunter2 as="+as)[0].sender.send(t.Context(), &message{subject: "s", text: "t"})
		s.Close()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var r refusal
		if !errors.As(err, &r) || r.gone != tt.gone || r.after != tt.after {
			t.Errorf("%s: %+v", name, r)
		}
		if text := err.Error(); !strings.Contains(text, strings.TrimSuffix(tt.want, `"`)) || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s\nwant … %s …", name, text, tt.want)
		}
	}
}

// TestIncoming_WhatWaitsStaysWithTheURL: a former version kept events for it.
func TestIncoming_WhatWaitsStaysWithTheURL(t *testing.T) {
	old, now := targets(t, slackHook+" as=cloudevents")[0], targets(t, slackHook)[0]
	if old.dir != now.dir {
		t.Errorf("%s became %s", old.dir, now.dir)
	}
	u, err := url.Parse(slackHook)
	if err != nil || !slices.Contains(secretsOf(slackHook, u), "hunter2hunter2hunter2") {
		t.Error("the path is the secret", err)
	}
}

func TestIncoming_ShortenTakesTheMiddle(t *testing.T) {
	for _, text := range []string{"begin" + strings.Repeat("a", 3000) + "end", "begin" + strings.Repeat("😀", 1500) + "end"} {
		for most := 100; most < 108; most++ {
			got := shorten(text, most)
			if n := len(utf16.Encode([]rune(got))); n > most || n < most-2 {
				t.Errorf("%d of %d characters", n, most)
			}
			if !strings.HasPrefix(got, "begin") || !strings.HasSuffix(got, "end") || strings.ContainsRune(got, '\uFFFD') {
				t.Errorf("%q", got)
			}
		}
	}
	if got := shorten("short", 5); got != "short" {
		t.Error(got)
	}
}
