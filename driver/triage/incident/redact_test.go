package incident

import (
	"strings"
	"testing"
)

func TestWhatIsSecretIsRedacted(t *testing.T) {
	for text, want := range map[string]string{
		// Authorization, as it is written here and there.
		`Authorization: Bearer abc.def-ghi GET /x`:                                  `Authorization: Bearer [redacted] GET /x`,
		`authorization=Basic dXNlcjpwYXNz next`:                                     `authorization=Basic [redacted] next`,
		`{"Authorization":"Bearer s3cr3t","path":"/x"}`:                             `{"Authorization":"Bearer [redacted]","path":"/x"}`,
		`{"msg":"{\"authorization\":\"Basic dXNlcjp4\"}","n":1}`:                    `{"msg":"{\"authorization\":\"Basic [redacted]\"}","n":1}`,
		`'HTTP_AUTHORIZATION': 'Token 0123abc', 'X': 'y'`:                           `'HTTP_AUTHORIZATION': 'Token [redacted]', 'X': 'y'`,
		`Authorization: Digest username="bob", response="abc"`:                      `Authorization: Digest [redacted]`,
		`headers: {"Authorization": ["Bearer xyz"]}`:                                `headers: {"Authorization": ["Bearer [redacted]"]}`,
		`Proxy-Authorization: abcdef`:                                               `Proxy-Authorization: [redacted]`,
		`sent bearer QWxhZGRpbjpvcGVu to api`:                                       `sent bearer [redacted] to api`,
		`basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== refused`:                                `basic [redacted] refused`,
		`basic authentication failed, bearer required there`:                        `basic authentication failed, bearer required there`,
		`jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl expired`:                        `jwt [redacted] expired`,
		`Cookie: sid=abc; theme=dark`:                                               `Cookie: [redacted]`,
		`{"cookie":"sid=abc; a=b","status":500}`:                                    `{"cookie":"[redacted]","status":500}`,
		`Set-Cookie: id=a3fWa; Path=/; HttpOnly`:                                    `Set-Cookie: [redacted]`,
		`POST /login?user=bob&password=hunter2&next=%2F HTTP/1.1`:                   `POST /login?user=bob&password=[redacted]&next=%2F HTTP/1.1`,
		`{"user":"bob","password":"a\"b c","n":1}`:                                  `{"user":"bob","password":"[redacted]","n":1}`,
		`{'passwd': 'x y', 'n': 1}`:                                                 `{'passwd': '[redacted]', 'n': 1}`,
		`{:password=>"x", "api_key"=>"y"}`:                                          `{:password=>"[redacted]", "api_key"=>"[redacted]"}`,
		`pwd=x secret=y token=z api_key=1 access_key=2`:                             `pwd=[redacted] secret=[redacted] token=[redacted] api_key=[redacted] access_key=[redacted]`,
		`X-Api-Key: abc-def`:                                                        `X-Api-Key: [redacted]`,
		`DB_PASSWORD=pa$$word,`:                                                     `DB_PASSWORD=[redacted],`,
		`user[password]=abc&x=1`:                                                    `user[password]=[redacted]&x=1`,
		`connect postgres://app:pa:ss@db:5432/shop failed`:                          `connect postgres://[redacted]@db:5432/shop failed`,
		`clone https://ghp_token@github.com/a/b`:                                    `clone https://[redacted]@github.com/a/b`,
		`https://example.com/a?mail=bob@example.com`:                                `https://example.com/a?mail=[redacted]`,
		`mysql --password hunter2 -u x`:                                             `mysql --password [redacted] -u x`,
		`key AKIAIOSFODNN7EXAMPLE and more`:                                         `key [redacted] and more`,
		`"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"`:                                `"[redacted]"`,
		`commit da39a3ee5e6b4b0d3255bfef95601890afd80709`:                           `commit da39a3ee5e6b4b0d3255bfef95601890afd80709`,
		"a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- z":  "a [redacted] z",
		"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg":                               "[redacted]",
		`card 4111 1111 1111 1111 200`:                                              `card [redacted] 200`,
		`card=4111111111111111 5500-0000-0000-0004`:                                 `card=[redacted] [redacted]`,
		`order 4111111111111112 took 1795460581123456789 ns`:                        `order 4111111111111112 took 1795460581123456789 ns`,
		`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /orders/12 HTTP/1.1" 502 1`: `10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /orders/12 HTTP/1.1" 502 1`,
		`https://hooks.example.com/?X-Amz-Signature=abc&X-Amz-Security-Token=def`:   `https://hooks.example.com/?X-Amz-Signature=[redacted]&X-Amz-Security-Token=[redacted]`,
	} {
		var r *Redactor
		if got := string(r.Redact([]byte(text))); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestSomebodysOwnExpression(t *testing.T) {
	r, err := NewRedactor(`customer=(\w+)|Kd-\d+`)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Redact([]byte("customer=bob Kd-123 token=x"))); got != "customer=[redacted] [redacted] token=[redacted]" {
		t.Error(got)
	}
	for _, bad := range []string{"(", "a*"} {
		if _, err := ParseRedact(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if r, err := NewRedactor(""); r != nil || err != nil {
		t.Error("an empty expression makes a redactor of its own")
	}
}
