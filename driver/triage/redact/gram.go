package redact

// keyword is a text that a secret, or what stands before it, begins with or contains.
type keyword struct {
	text  string // at least three bytes; in small letters unless the case matters
	cased bool
	look  func(s *scanner, at int)
}

// The index finds keywords by their first three bytes: a hash of these says in which
// bucket they are. It is small enough for a processor's first cache.
const (
	gramBits = 13
	gramMul  = 0x9e3779b1
)

type gramIndex struct {
	table   [1 << gramBits]uint16 // bucket, 0: none
	buckets [][]keyword
}

func gramHash(g uint32) uint32 { return g * gramMul >> (32 - gramBits) }

func newIndex(words []keyword) *gramIndex {
	x := &gramIndex{buckets: [][]keyword{nil}}
	for _, k := range words {
		g := uint32(lower[k.text[0]])<<16 | uint32(lower[k.text[1]])<<8 | uint32(lower[k.text[2]])
		h := gramHash(g)
		if x.table[h] == 0 {
			x.table[h] = uint16(len(x.buckets))
			x.buckets = append(x.buckets, nil)
		}
		b := x.table[h]
		x.buckets[b] = append(x.buckets[b], k)
	}
	return x
}

var index = newIndex(allKeywords())

func allKeywords() []keyword {
	var all []keyword
	for _, w := range nameKeywords {
		all = append(all, keyword{text: w, look: (*scanner).name})
	}
	for i := range vendors {
		v := &vendors[i]
		all = append(all, keyword{text: v.prefix, cased: !v.fold, look: func(s *scanner, at int) {
			s.vendor(at,
				v)
		}})
	}
	for _, c := range "0123456789abcdef" { // Twilio's keys, of whose prefix two bytes are fixed
		v := &vendor{prefix: "SK" + string(c), of: &lowerHex, min: 31, max: 31}
		all = append(all, keyword{text: v.prefix, cased: true, look: func(s *scanner, at int) { s.vendor(at, v) }})
	}
	for text, look := range map[string]func(*scanner, int){
		"://": (*scanner).url, "bearer": (*scanner).scheme, "basic": (*scanner).scheme,
		"private key": (*scanner).pem, "private-lines": (*scanner).putty,
		" -p": (*scanner).flag, " -u": (*scanner).flag, " -a": (*scanner).flag, " -w": (*scanner).flag,
		" -c": (*scanner).flag, " -k": (*scanner).flag,
		`"-p`: (*scanner).flag, `'-p`: (*scanner).flag, `"-u`: (*scanner).flag, `'-u`: (*scanner).flag,
		`"-a`: (*scanner).flag, `'-a`: (*scanner).flag,
		`"-w`: (*scanner).flag, `'-w`: (*scanner).flag, "--user": (*scanner).userFlag,
		"--proxy-user": (*scanner).userFlag,
		"identified":   (*scanner).identified, "values": (*scanner).insert, "auth plain": (*scanner).sasl,
		"auth login": (*scanner).sasl,
		"auth cram":  (*scanner).sasl, "authenticate plain": (*scanner).sasl, "sqlplus": (*scanner).sqlplus,
		"thin:":   (*scanner).sqlplus,
		"/hooks/": (*scanner).hook, "add_user ": (*scanner).secondArgument,
		"rabbitmqctl change_password ": (*scanner).rabbit, " /user:": (*scanner).netUse,
		"hello 2 auth ": (*scanner).hello, "hello 3 auth ": (*scanner).hello, " is your ": (*scanner).isYour,
		"/reset/": (*scanner).link, "/activate/": (*scanner).link, "/confirm/": (*scanner).link,
		"/verify/": (*scanner).link, "/invite/": (*scanner).link, "/magic/": (*scanner).link,
		"/webhook/":  (*scanner).link,
		"htpasswd -": (*scanner).htpasswd, "pdo->__con": (*scanner).thirdInCall, "pdo::__con": (*scanner).thirdInCall,
		"mysqli->__con": (*scanner).thirdInCall, "mysqli::__con": (*scanner).thirdInCall,
		"new pdo(":        (*scanner).thirdInCall,
		"mysqli_connect(": (*scanner).thirdInCall, "new mysqli(": (*scanner).thirdInCall,
		"ldap_bind(": (*scanner).thirdInCall,
		"imap_open(": (*scanner).thirdInCall, "ftp_login(": (*scanner).thirdInCall,
		"ssh2_auth_p": (*scanner).thirdInCall,
		"> pass ":     (*scanner).wireLogin, "c: pass ": (*scanner).wireLogin, " login ": (*scanner).wireLogin,
		"authenticate_user ": (*scanner).secondArgument,
		"acl setuser":        (*scanner).setUser, `"auth" "`: (*scanner).redisAuth, "crypt('": (*scanner).call,
		"securestring '":  (*scanner).call,
		"securestring \"": (*scanner).call, "pat": (*scanner).airtable, `"kty"`: (*scanner).jwk,
		`\"kty`: (*scanner).jwk,
	} {
		all = append(all, keyword{text: text, look: look})
	}
	return all
}

// grams looks at each place where a keyword may begin.
func (s *scanner) grams() {
	t := s.text
	if len(t) < 3 {
		return
	}
	x := index
	g := uint32(lower[t[0]])<<8 | uint32(lower[t[1]])
	for i := 2; i < len(t); i++ {
		g = (g<<8 | uint32(lower[t[i]])) & 0xffffff
		b := x.table[gramHash(g)]
		if b == 0 || i-2 < s.taken && i-2 >= s.takenFrom {
			continue
		}
		for j := range x.buckets[b] {
			k := &x.buckets[b][j]
			if k.cased && s.exact(i-2, k.text) || !k.cased && s.has(i-2, k.text) {
				k.look(s, i-2)
			}
		}
	}
}
