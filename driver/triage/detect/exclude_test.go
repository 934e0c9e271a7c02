package detect

import "testing"

// TestExclude_SpelledPaths leaves out a path however the program spells it.
func TestExclude_SpelledPaths(t *testing.T) {
	for _, exclude := range []string{"/api/healthz", "/api/health*", "~^/api/healthz$"} {
		d, err := New(Options{ExcludePath: exclude})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			`{"method":"GET","path":"\/api\/healthz","status":500}`,                                                     // PHP
			`{"request":{"method":"GET","uri":"\/api\/healthz?x=1"},"response":{"status":502},"client_ip":"10.0.0.9"}`,  // Kong, APISIX
			`{"httpRequest":{"requestMethod":"GET","requestUrl":"https:\/\/a.example\/api\/healthz","status":503}}`,     // GCP
			`{"log":"10.0.0.1 - - [01\/Mar\/2026:10:02:11 +0000] \"GET \/api\/healthz HTTP\/1.1\" 500 12\n"}`,           // within JSON
			`10.0.0.1 - - [01/Mar/2026:10:02:11 +0000] "GET //api//healthz HTTP/1.1" 500 12`,                            // doubled
			`10.0.0.1 - - [01/Mar/2026:10:02:11 +0000] "GET /api/healthz/ HTTP/1.1" 500 12`,                             // trailing
			`10.0.0.1 - - [01/Mar/2026:10:02:11 +0000] "GET http://a.example:80/api/healthz?x HTTP/1.1" 500 12 "-" "-"`, // absolute
			`GET http://localhost:8000/api/healthz - 500 (3ms)`,                                                         // Deno
			`[500] get /api/healthz/`,
			`method=get path=/api/healthz status=500`,
		} {
			m, found := Auto{}.Detect([]byte(line))
			if !found {
				t.Errorf("not detected: %s", line)
			}
			if _, counts := d.Detect([]byte(line)); counts {
				t.Errorf("%s: %q counts: %s", exclude, m.Path, line)
			}
		}
		for _, line := range []string{
			`{"method":"GET","path":"\/api\/pay","status":500}`,
			`10.0.0.1 - - [01/Mar/2026:10:02:11 +0000] "GET //api/pay/ HTTP/1.1" 500 12`,
			`10.0.0.1 - - [01/Mar/2026:10:02:11 +0000] "GET / HTTP/1.1" 500 12`,
		} {
			if _, counts := d.Detect([]byte(line)); !counts {
				t.Errorf("%s: does not count: %s", exclude, line)
			}
		}
	}
}
