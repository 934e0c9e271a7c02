package cause

import "encoding/binary"

// minAnchor is the length of the shortest anchor. The search looks at four bytes at each
// second place, so that of an anchor of five bytes it always sees four.
const minAnchor = 5

// anchorBits is how many bits of a hash address the table.
const anchorBits = 15

// anchorSet finds which families a line may be of. One pass over the line looks up the
// four bytes at each second place in a table of 4 KiB; few lines have any that are in it.
type anchorSet struct {
	seen [1 << anchorBits / 64]uint64
	list map[uint32][]anchor // by four bytes
}

// anchor is a text that the family's lines have.
type anchor struct {
	text   string
	back   int // where in the text the four bytes are
	family int
}

var anchors = newAnchorSet(families)

func newAnchorSet(all []*family) *anchorSet {
	s := &anchorSet{list: map[uint32][]anchor{}}
	for i, f := range all {
		for _, text := range f.anchors {
			if len(text) < minAnchor {
				panic("cause: the anchor " + text + " is too short") // a mistake in a family's file
			}
			for back := range 2 {
				key := binary.LittleEndian.Uint32([]byte(text[back:]))
				s.list[key] = append(s.list[key], anchor{text, back, i})
				h := anchorHash(key)
				s.seen[h/64] |= 1 << (h % 64)
			}
		}
	}
	return s
}

func anchorHash(key uint32) uint32 { return key * 0x9E3779B1 >> (32 - anchorBits) }

// find returns a bit for each family of which the line has an anchor.
func (s *anchorSet) find(line []byte) (mask uint32) {
	for i := 0; i+4 <= len(line); i += 2 {
		key := binary.LittleEndian.Uint32(line[i:])
		h := anchorHash(key)
		if s.seen[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		for _, a := range s.list[key] {
			from := i - a.back
			if from >= 0 && from+len(a.text) <= len(line) && string(line[from:from+len(a.text)]) == a.text {
				mask |= 1 << a.family
			}
		}
	}
	return mask
}
