package detect

import "bytes"

// sight is a request and what stands before it.
type sight struct {
	request
	before   []byte
	protocol bool // a protocol stands right before it
}

// clientReader knows requests of one form that the program sent itself.
type clientReader struct {
	form form
	is   func(*walker, sight) bool
}

// clientRules say by the text before a request that it is the program's own. They look
// for words of words.txt.
var clientRules = []rule[clientReader]{
	{
		name:    "URL in quotes",
		doc:     "A URL without a protocol behind it was requested by the program, if no word speaks of access.",
		example: `Server error: 'POST https://api.example.com/x' resulted in a 503 response: {"status":503}`,
		finds:   finds(0, "client"),
		read:    clientReader{quoted, quotedURL},
	},
	{
		name:    "client library",
		doc:     "The name of a client library stands before a request in quotes.",
		example: `DEBUG urllib3.connectionpool http://localhost:5000 "POST /x HTTP/1.1" 500 153`,
		finds:   finds(0, "client"),
		read:    clientReader{quoted, libraryBefore},
	},
	{
		name:    "words of a client",
		doc:     "A word such as `outgoing` or `call to` stands before the request.",
		example: `call to inventory failed: GET /stock 503`,
		finds:   finds(0, "client"),
		read:    clientReader{bare, clientBefore},
	},
	{
		name:    "words of a test or a text",
		doc:     "A word such as `mock` or `expect` stands before a request that was never sent.",
		example: `expect GET /x -> 500`,
		finds:   finds(0, "client"),
		read:    clientReader{bare, exampleBefore},
	},
	{
		name:    "another host",
		doc:     "The request names a host, and does not stand as servers write it that know no other form.",
		example: `ERROR: GET https://api.github.com/repos/a/b returned 502`,
		finds:   finds(0, "client"),
		read:    clientReader{bare, hostNamed},
	},
}

// outgoing reports whether the words before a request make it the program's
// own.
func (w *walker) outgoing(s sight, form form) bool {
	if form == bare {
		if i := bytes.LastIndexByte(s.before, '|'); i >= 0 {
			s.before = s.before[i:] // the name that docker compose puts there is no word
		}
		s.before = s.before[syslogHead(s.before):]
	}
	for i := range clientRules {
		if r := &clientRules[i].read; r.form == form && r.is(w, s) {
			return true
		}
	}
	return false
}

func quotedURL(_ *walker, s sight) bool {
	return absolute(s.target) && !s.version && !contains(s.before, accessWords)
}

func libraryBefore(_ *walker, s sight) bool { return contains(s.before, clientLibraries) }

func clientBefore(_ *walker, s sight) bool {
	return contains(s.before, clientWords) || perhaps(s.before)
}

func exampleBefore(_ *walker, s sight) bool { return contains(s.before, exampleWords) }

func hostNamed(w *walker, s sight) bool {
	return (s.hosted || absolute(s.target) && !w.ownAbsolute(s.request)) && !s.protocol && !w.req.finished &&
		(w.early.status == 0 || w.early.inSentence) && !contains(s.before, accessWords)
}

// perhaps reports whether a text has words that may mean a request of the program's own.
func perhaps(text []byte) bool {
	if contains(text, perhapsClient) {
		return true
	}
	for at := skipSpace(text, 0); at < len(text); {
		end := wordEnd(text, at)
		word := text[at:end]
		if !bytes.ContainsAny(word, "[]=.") && word[len(word)-1] != ':' && contains(word, clientRoles) {
			return true
		}
		at = skipSpace(text, end)
	}
	return false
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
			!meansFold(word, levels) {
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

// othersResponse reports whether a message names whose response it is: "s3 response", but not "http response".
func othersResponse(message []byte) bool {
	name, response, ok := bytes.Cut(message, []byte(" "))
	return ok && foldIs(response, "response") && !meansFold(name, ownResponses)
}
