package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
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
	running chan struct{} // holds one: a service is not made for two messages at once
}

// Services that show a title apart from the text.
var titled = []string{"bark", "discord", "gotify", "join", "lark", "matrix", "ntfy", "opsgenie", "pushbullet", "pushover", "slack", "teams"}

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
	names := slices.DeleteFunc(append(r.ListServices(), "http", "https"), func(s string) bool { return slices.Contains(deaf, s) })
	slices.Sort(names)
	if !slices.Contains(names, kind) {
		return nil, fmt.Errorf("unknown service %q%s; there are %s", kind, suggest.Nearest(kind, names), strings.Join(names, ", "))
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
	return c, nil
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
	running := c.running
	select {
	case running <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-running }()
		text, params := c.text(m)
		done <- guard(func() error { return c.post(text, params) })
	}()
	lost := time.NewTimer(lostAfter)
	defer lost.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s: %s", c.kind, scrub(err.Error(), c.secrets))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-lost.C:
		c.running = make(chan struct{}, 1) // the one that holds it is lost
		return fmt.Errorf("%s: no answer after %v", c.kind, lostAfter)
	}
}

// post calls the service. shoutrrr's Telegram reports success if the answer to a
// failed request is not Telegram's: a proxy's page, a redirect, or no answer at
// all. So its requests are watched.
func (c *chat) post(text string, params *types.Params) error {
	t, ok := c.service.(*telegram.Service)
	if !ok {
		return c.service.Send(text, params)
	}
	watch := failing.watch("/bot" + t.Config.Token + "/")
	err := c.service.Send(text, params)
	if failed := failing.end(watch); err == nil {
		err = failed
	}
	return err
}

func (c *chat) text(m *message) (string, *types.Params) {
	markup := markupOf(c.service)
	subject, text := defuse(c.kind, markup, m.subject), defuse(c.kind, markup, m.text)
	params := &types.Params{}
	if c.kind == "generic" {
		params.SetTitle(subject) // for template=json
	}
	if slices.Contains(titled, c.kind) {
		params.SetTitle(subject)
		return text, params
	}
	return subject + "\n\n" + text, params
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
