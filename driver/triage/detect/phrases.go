package detect

import "bytes"

// verb judges a word after which frameworks put the status of an answer whose
// request they logged before: "Completed 500 Internal Server Error in 12ms".
func (w *walker) verb(word []byte) (Match, bool) {
	switch string(word) {
	case "Completed", "Sent", "Chunked", "Returned", "responded":
		return w.completed(string(word))
	}
	if isAnswering(word) {
		return w.answer()
	}
	return Match{}, false
}

// answer reads what follows the word of a program that answers just now. Something
// must say that the number is a status:
//
//	returning 503 to client
//	Sending 500 ("Server Error") response    Sails
//	responding with HTTP 502 Bad Gateway
func (w *walker) answer() (Match, bool) {
	b := w.b
	at := skipSpace(b, w.i)
	for range 3 {
		end := wordEnd(b[:min(len(b), at+maxKey)], at)
		if !isAnswerFiller(b[at:end]) {
			break
		}
		at = skipSpace(b, end)
	}
	if at+3 > len(b) {
		return Match{}, false
	}
	status, ok := number(b[at : at+3])
	if at += 3; !ok || at < len(b) && alnum(b[at]) {
		return Match{}, false
	}
	end := afterReason(b, at, status)
	rest := b[end:min(len(b), end+maxKey)]
	if i := bytes.IndexByte(rest, ')'); i > 0 && bytes.HasPrefix(rest, []byte(" (")) {
		rest = rest[i+1:]
	}
	for _, phrase := range [...]string{" to client", " to the client", " to caller", " to the caller", " response"} {
		if after, ok := bytes.CutPrefix(rest, []byte(phrase)); ok && (len(after) == 0 || !alnum(after[0])) {
			return w.decide(status, "completed"), true
		}
	}
	if end > at && len(rest) == 0 {
		return w.decide(status, "completed"), true
	}
	return Match{}, false
}

// completed reads what follows such a word.
func (w *walker) completed(verb string) (Match, bool) {
	b := w.b
	rails := verb == "Completed"
	at := skipSpace(b, w.i)
	if rails && at < len(b) && b[at] == '/' { // Macaron: Completed /path 500 Internal Server Error in 12ms
		end := wordEnd(b, at)
		w.facts.path = pathOf(b[at:end])
		at = skipSpace(b, end)
	}
	if at+3 > len(b) {
		return Match{}, false
	}
	status, ok := number(b[at : at+3])
	if !ok {
		return Match{}, false
	}
	at += 3
	if at < len(b) && !space(b[at]) && b[at] != ',' {
		return Match{}, false
	}
	next := skipSpace(b, at)
	if rails && (next == len(b) || b[next] == ',' || reason(status, b[next:])) {
		return w.decide(status, "completed"), true
	}
	if verb == "Sent" && next < len(b) && reason(status, b[next:]) { // Lucky: Sent 500 Internal Server Error (1.2ms)
		rest := b[next:min(len(b), next+maxKey)] // the longest reason has 31 bytes
		if open := bytes.IndexByte(rest, '('); open >= 0 && isDuration(bytes.TrimRight(rest[open+1:], ")")) {
			return w.decide(status, "completed"), true
		}
	}
	if bytes.HasPrefix(b[next:], []byte("in ")) && durationAt(b, skipSpace(b, next+3)) {
		return w.decide(status, "completed"), true
	}
	return Match{}, false
}

// leading judges a status that begins a message, with its reason:
//
//	500 Server Error for HTTP GET "/items/0"          Spring WebFlux
//	500 Internal Server Error: GET - /items in 12ms   Ktor
//	500 Internal Server Error (0.012s, 81.2/s)        Mojolicious
func (w *walker) leading(status int) (Match, bool) {
	b := w.b
	at := skipSpace(b, w.i)
	rest := b[at:min(len(b), at+64)]
	if status >= 500 && !reason(status, rest) || len(rest) == 0 || !upper(rest[0]) {
		return Match{}, false
	}
	if after, ok := bytes.CutPrefix(rest, []byte("Server Error for HTTP ")); ok {
		if r, _, ok := bareRequest(b, at+len(rest)-len(after)); ok {
			w.req, w.how = r, bare
		}
		return w.decide(status, "spring"), true
	}
	i := 0
	for i < len(rest) && (letter(rest[i]) || rest[i] == ' ' || rest[i] == '-') {
		i++
	}
	if i+3 > len(rest) {
		return Match{}, false
	}
	switch {
	case rest[i] == ':' && rest[i+1] == ' ':
		method := rest[i+2:]
		end := 0
		for end < len(method) && letter(method[end]) {
			end++
		}
		if isMethod(method[:end]) && bytes.HasPrefix(method[end:], []byte(" - /")) {
			from := at + i + 2 + end + 3
			w.req, w.how = request{method: method[:end], target: b[from:wordEnd(b, from)]}, bare
			return w.decide(status, "ktor"), true
		}
	case bytes.HasPrefix(rest[i:], []byte("] s3.")): // [500 Internal Server Error] s3.PutObject host/bucket/key
		return w.decide(status, "minio"), true
	case rest[i] == '(' && digit(rest[i+1]) && bytes.Contains(rest[i:], []byte("s, ")) &&
		bytes.Contains(rest[i:], []byte("/s)")):
		return w.decide(status, "mojolicious"), true
	}
	return Match{}, false
}

