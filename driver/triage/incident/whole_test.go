package incident

import (
	"fmt"
	"strings"
	"testing"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/detect"
)

const awsKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// quotedOf is all that the findings say.
func quotedOf(f *Findings) string {
	var b strings.Builder
	for _, s := range f.Samples {
		b.WriteString(s.Text + "\n" + s.Context + "\n")
	}
	for _, p := range f.Fingerprints {
		b.WriteString(p.Route + "\n")
	}
	return b.String()
}

// TestScan_RedactsBeforeItCuts puts a secret across every place where a line or a
// traceback is cut.
func TestScan_RedactsBeforeItCuts(t *testing.T) {
	parts := func(s string) (all []string) { // ten bytes of it are too many
		for i := 0; i+10 <= len(s); i += 5 {
			all = append(all, s[i:i+10])
		}
		return all
	}
	check := func(t *testing.T, name, secret string, lines ...printed) {
		t.Helper()
		for _, piece := range []int{7, 1 << 20} {
			f := scan(t, record.CRI, piece, textOf(record.CRI, lines...), detect.Options{})
			got := quotedOf(f)
			if len(f.Samples) == 0 {
				t.Fatalf("%s: nothing is quoted", name)
			}
			for _, p := range parts(secret) {
				if strings.Contains(got, p) {
					t.Errorf("%s: %q stands in %d bytes: …%.100q", name, p, len(got), got[max(0, strings.Index(got, p)-40):])
					break
				}
			}
		}
	}
	request := access("/", 502).text
	for _, cut := range []int{MaxSample, 2 * MaxSample, 16 << 10, detect.MaxLine} {
		for _, inside := range []int{1, 20, 39} {
			fill := cut - len(request) - 1 - inside
			line := request + " " + strings.Repeat("ab ", fill/3+1)[:fill-1] + " " + awsKey + " tail"
			check(t, fmt.Sprintf("a key of which %d bytes stand before %d", inside, cut), awsKey, printed{record.Stdout, line})
			cookie := " Cookie: " + strings.Repeat("a=b; ", fill/5+1) // what is long before and short after
			line = request + cookie[:fill-1] + " " + awsKey + " tail"
			check(t, fmt.Sprintf("a key of which %d bytes stand before %d", inside, cut), awsKey, printed{record.Stdout, line})
		}
	}
	pem := "-----BEGIN PRIVATE KEY-----"
	for range 64 {
		pem += "\n" + strings.Repeat("q7Zt/Kx9", 8)
	}
	pem += "\n-----END PRIVATE KEY-----"
	python := func(lines ...string) []printed {
		all := []printed{{record.Stderr, "Traceback (most recent call last):"}}
		for _, l := range lines {
			all = append(all, printed{record.Stderr, l})
		}
		return append(all, printed{record.Stderr, "ValueError: x"}, access("/", 500))
	}
	long := strings.Repeat("x", 3000)
	check(t, "cookies at the end of a long line", "abcdefghij0123456789", python("  headers "+long+" Cookie: "+strings.Repeat("a=1; ", 1000)+"sid=abcdefghij0123456789")...)
	check(t, "a key on one line of a traceback", "q7Zt/Kx9q7Zt/Kx9", python("  key = "+strings.ReplaceAll(pem, "\n", `\n`))...)
	indented := strings.Split(strings.ReplaceAll(pem, "\n", "\n  "), "\n")
	indented[0] = "  " + indented[0]
	check(t, "a key over many lines of a traceback", "q7Zt/Kx9q7Zt/Kx9", python(indented...)...)
	for _, before := range []int{30, 60, 500, 2000} { // the key is cut by what is kept of the end
		filler := make([]string, before)
		for i := range filler {
			filler[i] = "  frame " + strings.Repeat("y", 50)
		}
		for _, after := range []int{0, 100, 240, 280} {
			lines := append(append([]string{}, filler...), indented...)
			lines = append(lines, filler[:min(after, len(filler))]...)
			check(t, fmt.Sprintf("a key after %d and before %d lines", before, after), "q7Zt/Kx9q7Zt/Kx9", python(lines...)...)
		}
	}
	java := "java.lang.IllegalStateException: " + strings.Repeat("z ", 1010) + awsKey
	check(t, "the line before the first frame", awsKey, printed{record.Stderr, java}, printed{record.Stderr, "\tat com.example.Shop.pay(Shop.java:12)"}, access("/", 500))
}

// TestRoute_IsRedacted holds that no secret of a path reaches a fingerprint's route, which
// is shown in the subjects of messages.
func TestRoute_IsRedacted(t *testing.T) {
	for path, want := range map[string]string{
		"/login/password=hunter2":   "/login/password=[redacted]",
		"/login/password%3Dhunter2": "/login/password%3D[redacted]",
		"/orders/1234/items":        "/orders/{n}/items",
	} {
		if got := Route([]byte(path)); got != want {
			t.Errorf("%s: %s, not %s", path, got, want)
		}
	}
	for path, secret := range map[string]string{
		"/login/bob:hunter2@db/x":                      "hunter2",
		"/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PAL": "AAHdqTcv",
		"/p/ghp_16C7e42F292c6912E7710c838347Ae178B4a":  "16C7e42F",
		"/a/token=" + strings.Repeat("abc", 400):       "abcabc",
		strings.Repeat("/abc", 253) + "/pin=47110815":  "4711",
	} {
		if got := Route([]byte(path)); strings.Contains(got, secret) {
			t.Errorf("%s: %s", path, got)
		}
	}
	r, err := NewRedactor(`cust-([a-z]+)`)
	if err != nil {
		t.Fatal(err)
	}
	e := NewOpened(&Record{ID: NewID(t0), Host: "h", First: t0}, Container{}, Line{Time: t0, Method: "GET", Path: []byte("/cust-bob/password=hunter2"), Status: 500}, r)
	if got := e.Data.Fingerprints[0].Route; got != "/cust-[redacted]/password=[redacted]" {
		t.Error(got)
	}
}

// TestNewSample_RedactsBeforeItCuts is about the early notice's line.
func TestNewSample_RedactsBeforeItCuts(t *testing.T) {
	for _, cut := range []int{MaxSample, 2 * MaxSample, detect.MaxLine} {
		text := []byte(strings.Repeat("ab ", cut/3)[:cut-30] + " " + awsKey + " tail")
		text = text[:min(len(text), detect.MaxLine)]
		s := NewSample(Line{Time: t0, Text: text, Cut: true}, nil)
		if strings.Contains(s.Text, awsKey[:10]) || len(s.Text) > MaxSample {
			t.Errorf("%d: %d bytes, …%q", cut, len(s.Text), s.Text[len(s.Text)-60:])
		}
	}
}
