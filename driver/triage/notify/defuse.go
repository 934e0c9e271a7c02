package notify

import (
	"html"
	"regexp"
	"strings"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
)

// gap is a zero-width space. Between two characters it takes their meaning away
// and leaves their looks.
const gap = "\u200b"

// What chats read as more than text. A message quotes what programs print, and
// what strangers send to them.
var (
	// entity is a character in HTML's and Markdown's other notation: some
	// services read the text that results once more.
	entity = regexp.MustCompile(`&(#?[0-9A-Za-z]{1,31};)`)

	// calls: @everyone, @channel, @all, @here, @room, @**all**, <@id>, <@&role>.
	// links that do not show where they lead: [text](https://…), [text][1] with
	// [1]: https://… on a line of its own, [text|https://…].
	calls = strings.NewReplacer("@", "@"+gap, "](", "]"+gap+"(", "][", "]"+gap+"[", "]:", "]"+gap+":", "|http",
		"|"+gap+"http")

	// tags: <!channel>, <users/all>, <at user_id="all">, <https://…|text>, HTML.
	tags = strings.NewReplacer("<", "<"+gap)

	escapeSlack = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// printable keeps a text to printable characters and new lines. What is left out
// are control characters, of a terminal too, what writes from right to left, and
// what has no width: a text that is not what it seems to be.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// defuse returns a text that a chat of this kind shows as it is: it calls nobody,
// hides no link and runs no command. markup is how the service reads the text; it
// is "" for its usual way.
func defuse(kind, markup, text string) string {
	text = printable(text)
	if kind != "slack" && markup == "" {
		text = tags.Replace(entity.ReplaceAllString(text, "&"+gap+"$1"))
	}
	text = calls.Replace(text)
	switch {
	case kind == "slack": // where only three characters have a meaning, and a notation besides it
		text = escapeSlack.Replace(text)
	case markup == "HTML":
		text = html.EscapeString(text)
	case markup == "MarkdownV2":
		text = escapeMarkdown(text, "\\_*[]()~`>#+-=|{}.!<")
	case markup == "Markdown":
		text = escapeMarkdown(text, "_*`[")
	}
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, "!") { // /poll, /me, !command
		text = gap + text
	}
	return text
}

// escapeMarkdown puts a backslash before the characters that Telegram reads as
// markup. A text with others is refused as a whole.
func escapeMarkdown(text, special string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// markupOf says how a service reads its texts, if its URL chooses that.
func markupOf(service any) string {
	t, ok := service.(*telegram.Service)
	if !ok || t.Config == nil || t.Config.ParseMode == telegram.ParseModes.None {
		return ""
	}
	return t.Config.ParseMode.String()
}
