package detect

import "bytes"

// walker reads a line of text from left to right, once. What stands in quotes
// is a request, a key's value, or nothing that counts.
type walker struct {
	b       []byte
	i       int
	nesting int

	req  request // the request, once it was seen
	how  seen
	dist int   // tokens since the request
	prev class // of the token before
	bar  bool  // a "|" stands between it and the next token

	early     int    // a status before the request, 0: none
	timed     bool   // a duration follows early at once
	told      bool   // early stands in a sentence
	fresh     bool   // only durations, addresses and the like since early
	from      int    // where early ends
	facts     facts  // what keys say
	label     []byte // the key that the token before was: "status:"
	unquoted  bool   // no further quote is closed
	finished  bool   // "Request finished" was read: ASP.NET's own line
	afterDate bool   // the token before ended in "]": a request is next
}

type seen uint8

const (
	none seen = iota
	quoted
	bare
)

// class is what a token is good for when a status follows it.
type class uint8

const (
	start class = iota
	prose
	introducer // "status", "responded", "->"
	dash       // "-"
	datum      // a number, an address, a duration: anything with digits
	timers     // HAProxy's "0/0/1/500/503"
	pair       // key=value
	label      // "upstream:", of which a number would be the value
	literal    // in quotes
	protocols  // "HTTP/1.1"
	thing      // the request itself
)

// longWalk is after how many tokens behind a request its status is given up.
const longWalk = 24

// walk decides the line.
func (w *walker) walk() Match {
	if metric(w.b) || testResult(w.b) {
		return Match{}
	}
	if errorLog(w.b) {
		return Match{Rule: "error-log"}
	}
	w.commonPrefix()
	for w.next() {
		b := w.b
		switch c := b[w.i]; {
		case c == '{' && w.i+1 < len(b) && (b[w.i+1] == '"' || b[w.i+1] == '\''):
			if m, ok := w.json(); ok {
				return m
			}
			w.prev = literal
			continue
		case c == '"' || c == '\'' || c == '`':
			if m, ok := w.quote(w.label); ok {
				return m
			}
			w.label = nil
			continue
		}
		if m, ok := w.token(); ok {
			return m
		}
	}
	if w.early != 0 && w.how != none && w.fresh {
		return w.decide(w.early, "status-request")
	}
	if m, ok := w.conclude("logfmt"); ok {
		return m
	}
	return w.phrases()
}

// next goes to the next token.
func (w *walker) next() bool {
	w.bar = false
	for w.i < len(w.b) {
		switch c := w.b[w.i]; {
		case c == '|':
			w.bar = true
		case c == '{' && w.i+1 < len(w.b) && (w.b[w.i+1] == '"' || w.b[w.i+1] == '\''):
			return true
		case !space(c) && c != '(' && c != '[' && c != '<' && c != '{' && c != ',' && c != ';':
			return true
		}
		w.i++
	}
	return false
}

// rest leaves what was read behind.
func (w *walker) rest() { w.prev = prose }

// decide ends the walk. A client's own requests are no server's answers.
func (w *walker) decide(status int, rule string) Match {
	m := Match{Status: status, Method: w.facts.method, Path: w.facts.path, Rule: rule}
	if w.how != none {
		m.Method, m.Path = w.req.method, pathOf(w.req.target)
	}
	return m
}

// quote reads a token in quotes, the value of key if there is one.
func (w *walker) quote(key []byte) (Match, bool) {
	b, from := w.b, w.i
	if key == nil || len(w.label) > 0 || isRequestKey(key) {
		if r, ok := quotedRequest(b, from); ok {
			return w.request(r, quoted, 0)
		}
		if r, status, ok := bareRequest(b, from+1); ok && key == nil && r.end < len(b) && b[from+1+len(r.method)] == b[from] {
			return w.request(r, bare, status) // "GET" "/path"
		}
	}
	stop := -1
	switch {
	case w.unquoted:
	case b[from] == '\'':
		// An apostrophe is no quote.
		for stop = closing(b, from+1, '\''); stop >= 0 && stop+1 < len(b) && alnum(b[stop+1]); {
			stop = closing(b, stop+1, '\'')
		}
	default:
		stop = closing(b, from+1, b[from])
	}
	if stop < 0 {
		w.unquoted = true
		w.i++
		w.prev = prose
		return Match{}, false
	}
	inner := b[from+1 : stop]
	w.i = stop + 1
	w.dist++
	if w.afterDate && w.how == none {
		// The common log format, and a request that is none: "-", or bytes.
		w.afterDate = false
		if at := skipSpace(b, w.i); at > w.i {
			if _, ok := number(b[at:wordEnd(b, at)]); ok {
				w.req, w.how, w.dist, w.prev = request{version: true}, quoted, 0, thing
				return Match{}, false
			}
		}
	}
	if key != nil {
		return w.value(key, inner, true)
	}
	w.prev = literal
	w.fresh = w.fresh && w.how != none
	return Match{}, false
}

