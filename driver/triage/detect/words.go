package detect

import (
	_ "embed"
	"strconv"
	"strings"
)

// wordsFile holds the words that detection knows, in lists with a name each.
//
//go:embed words.txt
var wordsFile string

var wordLists = parseWords(wordsFile)

// parseWords reads the lists of words.txt by their names.
func parseWords(file string) map[string][]string {
	lists := map[string][]string{}
	name := ""
	for line := range strings.Lines(file) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(head, "]")
			continue
		}
		if line == "#" || strings.HasPrefix(line, "# ") {
			continue
		}
		for line != "" {
			var word string
			if quoted, err := strconv.QuotedPrefix(line); err == nil {
				word, _ = strconv.Unquote(quoted)
				line = line[len(quoted):]
			} else {
				word, line, _ = strings.Cut(line, " ")
			}
			lists[name] = append(lists[name], word)
			line = strings.TrimLeft(line, " ")
		}
	}
	return lists
}

// words returns a list of words.txt.
func words(name string) []string { return wordLists[name] }

// meaning says in which lists of single words a word stands, a bit for each list.
type meaning uint32

const (
	methods meaning = 1 << iota
	introducers
	arrows
	answered
	answering
	answerFillers
	completed
	hedges
	notAnswered
	receiving
	numbering
	units
	timeUnits
	statusFollowers
	refusals
	testVerdicts
	messageKeys
	// These are compared without case: anyMethods are methods and verbs.
	smallMethods
	anyMethods
	levels
	requestKeys
	ownResponses
)

// meaningNames are the lists' names, in the order of their bits.
var meaningNames = [...]string{
	"methods", "introducers", "arrows", "answered", "answering", "answer-fillers", "completed", "hedges",
	"not-answered", "receiving", "numbering", "units", "time-units", "status-followers", "refusals", "test-verdicts",
	"message-keys", "small-methods", "verbs", "levels", "request-keys", "own-responses",
}

// vocabulary holds the meaning of each word of those lists.
var vocabulary = func() map[string]meaning {
	all := map[string]meaning{}
	for i, name := range meaningNames {
		for _, word := range words(name) {
			all[word] |= 1 << i
		}
	}
	for _, method := range words("methods") {
		all[strings.ToLower(method)] |= anyMethods
	}
	return all
}()

// means reports whether a word stands in one of some lists as it is spelled.
func means(word []byte, lists meaning) bool { return vocabulary[string(word)]&lists != 0 }

// meansFold is means for a word in any case, in lists of lower-case words.
func meansFold(word []byte, lists meaning) bool {
	var buf [maxKey]byte
	if len(word) > len(buf) {
		return false
	}
	for i, c := range word {
		buf[i] = lower(c)
	}
	return means(buf[:len(word)], lists)
}

// Lists whose words are looked for in a text.
var (
	clientLibraries = newWordSet(words("client-libraries")...)
	clientWords     = newWordSet(words("client-words")...)
	perhapsClient   = newWordSet(words("perhaps-client")...)
	clientRoles     = newWordSet(words("client-roles")...)
	exampleWords    = newWordSet(words("example-words")...)
	accessWords     = newWordSet(words("access-words")...)
	accessMessages  = newWordSet(words("access-messages")...)
	serverWords     = newWordSet(words("server-words")...)
)

// reasonPhrases may follow a status at once: "500 Internal Server Error".
var reasonPhrases = words("reason-phrases")
