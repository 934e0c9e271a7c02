package detect

import "bytes"

// request is the first line of an HTTP request, as logs show it.
type request struct {
	method, target []byte
	version        bool // a protocol follows the target
	hosted         bool // a host without a scheme stood before the target
	end            int  // of it in the line, behind a closing quote
}

// methods is what may stand before a target outside quotes. Inside, with a
// protocol behind it, any word in capitals may: servers answer 501 to those
// they do not know.
var methods = [...]string{
	"GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE", "QUERY", "LIST",
	"PRI",
}

func isMethod(b []byte) bool {
	for _, m := range methods {
		if string(b) == m {
			return true
		}
	}
	return false
}

// isMethodFold is isMethod in any case: some programs log "get".
func isMethodFold(b []byte) bool {
	for _, m := range methods {
		if len(m) == len(b) && bytes.EqualFold(b, []byte(m)) {
			return true
		}
	}
	return foldIs(b, "watch") // Kubernetes' verbs
}

// quotedRequest reads a request in quotes whose opening quote is b[i]:
//
//	"GET /path HTTP/1.1"   "GET /path"   "GET /path 2"
//
// Servers that write a quote of the target as it came, without a backslash,
// take no target with blanks: so a quote within the target does not end it.
func quotedRequest(b []byte, i int) (r request, ok bool) {
	q := b[i]
	i++
	end := i
	for end < len(b) && (upper(b[end]) || b[end] == '-' || b[end] == '_') {
		end++
	}
	if end-i < 2 || end-i > 24 || end == len(b) || b[end] != ' ' {
		return r, false
	}
	r.method = b[i:end]
	i = skipSpace(b, end)
	end = wordEnd(b, i)
	r.target = b[i:end]
	if at := skipSpace(b, end); at > end {
		if stop := version(b, at, q); stop >= 0 {
			r.version, r.end = true, stop+1
			return r, len(r.target) > 0
		}
	}
	if !isMethod(r.method) {
		return r, false
	}
	// No protocol: the target's last quote ends it, if it ends the word too.
	word := bytes.TrimRight(r.target, ",;:)]}")
	if n := len(word); n > 1 && word[n-1] == q && trailingSlashes(word[:n-1])%2 == 0 {
		r.target, r.end = word[:n-1], i+n
		return r, true
	}
	// A target with blanks, from a server that escapes quotes.
	stop := closing(b, i, q)
	if stop < 0 {
		return r, false
	}
	r.end = stop + 1
	if inner := b[i:stop]; len(inner) < len(r.target) {
		r.target = inner
	} else if at := bytes.LastIndexByte(inner, ' '); at >= 0 && bytes.HasPrefix(inner[at+1:], protocol) {
		r.target, r.version = bytes.TrimRight(inner[:at], " "), true
	}
	return r, true
}