// token reads a token without quotes at its beginning.
func (w *walker) token() (Match, bool) {
	b, from := w.b, w.i
	if w.how == none && letter(b[from]) {
		if r, status, ok := bareRequest(b, from); ok {
			return w.request(r, bare, status)
		}
	}
	i := from
	for i < len(b) && !space(b[i]) && b[i] != '|' {
		if c := b[i]; c == '=' && i > from {
			if i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\'') {
				w.i = i + 1
				return w.quote(keyOf(b[from:i]))
			}
			if i+1 < len(b) && b[i+1] == '>' {
				break
			}
			end := i + 1
			for end < len(b) && !space(b[end]) && b[end] != '|' {
				if b[end] == ',' && b[i+1] != '/' && !fold(b[i+1:], "http") && keyFollows(b[end+1:]) {
					break // key=1,key=2, but not in a URL
				}
				end++
			}
			w.i, w.dist = end, w.dist+1
			m, ok := w.value(keyOf(b[from:i]), trim(b[i+1:end]), false)
			if end > 0 && b[end-1] == ',' {
				w.prev = label // us=502, 200: a list goes on
			}
			return m, ok
		} else if (c == ':' || c == '(' || c == '[') && i+1 < len(b) && b[i+1] == '"' && i > from {
			w.i, w.prev = i+1, label
			w.label = keyOf(b[from:i])
			return Match{}, false
		}
		i++
	}
	if i == from { // a lone "="
		i++
	}
	word := b[from:i]
	w.i, w.dist = i, w.dist+1
	return w.word(word, from)
}

