package notify

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/triage/incident"
)

const slackURL = "slack://hook:A1B2C3D4E-F5G6H7I8J-a1b2c3d4e5f6g7h8i9j0k1l2@webhook"

func names(all []*Target) (kinds []string) {
	for _, t := range all {
		kinds = append(kinds, t.Kind)
	}
	return kinds
}

func TestAListOfTargets(t *testing.T) {
	for list, want := range map[string][]string{
		"":                             nil,
		",":                            nil,
		"https://h.example.com/x":      {"webhook"},
		"https://a.example,http://b.c": {"webhook", "webhook"},
		slackURL + "\n\tsmtp://mail.example.com/?from=a@example.com&to=b@example.com,c@example.com,  https://a.example/x,": {"slack", "smtp", "webhook"},
		"discord://token@1234": {"discord"},
		"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@a,@b,https://a.example/": {"telegram", "webhook"},
		"generic+https://ci.example.com/hook?template=json":                                               {"generic"},
		"teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=example.webhook.office.com": {"teams"},
	} {
		got, err := ParseTargets(list, shippedOnly)
		if len(err) > 0 || !slices.Equal(names(got), want) {
			t.Errorf("%q: %v, %v; want %v", list, names(got), err, want)
		}
	}
	all, errs := ParseTargets(slackURL+" https://user:pass@h.example.com:8443/T000/B000", both)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, target := range all {
		if strings.Contains(target.Name, "hook:") || strings.Contains(target.Name, "pass") || strings.Contains(target.Name, "T000") || !target.wants(incident.TypeOpened) {
			t.Errorf("%+v", target)
		}
	}
	if !strings.Contains(all[1].Name, "h.example.com:8443") || !all[0].folds || all[1].folds {
		t.Errorf("%+v %+v", all[0], all[1])
	}
	if once, err := Unique(append(all, all[0])); err == nil || !strings.Contains(err.Error(), "twice") || len(once) != 2 {
		t.Error(once, err)
	}
	if _, err := Unique(all); err != nil {
		t.Error(err)
	}
}

func TestAFileOfTargets(t *testing.T) {
	all, err := ReadTargets("# who is told\n\n  "+slackURL+"  on=first,shipped\n"+
		"https://bot.example.com/x secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw header=\"X-Key: a b\" on=shipped\r\n", shippedOnly)
	if len(err) > 0 || !slices.Equal(names(all), []string{"slack", "webhook"}) {
		t.Fatalf("%v, %v", names(all), err)
	}
	if !all[0].wants(incident.TypeOpened) || all[1].wants(incident.TypeOpened) {
		t.Error("on= is not heeded")
	}
	hook := all[1].sender.(*webhook)
	if len(hook.secrets) != 1 || len(hook.secrets[0]) != 24 || hook.headers.Get("X-Key") != "a b" {
		t.Errorf("%+v", hook)
	}
}

