package redact

import (
	"bytes"
	"strings"
)

// flags says which one-letter flag of a program has a secret. Of those in joined the value
// follows without a blank; those in users have user:password.
var flags = []struct {
	program       string
	apart, joined string
	users         string
}{
	{"sshpass", "p", "p", ""}, {"mysql", "", "p", ""}, {"mariadb", "", "p", ""}, {"mongo", "p", "", ""},
	{"login", "p", "", ""}, {"skopeo", "p", "", ""}, {"openssl", "kK", "", ""}, {"crane", "p", "", ""},
	{"redis-cli", "a", "a", ""}, {"valkey-cli", "a", "a", ""}, {"ldap", "w", "w", ""},
	{"kadmin", "w", "w", ""}, {"7z", "", "p", ""}, {"7za", "", "p", ""}, {"unrar", "", "p", ""},
	{"rar ", "", "p", ""}, {"zip", "P", "P", ""},
	{"mosquitto_", "P", "", ""}, //nolint:misspell // a program
	{"ipmitool", "P", "", ""},
	{"sqlcmd", "P", "P", ""}, {"bcp", "P", "P", ""}, {"isql", "P", "P", ""}, {"tsql", "P", "P", ""},
	{"snmp", "cAX", "", ""}, {"cqlsh", "p", "", ""}, {"influx", "p", "", ""}, {"rdesktop", "p", "", ""},
	{"plink", "pw", "", ""}, {"pscp", "pw", "", ""}, {"curl", "", "", "uU"}, {"smbclient", "", "", "U"},
	{"smbget", "", "", "U"}, {"rpcclient", "", "", "U"}, {"http ", "", "", "a"}, {"https ", "", "", "a"},
	{"httpie", "", "", "a"}, {"ab ", "", "", "AP"}, {"hey ", "", "", "a"}, {"lftp", "", "", "u"},
	{"etcdctl", "", "", "u"}, {"winexe", "", "", "U"},
}

// maxCommand is how far before a flag its program is looked for.
const maxCommand = 160

// flag looks at a flag of one letter, whose blank or quote stands at at.
func (s *scanner) flag(at int) {
	s.reaching = true
	letter := s.text[at+2]
	for i := range flags {
		f := &flags[i]
		if strings.IndexByte(f.apart, letter) < 0 && strings.IndexByte(f.joined, letter) < 0 &&
			strings.IndexByte(f.users, letter) < 0 &&
			f.apart != "pw" || !s.program(i, at) {
			continue
		}
		v := at + 3
		apart := false
		for v < len(s.text) && v-at < 16 && strings.IndexByte(" \"',=", s.text[v]) >= 0 {
			apart = true
			v++
		}
		if s.text[at] != ' ' && s.at(at+3) != s.text[at] {
			apart = false
			v = at + 3
		}
		if s.has(v, "w ") && f.apart == "pw" {
			v = s.blanks(v + 1)
			apart = true
		}
		switch {
		case apart && strings.IndexByte(f.apart, letter) >= 0, !apart && strings.IndexByte(f.joined, letter) >= 0:
			s.argument(v)
			return
		case strings.IndexByte(f.users, letter) >= 0:
			s.userArgument(v)
			return
		}
	}
}

// program reports whether the program of a flag stands shortly before a place. Places
// are asked for in the order of the text.
func (s *scanner) program(of, at int) bool {
	if s.programs == nil {
		s.lowered = bytes.ToLower(s.text)
		s.programs = make([]int, len(flags))
		s.following = make([]int, len(flags))
		for i := range flags {
			s.programs[i], s.following[i] = -1, -1
			s.next(i, 0)
		}
	}
	for s.following[of] >= 0 && s.following[of] < at {
		s.programs[of] = s.following[of]
		s.next(of, s.programs[of]+1)
	}
	last := s.programs[of]
	return last >= 0 && at-last <= maxCommand && bytes.IndexByte(s.text[last:at], '\n') < 0
}

func (s *scanner) next(of, from int) {
	s.following[of] = -1
	if i := bytes.Index(s.lowered[from:], []byte(flags[of].program)); i >= 0 {
		s.following[of] = from + i
	}
}

