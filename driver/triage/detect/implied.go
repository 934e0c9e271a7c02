package detect

import (
	"bytes"
	"slices"
)

// impliedReader knows a line that stands for an answer of 500 without its number.
type impliedReader struct {
	// words must all stand in the line in this order, before any quote unless quoted.
	// One of them has "xception" or "rror" in it.
	words  [][]byte
	quoted bool
	// The request is named behind the words, or its path behind another text.
	request bool
	path    string
}

// impliedRules are lines that frameworks write for each request that they answer
// with 500 and nothing else names.
var impliedRules = []rule[impliedReader]{
	{
		name:    "Undertow",
		doc:     "The exchange ended with an exception.",
		example: `ERROR [io.undertow.request] (default task-1) UT005023: Exception handling request to /orders: java`,
		finds:   finds(500, "undertow"),
		read:    impliedReader{words: texts("UT005023: Exception handling request to "), path: "request to "},
	},
	{
		name:    "Quarkus",
		doc:     "The request failed; the line gives the error an ID.",
		example: `QuarkusErrorHandler] (executor-thread-1) HTTP Request to /x failed, error id: a-1: java.lang`,
		finds:   finds(500, "quarkus"),
		read:    impliedReader{words: texts("HTTP Request to ", " failed, error id: "), path: "HTTP Request to "},
	},
	{
		name:    "Tomcat",
		doc:     "A servlet threw an exception.",
		example: `Servlet.service() for servlet [dispatcherServlet] in context with path [] threw exception`,
		finds:   finds(500, "tomcat"),
		read:    impliedReader{words: texts("Servlet.service() for servlet [", " threw exception")},
	},
	{
		name:    "ASGI server",
		doc:     "The application raised an exception: Uvicorn, Hypercorn.",
		example: `ERROR:    Exception in ASGI application`,
		finds:   finds(500, "asgi"),
		read:    impliedReader{words: texts("Exception in ASGI application")},
	},
	{
		name:    "Symfony",
		doc:     "The logger request reports an exception as critical.",
		example: `request.CRITICAL: Uncaught PHP Exception RuntimeException: "x" at /app/X.php line 3`,
		finds:   finds(500, "symfony"),
		read:    impliedReader{words: texts("request.CRITICAL: Uncaught PHP Exception ")},
	},
	{
		name:    "Keycloak",
		doc:     "The error handler met an error that it does not know.",
		example: `[org.keycloak.services.error.KeycloakErrorHandler] (executor-thread-1) Uncaught server error: x`,
		finds:   finds(500, "keycloak"),
		read: impliedReader{
			words: texts("org.keycloak.services.error.KeycloakErrorHandler", "Uncaught server error"),
		},
	},
	{
		name:    "aiohttp",
		doc:     "The handler raised an exception.",
		example: `ERROR (MainThread) [aiohttp.server] Error handling request from 192.0.2.4`,
		finds:   finds(500, "aiohttp"),
		read:    impliedReader{words: texts("aiohttp.server", "Error handling request")},
	},
	{
		name:    "Litestar",
		doc:     "The handler raised an exception; the path is named.",
		example: `litestar - config - Uncaught exception (connection_type=http, path=/api/users):`,
		finds:   finds(500, "litestar"),
		read: impliedReader{
			words: texts("litestar", "Uncaught exception (connection_type=http, path="), path: "path=",
		},
	},
	{
		name:    "Play",
		doc:     "The error handler names the request.",
		example: `! @7f2kq1bd - Internal server error, for (POST) [/checkout?step=2] ->`,
		finds:   finds(500, "play"),
		read:    impliedReader{words: texts("Internal server error, for ("), path: ") ["},
	},
	{
		name:    "Sonarr, Radarr and kin",
		doc:     "The error pipeline names the request.",
		example: `[Fatal] ReadarrErrorPipeline: Request Failed. GET /api/v1/author`,
		finds:   finds(500, "arr"),
		read:    impliedReader{words: texts("ErrorPipeline: Request Failed. "), request: true},
	},
	{
		name:    "Jellyfin",
		doc:     "The middleware for exceptions names the request.",
		example: `Jellyfin.Api.Middleware.ExceptionMiddleware: Error processing request. URL GET /Users/x.`,
		finds:   finds(500, "jellyfin"),
		read:    impliedReader{words: texts("ExceptionMiddleware: Error processing request. URL "), request: true},
	},
	{
		name:    "ASP.NET Core",
		doc:     "The middleware for exceptions handled one.",
		example: `ExceptionHandlerMiddleware[1] An unhandled exception has occurred while executing the request.`,
		finds:   finds(500, "kestrel"),
		read:    impliedReader{words: texts("An unhandled exception has occurred while executing the request.")},
	},
	{
		name:    "Nest",
		doc:     "The filter for exceptions handled one.",
		example: `[Nest] 7  - 03/02/2026, 10:00:00 AM   ERROR [ExceptionsHandler] Cannot read properties of undefined`,
		finds:   finds(500, "nest"),
		read:    impliedReader{words: texts("[ExceptionsHandler] ")},
	},
	{
		name:    "Nest's global filter",
		doc:     "A filter of the application's own met an error that it does not know.",
		example: `ERROR [Api:GlobalExceptionFilter~3f] Unknown error: QueryFailedError: no`,
		finds:   finds(500, "nest"),
		read:    impliedReader{words: texts("GlobalExceptionFilter", "Unknown error: ")},
	},
	{
		name:    "Ktor's exception",
		doc:     "The call ended with an exception; the path is named.",
		example: `ERROR ktor.application - Unhandled: GET - /orders. Exception class java.lang.IllegalStateException`,
		finds:   finds(500, "ktor"),
		read:    impliedReader{words: texts("Unhandled: ", " - /", "xception"), path: " - "},
	},
	{
		name:    "Vert.x",
		doc:     "A handler of the router threw an exception.",
		example: `SEVERE: Unhandled exception in router`,
		finds:   finds(500, "vertx"),
		read:    impliedReader{words: texts("Unhandled exception in router")},
	},
	{
		name:    "Micronaut",
		doc:     "The route ended with an error that no handler knows.",
		example: `ERROR i.m.http.server.RouteExecutor - Unexpected error occurred: no`,
		finds:   finds(500, "micronaut"),
		read:    impliedReader{words: texts("RouteExecutor", "Unexpected error occurred: ")},
	},
	{
		name:    "Dropwizard",
		doc:     "The mapper of exceptions answers with 500.",
		example: `io.dropwizard.jersey.errors.LoggingExceptionMapper: Error handling a request: 8d0e2c1f0a6f5b1c`,
		finds:   finds(500, "dropwizard"),
		read:    impliedReader{words: texts("LoggingExceptionMapper: Error handling a request: ")},
	},
	{
		name:    "Javalin's exception",
		doc:     "The handler threw an exception.",
		example: `WARN io.javalin.Javalin - Uncaught exception`,
		finds:   finds(500, "javalin"),
		read:    impliedReader{words: texts("io.javalin.Javalin", " Uncaught exception")},
	},
	{
		name:    "Helidon",
		doc:     "The default handler met an exception.",
		example: `RequestRouting Thread[EventLoopGroup-3-1]: Default error handler: Unhandled exception encountered.`,
		finds:   finds(500, "helidon"),
		read:    impliedReader{words: texts("Default error handler: Unhandled exception encountered")},
	},
	{
		name:    "http4s's error",
		doc:     "The service failed; the request is named.",
		example: `ERROR o.h.s.service-errors - Error servicing request: GET /orders/8 from 198.51.100.7`,
		finds:   finds(500, "http4s"),
		read:    impliedReader{words: texts("Error servicing request: "), request: true},
	},
	{
		name:    "Jenkins",
		doc:     "The page could not be served.",
		example: `InstallUncaughtExceptionHandler#handleException: Error while serving http://ci.example.org/job/x`,
		finds:   finds(500, "jenkins"),
		read:    impliedReader{words: texts("Error while serving http"), path: "serving "},
	},
	{
		name:    "Gunicorn",
		doc:     "The worker met an exception; the path is named.",
		example: `[2026-03-02 10:00:00 +0000] [12] [ERROR] Error handling request /x`,
		finds:   finds(500, "gunicorn"),
		read:    impliedReader{words: texts("[ERROR] Error handling request /"), path: "request "},
	},
	{
		name:    "Waitress",
		doc:     "The application raised an exception; the path is named.",
		example: `ERROR [waitress:418][waitress-2] Exception while serving /orders`,
		finds:   finds(500, "waitress"),
		read:    impliedReader{words: texts("Exception while serving /"), path: "serving "},
	},
	{
		name:    "Daphne",
		doc:     "The application raised an exception.",
		example: `ERROR:daphne.server:Exception inside application: no`,
		finds:   finds(500, "daphne"),
		read:    impliedReader{words: texts("Exception inside application: ")},
	},
	{
		name:    "Hypercorn",
		doc:     "The framework raised an exception.",
		example: `[2026-11-02 10:11:12 +0000] [8] [ERROR] Error in ASGI Framework`,
		finds:   finds(500, "hypercorn"),
		read:    impliedReader{words: texts("Error in ASGI Framework")},
	},
	{
		name:    "Granian",
		doc:     "The application raised an exception.",
		example: `[ERROR] Application callable raised an exception`,
		finds:   finds(500, "granian"),
		read:    impliedReader{words: texts("Application callable raised an exception")},
	},
	{
		name:    "Sanic",
		doc:     "The handler raised an exception; the URI is named.",
		example: `[8] [ERROR] Exception occurred while handling uri: 'http://api.example.org/x'`,
		finds:   finds(500, "sanic"),
		read:    impliedReader{words: texts("Exception occurred while handling uri: ")},
	},
	{
		name:    "Falcon",
		doc:     "The responder raised an exception.",
		example: `[FALCON] [ERROR] [FALCON] Unhandled exception in ASGI app`,
		finds:   finds(500, "falcon"),
		read:    impliedReader{words: texts("[FALCON] Unhandled exception in ")},
	},
	{
		name:    "Puma",
		doc:     "The Rack application raised an exception; the request is named.",
		example: `Rack app error handling request { GET /orders }`,
		finds:   finds(500, "puma"),
		read:    impliedReader{words: texts("Rack app error handling request { "), request: true},
	},
	{
		name:    "Unicorn",
		doc:     "The Rack application raised an exception.",
		example: `ERROR -- : app error: undefined method 'id' for nil (NoMethodError)`,
		finds:   finds(500, "unicorn"),
		read:    impliedReader{words: texts("ERROR -- : app error: ")},
	},
	{
		name:    "hapi",
		doc:     "The handler threw an error; hapi writes the tags of its event.",
		example: `Debug: internal, implementation, error`,
		finds:   finds(500, "hapi"),
		read:    impliedReader{words: texts("Debug: internal, implementation, error")},
	},
	{
		name:    "Nitro",
		doc:     "The handler threw an error; the URL is named.",
		example: `[request error] [unhandled] [GET] http://localhost:3000/orders`,
		finds:   finds(500, "nitro"),
		read:    impliedReader{words: texts("[request error] [unhandled] [", "] http")},
	},
	{
		name:    "Kestrel",
		doc:     "The application threw an exception; the line names connection and request by their IDs.",
		example: `Connection id "0HN1", Request id "0HN1:01": An unhandled exception was thrown by the application.`,
		finds:   finds(500, "kestrel"),
		read: impliedReader{
			words:  texts(`Connection id "`, `Request id "`, "An unhandled exception was thrown by the application."),
			quoted: true,
		},
	},
}

