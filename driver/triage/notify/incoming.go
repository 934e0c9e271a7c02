package notify

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/logfast/logfast/internal/suggest"
)

// cloudEvents is the value of as= that makes any URL a webhook.
const cloudEvents = "cloudevents"

// forms are the values of as= for chats: what an incoming webhook of each takes, and
// how many characters of text, counted as UTF-16. The sources are the vendors' pages:
//
//   - Slack truncates a text of more than 40,000 characters: "Truncating really long
//     messages", https://api.slack.com/changelog/2018-04-truncating-really-long-messages
//   - Discord takes up to 2000 characters: "Webhook Resource", Execute Webhook,
//     https://discord.com/developers/docs/resources/webhook
//   - Teams takes about 28 KB in a post, with the card: "Limits and specifications for
//     Microsoft Teams", https://learn.microsoft.com/en-us/microsoftteams/limits-specifications-teams
//   - Mattermost takes 16,383 characters in a post, and splits what is longer: "Incoming
//     webhooks", https://developers.mattermost.com/integrate/webhooks/incoming/
//   - Google Chat takes 32,000 bytes in a message: "Method: spaces.messages.create",
//     https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
var forms = map[string]struct {
	body func(subject, text string) any
	most int
}{
	"slack":      {textBody, 40_000},
	"discord":    {discordBody, 2000},
	"teams":      {teamsBody, 7000}, // of up to 3 bytes; the rest is for the card
	"mattermost": {textBody, 16_383},
	"googlechat": {textBody, 10_000}, // of up to 3 bytes
	"text":       {textBody, 4096},   // of a service that logfast does not know
}

// shape is how the incoming-webhook URLs of a service look. The sources are the pages
// that forms names and these:
//
//   - Slack: "Sending messages using incoming webhooks",
//     https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
//   - Teams: "Create an Incoming Webhook" and "Create incoming webhooks with Workflows",
//     https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
//   - Power Automate's hosts, for the tenants of the US Government and of China too: "IP
//     address configuration for Power Automate", "When an HTTP request is received",
//     https://learn.microsoft.com/en-us/power-automate/ip-address-configuration
//   - Google Chat: "Build a Google Chat app as a webhook",
//     https://developers.google.com/workspace/chat/quickstart/webhooks
//
// A Power Automate URL without sig= wants a token of the tenant's directory, which
// logfast does not have: such a URL is no chat's. Discord's URLs that end in /slack or
// /github take those services' formats.
type shape struct {
	kind   string
	host   *regexp.Regexp
	path   *regexp.Regexp
	query  []string // parameters that it must have
	plain  bool     // http:// too: people host the service themselves
	shared bool     // programs that are no chat may have such a URL
}

var shapes = []shape{
	{
		kind: "slack", host: regexp.MustCompile(`^hooks\.slack(-gov)?\.com$`),
		path: regexp.MustCompile(`^/services/[^/]+/[^/]+/[^/]+/?$`),
	},
	{
		kind: "discord", host: regexp.MustCompile(`^((canary|ptb)\.)?discord(app)?\.com$`),
		path: regexp.MustCompile(`^/api(/v\d+)?/webhooks/\d+/[^/]+/?$`),
	},
	{
		kind: "teams", host: regexp.MustCompile(`^([a-z0-9-]+\.webhook|outlook)\.office(365)?\.com$`),
		path: regexp.MustCompile(`^/webhook(b2)?/[^/]+/IncomingWebhook/.`),
	},
	{
		kind: "teams", host: regexp.MustCompile(`\.(logic\.azure\.(com|us|cn)|api\.(powerplatform\.com|` +
			`(gov|high)\.powerplatform\.microsoft\.us|appsplatform\.us|powerplatform\.partner\.microsoftonline\.cn))$`),
		path:  regexp.MustCompile(`/workflows/[^/]+/triggers/manual/paths/invoke/?$`),
		query: []string{"sig"}, shared: true,
	},
	{
		kind: "googlechat", host: regexp.MustCompile(`^chat\.googleapis\.com$`),
		path:  regexp.MustCompile(`^/v1/spaces/[^/]+/messages/?$`),
		query: []string{"key", "token"},
	},
	{
		kind: "mattermost", host: regexp.MustCompile(`.`),
		path:  regexp.MustCompile(`^(/.*)?/hooks/[a-z0-9]{26}/?$`),
		plain: true, shared: true,
	},
}

// formOf says what the target behind an http:// or https:// URL takes: one of
// forms, or cloudEvents. as= decides; without it, the URL does. A secret= says
// that a program checks signatures, if the URL can be a program's.
func formOf(u *url.URL, options []string) (string, error) {
	signed := false
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		if name == "as" {
			return checkForm(value)
		}
		signed = signed || name == "secret"
	}
	query := u.Query()
	for _, s := range shapes {
		if s.host.MatchString(strings.ToLower(u.Hostname())) && s.path.MatchString(u.EscapedPath()) &&
			(u.Scheme == "https" || s.plain) && (!s.shared || !signed) &&
			!slices.ContainsFunc(s.query, func(name string) bool { return !query.Has(name) }) {
			return s.kind, nil
		}
	}
	return cloudEvents, nil
}

