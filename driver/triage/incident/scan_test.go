package incident

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/detect"
)

var t0 = time.Date(2026, 11, 23, 19, 3, 1, 0, time.UTC)

// printed is what a program prints on one of its streams.
type printed struct {
	stream record.Stream
	text   string
}

// textOf makes a segment's text of lines, a second apart; those longer than 16
// KiB in pieces, as Docker does.
func textOf(format record.Format, lines ...printed) []byte {
	w := record.NewWriter(format, "h", "shop", "id")
	var text []byte
	for i, l := range lines {
		rest := []byte(l.text)
		for more := true; more; {
			n := min(len(rest), 16<<10)
			more = n < len(rest)
			text = w.Append(text, &record.Record{Time: t0.Add(time.Duration(i) * time.Second).UnixNano(), Stream: l.stream, More: more, Text: rest[:n]})
			rest = rest[n:]
		}
	}
	return text
}

// scan scans a text in pieces of one size.
func scan(t testing.TB, format record.Format, piece int, text []byte, options detect.Options) *Findings {
	t.Helper()
	d, err := detect.New(options)
	if err != nil {
		t.Fatal(err)
	}
	s := NewScanner(ScanConfig{Format: format, Detect: d, App: "shop", Time: t0, Causes: true})
	for part := range slices.Chunk(text, piece) {
		scratch := bytes.Clone(part)
		if _, err := s.Write(scratch); err != nil {
			t.Fatal(err)
		}
		clear(scratch) // it is the caller's again
	}
	return s.Findings()
}

func access(path string, status int) printed {
	return printed{record.Stdout, fmt.Sprintf(`10.0.0.1 - - [23/Nov/2026:19:03:01 +0000] "GET %s HTTP/1.1" %d 12`, path, status)}
}

func TestAScanFindsWhatIsThere(t *testing.T) {
	lines := []printed{
		access("/", 200), access("/orders/1", 502), access("/", 200), access("/orders/2", 502),
		{record.Stderr, "unrelated"}, access("/login?password=x", 500), access("/orders/3", 502), access("/", 200),
	}
	for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
		text := textOf(format, lines...)
		f := scan(t, format, 7, text, detect.Options{})
		if f.Errors != 4 || f.ByStatus["502"] != 3 || f.ByStatus["500"] != 1 || len(f.ByStatus) != 2 {
			t.Errorf("%v: %+v", format, f)
		}
		at := func(i int) time.Time {
			if format == record.Raw {
				return t0
			}
			return t0.Add(time.Duration(i) * time.Second)
		}
		want := []Fingerprint{
			{ID: FingerprintOf("shop", "GET", []byte("/orders/9"), 502), App: "shop", Method: "GET", Route: "/orders/{n}", Status: 502, Errors: 3, First: at(1), Last: at(6)},
			{ID: FingerprintOf("shop", "GET", []byte("/login"), 500), App: "shop", Method: "GET", Route: "/login", Status: 500, Errors: 1, First: at(5), Last: at(5)},
		}
		if diff := cmp.Diff(want, f.Fingerprints); diff != "" {
			t.Errorf("%v: -want +got\n%s", format, diff)
		}
		var quoted []string
		for _, s := range f.Samples {
			_, request, _ := strings.Cut(s.Text, `"`)
			quoted = append(quoted, request)
			line := bytes.Split(text, []byte("\n"))[s.Line-1]
			if !bytes.HasPrefix(text[s.Offset:], append(line, '\n')) || !bytes.Contains(line, []byte(fmt.Sprint(s.Status))) || s.Stream != "stdout" {
				t.Errorf("%v: line %d and offset %d are not one: %q", format, s.Line, s.Offset, line)
			}
		}
		if diff := cmp.Diff([]string{`GET /orders/1 HTTP/1.1" 502 12`, `GET /login?password=[redacted] HTTP/1.1" 500 12`, `GET /orders/3 HTTP/1.1" 502 12`}, quoted); diff != "" {
			t.Errorf("%v: -want +got\n%s", format, diff)
		}
	}
}

// A line of ours says how many lines it stands for, whether or not there are
// errors beside it.
func TestAScanCountsWhatIsLost(t *testing.T) {
	lost := func(n int64) printed {
		return printed{record.Stderr, string(record.Lost{Lines: n, Bytes: 10 * n, Reason: "disk full", From: t0, To: t0}.Text())}
	}
	for _, format := range []record.Format{record.CRI, record.Syslog, record.Raw} {
		for _, beside := range []int{200, 500} {
			f := scan(t, format, 7, textOf(format, lost(12), access("/", beside), lost(3)), detect.Options{})
			if f.Lost != 15 || (f.Errors > 0) != (beside == 500) {
				t.Errorf("%s beside %d: %+v", format, beside, f)
			}
		}
	}
}

