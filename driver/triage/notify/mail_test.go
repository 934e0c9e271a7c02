package notify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
	"github.com/logfast/logfast/internal/await"
)

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// caFile writes the certificate to a PEM file.
func caFile(t *testing.T, c *tls.Config) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificates[0].Certificate[0]})
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAMail(t *testing.T) {
	m := (&notifytest.Mailbox{}).Start(t)
	b := newBox(t, targets(t, "smtp://"+m.Address+"/?from=logfast@example.com&to=oncall@example.com,b+c@example.com&fromname=Größe on=first,shipped")...).start()
	defer b.end()
	e := outage(incident.TypeShipped)
	e.Data.Fingerprints[0].App = "größe" // neither header nor body is ASCII
	e.Data.Samples[0].Text = "." + strings.Repeat("x", 1500)
	b.add(e)
	receive(t, "a mail", m.Got())
	got := m.Mails()[0]
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || subject != "größe: 502 GET /orders/{n}, 37 errors on web-1" {
		t.Errorf("subject %q, %v", subject, err)
	}
	if got.From != "logfast@example.com" || strings.Join(got.To, " ") != "oncall@example.com b+c@example.com" || got.Header.Get("Message-Id") != "<"+e.ID+"-shipped@example.com>" || got.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%s %v %v", got.From, got.To, got.Header)
	}
	if to, err := got.Header.AddressList("To"); err != nil || len(to) != 2 {
		t.Errorf("%v %v", to, err)
	}
	if from, err := got.Header.AddressList("From"); err != nil || from[0].Name != "Größe" {
		t.Errorf("%v %v", from, err)
	}
	if at, err := got.Header.Date(); err != nil || time.Since(at) > time.Minute {
		t.Errorf("%v %v", at, err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	want := composed(t, e).text
	if strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n")) != strings.TrimSpace(want) {
		t.Errorf("%s\nwant\n%s", body, want)
	}
	for line := range strings.Lines(string(got.Raw)) {
		if len(line) > 100 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	await2 := b.Health
	await.Until(t, "it is told", func() bool { return await2()[0].Told == 1 })
	if len(m.Mails()) != 1 {
		t.Errorf("%d mails", len(m.Mails()))
	}
}

func TestAMailOverTLSWithAPassword(t *testing.T) {
	security := certificate(t)
	ca := caFile(t, security)
	m := (&notifytest.Mailbox{TLS: security, User: "user", Password: "p@ss-hunter2"}).Start(t)
	const ask = "/?from=logfast@example.com&to=oncall@example.com"
	for name, tt := range map[string]struct{ url, want string }{
		"right":                      {"smtp://user:p%40ss-hunter2@" + m.Address + ask + "&skiptlsverify=yes&requirestarttls=yes", ""},
		"somebody vouches for it":    {"smtp://user:p%40ss-hunter2@" + m.Address + ask + "&requirestarttls=yes ca=" + ca, ""},
		"nobody vouches for it":      {"smtp://user:p%40ss-hunter2@" + m.Address + ask, "certificate"},
		"the wrong password":         {"smtp://user:hunter2-wrong@" + m.Address + ask + "&skiptlsverify=yes", "sign in"},
		"nobody signed in":           {"smtp://" + m.Address + ask + "&skiptlsverify=yes", "authenticate"},
		"TLS from the first byte on": {"smtp://" + m.Address + ask + "&encryption=ImplicitTLS", "tls"},
	} {
		err := targets(t, tt.url)[0].sender.send(t.Context(), &message{id: "id", at: time.Now(), subject: "s", text: "t"})
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
	if n := len(m.Mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestAMailThatIsRefusedIsTriedAgain(t *testing.T) {
	m := (&notifytest.Mailbox{Refuse: "gone@example.com"}).Start(t)
	err := targets(t, "smtp://"+m.Address+"/?from=logfast@example.com&to=gone@example.com")[0].sender.send(t.Context(), &message{})
	if err == nil || !strings.Contains(err.Error(), "no such user") || len(m.Mails()) != 0 {
		t.Errorf("%v", err)
	}
	err = targets(t, "smtp://"+m.Address+"/?from=logfast@example.com&to=a@example.com&requirestarttls=yes")[0].sender.send(t.Context(), &message{})
	if err == nil || !strings.Contains(err.Error(), "no STARTTLS") {
		t.Errorf("%v", err)
	}
}

// TestAMailServerThatSaysNothing is left when ctx ends, at once.
func TestAMailServerThatSaysNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	sender := targets(t, "smtp://"+l.Addr().String()+"/?from=logfast@example.com&to=a@example.com")[0].sender
	go func() { done <- sender.send(ctx, &message{}) }()
	conn := <-accepted
	defer conn.Close()
	cancel()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "canceled") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it waits")
	}
}
