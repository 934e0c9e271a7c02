package notifytest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/mail"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is one that was delivered.
type Mail struct {
	From string
	To   []string
	Raw  []byte
	*mail.Message
}

// Mailbox is a mail server that keeps what it gets. Its fields are set before
// Start.
type Mailbox struct {
	Address  string
	TLS      *tls.Config // offered as STARTTLS
	User     string      // empty: nobody signs in
	Password string
	Refuse   string // a recipient that it does not know

	mu    sync.Mutex
	mails []Mail // owned by mu
	got   chan struct{}
}

// Start starts the server, which ends with the test.
func (m *Mailbox) Start(t testing.TB) *Mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.Address, m.got = l.Addr().String(), make(chan struct{}, 1<<10)
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{box: m, anonymous: m.User == ""}, nil
	}))
	s.Domain, s.TLSConfig, s.ErrorLog = "localhost", m.TLS, log.New(io.Discard, "", 0)
	s.MaxLineLength = 998 // RFC 5321 allows no more
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l) //nolint:errcheck // it ends with an error always
	}()
	t.Cleanup(func() {
		s.Close() //nolint:errcheck // likewise
		<-done
	})
	return m
}

// Got is signalled once for each mail.
func (m *Mailbox) Got() <-chan struct{} { return m.got }

// Mails returns all that came so far.
func (m *Mailbox) Mails() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Mail(nil), m.mails...)
}

type session struct {
	box       *Mailbox
	anonymous bool
	mail      Mail
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.box.User || password != s.box.Password {
			return errors.New("wrong user or password " + password) // as unkind servers do
		}
		s.anonymous = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.anonymous {
		return smtp.ErrAuthRequired
	}
	s.mail.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == s.box.Refuse {
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	s.mail.Raw, s.mail.Message = raw, message
	s.box.mu.Lock()
	s.box.mails = append(s.box.mails, s.mail)
	s.box.mu.Unlock()
	s.box.got <- struct{}{}
	return nil
}

func (s *session) Reset() { s.mail = Mail{} }

func (s *session) Logout() error { return nil }
