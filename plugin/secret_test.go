package plugin

import (
	"strings"
	"testing"
)

// TestASecretAmongTheSettingsIsSaid: once, and without its value, though logfast
// tries again and again to work.
func TestASecretAmongTheSettingsIsSaid(t *testing.T) {
	for _, tt := range []struct {
		environ []string
		want    string
	}{
		{[]string{"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=hidden"}, "variable=AWS_SECRET_ACCESS_KEY"},
		{[]string{"AWS_SESSION_TOKEN=hidden"}, "variable=AWS_SESSION_TOKEN"},
		{[]string{"AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN="}, ""}, // as Docker passes what is not set
	} {
		s := serve(t, tt.environ...)
		s.stop()
		log := s.log.String()
		n := 0
		if tt.want != "" {
			n = 1
		}
		if got := strings.Count(log, "docker plugin inspect shows it"); got != n || !strings.Contains(log, tt.want) || strings.Contains(log, "hidden") {
			t.Errorf("%v: said %d times:\n%s", tt.environ, got, log)
		}
	}
}
