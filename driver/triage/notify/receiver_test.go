package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/logfast/logfast/driver/triage/incident"
	"github.com/logfast/logfast/driver/triage/notify/notifytest"
)

// fromLogfast reports whether a request is logfast's and new. secret is what
// stands after whsec_, unpacked from base64.
func fromLogfast(r *http.Request, body, secret []byte) bool {
	id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false // somebody plays an old one back
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.ContainsFunc(strings.Fields(r.Header.Get("Webhook-Signature")), func(s string) bool {
		return hmac.Equal([]byte(s), []byte(want))
	})
}

// TestTheReceiverOfTheDocs runs what docs/notify.md tells receivers to do.
func TestTheReceiverOfTheDocs(t *testing.T) {
	own, err := os.ReadFile("receiver_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/notify.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(own), "// fromLogfast reports")
	code, _, _ = strings.Cut(code, "\n}\n")
	if !strings.Contains(string(page), "// fromLogfast reports"+code+"\n}\n") {
		t.Error("docs/notify.md does not hold the code of receiver_test.go")
	}
	r := notifytest.NewReceiver(t)
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(oldSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	hook := targets(t, r.URL+" secret="+newSecret16+" secret="+oldSecret)[0].sender
	if err := hook.send(t.Context(), &message{id: keyOf("id", incident.TypeShipped), event: []byte(`{"a":"b"}`)}); err != nil {
		t.Fatal(err)
	}
	got := r.Requests()[0]
	request := &http.Request{Header: got.Header}
	if !fromLogfast(request, got.Body, secret) {
		t.Error("ours is not known")
	}
	if fromLogfast(request, append(got.Body, ' '), secret) || fromLogfast(request, got.Body, secret[1:]) {
		t.Error("another's is taken for ours")
	}
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10))
	if fromLogfast(request, got.Body, secret) {
		t.Error("an old one is taken")
	}
}

const newSecret16 = "0123456789abcdef"
