package store

import (
	"errors"
	"strings"
)

// Advised is an error that knows what to do about it. Its text has the remedy as a
// sentence, so that a log line is complete; [Advice] takes the two apart.
type Advised interface {
	error
	// Remedy is that sentence without its full stop, or empty.
	Remedy() string
}

// Advice returns the text of err without the remedy that an [Advised] in its chain
// adds, and that remedy; empty if there is none.
func Advice(err error) (text, remedy string) {
	text = err.Error()
	var advised Advised
	if !errors.As(err, &advised) || advised.Remedy() == "" {
		return text, ""
	}
	remedy = advised.Remedy()
	return strings.Replace(text, ". "+remedy+".", "", 1), remedy
}

// Learner is a [Store] that finds out, while it works, what its server cannot do,
// and does without.
type Learner interface {
	// Learned returns a sentence for each thing that was found so far, in the
	// order in which they were found, and never takes one back.
	Learned() []string
}
