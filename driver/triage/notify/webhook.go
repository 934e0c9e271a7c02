package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	webhookTimeout = 30 * time.Second       // of an attempt
	webhookGap     = 100 * time.Millisecond // between two requests to one receiver
	quoted         = 120                    // bytes of an answer that an error quotes
)

// webhook posts events as they are: CloudEvents in the structured JSON mode,
// signed as https://www.standardwebhooks.com says where there is a secret.
type webhook struct {
	url     string
	headers http.Header
	secrets [][]byte // more than one while a new one is brought in
	hide    []string // what no error may hold: a receiver may answer with it
	client  *http.Client
}

func newWebhook(u *url.URL, hide []string) *webhook {
	return &webhook{
		url: u.String(), headers: http.Header{}, hide: hide,
		client: &http.Client{
			Transport: newTransport(), Timeout: webhookTimeout,
			// A redirected POST becomes a GET, and a signed one may end where nobody meant it to.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (w *webhook) trust(roots *x509.CertPool) {
	w.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// refusal is what a receiver's answer says besides that it has failed.
type refusal struct {
	text  string
	hint  string        // what to do
	quote string        // the beginning of the answer, without secrets
	code  int           // the answer's status
	gone  bool          // it wants nothing any more
	after time.Duration // it wants to be left alone for so long
}

func (r refusal) Error() string {
	text := r.text
	if r.hint != "" {
		text += "; " + r.hint
	}
	if quote := oneLine(r.quote, quoted); quote != "" {
		text += ": " + strconv.Quote(quote)
	}
	return text
}

// send makes one attempt. Any answer of 200 to 299 ends it well.
func (w *webhook) send(ctx context.Context, m *message) error {
	own := http.Header{}
	own.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	sign(own, w.secrets, m.id, time.Now(), m.event)
	head, err := w.post(ctx, m.event, own)
	if err == nil {
		m.answered(head.line())
	}
	return err
}

// head is the beginning of a good answer, without secrets.
type head struct {
	status string
	first  string // the first line of the body
	body   string
}

// line is the answer in one line.
func (h head) line() string {
	if h.first == "" {
		return h.status
	}
	return h.status + ": " + strconv.Quote(oneLine(h.first, quoted))
}

// post makes one request with the target's headers and the sender's own. Any answer
// but a good one is a refusal.
func (w *webhook) post(ctx context.Context, body []byte, own http.Header) (head, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return head{}, errors.New("the URL makes no request") // its own error would quote it
	}
	maps.Copy(r.Header, w.headers)
	maps.Copy(r.Header, own)
	r.Header.Set("User-Agent", "logfast")
	answer, err := w.client.Do(r)
	if err != nil {
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err // without the URL, which may be the secret
		}
		return head{}, fmt.Errorf("post: %s", scrub(err.Error(), w.hide))
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	text := scrub(string(said), w.hide)
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		first, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
		return head{status: answer.Status, first: scrub(first, w.hide), body: text}, nil
	}
	return head{}, refusedBy(answer, text)
}

// sign sets the headers of the Standard Webhooks specification, version 1: an
// HMAC-SHA256 of id, time and body for each secret. Without a secret there is an
// id all the same: a receiver knows by it what it has had.
func sign(h http.Header, secrets [][]byte, id string, at time.Time, body []byte) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", seconds)
	var signatures []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + seconds + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) > 0 {
		h.Set("Webhook-Signature", strings.Join(signatures, " "))
	}
}

func refusedBy(answer *http.Response, text string) refusal {
	r := refusal{text: "the receiver answered " + answer.Status, quote: text, code: answer.StatusCode}
	switch code := answer.StatusCode; {
	case code >= 300 && code < 400:
		r.hint = "redirects are not followed: set the URL that it redirects to"
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		r.hint = "check the target's secret= and header="
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		r.hint = "check the target's URL"
	case code == http.StatusGone:
		r.gone = true
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		r.after = retryAfter(answer.Header.Get("Retry-After"))
	}
	return r
}

// retryAfter reads seconds or a date, as RFC 9110 has them.
func retryAfter(s string) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return time.Until(at)
	}
	return 0
}

// parseSecret reads whsec_<base64>, or any other text as itself.
func parseSecret(s string) ([]byte, error) {
	secret := []byte(s)
	if coded, ok := strings.CutPrefix(s, "whsec_"); ok {
		var err error
		if secret, err = base64.StdEncoding.DecodeString(coded); err != nil {
			return nil, errors.New("after whsec_ the secret must be base64")
		}
	}
	if len(secret) < 16 {
		return nil, errors.New("a secret needs 16 bytes or more; make one: echo whsec_$(head -c 32 " +
			"/dev/urandom | base64)")
	}
	return secret, nil
}

// parseHeader reads "Name: value".
func parseHeader(s string) (name, value string, err error) {
	name, value, found := strings.Cut(s, ":")
	name, value = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
	if !found || name == "" || strings.ContainsFunc(name, func(c rune) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		return "", "", errors.New(`write header="Name: value"`)
	}
	if name == "Content-Type" || name == "Host" || strings.HasPrefix(name, "Webhook-") {
		return "", "", fmt.Errorf("the header %s is logfast's to set", name)
	}
	return name, value, nil
}
