package detect

import "bytes"

// phraseReader decides a line by the text before any quote: in quotes are other
// people's words.
type phraseReader func(w *walker, head []byte) outcome

// phraseRules are what frameworks write in words instead of a request. They are asked
// if nothing else in the line has decided it.
var phraseRules = []rule[phraseReader]{
	{
		name:    "Rocket",
		doc:     "The outcome of a request, and the catcher that answers it.",
		example: `>> Outcome: Error(500 Internal Server Error)`,
		finds:   finds(500, "rocket"),
		read: stated("rocket", "Outcome: Error(", "Outcome: Failure(", "Responding with registered ",
			"Responding with "),
	},
	{
		name:    "Akka and Pekko HTTP",
		doc:     "A response in the notation of Scala, or what a failed request is answered with.",
		example: `Error during processing of request: 'x'. Completing with 500 Internal Server Error response.`,
		finds:   finds(500, "akka"),
		read:    stated("akka", "HttpResponse(", "Completing with ", "Internal server error, sending "),
	},
	{
		name:    "Nuxt",
		doc:     "The status stands behind the kind of the error.",
		example: `[nuxt] [request error] [unhandled] [500] Cannot find module '/app/x.mjs'`,
		finds:   finds(500, "nuxt"),
		read:    stated("nuxt", "[request error] [unhandled] [", "[request error] [fatal] ["),
	},
	{
		name:    "Emby",
		doc:     "The server names its response.",
		example: `Info Server: http/1.1 Response 500 to 192.168.1.3. Time: 22ms. GET http://192.168.1.2:8096/x`,
		finds:   finds(500, "emby"),
		read:    stated("emby", "Server: http/1.1 Response "),
	},
	{
		name:    "tower-http",
		doc:     "The class of a failure is a status.",
		example: `tower_http::trace::on_failure: response failed, classification: Status code: 502 Bad Gateway`,
		finds:   finds(502, "tower"),
		read:    stated("tower", "classification=Status code: ", "classification: Status code: "),
	},
	{
		name:    "Garage",
		doc:     "The server names its response.",
		example: `garage_api_common::generic_server: Response: error 503 Service Unavailable, Internal error: no`,
		finds:   finds(503, "garage"),
		read:    stated("garage", "generic_server: Response: error "),
	},
	{
		name:    "AWS API Gateway",
		doc:     "The end of an execution log.",
		example: `(c6af9ac6-7b61) Method completed with status: 500`,
		finds:   finds(500, "apigateway"),
		read:    stated("apigateway", "Method completed with status: "),
	},
	{
		name:    "Jetty",
		doc:     "The server writes an error page.",
		example: `WARN  org.eclipse.jetty.server.Response : writeError: status=500, message=no`,
		finds:   finds(500, "jetty"),
		read:    stated("jetty", "writeError: status="),
	},
	{
		name:    "ASGI",
		doc:     "Uvicorn's trace of the messages between server and application.",
		example: `ASGI [4] Send {'type': 'http.response.start', 'status': 500, 'headers': '<...>'}`,
		finds:   finds(500, "asgi"),
		read:    stated("asgi", "response.start', 'status': "),
	},
	{
		name:    "Varnish",
		doc:     "The status for the client in varnishlog; `BerespStatus` is the backend's.",
		example: `-   RespStatus     503`,
		finds:   finds(503, "varnish"),
		read:    stated("varnish", " RespStatus     ", " RespStatus     c "),
	},
	{
		name:    "Ring",
		doc:     "Clojure's log of a request that ended.",
		example: `INFO ring.logger - Finished :get /users for 10.0.0.5 in (12 ms) Status: 500`,
		finds:   finds(500, "ring"),
		read:    statedLater("ring", "Finished :", " Status: "),
	},
	{
		name:    "Litestar",
		doc:     "The middleware logs responses alone.",
		example: `litestar - middleware - HTTP Response: status_code=500, body={"status_code":500}`,
		finds:   finds(500, "litestar"),
		read:    statedLater("litestar", "litestar - middleware - ", "HTTP Response: status_code="),
	},
	{
		name:    "Google Cloud Functions",
		doc:     "The end of an execution.",
		example: `Function execution took 88 ms. Finished with status code: 500`,
		finds:   finds(500, "gcf"),
		read:    statedLater("gcf", "Function execution took ", "inished with status code: "),
	},
	{
		name:    "LocalStack",
		doc:     "The status stands behind an AWS call.",
		example: `localstack.request.aws : AWS cloudfront.CreateDistribution => 500 (InternalError)`,
		finds:   finds(500, "localstack"),
		read:    statedLater("localstack", "localstack.request.", " => "),
	},
	{
		name:    "Rocket's catcher",
		doc:     "The catcher's path stands before the status.",
		example: `>> Responding with registered (Internal Error) 500 catcher.`,
		finds:   finds(500, "rocket"),
		read:    statedLater("rocket", "Responding with registered (", ") "),
	},
	{
		name:    "Radicale",
		doc:     "The request and a duration stand before the status.",
		example: `PROPFIND response status for '/user/cal/' with depth '0' in 0.012 seconds: 500 Internal Server Error`,
		finds:   finds(500, "radicale"),
		read:    statedLater("radicale", " response status for '", " seconds: "),
	},
	{
		name:    "http4s with a short logger",
		doc:     "The middleware logs responses alone.",
		example: `INFO  o.h.s.m.Logger - HTTP/1.1 500 Internal Server Error Headers(Content-Length: 0)`,
		finds:   finds(500, "http4s"),
		read:    statedLater("http4s", "h.s.m.", " - HTTP/1.1 "),
	},
	{
		name:    "http4s",
		doc:     "The middleware logs responses alone.",
		example: `INFO  org.http4s.server.middleware.Logger - HTTP/1.1 500 Internal Server Error Headers()`,
		finds:   finds(500, "http4s"),
		read:    statedLater("http4s", "http4s.server.middleware", " - HTTP/1.1 "),
	},
	{
		name:    "wai-extra",
		doc:     "Haskell's log: the status with its reason, and a duration at the line's end.",
		example: `  Status: 503 Service Unavailable 0.2003s`,
		finds:   finds(503, "wai"),
		read:    wai,
	},
	{
		name:    "ASP.NET Core 2 and 3",
		doc:     "The status stands behind a duration.",
		example: `Request finished in 71.0982ms 500 text/html`,
		finds:   finds(500, "kestrel"),
		read:    finishedIn,
	},
	{
		name:    "Phoenix",
		doc:     "An exception became a response.",
		example: `[debug] Converted error RuntimeError to 500 response`,
		finds:   finds(500, "phoenix"),
		read:    phoenix,
	},
	{
		name:    "Azure Functions",
		doc:     "The host names method, path and status of a request that it executed.",
		example: `Executed HTTP request: { requestId: "3f1c", status: "500", duration: "512" }`,
		finds:   finds(500, "azure"),
		read:    azure,
	},
	{
		name:    "httplog",
		doc:     "go-chi's log: the response before the request.",
		example: `ERROR Response: 503 Service Unavailable httpRequest={"requestMethod":"PUT","requestPath":"/v1/a"}`,
		finds:   finds(503, "httplog"),
		read:    httplog,
	},
	{
		name:    "Javalin",
		doc:     "The response and how long it took.",
		example: `LOG: Response: [500 Internal Server Error], execution took 12.31 ms`,
		finds:   finds(500, "javalin"),
		read:    javalin,
	},
	{
		name:    "Dream",
		doc:     "OCaml's server numbers its requests: the status stands behind the number.",
		example: `03.11.26 08:00:01.123    dream.logger  WARN REQ 5 500 in 1201 μs`,
		finds:   finds(500, "dream"),
		read:    dream,
	},
	{
		name:    "answers of 500 without the number",
		doc:     "The rules of the next table.",
		example: `ERROR:    Exception in ASGI application`,
		finds:   finds(500, "asgi"),
		read:    impliedPhrase,
	},
	{
		name:    "Django",
		doc:     "The logger django.request writes the reason and the path of each answer of 5xx.",
		example: `Service Unavailable: /healthz/`,
		finds:   finds(503, "django"),
		read:    djangoError,
	},
	{
		name:    "Flask",
		doc:     "The line for an exception that is answered with 500.",
		example: `ERROR in app: Exception on /boom [GET]`,
		finds:   finds(500, "flask"),
		read:    flaskError,
	},
}

