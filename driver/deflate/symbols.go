package deflate

// Lengths and distances (RFC 1951, 3.2.5): a symbol stands for its base and what
// its extra bits add.
const (
	endOfBlock      = 256
	firstLength     = 257 // the symbol of the shortest length
	lengthSymbols   = 29
	distanceSymbols = 30
)

var (
	lengthBase     = [lengthSymbols]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra    = [lengthSymbols]uint8{8: 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase   [distanceSymbols]uint16 // less one
	distanceExtra  [distanceSymbols]uint8
	lengthSymbol   [maxMatch + 1]uint8 // less firstLength
	nearSymbol     [256]uint8          // of a distance less one
	farSymbol      [window >> 7]uint8  // of one from 256 on, by its bits from the seventh on
	fixedSymbols   code                // RFC 1951, 3.2.6
	fixedDistances code
)

func init() {
	for symbol, base := range lengthBase {
		for length := int(base); length <= maxMatch; length++ {
			lengthSymbol[length] = uint8(symbol)
		}
	}
	farther := 0
	for symbol := range distanceBase {
		extra := max(0, symbol/2-1)
		distanceBase[symbol], distanceExtra[symbol] = uint16(farther), uint8(extra)
		for end := farther + 1<<extra; farther < end; farther++ {
			if farther < len(nearSymbol) {
				nearSymbol[farther] = uint8(symbol)
			}
			farSymbol[farther>>7] = uint8(symbol)
		}
	}
	for i := range fixedSymbols.lengths {
		switch {
		case i < 144:
			fixedSymbols.lengths[i] = 8
		case i < 256:
			fixedSymbols.lengths[i] = 9
		case i < 280:
			fixedSymbols.lengths[i] = 7
		default:
			fixedSymbols.lengths[i] = 8
		}
	}
	for i := range 32 {
		fixedDistances.lengths[i] = 5
	}
	fixedSymbols.assign()
	fixedDistances.assign()
}

// distanceSymbol returns the symbol of a distance less one.
func distanceSymbol(farther uint16) uint8 {
	if int(farther) < len(nearSymbol) {
		return nearSymbol[farther]
	}
	return farSymbol[farther>>7]
}
