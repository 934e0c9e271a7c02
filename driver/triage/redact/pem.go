package redact

import "bytes"

// pem takes a private key block, where the words "private key" stand at at: from its BEGIN
// to its END, over all lines. What lacks its END goes to the text's end; what lacks its
// BEGIN begins with the lines of base64 before.
func (s *scanner) pem(at int) {
	s.reaching = true
	line := max(0, at-48)
	head := s.text[line:at]
	if i := bytes.LastIndex(bytes.ToUpper(head), []byte("BEGIN ")); i >= 0 &&
		bytes.HasSuffix(bytes.TrimRight(head[:i], " "), []byte("---")) {
		from := line + i
		for from > 0 && (s.text[from-1] == '-' || s.text[from-1] == ' ' && from > 1 && s.text[from-2] == '-') {
			from--
		}
		s.take(from, s.pemEnd(at))
		return
	}
	if i := bytes.LastIndex(bytes.ToUpper(head), []byte("END ")); i >= 0 &&
		bytes.HasSuffix(bytes.TrimRight(head[:i], " "), []byte("---")) {
		from := line + i
		for from > s.taken && (base64Class[s.text[from-1]] || spaceClass[s.text[from-1]] || s.text[from-1] == '-' ||
			s.text[from-1] == '\\') {
			from--
		}
		s.work += at - from
		s.take(from, min(len(s.text), at+len("private key-----")))
	}
}

func (s *scanner) pemEnd(at int) int {
	for from := at; ; {
		i := bytes.Index(s.text[from:], []byte("END "))
		if i < 0 {
			s.work += len(s.text) - at
			return len(s.text)
		}
		from += i + 4
		if end := min(len(s.text), from+48); s.text[from-5] == '-' || s.text[from-5] == ' ' {
			if j := bytes.Index(s.text[from:end], []byte("PRIVATE KEY")); j >= 0 {
				to := from + j + len("PRIVATE KEY")
				if s.has(to, " block") {
					to += len(" block")
				}
				for s.at(to) == '-' || s.at(to) == ' ' && s.at(to+1) == '-' {
					to++
				}
				s.work += to - at
				return to
			}
		}
	}
}

// putty takes the private lines of a PuTTY key file.
func (s *scanner) putty(at int) {
	from := at + len("private-lines")
	if s.at(from) != ':' {
		return
	}
	from = s.run(s.blanks(from+1), &digitClass, 8)
	end := len(s.text)
	if i := bytes.Index(s.text[from:], []byte("Private-")); i >= 0 {
		end = from + i
	}
	s.work += end - from
	s.take(from, end)
}

// jwk takes the private numbers of a JSON Web Key.
func (s *scanner) jwk(at int) {
	s.reaching = true
	if at < s.jwks {
		return
	}
	from, to := at, at
	defer func() { s.jwks = to }()
	for from > s.taken && at-from < 8<<10 && s.text[from] != '{' {
		from--
	}
	for to < len(s.text) && to-at < 8<<10 && s.text[to] != '}' {
		to++
	}
	s.work += to - from
	for i := from; i+4 < to; i++ {
		if s.text[i] != '"' {
			continue
		}
		end := s.run(i+1, &letterClass, 4)
		switch string(s.text[i+1 : end]) {
		case "d", "p", "q", "dp", "dq", "qi", "k":
		default:
			i = end
			continue
		}
		p := s.backslashes(end)
		if s.at(p) != '"' {
			continue
		}
		p = s.blanks(p + 1)
		if s.at(p) != ':' {
			continue
		}
		p = s.blanks(p + 1)
		q := s.backslashes(p)
		if s.at(q) == '"' {
			close := s.run(q+1, &urlClass, len(s.text))
			s.mark(q+1, close)
			i = close
		}
	}
}