// argument takes the word of a command line at v.
func (s *scanner) argument(v int) {
	k := key{kind: secret, sep: option}
	if c := s.at(v - 1); c == '"' || c == '\'' {
		s.take(v, s.closing(v, c, 0))
		return
	}
	if c := s.at(v); c == '"' || c == '\'' {
		s.take(v+1, s.closing(v+1, c, 0))
		return
	}
	if end := s.unquoted(v, &k); s.at(v) != '-' && !trivialValue(s.text[v:end]) {
		s.take(v, end)
	}
}

// userArgument takes the password of a command line's user:password, or user%password.
func (s *scanner) userArgument(v int) {
	if c := s.at(v); c == '"' || c == '\'' {
		v++
	}
	end := v
	for end < len(s.text) && end-v < 256 && !spaceClass[s.text[end]] && s.text[end] != '"' && s.text[end] != '\'' {
		end++
	}
	if i := bytes.IndexAny(s.text[v:end], ":%"); i > 0 && end > v+i+1 {
		s.take(v+i+1, end)
	}
}

// userFlag looks at --user and --proxy-user, which are curl's with user:password.
func (s *scanner) userFlag(at int) {
	end := s.run(at, &nameClass, 16)
	if s.at(end) == '=' || s.at(end) == ' ' {
		s.userArgument(s.blanks(end + 1))
	} else if s.at(end) == '"' || s.at(end) == '\'' {
		p := end
		for p-end < 5 && p < len(s.text) && strings.IndexByte("\"', ", s.text[p]) >= 0 {
			p++
		}
		s.userArgument(p)
	}
}

// sqlplus takes the password of user/password@database.
func (s *scanner) sqlplus(at int) {
	p := s.blanks(s.run(at, &letterClass, 8))
	if s.at(p) == ':' {
		p++
	}
	for s.at(p) == '-' { // flags
		p = s.blanks(s.run(p, &nameClass, 16))
	}
	end := s.run(p, &wordClass, 64)
	if s.at(end) != '/' || end == p {
		return
	}
	to := end + 1
	for to < len(s.text) && to-end < 128 && !spaceClass[s.text[to]] && s.text[to] != '@' && s.text[to] != '"' {
		to++
	}
	s.take(end+1, to)
}

// secondArgument takes the word after the next one: add_user NAME PASSWORD.
func (s *scanner) secondArgument(at int) {
	p := s.blanks(s.run(at, &nameClass, 32))
	for n := 0; n < 64 && p < len(s.text) && !spaceClass[s.text[p]]; n++ {
		p++
	}
	if v := s.blanks(p); v > p && v < len(s.text) {
		s.argument(v)
	}
}

// rabbit takes the password of rabbitmqctl change_password NAME X.
func (s *scanner) rabbit(at int) { s.secondArgument(at + len("rabbitmqctl ")) }

// hello takes the password of Redis' HELLO 3 AUTH NAME X.
func (s *scanner) hello(at int) { s.secondArgument(at + len("hello 3 ")) }

// netUse takes the word behind the user of Windows' net use \\SERVER /user:NAME X.
func (s *scanner) netUse(at int) {
	before := s.text[max(0, at-maxCommand):at]
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i:]
	}
	s.work += len(before)
	if !bytes.Contains(bytes.ToLower(before), []byte("net use ")) {
		return
	}
	p := at + 1
	for n := 0; n < 64 && p < len(s.text) && !spaceClass[s.text[p]]; n++ {
		p++
	}
	if v := s.blanks(p); v > p && v < len(s.text) && s.text[v] != '/' {
		s.argument(v)
	}
}

// isYour takes the number of "553311 is your verification code".
func (s *scanner) isYour(at int) {
	from := at
	for at-from < 9 && digitClass[s.at(from-1)] {
		from--
	}
	if at-from < 4 || at-from > 8 || alnumClass[s.at(from-1)] {
		return
	}
	p := at + len(" is your ")
	for range 4 {
		end := s.run(p, &letterClass, 16)
		switch strings.ToLower(string(s.text[p:end])) {
		case "code", "otp", "pin", "passcode", "password":
			s.mark(from, at)
			return
		}
		p = s.blanks(end)
	}
}

