package cause

import (
	"bytes"
	"encoding/json"
)

// level is how serious a logger says that a line is.
type level uint8

const (
	noLevel level = iota
	low           // trace, debug, info, notice
	warning
	failure // error and above
)

// normalizer takes from lines what collectors and terminals put around them. What it
// returns is valid until the next call.
type normalizer struct {
	plain, inner []byte
}

// line returns the program's own text, and the name of the service that Docker Compose
// put before it, or the stream that Docker's json-file has, nil if there is neither.
func (n *normalizer) line(text []byte) (line, source []byte) {
	text = bytes.TrimSuffix(text, carriage)
	if bytes.IndexByte(text, 0x1b) >= 0 {
		n.plain = appendPlain(n.plain[:0], text)
		text = n.plain
	}
	if len(text) == 0 {
		return text, nil
	}
	if name, rest, ok := composePrefix(text); ok {
		text, source = rest, name
	}
	text = unwrapped(text)
	if len(text) > 0 && text[0] == '{' && bytes.HasPrefix(text, jsonFile) {
		var entry struct{ Log, Stream string }
		if json.Unmarshal(text, &entry) == nil && entry.Log != "" {
			inner := bytes.TrimRight([]byte(entry.Log), "\r\n")
			n.inner = append(n.inner[:0], bytes.ReplaceAll(inner, []byte("\n"), []byte(" "))...)
			if bytes.IndexByte(n.inner, 0x1b) >= 0 {
				n.inner = appendPlain(nil, n.inner)
			}
			return unwrapped(n.inner), []byte(entry.Stream)
		}
	}
	return text, source
}

var (
	fpmSaid  = []byte(` said into stderr: "`)
	carriage = []byte("\r")
	jsonFile = []byte(`{"log":`)
)

// unwrapped cuts off the kubelet's prefix, even if two have written one, and what PHP-FPM
// puts around the lines of its children.
func unwrapped(text []byte) []byte {
	text = withoutCRI(withoutCRI(text))
	if len(text) > 0 && text[0] == '[' {
		if i := bytes.Index(text, fpmSaid); i >= 0 {
			text = bytes.TrimSuffix(text[i+len(fpmSaid):], []byte(`"`))
		}
	}
	return text
}

// appendPlain appends a text without the sequences that colour it on a terminal.
func appendPlain(dst, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.IndexByte(text, 0x1b)
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		if text = text[i+1:]; len(text) > 0 && text[0] == '[' {
			end := 1
			for end < len(text) && text[end] < '@' {
				end++
			}
			text = text[min(end+1, len(text)):]
		}
	}
	return dst
}

// composePrefix divides "web-1  | text" as docker compose logs prints it.
func composePrefix(text []byte) (name, rest []byte, ok bool) {
	i := 0
	for i < len(text) && i < 64 && (isWord(text[i]) || text[i] == '-' || text[i] == '.') {
		i++
	}
	end := i
	for i < len(text) && text[i] == ' ' {
		i++
	}
	if end == 0 || i == end || i == len(text) || text[i] != '|' {
		return nil, nil, false
	}
	if i++; i < len(text) && text[i] == ' ' {
		i++
	}
	return text[:end], text[i:], true
}

// withoutCRI cuts "2026-01-01T00:00:00.0Z stderr F " off, which container runtimes write
// for the kubelet.
func withoutCRI(text []byte) []byte {
	if len(text) < 30 || text[10] != 'T' || !isDigit(text[0]) {
		return text
	}
	i := bytes.IndexByte(text[:min(len(text), 40)], ' ')
	if i < 0 {
		return text
	}
	rest := text[i+1:]
	if len(rest) < len("stdout F ") || string(rest[:3]) != "std" || rest[6] != ' ' || rest[8] != ' ' ||
		rest[7] != 'F' && rest[7] != 'P' {
		return text
	}
	return rest[len("stdout F "):]
}

// head is what a logger wrote before its message: times, levels, names.
type head struct {
	level   level
	message int // where the message begins: behind the last time, level, or name in brackets
	starts  [maxStarts]int
	n       int  // how many of starts are set
	near    int  // how many of them are within the prefix, or right behind it
	strict  bool // the level stands as a logger writes it, not as a word of a sentence
}

