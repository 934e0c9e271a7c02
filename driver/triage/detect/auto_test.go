package detect

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// inside reports whether part is a part of line's own memory.
func inside(line, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	begin, at := uintptr(unsafe.Pointer(unsafe.SliceData(line))), uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	return at >= begin && at+uintptr(len(part)) <= begin+uintptr(len(line))
}

func TestAMatchSaysStatusMethodPathAndRule(t *testing.T) {
	for _, tt := range []struct {
		line   string
		status int
		method string
		path   string
		rule   string
	}{
		{`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /api?x=1 HTTP/1.1" 502 157 "-" "curl"`, 502, "GET", "/api", "request"},
		{`"GET /a b HTTP/1.1" 500 0`, 500, "GET", "/a b", "request"},
		{`"GET /index.php" 500`, 500, "GET", "/index.php", "request"},
		{`"GET /y 2" 500 21`, 500, "GET", "/y", "request"},
		{`"GET http://localhost:3333/panic#x HTTP/1.1" from 127.0.0.1:49912 - 500 0B in 211.5µs`, 500, "GET", "/panic", "request"},
		{"\x1b[0mGET /users/31 \x1b[31m500\x1b[0m 8.213 ms - 1042\x1b[0m", 500, "GET", "/users/31", "request"},
		{`GET /export.csv => generated 27 bytes in 933 msecs (HTTP/1.1 500) 3 headers`, 500, "GET", "/export.csv", "request"},
		{`[GIN] 2026/11/23 - 19:03:01 | 500 |  1.204ms | 10.1.1.9 | GET      "/v1/items"`, 500, "GET", "/v1/items", "status-request"},
		{"[GIN] 2026/11/23 - 19:03:02 |\x1b[97;41m 502 \x1b[0m|  13.9s | 10.1.1.9 |\x1b[97;46m POST    \x1b[0m \"/v1/relay\"", 502, "POST", "/v1/relay", "status-request"},
		{`haproxy[14]: 10.4.4.4:51812 [07/Feb/2026:12:00:01.655] fe be/<NOSRV> 0/-1/-1/-1/0 503 217 - - SC-- 3/3/0/0/0 0/0 "GET /s?q HTTP/1.1"`, 503, "GET", "/s", "haproxy"},
		{`http 2026-07-19T15:17:00.5Z app/lb/5 203.0.113.88:5021 10.0.0.1:5000 0.500 0.503 0.000 504 200 500 502 "GET http://www.example.com:80/a HTTP/1.1" "curl"`, 504, "GET", "/a", "elb"},
		{`2026-07-19 15:20:33 10.0.0.15 GET /default.aspx - 443 - 203.0.113.61 Mozilla - 500 0 0 312`, 500, "GET", "/default.aspx", "w3c"},
		{`Completed 500 Internal Server Error in 12ms`, 500, "", "", "completed"},
		{`Internal Server Error: /accounts/profile/`, 500, "", "/accounts/profile/", "django"},
		{`[2026-11-24 08:15:22,503] ERROR in app: Exception on /boom [GET]`, 500, "GET", "/boom", "flask"},
		{`method=GET path="/a?b" status=503 bytes=1`, 503, "GET", "/a", "logfmt"},
		{`{"req":{"method":"GET","url":"/cart?x"},"res":{"statusCode":500}}`, 500, "GET", "/cart", "json"},
		{`{"http":{"request":{"method":"PUT"},"response":{"status_code":502}},"url":{"path":"/basket"}}`, 502, "PUT", "/basket", "json"},
		{`{"log":"\"GET /x HTTP/1.1\" 500 1\n","stream":"stdout"}`, 500, "GET", "/x", "request"},
		{`{"log":"{\"method\":\"GET\",\"path\":\"/y\",\"status\":500}\n","stream":"stdout"}`, 500, "GET", "/y", "json"},
		{`500 Server Error for HTTP GET "/items/0"`, 500, "GET", "/items/0", "spring"},
		{`2026 INFO ktor.application - 500 Internal Server Error: GET - /x in 12ms`, 500, "GET", "/x", "ktor"},
		{`1795460581.123  5021 10.0.0.1 TCP_MISS/503 3931 GET http://x/y - HIER_DIRECT/1.2.3.4 text/html`, 503, "GET", "/y", "squid"},
		{`   >> Outcome: Error(500 Internal Server Error)`, 500, "", "", "rocket"},
		{`      Request finished in 71.0982ms 500 text/html`, 500, "", "", "kestrel"},
	} {
		line := []byte(tt.line)
		m, found := Auto{}.Detect(line)
		if !found || m.Status != tt.status || string(m.Method) != tt.method || string(m.Path) != tt.path || m.Rule != tt.rule {
			t.Errorf("%s\n%v %d %q %q %q, want %d %q %q %q", tt.line, found, m.Status, m.Method, m.Path, m.Rule, tt.status, tt.method, tt.path, tt.rule)
		}
		if !inside(line, m.Method) || !inside(line, m.Path) {
			t.Errorf("%s\nmethod or path is no part of the line", tt.line)
		}
	}
}

