package detect

import "bytes"

// word judges a token that is neither a request, a key nor in quotes.
func (w *walker) word(word []byte, from int) (Match, bool) {
	b := w.b
	before := w.prev
	if string(word) == "=>" && before == label && len(w.label) > 0 {
		return Match{}, false // Ruby's :status => 500
	}
	core := trim(word)
	if len(word) == 4 && word[3] == '!' && w.how == none {
		core = word[:3] // Synapse's 500!, for a client that had gone
	}
	status, isStatus := number(core)
	if !isStatus && len(core) > 4 &&
		(core[3] == '.' && upper(core[4]) && all(core[4:], letter) || // .NET's 500.InternalServerError
			core[3] == ',' && w.how == quoted && before == thing && w.req.version) { // "GET /path HTTP/1.1",500,12
		status, isStatus = number(core[:3])
	}
	if isStatus && w.how == none && w.afterDate && w.dated == 0 && dateBefore(b[:skipSpaceBack(b, from)+1]) &&
		addressFollows(b, w.i) {
		w.dated = status // [time] 502 10.0.0.1 … "GET /path HTTP/1.1" …
	}
	w.afterDate = word[len(word)-1] == ']'
	if len(w.label) > 0 && !isMessageKey(w.label) {
		w.facts.see(neutral, 0, w.label, bytes.TrimLeft(core, ":"), false)
	}
	w.label = nil
	if i := bytes.IndexByte(core, ':'); i > 0 && i < maxKey && i+1 < len(core) && letter(core[0]) &&
		all(core[:i], isKeyByte) && !isMessageKey(core[:i]) {
		if isStatusKey(core[:i]) { // status:500
			return w.value(core[:i], core[i+1:], false)
		}
		if isRequestKey(core[:i]) && isMethod(core[i+1:]) { // LTSV: req:GET /x HTTP/1.1
			if r, status, ok := bareRequest(b, from+i+1); ok && word[i+1] == core[i+1] {
				return w.request(r, bare, status)
			}
		}
		w.facts.see(neutral, 0, core[:i], core[i+1:], false) // method:GET
	}
	if w.how == none {
		if before == timers && (isStatus && len(word) == 3 || string(word) == "-1") {
			return w.haproxy(status), true
		}
		if m, ok := w.squid(word); ok {
			return m, true
		}
		if isStatus {
			if m, ok := w.leading(status); ok {
				return m, true
			}
			if m, ok := w.routed(status, from); ok {
				return m, true
			}
			if (w.early == 0 || !w.fresh) && !w.counted() && !numbered(b[:from]) {
				w.early, w.fresh, w.timed = status, true, false
				w.answers = answering(b[:from])
				if end := afterReason(b, w.i, status); end > w.i {
					w.i, w.told = end, true
				}
				w.from = w.i
				w.prev = datum
				return Match{}, false
			}
		}
	}
	switch {
	case word[0] == ':' && len(core) > 1 && letter(core[1]): // Clojure's :status 500
		w.prev, w.label = label, core[1:]
		w.fresh = false
	case isStatus && w.how != none:
		if m, ok := w.after(status, before); ok {
			return m, true
		}
		w.prev = datum
	case len(core) == 0 || isArrow(word):
		w.ruled = w.ruled || w.early != 0 && w.fresh && string(word) == "--" && skipSpace(b, w.from) == from
		if w.prev = introducer; len(word) <= 2 && word[0] == '-' && (len(word) == 1 || word[1] == '-') {
			w.prev = dash
		}
	case bytes.HasPrefix(core, protocol):
		w.prev = protocols
	case isTimers(word):
		w.prev = timers
	case word[len(word)-1] == ':' && all(core, isKeyByte) && !all(core, digit):
		w.prev, w.label = label, keyOf(core)
		if isStatusKey(core) || isIntroducer(core) {
			w.prev = introducer
		}
		if w.how == none && w.refused(core) {
			return w.decide(0, "django"), true
		}
	case bytes.HasSuffix(word, []byte("):")) && w.how == none && w.refused(core):
		return w.decide(0, "django"), true
	case len(core) == 3 && core[0] == 'p' && all(core[1:], digit):
		w.prev = label // a percentile: "p95 503"
	case bytes.ContainsAny(core, "0123456789") || string(core) == "*":
		if w.prev = datum; before == label && word[len(word)-1] == ',' {
			w.prev = label
		}
		switch {
		case w.how == none:
			w.timed = w.timed || w.early != 0 && skipGap(b, w.from) == from && isDuration(core)
			w.fresh = w.fresh && (w.timed || bytes.IndexByte(word, '/') < 0 && word[len(word)-1] != ']')
		case w.dist == 1 && all(core, digit) && !w.counted():
			// Where the status should be is another number: "0" is Envoy's
			// where the client had gone.
			if w.early != 0 && w.fresh {
				status = w.early
			}
			return w.decide(status, "request"), true
		}
	case isIntroducer(core):
		w.prev = introducer
		w.finished = w.finished || string(core) == "finished" && bytes.HasSuffix(b[:from], []byte("Request "))
		if m, ok := w.verb(core); ok {
			return m, true
		}
	case isUnit(core):
		w.prev = datum
	default:
		w.prev = prose
		if w.how == bare && isHedge(core) {
			w.how, w.i = none, len(b) // "GET /health should answer with 503"
			return Match{}, false
		}
		switch {
		case w.how != none, w.timed && w.bar: // "| 500 | 1.2ms | match | GET"
		case string(word) == "to" && w.answers && w.fresh && skipGap(b, w.from) == from &&
			addressed(b, skipSpace(b, w.i)):
			w.i = wordEnd(b, skipSpace(b, w.i)) // "responded 500 to 10.0.0.1 for GET"
			w.from = w.i
		case (string(word) == "for" || string(word) == "on" && failed(b[:w.from]) ||
			string(word) == "to" && w.answers) && w.fresh && skipGap(b, w.from) == from:
			w.told = true // "sent 500 for GET"
		case (string(word) == "after" || string(word) == "in") && w.answers && w.fresh &&
			durationAt(b, skipSpace(b, w.i)):
			w.i = wordEnd(b, skipSpace(b, w.i)) // "returning 500 after 2ms for GET"
			w.from = w.i
		case string(word) == "https" || string(word) == "http": // "500 https "GET /path""
		default:
			w.fresh = false
		}
		if m, ok := w.verb(core); ok {
			return m, true
		}
	}
	if w.how != none && w.dist > longWalk {
		w.how, w.prev = none, prose
		w.i = len(b)
	}
	return Match{}, false
}

