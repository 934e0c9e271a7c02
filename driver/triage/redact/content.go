package redact

import (
	"bytes"
	"strings"
)

// block takes a YAML block: | or > and indented lines.
func (s *scanner) block(v int) bool {
	end := v + 1
	for end-v < 4 && strings.IndexByte("+-123456789", s.at(end)) >= 0 && s.at(end) != 0 {
		end++
	}
	n := s.newline(s.blanks(end))
	if n == 0 {
		return false
	}
	from := s.blanks(end) + n
	to := from
	for to < len(s.text) && (s.text[to] == ' ' || s.text[to] == '\t') {
		to = s.lineEnd(to)
		to += s.newline(to)
	}
	if to == from {
		return false
	}
	s.take(from, to-1)
	return true
}

// items takes the items of a YAML list, which begins on the line behind v.
func (s *scanner) items(v int) {
	for {
		p := s.blanks(v + s.newline(v))
		if s.at(p) != '-' || s.at(p+1) != ' ' {
			return
		}
		end := s.lineEnd(p)
		if s.at(end) == 0 && end < len(s.text) || end <= p+2 {
			return
		}
		s.take(p+2, end)
		v = end
	}
}

// content takes an element's content.
func (s *scanner) content(v int, k *key) {
	if s.has(v, "<![cdata[") {
		v += len("<![cdata[")
		end := bytes.Index(s.text[v:], []byte("]]"))
		if end < 0 {
			end = len(s.text) - v
		}
		s.work += end
		s.accept(v, v+end, k, true)
		return
	}
	if s.at(v) == ' ' && k.sep == element &&
		!bytes.Contains(s.text[v:min(len(s.text), v+maxSentence)], []byte("</")) {
		return // "AUTH <password> called without …"
	}
	for spaceClass[s.at(v)] {
		v++
	}
	if s.has(v, "<value>") {
		v += len("<value>")
	}
	if i := bytes.IndexByte(s.text[v:min(len(s.text), v+maxRandom)], '<'); i >= 0 && s.at(v+i+1) != '/' {
		return // elements within
	}
	end := bytes.Index(s.text[v:], []byte("</"))
	if end < 0 {
		end = s.lineEnd(v)
	} else {
		s.work += end
		end += v
	}
	if in := s.text[v:end]; len(in) < 32 && k.enclosed != 0 || k.quoted {
		if name, _ := classify(string(in[:min(len(in), 32)]), ""); name != none && wordLike(in) {
			return // the label of a field
		}
	}
	if s.affordable(end - v) {
		s.accept(v, end, k, true)
	} else {
		s.take(v, end)
	}
}

// partEnd returns the end of a form's part.
func (s *scanner) partEnd(v int) int {
	for i := v; i < len(s.text); i++ {
		if s.newline(i) > 0 || s.text[i] == '"' && !alnumClass[s.at(i+1)] {
			s.work += i - v
			return i
		}
	}
	return len(s.text)
}
