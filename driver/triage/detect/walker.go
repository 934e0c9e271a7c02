package detect

import (
	"bytes"
	"sync"
)

// walker reads a line of text from left to right, once. What stands in quotes
// is a request, a key's value, or nothing that counts.
type walker struct {
	cursor
	req   found     // the request, once it was seen
	early candidate // a status before it
	facts facts     // what keys say

	tok    token // the word that is read
	common bool  // the line begins as the common log format does
	match  Match // of the decided line
}

// walkers keeps walkers for the next lines: rules get pointers to one, so it would be
// allocated for each line.
var walkers = sync.Pool{New: func() any { return new(walker) }}

// newWalker returns a walker for a line; give it back with free.
func newWalker(line []byte, nesting int) *walker {
	w := walkers.Get().(*walker)
	w.b, w.nesting = line, nesting
	return w
}

func (w *walker) free() {
	*w = walker{}
	walkers.Put(w)
}

// found is the request of a line, and how it stands there.
type found struct {
	request
	form     form
	dist     int  // tokens since the request
	finished bool // "Request finished" was read: ASP.NET's own line
}

type form uint8

const (
	none form = iota
	quoted
	bare
)

func (f *found) seen() bool { return f.form != none }

// set takes the request that the line is about.
func (f *found) set(r request, form form) { f.request, f.form, f.dist = r, form, 0 }

// outcome is what reading a part of a line led to.
type outcome uint8

const (
	pass    outcome = iota // nothing: the next rule reads the part
	done                   // the part is read
	decided                // the line is decided, by walker.match
)

// decide ends the walk with a status, 0 if there is none in the status' place.
func (w *walker) decide(status int, rule string) outcome {
	m := Match{Status: status, Method: w.facts.method, Path: w.facts.path, Rule: rule}
	if w.req.seen() {
		m.Method, m.Path = w.req.method, pathOf(w.req.target)
	}
	return w.end(m)
}

// end ends the walk with a match.
func (w *walker) end(m Match) outcome {
	w.match = m
	return decided
}

// endAsClient ends the walk of a line about a request of the program's own.
func (w *walker) endAsClient() outcome { return w.end(Match{Rule: "client"}) }

// longWalk is how many tokens behind a request its status may stand.
const longWalk = 24

// walk decides the line.
func (w *walker) walk() Match {
	if m, ok := neverCounts(w.b); ok {
		return m
	}
	w.commonPrefix()
	for w.next() {
		if w.part() == decided {
			return w.match
		}
	}
	if w.early.live() && w.req.seen() {
		w.decide(w.early.status, "status-request")
		return w.match
	}
	// In the common format a phrase before the request would be a user's name.
	if w.conclude("logfmt") != decided && !w.common {
		w.phrases()
	}
	return w.match
}

// part reads an object, a text in quotes, or a token.
func (w *walker) part() outcome {
	w.begin = w.i
	switch c := w.b[w.i]; {
	case c == '{' && objectAt(w.b, w.i):
		return w.objectBehind(w.b[:w.i])
	case c == '"' || c == '\'' || c == '`':
		o := w.quote(w.label)
		w.label = nil
		return o
	}
	return w.token()
}

// objectBehind reads an object behind a text.
func (w *walker) objectBehind(text []byte) outcome {
	if failureBefore(text) {
		if m, ok := implied(text, phraseHead(text)); ok {
			return w.end(m) // the object is the context that a logger adds
		}
		return w.endAsClient() // an answer that another service gave
	}
	if w.json() == decided {
		return decided
	}
	return w.readAs(literal)
}

// quote reads a token in quotes, the value of key if there is one.
func (w *walker) quote(key []byte) outcome {
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
	stop := w.closing()
	if stop < 0 {
		w.i++
		return w.readAs(prose)
	}
	inner := b[from+1 : stop]
	w.i = stop + 1
	w.req.dist++
	if w.afterDate && !w.req.seen() {
		// The common log format with "-" or bytes instead of a request.
		w.afterDate = false
		if at := skipSpace(b, w.i); at > w.i {
			if _, ok := number(b[at:wordEnd(b, at)]); ok {
				w.req.set(request{version: true}, quoted)
				return w.readAs(thing)
			}
		}
	}
	if key != nil {
		return w.value(key, inner, true)
	}
	w.early.fresh = w.early.fresh && w.req.seen()
	return w.readAs(literal)
}

