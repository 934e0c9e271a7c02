package redact

import "bytes"

// vendor is a token that is known by its beginning.
type vendor struct {
	prefix string
	of     *class // of the bytes behind the prefix
	min    int    // how many of them there are at least
	max    int    // and at most, 0: any number. Others are no token
	keep   bool   // the prefix stays: a URL's host
	inner  bool   // letters and digits may stand before the prefix
	fold   bool   // the case of the prefix, in small letters here, does not matter
	dotted bool   // dots part further pieces
}

var (
	upperDigit = classOf("0-9A-Z")
	lowerHex   = classOf("0-9a-f")
	crypt      = classOf("0-9A-Za-z./$=,+-")
	pathClass  = classOf("0-9A-Za-z_/=%.@-")
	asciiToken = classOf("0-9A-Za-z_.~-")
)

var (
	classDash  = classOf("0-9A-Z-")
	hashClass  = classOf("0-9A-Za-z+/=}")
	scramClass = classOf("0-9A-Za-z+/=:$")
	payClass   = classOf("0-9a-z$")
	base36dot  = classOf("0-9A-Za-z.")
	forceClass = classOf("0-9A-Za-z!_.")
	hookClass  = classOf("0-9A-Za-z_/=%.?&-")
	botClass   = classOf("0-9A-Za-z_:-")
)

// vendor takes a token of a vendor, whose prefix stands at at.
func (s *scanner) vendor(at int, v *vendor) {
	if !v.inner && at > 0 && (alnumClass[s.text[at-1]] || s.text[at-1] == '_') && !s.escaped(at) {
		return
	}
	from := at + len(v.prefix)
	end := s.run(from, v.of, len(s.text))
	for end > from && s.text[end-1] == '.' {
		end--
	}
	n := end - from
	if n < v.min || v.max > 0 && n > v.max {
		return
	}
	if !v.keep && !varied(s.text[at:end]) {
		return
	}
	if v.dotted {
		for s.at(end) == '.' && (urlClass[s.at(end+1)] || s.at(end+1) == '.') {
			end = s.run(end+1, &urlClass, len(s.text))
		}
	}
	if !v.keep {
		from = at
	}
	s.take(from, end)
}

// escaped reports whether the letter before at is an escaped line's end.
func (s *scanner) escaped(at int) bool {
	c := s.text[at-1]
	return s.at(at-2) == '\\' && (c == 'n' || c == 'r' || c == 't')
}

// varied reports whether a token is none of a program's words: it has digits, or capital
// and small letters.
func varied(t []byte) bool {
	const capitals, smalls = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
	return hasDigit(t[min(3, len(t)):]) || bytes.ContainsAny(t, capitals) && bytes.ContainsAny(t, smalls) ||
		len(t) >= 30 && bytes.IndexByte(t[4:], '_') < 0
}
