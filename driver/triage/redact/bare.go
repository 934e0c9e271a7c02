package redact

import "bytes"

// bare finds secrets of 32 to 64 characters without a name or a prefix: secret keys of AWS,
// client secrets of Azure, tokens of Telegram.
func (s *scanner) bare() {
	s.awsSecrets()
	s.dotted()
	for from := 0; ; {
		i := bytes.Index(s.text[from:], []byte("Q~"))
		if i < 0 {
			break
		}
		at := from + i
		from = at + 2
		if at >= 4 && digitClass[s.text[at-1]] {
			end := s.run(at+2, &asciiToken, 64)
			if end-at >= 28 {
				s.mark(at-4, end)
			}
		}
	}
	for from := 0; ; { // 8 to 10 digits, a colon and 35 characters
		i := bytes.Index(s.text[from:], []byte(":AA"))
		if i < 0 {
			break
		}
		at := from + i
		from = at + 3
		begin := at
		for begin > 0 && at-begin < 11 && digitClass[s.text[begin-1]] {
			begin--
		}
		end := s.run(at+1, &urlClass, 64)
		if n := at - begin; n >= 8 && n <= 10 && end-at >= 30 {
			s.mark(begin, end)
		}
	}
}

// dotted finds tokens of Discord's bots: three parts, of which the middle one has six
// characters.
func (s *scanner) dotted() {
	for from := 0; ; {
		i := bytes.IndexByte(s.text[from:], '.')
		if i < 0 {
			return
		}
		at := from + i
		from = at + 1
		if s.at(at+7) != '.' || !urlClass[s.at(at+1)] || !urlClass[s.at(at+8)] || !alnumClass[s.at(at-1)] {
			continue
		}
		begin := at
		for begin > 0 && at-begin < 32 && urlClass[s.text[begin-1]] {
			begin--
		}
		end := s.run(at+8, &urlClass, 64)
		s.work += at - begin
		if at-begin >= 23 && end-at >= 32 && mixed(s.text[begin:at]) && mixed(s.text[at+8:end]) {
			s.mark(begin, end)
		}
	}
}

// mixed reports whether there are digits, small and capital letters.
func mixed(b []byte) bool {
	const capitals, smalls = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
	return hasDigit(b) && bytes.ContainsAny(b, capitals) && bytes.ContainsAny(b, smalls)
}

const awsSecret = 40

// awsSecrets finds texts of 40 base64 digits. It looks at every fortieth byte, and at
// others only around one that fits.
func (s *scanner) awsSecrets() {
	t := s.text
	c := &base64Class
	for i := awsSecret - 1; i < len(t); i += awsSecret {
		if !c[t[i]] || t[i] == '=' {
			continue
		}
		from := i
		for from > 0 && i-from < awsSecret && c[t[from-1]] && t[from-1] != '=' {
			from--
		}
		end := i
		for end < len(t) && end-i < 2*awsSecret && c[t[end]] && t[end] != '=' {
			end++
		}
		s.work += end - from
		if end-from == awsSecret && chance(t[from:end]) {
			s.mark(from, end)
		}
		if end > i+awsSecret { // much longer ones are none
			for end < len(t) && c[t[end]] {
				end++
			}
			i = end
		}
	}
}

// chance reports whether 40 base64 digits look as if chance had made them.
func chance(b []byte) bool {
	digits, capitals, smalls, slashes, turns := 0, 0, 0, 0, 0
	var was byte
	for _, c := range b {
		var is byte
		switch {
		case digitClass[c]:
			digits++
			is = 'd'
		case 'A' <= c && c <= 'Z':
			capitals++
			is = 'A'
		case 'a' <= c && c <= 'z':
			smalls++
			is = 'a'
		default:
			slashes++
		}
		if is != was {
			turns++
		}
		was = is
	}
	return digits >= 1 && capitals >= 5 && smalls >= 5 && slashes < 6 && turns >= 12
}

// hook takes the token of an incoming webhook of Mattermost, Rocket.Chat and others.
func (s *scanner) hook(at int) {
	from := at + len("/hooks/")
	end := s.run(from, &pathClass, 256)
	if looksRandom(s.text[from:end]) && end-from >= 20 {
		s.take(from, end)
	}
}

// airtable takes a token such as pat, 14 letters and digits, a dot and 64 hexadecimal digits.
func (s *scanner) airtable(at int) {
	const id = len("pat") + 14
	if s.at(at+id) != '.' || wordClass[s.at(at-1)] {
		return
	}
	end := s.run(at, &alnumClass, id+1)
	if hex := s.run(end+1, &hexClass, 80); end == at+id && hex-end > 40 {
		s.take(at, hex)
	}
}
