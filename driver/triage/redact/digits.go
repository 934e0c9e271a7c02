package redact

import "bytes"

// Card numbers have 12 to 19 digits, the last of which makes their Luhn sum a multiple of
// ten (ISO/IEC 7812).
const minCard, maxCard = 12, 19

// brand is a range of card numbers: what they begin with, and how long they are.
type brand struct {
	low, high uint32 // the first six digits
	sizes     []int
}

var brands = []brand{
	{400000, 499999, []int{13, 16, 19}},                      // Visa
	{510000, 559999, []int{16}}, {222100, 272099, []int{16}}, // Mastercard
	{340000, 349999, []int{15}}, {370000, 379999, []int{15}}, // American Express
	{601100, 601199, []int{16, 19}}, {644000, 659999, []int{16, 19}}, // Discover
	{620000, 629999, []int{16, 17, 18, 19}}, {810000, 817199, []int{16, 17, 18, 19}}, // UnionPay
	{300000, 305999, []int{14, 16}}, {309500, 309599, []int{14, 16}}, {360000, 369999, []int{14, 16}}, // Diners
	{380000, 399999, []int{14, 16}},                                                              // Diners
	{352800, 358999, []int{16, 19}},                                                              // JCB
	{500000, 509999, []int{13, 15, 16, 18, 19}}, {560000, 589999, []int{12, 13, 15, 16, 18, 19}}, // Maestro
	{630000, 639999, []int{13, 15, 16, 18, 19}}, {670000, 679999, []int{12, 13, 14, 15, 16, 17, 18, 19}}, // Maestro
	{220000, 220499, []int{16, 17, 18, 19}},                  // Mir
	{979200, 979299, []int{16}},                              // Troy
	{606282, 606282, []int{16}}, {600000, 609999, []int{16}}, // Hipercard, RuPay
	{100000, 199999, []int{15}}, // UATP
}

// digits finds card numbers and bank accounts.
func (s *scanner) digits() {
	t := s.text
	for i := 0; i < len(t); {
		if !digitClass[t[i]] {
			i++
			continue
		}
		end := i + 1
		for end < len(t) && digitClass[t[end]] {
			end++
		}
		switch n := end - i; {
		case n >= minCard:
			s.card(i, end)
		case n == 4 || n == 6 || n == 3:
			if g := s.groups(i, end); g > end {
				end = g
			}
		}
		if i >= 2 && upperDigit[t[i-1]] {
			s.iban(i - 2)
		}
		i = end
	}
}

// card takes a card number among the digits without blanks from i to end.
func (s *scanner) card(i, end int) {
	n := end - i
	if n > maxCard+2 || s.inHex(i, end) {
		return
	}
	if n <= maxCard && (isCard(s.text[i:end]) || n >= 13 && s.named != 0 && s.saysCard(i)) ||
		n == 16 && s.text[i] == '2' && string(s.text[i:i+4]) >= "2200" && string(s.text[i:i+4]) <= "2204" {
		s.mark(i, end)
		return
	}
	if n == 19 && s.text[i] <= '2' { // nanoseconds since 1970
		return
	}
	// A number that another one stands before or behind.
	for _, size := range [...]int{16, 15} {
		for at := i; at+size <= end && at-i <= 3; at++ {
			if (at == i || at+size == end) && common(s.text[at:at+size]) && isCard(s.text[at:at+size]) {
				s.mark(at, at+size)
				return
			}
		}
	}
}

// saysCard reports whether the word before a number is "card": it is taken for one even
// if its check digit is wrong.
func (s *scanner) saysCard(i int) bool {
	for n := 0; n < 3 && i > 0 && bytes.IndexByte([]byte(" :=\"'#"), s.text[i-1]) >= 0; n++ {
		i--
	}
	return i > 4 && (s.has(i-4, "card") || s.has(i-10, "cardnumber") || s.has(i-11, "card_number") ||
		s.has(i-11, "card number"))
}

// common reports whether digits begin as those of the four large brands.
func common(d []byte) bool {
	switch d[0] {
	case '4':
		return len(d) == 16
	case '5':
		return len(d) == 16 && '1' <= d[1] && d[1] <= '5'
	case '3':
		return len(d) == 15 && (d[1] == '4' || d[1] == '7')
	}
	return false
}

// inHex reports whether digits are a part of a longer hexadecimal number, or a fraction.
func (s *scanner) inHex(i, end int) bool {
	if c := s.at(i - 1); c == '.' && digitClass[s.at(i-2)] {
		return true
	}
	if s.at(end) == '.' && digitClass[s.at(end+1)] { // seconds and their fraction
		return s.text[i] == '1'
	}
	hexBefore := i > 0 && lowerHexLetter(s.at(i-1)) && hexClass[s.at(i-2)]
	return hexBefore && hexClass[s.at(end)] ||
		lowerHexLetter(s.at(end)) && hexClass[s.at(end+1)] && hexClass[s.at(end+2)]
}

func lowerHexLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'f' }

// layouts are the groups in which card numbers are written.
var layouts = [][]int{{4, 4, 4, 4}, {4, 4, 4, 4, 3}, {4, 6, 5}, {4, 6, 4}, {4, 4, 4, 3}, {4, 4, 5}, {4, 5, 6}, {6,
	13}, {4, 3, 3, 3}, {3, 4, 4, 4}, {6, 4, 4, 4}, {6, 10}, {4, 4, 4, 4, 2}, {4, 4, 4, 4, 1}}

// groups takes a card number in groups, of which the first is from i to end, and returns
// its end.
func (s *scanner) groups(i, end int) int {
	var sizes [8]int
	var ends [8]int
	var digits [maxCard + 8]byte
	n := copy(digits[:], s.text[i:end])
	sizes[0], ends[0] = end-i, end
	count := 1
	gap := 0
	for p := end; count < 5; count++ {
		w := s.groupGap(p)
		if w == 0 || gap != 0 && s.text[p] != s.text[end] {
			break
		}
		gap = w
		e := s.run(p+w, &digitClass, 14)
		if e == p+w || n+e-p-w > maxCard {
			break
		}
		n += copy(digits[n:], s.text[p+w:e])
		sizes[count], ends[count] = e-p-w, e
		p = e
	}
	for c := count; c > 1; c-- {
		total := 0
		for _, size := range sizes[:c] {
			total += size
		}
		if s.text[end] == '/' && (s.at(ends[c-1]) == '/' || s.at(i-1) == '/') {
			return 0 // timers and paths
		}
		if total >= minCard && isLayout(sizes[:c]) && !digitClass[s.at(ends[c-1])] && isCard(digits[:total]) {
			s.mark(i, ends[c-1])
			return ends[c-1]
		}
	}
	return 0
}

// groupGap returns how many bytes part two groups of digits.
func (s *scanner) groupGap(p int) int {
	switch c := s.at(p); c {
	case ' ', '-', '.', '/', '+', '_', ',', '\t', '*', ':':
		n := 1
		for n < 3 && s.at(p+n) == ' ' && (c == ' ' || c == ',' || c == '-') {
			n++
		}
		if c == ' ' && s.at(p+n) == '-' && s.at(p+n+1) == ' ' {
			n += 2
		}
		return n
	}
	if c := s.at(p); c < 0x80 && c != '%' && c != '&' {
		return 0
	}
	for _, blank := range [...]string{"\u00a0", "\u2009", "\u200a", "\u202f", "\u2007", "\u2002", "\u2003",
		"\u2010", "\u2011", "\u2013", "\u2012", "\u00b7", "%20", "&nbsp;"} {
		if s.exact(p, blank) {
			return len(blank)
		}
	}
	return 0
}

func isLayout(sizes []int) bool {
	for _, l := range layouts {
		if len(l) != len(sizes) {
			continue
		}
		same := true
		for i := range l {
			same = same && l[i] == sizes[i]
		}
		if same {
			return true
		}
	}
	return false
}

// isCard reports whether digits are a card's number.
func isCard(d []byte) bool {
	if len(d) < minCard || len(d) > maxCard || !luhn(d) {
		return false
	}
	first := uint32(0)
	for _, c := range d[:6] {
		first = first*10 + uint32(c-'0')
	}
	for i := range brands {
		b := &brands[i]
		if first < b.low || first > b.high {
			continue
		}
		for _, size := range b.sizes {
			if size == len(d) {
				return true
			}
		}
	}
	return false
}

func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d - '0')
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// iban takes an international bank account number that begins at i, if its check digits
// (ISO 13616) are right.
func (s *scanner) iban(i int) {
	up := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	if !up(s.text[i]) || !up(s.text[i+1]) || alnumClass[s.at(i-1)] || s.at(i-1) == '_' {
		return
	}
	rem, n, end, valid := 0, 0, i, i
	var head [4]byte
	for p := i; p < len(s.text) && n < 34; p++ {
		c := s.text[p]
		if c == ' ' && n%4 == 0 && n > 0 && upperDigit[s.at(p+1)] {
			continue
		}
		if !upperDigit[c] {
			break
		}
		if n < 4 {
			head[n] = c
		} else {
			rem = ibanStep(rem, c)
		}
		n++
		if end = p + 1; n >= 15 && !alnumClass[s.at(end)] { // a word in capitals may follow: "… 3201 EUR"
			check := rem
			for _, c := range head {
				check = ibanStep(check, c)
			}
			if check == 1 {
				valid = end
			}
		}
	}
	s.work += end - i
	s.mark(i, valid)
}

func ibanStep(rem int, c byte) int {
	if c >= 'A' {
		return (rem*100 + int(c-'A') + 10) % 97
	}
	return (rem*10 + int(c-'0')) % 97
}