// phrases decides a line by what frameworks write in words.
func (w *walker) phrases() outcome {
	head := w.b
	if i := bytes.IndexByte(head, '"'); i >= 0 {
		head = head[:i]
	}
	for i := range phraseRules {
		if phraseRules[i].read(w, head) == decided {
			return decided
		}
	}
	return pass
}

// stated finds the status right behind one of some phrases.
func stated(by string, phrases ...string) phraseReader {
	all := texts(phrases...)
	return func(w *walker, head []byte) outcome {
		for _, phrase := range all {
			if status, ok := statusBehind(head, phrase); ok {
				return w.decide(status, by)
			}
		}
		return pass
	}
}

// statedLater finds the status right behind a phrase that follows another one, with the
// request between them.
func statedLater(by, begin, phrase string) phraseReader {
	first, second := []byte(begin), []byte(phrase)
	return func(w *walker, head []byte) outcome {
		if i := bytes.Index(head, first); i >= 0 {
			if status, ok := statusBehind(head[i:], second); ok {
				return w.decide(status, by)
			}
		}
		return pass
	}
}

// statusBehind reads the status right behind a phrase.
func statusBehind(head, phrase []byte) (int, bool) {
	i := bytes.Index(head, phrase)
	at := i + len(phrase)
	if i < 0 || at+3 > len(head) || at+3 < len(head) && alnum(head[at+3]) {
		return 0, false
	}
	return number(head[at : at+3])
}

