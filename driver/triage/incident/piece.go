package incident

import "strings"

// piece is a run of letters and digits of a part of a path.
type piece struct {
	start, end int
	judged     verdict
	chance     int
	mixed      bool // has lower-case and upper-case letters
}

// verdict says what a piece is. Those from isRandom on are replaced by {id}.
type verdict int

const (
	unsure     verdict = iota
	isWord             // a word or a name
	isNumber           // digits only
	isRandom           // made by chance
	isReplaced         // a part of an identifier of several pieces
)

// What chance must be at least, in quarters of a bit.
const (
	plainIsRandom = 60  // of a piece that has the shape of a word or of several
	camelIsRandom = 20  // of a long one that has several words
	isRandomAt    = 9   // of others, less for long ones
	longIsRandom  = -8  // of the longest
	hexIsRandom   = 6   // of hexadecimal digits
	shortIsRandom = 40  // of five characters, and of a name such as log4j
	sumIsRandom   = 10  // of pieces together
	podIsRandom   = 24  // of what may be the end of a pod's name
	wordAbove     = 8   // what is more likely by chance is no name beside an identifier
	wordBelow     = -14 // what is less likely by chance is a word
)

// minRandom is the length of the shortest piece that is random by itself.
const minRandom = 5

// replacePieces returns s with identifiers and numbers replaced. Characters that
// identifiers have between letters and digits, such as - and _, may be part of one.
func replacePieces(s string) string {
	var room [16]piece
	pieces := split(room[:0], s)
	found := false
	for i := range pieces {
		p := &pieces[i]
		p.judge(s[p.start:p.end], p.start > 0 && s[p.start-1] == '-')
		found = found || p.judged == isRandom
	}
	found = sumUp(s, pieces) || found
	if !found && strings.IndexFunc(s, func(r rune) bool { return '0' <= r && r <= '9' }) < 0 {
		return s
	}
	if found {
		extend(s, pieces)
	}
	return build(s, pieces)
}

// split appends the pieces of s. A UUID is one piece, although it has dashes.
func split(pieces []piece, s string) []piece {
	for i := 0; i < len(s); {
		if !inPiece(s[i]) {
			i++
			continue
		}
		end := i + 1
		if i+uuidLength <= len(s) && uuid(s[i:i+uuidLength]) {
			end = i + uuidLength
		}
		for end < len(s) && inPiece(s[end]) {
			end++
		}
		pieces = append(pieces, piece{start: i, end: end})
		i = end
	}
	return pieces
}

func inPiece(c byte) bool { return '0' <= c && c <= '9' || letter(c) || c >= 0x80 }

// judge says what the piece is, as far as it can be seen without the others. A
// piece is dashed if it stands behind a dash.
func (p *piece) judge(s string, dashed bool) {
	var lowers, uppers, digits, hexes int
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			p.judged = isWord
			return
		}
		if isHex(c) {
			hexes++
		}
		switch classOf(c) {
		case number:
			digits++
		case upper:
			uppers++
		default:
			lowers++
		}
	}
	p.mixed = lowers > 0 && uppers > 0
	if len(s) >= uuidLength && uuid(s[:uuidLength]) {
		p.judged = isRandom
		return
	}
	if digits == len(s) {
		p.judged = isNumber
		return
	}
	p.chance = chance(s)
	limit := max(isRandomAt-4*max(len(s)-6, 0), longIsRandom)
	switch {
	case len(s) < minRandom:
		limit = p.chance + 1
	case dashed && (podSuffix(s) || replicaSet(s)):
		limit = podIsRandom
	case wordShaped(s):
		if limit = max(plainIsRandom, 5*len(s)); p.mixed && len(s) >= 9 {
			limit = camelIsRandom
		}
	case len(s) == minRandom:
		limit = shortIsRandom
	case hexes == len(s) && len(s) >= 7 && digits > 0 && !p.mixed:
		limit = hexIsRandom
	case uppers == 0 && len(s) < 12 && hasFewRuns(s):
		limit = shortIsRandom
	}
	switch {
	case roman(s):
		p.judged = isWord
	case p.chance >= limit:
		p.judged = isRandom
	case p.chance < wordBelow && len(s)-digits > 3:
		p.judged = isWord
	}
}

// wordShaped reports whether s has the shape of words: letters of one case, or
// capitalized words of three letters or more, and up to six digits behind them.
func wordShaped(s string) bool {
	runs := 0
	for i := 0; i < len(s); runs++ {
		r := nextRun(s[i:])
		i += len(r.text)
		switch {
		case r.class == number:
			return runs > 0 && i == len(s) && len(r.text) <= 6
		case runs > 0 && r.class != title, r.class == title && len(r.text) < 3, len(r.text) < 2:
			return false
		}
	}
	return true
}

// hasFewRuns reports whether s has letters, digits and letters at most: log4j, 2fa.
func hasFewRuns(s string) bool {
	runs := 0
	for i := 0; i < len(s); runs++ {
		i += len(nextRun(s[i:]).text)
	}
	return runs <= 3
}

