// Package expression compiles the regular expressions that people set as options,
// and bounds what one costs. An RE2 expression takes time linear in the text, but
// the factor is the size of its program: 73 bytes with counted repeats make a
// program of 10,000 instructions, which needs a millisecond for each byte.
package expression

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// The bounds of an expression.
const (
	MaxText    = 4 << 10 // bytes of its text
	MaxProgram = 2000    // instructions of its program; 100 words of 15 letters fit
)

// work bounds one search, as instructions times bytes. On the processors of 2026
// an instruction takes up to 20 ns for each byte, so a search takes up to 40 ms.
const work = 2 << 20

// Regexp is an expression that is within the bounds. It may be used by many
// goroutines.
type Regexp struct {
	re      *regexp.Regexp
	program int // instructions
	most    int
}

// Compile compiles an RE2 expression. Its error says where the expression is wrong,
// or how large it is and what is allowed.
func Compile(s string) (*Regexp, error) {
	if len(s) > MaxText {
		return nil, fmt.Errorf("the expression has %d bytes; allowed are %d: write a shorter one", len(s), MaxText)
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, explain(s, err)
	}
	if n := size(tree); n > MaxProgram {
		return nil, tooLarge(s, n)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", s, err)
	}
	if n := len(program.Inst); n > MaxProgram {
		return nil, tooLarge(s, n)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, explain(s, err)
	}
	return &Regexp{re: re, program: len(program.Inst), most: max(work/len(program.Inst), 1)}, nil
}

func tooLarge(s string, n int) error {
	return fmt.Errorf("pattern %q needs a program of about %d instructions; allowed are %d, because each costs time "+
		"for every byte of a line: use smaller counts in {…}, such as + in place of {900}", s, n, MaxProgram)
}

// explain adds the place to an error of the parser.
func explain(s string, err error) error {
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return fmt.Errorf("pattern %q: %w", s, err)
	}
	at := strings.LastIndex(s, bad.Expr)
	switch bad.Code {
	case syntax.ErrMissingParen:
		at = openParen(s)
	case syntax.ErrUnexpectedParen:
		at = strings.LastIndexByte(s, ')')
	case syntax.ErrTrailingBackslash:
		at = len(s) - 1
	}
	return fmt.Errorf("pattern %q, at byte %d: %s %q; the syntax is RE2's", s, max(at, 0)+1, bad.Code, bad.Expr)
}

// openParen returns the place of the last "(" that nothing closes.
func openParen(s string) int {
	var open []int
	class := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			open = append(open, i)
		case c == ')' && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return 0
	}
	return open[len(open)-1]
}

// tooMany is where size stops to count: no product of two such overflows.
const tooMany = 1 << 30

// size estimates how many instructions a tree makes, before anything is made of
// it: a repeat of a repeat may need gigabytes to compile.
func size(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = max(len(re.Rune), 1)
	}
	for _, sub := range re.Sub {
		n += size(sub)
	}
	if re.Op == syntax.OpRepeat {
		times := max(re.Max, re.Min, 1)
		n = (n - 1) * times
	}
	return min(n, tooMany)
}

// Most is how many bytes of a text are searched; what is behind does not match.
// It is 1 KiB for the largest expressions, and 64 KiB for one of 32 instructions.
func (e *Regexp) Most() int { return e.most }

// Work is what a search of n bytes may take, in instructions times bytes.
func (e *Regexp) Work(n int) int { return e.program * min(n, e.most) }

func (e *Regexp) cut(text []byte) []byte { return text[:min(len(text), e.most)] }

// Match reports whether the expression matches within the first Most bytes.
func (e *Regexp) Match(text []byte) bool { return e.re.Match(e.cut(text)) }

// FindSubmatchIndex is the regexp.Regexp's, within the first Most bytes.
func (e *Regexp) FindSubmatchIndex(text []byte) []int { return e.re.FindSubmatchIndex(e.cut(text)) }

// FindAllSubmatchIndex is the regexp.Regexp's, within the first Most bytes.
func (e *Regexp) FindAllSubmatchIndex(text []byte) [][]int {
	return e.re.FindAllSubmatchIndex(e.cut(text), -1)
}

// MatchesEmpty reports whether the expression matches an empty text.
func (e *Regexp) MatchesEmpty() bool { return e.re.MatchString("") }

// SubexpNames is the regexp.Regexp's.
func (e *Regexp) SubexpNames() []string { return e.re.SubexpNames() }

// SubexpIndex is the regexp.Regexp's.
func (e *Regexp) SubexpIndex(name string) int { return e.re.SubexpIndex(name) }
