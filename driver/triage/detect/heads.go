package detect

import "bytes"

// maxHeads is how many heads before a program's own line are passed over: a
// container runtime's time, compose's name, syslog's.
const maxHeads = 3

// headRules are what log collectors put before a program's own line. Each returns the
// length of its head at a text's beginning, 0 if there is none.
var headRules = []rule[func(b []byte) int]{
	{
		name:    "Docker Compose",
		doc:     "The name of a service or a process stands before a bar; foreman writes so too.",
		example: `web-1  | ERROR:tornado.access:500 POST /login (192.0.2.69) 1.66ms`,
		finds:   finds(500, "status-request"),
		read:    composeHead,
	},
	{
		name:    "CRI",
		doc:     "A time, a stream and a flag; `docker logs --timestamps` writes the time alone.",
		example: `2026-12-05T01:52:59.248317968Z stderr F ERROR:tornado.access:500 POST /login (192.0.2.69) 1.66ms`,
		finds:   finds(500, "status-request"),
		read:    timeHead,
	},
	{
		name:    "syslog",
		doc:     "A time without a year, a host and a program; journald writes so too.",
		example: `Mar  1 10:02:11 node-2 app[123]: ERROR:tornado.access:500 POST /login (192.0.2.69) 1.66ms`,
		finds:   finds(500, "status-request"),
		read:    syslogHead,
	},
}

// wrapped returns where the program's own line begins, behind what log
// collectors put before it.
func wrapped(line []byte) int {
	at := skipSpace(line, 0)
	for range maxHeads {
		n := 0
		for i := 0; n == 0 && i < len(headRules); i++ {
			n = headRules[i].read(line[at:])
		}
		if n == 0 {
			break
		}
		at = skipSpace(line, at+n)
	}
	return at
}

// composeHead returns the length of "name-1  | ", 0 for none.
func composeHead(b []byte) int {
	i, named := 0, false
	for i < len(b) && i < maxKey && (isKeyByte(b[i]) || b[i] == '[' || b[i] == ']') {
		named = named || letter(b[i])
		i++
	}
	bar := skipSpace(b, i)
	if !named || bar == i || bar+1 >= len(b) || b[bar] != '|' || b[bar+1] != ' ' {
		return 0
	}
	if isMethodFold(b[:i]) || meansFold(trim(b[:i]), levels) {
		return 0 // loguru writes "INFO | "
	}
	return bar + 2
}

// syslogHead returns where syslog's head ends, in which a host and a program
// have names: "Mar  2 10:21:00 px1 proxy-server: ".
func syslogHead(b []byte) int {
	if len(b) < 20 || !upper(b[0]) || !letter(b[1]) || !letter(b[2]) || b[3] != ' ' || b[6] != ' ' || b[9] != ':' ||
		b[12] != ':' || b[15] != ' ' {
		return 0
	}
	tag := skipSpace(b, wordEnd(b, 16))
	end := wordEnd(b, tag)
	if end == tag || b[end-1] != ':' {
		return 0
	}
	return end
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
