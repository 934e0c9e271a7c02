package detect

import "bytes"

// isIntroducer reports whether a word may stand between a request and its
// status.
func isIntroducer(word []byte) bool {
	switch string(word) {
	case "responded", "status", "Status", "STATUS", "code", "returned", "with", "completed", "Completed", "finished",
		"mit", "con", "avec", "estado", "statut", "código", "статус", "返回", "状态码", "响应",
		"response", "Response", "resp", "answered", "replied", "sent", "Sent", "result", "res", "statusCode",
		"StatusCode", "status_code", "failed", "HTTP", "http", "Outcome", "Error", "RES", "RESP":
		return true
	}
	return false
}

// isHedge reports whether a word tells what a request would do, not what it did.
func isHedge(word []byte) bool {
	switch string(word) {
	case "should", "must", "may", "might", "can", "could", "will", "would", "if", "when", "unless", "never", "always",
		"responds", "answers", "returns",
		"expect", "expects", "expected", "unexpected", "mocked", "stubbed":
		return true
	}
	return false
}

// isAnswer reports whether a word says that a program answers a request.
func isAnswer(word []byte) bool {
	switch string(word) {
	case "responded", "Responded", "answered", "Answered", "replied", "Replied", "sent", "Sent", "returned", "Returned":
		return true
	}
	return isAnswering(word)
}

// isAnswering reports whether a word says that a program answers just now.
func isAnswering(word []byte) bool {
	switch string(word) {
	case "returning", "Returning", "sending", "Sending", "responding", "Responding", "replying", "Replying",
		"answering", "Answering":
		return true
	}
	return false
}

// isAnswerFiller reports whether a word may stand between such a word and the status.
func isAnswerFiller(word []byte) bool {
	switch string(word) {
	case "with", "status", "code", "HTTP", "http", "a", "an":
		return true
	}
	return false
}

func isArrow(word []byte) bool {
	switch string(word) {
	case "-", "--", "->", "=>", "-->", "<--", "<-", ">", ">>", "→", "←", "➜", "—", "–", ":", "·", "//", "=", "::",
		"[-]":
		return true
	}
	return false
}

// isUnit reports whether a number before this word counts something.
func isUnit(word []byte) bool {
	switch string(word) {
	case "ms", "s", "sec", "secs", "second", "seconds", "msec", "msecs", "millis", "milliseconds", "us", "µs", "μs",
		"ns", "min", "minutes", "hours", "days",
		"B", "b", "byte", "bytes", "Bytes", "kB", "kb", "KB", "KiB", "MB", "MiB", "GB", "GiB", "%", "percent", "px",
		"item", "items", "row", "rows", "record", "records", "entry", "entries", "request", "requests", "reqs", "vars",
		"headers", "header",
		"connections", "users", "times", "files", "lines", "messages", "events", "objects", "keys", "chars",
		"characters", "threads",
		"workers", "tasks", "jobs", "points", "tokens", "retries", "attempts", "results", "products", "orders",
		"documents", "pages", "switches", "errors", "of", "dbevts":
		return true
	}
	return false
}

// isNumbered reports whether a number behind this word names something.
func isNumbered(word []byte) bool {
	switch string(word) {
	case "PID", "pid", "TID", "tid", "REQ", "Req", "Res", "id", "seq", "conn", "thread", "port", "line":
		return true
	}
	return false
}

// isNotAnswered reports whether a word behind a status and a request says that the program did not answer so:
// "is returned when", "retrying", "trying the next server".
func isNotAnswered(word []byte) bool {
	switch string(word) {
	case "is", "retrying", "trying":
		return true
	}
	return false
}

// isReceiving reports whether a number behind this word is the status that another server answered.
func isReceiving(word []byte) bool {
	switch string(word) {
	case "got", "Got", "received", "Received":
		return true
	}
	return false
}

// isDuration reports whether a word is a number with a unit of time: "1.2ms".
func isDuration(word []byte) bool {
	i := 0
	for i < len(word) && (digit(word[i]) || word[i] == '.') {
		i++
	}
	if i == 0 || i == len(word) || !digit(word[0]) {
		return false
	}
	switch word[i] {
	case 'n', 'm', 's', 'u', 'h', 0xc2, 0xce: // "ns", "µs" in either spelling, "1h2m"
		return !bytes.ContainsAny(word[i:], ":/=")
	}
	return false
}

func isKeyByte(c byte) bool { return alnum(c) || c == '_' || c == '-' || c == '.' || c == '@' }

