package incident

import (
	"fmt"
	"slices"

	"github.com/logfast/logfast/driver/triage/detect"
	"github.com/logfast/logfast/driver/triage/expression"
	"github.com/logfast/logfast/driver/triage/redact"
)

// Redactor takes out of a text what must not leave the log for a mailbox or a chat: what
// package redact knows, and what an operator's own expression matches. It takes time linear
// in the text. The nil Redactor has no expression. It may be used by many goroutines.
//
// A text must be whole when it is redacted, and is cut afterwards: half a secret looks like
// none.
type Redactor struct{ own *expression.Regexp }

// NewRedactor makes a redactor that also takes out what an RE2 expression matches or, if
// the expression has groups, what these match. An empty expression adds nothing.
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

// RedactorOf is NewRedactor for an expression that was valid when its container was
// started. If it is not valid any more, all of a text is taken out.
func RedactorOf(own string) *Redactor {
	r, err := NewRedactor(own)
	if err != nil {
		return &Redactor{everything}
	}
	return r
}

var everything, _ = expression.Compile(`(?s).+`)

// ParseRedact checks an expression, and says what is wrong with it.
func ParseRedact(own string) (string, error) {
	_, err := NewRedactor(own)
	return own, err
}

// Redact returns the whole text without what is secret. It may be the text itself.
func (r *Redactor) Redact(text []byte) []byte { return redact.Text(text, r.find(text)...) }

// half is Redact for the beginning of a text, of which the rest is not known.
func (r *Redactor) half(text []byte) []byte { return redact.Half(text, r.find(text)...) }

// line is Redact for a line that a joiner may have cut.
func (r *Redactor) line(text []byte) []byte {
	if len(text) >= detect.MaxLine {
		return r.half(text)
	}
	return r.Redact(text)
}

// route returns the route of a request as it is shown. Its fingerprint is that of the route
// with nothing redacted.
func (r *Redactor) route(routes *Routes, method string, path []byte) string {
	return string(r.Redact([]byte(routes.Of(method, r.Redact(path)))))
}

// find returns what the redactor's own expression matches, and all that is behind the bytes
// which the expression is allowed to search.
func (r *Redactor) find(text []byte) (own []redact.Span) {
	if r == nil {
		return nil
	}
	for _, at := range r.own.FindAllSubmatchIndex(text) {
		groups := at[2:]
		if !slices.ContainsFunc(groups, func(i int) bool { return i >= 0 }) {
			groups = at // there are none, or none took part
		}
		for i := 0; i+1 < len(groups); i += 2 {
			if from, to := groups[i], groups[i+1]; from < to {
				own = append(own, redact.Span{From: from, To: to})
			}
		}
	}
	if most := r.own.Most(); len(text) > most {
		own = append(own, redact.Span{From: most, To: len(text)})
	}
	return own
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
