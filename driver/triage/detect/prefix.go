package detect

import "bytes"

// commonPrefix passes over what stands before the request in the common log
// format, the user's name above all, and over the "INFO:logger:" of Python's
// default format.
//
//	10.0.0.1 - somebody's name [23/Nov/2026:19:03:01 +0000] "GET …
//
// No client can write an unescaped quote into a name, so the line's first quote is
// the request's if a date is before it.
func (w *walker) commonPrefix() {
	if q := closing(w.b, 0, '"'); q > 0 && dateBefore(w.b[:q]) {
		w.i, w.prev, w.afterDate, w.common = q, datum, true, true
		return
	}
	i := 0
	for i < len(w.b) && upper(w.b[i]) {
		i++
	}
	if i < 4 || i == len(w.b) || w.b[i] != ':' {
		return
	}
	for i++; i < len(w.b) && isKeyByte(w.b[i]); i++ {
	}
	if i < len(w.b) && w.b[i] == ':' {
		w.i = i + 1
	}
}

// dateBefore reports whether b ends in "[…] " with a date and time in it.
func dateBefore(b []byte) bool {
	b, ok := bytes.CutSuffix(b, []byte("] "))
	if !ok {
		return false
	}
	open := bytes.LastIndexByte(b[max(0, len(b)-40):], '[')
	if open < 0 {
		return false
	}
	date := b[max(0, len(b)-40)+open+1:]
	return len(date) >= 16 && bytes.IndexByte(date, ':') > 0 && bytes.Count(date, []byte("20")) > 0 &&
		(digit(date[0]) || letter(date[0]))
}