// TestPiecesDoNotMatter writes one text in pieces of many sizes.
func TestPiecesDoNotMatter(t *testing.T) {
	lines := []printed{access("/a", 500), {record.Stderr, "Traceback (most recent call last):"}, {record.Stderr, `  File "a.py", line 1`}, {record.Stdout, "x"}, {record.Stderr, "ValueError: x"}}
	for i := range 50 {
		lines = append(lines, access("/long/"+strings.Repeat("x", i*400), 500+i%3), access("/", 200))
	}
	lines = append(lines, printed{record.Stdout, strings.Repeat("y", 200<<10)}, access("/end", 503))
	text := textOf(record.CRI, lines...)
	text = bytes.TrimSuffix(text, []byte("\n"))
	want := scan(t, record.CRI, len(text), text, detect.Options{})
	if want.Errors != 52 {
		t.Fatalf("%d errors", want.Errors)
	}
	for _, piece := range []int{1, 13, 4096, 32 << 10, 1 << 20} {
		if diff := cmp.Diff(want, scan(t, record.CRI, piece, text, detect.Options{})); diff != "" {
			t.Errorf("pieces of %d: -whole +pieces\n%s", piece, diff)
		}
	}
}

func TestALineInPiecesIsOneSample(t *testing.T) {
	long := access("/"+strings.Repeat("a/", 20<<10), 502)
	text := textOf(record.CRI, access("/", 200), long, access("/", 200))
	f := scan(t, record.CRI, 1000, text, detect.Options{})
	if f.Errors != 1 || len(f.Samples) != 1 {
		t.Fatalf("%+v", f)
	}
	s := f.Samples[0]
	if s.Line != 2 || s.Offset != int64(bytes.IndexByte(text, '\n')+1) || !s.Cut || len(s.Text) > MaxSample || !strings.HasPrefix(s.Text, "10.0.0.1") {
		t.Errorf("%+v", s)
	}
	if route := f.Fingerprints[0].Route; len(route) > maxRoute+3 {
		t.Errorf("a route of %d bytes", len(route))
	}
}

func TestTracebacks(t *testing.T) {
	err := func(lines ...string) (all []printed) {
		for _, l := range lines {
			all = append(all, printed{record.Stderr, l})
		}
		return all
	}
	python := []string{"Traceback (most recent call last):", `  File "/app/views.py", line 7, in pay`, "    charge()", "ValueError: no card"}
	chained := append(slices.Clone(python), "", "During handling of the above exception, another exception occurred:", "",
		"Traceback (most recent call last):", `  File "/app/x.py", line 1`, "KeyError: 'token'")
	golang := []string{"http: panic serving 10.0.0.1:4711: boom", "goroutine 18 [running]:", "net/http.(*conn).serve.func1()", "\t/usr/src/server.go:1868 +0xb9", "created by net/http.(*Server).Serve in goroutine 1", "\t/usr/src/server.go:3086 +0x5cb"}
	java := []string{"java.lang.IllegalStateException: closed", "\tat com.example.Shop.pay(Shop.java:12)", "\tat java.base/java.lang.Thread.run(Thread.java:833)", "Caused by: java.io.IOException: broken pipe", "\t... 12 more"}
	for name, tt := range map[string]struct {
		lines   []printed
		options detect.Options
		want    []string // of the last sample
	}{
		"after the error, as Django does":       {append(err("Internal Server Error: /pay"), err(append(python, "next")...)...), detect.Options{}, python},
		"before the error":                      {append(err(python...), err(`10.0.0.1 - - "GET /pay HTTP/1.1" 500 12`)...), detect.Options{}, python},
		"chained":                               {append(err("Internal Server Error: /pay"), err(append(chained, "next")...)...), detect.Options{}, chained},
		"on the other stream, as gunicorn does": {append(err(python...), printed{record.Stdout, access("/pay", 500).text}), detect.Options{}, python},
		"Go":                                    {append(err(append(golang, "next")...), err(`10.0.0.1 - - "GET /pay HTTP/1.1" 500 12`)...), detect.Options{}, golang},
		"Go, itself the error":                  {err(append(golang, "next")...), detect.Options{Signals: detect.SignalGo}, golang},
		"Java, itself the error":                {err(append(java, "next")...), detect.Options{Signals: detect.SignalJava}, java},
		"none near":                             {append(err(append(python, "1", "2", "3", "4")...), err(`10.0.0.1 - - "GET /pay HTTP/1.1" 500 12`)...), detect.Options{}, nil},
		"none at all":                           {[]printed{access("/", 500), access("/", 200)}, detect.Options{}, nil},
	} {
		for _, piece := range []int{11, 1 << 20} {
			f := scan(t, record.CRI, piece, textOf(record.CRI, tt.lines...), tt.options)
			if len(f.Samples) == 0 {
				t.Errorf("%s: nothing found", name)
				continue
			}
			got := f.Samples[len(f.Samples)-1].Context
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Errorf("%s:\n got %q\nwant %q", name, got, want)
			}
		}
	}
}

