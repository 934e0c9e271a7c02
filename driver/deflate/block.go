package deflate

const (
	bit = 16 // prices are in sixteenths of a bit
	// usual is about what a byte of a log costs once packed: what one more byte in a
	// match is worth.
	usual = 9 * bit / 4
)

// sequence is a run of literals and the match behind it, if its length is not 0.
type sequence struct {
	literals uint32
	length   uint16
	farther  uint16 // the distance less one
}

// block collects sequences, and writes them.
type block struct {
	sequences []sequence
	out       bitWriter
	symbols   code // literals, the end of the block and lengths
	distances code
	header    header
	// What each costs by the codes of the block before.
	literalPrice  [256]int32
	lengthPrice   [maxMatch + 1]int32
	distancePrice [distanceSymbols]int32
}

// reset begins a text whose packed bytes go behind dst.
func (b *block) reset(dst []byte) {
	b.sequences = b.sequences[:0]
	b.out = bitWriter{to: dst}
	// Before there is a block: literals of 7 bits, the others of 5.
	for i := range b.symbols.lengths {
		b.symbols.lengths[i] = 5
		if i < endOfBlock {
			b.symbols.lengths[i] = 7
		}
	}
	for i := range b.distances.lengths {
		b.distances.lengths[i] = 5
	}
	b.setPrices()
}

// setPrices sets what everything costs by the codes that are there; what has
// none is rare.
func (b *block) setPrices() {
	price := func(c *code, symbol int, extra uint8, rare int32) int32 {
		if n := int32(c.lengths[symbol]); n > 0 {
			rare = n
		}
		return (rare + int32(extra)) * bit
	}
	for i := range b.literalPrice {
		b.literalPrice[i] = price(&b.symbols, i, 0, 13)
	}
	for i := minMatch; i <= maxMatch; i++ {
		l := lengthSymbol[i]
		b.lengthPrice[i] = price(&b.symbols, firstLength+int(l), lengthExtra[l], 12)
	}
	for i := range b.distancePrice {
		b.distancePrice[i] = price(&b.distances, i, distanceExtra[i], 10)
	}
}

// add adds so many literals and the match behind them.
func (b *block) add(literals int, m match) {
	b.sequences = append(b.sequences, sequence{uint32(literals), uint16(m.length), uint16(m.dist - 1)})
}

// price is what a match costs.
func (b *block) price(length, dist int) int32 {
	return b.lengthPrice[length] + b.distancePrice[distanceSymbol(uint16(dist-1))]
}

// gain is what these literals cost less than what is usual; it is below zero.
func (b *block) gain(literals []byte) int32 {
	sum := int32(len(literals)) * usual
	for _, c := range literals {
		sum -= b.literalPrice[c]
	}
	return sum
}

// write writes the sequences, which text is the whole text of, in the shortest
// of the three kinds of block.
func (b *block) write(text []byte) {
	if len(text) == 0 {
		return
	}
	b.count(text)
	b.symbols.build(maxWord)
	b.distances.build(maxWord)
	b.header.build(&b.symbols, &b.distances)
	own, fixed := b.header.size()+b.size(&b.symbols, &b.distances), b.size(&fixedSymbols, &fixedDistances)
	stored := (len(text) + (len(text)/maxStored+1)*5) * 8
	switch {
	case stored < min(own, fixed):
		b.out.store(text)
	case fixed <= own:
		b.out.put(1<<1, 3)
		b.encode(text, &fixedSymbols, &fixedDistances, fixed)
	default:
		b.header.write(&b.out)
		b.encode(text, &b.symbols, &b.distances, own)
	}
	b.setPrices()
	b.sequences = b.sequences[:0]
}

// count counts how often each symbol is needed.
func (b *block) count(text []byte) {
	clear(b.symbols.counts[:])
	clear(b.distances.counts[:])
	for _, s := range b.sequences {
		for _, c := range text[:s.literals] {
			b.symbols.counts[c]++
		}
		text = text[int(s.literals)+int(s.length):]
		if s.length > 0 {
			b.symbols.counts[firstLength+int(lengthSymbol[s.length])]++
			b.distances.counts[distanceSymbol(s.farther)]++
		}
	}
	b.symbols.counts[endOfBlock] = 1
}

// size is how many bits the sequences take in a code.
func (b *block) size(symbols, distances *code) (n int) {
	for i, times := range b.symbols.counts {
		n += int(times) * int(symbols.lengths[i])
	}
	for i, extra := range lengthExtra {
		n += int(b.symbols.counts[firstLength+i]) * int(extra)
	}
	for i, times := range b.distances.counts[:distanceSymbols] {
		n += int(times) * int(distances.lengths[i]+distanceExtra[i])
	}
	return n
}

// encode writes the sequences, which take size bits.
func (b *block) encode(text []byte, symbols, distances *code, size int) {
	// A length's word and its extra bits are one, of 20 bits at most.
	var lengths [maxMatch + 1]word
	for i := minMatch; i < len(lengths); i++ {
		l := int(lengthSymbol[i])
		w := symbols.words[firstLength+l]
		lengths[i] = w.and(uint32(i-int(lengthBase[l])), lengthExtra[l])
	}
	out := b.out.room(size)
	for _, s := range b.sequences {
		run := text[:s.literals]
		for ; len(run) >= 3; run = run[3:] {
			out.add(symbols.words[run[0]])
			out.add(symbols.words[run[1]])
			out.add(symbols.words[run[2]])
			out.flush()
		}
		for _, c := range run {
			out.add(symbols.words[c])
		}
		out.flush()
		text = text[int(s.literals)+int(s.length):]
		if s.length == 0 {
			continue
		}
		d := distanceSymbol(s.farther)
		out.add(lengths[s.length])
		out.add(distances.words[d])
		out.add(newWord(uint32(s.farther-distanceBase[d]), distanceExtra[d]))
		out.flush()
	}
	out.add(symbols.words[endOfBlock])
	out.flush()
	b.out = out
}
