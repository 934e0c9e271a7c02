package notify

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/internal/limit"
	"github.com/logfast/logfast/internal/suggest"
)

// sender brings one message to its target. send makes one attempt, which ends
// by itself or with ctx. Its errors hold nothing of the target's secrets; one
// that is a refusal says what the target asked for.
type sender interface {
	send(ctx context.Context, m *message) error
}

// Target is one that is told. ParseTargets and ReadTargets make it.
type Target struct {
	Name string // in logs: the kind and, where it is no secret, the host
	Kind string // webhook, smtp, or the chat's service; "text" for a chat that as=text names

	dir    string // of its queue
	on     []string
	folds  bool
	sender sender
}

// wants reports whether the target is told events of a type.
func (t *Target) wants(typ string) bool { return slices.Contains(t.on, typ) }

// moments are the words of LOGFAST_NOTIFY_ON and on=.
var moments = map[string]string{"first": incident.TypeOpened, "shipped": incident.TypeShipped}

// ParseOn reads which moments are told: "shipped", "first,shipped" or "first".
func ParseOn(s string) (types []string, err error) {
	for word := range strings.SplitSeq(s, ",") {
		typ, ok := moments[strings.TrimSpace(word)]
		if !ok {
			return nil, fmt.Errorf("%q is no moment%s; write shipped (the log is in the store), or first,shipped (an "+
				"early notice at the first error, too)",
				word, suggest.Nearest(word, []string{"first", "shipped"}))
		}
		types = append(types, typ)
	}
	return types, nil
}

// comma is one between two URLs. (Those of some services have commas within.)
var comma = regexp.MustCompile(`,([a-z][a-z0-9+.-]*://)`)

// ParseTargets reads the URLs of a list, and says what is wrong with the others.
// Its errors quote nothing of them: a URL is a secret, as a rule.
func ParseTargets(list string, on []string) (targets []*Target, errs []error) {
	n := 0
	for word := range strings.FieldsSeq(comma.ReplaceAllString(list, " $1")) {
		if word = strings.Trim(word, ","); word == "" {
			continue
		}
		n++
		t, err := newTarget(word, nil, on)
		if err != nil {
			errs = append(errs, fmt.Errorf("target %d: %w", n, err))
			continue
		}
		targets = append(targets, t)
	}
	return targets, errs
}

// ReadTargets reads the text of a file: a URL a line, then its options. A line
// that begins with # is a comment. Its errors name the lines that are wrong.
func ReadTargets(text string, on []string) (targets []*Target, errs []error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		words, err := fields(line)
		if err == nil && (len(words) == 0 || strings.HasPrefix(words[0], "#")) {
			continue
		}
		var t *Target
		if err == nil {
			t, err = newTarget(words[0], words[1:], on)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		targets = append(targets, t)
	}
	return targets, errs
}

// Unique returns each target once. Its error names those that are there twice: what
// is behind them would be notified of all twice.
func Unique(targets []*Target) (once []*Target, err error) {
	seen := map[string]bool{}
	var errs []error
	for _, t := range targets {
		if seen[t.dir] {
			errs = append(errs, fmt.Errorf("%s is there twice", t.Name))
			continue
		}
		seen[t.dir] = true
		once = append(once, t)
	}
	return once, errors.Join(errs...)
}

// newTarget understands one URL and its options.
func newTarget(raw string, options, on []string) (*Target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return nil, errors.New("is no URL; write https://host/path for a webhook, or a service's: " +
			examples["slack"] + ", " + examples["smtp"])
	}
	kind, _, _ := strings.Cut(u.Scheme, "+")
	secrets := secretsOf(raw, u)
	t := &Target{Kind: kind, on: on}
	var hook *webhook
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" || strings.ContainsAny(u.Host, ", ") || u.Fragment != "" {
			return nil, errors.New("write a webhook as https://host/path")
		}
		var form string
		if form, err = formOf(u, options); err != nil {
			return nil, err
		}
		hook = newWebhook(u, secrets)
		t.Kind, t.sender = "webhook", hook
		if form != cloudEvents {
			t.Kind, t.folds, t.sender = form, true, &incoming{kind: form, hook: hook}
			hook.url = savedURL(form, u)
		}
	case "smtp":
		t.folds = true
		t.sender, err = newMailer(u, secrets)
	default:
		t.folds = true
		t.sender, err = newChat(kind, u, secrets)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(raw))
	dirKind := t.Kind
	if hook != nil {
		dirKind = "webhook" // whatever as= says: the events that wait stay with the URL
	}
	t.dir = dirKind + "-" + hex.EncodeToString(sum[:8])
	t.Name = t.Kind + "-" + hex.EncodeToString(sum[:3])
	if hook != nil || u.Scheme == "smtp" {
		t.Name += " at " + u.Host
	}
	return t, t.setOptions(options, hook)
}