func TestTheFirstFinalStatusDecidesWhateverItIs(t *testing.T) {
	for _, tt := range []struct {
		line   string
		status int
		rule   string
	}{
		{`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET / HTTP/1.1" 200 500 "-" "curl" us="502, 200"`, 200, "request"},
		{`{"upstream_status":"502, 200","status":200,"request":"GET / HTTP/1.1"}`, 200, "json"},
		{`[2026-07-19T15:15:16.5Z] "GET / HTTP/1.1" 0 DC 0 0 503 - "-"`, 0, "request"},
		{`level=info upstream_status=502 status=200 method=GET path=/`, 200, "logfmt"},
		{`HTTP Request: GET https://api.example/v1 "HTTP/1.1 503 Service Unavailable"`, 0, "client"},
		{`Listening on port 5000`, 0, ""},
	} {
		if m := (Auto{}).Explain([]byte(tt.line)); m.Status != tt.status || m.Rule != tt.rule {
			t.Errorf("%s\n%d by %q, want %d by %q", tt.line, m.Status, m.Rule, tt.status, tt.rule)
		}
	}
}

// TestNobodyOutsideDecides puts what looks like an error wherever a client's
// words are logged, in lines of servers that escape quotes as theirs do.
func TestNobodyOutsideDecides(t *testing.T) {
	evil := []string{
		`" 500 0 "-" "`, `"GET / HTTP/1.1" 500 0`, ` HTTP/1.1" 500 0`, `status=500 method=GET path=/`, `","status":500,"x":"`,
		`{"method":"GET","path":"/","status":500}`, `Internal Server Error: /x`, `Completed 500 Internal Server Error in 1ms`,
		`| 500 | 1ms | 10.0.0.1 | GET "/x"`, ` 0/0/0/0/0 500 0 - - ---- `, `Outcome: Error(500 Internal Server Error)`, `\" 500 `, `\`, `\\" 500 `,
		"\x1b[31m500\x1b[0m", `\x1b[0m" 500 `, `' 500 `, "\t500\t", ` - 500 `, `=> 500`, `500`, `" status="500`, `Exception on /x [GET]`,
	}
	hex := strings.NewReplacer(`"`, `\x22`, `\`, `\x5C`, "\x1b", `\x1B`, "\t", `\x09`)
	backslash := strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\x1b", `\x1b`, "\t", `\t`)
	quoted := func(s string) string { return strings.ReplaceAll(fmt.Sprintf("%q", s), `\x1b`, `\u001b`) }
	for _, e := range evil {
		url := strings.NewReplacer(" ", "%20", `"`, "%22", "\t", "%09", "\x1b", "%1B", `\`, "%5C").Replace(e)
		plus := strings.ReplaceAll(strings.ReplaceAll(e, " ", "+"), "\t", "+")
		h, b := hex.Replace(e), backslash.Replace(e)
		for _, line := range []string{
			`10.0.0.1 - ` + h + ` [23/Nov/2026:19:03:01 +0000] "GET /` + h + ` HTTP/1.1" 404 12 "` + h + `" "` + h + `"`,
			`10.0.0.1 - ` + b + ` [23/Nov/2026:19:03:01 +0000] "GET /` + b + ` HTTP/1.1" 404 12 "` + b + `" "` + b + `"`,
			`10.0.0.1 - ` + h + ` [23/Nov/2026:19:03:01 +0000] "GET / HTTP/1.1" "-"`,
			`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET /` + b + ` HTTP/1.1" "` + b + `" 404 12`,
			`INFO:     10.0.0.1:53422 - "GET /` + url + ` HTTP/1.1" 404 Not Found`,
			`GET /` + url + ` 404 3.1 ms - 12`,
			`[GIN] 2026/11/23 - 19:03:01 | 404 |  1.2ms | 10.1.1.9 | GET      ` + quoted("/"+e),
			`method=GET path=` + quoted("/"+e) + ` agent=` + quoted(e) + ` status=404 referer=` + quoted(e),
			`{"method":"GET","path":` + quoted("/"+e) + `,"agent":` + quoted(e) + `,"headers":{"x":` + quoted(e) + `},"status":404}`,
			`{"req":{"method":"GET","url":` + quoted("/"+e) + `,"headers":{"status":"500"}},"res":{"statusCode":404},"msg":"request completed"}`,
			`haproxy[14]: 10.4.4.4:51812 [07/Feb/2026:12:00:01.655] fe be/srv 0/0/0/1/1 404 217 - - ---- 3/3/0/0/0 0/0 {` + h + `} "GET /` + h + ` HTTP/1.1"`,
			`[2026-07-19T15:15:15.015Z] "GET /` + h + ` HTTP/1.1" 404 - 0 91 3 - "-" "` + h + `" "1" "a:80" "10.0.0.1:80"`,
			`2026-07-19 15:21:33 10.0.0.15 GET /` + url + ` ` + url + ` 80 - 203.0.113.61 ` + plus + ` ` + plus + ` 404 0 0 12`,
			// What these decode is in no quotes, or in quotes that nobody escapes.
			`Not Found: /a ` + e,
			`WARNING:django.request:Forbidden (CSRF cookie not set.): /a ` + e,
			`{"levelname":"WARNING","message":` + quoted("Not Found: /a "+e) + `}`,
			`2026/11/23 19:03:01 [error] 7#7: *1 open() "/html/a` + e + `" failed (2: No such file or directory), client: 10.0.0.1, request: "GET /` + url + ` HTTP/1.1"`,
			`[Mon Nov 23 19:03:01.503 2026] [core:info] [pid 7:tid 1] [client 10.0.0.1:1] AH00128: File does not exist: /html/a ` + b,
			`INFO 'tis path "/` + b + `" agent "` + b + `" referer ` + url + ` status=404 method=GET`,
			`method=GET path=/x params={"q"=>` + quoted(e) + `, "z"=>{"y"=>` + quoted(e) + `}} status=404`,
			`request.INFO: Matched route "x". {"route":"x","route_parameters":{"a":` + quoted(e) + `,"status":"500","method":"GET"},"request_uri":"/x","method":"GET"}`,
			`level=info url=https://a/?x=` + url + ` method=GET status=404`,
			`request https://a/?` + url + ` method=GET path=/ status=404`,
			`access pid=17 "10.8.0.3" "GET /` + b + ` HTTP/1.1" status="404" bytes="0" ua="` + b + `"`,
		} {
			if m, found := (Auto{}).Detect([]byte(line)); found {
				t.Errorf("%q was let in by %s: %d\n%s", e, m.Rule, m.Status, line)
			}
		}
	}
}

