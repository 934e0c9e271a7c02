package detect

import "bytes"

// candidate is a status that stands before the request, with what is known of it so
// far: "500 GET /x", "| 500 | 1.2ms | GET /x", "responded 500 to 10.0.0.1 for GET /x".
type candidate struct {
	status     int  // 0: none
	end        int  // where it ends in the line
	fresh      bool // only durations, addresses and the like stand behind it
	timed      bool // a duration stands right behind it
	ruled      bool // it stands between dashes: "-- 500 --"
	answers    bool // it stands behind "responded with" and the like
	inSentence bool // words such as "for" lead from it to the request
	dated      int  // a status between a date and an address, 0: none
}

// set takes the status that ends at b[end], behind the text before.
func (c *candidate) set(status int, before, b []byte, end int) {
	c.status, c.fresh, c.timed = status, true, false
	c.answers = isAnswerBefore(before)
	c.end = afterReason(b, end, status)
	c.inSentence = c.inSentence || c.end > end
}

// live reports whether the status can still be the answer's.
func (c *candidate) live() bool { return c.status != 0 && c.fresh }

// reaches reports whether nothing but blanks and bars stands between the status and b[at].
func (c *candidate) reaches(b []byte, at int) bool { return skipGap(b, c.end) == at }

// afterReason returns the end of a status' reason phrase that follows b[i], or i.
func afterReason(b []byte, i, status int) int {
	at := skipSpace(b, i)
	for _, phrase := range reasonPhrases {
		end := at + len(phrase)
		if at > i && fold(b[at:], phrase) && reason(status, b[at:end]) && (end == len(b) || !alnum(b[end])) {
			if end < len(b) && b[end] == ':' {
				end++
			}
			return end
		}
	}
	return i
}

// isAnswerBefore reports whether a text ends in words of a program that answers:
// "responded with status", "Returning HTTP".
func isAnswerBefore(text []byte) bool {
	text = text[max(0, len(text)-maxBefore):]
	for range 4 {
		word := wordBefore(text)
		switch {
		case means(word, answered|answering):
			return true
		case !means(word, answerFillers):
			return false
		}
		text = text[:bytes.LastIndex(text, word)]
	}
	return false
}

// nearest reads a status that stands right before a request: "500 GET",
// "[500]: GET", "500 - GET".
func nearest(b []byte) (int, bool) {
	n := len(b)
	for n > 0 && n > len(b)-8 && (space(b[n-1]) || bytes.IndexByte([]byte("-|:)]"), b[n-1]) >= 0) {
		n--
	}
	if n < 3 || n == len(b) ||
		n > 3 && b[n-4] != ' ' && b[n-4] != '[' && b[n-4] != '(' && b[n-4] != '|' && b[n-4] != '\t' {
		return 0, false
	}
	if isNumberedBefore(b[:n-3]) {
		return 0, false // Dream's "REQ 500 GET /path"
	}
	return number(b[n-3 : n])
}

// isNumberedBefore reports whether a number behind this text names or counts something:
// "PID", "a limit of", but not "a status of".
func isNumberedBefore(text []byte) bool {
	word := wordBefore(text)
	if string(word) != "of" {
		return means(word, numbering|receiving)
	}
	switch string(wordBefore(text[:bytes.LastIndex(text, word)])) {
	case "status", "code":
		return false
	}
	return true
}

// failed reports whether a text ends in "Error 500" or "HTTP 500".
func failed(text []byte) bool {
	word := wordBefore(text[:max(0, len(text)-3)])
	return string(word) == "HTTP" || foldIs(word, "error")
}

// wordBefore returns the last word of b, without what is around it.
func wordBefore(b []byte) []byte {
	end := len(b)
	for end > 0 && (space(b[end-1]) || b[end-1] == '|') {
		end--
	}
	from := end
	for from > max(0, end-maxKey) && !space(b[from-1]) && b[from-1] != '|' {
		from--
	}
	looked(len(b) - from)
	return trim(b[from:end])
}

// barEnd is wordEnd for words that a bar ends too.
func barEnd(b []byte, i int) int {
	for i < len(b) && !space(b[i]) && b[i] != '|' {
		i++
	}
	return i
}

func skipGap(b []byte, i int) int {
	for i < len(b) && (space(b[i]) || b[i] == '|') {
		i++
	}
	return i
}