func (t *Target) setOptions(options []string, hook *webhook) error {
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		switch {
		case name == "on":
			on, err := ParseOn(value)
			if err != nil {
				return fmt.Errorf("on=%s: %w", value, err)
			}
			t.on = on
		case name == "ca":
			trusting, ok := t.sender.(interface{ trust(roots *x509.CertPool) })
			if !ok {
				return errors.New("ca= is for webhooks and smtp://")
			}
			roots, err := readCA(value)
			if err != nil {
				return fmt.Errorf("ca=%s: %w", value, err)
			}
			trusting.trust(roots)
		case name == "as" && hook != nil: // newTarget has heeded it
		case name != "secret" && name != "header" && name != "as":
			if strings.Contains(name, "://") {
				return errors.New("one target a line")
			}
			near := suggest.Nearest(name, []string{"secret", "header", "ca", "on", "as"})
			if near == "" {
				name = "" // it may be a secret, whose "secret=" was forgotten
			}
			return fmt.Errorf("unknown option %s%s; there are secret=, header=, ca=, on= and as=", name, near)
		case hook == nil:
			return fmt.Errorf("%s= is for webhooks, whose URLs begin with https:// or http://", name)
		case name == "secret":
			if t.folds {
				return fmt.Errorf("secret= is for CloudEvents webhooks, and %s checks no signature; leave it out, or "+
					"write as=cloudevents", t.Kind)
			}
			secret, err := parseSecret(value)
			if err != nil {
				return fmt.Errorf("secret=…: %w", err)
			}
			hook.secrets = append(hook.secrets, secret)
		default:
			name, value, err := parseHeader(value)
			if err != nil {
				return fmt.Errorf("header=…: %w", err)
			}
			hook.headers.Add(name, value)
			hook.hide = append(hook.hide, secretWords(value)...)
		}
	}
	return nil
}

// readCA reads the authorities of a PEM file, to those that are built in.
func readCA(file string) (*x509.CertPool, error) {
	pem, err := limit.ReadFile(file, limit.CAFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
	}
	return roots, nil
}

// fields splits a line at white space that stands outside double quotes.
func fields(line string) (words []string, err error) {
	var word strings.Builder
	open, any := false, false
	for _, c := range strings.TrimSpace(line) {
		switch {
		case c == '"':
			open, any = !open, true
		case !open && (c == ' ' || c == '\t'):
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(c)
			any = true
		}
	}
	if open {
		return nil, errors.New(`a " has no other that ends it`)
	}
	if any {
		words = append(words, word.String())
	}
	return words, nil
}

// secretsOf lists what an error text must not hold: all of the URL that can be
// a secret, as it is written and as it is meant. The longest come first.
func secretsOf(raw string, u *url.URL) []string {
	var all []string
	add := func(s string) {
		if len(s) >= 4 && s != u.Scheme { // shorter ones are words, such as ports
			all = append(all, s)
		}
	}
	add(raw)
	add(u.User.String())
	add(u.User.Username())
	if password, ok := u.User.Password(); ok {
		add(password)
		add(url.QueryEscape(password))
	}
	add(strings.Trim(u.EscapedPath(), "/"))
	for _, part := range append(strings.Split(u.Path, "/"), strings.Split(u.EscapedPath(), "/")...) {
		add(part)
	}
	add(u.RawQuery)
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
			add(url.QueryEscape(v))
		}
	}
	add(u.Fragment)
	if u.Scheme != "smtp" && !strings.Contains(u.Hostname(), ".") && u.Hostname() != "localhost" {
		add(u.Hostname()) // Discord's, Pushover's and others' are tokens
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// secretWords are those of a header's value that may be a secret: of
// "Bearer token" the second.
func secretWords(value string) (words []string) {
	for _, word := range append([]string{value}, strings.Fields(value)...) {
		if len(word) > len("Bearer") {
			words = append(words, word)
		}
	}
	return words
}

// scrub takes the secrets out of a text, and keeps it to a line.
func scrub(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "…")
	}
	return oneLine(text, 500)
}