func trailingSlashes(b []byte) int {
	return len(b) - len(bytes.TrimRight(b, `\`))
}

// version reads "HTTP/1.1" or "2" and a closing quote and returns where the
// quote is, or -1.
func version(b []byte, i int, q byte) int {
	http := bytes.HasPrefix(b[i:], protocol) || bytes.HasPrefix(b[i:], []byte("HTTPS/"))
	if http {
		i = bytes.IndexByte(b[i:], '/') + i + 1
	}
	from := i
	for i < len(b) && i < from+4 && (digit(b[i]) || b[i] == '.') {
		i++
	}
	if i == from {
		return -1
	}
	i = skipSpace(b, i)
	if i < len(b) && b[i] == q {
		return i
	}
	return -1
}

// bareRequest reads a request that begins at b[i] without quotes around it:
//
//	GET /path   GET "/path"   "GET" "/path"   GET | /path   [GET] /path
//
// Where the method is followed by a status, as in "GET [500] /path", that is
// returned too.
func bareRequest(b []byte, i int) (r request, status int, ok bool) {
	end := i
	for end < len(b) && letter(b[end]) {
		end++
	}
	if end-i < 3 || end-i > 9 || end == len(b) {
		return r, 0, false
	}
	r.method = b[i:end]
	small := !isMethod(r.method)
	if small && !foldIs(r.method, "get") && !foldIs(r.method, "post") && !foldIs(r.method, "put") &&
		!foldIs(r.method, "delete") && !foldIs(r.method, "patch") && !foldIs(r.method, "head") && !foldIs(r.method,
		"options") {
		return r, 0, false
	}
	at := gap(b, end)
	if at == end || at == len(b) {
		return r, 0, false
	}
	if (b[at] == '[' || b[at] == '(') && at+5 < len(b) && (b[at+4] == ']' || b[at+4] == ')') {
		if status, ok = number(b[at+1 : at+4]); ok {
			at = gap(b, at+4)
			// Ceph's "[GET] [500] [0.123s] [admin] [513.0B] /path".
			for n := 0; n < 4 && at < len(b) && b[at] == '['; n++ {
				at = gap(b, wordEnd(b[:min(len(b), at+maxKey)], at))
			}
		}
	} else if at+4 < len(b) && space(b[at+3]) && !small {
		if status, ok = number(b[at : at+3]); ok {
			at = gap(b, at+3)
			// "GET 500 12ms 10.0.0.1 /path": the path comes later.
			for n := 0; n < 3 && at < len(b) && b[at] != '/' && host(b, at) == 0; n++ {
				at = gap(b, wordEnd(b, at))
			}
		}
	}
	if at+2 < len(b) && b[at] == '-' && b[at+1] == ' ' {
		at += 2
	}
	if at >= len(b) {
		return r, 0, false
	}
	if bytes.HasPrefix(b[at:], []byte("http ")) || bytes.HasPrefix(b[at:], []byte("https ")) {
		// Nginx Proxy Manager: GET https host "/path", others without the quotes
		host := skipSpace(b, wordEnd(b, at))
		target := skipSpace(b, wordEnd(b, host))
		if rest := b[target:]; bytes.HasPrefix(rest, []byte(`"/`)) || bytes.HasPrefix(rest, []byte("/")) {
			at = target
		}
	}
	quote := b[at] == '"' || b[at] == '\''
	if quote {
		stop := closing(b, at+1, b[at])
		if stop < 0 {
			return r, 0, false
		}
		r.target, r.end = b[at+1:stop], stop+1
	} else {
		// Looked at before the target's end is: else a long word would be read
		// again for each method in it.
		if b[at] != '/' && b[at] != '*' && string(r.method) != "CONNECT" && !absolute(b[at:]) && host(b, at) == 0 {
			return r, 0, false
		}
		r.end = at
		for r.end < len(b) && !space(b[r.end]) && b[r.end] != '|' {
			r.end++
			if r.end-at > maxBefore && b[at] != '/' && !absolute(b[at:]) {
				return r, 0, false
			}
		}
		looked(r.end - at)
		r.target = bytes.TrimRight(b[at:r.end], `,;:)]}"'`)
	}
	switch {
	case len(r.target) == 0:
		return r, 0, false
	case r.target[0] == '/':
		return r, status, true
	case small:
		return r, 0, false
	case host(r.target, 0) > 0:
		r.hosted, r.target = true, r.target[host(r.target, 0):]
		return r, status, true
	case r.target[0] == '*':
		return r, status, len(r.target) == 1
	case string(r.method) == "CONNECT" && r.end-at <= maxBefore:
		return r, status, bytes.IndexByte(r.target, ':') > 0
	}
	return r, status, absolute(r.target)
}

// gap skips blanks, bars and the punctuation around a method.
func gap(b []byte, i int) int {
	for i < len(b) &&
		(space(b[i]) || b[i] == '|' || b[i] == '"' && i+1 < len(b) && space(b[i+1]) || b[i] == ']' || b[i] == ')') {
		i++
	}
	return i
}

// absolute reports whether a target names a scheme and a host.
func absolute(target []byte) bool {
	return fold(target, "http://") || fold(target, "https://")
}

// pathOf cuts scheme, host, query and fragment from a target.
func pathOf(target []byte) []byte {
	mark := 0
	switch {
	case absolute(target):
		mark = bytes.Index(target, []byte("://")) + len("://")
	case fold(target, `http:\/\/`) || fold(target, `https:\/\/`):
		mark = bytes.Index(target, []byte(`\/\/`)) + len(`\/\/`)
	}
	if mark > 0 {
		target = target[mark:]
		i := bytes.IndexByte(target, '/')
		if i < 0 {
			return nil
		}
		if i > 0 && target[i-1] == '\\' {
			i--
		}
		target = target[i:]
	}
	if i := bytes.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	return target
}
