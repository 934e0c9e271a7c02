package detect

import "bytes"

// walker reads a line of text from left to right, once. What stands in quotes
// is a request, a key's value, or nothing that counts.
type walker struct {
	b       []byte
	i       int
	begin   int // of the token, or of its key
	nesting int

	req  request // the request, once it was seen
	how  seen
	dist int   // tokens since the request
	prev class // of the token before
	bar  bool  // a "|" stands between it and the next token

	early     int     // a status before the request, 0: none
	timed     bool    // a duration follows early at once
	ruled     bool    // early stands between dashes: "-- 500 --"
	told      bool    // early stands in a sentence
	answers   bool    // early stands behind "responded with" and the like
	fresh     bool    // only durations, addresses and the like since early
	from      int     // where early ends
	dated     int     // a status between a date and an address, 0: none
	facts     facts   // what keys say
	label     []byte  // the key that the token before was: "status:"
	open      [3]bool // no further quote of this kind is closed
	gape      bool    // no further brace is closed
	common    bool    // the line begins as the common log format does
	finished  bool    // "Request finished" was read: ASP.NET's own line
	afterDate bool    // the token before ended in "]": a request is next
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
	if metric(w.b) || influx(w.b) || testResult(w.b) || document(w.b) {
		return Match{}
	}
	if logcat(w.b) {
		return Match{Rule: "client"}
	}
	if errorLog(w.b) {
		return Match{Rule: "error-log"}
	}
	w.commonPrefix()
	for w.next() {
		b := w.b
		w.begin = w.i
		switch c := b[w.i]; {
		case c == '{' && objectAt(b, w.i):
			if failureBefore(b[:w.i]) {
				if m, ok := implied(b[:w.i], phraseHead(b[:w.i])); ok {
					return m // the object is the context that a logger adds
				}
				return Match{Rule: "client"} // an answer that another service gave
			}
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
	if w.common {
		return Match{} // a phrase before the request would be a user's name
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
		case c == '{' && objectAt(w.b, w.i):
			return true
		case !space(c) && c != '(' && c != '[' && c != '<' && c != '{' && c != ',' && c != ';':
			return true
		}
		w.i++
	}
	return false
}

// decide ends the walk.
func (w *walker) decide(status int, rule string) Match {
	m := Match{Status: status, Method: w.facts.method, Path: w.facts.path, Rule: rule}
	if w.how != none {
		m.Method, m.Path = w.req.method, pathOf(w.req.target)
	}
	return m
}

// quotes are what quotes are made of.
const quotes = "\"'`"

// quote reads a token in quotes, the value of key if there is one.
func (w *walker) quote(key []byte) (Match, bool) {
	b, from := w.b, w.i
	if key == nil || len(w.label) > 0 || isRequestKey(key) {
		if r, ok := quotedRequest(b, from); ok {
			return w.request(r, quoted, 0)
		}
		if r, status, ok := bareRequest(b, from+1); ok && key == nil && r.end < len(b) &&
			b[from+1+len(r.method)] == b[from] {
			return w.request(r, bare, status) // "GET" "/path"
		}
	}
	stop, kind := -1, bytes.IndexByte([]byte(quotes), b[from])
	switch {
	case w.open[kind]:
	case b[from] == '\'':
		// An apostrophe is no quote.
		for stop = closing(b, from+1, '\''); stop >= 0 && stop+1 < len(b) && alnum(b[stop+1]); {
			stop = closing(b, stop+1, '\'')
		}
	default:
		stop = closing(b, from+1, b[from])
	}
	if stop < 0 {
		w.open[kind] = true
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
		at := from
		if from > 0 && b[from-1] == '[' { // "[info]GET /path"
			if stop := bytes.IndexByte(b[from:min(len(b), from+12)], ']'); stop > 0 &&
				all(b[from:from+stop], letter) && !isMethodFold(b[from:from+stop]) {
				at = from + stop + 1
			}
		}
		if r, status, ok := bareRequest(b, at); ok {
			w.i = at
			return w.request(r, bare, status)
		}
	}
	i, inURL := from, false // a URL's "=" makes no key
	for i < len(b) && !space(b[i]) && b[i] != '|' {
		c := b[i]
		if c == ',' && w.how == none && !inURL && i+1 < len(b) && b[i+1] == '"' && digit(b[from]) {
			if r, ok := quotedRequest(b, i+1); ok { // columns: 10.0.0.1,-,"GET /path HTTP/1.1",500
				w.i = i + 1
				return w.request(r, quoted, 0)
			}
		}
		inURL = inURL || c == '/' || c == '?' || c == '&' || c == '%' || c == '#'
		if c == '=' && i > from && !inURL {
			key := keyOf(b[from:i])
			w.begin = i - len(key)
			if i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\'') {
				w.i = i + 1
				return w.quote(key)
			}
			if i+1 < len(b) && b[i+1] == '>' {
				break
			}
			if isRequestKey(key) && w.how == none {
				if r, status, ok := bareRequest(b, i+1); ok {
					w.i = i + 1
					return w.request(r, bare, status)
				}
			}
			end := w.braces(i + 1)
			for end < len(b) && !space(b[end]) && b[end] != '|' {
				if b[end] == ',' && b[i+1] != '/' && !fold(b[i+1:], "http") && keyFollows(b[end+1:]) {
					break // key=1,key=2
				}
				end++
			}
			w.i, w.dist = end, w.dist+1
			m, ok := w.value(key, trim(b[i+1:end]), false)
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

// braces returns the end of a value in braces that begins at b[i], such as
// params={"q"=>"status=500"}, or i where none does. In it are a client's words.
func (w *walker) braces(i int) int {
	b := w.b
	if i >= len(b) || b[i] != '{' || w.gape {
		return i
	}
	depth := 0
	for at := i; at < len(b); at++ {
		switch b[at] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at + 1
			}
		case '"':
			stop := closing(b, at+1, '"')
			if stop < 0 {
				w.gape = true
				return i
			}
			at = stop
		}
	}
	w.gape = true
	return i
}

// value judges a key's value. Its bytes are in the line.
func (w *walker) value(key, value []byte, inQuotes bool) (Match, bool) {
	if w.prev != pair && w.facts.said == nil {
		said := w.b[max(0, w.begin-maxBefore):w.begin]
		if i := bytes.LastIndexByte(said, '|'); i >= 0 {
			said = said[i:] // the name that docker compose puts there is no word
		}
		w.facts.said = said
	}
	w.prev = pair
	w.afterDate = false
	if w.how == none && !bytes.HasPrefix(key, []byte("request")) && (!w.ruled || !isAmount(value)) {
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
	f.settle()
	f.served = f.served || bytes.HasSuffix(bytes.TrimRight(f.said, " "), []byte(`"HTTP"`)) // klog's
	status, client := f.final(w.how != none)
	switch {
	case client:
		return Match{Rule: "client"}, true
	case status != 0:
		return w.decide(status, rule), true
	case f.message != nil && w.nesting < maxNesting:
		return f.inner(w.nesting)
	}
	return Match{}, false
}
