package redact

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// secretOf is one line of a table: its kind, a text, and what must not remain of it.
type secretOf struct{ kind, text, secret string }

func secretsIn(t testing.TB, file string) (all []secretOf) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		if i == 0 {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 {
			t.Fatalf("%s:%d: %d fields", file, i+1, len(fields))
		}
		text, err1 := strconv.Unquote(fields[1])
		secret, err2 := strconv.Unquote(fields[2])
		if err1 != nil || err2 != nil || !strings.Contains(text, secret) {
			t.Fatalf("%s:%d: %v, %v, or the text lacks its secret", file, i+1, err1, err2)
		}
		all = append(all, secretOf{fields[0], text, secret})
	}
	return all
}

// TestText_SecretsGo holds the recall: of each table all secrets go.
func TestText_SecretsGo(t *testing.T) {
	files, _ := filepath.Glob("testdata/secrets*.tsv")
	if len(files) == 0 {
		t.Fatal("no tables")
	}
	for _, file := range files {
		all, missed := secretsIn(t, filepath.Base(file)), 0
		for _, s := range all {
			got := String(s.text)
			if strings.Contains(got, s.secret) {
				missed++
				t.Errorf("%s: %s\n text %s\n got  %s", file, s.kind, s.text, got)
			}
			if again := String(got); again != got {
				t.Errorf("%s: %s: twice\n once  %s\n twice %s", file, s.kind, got, again)
			}
		}
		t.Logf("%s: %d of %d go", file, len(all)-missed, len(all))
	}
}

// TestLines_StayLines redacts lines that follow each other.
func TestLines_StayLines(t *testing.T) {
	got := Lines([]string{"a password=hunter2", "-----BEGIN PRIVATE KEY-----", "MIIEabc",
		"-----END PRIVATE KEY-----", "", "b"})
	want := []string{"a password=[redacted]", Mark, Mark, Mark, "", "b"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestText_CleanStays holds the precision: lines without a secret lose no byte.
func TestText_CleanStays(t *testing.T) {
	files, _ := filepath.Glob("testdata/clean*.txt")
	lines := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
			lines++
			if got := Text(line); !bytes.Equal(got, line) {
				t.Errorf("%s\n was %s\n got %s", file, line, got)
			}
		}
	}
	t.Logf("%d lines", lines)
}
