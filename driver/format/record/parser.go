package record

import "time"

// Parser is Parse for whoever reads many lines: most records have the second of
// the one before, so that is kept. It belongs to one goroutine; the zero Parser
// reads CRI.
type Parser struct {
	Format Format

	text   [len(secondLayout)]byte
	second int64
	set    bool
}

const secondLayout = "2006-01-02T15:04:05"

// Where the parts of a record of the format cri are, as Append writes it.
const (
	criStamp = len("2006-01-02T15:04:05.123456789Z")
	criTag   = criStamp + len(" stdout ")
	criText  = criTag + len("F ")
)

// Sniff returns the format of which a line is a record; Raw if it is none.
func Sniff(line []byte) Format {
	var rec Record
	for _, f := range []Format{CRI, Syslog} {
		if Parse(f, line, &rec) == nil {
			return f
		}
	}
	return Raw
}

// Parse is the function Parse; ok is false where that returns an error. It does
// not allocate.
func (p *Parser) Parse(line []byte, r *Record) (ok bool) {
	if p.Format == CRI && p.cri(line, r) {
		return true
	}
	return Parse(p.Format, line, r) == nil
}

// cri is Parse for lines as Append writes them, without time.Parse a line. It
// returns false for all others.
func (p *Parser) cri(line []byte, r *Record) bool {
	if len(line) < criText || line[criStamp] != ' ' || line[criTag-1] != ' ' || line[criText-1] != ' ' {
		return false
	}
	stream, ok := ParseStream(line[criStamp+1 : criTag-1])
	if tag := line[criTag]; !ok || tag != 'F' && tag != 'P' {
		return false
	}
	at, ok := p.time(line[:criStamp])
	if !ok {
		return false
	}
	*r = Record{Time: at, Stream: stream, More: line[criTag] == 'P', Text: line[criText:]}
	return true
}

// time reads "2006-01-02T15:04:05.123456789Z".
func (p *Parser) time(b []byte) (int64, bool) {
	if b[len(secondLayout)] != '.' || b[len(b)-1] != 'Z' {
		return 0, false
	}
	if !p.set || string(b[:len(secondLayout)]) != string(p.text[:]) {
		at, err := time.Parse(secondLayout, string(b[:len(secondLayout)]))
		if err != nil || at.Year() < 1900 || at.Year() > 2200 {
			return 0, false // the function Parse knows the others
		}
		copy(p.text[:], b)
		p.second, p.set = at.Unix(), true
	}
	nano := int64(0)
	for _, c := range b[len(secondLayout)+1 : len(b)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		nano = nano*10 + int64(c-'0')
	}
	return p.second*1e9 + nano, true
}
