package detect

import (
	"bytes"
	"math/bits"
)

// token is a word that is neither a request, an assignment nor in quotes.
type token struct {
	word       []byte // as it stands
	core       []byte // without the punctuation around it
	from       int    // where it begins in the line
	kind       kind
	meaning    meaning // of the core, if that has no digits
	status     int     // that the token can be, 0: none
	key, value []byte  // of "status:500", nil if the core is no such pair
	before     class   // of the token before
	afterDate  bool    // the token before ended in "]"
}

// stage is whether a token stands before the line's request or behind it.
type stage uint8

const (
	before stage = 1 << iota
	behind
	stages   = iota
	anyStage = 1<<iota - 1
)

// kind is what a token looks like.
type kind uint8

const (
	aStatus kind = 1 << iota // three digits that can be a status
	aSign                    // "->", or punctuation alone
	aNumber                  // anything else with a digit, and "*"
	aKey                     // a colon and no digit: "status:"
	aWord                    // the rest
	kinds   = iota
	anyKind = 1<<iota - 1
)

// wordReader reads tokens of some stages and kinds, so that each token passes few rules.
// It says whether the token is read by that.
type wordReader struct {
	stages stage
	kinds  kind
	word   func(*walker, *token) outcome
}

// wordReaders are what wordRules has for each stage and each kind of token.
var wordReaders = byKind(wordRules)

func byKind(rules []rule[wordReader]) (readers [stages][kinds][]func(*walker, *token) outcome) {
	for _, r := range rules {
		for s := range readers {
			for k := range readers[s] {
				if r.read.stages&(1<<s) != 0 && r.read.kinds&(1<<k) != 0 {
					readers[s][k] = append(readers[s][k], r.read.word)
				}
			}
		}
	}
	return readers
}

// word reads a token by the first rule that knows what it says.
func (w *walker) word(word []byte, from int) outcome {
	if string(word) == "=>" && w.prev == label && len(w.label) > 0 {
		return done // Ruby's :status => 500, of which the value comes next
	}
	t := &w.tok
	w.look(t, word, from)
	stage := before
	if w.req.seen() {
		stage = behind
	}
	o := pass
	for _, read := range wordReaders[bits.TrailingZeros8(uint8(stage))][bits.TrailingZeros8(uint8(t.kind))] {
		if o = read(w, t); o != pass {
			break
		}
	}
	if o != decided && w.req.seen() && w.req.dist > longWalk {
		w.req.form, w.i = none, len(w.b)
		w.prev = prose
	}
	return o
}

// look fills t with what a word looks like.
func (w *walker) look(t *token, word []byte, from int) {
	t.word, t.core, t.from, t.status, t.meaning = word, trim(word), from, 0, 0
	t.key, t.value = nil, nil
	t.before, t.afterDate = w.prev, w.afterDate
	w.afterDate = word[len(word)-1] == ']'
	if s, ok := number(t.core); ok {
		t.status = s
	} else if len(word) > 3 && len(t.core) > 0 && (digit(t.core[0]) || word[3] == '!') {
		for i := range spellingRules {
			if spellingRules[i].read(w, t) {
				break
			}
		}
	}
	colon := bytes.IndexByte(word, ':') >= 0
	switch {
	case t.status != 0:
		t.kind = aStatus
	case len(t.core) == 0 || !alnum(word[0]) && means(word, arrows):
		t.kind = aSign
	case hasDigit(word) || string(t.core) == "*":
		t.kind = aNumber
	case colon:
		t.kind = aKey
	default:
		t.kind = aWord
	}
	if t.kind&(aKey|aWord) != 0 {
		t.meaning = vocabulary[string(t.core)]
	}
	if !colon {
		return
	}
	if i := bytes.IndexByte(t.core, ':'); i > 0 && i < maxKey && i+1 < len(t.core) && letter(t.core[0]) &&
		all(t.core[:i], isKeyByte) && !means(t.core[:i], messageKeys) {
		t.key, t.value = t.core[:i], t.core[i+1:]
	}
}

func hasDigit(b []byte) bool {
	for _, c := range b {
		if digit(c) {
			return true
		}
	}
	return false
}
