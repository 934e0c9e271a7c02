package incident

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/expression"
)

// redacted stands where something secret was, marked as long as other rules
// have not had their turn: it is nothing that they know.
const (
	redacted = "[redacted]"
	marked   = "\x00r\x00"
)

// Redactor takes out of a text what must not leave the log for a mailbox or a
// chat. What it knows by itself is in docs/incidents.md; it prefers to take too
// much. It takes time linear in the text. The nil Redactor is one without an
// expression of somebody's own. It may be used by many goroutines.
type Redactor struct{ own *expression.Regexp }

// NewRedactor makes a redactor that also takes out what an RE2 expression
// matches or, where that has groups, what these match. An empty one adds nothing.
func NewRedactor(own string) (*Redactor, error) {
	if own == "" {
		return nil, nil
	}
	re, err := expression.Compile(own)
	if err != nil {
		return nil, fmt.Errorf("%w; join several with |", err)
	}
	if re.MatchesEmpty() {
		return nil, fmt.Errorf("%q matches everywhere: write an expression that matches no empty text", own)
	}
	return &Redactor{re}, nil
}

// RedactorOf is NewRedactor for an expression that was understood when its container
// was started. If it is not understood any more, all of a text is taken out.
func RedactorOf(own string) *Redactor {
	r, err := NewRedactor(own)
	if err != nil {
		return &Redactor{everything}
	}
	return r
}

var everything, _ = expression.Compile(`(?s).+`)

// ParseRedact says what is wrong with an expression, if anything is.
func ParseRedact(own string) (string, error) {
	_, err := NewRedactor(own)
	return own, err
}

// rule is one kind of secret: what the groups of the expression match is kept,
// or the whole match goes where is says so, or always.
type rule struct {
	hint []string // a match has one of these, small letters: a look is cheaper
	re   *regexp.Regexp
	keep string            // what stands in the match's place
	is   func([]byte) bool // nil: always
}

// A key's separator and the beginning of its value, in headers, JSON (once more
// quoted or not), queries, Python's and Ruby's notation.
const (
	sep   = `(?:\\?["'])?\s*(?:=>|[:=]|%3[dD])\s*\[?\s*`
	value = `(?:\\"(?:[^\\"]|\\\\[^"])*(?:\\"|$)|"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)|[^\s&,;"'\\)}\]]+)`
)

var rules = []rule{
	{hint: []string{"private key"}, re: regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)`), keep: marked},
	// Cookies, up to the end of the quotes or of what looks like a list.
	{hint: []string{"cookie"}, re: regexp.MustCompile(`(?i)(\b(?:http[_-])?(?:set-?)?cookie2?` + sep + `)(?:\\"(?:[^\\"]|\\\\[^"])*(?:\\"|$)|"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)|[^\s;"'\\]+(?:;\s*[^\s;"'\\]+)*)`), keep: "${1}" + marked},
	// Authorization, with the scheme kept. Digests and signatures go on to the line's end.
	{hint: []string{"authorization"}, re: regexp.MustCompile(`(?i)(\b(?:http[_-])?(?:proxy[_-])?authorization` + sep + `\\?["']?(?:digest|aws4-hmac-sha256|hawk|oauth|signature)\s)[^\r\n]*`), keep: "${1}" + marked},
	{hint: []string{"authorization"}, re: regexp.MustCompile(`(?i)(\b(?:http[_-])?(?:proxy[_-])?authorization` + sep + `\\?["']?(?:(?:bearer|basic|token|negotiate|ntlm|apikey|api-key|splunk|geniekey|digest|aws4-hmac-sha256|hawk|oauth|signature)(?:\s|%20|\+)+)?)[^\s"',;&\\)}\]]+`), keep: "${1}" + marked},
	{hint: []string{"bearer", "basic"}, re: regexp.MustCompile(`(?i)(\b(?:bearer|basic)(?:\s|%20)+)[A-Za-z0-9._~+/=-]{8,}`), keep: "${1}" + marked, is: chancy},
	{hint: []string{"eyj"}, re: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)*`), keep: marked},
	// user:password@ in URLs.
	{hint: []string{"://"}, re: regexp.MustCompile(`(\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#"'<>]+@`), keep: "${1}" + marked + "@"},
	// What is called a secret.
	{hint: []string{"pass", "pwd", "secret", "token", "key", "sess", "csrf", "xsrf", "credential", "sig", "pin", "cvv", "cvc", "security"}, re: regexp.MustCompile(`(?i)([A-Za-z0-9_.-]*(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|account[_-]?key|encryption[_-]?key|signing[_-]?key|session[_-]?id|sessid|csrf|xsrf|credentials?|signature|x-amz-security|\bsig|\bpin|\bcvv|\bcvc)[A-Za-z0-9_-]*(?:\[[A-Za-z0-9_-]*\]|\])?` + sep + `)` + value), keep: "${1}" + marked},
	{hint: []string{"--"}, re: regexp.MustCompile(`(?i)(--?(?:password|passwd|secret|token|api-key|access-key)[= ]\s*)` + value), keep: "${1}" + marked},
	// What is known by its own look: AWS, GitHub, GitLab, Slack, Stripe, Google, npm.
	{hint: []string{"akia", "asia", "abia", "acca", "aroa", "aida"}, re: regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}\b`), keep: marked},
	{hint: []string{"gh", "glpat-", "xox", "k_", "aiza", "npm_"}, re: regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[a-z]-[A-Za-z0-9-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{20,})`), keep: marked},
}

