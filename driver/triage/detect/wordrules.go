package detect

// spellingRules are the ways to write a status that is not three digits alone. They
// set the token's status.
var spellingRules = []rule[func(*walker, *token) bool]{
	{
		name:    "status with an exclamation mark",
		doc:     "Synapse writes `500!` if the client had closed the connection.",
		example: `Processed request: (0.002sec/0.001sec/1) 0B 500! "GET /sync HTTP/1.1" "Element" [0 dbevts]`,
		finds:   finds(500, "status-request"),
		read:    exclaimed,
	},
	{
		name:    "status with its reason",
		doc:     ".NET writes a status and the name of its constant in one word.",
		example: `[POST] /api/v3/command: 502.BadGateway (17 ms)`,
		finds:   finds(502, "request"),
		read:    named,
	},
	{
		name:    "status in a column",
		doc:     "Commas split the columns behind a request in quotes.",
		example: `10.8.0.5 - "GET /tiles/1 HTTP/1.1",503,12`,
		finds:   finds(503, "request"),
		read:    column,
	},
}

func exclaimed(w *walker, t *token) bool {
	if len(t.word) != 4 || t.word[3] != '!' || w.req.seen() {
		return false
	}
	t.core = t.word[:3]
	t.status, _ = number(t.core)
	return true
}

func named(_ *walker, t *token) bool {
	if len(t.core) < 5 || t.core[3] != '.' || !upper(t.core[4]) || !all(t.core[4:], letter) {
		return false
	}
	t.status, _ = number(t.core[:3])
	return true
}

func column(w *walker, t *token) bool {
	if len(t.core) < 5 || t.core[3] != ',' || w.req.form != quoted || t.before != thing || !w.req.version {
		return false
	}
	t.status, _ = number(t.core[:3])
	return true
}

