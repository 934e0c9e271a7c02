package detect

import "bytes"

// facts are what the keys of a line say: of JSON, of logfmt.
type facts struct {
	status  [rankCount]int
	depth   [rankCount]int
	beside  int // depth of the method or the path that is nested least
	method  []byte
	path    []byte
	message []byte
	body    []byte // a message where there is no other, and no request
	said    []byte // the text before the first key of logfmt
	source  []byte // the logger's name
	context context
	client  bool // a key says that the request was the program's own
	served  bool // a key says that the program is the server
	http    bool // a key says that the protocol is HTTP
	abroad  bool // a URL of somewhere else is named: callback_url
	count   bool // a metric's keys
	sum     bool
}

// rank orders the keys that can hold a status, the surest first.
type rank uint8

const (
	unranked rank = iota
	explicit      // http.response.status_code, DownstreamStatus
	bareCode      // status_code
	bareWord      // status: with a method or a path beside it
	codeOnly      // code: with a method beside it
	rankCount
)

type context uint8

const (
	hasMethod context = 1 << iota
	hasPath
	hasAbsolute // a URL with scheme and host, as clients log
	hasMention  // a request within the message
	hasServer   // what only a server knows: the client's address, its own handler
)

// parent is what an object, or the first parts of a dotted key, is about.
type parent uint8

const (
	neutral  parent = iota
	response        // its status is the answer's
	incoming        // the request: what is in it came from outside
	foreign         // another party's words, of which nothing counts
)

// normal appends a key in lower case without "_" and "-" to dst.
func normal(dst, key []byte) []byte {
	for _, c := range key {
		if c != '_' && c != '-' && c != '@' && len(dst) < cap(dst) {
			dst = append(dst, lower(c))
		}
	}
	return dst
}

// parentOf classifies one key as a parent, in the parent around it.
func parentOf(in parent, key []byte) parent {
	if in == foreign || in == incoming {
		return foreign
	}
	var buf [maxKey]byte
	k := normal(buf[:0], key)
	switch string(k) {
	case "res", "resp", "response", "httpresponse", "reply", "http", "httprequest", "responsestatus", "serverresponse":
		return response
	case "req", "request", "httpreq":
		return incoming
	case "err", "error", "exception", "cause", "$metadata", "responsemetadata",
		"body", "headers", "header", "cookies", "cookie", "params", "param", "query", "querystring", "form", "args",
		"retry", "previous", "attempt", "attempts", "dependency", "provider", "webhook", "target", "job", "task",
		"peer", "grpc", "rpc", "db", "payment",
		"client", "config", "result", "outgoing", "input", "user", "probe", "order", "process", "health", "stack",
		"tags", "filter", "command", "where", "document", "sql", "post", "get", "variables", "session",
		"before", "after", "changes", "check", "checks":
		return foreign
	}
	for _, word := range [...]string{
		"upstream", "origin", "backend", "outgoing", "outbound", "remote", "axios", "fetch", "httpclient", "external",
		"param", "header", "cookie", "query", "respbody", "responsebody", "requestbody", "cached",
	} {
		if bytes.Contains(k, []byte(word)) && string(k) != "originalrequest" {
			return foreign
		}
	}
	return neutral
}

// maxKey bounds a key that can be known, in bytes.
const maxKey = 48

// rankOf says what a status under a key is worth.
func rankOf(in parent, key []byte) rank {
	var buf [maxKey]byte
	k := normal(buf[:0], key)
	switch string(k) {
	case "httpstatus", "httpstatuscode", "httpresponsestatus", "httpresponsestatuscode", "responsestatus",
		"responsestatuscode", "responsecode",
		"httpresponsecode", "httpcode", "resstatus", "resstatuscode", "respstatus", "respstatuscode", "respcode",
		"downstreamstatus", "downstreamstatuscode", "scstatus",
		"elbstatuscode", "edgeresponsestatus", "statushttp", "replystatus", "finalstatus", "serverstatus",
		"httpstatusline", "downstreamresponsecode", "nginxstatus", "rescode", "ibmresponsecode":
		return explicit
	case "statuscode":
		if in == response {
			return explicit
		}
		return bareCode
	case "status":
		if in == response {
			return explicit
		}
		return bareWord
	case "resp", "response", "stat":
		return bareWord
	case "sc":
		return codeOnly
	case "code":
		if in == response {
			return explicit
		}
		return codeOnly
	}
	return unranked
}

func isStatusKey(key []byte) bool { return rankOf(neutral, key) != unranked }

func isRequestKey(key []byte) bool {
	return foldIs(key, "request") || foldIs(key, "req") || foldIs(key, "request_line") || foldIs(key, "http_request") ||
		foldIs(key, "requestline") || foldIs(key, "r")
}