// implied decides a line that stands for an answer of 500 without its number.
func implied(line, head []byte) (Match, bool) {
	for i := range impliedRules {
		r := &impliedRules[i]
		text := head
		if r.read.quoted {
			text = line
		}
		if rest, ok := r.read.behind(text); ok {
			m := r.finds
			r.read.target(&m, text, rest)
			return m, true
		}
	}
	return Match{}, false
}

// behind returns the text behind the words.
func (r *impliedReader) behind(text []byte) (rest []byte, ok bool) {
	for _, word := range r.words {
		at := bytes.Index(text, word)
		if at < 0 {
			return nil, false
		}
		text = text[at+len(word):]
	}
	return text, true
}

// target adds method and path to a match, if the line names them.
func (r *impliedReader) target(m *Match, text, rest []byte) {
	if r.request {
		if req, _, ok := bareRequest(rest, 0); ok {
			m.Method, m.Path = req.method, pathOf(bytes.TrimRight(req.target, "."))
		}
		return
	}
	at := bytes.Index(text, []byte(r.path))
	if r.path == "" || at < 0 {
		return
	}
	if target := text[at+len(r.path):]; len(target) > 0 && target[0] == '/' {
		m.Path = pathOf(bytes.TrimRight(target[:wordEnd(target, 0)], ",:)]"))
	}
	if m.Rule == "play" { // for (GET) [/path]
		method := text[bytes.Index(text, []byte("for ("))+len("for ("):]
		m.Method = bytes.TrimRight(method[:wordEnd(method, 0)], ")")
	}
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

// A line without a status is read only if it has one of these: the longest of the words
// of each of impliedRules, and what other rules look for.
var exceptionPhrases, errorPhrases = longestWords()

func longestWords() (exceptions, failures [][]byte) {
	all := texts("Exception on /", `Exception on \/`, `Server Error: \/`, "Uncaught PHP Exception ")
	for i := range impliedRules {
		all = append(all, slices.MaxFunc(impliedRules[i].read.words, func(a, b []byte) int { return len(a) - len(b) }))
	}
	for _, phrase := range all {
		if bytes.Contains(phrase, []byte("rror")) {
			failures = append(failures, phrase)
		} else {
			exceptions = append(exceptions, phrase)
		}
	}
	return exceptions, failures
}

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