// link takes what a path that is a secret itself ends in: /reset/X, /api/webhook/X.
func (s *scanner) link(at int) {
	v := at + 1
	for s.text[v] != '/' {
		v++
	}
	v++
	end := v
	for end-v < maxRandom && end < len(s.text) && tokenClass[s.text[end]] && s.text[end] != '/' {
		end++
	}
	s.work += end - v
	if end-v >= 20 && looksRandom(s.text[v:end]) {
		s.take(v, end)
	}
}

// htpasswd takes the last word of htpasswd -b FILE NAME PASSWORD, or -nb NAME PASSWORD.
func (s *scanner) htpasswd(at int) {
	p := s.blanks(at + len("htpasswd"))
	batch, printed := false, false
	for s.at(p) == '-' {
		end := s.run(p, &nameClass, 16)
		batch = batch || bytes.IndexByte(s.text[p:end], 'b') > 0
		printed = printed || bytes.IndexByte(s.text[p:end], 'n') > 0
		p = s.blanks(end)
	}
	if !batch {
		return
	}
	words := 2
	if printed {
		words = 1
	}
	for range words {
		for n := 0; n < 128 && p < len(s.text) && !spaceClass[s.text[p]]; n++ {
			p++
		}
		p = s.blanks(p)
	}
	if p < len(s.text) {
		s.argument(p)
	}
}

// thirdInCall takes the third argument of a call in PHP, and of its traces:
// PDO->__construct('mysql:host=db', 'bob', 'X').
func (s *scanner) thirdInCall(at int) {
	p := bytes.IndexByte(s.text[at:min(len(s.text), at+24)], '(')
	if p < 0 {
		return
	}
	p += at + 1
	for n := 0; ; n++ {
		p = s.blanks(p)
		quote := s.at(p)
		if quote != '\'' && quote != '"' {
			quote = 0
		}
		end := p
		if quote != 0 {
			if end = s.closing(p+1, quote, 0); n == 2 {
				s.mark(p+1, end)
				return
			}
			end++
		} else {
			for end-p < 64 && end < len(s.text) && strings.IndexByte(",)\n", s.text[end]) < 0 {
				end++
			}
		}
		s.work += end - p
		if n == 2 || s.at(end) != ',' {
			return
		}
		p = end + 1
	}
}

// wireLogin takes the password of a command of FTP, POP3 or IMAP that ends its line:
// "> PASS X", "a1 LOGIN bob X".
func (s *scanner) wireLogin(at int) {
	words := 1
	v := at + len(" login ")
	switch {
	case s.exact(at, " LOGIN "):
		tag := s.wordBefore(at)
		if len(tag) < 2 || len(tag) > 8 || tag[0] < 'a' || tag[0] > 'z' || !digitsOnly([]byte(tag[1:])) {
			return
		}
		words = 2
	case s.exact(at, "> PASS "):
		v = at + len("> PASS ")
	case s.exact(at, "C: PASS "):
		v = at + len("C: PASS ")
	default:
		return
	}
	end := v
	for ; words > 0; words-- {
		v = s.blanks(end)
		for end = v; end-v < 128 && end < len(s.text) && !spaceClass[s.text[end]]; {
			end++
		}
	}
	if end > v && s.blanks(end) == s.lineEnd(v) && !trivialValue(s.text[v:end]) {
		s.mark(v, end)
	}
}

// setUser takes the passwords of Redis' ACL SETUSER: the words behind a > or a #.
func (s *scanner) setUser(at int) {
	end := min(s.lineEnd(at), at+512)
	for i := at; i+1 < end; i++ {
		if s.text[i] == ' ' && (s.text[i+1] == '>' || s.text[i+1] == '#') {
			k := key{kind: secret, sep: option}
			s.mark(i+2, s.unquotedTo(i+2, end, &k))
		}
	}
}

// redisAuth takes what follows "AUTH" in Redis' MONITOR.
func (s *scanner) redisAuth(at int) {
	for p, n := at+len(`"auth" `), 0; s.at(p) == '"' && n < 2; n++ {
		end := s.closing(p+1, '"', 0)
		s.mark(p+1, end)
		p = s.blanks(end + 1)
	}
}

// call takes a function's first argument, a text in quotes.
func (s *scanner) call(at int) {
	for i := at; i < len(s.text) && i-at < 16; i++ {
		if c := s.text[i]; c == '\'' || c == '"' {
			if end := s.closing(i+1, c, 0); end-i < maxSentence {
				s.take(i+1, end)
			}
			return
		}
	}
}
