package detect

//go:generate go test -run TestPage -update .

// rule is one thing that detection knows of log lines. All that it knows stands in
// ordered lists of rules, one list for each place where something is decided:
//
//	headRules      what collectors put before a program's line
//	columnRules    formats whose columns have a fixed order
//	lineRules      lines that never count
//	wordRules      what a word says, before the request and behind it
//	spellingRules  how a word can spell a status
//	requestRules   what stands between a method and its path
//	clientRules    what makes a request the program's own
//	keyRules       what a key says, in JSON, logfmt and behind text
//	phraseRules    what frameworks write in words instead of a request
//	impliedRules   lines that stand for an answer of 500 without its number
//
// To add a format, write one rule with a line of a real log as its example, and put
// the line into testdata/field.tsv. If the format differs from a known one by a word
// alone, add the word to words.txt instead. TestRules_Examples runs each example with
// the rule and without it: a rule that changes nothing does not pass. go generate
// writes the rule into docs/detection.md.
type rule[F any] struct {
	name    string // unique in its list
	doc     string // a sentence: what the rule reads, and why
	example string // a line that is judged otherwise without the rule
	finds   Match  // what the example reports: its status and the rule of the match
	read    F
}

// finds is the finding of a rule's example.
func finds(status int, by string) Match { return Match{Status: status, Rule: by} }

// nothing is the finding of an example that no rule decides.
var nothing Match