// TestABadTargetIsRefusedWithWhatToType, and nothing of it is repeated: it may
// be a secret.
func TestABadTargetIsRefusedWithWhatToType(t *testing.T) {
	const secret = "hunter2hunter2"
	for line, want := range map[string]string{
		secret:                                 "write https://host/path",
		"mailto:" + secret + "@example.com":    "is no URL",
		"https://" + secret + "%zz/":           "is no URL",
		"https:///" + secret:                   "https://host/path",
		"slak://hook:" + secret + "@webhook":   `unknown service "slak"; did you mean "slack"?`,
		"logger://" + secret:                   `unknown service "logger"`,
		"slack://hook:" + secret + "@webhook":  "write slack://hook:",
		"discord://" + secret:                  "write discord://TOKEN@WEBHOOKID",
		"smtp://u:" + secret + "@mail.example": "write smtp://USER:PASSWORD@HOST:587/?from=",
		"smtp://u:" + secret + "@mail.example/?from=x&to=b@example.com":                 `"x" is no address`,
		"smtp://u:" + secret + "@/?from=a@example.com&to=b@example.com":                 "server's name",
		"smtp://u:p@mail.example/?from=a@example.com&to=b@example.com&colour=" + secret: "write smtp://",
		"telegram://" + secret + "@telegram":                                            "write telegram://TOKEN@telegram?chats=",
		"teams://" + secret:                                                             "write teams://",
		"pagerduty://":                                                                  "",
		"slack+https://" + secret:                                                       "write slack://",
		"https://a.example secret=" + secret:                                            "16 bytes or more",
		"https://a.example secret=whsec_" + secret + "!":                                "must be base64",
		"https://a.example header=" + secret:                                            `write header="Name: value"`,
		`https://a.example header="Content-Type: ` + secret + `"`:                       "logfast's to set",
		`https://a.example header="Webhook-Id: ` + secret + `"`:                         "logfast's to set",
		"https://a.example secert=" + secret:                                            `did you mean "secret"?`,
		"https://a.example on=frist":                                                    `did you mean "first"?`,
		"https://a.example https://b.example/" + secret:                                 "one target a line",
		"https://a.example ca=/nowhere/ca.pem":                                          "ca=/nowhere/ca.pem: open /nowhere/ca.pem: no such file",
		"https://a.example ca=target.go":                                                "no certificate in PEM",
		slackURL + " ca=/nowhere/ca.pem":                                                "ca= is for webhooks and smtp://",
		slackURL + " secret=" + secret + secret:                                         "secret= is for webhooks",
		`https://a.example header="X: ` + secret:                                        "has no other that ends it",
	} {
		_, errs := ReadTargets("\n"+line, shippedOnly)
		err := errors.Join(errs...)
		if err == nil {
			if want != "" {
				t.Errorf("%s: accepted", line)
			}
			continue
		}
		if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, secret) || !strings.HasPrefix(text, "line 2: ") {
			t.Errorf("%s: %s\nwant … %s …", line, text, want)
		}
	}
	all, errs := ParseTargets("https://a.example "+secret, shippedOnly)
	if err := errors.Join(errs...); err == nil || !strings.HasPrefix(err.Error(), "target 2: ") || strings.Contains(err.Error(), secret) || len(all) != 1 {
		t.Error(len(all), err)
	}
	for _, line := range []string{"https://a.example " + secret, "https://a.example " + secret + "=="} {
		if _, errs := ReadTargets(line, shippedOnly); len(errs) != 1 || strings.Contains(errs[0].Error(), secret) {
			t.Errorf("a forgotten secret=: %v", errs)
		}
	}
}

func TestMoments(t *testing.T) {
	for in, want := range map[string]int{"shipped": 1, "first,shipped": 2, "first": 1, "first, shipped": 2} {
		if on, err := ParseOn(in); err != nil || len(on) != want {
			t.Errorf("%s: %v, %v", in, on, err)
		}
	}
	for _, in := range []string{"", "last", "shiped"} {
		if _, err := ParseOn(in); err == nil || !strings.Contains(err.Error(), "first,shipped") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestNothingSecretOfAURLStaysInAText(t *testing.T) {
	for _, raw := range []string{
		slackURL, "discord://s3cr3ttoken@123456789", "https://user:s3cr3tpass@h.example.com/T0001/B0002?key=s3cr3tkey#s3cr3tfrag",
		"smtp://user:p%40ss-s3cr3t@mail.example.com:587/?from=a@example.com&to=b@example.com", "pushover://shoutrrr:s3cr3tapi@s3cr3tuser",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		text := scrub(errors.New("post "+raw+": "+u.User.String()+" "+password+" "+u.Path+" "+u.RawQuery+" "+u.Fragment).Error(), secretsOf(raw, u))
		for _, secret := range []string{"s3cr3t", "A1B2C3D4E", "T0001"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %s", raw, text)
			}
		}
	}
}
