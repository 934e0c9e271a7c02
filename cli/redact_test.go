package cli

import (
	"testing"

	"github.com/logfast/logfast/driver/read/archive"
)

// TestIncident_LinesLoseTheirSecrets holds that lines beside each other are redacted
// together, and that each stays a line.
func TestIncident_LinesLoseTheirSecrets(t *testing.T) {
	lines := []archive.Numbered{
		{Line: 3, Text: "stdout F GET /login?password=hunter2 HTTP/1.1"},
		{Line: 7, Text: "stderr F -----BEGIN PRIVATE KEY-----"},
		{Line: 8, Text: "stderr F MIIEabc"},
		{Line: 9, Text: "stderr F -----END PRIVATE KEY----- done"},
		{Line: 12, Text: "stderr F MIIEabc"},
	}
	redactLines(lines)
	for i, want := range []string{
		"stdout F GET /login?password=[redacted] HTTP/1.1", "stderr F [redacted]", "[redacted]", "[redacted] done", "stderr F MIIEabc",
	} {
		if lines[i].Text != want {
			t.Errorf("line %d: %q, not %q", lines[i].Line, lines[i].Text, want)
		}
	}
}