// roman reports whether s may be a Roman number that has enough letters to be
// taken for an identifier.
func roman(s string) bool {
	return len(s) >= minRandom && len(s) <= 9 && (strings.Trim(s, "ivxlcdm") == "" || strings.Trim(s, "IVXLCDM") == "")
}

// soft reports whether an identifier may have the separator in it.
func soft(sep string) bool { return len(sep) <= 4 && strings.Trim(sep, softs) == "" }

const softs = "-_+/~="

// sumUp finds identifiers of which no piece is random by itself: pieces beside
// each other, none of them a word, that are random together and of mixed case.
func sumUp(s string, pieces []piece) bool {
	found := false
	for i := 0; i < len(pieces); {
		sum, length, j := 0, 0, i
		for j < len(pieces) && (j == i || soft(s[pieces[j-1].end:pieces[j].start])) {
			p := &pieces[j]
			if p.judged == isWord || p.judged == isRandom {
				break
			}
			sum += p.chance
			length += p.end - p.start
			j++
		}
		if j-i > 1 && sum >= sumIsRandom && length >= 7 && mixedCase(s[pieces[i].start:pieces[j-1].end]) {
			for k := i; k < j; k++ {
				pieces[k].judged = isRandom
				pieces[k].mixed = true
			}
			found = true
		}
		i = max(j, i+1)
	}
	return found
}

func mixedCase(s string) bool { return strings.ToLower(s) != s && strings.ToUpper(s) != s }

// extend adds to each random piece the pieces beside it that belong to the same
// identifier.
func extend(s string, pieces []piece) {
	done := 0 // pieces before it are done
	for i := 0; i < len(pieces); i++ {
		if pieces[i].judged != isRandom {
			continue
		}
		first, last := i, i
		for first > done && soft(s[pieces[first-1].end:pieces[first].start]) &&
			pieces[first-1].joins(s, pieces[i].mixed) {
			first--
		}
		for last+1 < len(pieces) && soft(s[pieces[last].end:pieces[last+1].start]) &&
			(pieces[last+1].joins(s, pieces[i].mixed) || podSuffix(s[pieces[last+1].start:pieces[last+1].end])) {
			last++
		}
		if first == 0 && i > 0 && isPrefix(s, pieces, last) {
			first++
		}
		for k := first; k <= last; k++ {
			if pieces[k].judged != isRandom {
				pieces[k].judged = isReplaced
			}
		}
		i, done = last, last+1
	}
}

// joins reports whether the piece may be part of an identifier beside it, which
// is of mixed case or not. Between lower-case letters and digits, letters alone
// are taken for a name: web-5d4f8c7b9d.
func (p *piece) joins(s string, mixed bool) bool {
	switch p.judged {
	case isNumber, isRandom, isReplaced:
		return true
	case isWord:
		return false
	}
	length := p.end - p.start
	return mixed || length == 1 || length > 3 && p.chance > wordAbove ||
		strings.Trim(s[p.start:p.end], "abcdefghijklmnopqrstuvwxyz") != ""
}

// isPrefix reports whether the first piece says what the identifier behind it,
// which ends with the last one, is of: ch_3MmlLrLkdIwHu7ix, app-BxW3kq2a.js.
func isPrefix(s string, pieces []piece, last int) bool {
	p := pieces[0]
	if p.judged != unsure || p.end-p.start < 2 || strings.Trim(s[p.start:p.end], "abcdefghijklmnopqrstuvwxyz") != "" {
		return false
	}
	end := pieces[last].end
	return end < len(s) && s[end] == '.' || len(pieces) == 2 && s[p.end] == '_' && end-p.end > 10
}

// podSuffix reports whether s may be the five characters at the end of the name
// of a Kubernetes pod.
func podSuffix(s string) bool { return len(s) == 5 && strings.Trim(s, podLetters) == "" }

// replicaSet reports whether s may be the hash in the name of a ReplicaSet.
func replicaSet(s string) bool {
	return len(s) >= 8 && len(s) <= 10 && strings.Trim(s, podLetters) == ""
}

// podLetters are the characters of which Kubernetes makes the names of pods and,
// with eight to ten of them, of ReplicaSets.
const podLetters = "bcdfghjklmnpqrstvwxz2456789"

// build returns s with {id} and {n} in it.
func build(s string, pieces []piece) string {
	var b strings.Builder
	kept := 0 // before it, s is in b
	for i := 0; i < len(pieces); i++ {
		if pieces[i].judged < isRandom {
			continue
		}
		before := s[kept:pieces[i].start]
		if i == 0 || before[0] == '.' {
			before = strings.TrimRight(before, softs)
		}
		numbers(&b, before)
		b.WriteString("{id}")
		for i+1 < len(pieces) && pieces[i+1].judged >= isRandom && soft(s[pieces[i].end:pieces[i+1].start]) {
			i++
		}
		kept = pieces[i].end
		if i+1 == len(pieces) || strings.Contains(s[kept:pieces[i+1].start], ".") {
			kept = len(s) - len(strings.TrimLeft(s[kept:], softs))
		}
	}
	numbers(&b, s[kept:])
	return b.String()
}