// request takes note of a request. A status within it or before it may be the
// answer's: then no other place can hold one.
func (w *walker) request(r request, how seen, status int) (Match, bool) {
	b := w.b
	at := w.i
	protoBefore := w.prev == protocols
	outgoing := w.how == none && (status == 0 || !r.hosted) && w.outgoing(b[:w.i], r, how, protoBefore)
	w.req, w.how, w.dist, w.i, w.prev, w.afterDate = r, how, 0, r.end, thing, false
	w.facts.context |= hasMethod | hasPath
	if s, ok := nearest(b[:at]); ok && how == bare && !w.timed {
		w.early, w.fresh = s, true // Nginx Proxy Manager's "502 200 - GET": the upstream's is before
	}
	if outgoing {
		return Match{Rule: "client"}, true
	}
	if how == bare && protoBefore && bytes.Contains(b[:w.i], []byte("Request starting HTTP/")) {
		return w.decide(0, "kestrel"), true // a number behind it is the request's length
	}
	if status != 0 {
		return w.decide(status, "request"), true
	}
	if w.dated != 0 {
		return w.decide(w.dated, "status-request"), true
	}
	if w.early != 0 && w.fresh {
		if w.timed {
			return w.decide(w.early, "status-request"), true
		}
		at = skipGap(b, r.end)
		next := trim(b[at:barEnd(b, at)])
		_, later := number(next)
		if how == bare && (isHedge(next) || isNotAnswered(next)) {
			w.early = 0 // "500 GET /path is returned when …"
		} else if how == bare && !later {
			return w.decide(w.early, "status-request"), true
		}
	} else {
		w.early = 0
	}
	if s := w.facts.explicit(); s != 0 {
		return w.decide(s, "logfmt"), true
	}
	return Match{}, false
}