// secretKey finds texts of 40 base64 digits or more, among which AWS' secret
// keys are; those of other lengths stay.
var secretKey = regexp.MustCompile(`[A-Za-z0-9/+]{40,}`)

// Redact returns the text without what is secret. It may be the text itself.
func (r *Redactor) Redact(text []byte) []byte {
	lower := bytes.ToLower(text)
	for i := range rules {
		rule := &rules[i]
		if !slices.ContainsFunc(rule.hint, func(h string) bool { return bytes.Contains(lower, []byte(h)) }) {
			continue
		}
		if rule.is == nil {
			text = rule.re.ReplaceAll(text, []byte(rule.keep))
			continue
		}
		text = rule.re.ReplaceAllFunc(text, func(match []byte) []byte {
			if !rule.is(match) {
				return match
			}
			return rule.re.ReplaceAll(match, []byte(rule.keep))
		})
	}
	text = secretKey.ReplaceAllFunc(text, func(match []byte) []byte {
		if len(match) == 40 && mixed(match) {
			return []byte(marked)
		}
		return match
	})
	text = withoutCards(text)
	if r != nil {
		text = r.redactOwn(text)
	}
	return bytes.ReplaceAll(text, []byte(marked), []byte(redacted))
}

// more is the redactor's own expression alone, for a route, which has no value
// of anything.
func (r *Redactor) more(s string) string {
	if r == nil {
		return s
	}
	return strings.ReplaceAll(string(r.redactOwn([]byte(s))), marked, redacted)
}

// redactOwn takes out what the redactor's own expression matches, and all that is
// behind the bytes which the expression is allowed to search.
func (r *Redactor) redactOwn(text []byte) []byte {
	var out []byte
	done := 0
	if most := r.own.Most(); len(text) > most {
		text = append(slices.Clip(text[:most]), marked...)
	}
	for _, at := range r.own.FindAllSubmatchIndex(text) {
		groups := at[2:]
		if !slices.ContainsFunc(groups, func(i int) bool { return i >= 0 }) {
			groups = at // none, or none that took part
		}
		for i := 0; i+1 < len(groups); i += 2 {
			from, to := groups[i], groups[i+1]
			if from < done || from == to { // none, empty or within another
				continue
			}
			out = append(append(out, text[done:from]...), marked...)
			done = to
		}
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// chancy tells a credential from a word after "bearer" or "basic".
func chancy(match []byte) bool {
	i := bytes.LastIndexAny(match, " \t\n") + 1
	if at := bytes.LastIndex(match, []byte("%20")); at >= 0 {
		i = max(i, at+3)
	}
	token := match[i:]
	return len(token) >= 20 || bytes.ContainsAny(token, "0123456789=") || bytes.ContainsAny(token[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// mixed reports whether there are digits, small and large letters.
func mixed(b []byte) bool {
	return bytes.ContainsAny(b, "0123456789") && bytes.ContainsAny(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && bytes.ContainsAny(b, "abcdefghijklmnopqrstuvwxyz")
}

// Card numbers have 13 to 19 digits, the last of which makes their Luhn sum a
// multiple of ten, and begin with 2 to 6 (ISO/IEC 7812).
const minCard, maxCard = 13, 19

// withoutCards takes out card numbers, with single spaces or hyphens between the
// digits or without.
func withoutCards(text []byte) []byte {
	var out []byte
	done := 0
	for i := 0; i < len(text); i++ {
		if text[i] < '2' || text[i] > '6' || i > 0 && digit(text[i-1]) {
			continue
		}
		if end := card(text[i:]); end > 0 {
			out = append(append(out, text[done:i]...), marked...)
			i += end - 1
			done = i + 1
		}
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// card returns how many bytes at the start of text are a card number, 0 for none.
func card(text []byte) (size int) {
	var digits [maxCard]byte
	n := 0
	for i := 0; i < len(text) && n < maxCard; i++ {
		switch c := text[i]; {
		case digit(c):
			digits[n] = c - '0'
			n++
			if n >= minCard && (i+1 == len(text) || !digit(text[i+1])) && luhn(digits[:n]) {
				size = i + 1
			}
		case (c == ' ' || c == '-') && digit(text[i-1]):
		default:
			return size
		}
	}
	return size
}

func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d)
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
