package detect

import "bytes"

// impliedRules are lines that frameworks write for each request that they answer
// with 500 and nothing else names. All words must stand in the line in this
// order; the path stands behind path, if that is set.
var impliedRules = [...]struct {
	rule   string
	words  [][]byte
	path   []byte
	inHead bool // before any quote
}{
	{"undertow", texts("UT005023: Exception handling request to "), []byte("request to "), true},
	{"quarkus", texts("HTTP Request to ", " failed, error id: "), []byte("HTTP Request to "), true},
	{"tomcat", texts("Servlet.service() for servlet [", " threw exception"), nil, true},
	{"asgi", texts("Exception in ASGI application"), nil, true},
	{"symfony", texts("request.CRITICAL: Uncaught PHP Exception "), nil, true},
	{"keycloak", texts("org.keycloak.services.error.KeycloakErrorHandler", "Uncaught server error"), nil, true},
	{"aiohttp", texts("aiohttp.server", "Error handling request"), nil, true},
	{"litestar", texts("litestar", "Uncaught exception (connection_type=http, path="), []byte("path="), true},
	{"play", texts("Internal server error, for ("), []byte(") ["), true},
	{"arr", texts("ErrorPipeline: Request Failed. "), nil, true},
	{"jellyfin", texts("ExceptionMiddleware: Error processing request. URL "), nil, true},
	{"kestrel", texts("An unhandled exception has occurred while executing the request."), nil, true},
	{"nest", texts("[ExceptionsHandler] "), nil, true},
	{"nest", texts("GlobalExceptionFilter", "Unknown error: "), nil, true},
	{"ktor", texts("Unhandled: ", " - /", "xception"), []byte(" - "), true},
	{"vertx", texts("Unhandled exception in router"), nil, true},
	{"micronaut", texts("RouteExecutor", "Unexpected error occurred: "), nil, true},
	{"dropwizard", texts("LoggingExceptionMapper: Error handling a request: "), nil, true},
	{"javalin", texts("io.javalin.Javalin", " Uncaught exception"), nil, true},
	{"helidon", texts("Default error handler: Unhandled exception encountered"), nil, true},
	{"http4s", texts("Error servicing request: "), nil, true},
	{"jenkins", texts("Error while serving http"), []byte("serving "), true},
	{"gunicorn", texts("[ERROR] Error handling request /"), []byte("request "), true},
	{"waitress", texts("Exception while serving /"), []byte("serving "), true},
	{"daphne", texts("Exception inside application: "), nil, true},
	{"hypercorn", texts("Error in ASGI Framework"), nil, true},
	{"granian", texts("Application callable raised an exception"), nil, true},
	{"sanic", texts("Exception occurred while handling uri: "), nil, true},
	{"falcon", texts("[FALCON] Unhandled exception in "), nil, true},
	{"puma", texts("Rack app error handling request { "), nil, true},
	{"unicorn", texts("ERROR -- : app error: "), nil, true},
	{"hapi", texts("Debug: internal, implementation, error"), nil, true},
	{"nitro", texts("[request error] [unhandled] [", "] http"), nil, true},
	{
		"kestrel", texts(`Connection id "`, `Request id "`, "An unhandled exception was thrown by the application."),
		nil, false,
	},
}

