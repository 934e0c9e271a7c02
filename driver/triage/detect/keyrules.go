package detect

import "bytes"

// keyRules are what keys say. A key is in one list of words.txt at most.
var keyRules = []rule[keyReader]{
	{
		name:    "explicit status",
		doc:     "Keys such as `http.status_code`, `response_status` and `DownstreamStatus` hold the answer's status.",
		example: `{"responseCode":500,"path":"/x","method":"GET"}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:explicit-status", explicit, (*facts).seeStatus},
	},
	{
		name:    "status code",
		doc:     "`status_code` needs a method, a path or a URL beside it, or a message that speaks of a request.",
		example: `{"httpMethod":"GET","route":"/x","statusCode":500}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:status-code", bareCode, (*facts).seeStatus},
	},
	{
		name:    "status",
		doc:     "`status` needs a method, a path or a URL beside it, or a message such as `GET /path`.",
		example: `status=500 method=GET path=/x`,
		finds:   finds(500, "logfmt"),
		read:    keyReader{"key:status", bareWord, (*facts).seeStatus},
	},
	{
		name:    "response",
		doc:     "`resp`, `response` and `stat` need the same beside them.",
		example: `{"verb":"GET","request":"/x","response":"500","bytes":"12"}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:response", bareWord, (*facts).seeCode},
	},
	{
		name:    "code",
		doc:     "`code` needs a method beside it, or a message such as `GET /path`.",
		example: `{"method":"GET","path":"/pay","code":500,"took_ms":88}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:code", codeOnly, (*facts).seeStatus},
	},
	{
		name:    "sc",
		doc:     "`sc` needs a method beside it, or a message such as `GET /path`.",
		example: `{"evt":"access","verb":"POST","target":"/v1/x","sc":503}`,
		finds:   finds(503, "json"),
		read:    keyReader{"key:sc", codeOnly, (*facts).seeCode},
	},
	{
		name:    "method",
		doc:     "A method says that the status is of a request.",
		example: `status=500 method=GET`,
		finds:   finds(500, "logfmt"),
		read:    keyReader{"key:method", unranked, (*facts).seeMethod},
	},
	{
		name:    "path or URL",
		doc:     "A path says that the status is of a request; a URL says so if no word speaks of a client.",
		example: `{"route":"GET /x","status":500,"latency":12}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:target", unranked, (*facts).seeTarget},
	},
	{
		name:    "request",
		doc:     "A key such as `request` holds method and path.",
		example: `{"response_time":502,"request":"GET /x HTTP/1.1","status":500}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:request-line", unranked, (*facts).seeRequest},
	},
	{
		name:    "what only a server knows",
		doc:     "The client's address, its agent or a handler's name say that the request came in.",
		example: `{"level":"error","status":500,"method":"GET","url":"http://localhost:3000/x","ip":"::1"}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:server", unranked, (*facts).seeServer},
	},
	{
		name:    "attempts",
		doc:     "Attempts say that the request is the program's own, unless their number is 0 or an inner object's.",
		example: `{"method":"GET","path":"/x","status":503,"retries":2,"msg":"call failed"}`,
		finds:   finds(0, "client"),
		read:    keyReader{"key:attempt", unranked, (*facts).seeAttempt},
	},
	{
		name:    "count",
		doc:     "`count` and `sum` together are of a metric.",
		example: `{"name":"duration","attributes":{"http.response.status_code":500},"count":3,"sum":0.5}`,
		finds:   nothing,
		read:    keyReader{"key:count", unranked, (*facts).seeCount},
	},
	{
		name:    "sum",
		doc:     "`sum` and `count` together are of a metric.",
		example: `{"name":"http.server.request.duration","http.response.status_code":500,"count":3,"sum":0.5}`,
		finds:   nothing,
		read:    keyReader{"key:sum", unranked, (*facts).seeSum},
	},
	{
		name:    "origin",
		doc:     "Logbook's `origin` is `local` for an answer of the server's own, and `remote` for others.",
		example: `{"origin":"local","type":"response","correlation":"9e1c","protocol":"HTTP/1.1","status":500}`,
		finds:   finds(500, "json"),
		read:    keyReader{"key:origin", unranked, (*facts).seeOrigin},
	},
	{
		name:    "classification",
		doc:     "tower-http writes the status into the class of a failure.",
		example: `{"message":"response failed","classification":"Status code: 503 Service Unavailable"}`,
		finds:   finds(503, "json"),
		read:    keyReader{"key:classification", unranked, (*facts).seeClassification},
	},
	{
		name:    "kind of a span",
		doc:     "A span's kind or a direction says whether the program is the client or the server.",
		example: `{"traceID":"a","spanKind":"CLIENT","http.request.method":"GET","http.response.status_code":502}`,
		finds:   finds(0, "client"),
		read:    keyReader{"key:span-kind", unranked, (*facts).seeSpanKind},
	},
	{
		name:    "URL of another service",
		doc:     "A `callback_url` without a method or a path says that the request is the program's own.",
		example: `{"msg":"request failed","callback_url":"https://a.example/hook","status_code":503}`,
		finds:   finds(0, "client"),
		read:    keyReader{"key:elsewhere", unranked, (*facts).seeElsewhere},
	},
	{
		name:    "logger",
		doc:     "A logger with the name of a client library says that the request is the program's own.",
		example: `{"logger":"httpx","method":"GET","path":"/x","status":503}`,
		finds:   finds(0, "client"),
		read:    keyReader{"key:logger", unranked, (*facts).seeLogger},
	},
	{
		name:    "message",
		doc:     "A message is read as a line if no key holds a status, and can say that the line is about a request.",
		example: `{"message":"POST /x 500 12ms","context":"HTTP"}`,
		finds:   finds(500, "request"),
		read:    keyReader{"message-keys", unranked, (*facts).seeMessage},
	},
	{
		name:    "go-zero's content",
		doc:     "go-zero's message is in `content`, behind `[HTTP] `.",
		example: `{"content":"[HTTP] 500 - GET /x - 127.0.0.1:1234 - curl/7.68.0","duration":"1.2ms"}`,
		finds:   finds(500, "status-request"),
		read:    keyReader{"key:content", unranked, (*facts).seeContent},
	},
}

// seeStatus records a status. What is in a response is the answer's for certain.
func (f *facts) seeStatus(v keyValue) {
	if v.in == response {
		v.rank = explicit
	}
	f.seeCode(v)
}

// seeCode records a status of the key's own rank.
func (f *facts) seeCode(v keyValue) {
	if s, ok := statusValue(v.value); ok && (f.status[v.rank] == 0 || v.depth < f.depth[v.rank]) {
		f.status[v.rank], f.depth[v.rank] = s, v.depth
	}
}

// statusValue reads 500, "500", 500.0 and "500 Internal Server Error".
func statusValue(v []byte) (int, bool) {
	if len(v) < 3 {
		return 0, false
	}
	s, ok := number(v[:3])
	if !ok {
		return 0, false
	}
	switch rest := v[3:]; {
	case len(rest) == 0, string(rest) == ".0":
		return s, true
	case rest[0] == ' ' || rest[0] == '_' || rest[0] == '-':
		return s, reason(s, bytes.TrimLeft(rest, " _-"))
	}
	return 0, false
}

func (f *facts) seeMethod(v keyValue) {
	if isMethodFold(v.value) {
		f.context |= hasMethod
		f.method = v.value
		f.nextTo(v.depth)
	}
}

func (f *facts) seeTarget(v keyValue) {
	value := v.value
	switch {
	case value[0] == '/' || bytes.HasPrefix(value, []byte(`\/`)):
		f.context |= hasPath
		f.path = pathOf(value)
		f.nextTo(v.depth)
	case absolute(value) || fold(value, `http:\/\/`) || fold(value, `https:\/\/`):
		f.context |= hasAbsolute
		if v.in != neutral || v.length() > len("target") && !v.is("endpoint") {
			f.context |= hasServer // httpRequest.requestUrl
		}
		if f.path == nil {
			f.path = pathOf(value)
		}
	case v.is("route") || v.is("endpoint") || v.is("httproute"):
		f.context |= hasMention // a handler's name
	}
}

// nextTo notes how deep a request's method or path is.
func (f *facts) nextTo(depth int) {
	if f.beside == 0 || depth < f.beside {
		f.beside = depth
	}
}

// seeRequest reads a request that is a value: "GET /path HTTP/1.1".
func (f *facts) seeRequest(v keyValue) {
	value := v.value
	if bytes.Contains(value, []byte(`method":"`)) {
		f.context |= hasMethod | hasServer // logfmt's request={"method":"GET",…}
		return
	}
	i := bytes.IndexByte(value, ' ')
	if i < 2 || !all(value[:i], upper) {
		return
	}
	at := skipSpace(value, i)
	target := value[at:wordEnd(value, at)]
	if len(target) > 0 {
		f.context |= hasMethod | hasPath
		f.method, f.path = value[:i], pathOf(target)
	}
}

func (f *facts) seeServer(keyValue) { f.context |= hasServer }

// seeAttempt leaves out those of what the server stands before: Kong's service.retries.
func (f *facts) seeAttempt(v keyValue) {
	f.client = f.client || v.depth <= 1 && string(v.value) != "0"
}

func (f *facts) seeCount(v keyValue) { f.count = f.count || v.depth <= 1 && !v.isString }

func (f *facts) seeSum(v keyValue) { f.sum = f.sum || v.depth <= 1 && !v.isString }

func (f *facts) seeOrigin(v keyValue) {
	if foldIs(v.value, "local") {
		f.context |= hasMention
	}
	f.client = f.client || foldIs(v.value, "remote")
}

func (f *facts) seeClassification(v keyValue) {
	code, ok := bytes.CutPrefix(v.value, []byte("Status code: "))
	if s, isStatus := statusValue(code); ok && isStatus && f.status[explicit] == 0 {
		f.status[explicit], f.depth[explicit] = s, v.depth
	}
}

func (f *facts) seeSpanKind(v keyValue) {
	kind := bytes.TrimPrefix(bytes.TrimPrefix(v.value, []byte("SPAN_KIND_")), []byte("SpanKind."))
	f.client = f.client || fold(kind, "client") || fold(kind, "outgoing") || fold(kind, "outbound")
	if fold(kind, "server") {
		f.context |= hasServer
		f.served = true
	}
}

func (f *facts) seeElsewhere(keyValue) { f.abroad = true }

func (f *facts) seeLogger(v keyValue) {
	if v.isString && f.source == nil {
		f.source = v.value
	}
	f.http = f.http || v.is("component") && foldIs(v.value, "http")
}

func (f *facts) seeContent(v keyValue) {
	if bytes.HasPrefix(v.value, []byte("[HTTP] ")) {
		f.takeMessage(v)
	}
}

func (f *facts) seeMessage(v keyValue) {
	switch {
	case !means(v.key, messageKeys): // in another case
	case string(v.key) != "body":
		f.takeMessage(v)
	case v.in == neutral:
		f.body = v.value
	}
}

// takeMessage keeps the longest message, and the status of msg="HTTP 500".
func (f *facts) takeMessage(v keyValue) {
	if v.in != neutral || f.message != nil && len(f.message) >= len(v.value) {
		return
	}
	f.message = v.value
	if mentions(v.value) {
		f.context |= hasMention
	}
	if s, ok := statusValue(bytes.TrimPrefix(v.value, []byte("HTTP "))); ok && f.status[codeOnly] == 0 {
		f.status[codeOnly], f.depth[codeOnly] = s, v.depth
	}
}

// mentions reports whether a message has a request in it: "GET /path".
func mentions(message []byte) bool {
	for i := 0; i+1 < len(message); i++ {
		if message[i+1] == '/' && space(message[i]) {
			from := i
			for from > 0 && from > i-8 && upper(message[from-1]) {
				from--
			}
			if isMethod(message[from:i]) {
				return true
			}
		}
	}
	return false
}