// token reads a token without quotes at its beginning.
func (w *walker) token() outcome {
	b, from := w.b, w.i
	if !w.req.seen() && letter(b[from]) {
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
	i := from
	for inURL := false; i < len(b) && !space(b[i]) && b[i] != '|'; i++ {
		c := b[i]
		if c == ',' && !w.req.seen() && !inURL && i+1 < len(b) && b[i+1] == '"' && digit(b[from]) {
			if r, ok := quotedRequest(b, i+1); ok { // columns: 10.0.0.1,-,"GET /path HTTP/1.1",500
				w.i = i + 1
				return w.request(r, quoted, 0)
			}
		}
		inURL = inURL || c == '/' || c == '?' || c == '&' || c == '%' || c == '#' // its "=" makes no key
		if c == '=' && i > from && !inURL {
			if i+1 < len(b) && b[i+1] == '>' {
				break
			}
			return w.assignment(keyOf(b[from:i]), i)
		}
		if (c == ':' || c == '(' || c == '[') && i+1 < len(b) && b[i+1] == '"' && i > from {
			w.i = i + 1
			w.label = keyOf(b[from:i])
			return w.readAs(label)
		}
	}
	if i == from { // a lone "="
		i++
	}
	w.i = i
	w.req.dist++
	return w.word(b[from:i], from)
}

// assignment reads the value of a key whose "=" is b[i]: key=value, key="value".
func (w *walker) assignment(key []byte, i int) outcome {
	b := w.b
	w.begin = i - len(key)
	i++
	if i < len(b) && (b[i] == '"' || b[i] == '\'') {
		w.i = i
		return w.quote(key)
	}
	if isRequestKey(key) && !w.req.seen() {
		if r, status, ok := bareRequest(b, i); ok {
			w.i = i
			return w.request(r, bare, status)
		}
	}
	end := w.braces(i)
	for end < len(b) && !space(b[end]) && b[end] != '|' {
		if b[end] == ',' && b[i] != '/' && !fold(b[i:], "http") && keyFollows(b[end+1:]) {
			break // key=1,key=2
		}
		end++
	}
	w.i = end
	w.req.dist++
	o := w.value(key, trim(b[i:end]), false)
	if b[end-1] == ',' {
		w.prev = label // us=502, 200: a list goes on
	}
	return o
}

// value judges a key's value. Its bytes are in the line.
func (w *walker) value(key, value []byte, inQuotes bool) outcome {
	if w.prev != pair && w.facts.said == nil {
		said := w.b[max(0, w.begin-maxBefore):w.begin]
		if i := bytes.LastIndexByte(said, '|'); i >= 0 {
			said = said[i:] // the name that docker compose puts there is no word
		}
		w.facts.said = said
	}
	w.prev = pair
	w.afterDate = false
	if !w.req.seen() && !bytes.HasPrefix(key, []byte("request")) && (!w.early.ruled || !isAmount(value)) {
		w.early.fresh = false
	}
	w.facts.see(neutral, 0, key, value, inQuotes)
	if w.req.seen() {
		if s := w.facts.explicit(); s != 0 {
			return w.decide(s, "logfmt")
		}
	}
	return done
}

// conclude decides by the keys that were read.
func (w *walker) conclude(rule string) outcome {
	f := &w.facts
	f.useBody()
	f.served = f.served || bytes.HasSuffix(bytes.TrimRight(f.said, " "), []byte(`"HTTP"`)) // klog's
	status, client := f.final(w.req.seen())
	switch {
	case client:
		return w.endAsClient()
	case status != 0:
		return w.decide(status, rule)
	case f.message != nil && w.nesting < maxNesting:
		if m, ok := f.inner(w.nesting); ok {
			return w.end(m)
		}
	}
	return pass
}

// request records a request. A status within it or before it may be the
// answer's: then no other place can hold one.
func (w *walker) request(r request, form form, status int) outcome {
	b, at := w.b, w.i
	protoBefore := w.prev == protocols
	outgoing := !w.req.seen() && (status == 0 || !r.hosted) && w.outgoing(sight{r, b[:at], protoBefore}, form)
	w.req.set(r, form)
	w.i, w.prev, w.afterDate = r.end, thing, false
	w.facts.context |= hasMethod | hasPath
	if s, ok := nearest(b[:at]); ok && form == bare && !w.early.timed {
		// Nginx Proxy Manager's "502 200 - GET": the upstream's is before
		w.early.status, w.early.fresh = s, true
	}
	switch {
	case outgoing:
		return w.endAsClient()
	case form == bare && protoBefore && bytes.Contains(b[:w.i], []byte("Request starting HTTP/")):
		return w.decide(0, "kestrel") // a number behind it is the request's length
	case status != 0:
		return w.decide(status, "request")
	case w.early.dated != 0:
		return w.decide(w.early.dated, "status-request")
	case !w.early.live():
		w.early.status = 0
	case w.early.timed:
		return w.decide(w.early.status, "status-request")
	case form == bare:
		at = skipGap(b, r.end)
		next := trim(b[at:barEnd(b, at)])
		if means(next, hedges|notAnswered) {
			w.early.status = 0 // "500 GET /path is returned when …"
		} else if _, later := number(next); !later {
			return w.decide(w.early.status, "status-request")
		}
	}
	if s := w.facts.explicit(); s != 0 {
		return w.decide(s, "logfmt")
	}
	return done
}
