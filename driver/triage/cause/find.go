package cause

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/logfast/logfast/driver/format/record"
	"github.com/logfast/logfast/driver/triage/redact"
	"github.com/logfast/logfast/internal/show"
)

// Find is a cause and its place in the log. Its strings are not redacted: Cause returns
// those that may leave the host. A Find may be kept after Config.Found returns. It holds at
// most about 40 KiB.
type Find struct {
	Language, Type, Frame string

	Stream record.Stream
	Line   int64 // number of its first line, as the caller of Scanner.Add counts
	Last   int64 // number of its last line, before which lines of others can stand
	Offset int64 // of the first byte of its first line
	End    int64 // of the byte behind its last line

	FirstMark, LastMark int64 // the caller's marks of its first and last line

	message string
	text    string
	redact  func([]byte) []byte
}

// What a Find keeps at most, in bytes. It is more than a Cause has, because a text is
// redacted before it is cut to the size that is reported.
const (
	maxFindFrame   = 4 << 10
	maxFindMessage = 8 << 10
	maxFindText    = 24 << 10
)

// keep returns a copy of at most so many bytes of a text, so that the text it is part of
// can be freed.
func keep(text string, most int) string {
	return string(clip([]byte(text[:min(len(text), most+1)]), most))
}

// keepEnds joins lines. If they are too long, whole lines of both ends are kept.
func keepEnds(lines []string) string {
	text := strings.Join(lines, "\n")
	if len(text) <= maxFindText {
		return strings.Clone(text)
	}
	head := text[:maxFindText/2]
	if i := strings.LastIndexByte(head, '\n'); i >= 0 {
		head = head[:i]
	} else {
		head = keep(text, maxFindText/2)
	}
	_, tail, _ := strings.Cut(text[len(text)-maxFindText/2:], "\n")
	between := "\n" + ellipsis + "\n"
	if inKey([]byte(text[:len(text)-len(tail)]), false) {
		between += keyBegins + "\n"
	}
	return head + between + tail
}

// Cause returns the cause, redacted and bounded. The work is linear in the cause's lines,
// far more than finding it costs, so that callers should call it only for what they keep.
func (f *Find) Cause() Cause {
	typ, message, hidden := f.exception()
	text := f.text
	if hidden {
		text = hide(text, f.message, message)
	}
	return Cause{
		Language:   f.Language,
		Type:       cutEnd(typ, MaxType),
		Message:    cutEnd(message, MaxMessage),
		Frame:      cutEnd(f.clean(f.Frame), MaxFrame),
		Stacktrace: show.Middle(strings.TrimRight(f.clean(text), "\n"), MaxStacktrace),
	}
}

// exception redacts the type and the message as one text, and divides it afterwards: a type
// such as Password names what the message is. hidden reports whether the message has a secret
// that only shows next to the type.
func (f *Find) exception() (typ, message string, hidden bool) {
	typ, message = f.clean(f.Type), f.clean(f.message)
	if typ == "" || message == "" {
		return typ, message, false
	}
	both := f.clean(f.Type + ": " + f.message)
	rest, ok := strings.CutPrefix(both, f.Type+": ")
	if !ok {
		rest, ok = strings.CutPrefix(both, typ+": ")
	}
	if !ok { // the secret begins in the type
		return typ, redact.Mark, true
	}
	if rest == message {
		return typ, message, false
	}
	return typ, f.clean(rest), true
}

// hide takes the lines of a message out of a text that differ from those of the redacted
// message. If the text has one of them in another notation, nothing of the text is kept.
func hide(text, message, redacted string) string {
	clean := strings.Split(redacted, "\n")
	for _, line := range strings.Split(message, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || slices.ContainsFunc(clean, func(s string) bool { return strings.TrimSpace(s) == line }) {
			continue
		}
		if !strings.Contains(text, line) {
			if line = quoted(line); !strings.Contains(text, line) {
				return redact.Mark
			}
		}
		text = strings.ReplaceAll(text, line, redact.Mark)
	}
	return text
}

// quoted returns a text as it stands in JSON, without the quotes.
func quoted(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(text) != nil {
		return text
	}
	s := b.String()
	return s[1 : len(s)-len("\"\n")]
}

// clean redacts a whole text, before anything is cut.
func (f *Find) clean(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToValidUTF8(string(f.redact([]byte(text))), "�")
}
