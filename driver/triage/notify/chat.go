package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/logfast/logfast/internal/suggest"
)

// chat posts through one of shoutrrr's services: Slack, Teams, Discord and so
// on.
type chat struct {
	kind    string
	service types.Service
	secrets []string
	marks   []string // one of them is in each of the service's requests
	at      endpoint // without an address if logfast does not know it

	mu      sync.Mutex    // guards running: a test message may be sent beside the queue's
	running chan struct{} // holds one: a service is not made for two messages at once
}

// Services that show a title apart from the text.
var titled = []string{
	"bark", "discord", "gotify", "join", "lark", "matrix", "ntfy", "opsgenie", "pushbullet", "pushover", "slack",
	"teams",
}

// Nobody would hear these.
var deaf = []string{"logger"}

// examples say how the URLs of common services look.
var examples = map[string]string{
	"discord":    "discord://TOKEN@WEBHOOKID",
	"googlechat": "googlechat://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN",
	"gotify":     "gotify://HOST/TOKEN",
	"matrix":     "matrix://USER:PASSWORD@HOST/?rooms=ROOM",
	"mattermost": "mattermost://HOST/TOKEN",
	"ntfy":       "ntfy://ntfy.sh/TOPIC",
	"pushover":   "pushover://shoutrrr:APITOKEN@USERKEY",
	"rocketchat": "rocketchat://HOST/TOKEN-A/TOKEN-B",
	"slack":      "slack://hook:A1B2C3D4E-F5G6H7I8J-a1b2c3d4e5f6g7h8i9j0k1l2@webhook",
	"smtp":       "smtp://USER:PASSWORD@HOST:587/?from=logfast@example.com&to=oncall@example.com",
	"teams":      "teams://GROUP@TENANT/ALTID/GROUPOWNER/EXTRAID?host=ORGANIZATION.webhook.office.com",
	"telegram":   "telegram://TOKEN@telegram?chats=CHANNEL",
}

const manual = "https://shoutrrr.nickfedor.com"

// The services have bounds of their own for an attempt, up to some minutes with
// their own repetitions; what has not returned after lostAfter never will.
const (
	serviceTimeout = 30 * time.Second
	lostAfter      = 10 * time.Minute
)

// newChat understands the URL of a service. Its errors quote nothing of it.
func newChat(kind string, u *url.URL, secrets []string) (*chat, error) {
	boundHTTP()
	var r router.ServiceRouter
	names := slices.DeleteFunc(append(r.ListServices(), "http", "https"),
		func(s string) bool { return slices.Contains(deaf, s) })
	slices.Sort(names)
	if !slices.Contains(names, kind) {
		return nil, fmt.Errorf("unknown service %q%s; there are %s", kind, suggest.Nearest(kind, names),
			strings.Join(names, ", "))
	}
	service, err := r.NewService(kind)
	if err != nil {
		return nil, err
	}
	if u.Scheme != kind { // service+https://…: the URL that the service itself shows
		custom, ok := service.(types.CustomURLService)
		if !ok {
			return nil, wrongURL(kind, errors.New("it knows no "+kind+"+ form"), secrets)
		}
		if u, err = custom.GetConfigURLFromCustom(u); err != nil {
			return nil, wrongURL(kind, err, secrets)
		}
	}
	if query := u.Query(); kind == "discord" && !strings.Contains(strings.ToLower(u.RawQuery), "splitlines=") {
		query.Set("splitLines", "no") // each line would be a box, and ten of them a message
		copied := *u
		copied.RawQuery = query.Encode()
		u = &copied
	}
	c := &chat{kind: kind, service: service, secrets: secrets, running: make(chan struct{}, 1)}
	if err := guard(func() error { return service.Initialize(u, nil) }); err != nil {
		return nil, wrongURL(kind, err, secrets)
	}
	boundClients(service)
	c.marks, c.at = marksOf(service, u, secrets), placeOf(kind, u, secrets)
	return c, nil
}

// minMark is how long a part of a URL is that hardly stands in another target's.
const minMark = 10

// marksOf lists what tells a service's requests from those of others: its secrets.
func marksOf(service any, u *url.URL, secrets []string) (marks []string) {
	if t, ok := service.(*telegram.Service); ok {
		return []string{"/bot" + t.Config.Token + "/"}
	}
	for _, s := range append([]string{u.Host + u.Path}, secrets...) {
		if len(s) >= minMark {
			marks = append(marks, s)
		}
	}
	return marks
}

func wrongURL(kind string, err error, secrets []string) error {
	form := examples[kind]
	if form == "" {
		form = "what " + manual + " says of " + kind
	}
	return fmt.Errorf("%s: %s; write %s", kind, scrub(err.Error(), secrets), form)
}

// send gives the message to the service. shoutrrr knows no context: where ctx
// ends first, the service is left to end by its own bounds, and the process with
// it, as a rule.
func (c *chat) send(ctx context.Context, m *message) error {
	c.mu.Lock()
	running := c.running
	c.mu.Unlock()
	select {
	case running <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan posted, 1)
	go func() {
		defer func() { <-running }()
		text, params := c.text(m)
		var p posted
		p.code, p.status, p.err = c.post(text, params)
		done <- p
	}()
	lost := time.NewTimer(lostAfter)
	defer lost.Stop()
	select {
	case p := <-done:
		switch {
		case p.err != nil && p.code >= http.StatusBadRequest:
			text := fmt.Sprintf("%s: the service answered %s: %s", c.kind, p.status, p.err)
			return refusal{text: scrub(text, c.secrets), code: p.code}
		case p.err != nil:
			return fmt.Errorf("%s: %s", c.kind, scrub(p.err.Error(), c.secrets))
		}
		m.answered(scrub(p.status, c.secrets))
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-lost.C:
		c.mu.Lock()
		if c.running == running {
			c.running = make(chan struct{}, 1) // the one that holds it is lost
		}
		c.mu.Unlock()
		return fmt.Errorf("%s: no answer after %v", c.kind, lostAfter)
	}
}

// posted is what came of a message.
type posted struct {
	code   int    // of the last answer to a request; 0 if logfast saw none
	status string // the same with its text
	err    error
}

// post calls the service, and watches its requests for what was answered: a service
// says that in its own words, if at all. shoutrrr's Telegram reports success if the
// answer to a failed request is not Telegram's: a proxy's page, a redirect, or no
// answer at all.
func (c *chat) post(text string, params *types.Params) (code int, status string, err error) {
	watch := failing.watch(c.marks...)
	err = guard(func() error { return c.service.Send(text, params) })
	code, status, failed := failing.end(watch)
	if _, ok := c.service.(*telegram.Service); ok && err == nil {
		err = failed
	}
	return code, status, err
}

func (c *chat) text(m *message) (string, *types.Params) {
	markup := markupOf(c.service)
	subject, text := defuse(c.kind, markup, m.subject), defuse(c.kind, markup, m.text)
	params := &types.Params{}
	if c.kind == "generic" && subject != "" {
		params.SetTitle(subject) // for template=json
	}
	if slices.Contains(titled, c.kind) && subject != "" {
		params.SetTitle(subject)
		return text, params
	}
	return joined(subject, text), params
}

// guard makes an error of a service's panic: some do not expect that nobody
// answers.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the service failed: %v", p)
		}
	}()
	return f()
}
