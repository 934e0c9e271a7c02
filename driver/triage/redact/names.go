package redact

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
	"unicode"
)

// kind is how a secret's value looks, by the name of its key.
type kind uint8

const (
	none     kind = iota
	random        // only what looks as if chance had made it: key=, session=
	number        // digits, or a short word with digits: pin=, cvv=
	secret        // anything: token=
	phrase        // anything, and maybe several words: password:
	header        // a scheme and credentials: Authorization:
	cookies       // a list of names and values: Cookie:
	keyName       // "key", whose kind depends on the word before it
	codeName      // "code", whose kind depends on the word before it
	cardName      // "card", which needs "number" behind it
)

// nameKeywords are what a name may contain that is worth a closer look.
var nameKeywords = []string{
	"pass", "passe", "pwd", "pw=", "pw:", `pw"`, "pw'", "bindpw", "rootpw", "userpw", "adminpw", "pw]", "secret",
	"token", "key", "auth", "cred", "sess", "sid", "csrf", "xsrf", "otp", "mfa", "2fa", "pin", "cvv", "cvc",
	"csc", "cvn", "ssn", "sig", "cookie", "jwt", "saml", "hmac", "nonce", "ticket", "assertion", "code", "phrase",
	"mnemonic", "seed", "salt", "_pat", "social", "identity", "card", "pan=", "pan\"", "remember", "bearer:",
	"bearer=", "bearer\"", "clearance", "hdnts", "__host-", "__secure-", "logged_in", "private", "unlock",
	"authentication", "community", "webhook", "number", "_bm=", "aspxauth", "refresh", "tan=", "tan:", "psk",
	"segret", "masterauth", "المرور", "السر", "loggedin", "tan\"",
	"passport",
	// Other languages.
	"kennw", "losung", "geheim", "zugang", "schlüssel", "schluessel", "mdp", "motde", "code secret", "contras",
	"contrase", "clave", "senha", "segredo", "palavra", "wachtw", "toegang", "parol", "haslo", "hasło", "heslo",
	"jelsz", "lösen", "losen", "adgangs", "kodeord", "salasana", "sifre", "şifre", "lozinka", "geslo", "slapta",
	"sandi", "mật kh", "matkhau", "mat_khau", "пароль", "Пароль", "ПАРОЛЬ", "пароля", "секрет", "Секрет", "токен",
	"Токен", "гасло", "κωδικ", "密码", "密碼", "口令", "パスワード", "暗証", "비밀번호", "암호", "סיסמ", "كلمة", "رمز", "पासवर्ड",
	"รหัส", "parool",
}

// roots are secret wherever they stand within a word.
var roots = []struct {
	text string
	kind kind
}{
	{"passw", phrase}, {"passphrase", phrase}, {"passcode", secret}, {"passkey", secret}, {"pwd", phrase},
	{"kennwort", phrase}, {"losungswort", phrase}, {"motdepasse", phrase}, {"contrase", phrase},
	{"contraseñ", phrase}, {"senha", phrase}, {"wachtwoord", phrase}, {"parol", phrase}, {"heslo", phrase},
	{"hasło", phrase}, {"jelsz", phrase}, {"lösenord", phrase}, {"losenord", phrase}, {"adgangskode", phrase},
	{"kodeord", phrase}, {"salasana", phrase}, {"lozinka", phrase}, {"geslo", phrase}, {"slaptaž", phrase},
	{"slaptaz", phrase}, {"katasandi", phrase}, {"matkhau", phrase}, {"пароль", phrase}, {"пароля", phrase},
	{"гасло", phrase}, {"κωδικ", phrase}, {"密码", phrase}, {"密碼", phrase}, {"口令", phrase}, {"パスワード", phrase},
	{"暗証", phrase}, {"비밀번호", phrase}, {"암호", phrase}, {"סיסמ", phrase}, {"पासवर्ड", phrase}, {"รหัสผ่าน", phrase},
	{"zugangscode", secret}, {"toegangscode", secret}, {"palavrapasse", phrase}, {"geheimnis", secret},
	{"secret", secret}, {"segredo", secret}, {"секрет", secret}, {"токен", secret}, {"token", secret},
	{"apikey", secret}, {"accesskey", secret}, {"privatekey", secret}, {"secretkey", secret}, {"authkey", secret},
	{"accountkey", secret}, {"encryptionkey", secret}, {"signingkey", secret}, {"masterkey", secret},
	{"sharedkey", secret}, {"sharedaccesskey", secret}, {"storagekey", secret}, {"licensekey", secret},
	{"schlüssel", random}, {"schluessel", random}, {"credential", secret}, {"sessid", secret},
	{"sessionid", secret}, {"sessionkey", secret}, {"csrf", secret}, {"xsrf", secret}, {"authorization", header},
	{"authcode", secret}, {"authtok", secret}, {"cookie", cookies}, {"samlresponse", secret}, {"samlart", secret},
	{"samlrequest", secret}, {"aspxauth", secret}, {"cardnumber", number}, {"cardno", number},
	{"securitycode", number}, {"moodlesession", secret}, {"pincode", number}, {"otpcode", secret},
	{"mfacode", secret}, {"otpauth", secret}, {"relaystate", random}, {"geheimzahl", number}, {"segreta", secret},
	{"segreto", secret}, {"المرور", phrase}, {"السر", phrase},
	{"masterauth", secret}, {"loggedin", random},
}

