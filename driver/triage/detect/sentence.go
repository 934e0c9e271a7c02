package detect

import "bytes"

// This file reads words: those around a status, and those that say there is none.

// completedStatus reads the status behind a verb that ends a request, and returns where
// the text behind it begins; next is -1 if there is no such status.
func completedStatus(w *walker, t *token) (status, next int) {
	if t.meaning&completed == 0 {
		return 0, -1
	}
	b, at := w.b, skipSpace(w.b, w.i)
	if string(t.core) == "Completed" && at < len(b) && b[at] == '/' { // Macaron: Completed /path 500 in 12ms
		end := wordEnd(b, at)
		w.facts.path = pathOf(b[at:end])
		at = skipSpace(b, end)
	}
	if at+3 > len(b) {
		return 0, -1
	}
	status, ok := number(b[at : at+3])
	if at += 3; !ok || at < len(b) && !space(b[at]) && b[at] != ',' {
		return 0, -1
	}
	return status, skipSpace(b, at)
}

// rails reads "Completed 500 Internal Server Error in 12ms".
func rails(w *walker, t *token) outcome {
	status, next := completedStatus(w, t)
	if next < 0 || string(t.core) != "Completed" ||
		next < len(w.b) && w.b[next] != ',' && !reason(status, w.b[next:]) {
		return pass
	}
	return w.decide(status, "completed")
}

// lucky reads "Sent 500 Internal Server Error (1.2ms)".
func lucky(w *walker, t *token) outcome {
	status, next := completedStatus(w, t)
	if next < 0 || string(t.core) != "Sent" || next == len(w.b) || !reason(status, w.b[next:]) {
		return pass
	}
	rest := w.b[next:min(len(w.b), next+maxKey)] // the longest reason has 31 bytes
	if open := bytes.IndexByte(rest, '('); open >= 0 && isDuration(bytes.TrimRight(rest[open+1:], ")")) {
		return w.decide(status, "completed")
	}
	return pass
}

// completedIn reads "Sent 500 in 12ms".
func completedIn(w *walker, t *token) outcome {
	status, next := completedStatus(w, t)
	if next < 0 || !bytes.HasPrefix(w.b[next:], []byte("in ")) || !durationAt(w.b, skipSpace(w.b, next+3)) {
		return pass
	}
	return w.decide(status, "completed")
}

// answerPhrases say, behind a number, that it is the status of the program's answer.
var answerPhrases = texts(" to client", " to the client", " to caller", " to the caller", " response")

// answerWord reads what follows the word of a program that answers just now. Something
// must say that the number is a status:
//
//	returning 503 to client
//	Sending 500 ("Server Error") response    Sails
//	responding with HTTP 502 Bad Gateway
func answerWord(w *walker, t *token) outcome {
	if t.meaning&answering == 0 {
		return pass
	}
	b, at := w.b, skipSpace(w.b, w.i)
	for range 3 {
		end := wordEnd(b[:min(len(b), at+maxKey)], at)
		if !means(b[at:end], answerFillers) {
			break
		}
		at = skipSpace(b, end)
	}
	if at+3 > len(b) {
		return pass
	}
	status, ok := number(b[at : at+3])
	if at += 3; !ok || at < len(b) && alnum(b[at]) {
		return pass
	}
	end := afterReason(b, at, status)
	rest := b[end:min(len(b), end+maxKey)]
	if i := bytes.IndexByte(rest, ')'); i > 0 && bytes.HasPrefix(rest, []byte(" (")) {
		rest = rest[i+1:]
	}
	for _, phrase := range answerPhrases {
		if after, ok := bytes.CutPrefix(rest, phrase); ok && (len(after) == 0 || !alnum(after[0])) {
			return w.decide(status, "completed")
		}
	}
	if end > at && len(rest) == 0 {
		return w.decide(status, "completed")
	}
	return pass
}

// introducerWord reads "status", "returned", "with".
func introducerWord(w *walker, t *token) outcome {
	if t.meaning&introducers == 0 {
		return pass
	}
	w.req.finished = w.req.finished ||
		string(t.core) == "finished" && bytes.HasSuffix(w.b[:t.from], []byte("Request "))
	return w.readAs(introducer)
}

// unitWord reads "ms".
func unitWord(w *walker, t *token) outcome {
	if t.meaning&units == 0 {
		return pass
	}
	return w.readAs(datum)
}

// hedgeWord ends the walk at "GET /health should answer with 503".
func hedgeWord(w *walker, t *token) outcome {
	if w.req.form != bare || t.meaning&hedges == 0 {
		return pass
	}
	w.req.form, w.i = none, len(w.b)
	return w.readAs(prose)
}

// joins reports whether a word may lead from a status to its request. With a duration
// and a bar between the two, "| 500 | 1.2ms | match | GET", any word may: no rule reads it.
func (w *walker) joins() bool {
	return w.early.fresh && (!w.early.timed || !w.bar)
}

// answeredTo reads the address of "responded 500 to 10.0.0.1 for GET".
func answeredTo(w *walker, t *token) outcome {
	if string(t.word) != "to" || !w.joins() || !w.early.answers || !w.early.reaches(w.b, t.from) ||
		!addressed(w.b, skipSpace(w.b, w.i)) {
		return pass
	}
	w.i = wordEnd(w.b, skipSpace(w.b, w.i))
	w.early.end = w.i
	return w.readAs(prose)
}

// answeredFor reads the "for" of "sent 500 for GET".
func answeredFor(w *walker, t *token) outcome {
	if !w.joins() {
		return pass
	}
	switch string(t.word) {
	case "for":
	case "on":
		if !failed(w.b[:w.early.end]) {
			return pass
		}
	case "to":
		if !w.early.answers {
			return pass
		}
	default:
		return pass
	}
	if !w.early.reaches(w.b, t.from) {
		return pass
	}
	w.early.inSentence = true
	return w.readAs(prose)
}

// answeredAfter reads the duration of "returning 500 after 2ms for GET".
func answeredAfter(w *walker, t *token) outcome {
	if string(t.word) != "after" && string(t.word) != "in" || !w.joins() || !w.early.answers ||
		!durationAt(w.b, skipSpace(w.b, w.i)) {
		return pass
	}
	w.i = wordEnd(w.b, skipSpace(w.b, w.i))
	w.early.end = w.i
	return w.readAs(prose)
}

// schemeWord reads the "https" of "500 https "GET /path"".
func schemeWord(w *walker, t *token) outcome {
	if string(t.word) != "https" || !w.joins() {
		return pass
	}
	return w.readAs(prose)
}

// proseWord reads any other word.
func proseWord(w *walker, _ *token) outcome {
	if !w.req.seen() && w.joins() {
		w.early.fresh = false
	}
	return w.readAs(prose)
}
