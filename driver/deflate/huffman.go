package deflate

import (
	"math/bits"
	"slices"
)

const (
	symbols       = 288 // that a code may have
	maxWord       = 15  // bits: RFC 1951, 3.2.7
	maxHeaderWord = 7   // bits, in the header's code
)

// code is a Huffman code (RFC 1951, 3.2.2). A symbol without a word has length 0.
type code struct {
	counts  [symbols]uint32 // how often each symbol is needed
	lengths [symbols]uint8
	words   [symbols]word
}

// build makes the code that is shortest for the counts with words of up to limit
// bits, or nearly so if the limit matters. It has two words at least: some
// readers take no fewer.
func (c *code) build(limit int) {
	// The leaves, rarest first: a count above its symbol.
	var room [symbols]uint64
	leaves := room[:0]
	for i, n := range c.counts {
		if n > 0 {
			leaves = append(leaves, uint64(n)<<16|uint64(i))
		}
	}
	for i := 0; len(leaves) < 2; i++ {
		if c.counts[i] == 0 {
			leaves = append(leaves, uint64(i))
		}
	}
	slices.Sort(leaves)

	// The tree: the two lightest nodes get a parent, until there is one node. Parents
	// come about in the order of their weight, so that two queues are enough.
	var weights [2 * symbols]uint64
	var parents [2 * symbols]uint16
	n := len(leaves)
	for i, l := range leaves {
		weights[i] = l >> 16
	}
	leaf, inner, root := 0, n, 2*n-2
	for parent := n; parent <= root; parent++ {
		for range 2 {
			lightest := &inner
			if leaf < n && (inner == parent || weights[leaf] <= weights[inner]) {
				lightest = &leaf
			}
			weights[parent] += weights[*lightest]
			parents[*lightest] = uint16(parent)
			*lightest++
		}
	}
	var depths [2 * symbols]uint8
	var number [maxWord + 1]int // of words of each length
	for i := root - 1; i >= 0; i-- {
		depths[i] = depths[parents[i]] + 1
		if i < n {
			number[min(int(depths[i]), limit)]++
		}
	}
	shorten(number[:limit+1])

	clear(c.lengths[:])
	for length := limit; length > 0; length-- {
		for _, l := range leaves[:number[length]] {
			c.lengths[uint16(l)] = uint8(length)
		}
		leaves = leaves[number[length]:]
	}
	c.assign()
}

// shorten makes room for all words where those that were too long have been
// counted as of the greatest length.
func shorten(number []int) {
	limit := len(number) - 1
	taken := 0 // of 2^limit places; a word of length n takes 2^(limit-n)
	for length, n := range number {
		taken += n << (limit - length)
	}
	for ; taken > 1<<limit; taken-- {
		// A shorter word gets a bit, and gives its other half to one of the longest.
		length := limit - 1
		for number[length] == 0 {
			length--
		}
		number[length]--
		number[length+1] += 2
		number[limit]--
	}
}

// assign gives the words of the lengths: RFC 1951, 3.2.2.
func (c *code) assign() {
	var number, next [maxWord + 2]int
	for _, length := range c.lengths {
		number[length]++
	}
	number[0] = 0
	for length := 1; length <= maxWord; length++ {
		next[length+1] = (next[length] + number[length]) << 1
	}
	for i, length := range c.lengths {
		if length > 0 {
			c.words[i] = newWord(uint32(bits.Reverse16(uint16(next[length]))>>(16-length)), length)
			next[length]++
		}
	}
}