// implied decides a line that stands for an answer of 500 without its number.
func implied(line, head []byte) (Match, bool) {
	for i := range impliedRules {
		r := &impliedRules[i]
		text := line
		if r.inHead {
			text = head
		}
		rest, ok := text, true
		for _, word := range r.words {
			at := bytes.Index(rest, word)
			if ok = at >= 0; !ok {
				break
			}
			rest = rest[at+len(word):]
		}
		if !ok {
			continue
		}
		m := Match{Status: firstStatus, Rule: r.rule}
		switch at := bytes.Index(text, r.path); {
		case r.path != nil && at >= 0:
			if target := text[at+len(r.path):]; len(target) > 0 && target[0] == '/' {
				m.Path = pathOf(bytes.TrimRight(target[:wordEnd(target, 0)], ",:)]"))
			}
			if r.rule == "play" {
				method := text[bytes.Index(text, []byte("for ("))+len("for ("):]
				m.Method = method[:wordEnd(method, 0)]
				m.Method = bytes.TrimRight(m.Method, ")")
			}
		case r.rule == "arr" || r.rule == "jellyfin" || r.rule == "http4s" || r.rule == "puma":
			if req, _, ok := bareRequest(rest, 0); ok {
				m.Method, m.Path = req.method, pathOf(bytes.TrimRight(req.target, "."))
			}
		}
		return m, true
	}
	return Match{}, false
}

// symfonyJSON decides an object of Monolog's for an exception that Symfony answers with 500.
func symfonyJSON(line []byte) Match {
	for _, word := range symfonyKeys {
		if !bytes.Contains(line, word) {
			return Match{}
		}
	}
	return Match{Status: firstStatus, Rule: "symfony"}
}

var symfonyKeys = texts(`"message":"Uncaught PHP Exception `, `"level_name":"CRITICAL"`, `"channel":"request"`)

// mayBePhrase is the part of mayReport for phrases without a status in them.
func mayBePhrase(head []byte) bool {
	if bytes.Contains(head, []byte(": /")) || bytes.HasSuffix(head, []byte("Connection id ")) {
		return true
	}
	if bytes.Contains(head, []byte("xception")) && hasAny(head, exceptionPhrases) {
		return true
	}
	return bytes.Contains(head, []byte("rror")) && hasAny(head, errorPhrases)
}

var (
	exceptionPhrases = texts("Exception on /", `Exception on \/`, "Exception handling request to ", "threw exception",
		"Exception in ASGI application", "Uncaught PHP Exception ", "Uncaught exception (connection_type",
		"nhandled exception ", "[ExceptionsHandler] ", "Unhandled: ", "LoggingExceptionMapper: ", " Uncaught exception",
		"Exception while serving /", "Exception inside application: ",
		"raised an exception", "Exception occurred while handling uri: ")
	errorPhrases = texts(", error id: ", "Uncaught server error", "Error handling request",
		"nternal server error, for (",
		"ErrorPipeline: Request Failed. ", "Error processing request. URL ", `Server Error: \/`,
		"Unexpected error occurred: ", "Unknown error: ",
		"Error servicing request: ", "Error while serving http", "Error in ASGI Framework",
		"Rack app error ", ": app error: ", "Debug: internal, implementation, error", "[request error] [unhandled] [")
)

func texts(words ...string) [][]byte {
	all := make([][]byte, len(words))
	for i, word := range words {
		all[i] = []byte(word)
	}
	return all
}

func hasAny(b []byte, words [][]byte) bool {
	for _, word := range words {
		if bytes.Contains(b, word) {
			return true
		}
	}
	return false
}

// responded reads what programs write of a response alone:
//
//	Response: 500 Server Error httpRequest={…      go-chi's httplog
//	Response: [500 Server Error], execution took   Javalin
//	Executed HTTP request: { … status: "500", …    Azure Functions
func (w *walker) responded(head []byte) (Match, bool) {
	const azure, httplog, javalin = "Executed HTTP request: {", "Response: ", "Response: ["
	if i := bytes.Index(head, []byte(azure)); i >= 0 {
		if status, ok := behind(w.b[i:], ` status: "`); ok {
			return w.decide(status, "azure"), true
		}
	}
	if status, ok := behind(head, httplog); ok && bytes.Contains(head, []byte(" httpRequest")) {
		return w.decide(status, "httplog"), true
	}
	if status, ok := behind(head, javalin); ok && bytes.Contains(head, []byte("], execution took ")) {
		return w.decide(status, "javalin"), true
	}
	// OCaml's Dream: "dream.logger  WARN REQ 5 500 in 1201 μs".
	if i := bytes.Index(head, []byte("dream.logger")); i >= 0 {
		if j := bytes.Index(head[i:], []byte(" REQ ")); j >= 0 {
			rest := bytes.TrimLeft(head[i+j+len(" REQ "):], "0123456789")
			if bytes.HasPrefix(rest, []byte(" ")) && len(rest) > 8 && bytes.HasPrefix(rest[4:], []byte(" in ")) {
				if status, ok := number(rest[1:4]); ok {
					return w.decide(status, "dream"), true
				}
			}
		}
	}
	return Match{}, false
}

