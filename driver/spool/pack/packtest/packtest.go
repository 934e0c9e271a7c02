// Package packtest is for tests that read packed segments.
package packtest

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// Unpack returns what every tool makes of a packed file: it uses the standard library,
// not package pack.
func Unpack(t testing.TB, file []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
