package detect

import "bytes"

// maxDepth is how deep objects are looked into. Deeper ones are passed over.
const maxDepth = 16

// maxBefore bounds the text before an object that is taken for its message.
const maxBefore = 512

// json reads an object that begins at w.b[w.i], and leaves w.i behind it. It
// takes Python's single quotes too, and an object that was cut off. It decides
// where a key holds the status of the answer.
func (w *walker) json() (Match, bool) {
	b := w.b
	var around [maxDepth]parent // of each open object
	depth, lists := 0, 0        // open objects, open lists
	var key []byte
	var f facts
	if w.how != none {
		f.context |= hasMethod | hasPath
		f.method, f.path = w.req.method, pathOf(w.req.target)
	}
	i := w.i
scan:
	for i < len(b) {
		switch c := b[i]; {
		case c == '{':
			in := foreign
			switch {
			case depth == 0:
				in = neutral
			case lists == 0 && depth < maxDepth && key != nil:
				in = parentIn(around[depth-1], key)
				if in == incoming {
					f.context |= hasServer
				}
			}
			if depth < maxDepth {
				around[depth] = in
			}
			depth++
			key = nil
			i++
		case c == '}':
			depth, key = depth-1, nil
			i++
			if depth <= 0 {
				break scan
			}
		case c == '[':
			lists++
			i++
		case c == ']':
			lists, key = max(0, lists-1), nil
			i++
		case c == '"' || c == '\'':
			stop := closing(b, i+1, c)
			if stop < 0 {
				i = len(b)
				break scan
			}
			text := b[i+1 : stop]
			i = stop + 1
			if at := skipSpace(b, i); at < len(b) && b[at] == ':' {
				key, i = text, at+1
				continue
			}
			if key != nil && lists == 0 && depth <= maxDepth {
				f.see(around[depth-1], depth, key, text, true)
			}
			key = nil
		case digit(c) && key != nil:
			from := i
			for i < len(b) && (alnum(b[i]) || b[i] == '.' || b[i] == '+' || b[i] == '-') {
				i++
			}
			if lists == 0 && depth <= maxDepth {
				f.see(around[depth-1], depth, key, b[from:i], false)
			}
			key = nil
		default:
			if letter(c) || c == '-' || c == '.' || c == '_' || c >= 0x80 {
				key = nil // true, null, -500
			}
			i++
		}
	}
	f.settle()
	text := f.message
	if text == nil && w.i > 0 {
		f.message = b[max(0, w.i-maxBefore):w.i] // zap's console: the text before
	}
	w.i = min(max(i, w.i+1), len(b))
	status, client := f.final(w.how != none)
	switch {
	case client:
		return Match{Rule: "client"}, true
	case status != 0:
		return Match{Status: status, Method: f.method, Path: f.path, Rule: "json"}, true
	case text != nil && w.nesting < maxNesting:
		f.message = text
		return f.inner(w.nesting)
	}
	return Match{}, false
}

// parentIn is parentOf for a key that may have dots.
func parentIn(in parent, key []byte) parent {
	for {
		i := bytes.IndexByte(key, '.')
		if i < 0 {
			return parentOf(in, key)
		}
		in, key = parentOf(in, key[:i]), key[i+1:]
	}
}
