package detect

import "bytes"

// This file reads numbers: those that are a status, and those that are not.

// dated records "[time] 502 10.0.0.1 … "GET /path HTTP/1.1"".
func dated(w *walker, t *token) outcome {
	if t.afterDate && w.early.dated == 0 && dateBefore(w.b[:skipSpaceBack(w.b, t.from)+1]) &&
		addressFollows(w.b, w.i) {
		w.early.dated = t.status
	}
	return pass
}

// earlyStatus records a status before the request.
func earlyStatus(w *walker, t *token) outcome {
	if w.early.live() || w.counted() || isNumberedBefore(w.b[:t.from]) {
		return pass
	}
	w.early.set(t.status, w.b[:t.from], w.b, w.i)
	w.i = w.early.end
	return w.readAs(datum)
}

// finishedStatus reads "Request finished HTTP/1.1 POST <url> <type> <length> - 500 …":
// only a dash precedes the status, and it is the last number behind a dash.
func finishedStatus(w *walker, t *token) outcome {
	if !w.req.finished {
		return pass
	}
	if t.before != dash {
		return w.readAs(datum)
	}
	status := t.status
	if rest := w.b[w.i:]; bytes.HasPrefix(rest, []byte(" - ")) && len(rest) >= 6 {
		if s, ok := number(rest[3:6]); ok && (len(rest) == 6 || rest[6] == ' ') {
			status = s
		}
	}
	return w.decide(status, "kestrel")
}

// lateStatus judges a number that follows the request.
func lateStatus(w *walker, t *token) outcome {
	switch {
	case t.before == prose || t.before == label:
		return w.readAs(datum)
	case w.req.form == quoted && t.before == thing && w.req.version:
		return w.decide(t.status, "request")
	case w.counted() || w.req.form == bare && !w.follows(t.status):
		return w.readAs(datum)
	}
	return w.decide(t.status, "request")
}

// otherNumber reads a number that is no status where the status should be.
func otherNumber(w *walker, t *token) outcome {
	if w.req.dist != 1 || !all(t.core, digit) || w.counted() {
		return pass
	}
	if w.early.live() {
		return w.decide(w.early.status, "request")
	}
	return w.decide(0, "request")
}

// timedStatus records a duration right behind a status.
func timedStatus(w *walker, t *token) outcome {
	if w.early.status != 0 && w.early.reaches(w.b, t.from) && isDuration(t.core) {
		w.early.timed = true
	}
	return pass
}

// numberWord reads any other number.
func numberWord(w *walker, t *token) outcome {
	last := t.word[len(t.word)-1]
	if !w.req.seen() {
		w.early.fresh = w.early.fresh && (w.early.timed || bytes.IndexByte(t.word, '/') < 0 && last != ']')
	}
	if t.before == label && last == ',' {
		return w.readAs(label) // us=502, 200, 200: a list goes on
	}
	return w.readAs(datum)
}

// percentile reads the "p95" of "p95 503".
func percentile(w *walker, t *token) outcome {
	if len(t.core) == 3 && t.core[0] == 'p' && all(t.core[1:], digit) {
		return w.readAs(label)
	}
	return pass
}
