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

// clean makes of bytes from a log what JSON and people can read.
func clean(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(b), "�"))
}
