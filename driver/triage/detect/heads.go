package detect

import "bytes"

// maxHeads is how many heads before a program's own line are passed over: a
// container runtime's time, compose's name, syslog's.
const maxHeads = 3

// wrapped returns where the program's own line begins, behind what log
// collectors put before it:
//
//	web-1  | …                               docker compose, foreman
//	2026-03-01T10:02:11.123456789Z stderr F  CRI, docker logs --timestamps
//	Mar  1 10:02:11 host app[123]:           syslog, journald
func wrapped(line []byte) int {
	at := 0
	for range maxHeads {
		rest := line[at:]
		blank := skipSpace(rest, 0)
		rest = rest[blank:]
		n := composeHead(rest)
		if n == 0 {
			n = timeHead(rest)
		}
		if n == 0 {
			n = syslogHead(rest)
		}
		if n == 0 {
			return at + blank
		}
		at += blank + n
	}
	return skipSpace(line, at)
}

// composeHead returns the length of "name-1  | ", 0 for none.
func composeHead(b []byte) int {
	i, named := 0, false
	for i < len(b) && i < maxKey && (isKeyByte(b[i]) || b[i] == '[' || b[i] == ']') {
		named = named || letter(b[i])
		i++
	}
	if !named || isMethodFold(b[:i]) {
		return 0
	}
	bar := skipSpace(b, i)
	if bar == i || bar+1 >= len(b) || b[bar] != '|' || b[bar+1] != ' ' {
		return 0
	}
	if isLevel(trim(b[:i])) {
		return 0 // as loguru has it
	}
	return bar + 2
}

// timeHead returns the length of "2026-03-01T10:02:11.1Z " and of a stream and
// a flag behind it, 0 for none.
func timeHead(b []byte) int {
	if len(b) < 21 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || !digit(b[0]) {
		return 0
	}
	end := wordEnd(b[:min(len(b), maxKey)], 0)
	if end < 20 || end == len(b) || !space(b[end]) || b[end-1] != 'Z' && !bytes.ContainsAny(b[19:end], "+-") {
		return 0
	}
	end++
	for _, stream := range [...]string{"stdout F ", "stderr F ", "stdout P ", "stderr P "} {
		if bytes.HasPrefix(b[end:], []byte(stream)) {
			return end + len(stream)
		}
	}
	return end
}

// objectAt reports whether an object begins at b[i]: a brace and a key in
// quotes, with or without blanks in between.
func objectAt(b []byte, i int) bool {
	if i >= len(b) || b[i] != '{' {
		return false
	}
	for i++; i < len(b) && b[i] == ' '; i++ {
	}
	return i < len(b) && (b[i] == '"' || b[i] == '\'')
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
	head, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if head < 0 || last-head < 4 || len(line)-last < 10 || !all(line[last+1:], digit) {
		return false
	}
	comma := bytes.IndexByte(line[:head], ',')
	return comma > 0 && all(line[:comma], isKeyByte) && bytes.IndexByte(line[comma:head], '=') > 1 &&
		bytes.IndexByte(line[head:last], '=') > 1
}

// testResult reports whether a line is a test runner's: of the Test Anything
// Protocol, as "ok 500 - GET / answers 503", or one that begins with a verdict.
func testResult(line []byte) bool {
	tap := bytes.TrimPrefix(line, []byte("not "))
	if bytes.HasPrefix(tap, []byte("ok ")) && len(tap) > 3 && digit(tap[3]) {
		return true
	}
	line = bytes.TrimLeft(line[:min(len(line), 32)], " -[*\t")
	for _, begin := range [...]string{"it('", `it("`, "test('", `test("`, "describe('", `describe("`, "assert "} {
		if bytes.HasPrefix(line, []byte(begin)) {
			return true // a test's source
		}
	}
	switch word := trim(line[:wordEnd(line, 0)]); string(word) {
	case "FAIL", "PASS", "FAILED", "PASSED", "AssertionError", "✓", "✗", "✕", "✔", "✘", "×", "√":
		return true
	}
	return false
}

// document reports whether a line is a text's about requests, or a row of a
// table: "* `POST /login` → 500", " 17 | GET | /path | 500".
func document(line []byte) bool {
	for _, bullet := range [...]string{"* `", "- `", "## ", "### ", "| `"} {
		if bytes.HasPrefix(line, []byte(bullet)) {
			return true
		}
	}
	if bytes.Contains(line, []byte("%) |")) {
		return true // Locust's table: "GET /path 500 0(0.00%) | 12"
	}
	i := skipSpace(line, 0)
	if bytes.HasPrefix(line[i:], []byte("# ")) {
		return true // a comment
	}
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

// logcat reports whether a line is of Android's log, "D/OkHttp ( 812): …": a
// telephone is no server.
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

// failureBefore reports whether a text names an exception, whose message the
// object behind it is: "feign.FeignException$X: [500] … {", "ApiError: {".
func failureBefore(text []byte) bool {
	text = text[max(0, len(text)-maxBefore):]
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(": "))
		if i < 0 {
			return false
		}
		i += from
		from = i + 2
		name := text[max(0, i-maxKey):i]
		name = name[bytes.LastIndexByte(name, ' ')+1:]
		if len(name) > 7 && letter(name[0]) &&
			(bytes.HasSuffix(name, []byte("Error")) || bytes.HasSuffix(name, []byte("Exception")) ||
				bytes.Contains(name, []byte("Exception$"))) {
			return true
		}
	}
}

// host returns the length of a host that begins at b[i] and has a path behind
// it, as "api.example.com/users" has; 0 for none.
func host(b []byte, i int) int {
	from, dot := i, false
	for i < len(b) && i < from+253 && (alnum(b[i]) || b[i] == '.' || b[i] == '-' || b[i] == ':') {
		dot = dot || b[i] == '.' && i > from && alnum(b[i-1])
		i++
	}
	if i == from || i == len(b) || b[i] != '/' || !alnum(b[from]) ||
		!dot && !bytes.HasPrefix(b[from:], []byte("localhost")) {
		return 0
	}
	if bytes.HasPrefix(b[i:], []byte("//")) {
		return 0 // a scheme
	}
	return i - from
}

// addressed reports whether an address is at b[i]: "10.0.0.1", "[::1]:80".
func addressed(b []byte, i int) bool {
	end := wordEnd(b[:min(len(b), i+2*maxKey)], i)
	return i < end &&
		(b[i] == '[' || digit(b[i]) || bytes.IndexByte(b[i:end], '.') > 0 || bytes.IndexByte(b[i:end], ':') > 0)
}

// isAmount reports whether a value is a number, with a unit of time or without.
func isAmount(value []byte) bool {
	return isDuration(value) || all(value, func(c byte) bool { return digit(c) || c == '.' })
}

// durationAt reports whether a duration is at b[i]: "12ms", "12 ms", "1.5".
func durationAt(b []byte, i int) bool {
	end := wordEnd(b[:min(len(b), i+maxKey)], i)
	word := trim(b[i:end])
	if isDuration(word) {
		return true
	}
	if !all(word, func(c byte) bool { return digit(c) || c == '.' }) {
		return false
	}
	at := skipSpace(b, end)
	switch string(trim(b[at:wordEnd(b[:min(len(b), at+maxKey)], at)])) {
	case "ms", "s", "sec", "secs", "seconds", "us", "µs", "μs", "ns", "milliseconds", "msecs", "":
		return true
	}
	return false
}
