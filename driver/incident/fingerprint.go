package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Fingerprint.ID is the same on all hosts: the first 16 hexadecimal digits of
// the SHA-256 of the app, the method, the route and the status in decimal, each
// but the last with a NUL behind it.

// FingerprintOf returns the ID of errors of one kind. The path is as a detector
// finds it.
func FingerprintOf(app, method string, path []byte, status int) string {
	return identity(appendIdentity(nil, app, method, Route(path), status))
}

func appendIdentity(b []byte, app, method, route string, status int) []byte {
	b = append(append(b, app...), 0)
	b = append(append(b, method...), 0)
	b = append(append(b, route...), 0)
	return strconv.AppendInt(b, int64(status), 10)
}

func identity(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// maxRoute bounds a route, in bytes, and maxParts its parts.
const (
	maxRoute = 256
	maxParts = 24
)

// Route makes of a path what requests of one kind have in common. Parts of it
// that are numbers become {n}, those that are identifiers or tokens {id}:
//
//	/orders/1234/items      /orders/{n}/items
//	/users/8f14e45fceea167a /users/{id}
//	/files/order-1234.pdf   /files/order-{n}.pdf
func Route(path []byte) string {
	p := string(path[:min(len(path), 4*maxRoute)])
	if i := strings.IndexAny(p, "?#;"); i >= 0 {
		p = p[:i]
	}
	p = clean([]byte(p))
	parts := strings.Split(p, "/")
	if len(parts) > maxParts {
		parts = append(parts[:maxParts], "…")
	}
	for i, part := range parts {
		parts[i] = routePart(part)
	}
	route := strings.Join(parts, "/")
	if len(route) > maxRoute {
		route = valid(route[:maxRoute]) + "…"
	}
	return route
}

// routePart is one part of a path, between slashes.
func routePart(s string) string {
	if s == "" {
		return s
	}
	digits, letters, hexes := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
			hexes++
		case 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
			letters++
			hexes++
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			letters++
		}
	}
	others := len(s) - digits - letters
	switch {
	case digits == 0 && len(s) < 16 && !strings.Contains(s, "@"):
		return s
	case digits > 0 && letters == 0 && numeric(s):
		return "{n}"
	case uuid(s):
		return "{id}"
	case hexes == len(s) && len(s) >= 8 && (digits > 0 || len(s) >= 16):
		return "{id}"
	case strings.Contains(s, "@"), strings.Contains(s, "%40"): // somebody's address
		return "{id}"
	case others <= len(s)/8+2 && token(s):
		return "{id}"
	}
	return numbers(s)
}

// numeric reports whether s is digits and what stands between those of a
// number, a date or a version.
func numeric(s string) bool { return strings.Trim(s, "0123456789.,:_+-~") == "" }

// uuid reports whether s is 8-4-4-4-12 hexadecimal digits, or has them in braces.
func uuid(s string) bool {
	s = strings.Trim(s, "{}")
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
			continue
		}
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// token reports whether s looks as if chance had made it: long, and without
// words. A word is four letters of one case, of which the first may be large.
func token(s string) bool {
	longest, wordy, total := 0, 0, 0
	for piece := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune("-_.~=+%!,:", r) }) {
		longest = max(longest, len(piece))
		total += len(piece)
		for run := 0; run < len(piece); {
			end := run + 1
			for end < len(piece) && 'a' <= piece[end] && piece[end] <= 'z' {
				end++
			}
			if end-run >= 4 {
				wordy += end - run
			}
			run = end
		}
	}
	return longest >= 12 && total >= 16 && wordy*3 < total
}

// numbers replaces the numbers within a part: runs of digits that stand alone
// between other than letters, and those of four or more.
func numbers(s string) string {
	var b strings.Builder
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
	return b.String()
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// clean makes of bytes from a log what JSON and people can read.
func clean(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(b), "�"))
}

// valid takes half a character from the end of a text that was cut.
func valid(s string) string {
	for i := 1; i <= 3 && i <= len(s); i++ {
		if c := s[len(s)-i]; c >= 0xc0 {
			if strings.ToValidUTF8(s[len(s)-i:], "") == "" {
				return s[:len(s)-i]
			}
			break
		} else if c < 0x80 {
			break
		}
	}
	return s
}
