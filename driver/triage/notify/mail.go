package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	gosmtp "net/smtp"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
)

const mailTimeout = 30 * time.Second // of an attempt

// mailer sends mail. Its URL is shoutrrr's; the sending is ours, because
// shoutrrr's has no deadline once it is connected, and writes headers and long
// lines as they come.
type mailer struct {
	smtp.Config
	secrets []string
	roots   *x509.CertPool // nil: those that are built in
}

func (m *mailer) trust(roots *x509.CertPool) { m.roots = roots }

func newMailer(u *url.URL, secrets []string) (*mailer, error) {
	var s smtp.Service // which knows the defaults
	if err := s.Initialize(u, nil); err != nil {
		return nil, wrongURL("smtp", err, secrets)
	}
	m := &mailer{Config: s.Config.Clone(), secrets: secrets}
	m.FixEmailTags()
	if m.Host == "" {
		return nil, wrongURL("smtp", errors.New("the server's name is missing"), secrets)
	}
	for _, a := range append(slices.Clone(m.ToAddresses), m.FromAddress) {
		if _, err := mail.ParseAddress(a); err != nil {
			return nil, wrongURL("smtp", fmt.Errorf("%q is no address", a), nil)
		}
	}
	return m, nil
}

// send makes one attempt for all recipients; one refused fails it.
func (m *mailer) send(ctx context.Context, msg *message) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if err := m.transmit(ctx, msg); err != nil {
		reply := (*textproto.Error)(nil)
		if ctx.Err() != nil {
			err = context.Cause(ctx) // the connection was cut for it
		} else if errors.As(err, &reply) {
			return refusal{text: "mail: " + scrub(err.Error(), m.secrets), code: reply.Code}
		}
		return fmt.Errorf("mail: %s", scrub(err.Error(), m.secrets))
	}
	return nil
}

func (m *mailer) transmit(ctx context.Context, msg *message) error {
	address := net.JoinHostPort(m.Host, strconv.Itoa(int(m.Port)))
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()                                      //nolint:errcheck // nothing more is expected of it
	defer context.AfterFunc(ctx, func() { conn.Close() })() //nolint:errcheck // likewise
	security, implicit := m.security()
	over, err := newSession(ctx, conn)
	if err != nil {
		return err
	}
	if implicit {
		over = tls.Client(over, security)
	}
	c, err := gosmtp.NewClient(over, m.Host)
	if err != nil {
		return err
	}
	if err := c.Hello(m.helo()); err != nil {
		return err
	}
	if !implicit && m.Encryption != smtp.EncMethods.None && m.UseStartTLS {
		if offered, _ := c.Extension("STARTTLS"); offered {
			if err := c.StartTLS(security); err != nil {
				return err
			}
		} else if m.RequireStartTLS || m.Encryption == smtp.EncMethods.ExplicitTLS {
			return errors.New("the server offers no STARTTLS")
		}
	}
	if auth := m.auth(); auth != nil {
		if err := c.Auth(auth); err != nil {
			return fmt.Errorf("sign in: %w", err)
		}
	}
	if err := c.Mail(m.FromAddress); err != nil {
		return err
	}
	for _, to := range m.ToAddresses {
		if err := c.Rcpt(to); err != nil {
			return fmt.Errorf("recipient %s: %w", to, err)
		}
	}
	reply, err := data(c.Text, m.compose(msg))
	if err != nil {
		return err
	}
	msg.answered(scrub(reply, m.secrets))
	c.Quit() //nolint:errcheck // the server has taken it
	return nil
}

// data sends the mail itself. It returns the server's last reply, which net/smtp
// keeps to itself.
func data(c *textproto.Conn, mail []byte) (reply string, err error) {
	id, err := c.Cmd("DATA")
	if err != nil {
		return "", err
	}
	c.StartResponse(id)
	_, _, err = c.ReadResponse(354)
	c.EndResponse(id)
	if err != nil {
		return "", err
	}
	w := c.DotWriter()
	if _, err := w.Write(mail); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	code, text, err := c.ReadResponse(250)
	return strconv.Itoa(code) + " " + text, err
}

// security is how a connection is encrypted, and whether from its first byte.
func (m *mailer) security() (security *tls.Config, implicit bool) {
	security = &tls.Config{
		ServerName: m.Host, MinVersion: tls.VersionTLS12, RootCAs: m.roots,
		InsecureSkipVerify: m.SkipTLSVerify, //nolint:gosec // it is the operator's choice, in the URL
	}
	auto := m.Encryption == smtp.EncMethods.Auto && m.Port == smtp.ImplicitTLSPort
	return security, auto || m.Encryption == smtp.EncMethods.ImplicitTLS
}

func (m *mailer) helo() string {
	if m.ClientHost == "" || m.ClientHost == "auto" {
		return "localhost"
	}
	return m.ClientHost
}

func (m *mailer) auth() gosmtp.Auth {
	switch m.Auth {
	case smtp.AuthTypes.Plain:
		return gosmtp.PlainAuth("", m.Username, m.Password, m.Host)
	case smtp.AuthTypes.CRAMMD5:
		return gosmtp.CRAMMD5Auth(m.Username, m.Password)
	case smtp.AuthTypes.OAuth2:
		return smtp.OAuth2Auth(m.Username, m.Password)
	}
	return nil
}

// compose writes the mail as RFC 5322 wants it. A repeated one has the same
// Message-ID: mailboxes know it again.
func (m *mailer) compose(msg *message) []byte {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	from := m.FromName
	if from == "" {
		from = "logfast"
	}
	_, domain, _ := strings.Cut(m.FromAddress, "@")
	header("From", (&mail.Address{Name: from, Address: m.FromAddress}).String())
	var to []string
	for _, a := range m.ToAddresses {
		to = append(to, (&mail.Address{Address: a}).String())
	}
	header("To", strings.Join(to, ",\r\n "))
	header("Subject", mime.QEncoding.Encode("utf-8", oneLine(msg.subject, 4*maxSubject)))
	header("Date", msg.at.UTC().Format(time.RFC1123Z))
	header("Message-ID", "<"+msg.id+"@"+domain+">")
	header("Auto-Submitted", "auto-generated") // RFC 3834: no holiday replies
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(printable(msg.text))) //nolint:errcheck // into memory
	w.Close()                            //nolint:errcheck // likewise
	b.WriteString("\r\n")
	return b.Bytes()
}
