package detect

import "bytes"

// cursor is a place in a line that is read once, from left to right, with what is
// known of the text around it.
type cursor struct {
	b       []byte
	i       int // where the next token may begin
	begin   int // of the token, or of its key
	nesting int // how many lines this one is within

	prev      class   // of the token before
	label     []byte  // the key that the token before was: "status:"
	bar       bool    // a "|" stands between the token before and the next one
	afterDate bool    // the token before ended in "]": a request is next
	unclosed  [3]bool // no further quote of this kind is closed
	gape      bool    // no further brace is closed
}

// class is what a token is good for when a status follows it.
type class uint8

const (
	start class = iota
	prose
	introducer // "status", "responded", "->"
	dash       // "-"
	datum      // a number, an address, a duration: anything with digits
	timers     // HAProxy's "0/0/1/500/503"
	pair       // key=value
	label      // "upstream:", of which a number would be the value
	literal    // in quotes
	protocols  // "HTTP/1.1"
	thing      // the request itself
)

// next goes to the next token.
func (c *cursor) next() bool {
	c.bar = false
	for c.i < len(c.b) {
		switch b := c.b[c.i]; {
		case b == '|':
			c.bar = true
		case b == '{' && objectAt(c.b, c.i):
			return true
		case !space(b) && b != '(' && b != '[' && b != '<' && b != '{' && b != ',' && b != ';':
			return true
		}
		c.i++
	}
	return false
}

// readAs ends a token of this class.
func (c *cursor) readAs(class class) outcome {
	c.prev = class
	return done
}

// quotes are what quotes are made of.
const quotes = "\"'`"

// closing returns where the quote at the cursor is closed, or -1.
func (c *cursor) closing() int {
	q := c.b[c.i]
	kind := bytes.IndexByte([]byte(quotes), q)
	if c.unclosed[kind] {
		return -1
	}
	stop := closing(c.b, c.i+1, q)
	// An apostrophe is no quote.
	for q == '\'' && stop >= 0 && stop+1 < len(c.b) && alnum(c.b[stop+1]) {
		stop = closing(c.b, stop+1, q)
	}
	c.unclosed[kind] = stop < 0
	return stop
}

// braces returns the end of a value in braces that begins at b[i], such as
// params={"q"=>"status=500"}, or i if there is none. In it are a client's words.
func (c *cursor) braces(i int) int {
	b := c.b
	if i >= len(b) || b[i] != '{' || c.gape {
		return i
	}
	depth := 0
	for at := i; at < len(b); at++ {
		switch b[at] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at + 1
			}
		case '"':
			stop := closing(b, at+1, '"')
			if stop < 0 {
				c.gape = true
				return i
			}
			at = stop
		}
	}
	c.gape = true
	return i
}

// counted reports whether the number before the cursor counts something: a unit
// follows.
func (c *cursor) counted() bool {
	at := skipSpace(c.b, c.i)
	return means(trim(c.b[at:wordEnd(c.b[:min(len(c.b), at+maxKey)], at)]), units)
}

// follows reports whether what comes after a status behind a request without
// quotes can: anything but a word of prose, as in "GET /users 500 customers".
func (c *cursor) follows(status int) bool {
	at := skipSpace(c.b, c.i)
	if at == len(c.b) || at == c.i {
		return true
	}
	next := c.b[at:wordEnd(c.b[:min(len(c.b), at+maxKey)], at)]
	if bytes.HasSuffix(c.b[:c.i], []byte("):")) {
		return !means(trim(next), notAnswered) // "GET /path (500): database is locked"
	}
	if string(next) == "from" {
		return addressed(c.b, skipSpace(c.b, at+len(next))) // not "500 from user-service"
	}
	if rest := c.b[at:]; bytes.HasPrefix(rest, []byte("(down")) || bytes.HasPrefix(rest, []byte("(unhealthy")) ||
		all(next, digit) && bytes.HasPrefix(rest[len(next):], []byte(" times")) {
		return false
	}
	if !letter(next[0]) || bytes.IndexByte(next, '=') > 0 || reason(status, next) || !all(trim(next), letter) {
		return true
	}
	next = trim(next)
	return means(next, statusFollowers) || upper(next[0])
}
