package archive

import (
	"time"

	"github.com/logfast/logfast/driver/format/record"
)

// stamps reads the times of records. Most have the second of the one before, so
// that is kept. It belongs to one goroutine.
type stamps struct {
	text   [len(secondLayout)]byte
	second int64
	set    bool
}

const secondLayout = "2006-01-02T15:04:05"

// Where the parts of a record of the format cri are, as package record writes it.
const (
	criStamp = len("2006-01-02T15:04:05.123456789Z")
	criTag   = criStamp + len(" stdout ")
	criText  = criTag + len("F ")
)

// cri is record.Parse for lines as package record writes them, without
// time.Parse a line. It says no to all others.
func (s *stamps) cri(line []byte, rec *record.Record) bool {
	if len(line) < criText || line[criStamp] != ' ' || line[criTag-1] != ' ' || line[criText-1] != ' ' {
		return false
	}
	stream, ok := record.ParseStream(line[criStamp+1 : criTag-1])
	if tag := line[criTag]; !ok || tag != 'F' && tag != 'P' {
		return false
	}
	at, ok := s.parse(line[:criStamp])
	if !ok {
		return false
	}
	*rec = record.Record{Time: at, Stream: stream, More: line[criTag] == 'P', Text: line[criText:]}
	return true
}

// parse reads "2006-01-02T15:04:05.123456789Z".
func (s *stamps) parse(b []byte) (int64, bool) {
	if b[len(secondLayout)] != '.' || b[len(b)-1] != 'Z' {
		return 0, false
	}
	if !s.set || string(b[:len(secondLayout)]) != string(s.text[:]) {
		at, err := time.Parse(secondLayout, string(b[:len(secondLayout)]))
		if err != nil || at.Year() < 1900 || at.Year() > 2200 {
			return 0, false // package record knows the others
		}
		copy(s.text[:], b)
		s.second, s.set = at.Unix(), true
	}
	nano := int64(0)
	for _, c := range b[len(secondLayout)+1 : len(b)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		nano = nano*10 + int64(c-'0')
	}
	return s.second*1e9 + nano, true
}
