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
	body    []byte // a message if there is no other, and no request
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

// parents holds the names of objects, and foreignParts parts of such names.
var (
	parents = func() map[string]parent {
		all := map[string]parent{}
		for of, name := range map[parent]string{
			neutral: "parent:neutral", response: "parent:response", incoming: "parent:request",
			foreign: "parent:foreign",
		} {
			for _, word := range words(name) {
				all[word] = of
			}
		}
		return all
	}()
	foreignParts = newWordSet(words("parent:foreign-part")...)
)

// parentOf classifies one key as a parent, in the parent around it.
func parentOf(in parent, key []byte) parent {
	if in == foreign || in == incoming {
		return foreign
	}
	var buf [maxKey]byte
	k := normal(buf[:0], key)
	if p, known := parents[string(k)]; known {
		return p
	}
	if contains(k, foreignParts) {
		return foreign
	}
	return neutral
}

// parentIn is parentOf for a key that may have dots.
func parentIn(in parent, key []byte) parent {
	for {
		i := bytes.IndexByte(key, '.')
		if i < 0 {
			return parentOf(in, key)
		}
		in, key = parentOf(in, key[:i]), key[i+1:]
	}
}

// maxKey bounds a key that can be known, in bytes.
const maxKey = 48

// normal appends a key in lower case without "_", "-" and "@" to dst.
func normal(dst, key []byte) []byte {
	for _, c := range key {
		if c != '_' && c != '-' && c != '@' && len(dst) < cap(dst) {
			dst = append(dst, lower(c))
		}
	}
	return dst
}

// keyReader reads the values of the keys in a list of words.txt.
type keyReader struct {
	list string
	rank rank // of a status, if the keys hold one
	see  func(*facts, keyValue)
}

// keyReaders are what keyRules has for each key in its normal form.
var keyReaders = byKey(keyRules)

func byKey(rules []rule[keyReader]) map[string]*keyReader {
	readers := map[string]*keyReader{}
	for i := range rules {
		for _, key := range words(rules[i].read.list) {
			var buf [maxKey]byte
			readers[string(normal(buf[:0], []byte(key)))] = &rules[i].read
		}
	}
	return readers
}

// readerOf returns what reads a key's value, nil if the key says nothing.
func readerOf(key []byte) *keyReader {
	var buf [maxKey]byte
	return keyReaders[string(normal(buf[:0], key))]
}

func isStatusKey(key []byte) bool {
	r := readerOf(key)
	return r != nil && r.rank != unranked
}

func isRequestKey(key []byte) bool { return meansFold(key, requestKeys) }

// keyValue is a key of JSON or logfmt with its value.
type keyValue struct {
	in       parent // what the object is about, and the first parts of a dotted key
	depth    int    // of the object
	key      []byte // the last part of a dotted key
	value    []byte // without quotes around it, with its escapes
	isString bool   // it stood in quotes
	rank     rank   // of a status
}

// is reports whether the key has a normal form.
func (v keyValue) is(key string) bool {
	var buf [maxKey]byte
	return string(normal(buf[:0], v.key)) == key
}

// length is of the key's normal form.
func (v keyValue) length() int {
	var buf [maxKey]byte
	return len(normal(buf[:0], v.key))
}

// see records a value. value has no quotes around it and its escapes in
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
	if r := readerOf(key); r != nil {
		v := keyValue{in, depth, key, value, isString, r.rank}
		r.see(f, v)
	}
}

// useBody takes a body for the message if nothing else is one.
func (f *facts) useBody() {
	if f.message == nil && f.context&hasMethod == 0 {
		if f.message = f.body; mentions(f.body) {
			f.context |= hasMention
		}
	}
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

// best returns the rank whose status decides.
func (f *facts) best() rank {
	r := explicit
	for r < rankCount && f.status[r] == 0 {
		r++
	}
	if r == explicit && f.beside > 0 && f.depth[r] > f.beside {
		// A status beside the request is the answer's; one that is nested deeper
		// may be of a body, or another service's.
		for other := bareCode; other < rankCount; other++ {
			if f.status[other] != 0 && f.depth[other] == f.beside {
				return other
			}
		}
	}
	return r
}

// final returns the status of the server's answer, 0 if no key holds one,
// and whether the line is about a request of the program's own.
func (f *facts) final(request bool) (status int, client bool) {
	r := f.best()
	if r == rankCount || f.count && f.sum || !f.answers(r, request) {
		return 0, false
	}
	return f.status[r], f.isClient(r, request)
}

// answers reports whether a status of a rank is of an answer: whether what a key of
// that rank needs stands beside it.
func (f *facts) answers(r rank, request bool) bool {
	own := request || f.context&(hasMethod|hasPath|hasMention) != 0
	switch r {
	case bareCode:
		return own || f.context&hasAbsolute != 0 || contains(f.message, serverWords)
	case bareWord:
		return own || f.context&hasAbsolute != 0 || f.served || contains(f.message, accessMessages)
	case codeOnly:
		return request || f.context&(hasMethod|hasMention) != 0 || f.served && f.http
	}
	return true
}

// isClient reports whether keys say that the request was the program's own.
func (f *facts) isClient(r rank, request bool) bool {
	if f.client || f.abroad && !request && f.context&(hasPath|hasMethod) == 0 || contains(f.message, clientWords) ||
		contains(f.said, clientWords) || contains(f.source, clientLibraries) {
		return true
	}
	if f.context&hasPath != 0 || request {
		return false
	}
	return perhaps(f.message) || perhaps(f.said) ||
		f.context&hasAbsolute != 0 && f.context&hasServer == 0 && r != explicit &&
			(!contains(f.message, serverWords) || othersResponse(f.message))
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
