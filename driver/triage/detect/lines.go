package detect

import (
	"bytes"
	"strings"
)

// lineReader knows lines that begin with one of some bytes, behind blanks; without such
// bytes it looks at every line.
type lineReader struct {
	begins string
	is     func(line []byte) bool
}

// lineReaders are what lineRules has for each byte with which a line can begin.
var lineReaders = byFirst(lineRules)

func byFirst(rules []rule[lineReader]) (readers [256][]*rule[lineReader]) {
	for i := range rules {
		for c := range readers {
			if begins := rules[i].read.begins; begins == "" || strings.IndexByte(begins, byte(c)) >= 0 {
				readers[c] = append(readers[c], &rules[i])
			}
		}
	}
	return readers
}

// neverCounts returns what such a line finds.
func neverCounts(line []byte) (Match, bool) {
	at := skipSpace(line, 0)
	if at == len(line) {
		return Match{}, false
	}
	for _, r := range lineReaders[line[at]] {
		if r.read.is(line) {
			return r.finds, true
		}
	}
	return Match{}, false
}

// lineRules are lines that never count, whatever stands in them. The first one that
// knows the line decides.
var lineRules = []rule[lineReader]{
	{
		name:    "Prometheus",
		doc:     "A sample of a metric: `name{label=\"value\"} number`.",
		example: `http_requests_total{method="GET",code="500"} 12`,
		finds:   nothing,
		read:    lineReader{is: metric},
	},
	{
		name:    "InfluxDB",
		doc:     "A sample in the line protocol: `name,tag=value field=1i time`.",
		example: `http_requests,status=500,method=GET count=12i 1793614272`,
		finds:   nothing,
		read:    lineReader{is: influx},
	},
	{
		name:    "Test Anything Protocol",
		doc:     "A test's result: `ok 500 - …` or `not ok 500 - …`.",
		example: `not ok 500 - GET /health`,
		finds:   nothing,
		read:    lineReader{begins: "no", is: tap},
	},
	{
		name:    "test's source",
		doc:     "A line of a test: `it('…`, `describe('…`, `assert …`.",
		example: `it('returns 503 for GET /x', async () => {`,
		finds:   nothing,
		read:    lineReader{begins: "-[*itda", is: testSource},
	},
	{
		name:    "test's verdict",
		doc:     "A test runner's line, which begins with `FAIL`, `✓` and the like.",
		example: `FAIL tests/api.test.js > GET /users > 500`,
		finds:   nothing,
		read:    lineReader{begins: "-[*({<\"'FPA✓✗✕✔✘×√", is: testVerdict},
	},
	{
		name:    "Markdown",
		doc:     "A list, a heading or a table of a text about requests.",
		example: "* `POST /login` → 500 Internal Server Error on failure",
		finds:   nothing,
		read:    lineReader{begins: "*-#|", is: markdown},
	},
	{
		name:    "Locust",
		doc:     "A row of a load test's table, with a share of failures.",
		example: `GET /x 500 0(0.00%) | 12 5 503 11 | 1.20 0.00`,
		finds:   nothing,
		read:    lineReader{is: locust},
	},
	{
		name:    "comment",
		doc:     "A line that begins with `# `.",
		example: `# curl: GET /x -> 500`,
		finds:   nothing,
		read:    lineReader{begins: "#", is: comment},
	},
	{
		name:    "table",
		doc:     "A row of a table, which begins with a number that is no status.",
		example: ` 17 | GET | /a | 500 | 2026-03-01`,
		finds:   nothing,
		read:    lineReader{begins: "|0123456789", is: tableRow},
	},
	{
		name:    "Android",
		doc:     "A line of Android's log: a telephone is no server.",
		example: `I/flutter ( 5012): POST /api/login failed with 500`,
		finds:   finds(0, "client"),
		read:    lineReader{begins: "VDIWEF", is: logcat},
	},
	{
		name:    "nginx's error log",
		doc:     "It has no status, and a decoded path in it may hold any words.",
		example: `2026/03/02 10:00:00 [error] 30#30: *503 open() "/500.html" failed, request: "GET /x HTTP/1.1"`,
		finds:   finds(0, "error-log"),
		read:    lineReader{is: nginxError},
	},
	{
		name:    "Apache's error log",
		doc:     "It has no status, and a decoded path in it may hold any words.",
		example: `[Mon Mar 02 10:00:00.123456 2026] [core:error] [pid 503] [client 192.0.2.4:500] File not found: /x`,
		finds:   finds(0, "error-log"),
		read:    lineReader{begins: "[", is: apacheError},
	},
}

