// Package deflate packs logs (RFC 1951). It is for text whose lines resemble each
// other, all in memory at once: there it is about as small as gzip -9 in a sixth
// of the time, which no level of a library is (docs/performance.md). Programs and
// prose come out up to a tenth larger than from gzip -9.
//
// What it makes of logs being logs: what repeats is long, and what is short is
// not worth its distance, since digits cost less. So it looks for six equal bytes
// and more, in few places, and takes what costs least by the codes of the block
// before.
package deflate

import "math/bits"

const (
	window   = 32 << 10 // how far back a match may lie: RFC 1951, 2
	maxMatch = 258      // its longest: RFC 1951, 3.2.5
	minMatch = 6        // its shortest, here

	tableBits = 15
	places    = 4 // that are kept for one hash

	// niceMatch is a length that is taken at once: a better match would gain little.
	niceMatch = 64
	// edge is how many positions at each end of a match are entered, at least: the
	// middle of a long one is seldom where another begins.
	edge = 16

	// A block ends after so many matches, or literals without any: its codes cost
	// some 100 bytes, but may not suit what follows.
	blockMatches  = 24_000
	blockLiterals = 64 << 10
)

// Encoder packs one text after another. It takes half a megabyte, and belongs
// to one goroutine. The zero value is ready.
type Encoder struct {
	// table has, for each hash of six bytes, the last positions with it, the newest in
	// the lowest bits. Sixteen bits of a position do, since no match lies as far back;
	// one that is older than it seems is compared like any other.
	table [1 << tableBits]uint64
	block block
}

// Append adds the packed text to dst: blocks of which none is the last (RFC 1951,
// 3.2.3), up to a byte's boundary. They refer to nothing before the text, and are
// the same for the same text.
func (e *Encoder) Append(dst, text []byte) []byte {
	clear(e.table[:])
	e.block.reset(dst)
	e.parse(text)
	return e.block.out.align()
}

// match is length bytes that are those dist bytes before; none if length is 0.
type match struct {
	length, dist int
	gain         int32 // how much less it costs than its bytes usually do
}

// parse divides the text into literals and matches, and writes them.
func (e *Encoder) parse(text []byte) {
	b := &e.block
	from := 0             // where the block begins
	taken := 0            // where the last match ends
	last := len(text) - 8 // the last position with eight bytes: load64 must have them
	for s := 0; s < last; {
		m := e.find(text, s)
		if m.length == 0 {
			// The next position is entered, but not looked up: a match there is found from
			// the one behind it. The longer there was none, the more is passed over.
			e.enter(text, s+1)
			s += 2 + (s-taken)>>8
			if s-taken >= blockLiterals {
				s = min(s, len(text))
				b.add(s-taken, match{})
				b.write(text[from:s])
				from, taken = s, s
			}
			continue
		}
		entered := s + 1 // positions before this
		s = m.back(text, s, taken)
		// One that begins a little later may gain more.
		for m.length < niceMatch && entered+1 < last {
			e.enter(text, entered)
			later := e.find(text, entered+1)
			entered += 2
			if later.length == 0 {
				break
			}
			at := later.back(text, entered-1, s)
			if later.gain+b.gain(text[s:at]) <= m.gain {
				break
			}
			s, m = at, later
		}
		b.add(s-taken, m)
		taken = s + m.length
		e.enterMatch(text, entered, min(taken, last))
		s = max(taken, entered)
		if len(b.sequences) == blockMatches {
			b.write(text[from:taken])
			from = taken
		}
	}
	b.add(len(text)-taken, match{})
	b.write(text[from:])
}

// find returns the match at s that gains most, if there is one, and enters s.
func (e *Encoder) find(text []byte, s int) (m match) {
	head := load64(text, s)
	slot := &e.table[hash(head)]
	known := *slot
	*slot = known<<16 | uint64(uint16(s))

	limit := min(maxMatch, len(text)-s)
	nice := min(niceMatch, limit)
	// A farther match must be longer: it has the last four bytes of one that is.
	longest := minMatch - 1
	ending := uint32(head >> (8 * (minMatch - 4)))
	for range places {
		dist := int(uint16(s - int(known)))
		known >>= 16
		if uint(dist-1) >= uint(min(window, s)) { // 0, or too far, or never entered
			break
		}
		at := s - dist
		if load32(text, at+longest-3) != ending {
			continue
		}
		var length int
		if differ := load64(text, at) ^ head; differ != 0 {
			length = bits.TrailingZeros64(differ) / 8
		} else {
			length = 8 + common(text[at+8:], text[s+8:s+limit])
		}
		if length <= longest {
			continue
		}
		longest = length
		if gain := int32(length)*usual - e.block.price(length, dist); m.length == 0 || gain > m.gain {
			m = match{length, dist, gain}
		}
		if length >= nice {
			break
		}
		ending = load32(text, s+longest-3) // the text is longer: longest is less than limit
	}
	return m
}

// enterMatch enters positions of a match: from s to end, but few of many.
func (e *Encoder) enterMatch(text []byte, s, end int) {
	if end-s > 2*edge {
		for to := s + edge; s < to; s++ {
			e.enter(text, s)
		}
		s = end - edge
	}
	for ; s < end; s++ {
		e.enter(text, s)
	}
}

// enter puts a position into the table.
func (e *Encoder) enter(text []byte, s int) {
	slot := &e.table[hash(load64(text, s))]
	*slot = *slot<<16 | uint64(uint16(s))
}

// back lets the match, which is at s, begin where its bytes begin to be equal,
// but not before first, and returns that position.
func (m *match) back(text []byte, s, first int) int {
	for s > first && s > m.dist && text[s-1] == text[s-1-m.dist] && m.length < maxMatch {
		s--
		m.length++
		m.gain += usual
	}
	return s
}

// common returns how many bytes are equal at the start of a and of b, which is not
// the longer one.
func common(a, b []byte) (n int) {
	for len(b)-n >= 8 {
		if differ := load64(a, n) ^ load64(b, n); differ != 0 {
			return n + bits.TrailingZeros64(differ)/8
		}
		n += 8
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// hash is one of the low six bytes: their product with 2⁶⁴ over the golden ratio,
// of which the highest bits are spread best (Knuth, volume 3, 6.4).
func hash(v uint64) uint64 { return v << 16 * 0x9e3779b97f4a7c15 >> (64 - tableBits) }