// words are secret as a word of their own.
var words = map[string]kind{
	"pass": phrase, "pw": phrase, "passwort": phrase, "passe": phrase, "mdp": phrase, "clave": phrase,
	"haslo": phrase, "sifre": phrase, "şifre": phrase, "parool": phrase, "geheim": secret, "mnemonic": phrase,
	"phrase": phrase, "pwds": phrase, "cred": secret, "creds": secret, "jwt": secret, "bearer": secret,
	"auth": random, "session": random, "sess": random, "sid": random, "ssid": none, "sig": secret,
	"signature": secret, "nonce": random, "ticket": random, "assertion": random, "hmac": secret, "seed": random,
	"salt": random, "pat": random, "remember": random, "clearance": secret, "hdnts": secret, "hdnea": secret,
	"identity": random, "refresh": random, "private": random, "unlock": random, "authentication": random,
	"community": none, "pin": number, "pins": number, "cvv": number, "cvv2": number, "cvc": number,
	"cvc2": number, "csc": number, "cvn": number, "otp": number, "totp": number, "hotp": number, "mfa": number,
	"tan": number, "ssn": number, "pan": number, "passport": none, "key": keyName, "keys": keyName,
	"code": codeName, "codes": codeName, "card": cardName, "social": cardName, "bm": random, "webhook": none,
	"secretsmanager": none, "chpasswd": none, "gpasswd": none, "htpasswd": none, "vncpasswd": none, "smbpasswd": none,
	"ldappasswd": none,
	"sandi":      phrase, "psk": phrase, "khẩu": phrase, "khau": phrase,
}

// keyOf are words that make of the "key" behind them a secret of any look.
var keyOf = wordSet(`api access secret private encryption encrypt decryption signing auth
	authentication account master shared service storage license licence client consumer app application
	session crypto cipher aes rsa hmac jwt webhook subscription ssh deploy integration admin root server
	merchant stripe google aws azure openai sendgrid mailgun twilio datadog algolia maps recaptcha security
	vapid wireguard preshared psk pre ssl tls cookie session csrf production live test ingest write personal
	activation recovery unlock developer dev user bot functions function instrumentation monitoring rollbar
	honeycomb sentry bugsnag amplitude segment mixpanel mapbox firebase fcm vault transit sas x dd`)

// keyNot are words that make of the "key" behind them no secret at all.
var keyNot = wordSet(`primary foreign sort sorting partition cache object s3 redis index
	unique row group map hash idempotency public natural dedup dedupe message record lookup etag shard
	sharding translation i18n locale config registry json meta header query param item entity metric label
	host hosts known fingerprint duplicate missing candidate composite surrogate cluster range compound
	business join tree dictionary dict hot arrow return enter escape grouping kv bucket file blob path
	storagepath event aggregation template feature flag setting settings option memcached lock mutex
	semaphore topic stream routingkeys rate limit ratelimit property attribute field column table schema
	node`)

// codeOf are words that make of the "code" behind them a secret.
var codeOf = wordSet(`verification auth authorization mfa otp totp sms security recovery
	backup confirmation access login pin pass 2fa factor reset activation pairing onetime time secret unlock
	invite invitation door gate device user passcode card`)

// innocent are words that make of a name no secret when they stand at its end: a
// password's length, a token's type.
var innocent = wordSet(`reset resets count counts counter counters type types length len size
	sizes limit limits limiter max min policy policies url uri urls endpoint endpoints path paths file files
	filename dir directory changed change changes updated update created at age timeout timeouts ttl expiry
	expires expired expire expiration expiring exp enabled disabled required requires strength valid invalid
	validity attempts attempt retries rotation rotated rotate version algorithm algo alg provider providers
	manager store hint prompt status state states error errors usage used remaining refreshed issuer issued
	scope scopes audience kind index position pos offset name names field column label service server host
	port mode method methods format encoding prefix suffix regex pattern rule rules check checks checker
	checked validator validate validated match matches matched mismatch budget cost price rate requests
	total avg sum window bucket buckets ring lifetime duration interval start started ended end cached cache
	hits miss source ref refs arn region engine backend user username group role domain realm level map set
	list queue pool worker workers time date timestamp ms sec seconds minutes hours days fingerprint
	thumbprint class flow present missing found ok failed failure failures success rejected accepted
	supported plugin module handler middleware controller page form screen view template flags flag loaded
	saved renewed revoked deleted removed added id ids num number generated generator factory service
	interface impl helper util utils client_id protocol layer stack affinity sticky replication persistence
	driver guard flavor schema table tables count(s) per limiters only lock locked free strategy optional
	nullable requested request requests response responses event events log logs logger test tests spec java
	py js ts go rb php html css`)