// keyOf cuts what stands before a key: "request{method" is "method".
func keyOf(b []byte) []byte {
	i := len(b)
	for i > 0 && isKeyByte(b[i-1]) {
		i--
	}
	return b[i:]
}

// keyFollows reports whether b begins with "key=".
func keyFollows(b []byte) bool {
	i := 0
	for i < len(b) && i < 32 && isKeyByte(b[i]) {
		i++
	}
	return i > 0 && i < len(b) && b[i] == '='
}

// Words that say that a program speaks of a request of its own. The certain
// ones are names of client libraries and plain statements; the others count
// only where no path of the program's own server is named.
var (
	clientLibraries = newWordSet(
		"urllib3", "httpx", "http request:", "http client", "httpclient", "http_client", "http.client", "outgoing",
		"outbound",
		"axios", "guzzle", "faraday", "httparty", "resttemplate", "webclient", "okhttp", "feign", "resty", "restclient",
		"undici", "node-fetch", "clientresponse", "clientrequest",
	)
	clientWords = newWordSet(
		"outgoing", "outbound", "retrying", "will retry", "client request", "client response", "upstream request",
		"upstream call", "upstream roundtrip",
		"upstream response", "upstream api", "upstream service", "third-party", "third party", "got response",
		"received response", "downstream call", "downstream service", "probe failed", "external api", "external call",
		"httpx", "urllib3", "axios", "http client", "httpclient", "clientresponse", "api call", "http call", "call to ",
		"http.client.",
		"received http response", "request failed with status code", "stripe api", "network request", "networkclient",
		"[output:", // Fluent Bit's plugins
		"[hc]",     // Envoy's health checks
	)
	perhapsClient = newWordSet(
		"fetch", "webhook", "calling", "external", "request to ", "response from", "upstream", "returned by", "sending",
		"dependency", "provider", "retry",
		"downstream", "remote", "partner", "delivery", "health check", "healthcheck", "health_check",
		"poll", "watchdog", "monitored", "scrap", "post to ", "push to ", "from api", "callback", "notify", "monitor:",
		"[monitor]", "[check]", "[probe]", "uptime:",
		"curl ", "s3 responded", "s3 returned", "gateway answered", "gateway responded", "gateway returned",
		"service answered", "service responded",
		"service returned", "api answered", "api responded", "api returned",
	)
	// clientRoles are perhapsClient too, but not as the name of what logs: "[proxy]", "proxy.go:31:".
	clientRoles = newWordSet("proxy", "backend")
	hedges      = newWordSet("expect", "should ", "mock", "stub", "assert", "e.g.", "for example", "docs:", "route ",
		"fault injection")
	accessWords = newWordSet("access", "handled", "served")
	// accessMessages are what a program logs once for each request that it answered.
	accessMessages = newWordSet("request completed", "request finished", "request handled", "request served",
		"request errored", "handled request", "completed request", "finished request", "served request")
	// serverWords are what a message says of a request that came in.
	serverWords = newWordSet(
		"request completed", "completed", "handled", "served", "access", "finished", "processed", "incoming",
		"responded", "http request", "request errored",
		"request failed", "request end", "response sent", "request", "response",
	)
)

// outgoing reports whether the words before a request make it the program's
// own.
func (w *walker) outgoing(before []byte, r request, how seen, protoBefore bool) bool {
	if how == quoted {
		if absolute(r.target) && !r.version && !contains(before, accessWords) {
			return true
		}
		return contains(before, clientLibraries)
	}
	if i := bytes.LastIndexByte(before, '|'); i >= 0 {
		before = before[i:] // the name that docker compose puts there is no word
	}
	before = before[syslogHead(before):]
	if contains(before, clientWords) || perhaps(before) || contains(before, hedges) {
		return true
	}
	return (r.hosted || absolute(r.target) && !w.ownAbsolute(r)) && !protoBefore && !w.finished &&
		(w.early == 0 || w.told) && !contains(before, accessWords)
}

// perhaps reports whether a text has words that may mean a request of the program's own.
func perhaps(text []byte) bool {
	if contains(text, perhapsClient) {
		return true
	}
	for at := skipSpace(text, 0); at < len(text); {
		end := wordEnd(text, at)
		word := text[at:end]
		if !bytes.ContainsAny(word, "[]=.") && word[len(word)-1] != ':' && contains(word, clientRoles) {
			return true
		}
		at = skipSpace(text, end)
	}
	return false
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