// nearest reads a status that stands right before a request: "500 GET",
// "[500]: GET", "500 - GET".
func nearest(b []byte) (int, bool) {
	n := len(b)
	for n > 0 && n > len(b)-8 && (space(b[n-1]) || bytes.IndexByte([]byte("-|:)]"), b[n-1]) >= 0) {
		n--
	}
	if n < 3 || n == len(b) ||
		n > 3 && b[n-4] != ' ' && b[n-4] != '[' && b[n-4] != '(' && b[n-4] != '|' && b[n-4] != '\t' {
		return 0, false
	}
	if numbered(b[:n-3]) {
		return 0, false // Dream's "REQ 500 GET /path"
	}
	return number(b[n-3 : n])
}

// numbered reports whether a number behind this text names or counts something: "PID",
// "a limit of", but not "a status of".
func numbered(before []byte) bool {
	word := wordBefore(before)
	if string(word) != "of" {
		return isNumbered(word) || isReceiving(word)
	}
	switch string(wordBefore(before[:bytes.LastIndex(before, word)])) {
	case "status", "code":
		return false
	}
	return true
}

// failed reports whether a text ends in "Error 500" or "HTTP 500".
func failed(text []byte) bool {
	word := wordBefore(text[:max(0, len(text)-3)])
	return string(word) == "HTTP" || foldIs(word, "error")
}

// wordBefore returns the last word of b, without what is around it.
func wordBefore(b []byte) []byte {
	end := len(b)
	for end > 0 && (space(b[end-1]) || b[end-1] == '|') {
		end--
	}
	from := end
	for from > max(0, end-maxKey) && !space(b[from-1]) && b[from-1] != '|' {
		from--
	}
	looked(len(b) - from)
	return trim(b[from:end])
}

// barEnd is wordEnd where a bar ends a word too.
func barEnd(b []byte, i int) int {
	for i < len(b) && !space(b[i]) && b[i] != '|' {
		i++
	}
	return i
}

func skipGap(b []byte, i int) int {
	for i < len(b) && (space(b[i]) || b[i] == '|') {
		i++
	}
	return i
}

// after judges a number that follows the request.
func (w *walker) after(status int, before class) (Match, bool) {
	b := w.b
	if w.finished {
		// "Request finished HTTP/1.1 POST <url> <type> <length> - 500 …": only a
		// dash precedes the status, and the last one such.
		if before != dash {
			return Match{}, false
		}
		if rest := b[w.i:]; bytes.HasPrefix(rest, []byte(" - ")) && len(rest) >= 6 {
			if s, ok := number(rest[3:6]); ok && (len(rest) == 6 || rest[6] == ' ') {
				status = s
			}
		}
		return w.decide(status, "kestrel"), true
	}
	switch before {
	case prose, label:
		return Match{}, false
	case introducer, dash, datum, pair, literal, protocols, thing, timers, start:
	}
	if w.how == quoted && before == thing && w.req.version {
		return w.decide(status, "request"), true
	}
	if w.counted() || w.how == bare && !w.follows(status) {
		return Match{}, false
	}
	return w.decide(status, "request"), true
}

// skipSpaceBack returns where the blanks before b[i] begin.
func skipSpaceBack(b []byte, i int) int {
	for i > 0 && space(b[i-1]) {
		i--
	}
	return i
}

