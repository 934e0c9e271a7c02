package deflate

// header says what codes a block has (RFC 1951, 3.2.7): the lengths of their
// words, in a code of their own.
type header struct {
	symbols, distances int // whose lengths are told
	tokens             []token
	code               code
	told               int // lengths of the code's words that are told
}

// token is a symbol of the code for lengths: a length, or how often to repeat.
type token struct{ symbol, extra uint8 }

// The symbols that are no length.
const (
	repeat     = 16 // the last length, 3 to 6 times
	zeros      = 17 // 3 to 10 times
	manyZeros  = 18 // 11 to 138 times
	allLengths = 19
)

var (
	// order is in which the lengths of the code's words are told.
	order = [allLengths]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	// repeatExtra is how many bits follow a symbol.
	repeatExtra = [symbols]uint8{repeat: 2, zeros: 3, manyZeros: 7}
)

// build makes the header of two codes.
func (h *header) build(symbols, distances *code) {
	h.symbols, h.distances = firstLength, 1
	for i := range lengthSymbols {
		if symbols.lengths[firstLength+i] > 0 {
			h.symbols = firstLength + i + 1
		}
	}
	for i := range distanceSymbols {
		if distances.lengths[i] > 0 {
			h.distances = i + 1
		}
	}
	var all [firstLength + lengthSymbols + distanceSymbols]uint8
	n := copy(all[:], symbols.lengths[:h.symbols])
	n += copy(all[n:], distances.lengths[:h.distances])

	h.tokens = h.tokens[:0]
	clear(h.code.counts[:])
	for rest := all[:n]; len(rest) > 0; {
		run := 1
		for run < len(rest) && rest[run] == rest[0] {
			run++
		}
		h.tell(rest[0], run)
		rest = rest[run:]
	}
	h.code.build(maxHeaderWord)
	h.told = allLengths
	for h.code.lengths[order[h.told-1]] == 0 {
		h.told--
	}
}

// tell adds a length that so many symbols in a row have.
func (h *header) tell(length uint8, run int) {
	if length > 0 {
		h.add(length, 0)
		run--
	}
	for run >= 3 {
		switch {
		case length > 0:
			n := min(run, 6)
			h.add(repeat, n-3)
			run -= n
		case run > 10:
			n := min(run, 138)
			h.add(manyZeros, n-11)
			run -= n
		default:
			h.add(zeros, run-3)
			run = 0
		}
	}
	for range run {
		h.add(length, 0)
	}
}

func (h *header) add(symbol uint8, extra int) {
	h.tokens = append(h.tokens, token{symbol, uint8(extra)})
	h.code.counts[symbol]++
}

// size is how many bits write writes.
func (h *header) size() int {
	n := 3 + 5 + 5 + 4 + 3*h.told
	for i, times := range h.code.counts[:allLengths] {
		n += int(times) * int(h.code.lengths[i]+repeatExtra[i])
	}
	return n
}

// write begins a block with the header.
func (h *header) write(out *bitWriter) {
	out.put(2<<1, 3)
	out.put(uint32(h.symbols-firstLength), 5)
	out.put(uint32(h.distances-1), 5)
	out.put(uint32(h.told-4), 4)
	for _, symbol := range order[:h.told] {
		out.put(uint32(h.code.lengths[symbol]), 3)
	}
	for _, t := range h.tokens {
		w := h.code.words[t.symbol].and(uint32(t.extra), repeatExtra[t.symbol])
		out.put(uint32(w>>8), uint8(w))
	}
}