func checkForm(value string) (string, error) {
	if _, ok := forms[value]; ok || value == cloudEvents {
		return value, nil
	}
	all := []string{cloudEvents}
	for name := range forms {
		all = append(all, name)
	}
	slices.Sort(all)
	return "", fmt.Errorf("as= has an unknown value%s; write one of %s", suggest.Nearest(value, all),
		strings.Join(all, ", "))
}

// savedURL is the URL of an incoming webhook at which the chat answers once it has
// saved the message. Discord answers before that without wait=true, and then reports
// no error if it does not save it ("Webhook Resource", Execute Webhook).
func savedURL(kind string, u *url.URL) string {
	query := u.Query()
	if kind != "discord" || query.Has("wait") {
		return u.String()
	}
	query.Set("wait", "true")
	waits := *u
	waits.RawQuery = query.Encode()
	return waits.String()
}

// incoming posts messages to the incoming webhook of a chat, at the URL that the
// chat shows. shoutrrr's services know some of these URLs, but not how long the
// chat asks them to wait.
type incoming struct {
	kind string
	hook *webhook
}

func (i *incoming) trust(roots *x509.CertPool) { i.hook.trust(roots) }

// send makes one attempt.
func (i *incoming) send(ctx context.Context, m *message) error {
	body, err := i.body(m)
	if err != nil {
		return err
	}
	own := http.Header{}
	own.Set("Content-Type", "application/json; charset=utf-8")
	head, err := i.hook.post(ctx, body, own)
	if r := (refusal{}); errors.As(err, &r) {
		switch r.code {
		case http.StatusBadRequest, http.StatusUnsupportedMediaType:
			r.hint = "check the target's URL; write as=cloudevents if the receiver is a program, not " + i.kind
		case http.StatusUnauthorized, http.StatusForbidden:
			r.hint = "check the target's URL and header=; make a new URL in the chat if this one was revoked"
		}
		err = r
	}
	// Teams' connectors answer 200 if Teams refused the message.
	if err == nil && i.kind == "teams" && strings.Contains(head.body, "Microsoft Teams endpoint returned HTTP error") {
		r := refusal{text: "the receiver answered 200", quote: head.body}
		if strings.Contains(head.body, "HTTP error 429") {
			r.after = time.Minute // it does not say how long
		}
		err = r
	}
	if err != nil {
		return fmt.Errorf("%s: %w", i.kind, err)
	}
	m.answered(head.line())
	return nil
}

// body is the request's body: the message's subject and text, defused and bounded.
func (i *incoming) body(m *message) ([]byte, error) {
	form := forms[i.kind]
	subject, text := defuse(i.kind, "", m.subject), defuse(i.kind, "", m.text)
	text = shorten(text, form.most-len(utf16.Encode([]rune(subject+"\n\n"))))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it would make the body several times as long
	if err := e.Encode(form.body(subject, text)); err != nil {
		return nil, fmt.Errorf("%s: encode the message: %w", i.kind, err)
	}
	return b.Bytes(), nil
}

// shorten keeps a text to so many characters, counted as JavaScript does. It
// takes them out of the middle: the end says how to see the log.
func shorten(text string, most int) string {
	const mark = "\n…\n"
	units := utf16.Encode([]rune(text))
	if len(units) <= most {
		return text
	}
	room := max(most-len([]rune(mark)), 0)
	head, tail := units[:room-room/3], units[len(units)-room/3:]
	if len(head) > 0 && utf16.IsSurrogate(rune(head[len(head)-1])) && head[len(head)-1] < 0xDC00 {
		head = head[:len(head)-1] // the first half of a character
	}
	if len(tail) > 0 && utf16.IsSurrogate(rune(tail[0])) && tail[0] >= 0xDC00 {
		tail = tail[1:]
	}
	return string(utf16.Decode(head)) + mark + string(utf16.Decode(tail))
}

func textBody(subject, text string) any {
	return map[string]string{"text": joined(subject, text)}
}

func discordBody(subject, text string) any {
	return map[string]any{
		"content":          joined(subject, text),
		"allowed_mentions": map[string]any{"parse": []string{}}, // nobody is called
	}
}

// teamsBlock is a line of a card. Cards put the lines of one block together.
type teamsBlock struct {
	Type      string `json:"type"`
	Text      string `json:"text"`
	Wrap      bool   `json:"wrap"`
	Weight    string `json:"weight,omitempty"`
	Spacing   string `json:"spacing,omitempty"`
	Separator bool   `json:"separator,omitempty"`
}

// teamsBody is a message with one Adaptive Card.
func teamsBody(subject, text string) any {
	var blocks []teamsBlock
	if subject != "" {
		blocks = append(blocks, teamsBlock{Type: "TextBlock", Text: subject, Wrap: true, Weight: "Bolder"})
	}
	apart := subject != ""
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) == "" {
			apart = true
			continue
		}
		b := teamsBlock{Type: "TextBlock", Text: line, Wrap: true, Spacing: "None"}
		if apart {
			b.Spacing, b.Separator = "Medium", true
		}
		apart = false
		blocks = append(blocks, b)
	}
	return map[string]any{
		"type": "message",
		"attachments": []any{map[string]any{
			"contentType": "application/vnd.microsoft.card.adaptive",
			"content": map[string]any{
				"$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
				"type":    "AdaptiveCard",
				"version": "1.4",
				"msteams": map[string]string{"width": "Full"},
				"body":    blocks,
			},
		}},
	}
}
