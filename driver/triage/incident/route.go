package incident

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/logfast/logfast/driver/triage/redact"
	"github.com/logfast/logfast/internal/show"
)

// maxRoute bounds a route, in bytes, and maxParts its parts.
const (
	maxRoute = 256
	maxParts = 24
)

var repeatedSlashes = regexp.MustCompile("(^|[^:])//+") // not those of "http://"

// Route returns what the paths of one kind of request have in common. Numbers,
// dates and phone numbers become {n}; identifiers, tokens and e-mail addresses
// become {id}; words, names and versions stay:
//
//	/orders/1234/items      /orders/{n}/items
//	/users/8f14e45fceea167a /users/{id}
//	/watch/dQw4w9WgXcQ      /watch/{id}
//	/files/order-1234.pdf   /files/order-{n}.pdf
//	/js/main.3f2a1b9c.js    /js/main.{id}.js
//	/npm/v2.1/oauth2        /npm/v2.1/oauth2
//	\/api\/v1//users        /api/v1/users
//
// Secrets are taken out: /login/password=[redacted].
func Route(path []byte) string {
	cut := len(path) > 4*maxRoute
	p := string(path[:min(len(path), 4*maxRoute)])
	if i := strings.IndexAny(p, "?#;"); i >= 0 {
		p = p[:i]
	}
	p = repeatedSlashes.ReplaceAllString(strings.ReplaceAll(clean([]byte(p)), `\/`, "/"), "$1/")
	parts := strings.Split(p, "/")
	if cut && len(p) > 3*maxRoute { // the last part may be half a secret
		parts[len(parts)-1] = "…"
	}
	if len(parts) > maxParts {
		parts = append(parts[:maxParts], "…")
	}
	for i, part := range parts {
		parts[i] = routePart(part)
	}
	route := redact.String(strings.Join(parts, "/"))
	if len(route) > maxRoute {
		route = show.WholeRunes(route[:maxRoute]) + "…"
	}
	return route
}

// routePart returns what becomes of one part of a path, between slashes.
func routePart(s string) string {
	if s == "" {
		return s
	}
	text := s
	if strings.Contains(s, "%") {
		text = unescape(unescape(s)) // proxies escape twice
		if !utf8.ValidString(text) {
			return "{id}"
		}
	}
	switch {
	case version(text):
		return s
	case numeric(text) || timestamp(text):
		return "{n}"
	case uuid(strings.Trim(text, "{}")), address(text), webToken(text):
		return "{id}"
	}
	route := replacePieces(text)
	switch {
	case route == text:
		return s
	case text != s:
		return escape(route)
	}
	return route
}

// unescape replaces the percent escapes of s. What is no escape stays.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(hexValue(s[i+1])<<4 | hexValue(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// escape percent-escapes what must not stand in a path as it is.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/?#;%"<>\`, c) >= 0 {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// numeric reports whether s is digits and what stands between those of a
// number, a date or a phone number.
func numeric(s string) bool {
	return strings.Trim(s, "0123456789.,:_+-~() ") == "" && strings.ContainsAny(s, "0123456789")
}

// timestamp reports whether s is a date of ISO 8601 that has letters, such as
// 2026-11-23T19:03:02Z, 20261123T190302 or 2026-W48.
func timestamp(s string) bool {
	if len(s) < 7 || !numeric(s[:4]) || strings.Trim(s, "0123456789.:+-TWZtwz") != "" {
		return false
	}
	letters := 0
	for i := range len(s) {
		if letter(s[i]) {
			letters++
		}
	}
	return letters <= 2
}

// uuid reports whether s is 8-4-4-4-12 hexadecimal digits.
func uuid(s string) bool {
	if len(s) != uuidLength {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if !isHex(s[i]) {
			return false
		}
	}
	return true
}

const uuidLength = 36

// address reports whether s has an e-mail address. A scope such as @babel and a
// version such as react@18.2.0 are not addresses.
func address(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	if !found || local == "" || domain == "" || strings.Contains(local, "/") {
		return false
	}
	return !numeric(domain) && !version(domain) && domain != "latest" && domain != "next"
}

// webToken reports whether s is a JSON Web Token, or its beginning.
func webToken(s string) bool { return strings.HasPrefix(s, "eyJ") && len(s) >= 20 }

// version reports whether s is a version: v1, v2.1, 1.2.3, 2.0.0-rc1. Two numbers
// or four without a v are not, as they may be an amount or an IP address.
func version(s string) bool {
	rest := s
	if rest != "" && rest[0]|0x20 == 'v' {
		rest = rest[1:]
	}
	hasV := rest != s
	numbers, last := 0, ""
	for {
		end := 0
		for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
			end++
		}
		if end == 0 || end > 3 || end > 1 && rest[0] == '0' {
			return false
		}
		last = rest[:end]
		rest = rest[end:]
		numbers++
		if len(rest) < 2 || rest[0] != '.' || rest[1] < '0' || rest[1] > '9' {
			break
		}
		rest = rest[1:]
	}
	if rest == "" {
		date := !hasV && len(last) == 2 && last >= "20" // 23.11.26
		return numbers <= 4 && hasV || numbers == 3 && !date
	}
	return numbers <= 4 && (hasV || numbers > 1) && prerelease(rest)
}

// prerelease reports whether s follows a version's numbers: -rc1, b2, .Final.
func prerelease(s string) bool {
	word := strings.TrimRight(strings.TrimLeft(s, "-.+_~"), "0123456789")
	if len(s)-len(word) > 4 {
		return false
	}
	switch strings.ToLower(strings.TrimRight(word, "-.")) {
	case "a", "alpha", "b", "beta", "rc", "c", "cr", "m", "pre", "preview", "dev", "post", "p", "r", "snapshot",
		"final",
		"release", "ga", "lts", "stable", "nightly", "canary", "next", "latest", "x", "sp", "hotfix":
		return true
	}
	return false
}

// numbers replaces the numbers within a part: runs of digits that stand alone
// between other than letters, and those of four or more.
func numbers(b *strings.Builder, s string) {
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			b.WriteByte(s[i])
			i++
			continue
		}
		end := i
		for end < len(s) && '0' <= s[end] && s[end] <= '9' {
			end++
		}
		alone := (i == 0 || !letter(s[i-1])) && (end == len(s) || !letter(s[end]))
		if alone || end-i >= 4 {
			b.WriteString("{n}")
		} else {
			b.WriteString(s[i:end])
		}
		i = end
	}
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
