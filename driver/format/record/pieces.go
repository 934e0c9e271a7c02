package record

import "bytes"

// Pieces divides a text into lines, as [Lines] does, but does not read it: the text
// comes in pieces of any size, such as an [io.Writer] gets while a segment is packed.
// After each Add, call Next until it returns false. Pieces belongs to one goroutine.
//
// Its fields describe the line that Next has found.
type Pieces struct {
	Text   []byte // without the newline; of a line that is longer, the longest bytes that are kept
	Number int64  // of the line, from 1
	Offset int64  // of the line's first byte

	longest int
	piece   []byte // what of the piece is not returned yet
	begun   []byte // of the line that is not complete yet
	size    int64  // bytes of that line, or of the one that Next has found
	found   bool   // Next has found a line
}

// NewPieces returns the lines of a text of which nothing was added yet. At most longest
// bytes of a line are kept.
func NewPieces(longest int) *Pieces { return &Pieces{Number: 1, longest: longest} }

// Add adds the next piece, after Next has returned false for the one before. Pieces keeps
// nothing of it once Next returns false again.
func (p *Pieces) Add(piece []byte) { p.piece = piece }

// Next finds the next line that ends in the piece. Text is valid until the next Add.
func (p *Pieces) Next() bool {
	p.pass()
	i := bytes.IndexByte(p.piece, '\n')
	if p.found = i >= 0; !p.found {
		p.begin(p.piece)
		p.piece = nil
		return false
	}
	if p.size == 0 {
		p.Text, p.size = p.piece[:min(i, p.longest)], int64(i)
	} else {
		p.begin(p.piece[:i])
		p.Text, p.begun = p.begun, nil
	}
	p.piece = p.piece[i+1:]
	return true
}

// Rest finds what the text has after its last newline. Call it at the end of the text.
func (p *Pieces) Rest() bool {
	p.pass()
	p.Text, p.begun = p.begun, nil
	return p.size > 0
}

// pass moves behind the line that was found last.
func (p *Pieces) pass() {
	if p.found {
		p.Offset += p.size + 1
		p.Number++
		p.size, p.found = 0, false
	}
}

func (p *Pieces) begin(part []byte) {
	p.begun = append(p.begun, part[:min(len(part), p.longest-len(p.begun))]...)
	p.size += int64(len(part))
}