func isMessageKey(key []byte) bool {
	switch string(key) {
	case "msg", "message", "Message", "MESSAGE", "event", "log", "@m", "text", "body", "line", "textPayload",
		"short_message", "@message", "MSG", "RenderedMessage":
		return true
	}
	return false
}

// see takes note of a value. value has no quotes around it and its escapes in
// it.
func (f *facts) see(in parent, depth int, key, value []byte, isString bool) {
	for { // http.response.status_code
		i := bytes.IndexByte(key, '.')
		if i < 0 {
			break
		}
		in, key, depth = parentOf(in, key[:i]), key[i+1:], depth+1
	}
	if in == foreign || len(key) == 0 || len(key) > maxKey || len(value) == 0 {
		return
	}
	if r := rankOf(in, key); r != unranked {
		if s, ok := statusValue(value); ok && (f.status[r] == 0 || depth < f.depth[r]) {
			f.status[r], f.depth[r] = s, depth
		}
	}
	var buf [maxKey]byte
	k := normal(buf[:0], key)
	switch string(k) {
	case "method", "requestmethod", "httpmethod", "verb", "httpverb", "reqmethod", "csmethod", "clientrequestmethod",
		"httprequestmethod", "rmethod", "ibmrequestmethod":
		if isMethodFold(value) {
			f.context |= hasMethod
			f.method = value
			f.nextTo(depth)
		}
	case "path", "uri", "url", "requestpath", "requesturi", "requesturl", "httppath", "httptarget", "httpurl",
		"httpuri", "httproute", "route", "endpoint", "originalurl",
		"urlpath", "fullpath", "rawpath", "csuristem", "pathname", "clientrequesturi", "clientrequestpath", "reqpath",
		"requrl", "requri", "target", "requesttarget", "uripath", "resourcepath", "full", "original", "ibmuripath":
		switch {
		case value[0] == '/' || value[0] == '\\' && bytes.HasPrefix(value, []byte(`\/`)):
			f.context |= hasPath
			f.path = pathOf(value)
			f.nextTo(depth)
		case absolute(value) || fold(value, `http:\/\/`) || fold(value, `https:\/\/`):
			if f.context |= hasAbsolute; in != neutral ||
				len(k) > 6 && string(k) != "endpoint" && string(k) != "target" {
				f.context |= hasServer // httpRequest.requestUrl
			}
			if f.path == nil {
				f.path = pathOf(value)
			}
		case string(k) == "route" || string(k) == "endpoint" || string(k) == "httproute":
			f.context |= hasMention // a handler's name
		}
	case "request", "req", "requestline", "httprequest", "r":
		f.line(value)
	case "remoteaddr", "remoteip", "remoteaddress", "clientip", "clientaddr", "ip", "useragent", "httpuseragent", "ua",
		"handler", "controller", "action", "bytesin", "bytesout",
		"bytessent", "bodybytessent", "protocol", "proto", "httpversion", "xforwardedfor", "dyno", "srcip",
		"requesthost", "size", "responsesize", "reqid", "remote", "client":
		f.context |= hasServer
	case "attempt", "retry", "retries", "retrycount", "retryin", "retryafter", "attempts", "maxretries", "nextattempt",
		"backoff":
		// Not those of what the server stands before: Kong's service.retries.
		f.client = f.client || depth <= 1 && string(value) != "0"
	case "count":
		f.count = f.count || depth <= 1 && !isString
	case "sum":
		f.sum = f.sum || depth <= 1 && !isString
	case "origin": // Logbook's: the answer is the server's own, or another one's
		if foldIs(value, "local") {
			f.context |= hasMention
		}
		f.client = f.client || foldIs(value, "remote")
	case "classification": // tower-http's
		if code, ok := bytes.CutPrefix(value, []byte("Status code: ")); ok {
			if s, ok := statusValue(code); ok && f.status[explicit] == 0 {
				f.status[explicit], f.depth[explicit] = s, depth
			}
		}
	case "spankind", "kind", "direction", "otelkind":
		value = bytes.TrimPrefix(bytes.TrimPrefix(value, []byte("SPAN_KIND_")), []byte("SpanKind."))
		f.client = f.client || fold(value, "client") || fold(value, "outgoing") || fold(value, "outbound")
		if fold(value, "server") {
			f.context |= hasServer
			f.served = true
		}
	case "callbackurl", "webhookurl", "hookurl", "endpointurl", "targeturl", "remoteurl", "registry":
		f.abroad = true
	case "logger", "name", "loggername", "category", "sourcecontext", "component", "caller", "module":
		if isString && f.source == nil {
			f.source = value
		}
		f.http = f.http || string(k) == "component" && foldIs(value, "http")
	}
	if string(key) == "body" {
		if in == neutral {
			f.body = value
		}
		return
	}
	isMessage := isMessageKey(key) || string(key) == "content" && bytes.HasPrefix(value, []byte("[HTTP] ")) // go-zero's
	if isMessage && in == neutral && (f.message == nil || len(f.message) < len(value)) {
		f.message = value
		if mentions(value) {
			f.context |= hasMention
		}
		if s, ok := statusValue(bytes.TrimPrefix(value, []byte("HTTP "))); ok && f.status[codeOnly] == 0 {
			f.status[codeOnly], f.depth[codeOnly] = s, depth // msg="HTTP 500"
		}
	}
}

