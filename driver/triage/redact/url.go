package redact

import (
	"bytes"
	"strings"
)

// url takes the user and password of a URL, whose :// stands at at. A password may have
// the signs that end it: then an @ follows, and what stands before the first of these
// signs is no host and port.
func (s *scanner) url(at int) {
	if !alnumClass[s.at(at-1)] {
		return
	}
	from := at + len("://")
	schemeFrom := at
	for schemeFrom > 0 && at-schemeFrom < 24 && (nameClass[s.text[schemeFrom-1]] || s.text[schemeFrom-1] == '+') {
		schemeFrom--
	}
	end, last, first := from, -1, -1
	for ; end < len(s.text) && end-from < 2<<10; end++ {
		c := s.text[end]
		if c <= ' ' || c == '"' || c == '<' || c == '`' || c == '\\' && s.at(end+1) != '/' ||
			c == '\'' && s.text[schemeFrom-min(schemeFrom, 1)] == '\'' {
			break
		}
		if c == '@' {
			last = end
			if first < 0 {
				first = end
			}
		}
		if s.exact(end, "://") { // another URL
			break
		}
	}
	s.work += end - from
	if last < 0 {
		return
	}
	host := from
	for host < end && s.text[host] != '/' && s.text[host] != '?' && s.text[host] != '#' {
		host++
	}
	scheme := strings.ToLower(string(s.text[schemeFrom:at]))
	switch i := bytes.LastIndexByte(s.text[from:host], '@'); {
	case i >= 0:
		last = from + i
	default:
		user, pass, found := bytes.Cut(s.text[from:host], []byte(":"))
		web := strings.HasPrefix(scheme, "http") || strings.HasPrefix(scheme, "ws")
		if !found || len(user) > 0 && user[0] == '[' || digitsOnly(pass) && (web ||
			bytes.IndexByte(user, '.') >= 0) || len(pass) == 0 && web || !hostAt(s.text[last+1:end]) {
			return
		}
	}
	if in := s.text[from:last]; len(in) == 0 || string(in) == "git" || string(in) == ":" || string(in) == Mark {
		return
	}
	s.take(from, last)
	s.hosts = append(s.hosts, last)
}

// hostAt reports whether a text begins as a host's name.
func hostAt(t []byte) bool {
	return len(t) > 0 && (alnumClass[t[0]] || t[0] == '[' || t[0] == '(' || t[0] == '/')
}

// ats looks at each @: mail addresses, and user:password@host without a scheme.
func (s *scanner) ats() {
	hosts := s.hosts
	for from := 0; ; {
		i := bytes.IndexByte(s.text[from:], '@')
		if i < 0 {
			return
		}
		at := from + i
		from = at + 1
		for len(hosts) > 0 && hosts[0] < at {
			hosts = hosts[1:]
		}
		if len(hosts) > 0 && hosts[0] == at { // a URL's, of which no more is secret
			continue
		}
		s.email(at)
		s.userinfo(at)
	}
}

var (
	localClass  = classOf("0-9A-Za-z._%+!#$&*^{|}~'-")
	domainClass = classOf("0-9A-Za-z.-")
)

// notDomains end names that have an @ and are no addresses: files, units of systemd.
var notDomains = wordSet(`service socket slice mount timer target scope device swap path local2
	png jpg jpeg gif svg webp ico js mjs cjs ts tsx jsx css scss map json xml yaml yml toml html htm md txt
	log tgz gz zip tar jar war py rb php go rs c h cpp java class so sh whl deb rpm pdf lock`)

// email takes the mail address around the @ at at.
func (s *scanner) email(at int) {
	from := at
	for from > 0 && at-from < 64 && (localClass[s.text[from-1]] || s.text[from-1] >= 0x80) {
		from--
	}
	end := at + 1
	for end < len(s.text) && end-at < 254 && (domainClass[s.text[end]] || s.text[end] >= 0x80) {
		end++
	}
	s.work += end - from
	for end > at && (s.text[end-1] == '.' || s.text[end-1] == '-') {
		end--
	}
	for from < at && strings.IndexByte("._%+!#$&*^{|}~'-", s.text[from]) >= 0 {
		from++
	}
	if i := bytes.LastIndexAny(s.text[from:at], "&{|}'"); i >= 0 {
		from += i + 1
	}
	dot := bytes.LastIndexByte(s.text[at+1:end], '.')
	if from == at || dot <= 0 {
		return
	}
	top := s.text[at+1+dot+1 : end]
	if len(top) < 2 || len(bytes.Trim(top, "0123456789")) == 0 || !letterClass[top[0]] && top[0] < 0x80 ||
		len(top) > 24 || notDomains[strings.ToLower(string(top))] ||
		bytes.IndexByte(top, '-') >= 0 && !bytes.HasPrefix(top, []byte("xn--")) {
		return
	}
	if string(s.text[from:at]) == "git" || s.at(end) == '(' ||
		s.at(from-1) == '/' && s.at(from-2) != '/' && bytes.IndexByte(s.text[from:at], '.') < 0 &&
			s.at(end) == '/' {
		return
	}
	s.mark(from, end)
}

// userinfo takes user:password before the @ at at, if a host follows.
func (s *scanner) userinfo(at int) {
	if !hostAt(s.text[at+1:]) {
		return
	}
	from := at
	colonAt := -1
	for from > 0 && at-from < 256 {
		c := s.text[from-1]
		if spaceClass[c] || c == '"' || c == '\'' || c == '`' || c == '<' || c == '>' || c == ',' ||
			c == '=' && colonAt >= 0 || c == '(' || c == '[' {
			break
		}
		if c == ':' {
			colonAt = from - 1
		}
		from--
	}
	s.work += at - from
	if colonAt <= from || colonAt+1 >= at {
		return
	}
	user, pass := s.text[from:colonAt], s.text[colonAt+1:at]
	host := s.run(at+1, &nameClass, 256)
	to := s.at(host)
	if bytes.HasPrefix(pass, []byte("//")) || bytes.IndexByte(user, '/') >= 0 ||
		bytes.IndexByte(pass, '/') >= 0 && to != ':' && to != '(' {
		return
	}
	name := s.text[at+1 : host]
	if to == ':' && (bytes.HasPrefix(name, []byte("sha256")) || bytes.HasPrefix(name, []byte("sha512"))) ||
		wordLike(name) && bytes.IndexByte(pass, '.') >= 0 && digitClass[pass[0]] {
		return // an image and its digest, a package and its version
	}
	if c := to; c != '(' && c != ':' && c != '/' && host < len(s.text) && !spaceClass[c] &&
		strings.IndexByte("\"'`,;)]}?\\&.", c) < 0 {
		return
	}
	if len(name) > 0 && digitClass[name[0]] && bytes.IndexByte(name, '.') < 0 || trivialValue(pass) ||
		bytes.HasPrefix(bytes.ToLower(user), []byte("mailto")) {
		return
	}
	if digitsOnly(pass) && to != '(' && to != ':' && to != '/' {
		return
	}
	s.mark(colonAt+1, at)
}