// squid reads "TCP_MISS/503 3931 GET http://…".
func (w *walker) squid(word []byte) (Match, bool) {
	i := bytes.IndexByte(word, '/')
	if i < 4 || len(word) != i+4 || !all(word[:i], func(c byte) bool { return upper(c) || c == '_' }) {
		return Match{}, false
	}
	status, ok := number(word[i+1:])
	if !ok || w.i == len(w.b) || !space(w.b[w.i]) {
		return Match{}, false
	}
	at := skipSpace(w.b, w.i)
	end := wordEnd(w.b, at)
	if !all(w.b[at:end], digit) {
		return Match{}, false
	}
	at = skipSpace(w.b, end)
	end = wordEnd(w.b, at)
	if end-at < 3 || !all(w.b[at:end], func(c byte) bool { return upper(c) || c == '_' || c == '-' }) {
		return Match{}, false
	}
	// The target may have any scheme: ftp://, urn:, cache_object://.
	method, at := w.b[at:end], skipSpace(w.b, end)
	if end = wordEnd(w.b, at); end == at {
		return Match{}, false
	}
	w.req, w.how = request{method: method, target: w.b[at:end]}, bare
	return w.decide(status, "squid"), true
}

// stated are phrases behind which a framework puts the status it answered.
var stated = [...]struct {
	phrase string
	rule   string
}{
	{"Outcome: Error(", "rocket"},
	{"Outcome: Failure(", "rocket"},
	{"Responding with registered ", "rocket"},
	{"Responding with ", "rocket"},
	{"HttpResponse(", "akka"},
	{"Completing with ", "akka"},
	{"Internal server error, sending ", "akka"},
	{"[request error] [unhandled] [", "nuxt"},
	{"[request error] [fatal] [", "nuxt"},
	{"Server: http/1.1 Response ", "emby"},
	{"classification=Status code: ", "tower"},
	{"classification: Status code: ", "tower"},
	{"generic_server: Response: error ", "garage"},
	{"Method completed with status: ", "apigateway"},
	{"writeError: status=", "jetty"},
	{"response.start', 'status': ", "asgi"}, // Uvicorn's, with --log-level=trace
	{" RespStatus     ", "varnish"},         // varnishlog's, of the client; "BerespStatus" is the backend's
	{" RespStatus     c ", "varnish"},
}

// told are phrases that come in two parts, with the request between them.
var told = [...]struct{ begin, status, rule string }{
	{"Finished :", " Status: ", "ring"},
	{"litestar - middleware - ", "HTTP Response: status_code=", "litestar"},
	{"Function execution took ", "inished with status code: ", "gcf"},
	{"localstack.request.", " => ", "localstack"},
	{"Responding with registered (", ") ", "rocket"},
	{" response status for '", " seconds: ", "radicale"},
	{"h.s.m.", " - HTTP/1.1 ", "http4s"},
	{"http4s.server.middleware", " - HTTP/1.1 ", "http4s"},
}

// phrases decides a line by what frameworks write in words. No quote may stand
// before a phrase: in quotes are other people's words.
func (w *walker) phrases() Match {
	head := w.b
	if i := bytes.IndexByte(head, '"'); i >= 0 {
		head = head[:i]
	}
	for _, s := range stated {
		if status, ok := behind(head, s.phrase); ok {
			return w.decide(status, s.rule)
		}
	}
	for _, s := range told {
		if i := bytes.Index(head, []byte(s.begin)); i >= 0 {
			if status, ok := behind(head[i:], s.status); ok {
				return w.decide(status, s.rule)
			}
		}
	}
	// Haskell's wai-extra: "  Status: 503 Service Unavailable 0.2003s".
	if line := bytes.TrimLeft(head, " "); bytes.HasPrefix(line, []byte("Status: ")) &&
		isDuration(line[bytes.LastIndexByte(line, ' ')+1:]) {
		if status, ok := behind(line, "Status: "); ok && reason(status, bytes.TrimLeft(line[11:], " ")) {
			return w.decide(status, "wai")
		}
	}
	if m, ok := w.finishedIn(head); ok {
		return m
	}
	if i := bytes.Index(head, []byte("Converted error ")); i >= 0 {
		rest := head[i:]
		if j := bytes.Index(rest, []byte(" to ")); j >= 0 && len(rest) >= j+16 &&
			bytes.HasPrefix(rest[j+7:], []byte(" response")) {
			if status, ok := number(rest[j+4 : j+7]); ok {
				return w.decide(status, "phoenix")
			}
		}
	}
	if m, ok := w.responded(head); ok {
		return m
	}
	if m, ok := implied(w.b, head); ok {
		return m
	}
	if m, ok := djangoError(head); ok {
		return m
	}
	m, _ := flaskError(head)
	return m
}

