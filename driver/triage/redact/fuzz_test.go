package redact

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pieces are what secrets and their surroundings are made of.
var pieces = []string{
	"password", "token", "key", "session", "Authorization", "Cookie", "secret", "pin", "--pass", " -p", "mysql",
	"curl", " -u", "IDENTIFIED BY", "INSERT INTO t (password, a) VALUES (",
	"=", ":", ": ", "=>", " ", "\"", "'", "\\\"", "\\\\\\\"", "[", "]", "{", "}", "(", ")", ",", ";", "&", "<", ">",
	"</", "/", "@", "://", "http://", "\n", "\\n", "\r\n", "%3D", "%22", "%25", "\\u0022", "&quot;", "\x1b[0m",
	"hunter2", "bob", "a", "1", "4111", "4111111111111111", "DE89370400440532013000", "AKIAIOSFODNN7EXAMPLE",
	"eyJhbGciOiJIUzI1NiJ9.e30.x", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "MIIE",
	"bob@example.com", "db:5432", "Bearer ", "Basic ", "name=\"password\"", "value", "is ", "was ", "|", "``", "“",
	"”", "пароль", "\xff", "\x00", Mark, "[redacted", "redacted]", "\"kty\"", "\"d\":\"",
	"SK0123456789abcdef0123456789abcdef", "x=1", "\u00a0", "*", "$1", "<password>", "<![CDATA[", "string(7) ",
}

// TestText_IsStable redacts texts that chance has made: twice is as once, nothing panics,
// and the argument stays as it is.
func TestText_IsStable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60_000 {
		var b bytes.Buffer
		for range 1 + r.IntN(14) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		stable(t, b.Bytes())
	}
}

func stable(t *testing.T, text []byte) {
	t.Helper()
	was := bytes.Clone(text)
	once := bytes.Clone(redact(text, nil))
	if !bytes.Equal(text, was) {
		t.Fatalf("the argument changed: %q, was %q", text, was)
	}
	if twice := Text(once); !bytes.Equal(once, twice) {
		t.Errorf("%q\n once  %q\n twice %q", text, once, twice)
	}
}

func FuzzText(f *testing.F) {
	for _, p := range pieces {
		f.Add([]byte(p))
	}
	files, _ := filepath.Glob("testdata/secrets*.tsv")
	for _, file := range files {
		for _, s := range secretsIn(f, filepath.Base(file)) {
			f.Add([]byte(s.text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { stable(t, text) })
}

// TestText_WorkIsLinear counts the bytes that are looked at in texts made to be slow: near
// matches, again and again. Twice the text is at most about twice the work.
func TestText_WorkIsLinear(t *testing.T) {
	texts := append([]string{}, pieces...)
	for _, p := range pieces {
		texts = append(texts, p+"=", p+": ", p+`="`, p+"=[", p+`=\"`, p+"={'", p+" -p", "x:"+p+"@")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var b strings.Builder
		for range 2 + r.IntN(4) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		texts = append(texts, b.String())
	}
	const size = 8 << 10
	work := func(piece string, size int) int {
		s := scanner{text: bytes.Repeat([]byte(piece), size/len(piece))}
		s.all()
		return s.work
	}
	for _, p := range texts {
		small, large := work(p, size), work(p, 4*size)
		if large > 6*small+8*size || large > 400*4*size {
			t.Errorf("%q: work %d for %d bytes, %d for %d", p, small, size, large, 4*size)
		}
	}
	for _, p := range []string{"password=", "key=\"", "Cookie: a=b; ", "4 ", "://x@", `token="a\`,
		"-----BEGIN PRIVATE KEY-----"} {
		if w := work(p, 256<<10); w > 100<<20 {
			t.Errorf("%q: work %d for 256 KiB", p, w)
		}
	}
}

func BenchmarkText(b *testing.B) {
	clean, err := os.ReadFile("testdata/clean.txt")
	if err != nil {
		b.Fatal(err)
	}
	var secret []byte
	for _, s := range secretsIn(b, "secrets.tsv") {
		secret = append(append(secret, s.text...), '\n')
	}
	for _, c := range []struct {
		name string
		text []byte
	}{
		{"clean", clean}, {"secrets", secret},
		{"access", bytes.Repeat([]byte(`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /orders/12?token=abc HTTP/1.1" 502 1 "-" "curl/8.5.0"`+"\n"), 500)},
	} {
		lines := bytes.Split(c.text, []byte("\n"))
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				for _, line := range lines {
					Text(line)
				}
			}
		})
	}
}
