package deflate

import (
	"math/bits"
	"math/rand/v2"
	"testing"
)

// fibonacci makes counts whose best code has the longest words there can be.
func fibonacci(c *code, n int) {
	a, b := uint32(1), uint32(1)
	for i := range n {
		c.counts[i] = a
		a, b = b, a+b
	}
}

func TestNoWordIsTooLong(t *testing.T) {
	for _, limit := range []int{maxHeaderWord, maxWord} {
		for n := 2; n <= 40; n++ {
			var c code
			fibonacci(&c, n)
			c.build(limit)
			full(t, &c, limit)
		}
	}
}

// full checks that each symbol that is needed has a word, that none is longer
// than the limit, and that no word is left over: some readers insist on that.
func full(t *testing.T, c *code, limit int) {
	t.Helper()
	taken := 0
	for i, length := range c.lengths {
		if c.counts[i] > 0 && length == 0 {
			t.Errorf("symbol %d has no word", i)
		}
		if int(length) > limit {
			t.Fatalf("symbol %d has a word of %d bits, of %d", i, length, limit)
		}
		if length > 0 {
			taken += 1 << (limit - int(length))
		}
	}
	if taken != 1<<limit {
		t.Errorf("%d of %d places are taken", taken, 1<<limit)
	}
}

func TestACodeHasTwoWordsAtLeast(t *testing.T) {
	for _, used := range [][]int{{}, {0}, {1}, {7}, {distanceSymbols - 1}} {
		var c code
		for _, i := range used {
			c.counts[i] = 5
		}
		c.build(maxWord)
		full(t, &c, maxWord)
	}
}

func TestTheMoreOftenTheShorter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var c code
		for i := range 2 + rnd.IntN(284) {
			c.counts[i] = rnd.Uint32N(1 << rnd.IntN(20))
		}
		c.build(maxWord)
		full(t, &c, maxWord)
		for i := range c.counts {
			for j := range c.counts {
				if c.counts[i] > c.counts[j] && c.counts[j] > 0 && c.lengths[i] > c.lengths[j] {
					t.Fatalf("%d times %d bits, but %d times %d", c.counts[i], c.lengths[i], c.counts[j], c.lengths[j])
				}
			}
		}
	}
	var c code
	c.counts = [symbols]uint32{'a': 45, 'b': 13, 'c': 12, 'd': 16, 'e': 9, 'f': 5}
	c.build(maxWord)
	if got := string(c.lengths['a':'g']); got != "\x01\x03\x03\x03\x04\x04" { // Cormen et al., 16.3
		t.Errorf("lengths %v", []byte(got))
	}
}

// TestAnySequences writes sequences that no text would have made of it: of all
// lengths and distances, in each seed others of them rare.
func TestAnySequences(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		literal, length, distance := rnd.Perm(256), rnd.Perm(lengthSymbols), rnd.Perm(distanceSymbols)
		// Each symbol is half as often as the one before.
		symbol := func(order []int) int {
			return order[min(bits.TrailingZeros64(rnd.Uint64()), len(order)-1)]
		}
		var b block
		b.reset(nil)
		text := random(seed, window)
		b.add(len(text), match{})
		for range 20_000 {
			literals := rnd.IntN(3)
			for range literals {
				text = append(text, byte(symbol(literal)))
			}
			l, d := symbol(length), symbol(distance)
			m := match{
				length: max(minMatch, int(lengthBase[l])+rnd.IntN(1<<lengthExtra[l])),
				dist:   int(distanceBase[d]) + 1 + rnd.IntN(1<<distanceExtra[d]),
			}
			for range m.length {
				text = append(text, text[len(text)-m.dist])
			}
			b.add(literals, m)
		}
		b.write(text)
		check(t, "sequences", b.out.align(), text)
	}
}
