package cli

import (
	"fmt"
	"slices"

	"github.com/logfast/logfast/plugin/control"
)

// maxWaitError bounds what a line quotes of an error, in columns.
const maxWaitError = 120

// waitsFor reports whether the lines of waitTexts say this error.
func waitsFor(t *control.Target, err string) bool {
	return slices.ContainsFunc(t.Waits, func(w control.Wait) bool { return w.Error == err })
}

// waitTexts says of each reason for which a target's events wait how many there
// are, and until when.
func waitTexts(t *control.Target) (texts []string) {
	for _, w := range t.Waits {
		clock := w.Until.Local().Format("15:04")
		text := "sent next"
		switch w.Why {
		case "rate":
			text = "held by the rate bound until " + clock
		case "folded":
			text = "folded until " + clock
		case "refused", "failed":
			text = fmt.Sprintf("%s: %s; retry at %s", w.Why, cut(w.Error, maxWaitError),
				w.Until.Local().Format("15:04:05"))
		}
		texts = append(texts, fmt.Sprintf("%d %s", w.Events, text))
	}
	return texts
}
