package detect

import "bytes"

// This file reads the statuses of servers and frameworks with an order of their own.

// haproxy ends the walk at the status behind HAProxy's timers; the request is
// the line's last string.
func haproxy(w *walker, t *token) outcome {
	if t.before != timers || string(t.word) != "-1" && (t.status == 0 || len(t.word) != 3) {
		return pass
	}
	m := Match{Status: t.status, Rule: "haproxy"}
	for w.next() {
		if w.b[w.i] == '"' {
			if r, ok := quotedRequest(w.b, w.i); ok {
				m.Method, m.Path = r.method, pathOf(r.target)
				break
			}
		}
		for w.i < len(w.b) && !space(w.b[w.i]) {
			w.i++
		}
	}
	return w.end(m)
}

// squid reads "TCP_MISS/503 3931 GET http://…".
func squid(w *walker, t *token) outcome {
	b, word := w.b, t.word
	i := bytes.IndexByte(word, '/')
	if i < 4 || len(word) != i+4 || !all(word[:i], func(c byte) bool { return upper(c) || c == '_' }) {
		return pass
	}
	status, ok := number(word[i+1:])
	if !ok || w.i == len(b) || !space(b[w.i]) {
		return pass
	}
	at := skipSpace(b, w.i)
	end := wordEnd(b, at)
	if !all(b[at:end], digit) {
		return pass
	}
	at = skipSpace(b, end)
	end = wordEnd(b, at)
	if end-at < 3 || !all(b[at:end], func(c byte) bool { return upper(c) || c == '_' || c == '-' }) {
		return pass
	}
	// The target may have any scheme: ftp://, urn:, cache_object://.
	method, at := b[at:end], skipSpace(b, end)
	if end = wordEnd(b, at); end == at {
		return pass
	}
	w.req.set(request{method: method, target: b[at:end]}, bare)
	return w.decide(status, "squid")
}

// reasonBehind returns the reason that follows a status before any request, and what is
// behind it on the line: at is where the reason begins, and rest[end:] follows it.
func reasonBehind(w *walker, t *token) (at, end int, rest []byte) {
	at = skipSpace(w.b, w.i)
	rest = w.b[at:min(len(w.b), at+64)]
	if t.status >= firstStatus && !reason(t.status, rest) || len(rest) == 0 || !upper(rest[0]) {
		return at, 0, nil
	}
	for end < len(rest) && (letter(rest[end]) || rest[end] == ' ' || rest[end] == '-') {
		end++
	}
	return at, end, rest
}

// spring reads "500 Server Error for HTTP GET "/items/0"".
func spring(w *walker, t *token) outcome {
	at, _, rest := reasonBehind(w, t)
	after, ok := bytes.CutPrefix(rest, []byte("Server Error for HTTP "))
	if !ok {
		return pass
	}
	if r, _, ok := bareRequest(w.b, at+len(rest)-len(after)); ok {
		w.req.set(r, bare)
	}
	return w.decide(t.status, "spring")
}

// ktor reads "500 Internal Server Error: GET - /items in 12ms".
func ktor(w *walker, t *token) outcome {
	at, end, rest := reasonBehind(w, t)
	method, ok := bytes.CutPrefix(rest[end:], []byte(": "))
	if !ok || len(method) == 0 {
		return pass
	}
	n := 0
	for n < len(method) && letter(method[n]) {
		n++
	}
	if !isMethod(method[:n]) || !bytes.HasPrefix(method[n:], []byte(" - /")) {
		return pass
	}
	from := at + end + len(": ") + n + len(" - ")
	w.req.set(request{method: method[:n], target: w.b[from:wordEnd(w.b, from)]}, bare)
	return w.decide(t.status, "ktor")
}

// minio reads "[500 Internal Server Error] s3.PutObject host/bucket/key".
func minio(w *walker, t *token) outcome {
	if _, end, rest := reasonBehind(w, t); bytes.HasPrefix(rest[end:], []byte("] s3.")) {
		return w.decide(t.status, "minio")
	}
	return pass
}

// mojolicious reads "500 Internal Server Error (0.012s, 81.2/s)".
func mojolicious(w *walker, t *token) outcome {
	_, end, rest := reasonBehind(w, t)
	if rest = rest[end:]; len(rest) > 2 && rest[0] == '(' && digit(rest[1]) && bytes.Contains(rest, []byte("s, ")) &&
		bytes.Contains(rest, []byte("/s)")) {
		return w.decide(t.status, "mojolicious")
	}
	return pass
}

// routed reads a status in brackets before a path without a method, Astro's
// "[500] /about 12ms", and "[500]: /index.php - Uncaught …" of PHP's own server before 7.4.
func routed(w *walker, t *token) outcome {
	b, from := w.b, t.from
	if from == 0 || b[from-1] != '[' || w.i == len(b) || !space(b[w.i]) {
		return pass
	}
	php := from > 2 && b[w.i-1] == ':' && digit(b[from-3]) && bytes.IndexByte(b[:from], ']') > 0
	path := skipSpace(b, w.i)
	if path == len(b) || b[path] != '/' {
		return pass
	}
	end := wordEnd(b, path)
	at := skipSpace(b, end)
	ends := (php || from == 1) && (at == len(b) || bytes.HasPrefix(b[at:], []byte("- ")))
	if !ends && !isDuration(b[at:]) {
		return pass
	}
	w.decide(t.status, "status-request")
	w.match.Path = pathOf(b[path:end])
	return decided
}

// timersWord reads HAProxy's five times: "0/-1/-1/-1/+0".
func timersWord(w *walker, t *token) outcome {
	slashes := 0
	for _, c := range t.word {
		switch {
		case c == '/':
			slashes++
		case !digit(c) && c != '-' && c != '+':
			return pass
		}
	}
	if slashes != 4 {
		return pass
	}
	return w.readAs(timers)
}