// wai reads "  Status: 503 Service Unavailable 0.2003s".
func wai(w *walker, head []byte) outcome {
	line := bytes.TrimLeft(head, " ")
	phrase := []byte("Status: ")
	if !bytes.HasPrefix(line, phrase) || !isDuration(line[bytes.LastIndexByte(line, ' ')+1:]) {
		return pass
	}
	if status, ok := statusBehind(line, phrase); ok && reason(status, bytes.TrimLeft(line[len(phrase)+3:], " ")) {
		return w.decide(status, "wai")
	}
	return pass
}

// finishedIn reads "Request finished in 71.1ms 500".
func finishedIn(w *walker, head []byte) outcome {
	_, rest, _ := bytes.Cut(head, []byte("Request finished in "))
	end := wordEnd(rest, 0)
	if !isDuration(rest[:end]) {
		return pass
	}
	at := skipSpace(rest, end)
	status, ok := number(rest[at:wordEnd(rest, at)])
	if !ok {
		return pass
	}
	return w.end(Match{Status: status, Rule: "kestrel"})
}

// phoenix reads "Converted error :x to 500 response".
func phoenix(w *walker, head []byte) outcome {
	i := bytes.Index(head, []byte("Converted error "))
	if i < 0 {
		return pass
	}
	_, rest, _ := bytes.Cut(head[i:], []byte(" to "))
	if len(rest) < 12 || !bytes.HasPrefix(rest[3:], []byte(" response")) {
		return pass
	}
	status, ok := number(rest[:3])
	if !ok {
		return pass
	}
	return w.decide(status, "phoenix")
}

// azure reads "Executed HTTP request: { … status: "500", …".
func azure(w *walker, head []byte) outcome {
	if i := bytes.Index(head, []byte("Executed HTTP request: {")); i >= 0 {
		if status, ok := statusBehind(w.b[i:], []byte(` status: "`)); ok {
			return w.decide(status, "azure")
		}
	}
	return pass
}

// httplog reads "Response: 500 Server Error httpRequest={…".
func httplog(w *walker, head []byte) outcome {
	if status, ok := statusBehind(head, []byte("Response: ")); ok && bytes.Contains(head, []byte(" httpRequest")) {
		return w.decide(status, "httplog")
	}
	return pass
}

// javalin reads "Response: [500 Server Error], execution took 3 ms".
func javalin(w *walker, head []byte) outcome {
	status, ok := statusBehind(head, []byte("Response: ["))
	if !ok || !bytes.Contains(head, []byte("], execution took ")) {
		return pass
	}
	return w.decide(status, "javalin")
}

// dream reads "dream.logger  WARN REQ 5 500 in 1201 μs".
func dream(w *walker, head []byte) outcome {
	_, rest, _ := bytes.Cut(head, []byte("dream.logger"))
	_, rest, _ = bytes.Cut(rest, []byte(" REQ "))
	rest = bytes.TrimLeft(rest, "0123456789")
	if len(rest) < 9 || rest[0] != ' ' || !bytes.HasPrefix(rest[4:], []byte(" in ")) {
		return pass
	}
	status, ok := number(rest[1:4])
	if !ok {
		return pass
	}
	return w.decide(status, "dream")
}

func impliedPhrase(w *walker, head []byte) outcome {
	if m, ok := implied(w.b, head); ok {
		return w.end(m)
	}
	return pass
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

// djangoError reads "Internal Server Error: /path".
func djangoError(w *walker, head []byte) outcome {
	if !bytes.Contains(head, []byte(": /")) {
		return pass
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
		return w.end(Match{Status: p.status, Path: pathOf(path), Rule: "django"})
	}
	return pass
}

// flaskError reads "Exception on /path [GET]", Flask's line for an answer of
// 500.
func flaskError(w *walker, head []byte) outcome {
	const phrase = "Exception on /"
	i := bytes.Index(head, []byte(phrase))
	if i < 0 || head[len(head)-1] != ']' {
		return pass
	}
	rest := head[i+len(phrase)-1:]
	open := bytes.LastIndexByte(rest, '[')
	if open < 2 || !isMethod(rest[open+1:len(rest)-1]) {
		return pass
	}
	return w.end(Match{
		Status: firstStatus, Method: rest[open+1 : len(rest)-1], Path: pathOf(rest[:open-1]), Rule: "flask",
	})
}
