package redact

import "bytes"

// identified takes the password of IDENTIFIED BY.
func (s *scanner) identified(at int) {
	p := s.blanks(at + len("identified"))
	for range 6 {
		end := s.run(p, &wordClass, 40)
		if end == p {
			break
		}
		word := string(bytes.ToLower(s.text[p:end]))
		p = s.blanks(end)
		if word != "by" && word != "with" && word != "as" && word != "password" && word != "using" &&
			s.at(end) != ' ' {
			if word != "" && p == end {
				s.take(end-len(word), end)
			}
			return
		}
	}
	q := s.backslashes(p)
	if c := s.at(q); c == '\'' || c == '"' {
		s.take(q+1, s.closing(q+1, c, q-p))
	}
}

// insert takes the values of secret columns: INSERT INTO t (name, password) VALUES (…).
func (s *scanner) insert(at int) {
	s.reaching = true
	if at < s.rows {
		return
	}
	i := at - 1
	for i >= 0 && spaceClass[s.text[i]] && at-i < 16 {
		i--
	}
	if s.at(i) != ')' {
		return
	}
	from := i
	for from > 0 && i-from < 1024 && s.text[from] != '(' {
		from--
	}
	s.work += i - from
	if s.at(from) != '(' {
		return
	}
	secretColumn := map[int]kind{}
	for n, c := range bytes.Split(s.text[from+1:i], []byte(",")) {
		name := bytes.Trim(c, " \t\r\n\"`[]\\'")
		if k, _ := classify(string(name[:min(len(name), maxName)]), ""); k == phrase || k == secret || k == number {
			secretColumn[n] = k
		}
	}
	if len(secretColumn) == 0 {
		return
	}
	p := s.blanks(at + len("values"))
	defer func() { s.rows = p }()
	for range 64 {
		if s.at(p) != '(' {
			return
		}
		p = s.row(p+1, secretColumn)
		p = s.blanks(p)
		if s.at(p) != ',' {
			return
		}
		p = s.blanks(p + 1)
	}
}

// row takes the secret values of one row, and returns what is behind it.
func (s *scanner) row(p int, columns map[int]kind) int {
	for n := 0; p < len(s.text); n++ {
		p = s.blanks(p)
		from, end := p, p
		p += s.quotePrefix(p)
		q := s.backslashes(p)
		if c := s.at(q); c == '\'' || c == '"' {
			from = q + 1
			end = s.closing(from, c, q-p)
			p = min(len(s.text), end+q-p+1)
		}
		depth := 0
		for p < len(s.text) && (depth > 0 || s.text[p] != ',' && s.text[p] != ')') {
			switch s.text[p] {
			case '(':
				depth++
			case ')':
				depth--
			}
			p++
		}
		if from > end || end == from {
			end = p
		}
		s.work += p - from
		if columns[n] != none && !trivialValue(s.text[from:end]) {
			s.mark(from, end)
		}
		if s.at(p) == ')' {
			return p + 1
		}
		p++
	}
	return p
}