// routed reads a status in brackets before a path without a method, Astro's
// "[500] /about 12ms", and "[500]: /index.php - Uncaught …" of PHP's own server before 7.4.
func (w *walker) routed(status, from int) (Match, bool) {
	b := w.b
	if from == 0 || b[from-1] != '[' || w.i == len(b) || !space(b[w.i]) {
		return Match{}, false
	}
	php := from > 2 && b[w.i-1] == ':' && digit(b[from-3]) && bytes.IndexByte(b[:from], ']') > 0
	at := skipSpace(b, w.i)
	if at == len(b) || b[at] != '/' {
		return Match{}, false
	}
	end := wordEnd(b, at)
	at = skipSpace(b, end)
	ends := at == len(b) && (php || from == 1) || bytes.HasPrefix(b[at:], []byte("- ")) && (php || from == 1)
	if !ends && !isDuration(b[at:]) {
		return Match{}, false
	}
	m := w.decide(status, "status-request")
	m.Path = pathOf(b[end-len(bytes.TrimLeft(b[skipSpace(b, w.i):end], " ")) : end])
	return m, true
}

// ownAbsolute reports whether a request with a URL stands as servers write it
// that know no other form (Deno, Bun, Workers): first in the line, or behind
// dates and levels, with the status and a duration at once behind it.
//
//	GET http://localhost:8000/path 500 12ms
//	GET https://x.workers.dev/path - 500 Internal Server Error @ 3/1/2026, …
func (w *walker) ownAbsolute(r request) bool {
	b := w.b
	before := b[:w.i]
	for i := max(0, len(before)-2*maxKey); ; {
		i = skipSpace(before, i)
		if i == len(before) {
			break
		}
		end := wordEnd(before, i)
		word := trim(before[i:end])
		if len(word) > 0 && !all(word, func(c byte) bool { return !letter(c) || c == 'T' || c == 'Z' }) &&
			!isLevel(word) {
			return false
		}
		i = end
	}
	at, arrow := skipSpace(b, r.end), false
	for _, sign := range [...]string{"- ", "-> ", "→ "} {
		if bytes.HasPrefix(b[at:], []byte(sign)) {
			at, arrow = skipSpace(b, at+len(sign)), sign == "-> "
		}
	}
	end := wordEnd(b[:min(len(b), at+maxKey)], at)
	status, ok := number(b[at:end])
	if !ok {
		return false
	}
	if at = skipSpace(b, end); at < len(b) && b[at] == '(' {
		if arrow && space(b[at-1]) && bytes.IndexByte(b[at:min(len(b), at+16)], ' ') > 0 {
			return false // Tesla, a client, writes "-> 503 (31.1 ms)"
		}
		at++
	}
	if at < len(b) && durationAt(b, at) && digit(b[at]) {
		return true
	}
	return reason(status, b[at:]) && bytes.Contains(b[at:min(len(b), at+maxKey)], []byte(" @ "))
}

var levels = [...]string{
	"info", "inf", "log", "error", "err", "warn", "warning", "debug", "trace", "fatal", "critical", "notice", "http",
}

func isLevel(word []byte) bool {
	for _, level := range levels {
		if foldIs(word, level) {
			return true
		}
	}
	return false
}