// maxStarts is in how many places of a line an exception may begin, headSize how much of
// the line is looked at for them.
const (
	maxStarts = 14
	headSize  = 240
)

// readHead finds the places in a line where a message may begin: at its beginning, behind
// each part of a logger's prefix, and behind a colon or a dash.
func readHead(line []byte) (h head) {
	i := skipSpace(line, 0)
	h.add(i)
	limit := min(len(line), headSize)
	h.message = i
	for i < limit {
		end, strong := h.token(line[:limit], i)
		if end <= i {
			break
		}
		i = skipSpace(line[:limit], end)
		h.add(i)
		if strong {
			h.message = i
		}
	}
	h.near = h.n
	for ; i+2 < limit; i++ {
		if line[i+1] == ' ' && (line[i] == ':' || line[i] == '-' && i > 0 && line[i-1] == ' ') {
			h.add(i + 2)
		}
	}
	return h
}

func (h *head) add(i int) {
	if h.n < maxStarts && (h.n == 0 || h.starts[h.n-1] != i) {
		h.starts[h.n] = i
		h.n++
	}
}

// token returns the end of the part of a prefix that begins at i, i if there is none. It
// is strong unless it may be the message's first word.
func (h *head) token(line []byte, i int) (end int, strong bool) {
	end = i
	for end < len(line) && line[end] != ' ' && line[end] != '\t' {
		end++
	}
	word := line[i:end]
	switch c := word[0]; {
	case c == '[' || c == '(' && i > 0:
		closing := bytes.IndexByte(line[i:], closingOf[c])
		if closing < 0 {
			return i, false
		}
		inner := line[i+1 : i+closing]
		h.setLevel(inner, true)
		return i + closing + 1, true
	case isDigit(c):
		return end, all(word, func(c byte) bool { return isDigit(c) || bytes.IndexByte(timeBytes, c) >= 0 })
	case len(bytes.Trim(word, "-|:>*=#⨯")) == 0:
		return end, true
	case h.pythonDefault(line, i, end):
		return h.message, true
	case h.setLevel(word, isUpper(word[0]) || word[len(word)-1] == ':' && i > 0 || i > 0 && isDigit(line[0])):
		return end, true
	case klog(word):
		h.level, h.strict = klogLevels[word[0]], true
		return end, true
	case isDateWord(word), len(word) == 2 && word[1] == ',':
		return end, true
	case word[len(word)-1] == ':':
		return end, bytes.IndexByte(word, '[') > 0
	case bytes.IndexByte(word, '=') > 0 && bytes.IndexByte(word, '"') < 0:
		if key, value, _ := bytes.Cut(word, []byte("=")); isLevelKey(key) {
			h.setLevel(value, true)
		}
		return end, true
	}
	next := skipSpace(line, end)
	if next+2 < len(line) && (line[next] == '-' || line[next] == ':') && line[next+1] == ' ' {
		return end, true // a logger's name
	}
	return i, false
}

var closingOf = map[byte]byte{'[': ']', '(': ')'}

// timeBytes are what dates and times have beside digits.
var timeBytes = []byte("-:.,/TZ+")

// pythonDefault reads "ERROR:logger:message".
func (h *head) pythonDefault(line []byte, i, end int) bool {
	colon := bytes.IndexByte(line[i:end], ':')
	if colon <= 0 || i+colon+1 >= len(line) || line[i+colon+1] == ' ' || !isUpper(line[i]) {
		return false
	}
	second := bytes.IndexByte(line[i+colon+1:], ':')
	if second <= 0 || bytes.IndexByte(line[i+colon+1:i+colon+1+second], ' ') >= 0 {
		return false
	}
	if !h.setLevel(line[i:i+colon], true) {
		return false
	}
	h.message = i + colon + second + 2
	return true
}