// wordRules are what words outside quotes say. A token passes the rules of its stage and
// its kind in this order, until one has read it: that rule says what the token is good
// for when a status follows (w.readAs), or decides the line (w.decide). A rule that only
// records something lets the token pass.
//
// To add a rule, write its function beside those like it (servers.go for a format of its
// own, status.go for numbers, labels.go for keys and signs, sentence.go for words), and
// its row before the first rule that would read the token too early: a wrong place shows
// in TestRules_Examples, as that rule's example or the new one's.
var wordRules = []rule[wordReader]{
	{
		name:    "status behind a date",
		doc:     "A status between a date in brackets and an address is the answer's.",
		example: `[15/May/2027:01:05:49 +0800] 504 2001:db8::7 "-" 60.001 a.example "POST /pay HTTP/1.1" 204 160`,
		finds:   finds(504, "status-request"),
		read:    wordReader{before, aStatus, dated},
	},
	{
		name:    "value of a label",
		doc:     "A word behind `key:` is the value of that key.",
		example: `Status: 500 | Method: GET | Path: /x | Time: 12ms`,
		finds:   finds(500, "logfmt"),
		read:    wordReader{anyStage, anyKind, labelled},
	},
	{
		name:    "status key with a colon",
		doc:     "`key:500` is a status if the key is one that holds a status.",
		example: `POST /x status:500 512 12ms`,
		finds:   finds(500, "logfmt"),
		read:    wordReader{anyStage, aNumber | aKey, statusPair},
	},
	{
		name:    "request with a colon",
		doc:     "LTSV writes a request as `req:GET /x HTTP/1.1`.",
		example: "host:10.0.0.2\treq:POST /login\tstatus:500\ttime:2013-01-01T12:00:09",
		finds:   finds(500, "logfmt"),
		read:    wordReader{anyStage, aNumber | aKey, requestPair},
	},
	{
		name:    "key with a colon",
		doc:     "`key:value` is read as logfmt's `key=value` is.",
		example: `method:GET path:/x status:500 time:12ms`,
		finds:   finds(500, "logfmt"),
		read:    wordReader{anyStage, aNumber | aKey, colonPair},
	},
	{
		name:    "HAProxy",
		doc:     "The status stands behind the five times of a request; `-1` if there was no answer.",
		example: `10.0.0.1:40000 [02/Dec/2026:23:59:59.001] http http/<NOSRV> -1/-1/-1/-1/0 503 0 - - "GET / HTTP/1.1"`,
		finds:   finds(503, "haproxy"),
		read:    wordReader{before, aStatus | aNumber, haproxy},
	},
	{
		name:    "Squid",
		doc:     "The status stands behind the cache's result; size, method and URL follow.",
		example: `1795460581.123  5021 10.0.0.1 TCP_MISS/503 3931 GET http://x/y - HIER_DIRECT/1.2.3.4 text/html`,
		finds:   finds(503, "squid"),
		read:    wordReader{before, aNumber, squid},
	},
	{
		name:    "Spring WebFlux",
		doc:     "A status with its reason begins the message; the request follows `Server Error for HTTP`.",
		example: `[1a2b3c4d-1] 500 Server Error for HTTP POST "/api/x"`,
		finds:   finds(500, "spring"),
		read:    wordReader{before, aStatus, spring},
	},
	{
		name:    "Ktor",
		doc:     "A status with its reason begins the message; method and path follow, split by a dash.",
		example: `INFO  ktor.application - 500 Internal Server Error: GET - /todos in 60248ms`,
		finds:   finds(500, "ktor"),
		read:    wordReader{before, aStatus, ktor},
	},
	{
		name:    "MinIO",
		doc:     "A status with its reason stands in brackets before the name of an S3 call.",
		example: `09:00:01.123 [500 Internal Server Error] s3.PutObject localhost:9000/b/k 10.0.0.1 3ms`,
		finds:   finds(500, "minio"),
		read:    wordReader{before, aStatus, minio},
	},
	{
		name:    "Mojolicious",
		doc:     "A status with its reason stands before the time of the answer and its rate.",
		example: `[trace] [5001aaaa] 500 Internal Server Error (0.503s, 5.02/s)`,
		finds:   finds(500, "mojolicious"),
		read:    wordReader{before, aStatus, mojolicious},
	},
	{
		name:    "status in brackets before a path",
		doc:     "Astro writes `[500] /x 12ms`, PHP's own server wrote `[500]: /x` before version 7.4.",
		example: `[astro] 10:00:00 [500] /blog/post 12ms`,
		finds:   finds(500, "status-request"),
		read:    wordReader{before, aStatus, routed},
	},
	{
		name:    "status before a request",
		doc:     "A status counts if only durations, addresses and the like stand between it and the request.",
		example: `| 500 | 1.2ms | 10.0.0.1 | GET "/x"`,
		finds:   finds(500, "status-request"),
		read:    wordReader{before, aStatus, earlyStatus},
	},
	{
		name:    "Clojure's key",
		doc:     "`:key value` is read as `key: value` is.",
		example: `{:request-method :get, :uri "/x", :status 504, :ring.logger/type :finish, :ring.logger/ms 503}`,
		finds:   finds(504, "logfmt"),
		read:    wordReader{anyStage, aKey | aNumber, keyword},
	},
	{
		name:    "ASP.NET",
		doc:     "Behind `Request finished` the status is the last number behind a dash.",
		example: `Request finished HTTP/1.1 POST http://localhost:5000/x - 500 - 422 0 - 502.1ms`,
		finds:   finds(422, "kestrel"),
		read:    wordReader{behind, aStatus, finishedStatus},
	},
	{
		name: "status behind a request",
		doc: "The first number that can be a status counts, unless a word of prose stands before it, " +
			"or a unit or such a word behind it.",
		example: `"GET /x?code=502 HTTP/1.1" 500 512 "-" "curl/8.5.0"`,
		finds:   finds(500, "request"),
		read:    wordReader{behind, aStatus, lateStatus},
	},
	{
		name:    "arrow",
		doc:     "A number behind a sign can be a status, whatever word stands before the sign.",
		example: `GET /users by UserController -> 500 12ms`,
		finds:   finds(500, "request"),
		read:    wordReader{anyStage, aSign, arrow},
	},
	{
		name:    "protocol",
		doc:     "A protocol stands before a request of a server, or before its status.",
		example: `Request starting HTTP/1.1 GET http://localhost:5000/x - 500`,
		finds:   finds(0, "kestrel"),
		read:    wordReader{anyStage, aNumber | aKey | aWord, protocolWord},
	},
	{
		name:    "HAProxy's times",
		doc:     "Five numbers with slashes stand before HAProxy's status.",
		example: `10.1.2.3:50300 [24/Nov/2026:08:15:22.503] fe be/<NOSRV> 0/-1/-1/-1/500 503 217 - - "<BADREQ>"`,
		finds:   finds(503, "haproxy"),
		read:    wordReader{anyStage, aNumber | aWord, timersWord},
	},
	{
		name: "Django's 4xx",
		doc: "A reason such as `Not Found:` with a path behind it ends the line: the path is decoded, so it may hold " +
			"any words.",
		example: `Method Not Allowed (GET): /x 500`,
		finds:   finds(0, "django"),
		read:    wordReader{before, aStatus | aNumber | aKey, djangoRefusal},
	},
	{
		name:    "label",
		doc:     "A number behind `key:` is the value of that key and no status, unless the key holds a status.",
		example: `[dapr] error invoking method GET /x on app b: 500`,
		finds:   nothing,
		read:    wordReader{anyStage, aStatus | aNumber | aKey, labelWord},
	},
	{
		name:    "percentile",
		doc:     "A number behind `p95` is a duration.",
		example: `"GET /x": p95 503, p99 599`,
		finds:   nothing,
		read:    wordReader{anyStage, aNumber, percentile},
	},
	{
		name:    "another number in the status' place",
		doc:     "Right behind a request, a number that is no status decides too: Envoy's 0 if the client left.",
		example: `[2026-07-19T15:15:16.5Z] "GET / HTTP/1.1" 0 DC 0 0 503 - "-"`,
		finds:   finds(0, "request"),
		read:    wordReader{behind, aNumber, otherNumber},
	},
	{
		name:    "duration behind a status",
		doc:     "A duration right behind a number makes it the status of the request that follows.",
		example: `|       127.0.0.1| 500 |    1.234ms|   match| GET      /x   r:/x`,
		finds:   finds(500, "status-request"),
		read:    wordReader{before, aNumber, timedStatus},
	},
	{
		name:    "number",
		doc:     "Numbers, addresses and times may stand between a request and its status; paths and brackets may not.",
		example: `router: completed GET /user/5 for 10.1.2.3:50300, 503 Service Unavailable in 503.3ms`,
		finds:   finds(503, "request"),
		read:    wordReader{anyStage, aStatus | aNumber, numberWord},
	},
	{
		name:    "Rails",
		doc:     "Behind `Completed`, a status counts if its reason, a comma or the line's end follows.",
		example: `Completed 500 Internal Server Error in 61ms`,
		finds:   finds(500, "completed"),
		read:    wordReader{anyStage, aWord | aKey, rails},
	},
	{
		name:    "Lucky",
		doc:     "`Sent` with a status, its reason and a duration in parentheses ends a request.",
		example: `Sent 500 Internal Server Error (1.2ms)`,
		finds:   finds(500, "completed"),
		read:    wordReader{anyStage, aWord | aKey, lucky},
	},
	{
		name:    "completed in a time",
		doc:     "A verb such as `Completed` or `Sent`, a status and `in 12ms` end a request of an earlier line.",
		example: `[info] Sent 503 in 18ms`,
		finds:   finds(503, "completed"),
		read:    wordReader{anyStage, aWord | aKey, completedIn},
	},
	{
		name: "answer of the program",
		doc: "Behind `returning` and the like, a status counts if its reason ends the line, or if `to client` " +
			"or `response` follows.",
		example: `level=error msg="returning 503 to client" method=GET path=/api/jobs`,
		finds:   finds(503, "completed"),
		read:    wordReader{anyStage, aWord | aKey, answerWord},
	},
	{
		name:    "introducer",
		doc:     "Words such as `status`, `returned` and `with` may stand between a request and its status.",
		example: `GET /x failed with 500 in 12ms`,
		finds:   finds(500, "request"),
		read:    wordReader{anyStage, aWord | aKey, introducerWord},
	},
	{
		name:    "unit",
		doc:     "A unit behind a number belongs to it.",
		example: `http: POST /api/auth/local (12 ms) 500`,
		finds:   finds(500, "request"),
		read:    wordReader{anyStage, aWord | aKey, unitWord},
	},
	{
		name:    "hedge",
		doc:     "A word such as `should` behind a request says what would happen, not what did.",
		example: `GET /health should respond with 503`,
		finds:   nothing,
		read:    wordReader{behind, aWord | aKey, hedgeWord},
	},
	{
		name:    "answered to an address",
		doc:     "An address may stand between the status and its request.",
		example: `Responded 503 to 192.0.2.4 for GET /x`,
		finds:   finds(503, "status-request"),
		read:    wordReader{before, aWord, answeredTo},
	},
	{
		name:    "answered for a request",
		doc:     "`for`, `on` and `to` lead from a status to its request.",
		example: `Sent response 500 for GET /x`,
		finds:   finds(500, "status-request"),
		read:    wordReader{before, aWord, answeredFor},
	},
	{
		name:    "answered after a time",
		doc:     "A duration in words may stand between the status and its request.",
		example: `Returning HTTP 500 after 2ms for GET /x`,
		finds:   finds(500, "status-request"),
		read:    wordReader{before, aWord, answeredAfter},
	},
	{
		name:    "scheme",
		doc:     "`https` may stand between a status and its request.",
		example: `198.51.100.4 a.example 500 https "GET /wp-login.php" "Mozilla/5.0" "-"`,
		finds:   finds(500, "status-request"),
		read:    wordReader{before, aWord, schemeWord},
	},
	{
		name:    "prose",
		doc:     "A number behind another word is no status; neither is one before such a word and a request.",
		example: `GET /x queued position 503`,
		finds:   nothing,
		read:    wordReader{anyStage, aWord | aKey, proseWord},
	},
}