// TestThePrefilterAgreesWithTheRules compares Detect with the rules alone.
func TestThePrefilterAgreesWithTheRules(t *testing.T) {
	for _, path := range []string{"testdata/dev.tsv", "testdata/field.tsv"} {
		for _, s := range corpus(t, path) {
			agree(t, []byte(s.line))
		}
	}
}

func agree(t *testing.T, line []byte) {
	t.Helper()
	m, found := Auto{}.Detect(line)
	e := Auto{}.Explain(line)
	if server := e.Status >= firstStatus && e.Status <= lastStatus; server != found || found && m.Status != e.Status {
		t.Fatalf("%q: Detect says %v %d, the rules alone %d by %s", line, found, m.Status, e.Status, e.Rule)
	}
}

func TestNoLineAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool allocate")
	}
	var lines [][]byte
	for _, s := range corpus(t, "testdata/field.tsv") {
		lines = append(lines, []byte(s.line))
	}
	run := func(d Detector) float64 {
		return testing.AllocsPerRun(20, func() {
			for _, line := range lines {
				d.Detect(line)
			}
		})
	}
	// A collection may empty the pool of buffers between runs.
	if n := run(Auto{}); n > 1 {
		t.Errorf("%v allocations in %d lines", n, len(lines))
	}
	d, err := New(Options{Status: Statuses{1}, ExcludePath: "/healthz,/static/*", Pattern: "FATAL", Signals: SignalPython | SignalJava | SignalGo})
	if err != nil {
		t.Fatal(err)
	}
	if n := run(d); n > 1 {
		t.Errorf("with every option: %v allocations in %d lines", n, len(lines))
	}
}