// TestALongTracebackKeepsBothEnds also has a secret where it is cut.
func TestALongTracebackKeepsBothEnds(t *testing.T) {
	lines := []printed{{record.Stderr, "Internal Server Error: /pay"}, {record.Stderr, "Traceback (most recent call last):"}}
	for i := range 5000 {
		lines = append(lines, printed{record.Stderr, fmt.Sprintf("  File \"x.py\", line %d, password=hunter%d", i, i)})
	}
	lines = append(lines, printed{record.Stderr, "ValueError: the end"})
	got := scan(t, record.CRI, 4096, textOf(record.CRI, lines...), detect.Options{}).Samples[0].Context
	if len(got) > MaxSample || !strings.HasPrefix(got, "Traceback") || !strings.HasSuffix(got, "ValueError: the end") || strings.Contains(got, "hunter") || !strings.Contains(got, "…") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

// TestAStormIsBounded: however many errors of however many kinds there are, the
// findings stay small and the counts exact.
func TestAStormIsBounded(t *testing.T) {
	var lines []printed
	for i := range 10_000 {
		path := "/p"
		for n := i % 1000; n > 0; n /= 26 { // letters: numbers would be one route
			path += string(rune('a' + n%26))
		}
		lines = append(lines, access(path, 500+i%7))
	}
	f := scan(t, record.CRI, 32<<10, textOf(record.CRI, lines...), detect.Options{})
	total := f.Unlisted
	for _, p := range f.Fingerprints {
		total += p.Errors
	}
	if f.Errors != 10_000 || total != 10_000 || len(f.Fingerprints) != MaxFingerprints || len(f.Samples) != MaxSamples {
		t.Errorf("%d errors, %d by fingerprint, %d fingerprints, %d samples", f.Errors, total, len(f.Fingerprints), len(f.Samples))
	}
	if f.Samples[0].Line != 1 || f.Samples[MaxSamples-1].Line != 10_000 {
		t.Errorf("first sample in line %d, last in line %d", f.Samples[0].Line, f.Samples[MaxSamples-1].Line)
	}
}

func TestRoutes(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "": "", "/orders": "/orders", "/orders/17": "/orders/{n}", "/orders/17/items/3?x=1": "/orders/{n}/items/{n}",
		"/users/550e8400-e29b-41d4-a716-446655440000":    "/users/{id}",
		"/users/8f14e45fceea167a":                        "/users/{id}",
		"/c/da39a3ee5e6b4b0d3255bfef95601890afd80709/x":  "/c/{id}/x",
		"/reset/Zk9fQ2pXb0t5TnRhR2xs":                    "/reset/{id}",
		"/files/order-1234.pdf":                          "/files/order-{n}.pdf",
		"/api/v1/oauth2/token":                           "/api/v1/oauth2/token",
		"/blog/how-to-cook-a-proper-goulash-at-home":     "/blog/how-to-cook-a-proper-goulash-at-home",
		"/static/application.css":                        "/static/application.css",
		"/2026-11-23/report":                             "/{n}/report",
		"/u/bob@example.com/mail":                        "/u/{id}/mail",
		"/feedface":                                      "/feedface",
		"/GetCustomerOrdersByRegion":                     "/GetCustomerOrdersByRegion",
		"/a\x00b\xff":                                    "/ab�",
		"/wp-content/plugins/woocommerce/assets/img.png": "/wp-content/plugins/woocommerce/assets/img.png",
	} {
		if got := Route([]byte(path)); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
	if a, b := FingerprintOf("shop", "GET", []byte("/o/1"), 500), FingerprintOf("shop", "GET", []byte("/o/2"), 500); a != b || len(a) != 16 {
		t.Errorf("%s, %s", a, b)
	}
	// It is the same on all hosts, and in all versions.
	if id := FingerprintOf("shop", "GET", []byte("/orders/17"), 502); id != "451448c8aa58c99b" {
		t.Error(id)
	}
}

// BenchmarkScan is a scan of an access log; detect is the detector's share of it.
func BenchmarkScan(b *testing.B) {
	var lines []printed
	for i := range 20_000 {
		status := 200
		if i%1000 == 0 {
			status = 502
		}
		lines = append(lines, access(fmt.Sprintf("/orders/%d", i), status))
	}
	text := textOf(record.CRI, lines...)
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			s := NewScanner(ScanConfig{Format: record.CRI, Detect: detect.Auto{}, App: "shop"})
			for part := range slices.Chunk(text, 32<<10) {
				_, _ = s.Write(part)
			}
			if s.Findings().Errors != 20 {
				b.Fatal("not all were found")
			}
		}
	})
	b.Run("detect", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			for line := range bytes.Lines(text) {
				detect.Auto{}.Detect(line)
			}
		}
	})
}