// word judges a token that is neither a request, a key nor in quotes.
func (w *walker) word(word []byte, from int) (Match, bool) {
	b := w.b
	before := w.prev
	core := trim(word)
	status, isStatus := number(core)
	w.afterDate = word[len(word)-1] == ']'
	if len(w.label) > 0 && !isMessageKey(w.label) {
		w.facts.see(neutral, 0, w.label, bytes.TrimLeft(core, ":"), false)
	}
	w.label = nil
	if i := bytes.IndexByte(core, ':'); i > 0 && i < maxKey && i+1 < len(core) && letter(core[0]) && all(core[:i], isKeyByte) && !isMessageKey(core[:i]) {
		if isStatusKey(core[:i]) { // status:500
			return w.value(core[:i], core[i+1:], false)
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
			if (w.early == 0 || !w.fresh) && !w.counted() {
				w.early, w.fresh, w.timed, w.from = status, true, false, w.i
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
		if w.prev = introducer; len(word) <= 2 && word[0] == '-' && (len(word) == 1 || word[1] == '-') {
			w.prev = dash
		}
	case bytes.HasPrefix(core, protocol):
		w.prev = protocols
	case isTimers(word):
		w.prev = timers
	case word[len(word)-1] == ':' && all(core, isKeyByte) && !all(core, digit):
		w.prev, w.label = label, keyOf(core)
		if isStatusKey(core) {
			w.prev = introducer
		}
		if w.how == none && w.refused(core) {
			return w.decide(0, "django"), true
		}
	case bytes.HasSuffix(word, []byte("):")) && w.how == none && w.refused(core):
		return w.decide(0, "django"), true
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
		switch {
		case w.how != none, w.timed && w.bar: // "| 500 | 1.2ms | match | GET"
		case string(word) == "for" && w.fresh && skipGap(b, w.from) == from: // "sent 500 for GET"
			w.told = true
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
	outgoing := w.how == none && w.outgoing(b[:w.i], r, how, protoBefore)
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
	if w.early != 0 && w.fresh {
		if w.timed {
			return w.decide(w.early, "status-request"), true
		}
		at = skipGap(b, r.end)
		_, later := number(trim(b[at:barEnd(b, at)]))
		if how == bare && !later {
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
	if n < 3 || n == len(b) || n > 3 && b[n-4] != ' ' && b[n-4] != '[' && b[n-4] != '(' && b[n-4] != '|' && b[n-4] != '\t' {
		return 0, false
	}
	return number(b[n-3 : n])
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

// counted reports whether the number just read counts something: a unit
// follows.
func (w *walker) counted() bool {
	at := skipSpace(w.b, w.i)
	return isUnit(trim(w.b[at:wordEnd(w.b, at)]))
}

// follows reports whether what comes after a status behind a request without
// quotes can: anything but a word of prose, as in "GET /users 500 customers".
func (w *walker) follows(status int) bool {
	at := skipSpace(w.b, w.i)
	if at == len(w.b) || at == w.i {
		return true
	}
	next := w.b[at:wordEnd(w.b, at)]
	if !letter(next[0]) || bytes.IndexByte(next, '=') > 0 || reason(status, next) || !all(trim(next), letter) {
		return true
	}
	switch next = trim(next); string(next) {
	case "in", "from", "ok", "OK", "for", "by", "after", "took", "with", "and", "error", "Error", "ERROR", "to", "id", "request", "response", "time", "duration", "latency", "status":
		return true
	}
	return upper(next[0])
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

// value judges a key's value. Its bytes are in the line.
func (w *walker) value(key, value []byte, inQuotes bool) (Match, bool) {
	w.prev = pair
	w.afterDate = false
	if w.how == none && !bytes.HasPrefix(key, []byte("request")) {
		w.fresh = false
	}
	w.facts.see(neutral, 0, key, value, inQuotes)
	if w.how != none {
		if s := w.facts.explicit(); s != 0 {
			return w.decide(s, "logfmt"), true
		}
	}
	return Match{}, false
}

// conclude decides by the keys that were read.
func (w *walker) conclude(rule string) (Match, bool) {
	f := &w.facts
	status, client := f.final(w.how != none)
	switch {
	case client:
		return Match{Rule: "client"}, true
	case status != 0:
		m := w.decide(status, rule)
		if m.Method == nil {
			m.Method = f.method
		}
		return m, true
	case f.message != nil && w.nesting < maxNesting:
		return f.inner(w.nesting)
	}
	return Match{}, false
}

// commonPrefix passes over what stands before the request in the common log
// format, the user's name above all, and over the "INFO:logger:" of Python's
// default format.
//
//	10.0.0.1 - somebody's name [23/Nov/2026:19:03:01 +0000] "GET …
//
// Nobody can write an unescaped quote into a name, so the line's first quote is
// the request's where a date is before it.
func (w *walker) commonPrefix() {
	if q := closing(w.b, 0, '"'); q > 0 && dateBefore(w.b[:q]) {
		w.i, w.prev, w.afterDate = q, datum, true
		return
	}
	i := 0
	for i < len(w.b) && upper(w.b[i]) {
		i++
	}
	if i < 4 || i == len(w.b) || w.b[i] != ':' {
		return
	}
	for i++; i < len(w.b) && isKeyByte(w.b[i]); i++ {
	}
	if i < len(w.b) && w.b[i] == ':' {
		w.i = i + 1
	}
}

// dateBefore reports whether b ends in "[…] " with a date and time in it.
func dateBefore(b []byte) bool {
	b, ok := bytes.CutSuffix(b, []byte("] "))
	if !ok {
		return false
	}
	open := bytes.LastIndexByte(b[max(0, len(b)-40):], '[')
	if open < 0 {
		return false
	}
	date := b[max(0, len(b)-40)+open+1:]
	return len(date) >= 16 && bytes.IndexByte(date, ':') > 0 && bytes.Count(date, []byte("20")) > 0 && (digit(date[0]) || letter(date[0]))
}
