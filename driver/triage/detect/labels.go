package detect

import "bytes"

// This file reads keys outside of quotes, and signs.

// labelled records the value of the label before.
func labelled(w *walker, t *token) outcome {
	if len(w.label) > 0 && !means(w.label, messageKeys) {
		w.facts.see(neutral, 0, w.label, bytes.TrimLeft(t.core, ":"), false)
	}
	w.label = nil
	return pass
}

// statusPair reads "status:500".
func statusPair(w *walker, t *token) outcome {
	if t.key == nil || !isStatusKey(t.key) {
		return pass
	}
	return w.value(t.key, t.value, false)
}

// requestPair reads LTSV's "req:GET /x HTTP/1.1".
func requestPair(w *walker, t *token) outcome {
	if t.key == nil || !isRequestKey(t.key) || !isMethod(t.value) {
		return pass
	}
	value := len(t.key) + 1
	if r, status, ok := bareRequest(w.b, t.from+value); ok && t.word[value] == t.core[value] {
		return w.request(r, bare, status)
	}
	return pass
}

// colonPair records "method:GET".
func colonPair(w *walker, t *token) outcome {
	if t.key != nil {
		w.facts.see(neutral, 0, t.key, t.value, false)
	}
	return pass
}

// keyword reads Clojure's ":status", of which the value comes next.
func keyword(w *walker, t *token) outcome {
	if t.word[0] != ':' || len(t.core) < 2 || !letter(t.core[1]) {
		return pass
	}
	w.label = t.core[1:]
	w.early.fresh = false
	return w.readAs(label)
}

// arrow reads a sign.
func arrow(w *walker, t *token) outcome {
	if string(t.word) == "--" && w.early.live() && skipSpace(w.b, w.early.end) == t.from {
		w.early.ruled = true
	}
	if string(t.word) == "-" || string(t.word) == "--" {
		return w.readAs(dash)
	}
	return w.readAs(introducer)
}

// protocolWord reads "HTTP/1.1".
func protocolWord(w *walker, t *token) outcome {
	if bytes.HasPrefix(t.core, protocol) {
		return w.readAs(protocols)
	}
	return pass
}

// isLabel reports whether a token is a key with a colon behind it.
func isLabel(t *token) bool {
	return t.word[len(t.word)-1] == ':' && all(t.core, isKeyByte) && !all(t.core, digit)
}

// djangoRefusal reads the end of Django's line for an answer of 4xx: "Not Found: /path",
// "Forbidden (CSRF cookie not set.): /path".
func djangoRefusal(w *walker, t *token) outcome {
	if !isLabel(t) && !bytes.HasSuffix(t.word, []byte("):")) {
		return pass
	}
	at := skipSpace(w.b, w.i)
	if at == len(w.b) || w.b[at] != '/' || !means(t.core, refusals) && (w.i < 2 || w.b[w.i-2] != ')') {
		return pass
	}
	return w.decide(0, "django")
}

// labelWord reads "upstream:", of which the value comes next.
func labelWord(w *walker, t *token) outcome {
	if !isLabel(t) {
		return pass
	}
	w.label = keyOf(t.core)
	if isStatusKey(t.core) || t.meaning&introducers != 0 {
		return w.readAs(introducer)
	}
	return w.readAs(label)
}
