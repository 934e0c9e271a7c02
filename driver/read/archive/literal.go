package archive

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Pattern is what grep looks for.
type Pattern struct {
	re       *regexp.Regexp
	whole    []byte    // the pattern is this text and no more; then re is nil
	literals []literal // one of these is in every line that matches; none: nothing is known
}

// ParsePattern reads an RE2 expression, or with fixed a text as it is.
func ParsePattern(s string, fixed, ignoreCase bool) (*Pattern, error) {
	if fixed {
		s = regexp.QuoteMeta(s)
	}
	if ignoreCase {
		s = "(?i)" + s
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("%w; the syntax is RE2's, and -F takes the pattern as it is", err)
	}
	p := &Pattern{re: re}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, err
	}
	tree = tree.Simplify()
	if tree.Op == syntax.OpLiteral && tree.Flags&syntax.FoldCase == 0 {
		p.re, p.whole = nil, []byte(string(tree.Rune))
	}
	p.literals = required(tree)
	return p, nil
}

// Match reports whether a line matches.
func (p *Pattern) Match(text []byte) bool {
	if p.re == nil {
		return bytes.Contains(text, p.whole)
	}
	return p.re.Match(text)
}

// literal is a text, or with fold one of which each letter may have either
// case.
type literal struct {
	text []byte // lower case where fold
	fold bool
	at   int // of the byte that fold looks for, the rarest
}

// maxLiterals bounds how many texts are looked for at once.
const maxLiterals = 8

// required returns texts of which every match has one, none where that is not
// known.
func required(re *syntax.Regexp) []literal {
	switch re.Op {
	case syntax.OpLiteral:
		if l, ok := literalOf(re.Rune, re.Flags&syntax.FoldCase != 0); ok {
			return []literal{l}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []literal
		for _, sub := range re.Sub {
			if l := required(sub); better(l, best) {
				best = l
			}
		}
		return best
	case syntax.OpAlternate:
		var all []literal
		for _, sub := range re.Sub {
			l := required(sub)
			if l == nil || len(all)+len(l) > maxLiterals {
				return nil
			}
			all = append(all, l...)
		}
		return all
	}
	return nil
}

// better prefers fewer texts, then those of which the shortest is longer.
func better(l, than []literal) bool {
	if len(l) == 0 || len(than) == 0 {
		return len(l) > 0
	}
	shortest := func(l []literal) int {
		n := len(l[0].text)
		for _, x := range l {
			n = min(n, len(x.text))
		}
		return n
	}
	a, b := shortest(l), shortest(than)
	return len(l) < len(than) && a > 1 || a > b && len(l) <= len(than)
}

// rarity orders bytes by how rarely logs have them: the later, the rarer.
const rarity = `0123456789 "/.-:e,tanisorl_cdp=mu[]fhgbwvky()xjqz`

func literalOf(runes []rune, fold bool) (l literal, ok bool) {
	if !fold {
		return literal{text: []byte(string(runes))}, len(runes) > 0
	}
	// Of the letters, k and s have a third case, beyond ASCII: a text ends
	// before them.
	best := ""
	for part := range strings.FieldsFuncSeq(string(runes), func(r rune) bool {
		return r >= 0x80 || strings.ContainsRune("kKsS\n", r)
	}) {
		if len(part) > len(best) {
			best = part
		}
	}
	l = literal{text: []byte(strings.ToLower(best)), fold: true}
	rare := func(i int) uint { return uint(strings.IndexByte(rarity, l.text[i])) } // not there: rarest
	for i := range l.text {
		if rare(i) > rare(l.at) {
			l.at = i
		}
	}
	return l, best != ""
}

// index returns where l is in b, or -1.
func (l *literal) index(b []byte) int {
	if !l.fold {
		return bytes.Index(b, l.text)
	}
	low := l.text[l.at]
	high := low
	if 'a' <= low && low <= 'z' {
		high -= 'a' - 'A'
	}
	next := func(c byte, from int) int {
		if i := bytes.IndexByte(b[from:], c); i >= 0 {
			return from + i
		}
		return len(b)
	}
	i, j := next(low, 0), len(b)
	if high != low {
		j = next(high, 0)
	}
	for i < len(b) || j < len(b) {
		at := min(i, j) - l.at
		if at >= 0 && at+len(l.text) <= len(b) && equalFold(b[at:at+len(l.text)], l.text) {
			return at
		}
		if i <= j {
			i = next(low, i+1)
		} else {
			j = next(high, j+1)
		}
	}
	return -1
}

// equalFold compares ASCII with a text of lower case.
func equalFold(b, lower []byte) bool {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// finder looks for the literals of a pattern in one block, from left to right.
type finder struct {
	literals []literal
	next     [maxLiterals]int // where each is next; owned by the goroutine that scans
}

// begin takes a new block.
func (f *finder) begin() {
	for i := range f.literals {
		f.next[i] = -1
	}
}

// find returns the first place in b, from a place on, at which one of them is.
func (f *finder) find(b []byte, from int) int {
	best := -1
	for i := range f.literals {
		if f.next[i] < from {
			at := f.literals[i].index(b[from:])
			if at < 0 {
				f.next[i] = len(b)
			} else {
				f.next[i] = from + at
			}
		}
		if f.next[i] < len(b) && (best < 0 || f.next[i] < best) {
			best = f.next[i]
		}
	}
	return best
}
