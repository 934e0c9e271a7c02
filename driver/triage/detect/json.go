package detect

import "sync"

// maxDepth is how deep objects are looked into. Deeper ones are passed over.
const maxDepth = 16

// maxBefore bounds the text before an object that is taken for its message.
const maxBefore = 512

// object reads an object of JSON, of Python's with single quotes, and one that was
// cut off.
type object struct {
	facts  facts
	key    []byte           // whose value comes next, nil if none does
	around [maxDepth]parent // of each open object
	depth  int              // of open objects
	lists  int              // of open lists
}

// objects keeps objects for the next lines, as walkers does.
var objects = sync.Pool{New: func() any { return new(object) }}

// json reads an object that begins at w.b[w.i], and leaves w.i behind it. It decides
// if a key holds the status of the answer.
func (w *walker) json() outcome {
	o := objects.Get().(*object)
	defer func() {
		*o = object{}
		objects.Put(o)
	}()
	f := &o.facts
	if w.req.seen() {
		f.context |= hasMethod | hasPath
		f.method, f.path = w.req.method, pathOf(w.req.target)
	}
	end := o.read(w.b, w.i)
	f.useBody()
	text := f.message
	if text == nil && w.i > 0 {
		f.message = w.b[max(0, w.i-maxBefore):w.i] // zap's console: the text before
	}
	w.i = min(max(end, w.i+1), len(w.b))
	status, client := f.final(w.req.seen())
	switch {
	case client:
		return w.endAsClient()
	case status != 0:
		return w.end(Match{Status: status, Method: f.method, Path: f.path, Rule: "json"})
	case text != nil && w.nesting < maxNesting:
		f.message = text
		if m, ok := f.inner(w.nesting); ok {
			return w.end(m)
		}
	}
	return pass
}

// read reads the object that begins at b[i] and returns where it ends.
func (o *object) read(b []byte, i int) int {
	for i < len(b) {
		switch c := b[i]; {
		case c == '{':
			o.open()
		case c == '}':
			o.depth, o.key = o.depth-1, nil
			if o.depth <= 0 {
				return i + 1
			}
		case c == '[':
			o.lists++
		case c == ']':
			o.lists, o.key = max(0, o.lists-1), nil
		case c == '"' || c == '\'':
			stop := closing(b, i+1, c)
			if stop < 0 {
				return len(b)
			}
			text := b[i+1 : stop]
			if at := skipSpace(b, stop+1); at < len(b) && b[at] == ':' {
				o.key, i = text, at
			} else {
				o.value(text, true)
				i = stop
			}
		case digit(c) && o.key != nil:
			from := i
			for i < len(b) && (alnum(b[i]) || b[i] == '.' || b[i] == '+' || b[i] == '-') {
				i++
			}
			o.value(b[from:i], false)
			continue
		case letter(c) || c == '-' || c == '.' || c == '_' || c >= 0x80:
			o.key = nil // true, null, -500
		}
		i++
	}
	return i
}

// open begins an object that is the key's value.
func (o *object) open() {
	in := foreign
	switch {
	case o.depth == 0:
		in = neutral
	case o.lists == 0 && o.depth < maxDepth && o.key != nil:
		in = parentIn(o.around[o.depth-1], o.key)
		if in == incoming {
			o.facts.context |= hasServer
		}
	}
	if o.depth < maxDepth {
		o.around[o.depth] = in
	}
	o.depth++
	o.key = nil
}

// value records the key's value. What is in a list says nothing.
func (o *object) value(value []byte, isString bool) {
	if o.key != nil && o.lists == 0 && o.depth <= maxDepth {
		o.facts.see(o.around[o.depth-1], o.depth, o.key, value, isString)
	}
	o.key = nil
}