// setLevel reads a level. The first one of a line counts.
func (h *head) setLevel(word []byte, strict bool) bool {
	word = bytes.Trim(word, "[]():|,*<>\"' ")
	if i := bytes.LastIndexByte(word, '.'); i >= 0 { // production.ERROR, kern.err
		word = word[i+1:]
	}
	if i := bytes.LastIndexByte(word, ':'); i >= 0 { // [proxy:error]
		word = word[i+1:]
	}
	if i := bytes.IndexByte(word, '/'); i > 0 { // ERROR/ForkPoolWorker-1
		word = word[:i]
	}
	l := levelOf(word)
	if l == noLevel {
		return false
	}
	if h.level == noLevel {
		h.level, h.strict = l, strict
	}
	return true
}

// levels are the words for levels, in small letters.
var levels = map[string]level{
	"trace": low, "debug": low, "info": low, "notice": low, "dbg": low, "inf": low, "information": low, "log": low,
	"fine": low, "config": low,
	"warn": warning, "warning": warning, "wrn": warning,
	"error": failure, "err": failure, "fatal": failure, "critical": failure, "crit": failure, "severe": failure,
	"alert": failure, "emerg": failure, "emergency": failure, "panic": failure, "dpanic": failure, "ftl": failure,
	"fail": failure,
}

func levelOf(word []byte) level {
	if len(word) < 3 || len(word) > 11 {
		return noLevel
	}
	var buf [11]byte
	lower := buf[:len(word)]
	for i, c := range word {
		if !isLetter(c) {
			return noLevel
		}
		lower[i] = c | 0x20
	}
	return levels[string(lower)]
}

func isLevelKey(key []byte) bool {
	switch string(key) {
	case "level", "lvl", "severity", "levelname", "loglevel":
		return true
	}
	return false
}

// klog reports whether a word is the beginning of a line of klog or glog: E0102.
func klog(word []byte) bool {
	return len(word) == 5 && klogLevels[word[0]] != noLevel && all(word[1:], isDigit)
}

var klogLevels = [256]level{'I': low, 'W': warning, 'E': failure, 'F': failure}

func isDateWord(word []byte) bool {
	switch len(word) {
	case 3, 4:
		return bytes.Contains(dateWords, bytes.TrimRight(word, ",")) && isUpper(word[0])
	}
	return false
}

var dateWords = []byte("Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec UTC GMT CET CEST")

// isLog reports whether a line looks as if a logger wrote it, and so is no part of a
// message or a trace: it begins with a time or a level, or is JSON.
func isLog(line []byte) bool {
	if len(line) < 4 {
		return false
	}
	switch c := line[0]; {
	case c == '{':
		return line[1] == '"'
	case c == ' ' || c == '\t':
		return false
	case isDigit(c):
		return len(line) > 12 && all(line[:4], isDigit) && (line[4] == '-' || line[4] == '/') ||
			len(line) > 8 && line[2] == ':' && line[5] == ':'
	case c == '[':
		return len(line) > 12 && isDigit(line[1]) && isDigit(line[2]) || readHead(line).strict
	}
	h := readHead(line)
	return h.level != noLevel && h.strict
}

// trimPrefix takes from a line what stands before the cause in the block's first line. The
// numbers in it may differ. A line without it is returned as it is.
func trimPrefix(line, prefix []byte) []byte {
	i := 0
	for j := 0; j < len(prefix); {
		if i == len(line) {
			if len(bytes.TrimRight(prefix[j:], " ")) == 0 {
				return nil // an empty line, whose last space is cut off
			}
			return line
		}
		if !isDigit(prefix[j]) {
			if line[i] != prefix[j] {
				return line
			}
			i++
			j++
			continue
		}
		from := i
		for i < len(line) && isDigit(line[i]) {
			i++
		}
		if i == from {
			return line
		}
		for j < len(prefix) && isDigit(prefix[j]) {
			j++
		}
	}
	return line[i:]
}

func skipSpace(line []byte, i int) int {
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	return i
}

func all(b []byte, is func(byte) bool) bool {
	for _, c := range b {
		if !is(c) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func isLetter(c byte) bool { return isUpper(c) || isLower(c) }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' }