// metric reports whether a line is a sample in Prometheus' text format:
// name{label="value"} number.
func metric(line []byte) bool {
	i := skipSpace(line, 0)
	from := i
	for i < len(line) && (alnum(line[i]) || line[i] == '_' || line[i] == ':') {
		i++
	}
	if i == from || i == len(line) || line[i] != '{' {
		return false
	}
	end := bytes.LastIndexByte(line, '}')
	if end < i || end+2 >= len(line) || line[end+1] != ' ' {
		return false
	}
	return all(line[end+2:], func(c byte) bool { return digit(c) || bytes.IndexByte([]byte(" .+-eEINFNa"), c) >= 0 })
}

// influx reports whether a line is a sample in InfluxDB's line protocol:
// name,tag=value field=1i 1793614272.
func influx(line []byte) bool {
	if len(line) == 0 || !digit(line[len(line)-1]) {
		return false
	}
	head, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if head < 0 || last-head < 4 || len(line)-last < 10 || !all(line[last+1:], digit) {
		return false
	}
	comma := bytes.IndexByte(line[:head], ',')
	return comma > 0 && all(line[:comma], isKeyByte) && bytes.IndexByte(line[comma:head], '=') > 1 &&
		bytes.IndexByte(line[head:last], '=') > 1
}

// tap reports whether a line is "ok 500 - GET / answers 503".
func tap(line []byte) bool {
	line = bytes.TrimPrefix(line, []byte("not "))
	return bytes.HasPrefix(line, []byte("ok ")) && len(line) > 3 && digit(line[3])
}

// testHead returns the beginning of a test's line, behind blanks and list marks.
func testHead(line []byte) []byte {
	line = line[:min(len(line), 32)]
	for len(line) > 0 && (line[0] == ' ' || line[0] == '-' || line[0] == '[' || line[0] == '*' || line[0] == '\t') {
		line = line[1:]
	}
	return line
}

var testSources = texts("it('", `it("`, "test('", `test("`, "describe('", `describe("`, "assert ")

func testSource(line []byte) bool { return beginsAny(testHead(line), testSources) }

func testVerdict(line []byte) bool {
	line = testHead(line)
	return means(trim(line[:wordEnd(line, 0)]), testVerdicts)
}

var bullets = texts("* `", "- `", "## ", "### ", "| `")

// markdown reports whether a line is "* `POST /login` → 500".
func markdown(line []byte) bool { return beginsAny(line, bullets) }

// locust reports whether a line is "GET /path 500 0(0.00%) | 12".
func locust(line []byte) bool { return bytes.Contains(line, []byte("%) |")) }

func comment(line []byte) bool { return bytes.HasPrefix(line[skipSpace(line, 0):], []byte("# ")) }

// tableRow reports whether a line is " 17 | GET | /path | 500".
func tableRow(line []byte) bool {
	i := skipSpace(line, 0)
	if i < len(line) && line[i] == '|' {
		i = skipSpace(line, i+1)
	}
	from := i
	for i < len(line) && digit(line[i]) {
		i++
	}
	if i == from {
		return false
	}
	_, status := number(line[from:i])
	return !status && bytes.HasPrefix(line[skipSpace(line, i):], []byte("| "))
}

// logcat reports whether a line is "D/OkHttp ( 812): …".
func logcat(line []byte) bool {
	if len(line) < 6 || line[1] != '/' || bytes.IndexByte([]byte("VDIWEF"), line[0]) < 0 || !letter(line[2]) {
		return false
	}
	head := line[2:min(len(line), maxKey)]
	i := 0
	for i < len(head) && isKeyByte(head[i]) {
		i++
	}
	rest := bytes.TrimLeft(head[i:], " (0123456789)")
	return len(rest) > 1 && rest[0] == ':' && rest[1] == ' '
}

// nginxError reports whether a line is of nginx' error log:
//
//	2026/11/23 19:03:01 [error] 7#7: *1 open() "/…
func nginxError(line []byte) bool {
	head := line[:min(len(line), 120)]
	for from := 0; ; {
		i := bytes.IndexByte(head[from:], '#')
		if i < 0 {
			return false
		}
		i += from
		from = i + 1
		before, after := i, i+1
		for before > 0 && digit(head[before-1]) {
			before--
		}
		for after < len(head) && digit(head[after]) {
			after++
		}
		if before < i && after > i+1 && bytes.HasSuffix(head[:before], []byte("] ")) && after < len(head) &&
			head[after] == ':' {
			return true
		}
	}
}

// apacheError reports whether a line is of Apache's error log:
//
//	[Mon Nov 23 19:03:01.503 2026] [core:error] [pid 7:tid 1] [client …
func apacheError(line []byte) bool {
	head := line[:min(len(line), 120)]
	pid := bytes.Index(head, []byte("] [pid "))
	return pid > 0 && bytes.IndexByte(head[:pid], '[') == 0 && bytes.Contains(head[:pid], []byte("] ["))
}
