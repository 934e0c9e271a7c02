package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// reachTime bounds how long Reach waits for a target.
const reachTime = 5 * time.Second

// Reached is whether a connection to a target could be made.
type Reached struct {
	Target  *Target
	Address string // host and port; "" if logfast does not know where the service is
	Proxy   bool   // the address is that of a proxy
	Err     error  // no secret
}

// endpoint is where a target is.
type endpoint struct {
	address  string
	security *tls.Config // nil: not encrypted from the first byte
	proxy    bool
	secrets  []string
}

// ReachAll connects to the host of each target, to all at once, and returns what came
// of it in the order of the targets: it resolves the name, connects and, if the
// connection is encrypted from its first byte, shakes hands. It sends no request and
// no mail command. It takes 5 seconds at most.
func ReachAll(ctx context.Context, targets []*Target) []Reached {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	all := make([]Reached, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		all[i].Target = t
		at, ok := t.sender.(interface{ endpoint() (endpoint, bool) })
		if !ok {
			continue
		}
		e, ok := at.endpoint()
		if !ok {
			continue
		}
		all[i].Address, all[i].Proxy = e.address, e.proxy
		wg.Go(func() { all[i].Err = e.reach(ctx) })
	}
	wg.Wait()
	return all
}

func (e endpoint) reach(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", e.address)
	if err == nil {
		defer conn.Close() //nolint:errcheck // nothing was sent
		if e.security != nil {
			err = tls.Client(conn, e.security).HandshakeContext(ctx)
		}
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &unreachable{"no answer within " + reachTime.String(), ctx.Err()}
	}
	return &unreachable{scrub(err.Error(), e.secrets), err}
}

// unreachable has the text of an error without the target's secrets, and its cause.
type unreachable struct {
	text  string
	cause error
}

func (u *unreachable) Error() string { return u.text }
func (u *unreachable) Unwrap() error { return u.cause }

func (w *webhook) endpoint() (endpoint, bool) {
	r, err := http.NewRequest(http.MethodPost, w.url, nil) //nolint:noctx // it is not sent
	if err != nil {
		return endpoint{}, false
	}
	t := w.client.Transport.(*http.Transport)
	if t.Proxy != nil {
		if proxy, err := t.Proxy(r); err == nil && proxy != nil {
			return endpoint{address: addressOf(proxy), proxy: true, secrets: secretsOf(proxy.String(), proxy)}, true
		}
	}
	e := endpoint{address: addressOf(r.URL), secrets: w.hide}
	if r.URL.Scheme == "https" {
		e.security = &tls.Config{ServerName: r.URL.Hostname(), MinVersion: tls.VersionTLS12}
		if t.TLSClientConfig != nil {
			e.security.RootCAs = t.TLSClientConfig.RootCAs
		}
	}
	return e, true
}

func (i *incoming) endpoint() (endpoint, bool) { return i.hook.endpoint() }

func (m *mailer) endpoint() (endpoint, bool) {
	e := endpoint{address: net.JoinHostPort(m.Host, strconv.Itoa(int(m.Port))), secrets: m.secrets}
	if security, implicit := m.security(); implicit {
		e.security = security
	}
	return e, true
}

// serviceHosts are the hosts of services whose URLs do not name them.
var serviceHosts = map[string]string{
	"discord":    "discord.com:443",
	"pushbullet": "api.pushbullet.com:443",
	"pushover":   "api.pushover.net:443",
	"slack":      "slack.com:443",
	"telegram":   "api.telegram.org:443",
}

// ownHosts are services whose URLs name the host of the service.
var ownHosts = []string{"gotify", "googlechat", "matrix", "mattermost", "ntfy", "rocketchat", "zulip"}

func (c *chat) endpoint() (endpoint, bool) { return c.at, c.at.address != "" }

// placeOf is where the service behind a URL of shoutrrr's is, if the URL says it or
// the service has one place for all.
func placeOf(kind string, u *url.URL, secrets []string) (e endpoint) {
	encrypted := true
	for name, values := range u.Query() {
		switch strings.ToLower(name) {
		case "disabletls":
			encrypted = !strings.EqualFold(values[0], "yes") && !strings.EqualFold(values[0], "true")
		case "scheme":
			encrypted = values[0] != "http"
		}
	}
	e.secrets = secrets
	e.address = serviceHosts[kind]
	for _, own := range ownHosts {
		if kind == own && u.Hostname() != "" {
			place := *u
			place.Scheme = "https"
			if !encrypted {
				place.Scheme = "http"
			}
			e.address = addressOf(&place)
		}
	}
	if host, _, err := net.SplitHostPort(e.address); err == nil && encrypted {
		e.security = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	return e
}

// addressOf is the host and port of a URL.
func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Advice says what to look at if a target cannot be reached.
func (r Reached) Advice() string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case r.Err == nil:
		return ""
	case errors.As(r.Err, &name):
		return "Look at the host's name in the target's URL, and at this host's DNS servers"
	case errors.As(r.Err, &certificate):
		return "Look at the certificate; " +
			"if your own authority signed it, add ca=/etc/logfast/ca.pem to the target's line"
	case r.Proxy:
		return "Look at HTTPS_PROXY, and whether the proxy runs"
	case errors.Is(r.Err, context.DeadlineExceeded):
		return "Look at the firewall and at the port in the target's URL; if this host needs a proxy, set HTTPS_PROXY"
	}
	return "Look at whether the receiver runs, and at the host and the port in the target's URL"
}