// addressFollows reports whether the next word may be an address, as "10.0.0.1",
// or a request in quotes.
func addressFollows(b []byte, i int) bool {
	at := skipSpace(b, i)
	if at < len(b) && b[at] == '"' {
		return true // the request, as a rule
	}
	word := b[at:wordEnd(b, at)]
	return len(word) > 2 && bytes.ContainsAny(word, ".:") &&
		all(word, func(c byte) bool { return digit(c) || c == '.' || c == ':' || lower(c) >= 'a' && lower(c) <= 'f' })
}

// counted reports whether the number just read counts something: a unit
// follows.
func (w *walker) counted() bool {
	at := skipSpace(w.b, w.i)
	return isUnit(trim(w.b[at:wordEnd(w.b[:min(len(w.b), at+maxKey)], at)]))
}

// follows reports whether what comes after a status behind a request without
// quotes can: anything but a word of prose, as in "GET /users 500 customers".
func (w *walker) follows(status int) bool {
	at := skipSpace(w.b, w.i)
	if at == len(w.b) || at == w.i {
		return true
	}
	next := w.b[at:wordEnd(w.b[:min(len(w.b), at+maxKey)], at)]
	if bytes.HasSuffix(w.b[:w.i], []byte("):")) {
		return !isNotAnswered(trim(next)) // "GET /path (500): database is locked"
	}
	if string(next) == "from" {
		return addressed(w.b, skipSpace(w.b, at+len(next))) // not "500 from user-service"
	}
	if rest := w.b[at:]; bytes.HasPrefix(rest, []byte("(down")) || bytes.HasPrefix(rest, []byte("(unhealthy")) ||
		all(next, digit) && bytes.HasPrefix(rest[len(next):], []byte(" times")) {
		return false
	}
	if !letter(next[0]) || bytes.IndexByte(next, '=') > 0 || reason(status, next) || !all(trim(next), letter) {
		return true
	}
	switch next = trim(next); string(next) {
	case "in", "ok", "OK", "for", "by", "after", "took", "with", "and", "error", "Error", "ERROR", "to", "id",
		"request", "response", "time", "duration", "latency", "status", "en", "nach", "dans", "em":
		return true
	}
	return upper(next[0])
}

// afterReason returns the end of a status' reason phrase that follows b[i], or i.
func afterReason(b []byte, i, status int) int {
	at := skipSpace(b, i)
	for _, phrase := range [...]string{
		"internal server error", "not implemented", "bad gateway", "service unavailable", "gateway timeout",
		"gateway time-out", "server error",
	} {
		end := at + len(phrase)
		if at > i && fold(b[at:], phrase) && reason(status, b[at:end]) && (end == len(b) || !alnum(b[end])) {
			if end < len(b) && b[end] == ':' {
				end++
			}
			return end
		}
	}
	return i
}

// answering reports whether a text ends in words of a program that answers:
// "responded with status", "Returning HTTP".
func answering(text []byte) bool {
	text = text[max(0, len(text)-maxBefore):]
	for range 4 {
		word := wordBefore(text)
		switch {
		case isAnswer(word):
			return true
		case !isAnswerFiller(word):
			return false
		}
		text = text[:bytes.LastIndex(text, word)]
	}
	return false
}

// haproxy ends the walk at the status behind HAProxy's timers; the request is
// the line's last string.
func (w *walker) haproxy(status int) Match {
	m := Match{Status: status, Rule: "haproxy"}
	for w.next() {
		if w.b[w.i] == '"' {
			if r, ok := quotedRequest(w.b, w.i); ok {
				m.Method, m.Path = r.method, pathOf(r.target)
				return m
			}
		}
		for w.i < len(w.b) && !space(w.b[w.i]) {
			w.i++
		}
	}
	return m
}

// isTimers reports whether a word is HAProxy's five times: "0/-1/-1/-1/+0".
func isTimers(word []byte) bool {
	slashes := 0
	for _, c := range word {
		switch {
		case c == '/':
			slashes++
		case !digit(c) && c != '-' && c != '+':
			return false
		}
	}
	return slashes == 4
}
