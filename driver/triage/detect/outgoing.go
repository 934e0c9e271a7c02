package detect

import "bytes"

// outgoing reports whether the words before a request make it the program's
// own.
func (w *walker) outgoing(before []byte, r request, form form, protoBefore bool) bool {
	if form == quoted {
		if absolute(r.target) && !r.version && !contains(before, accessWords) {
			return true
		}
		return contains(before, clientLibraries)
	}
	if i := bytes.LastIndexByte(before, '|'); i >= 0 {
		before = before[i:] // the name that docker compose puts there is no word
	}
	before = before[syslogHead(before):]
	if contains(before, clientWords) || perhaps(before) || contains(before, exampleWords) {
		return true
	}
	return (r.hosted || absolute(r.target) && !w.ownAbsolute(r)) && !protoBefore && !w.req.finished &&
		(w.early.status == 0 || w.early.inSentence) && !contains(before, accessWords)
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
