// Package suggest finds the known name that is closest to a misspelt one.
package suggest

import "fmt"

// Nearest returns a hint such as `; did you mean "format"?` for the word of
// known that is nearest to typed, or "" where none is near.
func Nearest(typed string, known []string) string {
	best := nearest(typed, known, len(typed)/2+1)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// Misspelt reports whether typed is a word of known but for one or two letters.
func Misspelt(typed string, known []string) bool {
	return nearest(typed, known, min(len(typed)/2+1, 3)) != ""
}

// nearest returns the word of known that is nearest to typed, if it is nearer than
// bound.
func nearest(typed string, known []string, bound int) (best string) {
	for _, word := range known {
		if d := distance(typed, word); d < bound {
			best, bound = word, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
