package deflate

import (
	"encoding/binary"
	"slices"
)

// word is up to 24 bits, the first one lowest, above how many they are.
type word uint32

func newWord(bits uint32, n uint8) word { return word(bits<<8 | uint32(n)) }

// and is the word with n extra bits behind it.
func (w word) and(extra uint32, n uint8) word {
	return w + word(extra<<(w&0xff)<<8) + word(n)
}

const maxStored = 1<<16 - 1 // bytes of a stored block: RFC 1951, 3.2.4

// bitWriter writes bits, the lowest of a byte first.
type bitWriter struct {
	to   []byte
	held uint64 // bits that are not in to yet
	n    uint   // how many those are: less than 8 after a flush
}

// add holds a word's bits: 56 at most until the next flush.
func (o *bitWriter) add(w word) {
	o.held |= uint64(w>>8) << (o.n & 63)
	o.n += uint(w & 0xff)
}

// flush writes the bytes that are whole. There must be room.
func (o *bitWriter) flush() {
	at := len(o.to)
	o.to = o.to[:at+8]
	binary.LittleEndian.PutUint64(o.to[at:], o.held)
	o.to = o.to[:at+int(o.n/8)]
	o.held >>= o.n &^ 7 & 63
	o.n %= 8
}

// room returns a writer that goes on with room for so many bits.
func (o *bitWriter) room(bits int) bitWriter {
	return bitWriter{slices.Grow(o.to, bits/8+16), o.held, o.n}
}

// put writes up to 16 bits.
func (o *bitWriter) put(bits uint32, n uint8) {
	*o = o.room(64)
	o.add(newWord(bits, n))
	o.flush()
}

// store writes text as it is.
func (o *bitWriter) store(text []byte) {
	for len(text) > 0 {
		n := min(len(text), maxStored)
		o.stored(uint16(n))
		o.to = append(o.to, text[:n]...)
		text = text[n:]
	}
}

// stored begins a stored block.
func (o *bitWriter) stored(length uint16) {
	o.put(0, 3)
	if o.n > 0 {
		o.put(0, uint8(8-o.n))
	}
	o.to = binary.LittleEndian.AppendUint16(o.to, length)
	o.to = binary.LittleEndian.AppendUint16(o.to, ^length)
}

// align ends with an empty stored block, and returns what was written.
func (o *bitWriter) align() []byte {
	o.stored(0)
	return o.to
}