// adversarial are lines, of a given length, that a careless parser reads again
// and again.
func adversarial(n int) map[string][]byte {
	fill := func(head, unit, tail string) []byte {
		return append(append([]byte(head), bytes.Repeat([]byte(unit), max(1, n/len(unit)))...), " 500 "+tail...)
	}
	return map[string][]byte{
		"quotes":          fill("", `"`, ""),
		"open quotes":     fill("", ` "a`, ""),
		"escaped quotes":  fill(`"`, `\"`, ""),
		"backslashes":     fill(`"`, `\`, `"`),
		"apostrophes":     fill("", ` 'a'b`, ""),
		"braces":          fill("", `{"`, ""),
		"nested objects":  fill("", `{"a":`, ""),
		"nested lists":    fill(`{"a":`, `[`, ""),
		"objects":         fill("x ", `{"a":"500"} `, ""),
		"coded objects":   fill("x ", `{"status_code":500} `, ""),
		"statuses":        fill("", "500 ", ""),
		"requests":        fill("", `"GET / HTTP/1.1" `, ""),
		"open requests":   fill("", `"GET `, ""),
		"bare requests":   fill("", "GET /x ", ""),
		"methods":         fill("", "GET ", ""),
		"target":          fill(`"GET /`, `"`, ""),
		"keys":            fill("", "status=500 ", ""),
		"key commas":      fill("a=1", ",b", ""),
		"equals":          fill("", "a=", ""),
		"colons":          fill("", "a: ", ""),
		"colours":         fill("", "\x1b[31m", ""),
		"no colours":      fill("", "[1;1m1;", ""),
		"fives":           fill("", "5", ""),
		"m":               fill("", "m", ""),
		"phrases":         fill("", "Internal Server Error: /x ", ""),
		"completed":       fill("", "Completed 500 jobs ", ""),
		"messages":        fill(`{"msg":"`, `{\"msg\":\"`, `"}`),
		"dots":            fill(`{"`, "a.", `":500}`),
		"bars":            fill("", "| 500 ", ""),
		"slashes":         fill("", "0/0/0/0/0 ", ""),
		"class name":      fill("", "a.", "Exception"),
		"upper":           fill(`"`, "A", ""),
		"reasons":         fill("", "500 Internal Server Error ", ""),
		"spaces":          fill("GET /x", " ", "ms"),
		"url":             append(fill("5", "a", "")[:n/2], " 500 /"+strings.Repeat("=", n/2)...),
		"open values":     fill("", "a={ ", ""),
		"closed values":   fill("", "a={} ", ""),
		"stars":           fill("GET /", "a", ""),
		"log around logs": fill(`{"log":"`, `\\\"`, `"}`),
	}
}

// TestALongLineIsReadOnce would not end within the time that go test gives it
// were a rule to read such a line once for each of its quotes, or braces.
func TestALongLineIsReadOnce(t *testing.T) {
	n := 256 << 10
	if raceDetector {
		n = 32 << 10
	}
	for name, line := range adversarial(n) {
		for _, d := range []Detector{Auto{}, &tuned{rules: Auto{}, signals: SignalPython | SignalJava | SignalGo, exclude: &exclude{globs: [][][]byte{{{'/'}, {'a'}, {'a'}, {'b'}}}}}} {
			if m, found := d.Detect(line); found && !AllStatuses.Has(m.Status) && m.Rule != "java-exception" {
				t.Errorf("%s: %+v", name, m)
			}
		}
		Auto{}.Explain(line)
	}
}

// BenchmarkAdversarial shows what a byte of such lines costs, in short ones and
// in long ones.
func BenchmarkAdversarial(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10} {
		for name, line := range adversarial(n) {
			b.Run(fmt.Sprintf("%s/%dKiB", strings.ReplaceAll(name, " ", "-"), n>>10), func(b *testing.B) {
				b.SetBytes(int64(len(line)))
				for b.Loop() {
					Auto{}.Explain(line)
				}
			})
		}
	}
}