// labels begin names of texts about a secret.
var labels = wordSet(`label labels title placeholder hint i18n message messages translation
	translations aria tooltip caption`)

// glued are words that end in "pass" or "pw" and are no password.
var glued = wordSet(`compass bypass trespass encompass surpass overpass underpass outpass
	multipass onepass singlepass firstpass lastpass twopass renderpass lowpass highpass bandpass allpass
	subpass`)

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// maxWords bounds the words of a name.
const maxWords = 12

// split cuts a name into words, in small letters and without digits at their ends:
// at other than letters and digits, and in front of capital letters.
func split(name string, into *[maxWords]string) []string {
	out := into[:0]
	runes := name
	from, n := 0, len(runes)
	add := func(to int) {
		if from < to && len(out) < maxWords {
			w := strings.ToLower(name[from:to])
			if t := strings.TrimRight(w, "0123456789"); len(t) > 1 && words[w] == none {
				w = t
			}
			out = append(out, w)
		}
	}
	var before rune
	for i, r := range runes {
		letter := unicode.IsLetter(r) || unicode.IsMark(r) || '0' <= r && r <= '9'
		switch {
		case !letter:
			add(i)
			from = i + len(string(r))
		case unicode.IsUpper(r) && (unicode.IsLower(before) ||
			unicode.IsUpper(before) && i+1 < n && 'a' <= name[i+1] && name[i+1] <= 'z' && i-from > 1):
			add(i)
			from = i
		}
		before = r
	}
	add(n)
	return out
}

// classify says of which kind a name's value is, and whether the name is the secret
// word alone. before is the word before the name, if a blank parts them.
func classify(name, before string) (k kind, alone bool) {
	var room [maxWords]string
	all := split(name, &room)
	if len(all) == 0 {
		return none, false
	}
	if labels[all[0]] {
		return none, false
	}
	last := -1
	for i := range all {
		prev := before
		if i > 0 {
			prev = all[i-1]
		}
		if ki := kindOf(all[i], prev); ki != none && (ki != random || k == none) {
			k, last = ki, i
		}
	}
	if k == none {
		k, last = kindOf(strings.Join(all, ""), ""), len(all)-1 // MOT_DE_PASSE, Api-Key
		if k == none {
			return none, false
		}
	}
	for i := last + 1; i < len(all); i++ {
		if end := all[i]; innocent[end] && !identifies(all[last], end) {
			return none, false
		}
	}
	return k, len(all) == 1
}

// classified is what classify has said of a name.
type classified struct {
	name, before string
	kind         kind
	alone        bool
}

// recent has the names that were classified lately, by their hash: a log has few of them,
// again and again.
var (
	recent [1 << 10]atomic.Pointer[classified]
	seed   = maphash.MakeSeed()
)

// recall is classify, from what was classified lately if possible.
func recall(name []byte, before string) (kind, bool) {
	at := &recent[maphash.Bytes(seed, name)%uint64(len(recent))]
	if c := at.Load(); c != nil && c.name == string(name) && c.before == before {
		return c.kind, c.alone
	}
	c := &classified{name: string(name), before: before}
	c.kind, c.alone = classify(c.name, before)
	at.Store(c)
	return c.kind, c.alone
}

// identifies reports whether a name such as session_id is the secret itself.
func identifies(word, end string) bool {
	switch end {
	case "id":
		return strings.HasPrefix(word, "sess") || word == "secret" || word == "sid"
	case "number", "num":
		return word == "card"
	case "hash", "response", "form":
		return word != "session"
	}
	return false
}

// kindOf is classify for one word of a name, with the word before it.
func kindOf(w, before string) kind {
	k, known := words[w]
	switch k {
	case keyName:
		switch {
		case keyNot[before]:
			return none
		case keyOf[before]:
			return secret
		}
		return random
	case codeName:
		if codeOf[before] {
			return secret
		}
		return codeName
	}
	if known {
		return k
	}
	for i := range roots {
		at := strings.Index(w, roots[i].text)
		if at < 0 {
			continue
		}
		rest := w[at+len(roots[i].text):]
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "ord"), "d")
		if innocent[rest] && !identifies(roots[i].text, rest) {
			return none
		}
		if word := roots[i].text + rest; strings.HasPrefix(word, "tokeniz") || strings.HasPrefix(word, "secretary") {
			return none
		}
		return roots[i].kind
	}
	if len(w) > 4 && strings.HasSuffix(w, "pass") && !glued[w] ||
		len(w) > 3 && (strings.HasSuffix(w, "pw") || strings.HasSuffix(w, "psk")) {
		return phrase
	}
	return none
}