// behind reads the status right behind a phrase.
func behind(head []byte, phrase string) (int, bool) {
	i := bytes.Index(head, []byte(phrase))
	at := i + len(phrase)
	if i < 0 || at+3 > len(head) || at+3 < len(head) && alnum(head[at+3]) {
		return 0, false
	}
	return number(head[at : at+3])
}

// finishedIn reads ASP.NET Core 2 and 3: "Request finished in 71.1ms 500".
func (w *walker) finishedIn(head []byte) (Match, bool) {
	const phrase = "Request finished in "
	i := bytes.Index(head, []byte(phrase))
	if i < 0 {
		return Match{}, false
	}
	at := i + len(phrase)
	end := wordEnd(head, at)
	if !isDuration(head[at:end]) {
		return Match{}, false
	}
	at = skipSpace(head, end)
	status, ok := number(head[at:wordEnd(head, at)])
	return Match{Status: status, Rule: "kestrel"}, ok
}

// djangoPhrases are how Django's logger django.request begins its line for an
// answer of 5xx: the reason and the path.
var djangoPhrases = [...]struct {
	phrase string
	status int
}{
	{"Internal Server Error: /", 500},
	{"Not Implemented: /", 501},
	{"Bad Gateway: /", 502},
	{"Service Unavailable: /", 503},
	{"Gateway Timeout: /", 504},
	{"Insufficient Storage: /", 507},
}

func djangoError(head []byte) (Match, bool) {
	if !bytes.Contains(head, []byte(": /")) {
		return Match{}, false
	}
	for _, p := range djangoPhrases {
		i := bytes.Index(head, []byte(p.phrase))
		if i < 0 || i > 0 && alnum(head[i-1]) ||
			i > 1 && head[i-1] == ' ' && digit(head[i-2]) && bytes.HasSuffix(head[:i-1], []byte("HTTP")) {
			continue
		}
		path := head[i+len(p.phrase)-1:]
		if end := bytes.IndexByte(path, ' '); end >= 0 {
			// A path may have blanks, prose after one has words.
			if bytes.Count(path, []byte(" ")) > 2 {
				continue
			}
			path = path[:end]
		}
		return Match{Status: p.status, Path: pathOf(path), Rule: "django"}, true
	}
	return Match{}, false
}

// refused reports whether a label is the end of Django's line for an answer of
// 4xx: "Not Found: /path", "Forbidden (CSRF cookie not set.): /path". The path
// that follows is decoded, so it may hold any words.
func (w *walker) refused(label []byte) bool {
	at := skipSpace(w.b, w.i)
	if at == len(w.b) || w.b[at] != '/' {
		return false
	}
	switch string(label) {
	case "Found", "Request", "Forbidden", "Unauthorized", "Gone", "Allowed", "Acceptable", "Conflict", "Large", "Type",
		"Required", "Content", "Entity", "Requests":
		return true
	}
	return w.i >= 2 && w.b[w.i-2] == ')'
}

// errorLog reports whether a line is of nginx' or Apache's error log, which
// has no status, and in which a decoded path may hold any words:
//
//	2026/11/23 19:03:01 [error] 7#7: *1 open() "/…
//	[Mon Nov 23 19:03:01.503 2026] [core:error] [pid 7:tid 1] [client …
func errorLog(line []byte) bool {
	head := line[:min(len(line), 120)]
	for from := 0; ; {
		i := bytes.IndexByte(head[from:], '#')
		if i < 0 {
			break
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
	pid := bytes.Index(head, []byte("] [pid "))
	return pid > 0 && bytes.IndexByte(head[:pid], '[') == 0 && bytes.Contains(head[:pid], []byte("] ["))
}

// flaskError reads "Exception on /path [GET]", Flask's line for an answer of
// 500.
func flaskError(head []byte) (Match, bool) {
	const phrase = "Exception on /"
	i := bytes.Index(head, []byte(phrase))
	if i < 0 || head[len(head)-1] != ']' {
		return Match{}, false
	}
	rest := head[i+len(phrase)-1:]
	open := bytes.LastIndexByte(rest, '[')
	if open < 2 || !isMethod(rest[open+1:len(rest)-1]) {
		return Match{}, false
	}
	return Match{Status: 500, Method: rest[open+1 : len(rest)-1], Path: pathOf(rest[:open-1]), Rule: "flask"}, true
}