// nextTo notes how deep a request's method or path is.
func (f *facts) nextTo(depth int) {
	if f.beside == 0 || depth < f.beside {
		f.beside = depth
	}
}

// settle takes a body for the message where nothing else is one.
func (f *facts) settle() {
	if f.message == nil && f.context&hasMethod == 0 {
		if f.message = f.body; mentions(f.body) {
			f.context |= hasMention
		}
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

// line reads a request that is a value: "GET /path HTTP/1.1".
func (f *facts) line(value []byte) {
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

// explicit returns the status that keys beside a request give.
func (f *facts) explicit() int {
	for _, s := range f.status[explicit:codeOnly] {
		if s != 0 {
			return s
		}
	}
	return 0
}

// final returns the status of the server's answer, 0 where no key holds one,
// and whether the line is about a request of the program's own.
func (f *facts) final(request bool) (status int, client bool) {
	r := explicit
	for r < rankCount && f.status[r] == 0 {
		r++
	}
	if r == rankCount || f.count && f.sum {
		return 0, false
	}
	if r == explicit && f.beside > 0 && f.depth[r] > f.beside {
		// A status beside the request is the answer's; one that is nested deeper
		// may be of a body, or another service's.
		for other := bareCode; other < rankCount; other++ {
			if f.status[other] != 0 && f.depth[other] == f.beside {
				r = other
				break
			}
		}
	}
	own := request || f.context&(hasMethod|hasPath|hasMention) != 0
	switch r {
	case bareCode:
		own = own || f.context&hasAbsolute != 0 || contains(f.message, serverWords)
	case bareWord:
		own = own || f.context&hasAbsolute != 0 || f.served || contains(f.message, accessMessages)
	case codeOnly:
		own = request || f.context&(hasMethod|hasMention) != 0 || f.served && f.http
	default:
		own = true
	}
	if !own {
		return 0, false
	}
	if f.client || f.abroad && !request && f.context&(hasPath|hasMethod) == 0 || contains(f.message, clientWords) ||
		contains(f.said, clientWords) || contains(f.source, clientLibraries) {
		return 0, true
	}
	if f.context&hasPath == 0 && !request {
		if perhaps(f.message) || perhaps(f.said) {
			return 0, true
		}
		if f.context&hasAbsolute != 0 && f.context&hasServer == 0 && r != explicit &&
			(!contains(f.message, serverWords) || othersResponse(f.message)) {
			return 0, true
		}
	}
	return f.status[r], false
}

// othersResponse reports whether a message names whose response it is: "s3 response", but not "http response".
func othersResponse(message []byte) bool {
	name, response, ok := bytes.Cut(message, []byte(" "))
	if !ok || !foldIs(response, "response") {
		return false
	}
	for _, own := range [...]string{
		"http", "api", "request", "server", "final", "access", "error", "sent", "send", "sending", "returning",
		"returned", "outgoing", "rest", "json", "client", "the", "new", "handler", "route", "generated",
	} {
		if foldIs(name, own) {
			return false
		}
	}
	return true
}

// inner decides by the message: programs log access lines as a field.
func (f *facts) inner(nesting int) (Match, bool) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = unescape((*buf)[:0], f.message)
	if f.client || contains(f.source, clientLibraries) {
		return Match{Rule: "client"}, true
	}
	m := relocate(f.message, decide(*buf, nesting+1))
	return m, m.Rule != ""
}

// unescape appends src without JSON's escapes, as far as they matter here.
func unescape(dst, src []byte) []byte {
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c != '\\' || i+1 == len(src) {
			dst = append(dst, c)
			continue
		}
		i++
		switch src[i] {
		case 'n', 'r':
			if i+1 == len(src) {
				return dst // the newline at a line's end
			}
			dst = append(dst, ' ')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			switch {
			case bytes.HasPrefix(src[i:], []byte("u0022")):
				dst, i = append(dst, '"'), i+4
			case bytes.HasPrefix(src[i:], []byte("u001b")), bytes.HasPrefix(src[i:], []byte("u001B")):
				dst, i = append(dst, 0x1b), i+4
			case bytes.HasPrefix(src[i:], []byte("u003e")):
				dst, i = append(dst, '>'), i+4
			default:
				dst = append(dst, '\\', 'u')
			}
		case '"', '\'', '\\', '/':
			dst = append(dst, src[i])
		default:
			dst = append(dst, '\\', src[i])
		}
	}
	return dst
}
