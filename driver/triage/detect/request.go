package detect

import "bytes"

// request is the first line of an HTTP request, as logs show it.
type request struct {
	method, target []byte
	version        bool // a protocol follows the target
	hosted         bool // a host without a scheme stood before the target
	end            int  // of it in the line, behind a closing quote
}

// isMethod reports whether a word may stand before a target outside quotes. Inside,
// with a protocol behind it, any word in capitals may: servers answer 501 to those
// they do not know.
func isMethod(b []byte) bool { return means(b, methods) }

// isMethodFold is isMethod in any case: some programs log "get". Kubernetes' verbs are
// methods too.
func isMethodFold(b []byte) bool { return meansFold(b, anyMethods) }

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
// If the method is followed by a status, as in "GET [500] /path", that is
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
	if small && !meansFold(r.method, smallMethods) {
		return r, 0, false
	}
	g := behindMethod{at: gap(b, end), small: small}
	if g.at == end {
		return r, 0, false
	}
	for i := range requestRules {
		if g.at >= len(b) {
			return r, 0, false
		}
		g = requestRules[i].read(b, g)
	}
	return r, g.status, g.at < len(b) && r.readTarget(b, g.at, small)
}

// behindMethod is what stands between a method and its target, as far as it is read.
type behindMethod struct {
	at     int  // where the target begins, or more that stands before it
	status int  // 0: none
	small  bool // the method is in lower case
}

// readTarget reads what the request is for, which begins at b[at], in quotes or without.
func (r *request) readTarget(b []byte, at int, small bool) bool {
	if b[at] == '"' || b[at] == '\'' {
		stop := closing(b, at+1, b[at])
		if stop < 0 {
			return false
		}
		r.target, r.end = b[at+1:stop], stop+1
	} else {
		// Looked at before the target's end is: else a long word would be read
		// again for each method in it.
		if b[at] != '/' && b[at] != '*' && string(r.method) != "CONNECT" && !absolute(b[at:]) && host(b, at) == 0 {
			return false
		}
		r.end = at
		for r.end < len(b) && !space(b[r.end]) && b[r.end] != '|' {
			r.end++
			if r.end-at > maxBefore && b[at] != '/' && !absolute(b[at:]) {
				return false
			}
		}
		looked(r.end - at)
		r.target = bytes.TrimRight(b[at:r.end], `,;:)]}"'`)
	}
	if len(r.target) == 0 {
		return false
	}
	if r.target[0] == '/' || small {
		return r.target[0] == '/'
	}
	n := host(r.target, 0)
	switch {
	case n > 0:
		r.hosted, r.target = true, r.target[n:]
		return true
	case r.target[0] == '*':
		return len(r.target) == 1
	case string(r.method) == "CONNECT" && r.end-at <= maxBefore:
		return bytes.IndexByte(r.target, ':') > 0
	}
	return absolute(r.target)
}

// requestRules are what may stand between a method and its target, in this order.
var requestRules = []rule[func(b []byte, g behindMethod) behindMethod]{
	{
		name:    "status in brackets",
		doc:     "The status stands in brackets; Ceph's duration, user and size may follow in brackets too.",
		example: `0:00:00.012345 GET     [500] /x`,
		finds:   finds(500, "request"),
		read:    bracketed,
	},
	{
		name:    "status before the path",
		doc:     "The status, a duration and an address stand between the method and its path.",
		example: `[bookshelf] [INFO] GET 500 8ms 127.0.0.1 /books 3`,
		finds:   finds(500, "request"),
		read:    between,
	},
	{
		name:    "dash before the path",
		doc:     "A dash may stand between a method and its path.",
		example: `app.example GET - "/oauth2/callback?code=500" HTTP/1.1 "curl/8" 502 512 0.503`,
		finds:   finds(502, "request"),
		read:    dashed,
	},
	{
		name:    "scheme and host in words of their own",
		doc:     "Nginx Proxy Manager writes `GET https host \"/x\"`.",
		example: `[02/Dec/2026:23:59:59 +0000] 500 - GET https a.example "/x" [Client 10.0.0.1] [Length 170]`,
		finds:   finds(500, "status-request"),
		read:    schemeAndHost,
	},
}

func bracketed(b []byte, g behindMethod) behindMethod {
	at := g.at
	if b[at] != '[' && b[at] != '(' || at+5 >= len(b) || b[at+4] != ']' && b[at+4] != ')' {
		return g
	}
	status, ok := number(b[at+1 : at+4])
	if !ok {
		return g
	}
	at = gap(b, at+4)
	// Ceph's "[GET] [500] [0.123s] [admin] [513.0B] /path".
	for n := 0; n < 4 && at < len(b) && b[at] == '['; n++ {
		at = gap(b, wordEnd(b[:min(len(b), at+maxKey)], at))
	}
	g.at, g.status = at, status
	return g
}

func between(b []byte, g behindMethod) behindMethod {
	at := g.at
	if g.status != 0 || g.small || at+4 >= len(b) || !space(b[at+3]) {
		return g
	}
	status, ok := number(b[at : at+3])
	if !ok {
		return g
	}
	at = gap(b, at+3)
	for n := 0; n < 3 && at < len(b) && b[at] != '/' && host(b, at) == 0; n++ {
		at = gap(b, wordEnd(b, at))
	}
	g.at, g.status = at, status
	return g
}

func dashed(b []byte, g behindMethod) behindMethod {
	if g.at+2 < len(b) && b[g.at] == '-' && b[g.at+1] == ' ' {
		g.at += 2
	}
	return g
}

func schemeAndHost(b []byte, g behindMethod) behindMethod {
	if !bytes.HasPrefix(b[g.at:], []byte("http ")) && !bytes.HasPrefix(b[g.at:], []byte("https ")) {
		return g
	}
	host := skipSpace(b, wordEnd(b, g.at))
	target := skipSpace(b, wordEnd(b, host))
	if rest := b[target:]; bytes.HasPrefix(rest, []byte(`"/`)) || bytes.HasPrefix(rest, []byte("/")) {
		g.at = target
	}
	return g
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