const cleanLine = `10.42.3.18 - - [23/Nov/2026:19:04:01 +0000] "GET /api/orders/8812 HTTP/1.1" 200 8153 "https://shop.example.net/cart" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`

// BenchmarkClean reads a line without an error, with what a copy and a scan
// for one byte that is not there cost beside it.
func BenchmarkClean(b *testing.B) {
	line := []byte(cleanLine)
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				f()
			}
		})
	}
	run("auto", func() { Auto{}.Detect(line) })
	run("classic", func() { Classic{}.Detect(line) })
	dst := make([]byte, len(line))
	run("copy", func() { copy(dst, line) })
	run("indexbyte", func() { bytes.IndexByte(line, '\n') })
	candidate := []byte(strings.Replace(cleanLine, "8153", "512", 1))
	run("candidate", func() { Auto{}.Detect(candidate) })
	json := []byte(`{"level":"info","ts":1785000500.503,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"10.0.0.3","proto":"HTTP/2.0","method":"GET","host":"example.com","uri":"/500"},"duration":0.503,"size":5120,"status":308}`)
	b.Run("json", func(b *testing.B) {
		b.SetBytes(int64(len(json)))
		for b.Loop() {
			Auto{}.Detect(json)
		}
	})
}

func FuzzAuto(f *testing.F) {
	for _, path := range []string{"testdata/dev.tsv", "testdata/field.tsv"} {
		if _, err := os.Stat(path); err != nil {
			f.Fatal(err)
		}
		for i, s := range corpus(f, path) {
			if i%5 == 0 {
				f.Add([]byte(s.line), "500,502-504")
			}
		}
	}
	for _, line := range adversarial(64) {
		f.Add(line, "503")
	}
	f.Fuzz(func(t *testing.T, line []byte, list string) {
		agree(t, line)
		before := bytes.Clone(line)
		set, err := ParseStatuses(list)
		if err != nil {
			set = Statuses{1 << 3}
		}
		d, err := New(Options{Status: set, ExcludePath: "/healthz,*/x/*", Signals: SignalGo, Pattern: `E(?P<status>[0-9]+)`})
		if err != nil {
			t.Fatal(err)
		}
		m, found := d.Detect(line)
		again, foundAgain := d.Detect(line)
		switch {
		case found != foundAgain || m.Status != again.Status || m.Rule != again.Rule || !bytes.Equal(m.Path, again.Path):
			t.Fatalf("%q: %v %+v, then %v %+v", line, found, m, foundAgain, again)
		case !bytes.Equal(line, before):
			t.Fatalf("%q became %q", before, line)
		case !found && (m.Status != 0 || m.Rule != ""):
			t.Fatalf("%q: not found, but %+v", line, m)
		case found && m.Rule == "", found && m.Rule != "go-panic" && !set.Has(m.Status):
			t.Fatalf("%q: %+v is none of %s", line, m, list)
		case !inside(line, m.Method), !inside(line, m.Path):
			t.Fatalf("%q: method or path is no part of the line", line)
		}
	})
}
